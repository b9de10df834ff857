"""Curves against the threshold: values, bands, and what is read off them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sedbench.errors import UnknownNameError
from sedbench.protocol import Scored, evaluate, quantise
from sedbench.protocol.sensitivity import Band, Sensitivity, sensitivity
from sedbench.protocol.thresholds import PERCENTILES, POLICIES
from sedbench.types import FrameGrid, PairTable

FRAMES = 50


def make(clips: int, seed: int, split: str = "test") -> Scored:
    rng = np.random.default_rng(seed)
    onset, length = rng.integers(0, 25, clips), rng.integers(5, 25, clips)
    time = np.arange(FRAMES)
    truth = (time >= onset[:, None]) & (time < (onset + length)[:, None])
    table = PairTable(
        clip_ids=tuple(f"{split}-{i:04d}" for i in range(clips)),
        classes=("bell", "cat"),
        clip=np.arange(clips),
        label=np.arange(clips) % 2,
        groups=tuple((f"g{i % 7}",) for i in range(clips)),
        truths={"extent": truth, "activity": truth & (time % 5 > 0)},
        others={"extent": np.zeros_like(truth), "activity": np.zeros_like(truth)},
        grid=FrameGrid(FRAMES / 10),
    )
    scores = quantise(np.exp(rng.normal(size=truth.shape) + 1.5 * truth))
    detected = np.full((clips, 2), 0.9)  # every absent class is a false alarm
    detected[0] = 0.1  # and one pair is missed
    return Scored(table, scores, np.ones(clips, bool), detected)


VALIDATION, TEST = make(24, 1, "validation"), make(30, 2)


def curve(policy: str = "percentile", **options) -> Sensitivity:
    return sensitivity(VALIDATION, TEST, policy, **{"resamples": 100, **options})


def value_of(records, policy: str, metric: str = "iou", truth: str = "extent") -> dict:
    fields = {
        "metric": metric, "policy": policy, "truth": truth, "view": "localisation",
        "average": "pairs", "stratum": "all", "smoothing": "none",
    }  # fmt: skip
    [found] = [r for r in records if all(r[key] == wanted for key, wanted in fields.items())]
    return found


@pytest.mark.parametrize("percentile", [1, 37, 99])
@pytest.mark.parametrize("truth", ["extent", "activity"])
def test_a_percentile_of_the_curve_is_that_record(percentile: int, truth: str) -> None:
    records = evaluate(VALIDATION, TEST, fixed_percentile=percentile, resamples=100).records
    found = curve(truth=truth)
    for metric, band in (("iou", found.iou), ("f1", found.f1)):
        record = value_of(records, f"percentile@{percentile}", metric, truth)
        at = percentile - 1
        assert band.value[at] == pytest.approx(record["value"])
        assert band.low[at] == pytest.approx(record["ci_low"])
        assert band.high[at] == pytest.approx(record["ci_high"])


@pytest.mark.parametrize("policy", POLICIES)
def test_what_validation_chose_has_the_value_that_results_report(policy: str) -> None:
    found = curve(policy, resamples=0)
    evaluation = evaluate(VALIDATION, TEST, resamples=0)
    [at] = found.chosen
    assert found.iou.value[int(at) - 1] == pytest.approx(
        value_of(evaluation.records, policy)["value"]
    )
    told = evaluation.thresholds["none"][policy]
    assert at == {"percentile": told, "relative": round(100 * told)}.get(policy, at)
    assert np.isnan(found.iou.low).all()


def test_rotations_choose_apart_and_are_averaged_together() -> None:
    fold = np.arange(30) % 3
    validation = replace(make(30, 3, "validation"), fold=fold)
    test = replace(TEST, fold=fold)
    found = sensitivity(validation, test, "relative", resamples=20)
    assert len(found.chosen) == 3
    assert found.iou.value == pytest.approx(curve("relative", resamples=0).iou.value)


def test_a_method_that_decides_by_itself_is_flat() -> None:
    always = replace(TEST, mask=np.ones((30, FRAMES), bool))
    found = sensitivity(replace(VALIDATION, mask=np.ones((24, FRAMES), bool)), always, resamples=50)
    assert found.chosen == ()
    kept = TEST.table.truths["extent"][1:]
    assert found.iou.value == pytest.approx(np.full(99, kept.mean(1).mean()))
    assert len(set(found.f1.low.tolist())) == 1


def shaped(values: dict[int, float], other: float) -> Sensitivity:
    iou = np.full(99, other)
    for at, value in values.items():
        iou[at - 1] = value
    band = Band(iou, iou, iou)
    return Sensitivity("percentile", PERCENTILES, band, band, (50.0,))


def test_the_best_the_loss_and_the_width() -> None:
    found = shaped({48: 0.58, 49: 0.6, 50: 0.6, 51: 0.56, 61: 0.2}, 0.5)
    assert found.at[found.best] == 49
    assert found.lost() == pytest.approx(0.1)  # 61 lies out of reach
    assert found.lost(12) == pytest.approx(0.4)
    assert found.width(0.05) == 4 and found.width(0.01) == 2 and found.width(0.5) == 99
    edge = shaped({1: 0.6}, 0.3)
    assert (edge.best, edge.width(0.05), edge.lost()) == (0, 1, pytest.approx(0.3))


def test_names_that_are_wrong() -> None:
    with pytest.raises(UnknownNameError, match="percentil'"):
        curve("percentil")
    with pytest.raises(UnknownNameError, match="extend"):
        curve(truth="extend")
