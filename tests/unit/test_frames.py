"""The common grid: exact overlaps, masks by half coverage, quantising."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sedbench.errors import SedbenchError, UnknownNameError
from sedbench.protocol.frames import quantise, resample, resample_mask
from sedbench.protocol.smoothing import SMOOTHINGS, smooth
from sedbench.types import FrameGrid, FrameScores

GRID = FrameGrid(1.0, 0.25)


def test_matching_edges_are_the_identity() -> None:
    grid = FrameGrid(10.0)
    values = np.random.default_rng(0).normal(size=(3, 100))
    assert np.array_equal(resample(FrameScores(values, grid.edges), grid), values)


def test_overlap_weighted_mean_by_hand() -> None:
    # Cells [0, .1), [.1, .6), [.6, 1): frame 0 holds .1 of 10 and .15 of 20, frame 2 .1 of 20 ...
    scores = FrameScores(np.array([[10.0, 20.0, 40.0]]), np.array([0.0, 0.1, 0.6, 1.0]))
    expected = [(0.1 * 10 + 0.15 * 20) / 0.25, 20.0, (0.1 * 20 + 0.15 * 40) / 0.25, 40.0]
    assert resample(scores, GRID)[0] == pytest.approx(expected)


def test_nearest_value_holds_outside_the_edges() -> None:
    scores = FrameScores(np.array([[1.0, 3.0]]), np.array([0.3, 0.5, 0.7]))
    assert resample(scores, GRID)[0] == pytest.approx([1, 1, 3, 3])
    late = FrameScores(np.array([[7.0]]), np.array([5.0, 6.0]))
    assert np.array_equal(resample(late, GRID), [[7, 7, 7, 7]])


def test_edges_beyond_the_clip_are_cut() -> None:
    scores = FrameScores(np.array([[1.0, 2.0, 9.0]]), np.array([-1.0, 0.5, 1.0, 2.0]))
    assert np.array_equal(resample(scores, GRID), [[1, 1, 2, 2]])


@given(st.integers(0, 2**32 - 1))
def test_resampling_keeps_the_integral_and_constants(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = np.concatenate([[0.0], np.sort(rng.uniform(0.01, 9.99, rng.integers(0, 40))), [10.0]])
    edges = np.unique(edges)
    grid = FrameGrid(10.0, float(rng.choice([0.1, 0.32, 0.7])))
    values = rng.normal(size=(2, len(edges) - 1))
    out = resample(FrameScores(values, edges), grid)
    assert out @ np.diff(grid.edges) == pytest.approx(values @ np.diff(edges), abs=1e-9)
    constant = np.full_like(values, values[0, 0])
    assert np.ptp(resample(FrameScores(constant, edges), grid)) == 0


def test_scores_that_are_not_finite_are_refused() -> None:
    scores = FrameScores(np.array([[1.0, np.nan]]), np.array([0.0, 0.5, 1.0]))
    with pytest.raises(SedbenchError, match=r"\(0, 1\)"):
        resample(scores, GRID)


def test_masks_are_active_from_half_a_frame_on() -> None:
    edges = np.array([0.0, 0.125, 0.25, 0.37, 0.5, 0.9, 1.0])
    mask = np.array([[True, False, True, False, True, False]])
    # Frame 0 is covered by .125 of .25 (half: active), frame 1 by .12 (less), 2 all, 3 by .15.
    assert resample_mask(mask, edges, GRID).tolist() == [[True, False, True, True]]


def test_half_coverage_does_not_hang_on_decimal_edges() -> None:
    grid = FrameGrid(10.0)
    fine = np.arange(201) * 0.05
    mask = np.tile([True, False], 100)[None]
    assert resample_mask(mask, fine, grid).all()


@given(arrays(np.float64, 20, elements=st.floats(-1e30, 1e30)))
def test_quantise_bound_idempotence_and_order(values: np.ndarray) -> None:
    once = quantise(values)
    assert once.dtype == np.float32
    assert np.array_equal(quantise(once), once)
    assert np.all(np.abs(once - values) <= 2.0**-11 * np.abs(values) + 2.0**-149)
    assert np.all(np.diff(once[np.argsort(values)]) >= 0)
    assert not np.any(once.view(np.uint32)[np.abs(once) >= 2.0**-126] & 0x1FFF)


def test_quantise_exact_vectors() -> None:
    assert quantise([1 + 2.0**-10, 1 + 2.0**-11, 1 + 3 * 2.0**-11, -0.0]).tolist() == [
        1 + 2.0**-10,
        1.0,
        1 + 2.0**-9,
        0.0,
    ]
    assert not np.signbit(quantise([-0.0]))[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39, 3.4028234e38])
def test_quantise_refuses_what_cannot_be_stored(bad: float) -> None:
    with pytest.raises(SedbenchError):
        quantise([[0.0, bad]])


def test_smoothing_by_hand() -> None:
    row = np.array([[0.0, 3.0, 0.0, 0.0, 9.0]])
    assert smooth(row, "mean-3")[0].tolist() == [1, 1, 1, 3, 6]
    assert smooth(row, "median-3")[0].tolist() == [0, 0, 0, 0, 9]
    assert np.array_equal(smooth(row, "none"), row)


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_smoothing_keeps_constants_and_shape(name: str) -> None:
    rows = np.repeat(quantise([[0.1], [-7.3]]), 6, axis=1)
    assert np.array_equal(smooth(rows, name), rows)


def test_median_equals_a_loop() -> None:
    rows = np.random.default_rng(1).normal(size=(2, 30))
    padded = np.pad(rows, ((0, 0), (4, 4)), mode="symmetric")
    expected = [[np.median(p[i : i + 9]) for i in range(30)] for p in padded]
    assert np.array_equal(smooth(rows, "median-9"), expected)


def test_unknown_smoothing() -> None:
    with pytest.raises(UnknownNameError) as caught:
        smooth(np.zeros((1, 5)), "mean-4")
    assert "mean-3" in caught.value.hint
