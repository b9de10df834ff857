"""The modules beside these tests can be imported, and where the reference environments are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def environments() -> Path:
    """The folder that tests/reference/environments made; a test without it is skipped."""
    named = os.environ.get("SEDBENCH_REFERENCE", "")
    if not named or not Path(named).is_dir():
        pytest.skip("no reference environments: see tests/reference/README.md")
    return Path(named).resolve()
