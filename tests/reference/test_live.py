"""The reference implementations themselves, asked now: ``pytest -m reference``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import reference_ours
from reference_tools import TOOLS, differences, figures, measured_speed

pytestmark = pytest.mark.reference
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("tool", TOOLS)
def test_they_still_say_what_they_said(tool: str, environments: Path) -> None:
    name = "quantus.json" if tool == "quantus" else "detection.json"
    golden = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    now = figures(tool, golden["cases"], environments)
    then = golden["figures"] if tool == "quantus" else golden["figures"][tool]
    assert now.keys() == then.keys()
    for case, found in now.items():
        if tool == "quantus":
            assert found == {
                key: pytest.approx(value, abs=1e-12) for key, value in then[case].items()
            }
            continue
        assert not differences(then[case], found, 1e-12)
        ours = getattr(reference_ours, f"like_{tool}")(golden["cases"][case])
        assert not differences(found, ours)


def test_they_are_slower(environments: Path) -> None:
    # The figures of both sides are compared in there as well.
    speed = measured_speed(environments)
    print(json.dumps(speed))
    assert speed["times_faster"]["sed_eval"] >= 50
    assert speed["times_faster"]["sed_scores_eval"] > 1
