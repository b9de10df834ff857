"""Threshold policies against their definitions, and the oracle against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sedbench.errors import UnknownNameError
from sedbench.metrics import iou
from sedbench.protocol.frames import quantise
from sedbench.protocol.thresholds import (
    FRACTIONS,
    PERCENTILES,
    POLICIES,
    SortedScores,
    absolute_candidates,
    counts,
    masks,
    oracle,
)

FRAMES = 12
TIED = arrays(np.float64, (3, FRAMES), elements=st.integers(-2, 4).map(float))
TRUTH = arrays(np.bool_, (3, FRAMES))


def test_percentile_equals_numpy_percentile() -> None:
    rng = np.random.default_rng(0)
    for frames in (1, 7, 64, 100):
        scores = quantise(
            np.concatenate([rng.normal(size=(5, frames)), rng.integers(0, 4, (5, frames))])
        )
        wide = scores.astype(float)
        levels = np.percentile(wide, PERCENTILES, axis=1).T
        expected = wide[:, None, :] > levels[:, :, None]
        assert np.array_equal(masks(scores, "percentile", PERCENTILES), expected)


@given(TIED, TRUTH, st.sampled_from(POLICIES))
def test_counts_equal_the_masks(scores: np.ndarray, truth: np.ndarray, policy: str) -> None:
    candidates = absolute_candidates(scores) if policy == "absolute" else FRACTIONS
    if policy == "percentile":
        candidates = PERCENTILES
    mask, true = masks(scores, policy, candidates), truth[:, None, :]
    found = counts(scores, truth, policy, candidates)
    assert np.array_equal(found.tp, (mask & true).sum(-1))
    assert np.array_equal(found.fp, (mask & ~true).sum(-1))
    assert np.array_equal(found.fn, (~mask & true).sum(-1))


def test_a_percentile_on_an_order_statistic_is_exact() -> None:
    # numpy.percentile computes 0.29 * 100 as 28.999...: the 29th percentile of 0 to 100 is 29.
    scores = np.arange(101.0)[None]
    assert masks(scores, "percentile", PERCENTILES)[0].sum(1).tolist() == list(range(99, 0, -1))


def test_relative_is_a_fraction_of_the_maximum() -> None:
    scores = np.array([[0.0, 2.0, 5.0, 10.0]])
    assert masks(scores, "relative", [0.19, 0.2, 0.5, 0.99])[0].tolist() == [
        [False, True, True, True],
        [False, False, True, True],
        [False, False, False, True],
        [False, False, False, True],
    ]


def test_relative_is_off_where_the_maximum_is_not_positive() -> None:
    scores = np.array([[-3.0, -1.0, -2.0], [0.0, -1.0, 0.0]])
    assert not masks(scores, "relative", FRACTIONS).any()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("level", [0.0, 0.7, -0.7])
def test_a_constant_score_is_always_off(policy: str, level: float) -> None:
    scores = np.full((4, FRAMES), level)
    candidates = absolute_candidates(scores) if policy == "absolute" else [1, 50, 99]
    if policy == "relative":
        candidates = FRACTIONS
    assert not masks(scores, policy, candidates).any()


def test_absolute_levels_are_shared_and_strict() -> None:
    scores = np.array([[1.0, 2.0], [2.0, 3.0]])
    assert masks(scores, "absolute", [2.0])[:, 0].tolist() == [[False, False], [False, True]]


def test_absolute_candidates_are_observed_percentiles() -> None:
    pooled = np.random.default_rng(1).permutation(101).reshape(1, -1)
    assert absolute_candidates(pooled).tolist() == list(range(1, 100))


@given(TIED, TRUTH)
def test_oracle_equals_brute_force(scores: np.ndarray, truth: np.ndarray) -> None:
    found = oracle(scores, truth)
    best = iou(found.tp, found.fp, found.fn)
    for row, true, value in zip(scores, truth, best, strict=True):
        levels = [-np.inf, *np.unique(row)]
        tried = []
        for level in levels:
            mask = row > level
            union = (mask | true).sum()
            tried.append((mask & true).sum() / union if union else 1.0)
        assert value == pytest.approx(max(tried), abs=1e-15)


@given(TIED, TRUTH)
def test_oracle_bounds_every_policy(scores: np.ndarray, truth: np.ndarray) -> None:
    top = oracle(scores, truth)
    bound = iou(top.tp, top.fp, top.fn)
    for policy, candidates in (
        ("percentile", PERCENTILES),
        ("relative", FRACTIONS),
        ("absolute", np.arange(-3.0, 5.0, 0.5)),
    ):
        found = counts(scores, truth, policy, candidates)
        assert np.all(iou(found.tp, found.fp, found.fn) <= bound[:, None] + 1e-15)


def test_oracle_takes_the_fewest_frames_among_equals() -> None:
    # No frame is true: nothing beats staying silent, and silence of silence is perfect.
    found = oracle(np.array([[1.0, 2.0]]), np.zeros((1, 2), bool))
    assert (found.tp[0], found.fp[0], found.fn[0]) == (0, 0, 0)


def test_unknown_policy() -> None:
    with pytest.raises(UnknownNameError):
        SortedScores(np.zeros((1, 3))).levels("relativ", [0.5])
