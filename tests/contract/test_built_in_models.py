"""Every built-in product of the kind ``models`` keeps the contract that is asked of anyone's."""

from __future__ import annotations

import pytest

from sedbench.registry import Entry
from sedbench.testing import contract

KIND = "models"


def test_it_keeps_its_contract(built_in: Entry) -> None:
    if getattr(built_in.info, "pretrained", ()):
        pytest.skip("its networks are large: sedbench test, and tests of its own")
    checked = contract(built_in.info, built_in.factory)
    assert not {o.check: o.reason for o in checked.outcomes() if o.status == "fail"}
