"""Paired differences, their tests, ties and ranks, against what can be worked out or simulated."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sedbench.comparison import (
    Difference,
    detectable,
    holm,
    paired,
    spread,
    twins,
    verdict,
)
from sedbench.stats import Resampling, weighted_mean

P = st.floats(0.0, 1.0).map(lambda p: round(p, 6))


def told(value: float, p: float = 0.01) -> Difference:
    return Difference(value, value - 0.1, value + 0.1, p, 0.05, 0.14)


def test_a_difference_is_the_other_minus_the_first() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.5, 0.02, 999), rng.normal(0.6, 0.02, 999)
    found = paired(0.5, 0.6, a, b)
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx(np.percentile(b - a, [2.5, 97.5]))
    assert found.sd == pytest.approx((b - a).std(ddof=1))
    back = paired(0.6, 0.5, b, a)
    assert (back.value, back.p, back.sd) == pytest.approx((-found.value, found.p, found.sd))
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_the_p_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.5, 0.1, (2, 500))
    value, far = 0.62 - 0.5, 0
    for i in range(500):
        far += abs((b[i] - a[i]) - value) >= abs(value)
    assert 0 < far < 500
    assert paired(0.5, 0.62, a, b).p == (far + 1) / 501


def test_the_smallest_p_is_one_in_b_plus_one_and_no_difference_has_p_one() -> None:
    steady = np.full(199, 0.5)
    wobble = steady + np.linspace(-0.01, 0.01, 199)
    assert paired(0.1, 0.5, steady - 0.4, wobble).p == 1 / 200
    alike = paired(0.5, 0.5, wobble, wobble)
    assert (alike.value, alike.low, alike.high, alike.p, alike.sd) == (0, 0, 0, 1, 0)
    assert paired(0.5, 0.5, steady, wobble).p == 1


def test_what_is_common_to_two_methods_cancels() -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(0, 0.1, 2000)
    own = rng.normal(0, 0.005, 2000)
    together = paired(0.5, 0.55, 0.5 + common, 0.55 + common + own)
    apart = paired(0.5, 0.55, 0.5 + common, 0.55 + rng.permutation(common) + own)
    assert together.p < 0.01 < apart.p
    assert together.detectable < apart.detectable / 10


def test_undefined_replicates_are_left_out_and_an_undefined_value_stays_so() -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 300))
    holes = a.copy()
    holes[::3] = np.nan
    kept = np.isfinite(holes)
    assert paired(0.0, 0.1, holes, b) == paired(0.0, 0.1, a[kept], b[kept])
    assert math.isnan(paired(math.nan, 0.1, a, b).p)
    assert math.isnan(paired(0.0, 0.1, np.full(300, np.nan), b).p)


def test_detectable_is_the_textbook_multiple() -> None:
    assert detectable(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-6)
    assert detectable(0.5, alpha=0.01, power=0.9) == pytest.approx((2.575829 + 1.281552) / 2, 1e-6)
    assert detectable(0.0) == 0


def simulated(trials: int, shift: float = 0.0) -> list[Difference]:
    """Two methods whose true difference is ``shift``, on clips that share source groups."""
    rng = np.random.default_rng(7)
    clips, groups = np.divmod(np.arange(120), 3)
    names = [(f"g{(g + 5 * c) % 24}",) for c, g in zip(clips, groups, strict=True)]
    found = []
    for trial in range(trials):
        hard = rng.normal(0, 0.2, 40)[clips]
        each = [hard + rng.normal(0, 0.08, 40)[clips] + rng.normal(0, 0.05, 120) for _ in range(2)]
        each[1] += shift
        weights = Resampling(clips, names, n_clips=40, seed=trial).weights(0, 400)
        drawn = weighted_mean(np.stack(each, 1), weights)
        found.append(paired(each[0].mean(), each[1].mean(), drawn[:, 0], drawn[:, 1]))
    return found


def test_intervals_cover_no_difference_where_there_is_none() -> None:
    found = simulated(300)
    covered = np.mean([d.low <= 0 <= d.high for d in found])
    rejected = np.mean([d.p <= 0.05 for d in found])
    # The crossed bootstrap errs on the wide side, so a little above 95 % is as expected.
    assert 0.92 <= covered <= 0.995
    assert 0.002 <= rejected <= 0.08


def test_a_detectable_difference_is_found_about_four_times_in_five() -> None:
    shift = float(np.mean([d.detectable for d in simulated(100)]))
    found = simulated(200, shift)
    assert 0.72 <= np.mean([d.p <= 0.05 for d in found]) <= 0.95
    assert np.mean([d.value for d in found]) == pytest.approx(shift, rel=0.1)


def closed(p: list[float]) -> list[float]:
    """Holm by its meaning: a closed test with Bonferroni's in every intersection."""
    sets = [s for size in range(1, len(p) + 1) for s in combinations(range(len(p)), size)]
    return [
        min(1.0, max(len(s) * min(p[j] for j in s) for s in sets if i in s)) for i in range(len(p))
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(P, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    assert holm(p).tolist() == pytest.approx(closed(p))


def test_holm_by_hand() -> None:
    # The worked example of many textbooks: 4 x .005, then 3 x .01, 2 x .03 and 1 x .04.
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).tolist() == []


@given(st.lists(P, min_size=1, max_size=8), st.integers(0, 7))
def test_a_hypothesis_that_stands_twice_counts_once(p: list[float], again: int) -> None:
    again %= len(p)
    twice = holm([*p, p[again]], [*range(len(p)), again])
    assert twice[:-1].tolist() == holm(p).tolist()
    assert twice[-1] == twice[again]


def test_no_test_counts_for_nothing() -> None:
    found = holm([0.02, math.nan, 0.01])
    assert found[0] == 0.02 and math.isnan(found[1]) and found[2] == 0.02


def test_twins_are_found_through_either_reason() -> None:
    assert twins(["", "sum", "sum", ""], ["a", "b", "c", "c"]) == [0, 1, 1, 1]
    assert twins(["", "", ""]) == [0, 1, 2]
    assert twins(["x", "y", "", "x"], ["1", "2", "2", "3"]) == [0, 1, 1, 0]
    assert twins(["x", "y", "x", "y"], ["1", "2", "2", "3"]) == [0, 0, 0, 0]
    assert twins() == []


def test_verdicts() -> None:
    assert verdict(told(0.2), 0.05) == "better"
    assert verdict(told(-0.2), 0.01) == "worse"
    assert verdict(told(0.2), 0.051) == "undecided"
    assert verdict(told(0.0), 0.001, identical=True) == "identical"
    assert verdict(told(math.nan), math.nan) == "undefined"


def test_spread_over_seeds() -> None:
    found = spread([0.5, 0.7, 0.6])
    assert (found.mean, found.low, found.high, found.sd) == pytest.approx((0.6, 0.5, 0.7, 0.1))
    assert found.seeds == 3
    assert math.isnan(spread([0.5]).sd) and math.isnan(spread([0.5, math.nan]).mean)
