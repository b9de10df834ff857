"""Metrics against brute force, scikit-learn and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sedbench.metrics import (
    METRICS,
    active_share,
    average_precision,
    chance_corrected,
    discrimination_auc,
    frame_f1,
    iou,
    pointing_hit,
    roc_auc,
)

FRAMES = 15
SCORES = arrays(np.float64, FRAMES, elements=st.integers(0, 6).map(lambda k: k / 7))
TRUTH = arrays(np.bool_, FRAMES)


@given(TRUTH, TRUTH)
def test_overlap_equals_sets_of_frames(predicted: np.ndarray, truth: np.ndarray) -> None:
    tp, fp, fn = (predicted & truth).sum(), (predicted & ~truth).sum(), (~predicted & truth).sum()
    claimed, true = set(np.flatnonzero(predicted)), set(np.flatnonzero(truth))
    expected = len(claimed & true) / len(claimed | true) if claimed | true else 1.0
    assert iou(tp, fp, fn) == expected
    assert frame_f1(tp, fp, fn) == pytest.approx(2 * expected / (1 + expected))


def test_overlap_conventions() -> None:
    assert iou([0, 0, 0, 2], [0, 3, 0, 0], [0, 0, 3, 0]).tolist() == [1, 0, 0, 1]
    assert frame_f1([0, 0, 0, 2], [0, 3, 0, 1], [0, 0, 3, 1]).tolist() == [1, 0, 0, 2 / 3]


@given(SCORES, TRUTH)
def test_ranking_metrics_equal_scikit_learn(scores: np.ndarray, truth: np.ndarray) -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    assume(truth.any())
    assert average_precision(scores[None], truth[None])[0] == pytest.approx(
        average_precision_score(truth, scores), abs=1e-12
    )
    assume(not truth.all())
    assert roc_auc(scores[None], truth[None])[0] == pytest.approx(
        roc_auc_score(truth, scores), abs=1e-12
    )


def test_rows_do_not_see_each_other() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 5, (20, FRAMES)).astype(float), rng.random((20, FRAMES)) < 0.4
    for metric in (roc_auc, average_precision, pointing_hit):
        alone = [metric(s[None], t[None])[0] for s, t in zip(scores, truth, strict=True)]
        assert np.array_equal(metric(scores, truth), alone, equal_nan=True)


def test_pointing_away_from_what_fills_a_clip_is_within_the_range_that_is_stated() -> None:
    corrected = next(info for info in METRICS if info.name == "pg_corrected")
    worst = chance_corrected(0.0, np.array([0.3, 0.5, 0.9])).tolist()
    assert worst == pytest.approx([-3 / 7, -1, -9])
    assert all(corrected.low <= value <= corrected.high for value in worst)
    assert chance_corrected(1.0, np.array([0.3])) == corrected.high == 1


def test_undefined_is_nan() -> None:
    scores = np.arange(6.0)[None]
    none, all_ = np.zeros((1, 6), bool), np.ones((1, 6), bool)
    assert np.isnan(roc_auc(scores, none)[0]) and np.isnan(roc_auc(scores, all_)[0])
    assert np.isnan(average_precision(scores, none)[0])
    assert average_precision(scores, all_)[0] == 1
    assert np.isnan(discrimination_auc(scores, ~none, none)[0])


def test_constants_score_chance() -> None:
    truth = np.array([[True, False, False, True, False]])
    constant = np.full((1, 5), 0.3)
    assert roc_auc(constant, truth)[0] == 0.5
    assert average_precision(constant, truth)[0] == pytest.approx(0.4)
    assert pointing_hit(constant, truth)[0] == active_share(truth)[0] == 0.4


def test_pointing_game_ties_are_the_expected_hit() -> None:
    truth = np.array([[True, False, False, True]] * 3)
    scores = np.array([[1.0, 9, 0, 2], [9, 9, 0, 9], [0, 1, 2, 3]])
    assert pointing_hit(scores, truth).tolist() == [0, pytest.approx(2 / 3), 1]


def test_chance_correction() -> None:
    assert chance_corrected([0.8, 0.3, 1.0, 0.1], [0.6, 0.3, 0.2, 0.5]).tolist() == pytest.approx(
        [0.5, 0, 1, -0.8]
    )
    assert np.isnan(chance_corrected(1.0, 1.0))


def test_discrimination_ignores_silence() -> None:
    truth = np.array([[True, True, False, False, False, False]])
    others = np.array([[False, True, True, True, False, False]])
    # Loud wherever anything sounds: no better than chance, however low silence is.
    energy = np.array([[5.0, 5, 5, 5, 0, 0]])
    assert discrimination_auc(energy, truth, others)[0] == 0.5
    finder = np.array([[3.0, 2, 1, 1, 9, 9]])
    assert discrimination_auc(finder, truth, others)[0] == 1
    mixed = np.array([[3.0, 1, 2, 0, 9, 9]])
    assert discrimination_auc(mixed, truth, others)[0] == 0.75


def test_catalogue_is_complete() -> None:
    names = [info.name for info in METRICS]
    assert " ".join(names) == "iou f1 f1_pooled pg pg_corrected auc ap discrimination"
    assert all(info.reference and info.summary and info.low < info.high for info in METRICS)
