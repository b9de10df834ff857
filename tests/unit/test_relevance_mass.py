"""Relevance mass and rank accuracy: by hand, in expectation, and against a draw of the ties."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sedbench.metrics import active_share, relevance_mass, relevance_rank

TRUTH = np.array([[True, True, False, False, False]])


def test_by_hand() -> None:
    scores = np.array([[3.0, 1.0, 2.0, 0.0, 2.0]])
    assert relevance_mass(scores, TRUTH)[0] == 0.5
    # The second place is shared by two inactive frames.
    assert relevance_rank(scores, TRUTH)[0] == 0.5
    # Shared by one active and one inactive frame: half of a second hit.
    assert relevance_rank(np.array([[3.0, 2, 2, 0, 0]]), TRUTH)[0] == 0.75


def test_negative_scores_have_no_mass() -> None:
    scores = np.array([[3.0, -5.0, 1.0, -1.0, 0.0]])
    assert relevance_mass(scores, TRUTH)[0] == 0.75
    assert np.isnan(relevance_mass(-np.abs(scores), TRUTH)[0])
    assert np.isnan(relevance_mass(np.zeros((1, 5)), TRUTH)[0])


def test_undefined_without_an_active_frame() -> None:
    none = np.zeros((1, 5), bool)
    assert np.isnan(relevance_mass(np.ones((1, 5)), none)[0])
    assert np.isnan(relevance_rank(np.ones((1, 5)), none)[0])


def test_a_constant_has_the_share_of_active_frames() -> None:
    constant = np.full((1, 5), 0.3)
    assert relevance_mass(constant, TRUTH)[0] == active_share(TRUTH)[0]
    assert relevance_rank(constant, TRUTH)[0] == active_share(TRUTH)[0]


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_scale_does_not_matter(factor: float) -> None:
    scores = np.array([[3.0, 1.0, 2.0, 0.0, 2.0]])
    assert relevance_mass(scores * factor, TRUTH)[0] == pytest.approx(0.5)


@settings(max_examples=40, deadline=None)
@given(arrays(np.int8, 5, elements=st.integers(0, 2)), arrays(np.bool_, 5))
def test_ties_are_the_mean_over_every_order(scores: np.ndarray, truth: np.ndarray) -> None:
    number = int(truth.sum())
    if not number:
        return
    hits = []
    for order in permutations(range(5)):
        ranked = sorted(order, key=lambda i: -scores[i])  # stable: each order of the ties once
        hits.append(truth[ranked[:number]].mean())
    found = relevance_rank(scores[None].astype(float), truth[None])[0]
    assert found == pytest.approx(np.mean(hits))


def test_rows_do_not_see_each_other() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 4, (30, 9)).astype(float), rng.random((30, 9)) < 0.4
    for metric in (relevance_mass, relevance_rank):
        alone = [metric(s[None], t[None])[0] for s, t in zip(scores, truth, strict=True)]
        assert np.array_equal(metric(scores, truth), alone, equal_nan=True)
