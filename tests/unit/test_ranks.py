"""Ranks of many methods: adjusted together, against definitions and simulations."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sedbench.comparison import paired
from sedbench.ranks import adjusted, ranks, told_apart

METHODS = st.integers(1, 7).flatmap(
    lambda n: st.tuples(
        hnp.arrays(float, n, elements=st.floats(0, 1).map(lambda v: round(v, 2))),
        hnp.arrays(float, n, elements=st.sampled_from([0.001, 0.05, 0.3])),
        st.integers(0, 99),
    )
)


@settings(max_examples=60, deadline=None)
@given(METHODS)
def test_ranks_follow_the_values_and_part_what_is_told_apart(
    drawn: tuple[np.ndarray, np.ndarray, int],
) -> None:
    values, widths, seed = drawn
    noise = np.random.default_rng(seed).normal(size=(len(values), 399))
    scatter = values[:, None] + widths[:, None] * noise
    found = [rank for rank in ranks(values, scatter) if rank is not None]
    assert len(found) == len(values)
    assert min(found) == 1 and max(found) <= len(values)
    p = adjusted(values, scatter)
    for i, j in combinations(range(len(values)), 2):
        if values[i] != values[j]:
            assert (found[i] <= found[j]) == (values[i] > values[j]) or found[i] == found[j]
        if p[i, j] <= 0.05:
            assert (found[i] < found[j]) == (values[i] > values[j])


def test_ranks_of_a_table_that_can_be_worked_out() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (4, 999))
    values = np.array([0.5, 0.9, 0.91, math.nan])
    assert ranks(values, values[:, None] + noise) == [3, 1, 1, None]
    # B may be anything: A and C are told apart all the same, so C comes second even beside B.
    values = np.array([0.9, 0.8, 0.7])
    noise = np.random.default_rng(0).normal(size=(3, 999)) * np.array([[0.01], [0.2], [0.01]])
    assert ranks(values, values[:, None] + noise) == [1, 1, 2]


def test_identical_rows_share_a_rank_and_count_once() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (4, 999))
    values = np.array([0.9, 0.9, 0.5, 0.2])
    scatter = values[:, None] + noise
    scatter[1] = scatter[0]
    assert ranks(values, scatter) == [1, 1, 3, 4]
    assert ranks(values, scatter, [0, 0, 2, 3]) == [1, 1, 2, 3]
    # Identical but for rounding, with another row in between: still one row.
    values[1], scatter[1] = 0.1, scatter[1] - 0.8
    assert ranks(values, scatter, [0, 0, 2, 3]) == [1, 1, 2, 3]


def test_two_methods_are_compared_as_a_pair() -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, (2, 499))
    values = np.array([0.6, 0.45])
    scatter = values[:, None] + noise
    p = adjusted(values, scatter)
    assert p[0, 1] == p[1, 0] == pytest.approx(paired(*values, *scatter).p)
    assert p[0, 0] == 1


@settings(max_examples=40, deadline=None)
@given(METHODS)
def test_adjusted_p_are_those_of_the_definition(drawn: tuple[np.ndarray, np.ndarray, int]) -> None:
    values, widths, seed = drawn
    noise = np.random.default_rng(seed).normal(size=(len(values), 199))
    scatter = values[:, None] + widths[:, None] * noise
    pairs = list(combinations(range(len(values)), 2))
    found = adjusted(values, scatter)
    d = np.array([values[i] - values[j] for i, j in pairs])
    off = np.array([scatter[i] - scatter[j] for i, j in pairs]).reshape(-1, 199) - d[:, None]
    s = off.std(axis=1, ddof=1)
    t, drawn_t = np.abs(d) / s, np.abs(off) / s[:, None]
    for k, (i, j) in enumerate(pairs):
        steps = [
            (1 + (drawn_t[t <= t[other]].max(0) >= t[other] - 1e-12).sum()) / 200
            for other in range(len(pairs))
            if t[other] >= t[k]
        ]
        assert found[i, j] == pytest.approx(max(steps))
        single = paired(values[i], values[j], scatter[i], scatter[j]).p
        assert found[i, j] >= single - 1e-12  # never less careful than one test alone


def test_forty_methods_that_differ_are_told_apart() -> None:
    values = np.linspace(0.2, 0.9, 40)
    noise = np.random.default_rng(0).normal(0, 0.05, 2000)
    own = np.random.default_rng(1).normal(0, 0.01, (40, 2000))
    apart = told_apart(values, values[:, None] + noise + own)
    assert apart[0, -1] and apart[10, 20] and not apart[10, 11]


def test_methods_that_are_alike_are_rarely_told_apart() -> None:
    # The probability of any false claim within a table is held, whatever the number of rows.
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(100):
        clips = rng.normal(0.5, 0.2, (12, 60)) + rng.normal(0, 0.2, 60)
        draws = rng.multinomial(60, np.full(60, 1 / 60), 300) / 60
        wrong += int(told_apart(clips.mean(1), clips @ draws.T).any())
    assert wrong <= 12


def test_undefined_replicates_decide_nothing() -> None:
    scatter = np.full((2, 99), math.nan)
    assert not told_apart([0.9, 0.1], scatter).any()
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 99))
    noise[0, :30] = math.nan
    assert told_apart([0.9, 0.1], np.array([[0.9], [0.1]]) + noise).any()
