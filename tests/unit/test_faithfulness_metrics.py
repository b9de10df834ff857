"""Orders, masks and figures of faithfulness, where the answer is known without a network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sedbench.errors import UsageError
from sedbench.metrics.faithfulness import (
    comprehensiveness,
    curve_area,
    deletion,
    frame_counts,
    frame_order,
    insertion,
    scatter_of_mean,
    shown_frames,
    sufficiency,
)

SHARES = np.array([0.25, 0.5, 0.75])
SCORES = arrays(np.float64, (3, 12), elements=st.integers(-4, 4).map(float))
CURVES = arrays(np.float64, (4, 3), elements=st.floats(0, 1))
ENDS = arrays(np.float64, 4, elements=st.floats(0, 1))


def test_shares_become_whole_frames():
    assert frame_counts((0.15, 0.5, 0.95), 10).tolist() == [2, 5, 9]  # halves up, one is left
    assert frame_counts((0.001,), 100).tolist() == [1]
    assert frame_counts((0.29, 0.57, 0.58), 100).tolist() == [29, 57, 58]  # whatever the binary


@pytest.mark.parametrize("shares", [(), (0.0,), (1.0,), (0.5, 0.3), (float("nan"),), (0.5, 0.5)])
def test_what_is_no_share_is_refused(shares):
    with pytest.raises(UsageError):
        frame_counts(shares, 100)


def test_shares_that_are_one_number_of_frames_are_refused():
    with pytest.raises(UsageError, match="not all different"):
        frame_counts((0.1, 0.11), 10)


def test_ties_go_by_the_order_that_is_given():
    order = frame_order(np.array([[1.0, 5.0, 1.0, 5.0]]), np.array([3, 2, 1, 0]))
    assert order.tolist() == [[3, 1, 2, 0]]
    constant = frame_order(np.zeros((1, 4)), np.array([2, 0, 3, 1]))
    assert constant.tolist() == [[1, 3, 0, 2]]


@settings(deadline=None)
@given(SCORES, st.permutations(range(12)))
def test_an_order_goes_down_and_names_every_frame_once(scores, ties):
    order = frame_order(scores, np.array(ties))
    assert (np.sort(order, axis=1) == np.arange(12)).all()
    down = np.take_along_axis(scores, order, 1)
    assert (np.diff(down, axis=1) <= 0).all()
    # Any growing function of the scores gives the same order.
    assert (frame_order(np.exp(scores), np.array(ties)) == order).all()


@settings(deadline=None)
@given(SCORES)
def test_masks_are_complements_and_hold_the_top_frames(scores):
    counts = frame_counts(SHARES, 12)
    order = frame_order(scores, np.arange(12))
    masked, shown = np.moveaxis(shown_frames(order, counts), 1, 0)
    assert (masked == ~shown).all()
    assert (shown.sum(-1) == counts).all()
    for pair in range(3):
        for row, count in enumerate(counts):
            assert set(np.flatnonzero(shown[pair, row])) == set(order[pair, :count])


def test_a_straight_line_has_half_its_height():
    line = 1 - SHARES
    np.testing.assert_allclose(curve_area(line, SHARES, np.array(1.0), np.array(0.0)), 0.5)
    # Uneven shares are weighed by their widths: a step at .9 is not at .5.
    uneven = np.array([0.1, 0.9])
    area = curve_area(np.array([1.0, 1.0]), uneven, np.array(1.0), np.array(0.0))
    np.testing.assert_allclose(area, 0.95)


def test_the_ends_of_deletion_and_insertion_are_exchanged():
    flat = np.full(3, 0.5)
    up = insertion(flat, SHARES, np.array(1.0), np.array(0.0))
    down = deletion(flat, SHARES, np.array(1.0), np.array(0.0))
    np.testing.assert_allclose([up, down], 0.5)
    tilted = np.array([0.9, 0.5, 0.5])
    assert deletion(tilted, SHARES, np.array(1.0), np.array(0.0)) == pytest.approx(
        (1.9 / 2 + 1.4 / 2 + 0.5 + 0.25) / 4
    )
    assert insertion(tilted, SHARES, np.array(1.0), np.array(0.0)) == pytest.approx(
        (0.9 / 2 + 1.4 / 2 + 0.5 + 1.5 / 2) / 4
    )


@settings(deadline=None)
@given(CURVES, ENDS, ENDS)
def test_figures_stay_in_the_range_that_is_registered(curve, whole, empty):
    from sedbench.metrics import STANDALONE_METRICS

    info = {each.name: each for each in STANDALONE_METRICS}
    values = {
        "insertion": insertion(curve, SHARES, whole, empty),
        "deletion": deletion(curve, SHARES, whole, empty),
        "comprehensiveness": comprehensiveness(curve, whole),
        "sufficiency": sufficiency(curve, whole),
    }
    for name, found in values.items():
        assert (found >= info[name].low - 1e-9).all() and (found <= info[name].high + 1e-9).all()


@settings(deadline=None)
@given(CURVES, CURVES, ENDS, ENDS)
def test_over_even_shares_deletion_and_comprehensiveness_say_the_same(one, two, whole, empty):
    area = deletion(one, SHARES, whole, empty) - deletion(two, SHARES, whole, empty)
    loss = comprehensiveness(one, whole) - comprehensiveness(two, whole)
    np.testing.assert_allclose(area, -0.75 * loss, atol=1e-12)


def additive(energy: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """A model that adds up the energy of what it hears."""
    return (shown * energy).sum(-1)


def test_of_an_additive_model_every_point_is_known():
    energy = np.array([4.0, 1.0, 3.0, 2.0])
    order = frame_order(energy[None], np.arange(4))
    counts = frame_counts(SHARES, 4)
    answers = additive(energy, shown_frames(order, counts))[0]
    np.testing.assert_allclose(answers, [[6, 3, 1], [4, 7, 9]])
    np.testing.assert_allclose(comprehensiveness(answers[0], np.array(10.0)), (4 + 7 + 9) / 3)
    np.testing.assert_allclose(sufficiency(answers[1], np.array(10.0)), (6 + 3 + 1) / 3)


@settings(deadline=None)
@given(
    arrays(np.float64, 12, elements=st.floats(0, 10)),
    arrays(np.float64, (1, 12), elements=st.floats(-5, 5)),
)
def test_of_an_additive_model_no_order_beats_the_energy_itself(energy, scores):
    counts = frame_counts(SHARES, 12)
    whole, empty = np.array([energy.sum()]), np.zeros(1)
    best, other = (
        additive(energy, shown_frames(frame_order(each, np.arange(12)), counts))
        for each in (energy[None], scores)
    )
    for found in (best, other):
        assert np.isfinite(found).all()
    assert (
        insertion(best[:, 1], SHARES, whole, empty)
        >= insertion(other[:, 1], SHARES, whole, empty) - 1e-9
    )
    assert (
        deletion(best[:, 0], SHARES, whole, empty)
        <= deletion(other[:, 0], SHARES, whole, empty) + 1e-9
    )


def test_the_scatter_of_a_mean_counts_pairs_of_a_clip_together():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(50, 400))
    apart = scatter_of_mean(draws, np.arange(50))
    assert apart == pytest.approx(1 / np.sqrt(50), rel=0.1)
    assert apart == pytest.approx(draws.mean(0).std(ddof=1), rel=0.15)
    twice = np.repeat(draws, 2, axis=0)  # two pairs a clip, which say the same
    assert scatter_of_mean(twice, np.repeat(np.arange(50), 2)) == pytest.approx(apart)
    assert np.isnan(scatter_of_mean(draws[:, :1], np.arange(50)))
