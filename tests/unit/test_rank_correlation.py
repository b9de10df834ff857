"""Spearman's rank correlation: scipy's values, and what must not change them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata, spearmanr

from sedbench.metrics.rank_correlation import average_ranks, rank_correlation

# Few levels give many ties, real numbers hardly any.
ROWS = st.one_of(
    arrays(np.float64, (4, 9), elements=st.integers(-2, 2).map(float)),
    arrays(np.float64, (4, 9), elements=st.floats(-1e6, 1e6)),
)


@settings(deadline=None)
@given(ROWS)
def test_ranks_are_scipy_s(rows):
    np.testing.assert_array_equal(average_ranks(rows), rankdata(rows, axis=1))


@settings(deadline=None)
@given(ROWS, ROWS)
def test_correlations_are_scipy_s(one, two):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constant rows
        wanted = [spearmanr(a, b).statistic for a, b in zip(one, two, strict=True)]
    np.testing.assert_allclose(rank_correlation(one, two), wanted, atol=1e-12)


def test_a_constant_row_has_none():
    found = rank_correlation(np.array([[1.0, 1, 1], [1, 2, 3]]), np.array([[1.0, 2, 3], [5, 5, 5]]))
    assert np.isnan(found).all()


@settings(deadline=None)
@given(arrays(np.float64, (4, 9), elements=st.integers(-4, 4).map(float)))
def test_any_growing_function_leaves_it(rows):
    other = np.arange(36.0).reshape(4, 9) % 7
    grown = np.sign(rows) * (np.abs(rows) * 4 + 1)
    np.testing.assert_array_equal(rank_correlation(rows, other), rank_correlation(grown, other))


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_itself_and_its_mirror(scale):
    rows = np.random.default_rng(0).normal(size=(5, 30))
    np.testing.assert_allclose(rank_correlation(scale * rows, rows), scale)


def test_it_is_taken_over_the_last_axis_of_any_shape():
    rows = np.random.default_rng(1).normal(size=(2, 3, 20))
    found = rank_correlation(rows, rows[::-1])
    assert found.shape == (2, 3)
    assert found[1, 2] == rank_correlation(rows[1, 2], rows[0, 2])
