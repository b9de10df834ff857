"""Agreement with the reference implementations, by the figures that they gave when last asked.

To 1e-9 wherever the definition is the same. Where it is not, the test says what is different; the
list is in docs/metrics.md.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_inputs
import reference_ours
from reference_tools import differences

GOLDEN = Path(__file__).parents[1] / "golden"
SHARED = Path(os.environ.get("SEDBENCH_SHARED", "../shared")) / "annotations"
OURS = {
    "sed_eval": reference_ours.like_sed_eval,
    "sed_scores_eval": reference_ours.like_sed_scores_eval,
    "psds_eval": reference_ours.like_psds_eval,
}


@cache
def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    return found


def recorded(name: str) -> list[tuple[str, str]]:
    """Which implementation measured which case."""
    return [(tool, case) for tool, cases in golden(name)["figures"].items() for case in cases]


@cache
def shared_cases() -> dict[str, Any]:
    return reference_inputs.shared(SHARED)


@pytest.mark.parametrize(("tool", "case"), recorded("detection.json"))
def test_made_up_cases(tool: str, case: str) -> None:
    theirs = golden("detection.json")["figures"][tool][case]
    assert len(theirs) > 10
    assert not differences(theirs, OURS[tool](golden("detection.json")["cases"][case]))


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no annotations in {SHARED}: set SEDBENCH_SHARED")
@pytest.mark.parametrize(("tool", "case"), recorded("detection_shared.json"))
def test_real_annotations(tool: str, case: str) -> None:
    theirs = golden("detection_shared.json")["figures"][tool][case]
    assert len(theirs) > 10
    assert not differences(theirs, OURS[tool](shared_cases()[case]))


def test_the_cases_are_those_that_are_made() -> None:
    assert json.loads(json.dumps(reference_inputs.synthetic())) == golden("detection.json")["cases"]


def test_every_implementation_was_asked() -> None:
    for name in ("detection.json", "detection_shared.json"):
        assert set(golden(name)["figures"]) == set(OURS)
    assert golden("detection.json")["speed"]["times_faster"].keys() == {
        "sed_eval",
        "sed_scores_eval",
    }


def test_a_figure_that_is_off_is_noticed() -> None:
    assert differences({"a": 0.5, "b": None}, {"a": 0.5, "b": None}) == []
    assert len(differences({"a": 0.5}, {"a": 0.5 + 2e-9})) == 1
    assert len(differences({"a": 0.5, "b": None}, {"a": None, "b": 0.5})) == 2
    assert len(differences({"a": 0.5}, {})) == 1


def quantus(case: str) -> tuple[dict[str, Any], dict[str, Any], np.ndarray, np.ndarray]:
    given = golden("quantus.json")["cases"][case]
    theirs = golden("quantus.json")["figures"][case]
    return (
        theirs,
        reference_ours.like_quantus(given),
        np.array(given["scores"]),
        np.array(given["masks"], bool),
    )


def same(theirs: list[float | None], ours: list[float | None]) -> list[bool]:
    return [
        a is b if a is None or b is None else abs(a - b) < 1e-9
        for a, b in zip(theirs, ours, strict=True)
    ]


@pytest.mark.parametrize("metric", ["pg", "rma", "rra", "auc"])
def test_quantus_agrees_on_plain_scores(metric: str) -> None:
    theirs, ours, _, _ = quantus("plain")
    assert all(same(theirs[metric], ours[metric]))


def test_quantus_agrees_on_ties_in_mass_and_area_alone() -> None:
    theirs, ours, scores, masks = quantus("tied")
    assert all(same(theirs["rma"], ours["rma"])) and all(same(theirs["auc"], ours["auc"]))
    # Its pointing game takes any active frame among the tied maxima for a hit; here they share one.
    top = scores == scores.max(1, keepdims=True)
    assert theirs["pg"] == (top & masks).any(1).astype(float).tolist()
    assert ours["pg"] == pytest.approx((top & masks).sum(1) / top.sum(1))
    assert not all(same(theirs["pg"], ours["pg"]))
    # Its rank accuracy takes tied frames in the order of sorting, here they are drawn.
    assert not all(same(theirs["rra"], ours["rra"]))
    assert ours["rra"][0] == pytest.approx(masks[0].mean())  # a constant score is chance


def test_quantus_agrees_on_negative_scores_but_in_mass() -> None:
    theirs, ours, scores, masks = quantus("negative")
    for metric in ("pg", "rra", "auc"):
        assert all(same(theirs[metric], ours[metric]))
    # Its mass is a sum of signed scores, and so no share.
    assert theirs["rma"] == pytest.approx((scores * masks).sum(1) / scores.sum(1))
    assert not all(0 <= value <= 1 for value in theirs["rma"])
    assert all(0 <= value <= 1 for value in ours["rma"])


def test_quantus_takes_an_empty_mask_for_a_hit() -> None:
    theirs, ours, _, masks = quantus("empty")
    empty = ~masks.any(1)
    assert empty.any() and not empty.all()
    for i in np.flatnonzero(empty):
        assert theirs["pg"][i] == 1.0 and ours["pg"][i] == 0.0
        assert all(theirs[m][i] is None and ours[m][i] is None for m in ("rma", "rra", "auc"))
    for metric in theirs:
        agree = same(theirs[metric], ours[metric])
        assert all(agree[i] for i in np.flatnonzero(~empty))
