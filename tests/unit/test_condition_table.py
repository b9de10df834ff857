"""The curve over conditions, and what the caption says of detectors."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from sedbench.refs import ModelRef
from sedbench.report.columns import number
from sedbench.report.conditions import conditions_of, curve
from sedbench.report.table import tables
from sedbench.results import Result

LEVELS = {"snr=20": (0.81, 60), "snr=0": (0.42, 31), "snr=-5": (None, 0)}


def record(stratum: str, value: float | None, pairs: int, metric: str = "iou") -> dict[str, Any]:
    known = value is not None
    return {
        "metric": metric,
        "policy": "chosen" if metric == "iou" else None,
        "view": "localisation",
        "average": "pairs",
        "stratum": stratum,
        "truth": "extent",
        "smoothing": "none",
        "value": value,
        "ci_low": value - 0.1 if known else None,
        "ci_high": value + 0.1 if known else None,
        "n_pairs": pairs,
        "n_clips": pairs,
        "n_groups": 3,
    }


def result(conditions: bool = True, **fields: Any) -> Result:
    scores = [record("all", 0.6, 91)]
    if conditions:
        scores += [record(f"condition:{k}", v, n) for k, (v, n) in LEVELS.items()]
        scores += [record(f"condition:{k}", v, n, "auc") for k, (v, n) in LEVELS.items()]
    given = {"spec": "ig", "method": "ig", "pairs": {"expected": 91, "scored": 91}, **fields}
    return Result(task="noise", model="ear", params={}, seed=0, scores=tuple(scores), **given)


def printed(*rows: Result) -> str:
    out = io.StringIO()
    Console(width=140, file=out).print(tables(list(rows), [], [], 140))
    return out.getvalue()


def test_one_column_a_condition_with_its_pairs() -> None:
    rows = [result(), result(spec="energy", method="energy")]
    assert conditions_of(rows) == {"snr=20": 60, "snr=0": 31, "snr=-5": 0}
    text = printed(*rows)
    after = text.partition("IoU by condition")[2]
    assert "snr=20" in after and "31 pairs" in after
    (line,) = [each for each in after.splitlines() if each.startswith("ig ")]
    cells = line.split()[1:]
    assert cells[:6] == [".81", "[.71", ".91]", ".42", "[.32", ".52]"]
    assert cells[6:] == [number(None)]  # nothing was detected there


def test_without_conditions_there_is_no_curve() -> None:
    assert curve([result(conditions=False)]) is None
    assert "by condition" not in printed(result(conditions=False))


@pytest.mark.parametrize(
    ("trains", "variants", "pretrained", "said"),
    [
        (True, ("classifier", "frames"), (), "trained for the purpose"),
        (True, ("classifier", "frames"), (("net", "0" * 64),), "own frozen trunk"),
        (False, ("classifier",), (("net", "0" * 64),), ""),
        (True, ("classifier",), (), ""),
    ],
)
def test_two_comparisons_of_detectors_are_told_apart(
    trains: bool, variants: tuple[str, ...], pretrained: Any, said: str
) -> None:
    ref = ModelRef(
        name="ear", canonical="ear", task="t", classes=("a",), sample_rate=1, seed=0, device="cpu",
        variants=variants, factory=dict, trains=trains, pretrained=pretrained,
    )  # fmt: skip
    assert (said in ref.detectors) if said else ref.detectors == ""
    row = result(kind="detector", provenance={"detectors": ref.detectors})
    assert ("Detectors beside attributions" in printed(row)) == bool(said)
    alone = result(kind="attribution", provenance={"detectors": ref.detectors})
    assert "Detectors beside attributions" not in printed(alone)
