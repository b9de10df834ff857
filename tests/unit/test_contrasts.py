"""Several methods against the first in several measures: what can be worked out, and symmetries."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sedbench.comparison import holm, paired
from sedbench.metrics.faithfulness import comprehensiveness, deletion, insertion, sufficiency
from sedbench.protocol.contrasts import against_first
from sedbench.protocol.faithfulness import MEASURES, Answered, read
from sedbench.protocol.means import means
from sedbench.report.contrasts import contrast_table
from sedbench.stats import Resampling

EVEN, UNEVEN = (0.2, 0.4, 0.6, 0.8), (0.1, 0.2, 0.5, 0.8)
BETTER = {"insertion": 1, "deletion": -1, "comprehensiveness": 1, "sufficiency": -1}
MIRROR = {"better": "worse", "worse": "better"}


def answers(methods, shares=EVEN, pairs=30, clips=None, seed=0) -> Answered:
    """Answers (methods, pairs, 2, shares) of methods, and random orders beside them."""
    rng = np.random.default_rng(seed)
    curves = np.asarray(methods, np.float64)[:, None]
    return Answered(
        tuple(f"m{i}" for i in range(len(curves))),
        ("silence",),
        np.array(shares),
        np.arange(pairs) if clips is None else np.asarray(clips),
        rng.normal(1, 0.1, pairs),
        rng.normal(0, 0.1, (1, pairs)),
        curves,
        rng.normal(0.5, 0.1, (3, 1, pairs, 2, len(shares))),
    )


def curves(methods=3, shares=EVEN, pairs=30, seed=1):
    return np.random.default_rng(seed).normal(0.5, 0.2, (methods, pairs, 2, len(shares)))


def resampling(answered: Answered) -> Resampling:
    pairs = len(answered.whole)
    groups = [(f"g{i % 7}",) for i in range(pairs)]
    return Resampling(answered.clip, groups, int(answered.clip.max()) + 1)


def told(answered: Answered, resamples=99, same=None):
    return read(answered, 0, "logit", resampling(answered), resamples, same=same).against


def test_the_same_answers_tie_with_p_one():
    one = curves(1)[0]
    first, other = told(answers([one, one]))
    assert first == {}
    for measure in MEASURES:
        found = other[measure]
        assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)
        assert (found.difference.p, found.adjusted_p, found.verdict) == (1, 1, "undecided")


def test_a_better_order_wins_by_what_it_is_better():
    """Every pair answers .2 more to what is shown, .1 less without it: nothing scatters."""
    one = curves(1)[0]
    better = one + np.array([-0.1, 0.2])[:, None]
    _, found = told(answers([one, better]))
    # The inner weights of four even shares are .2 each: areas change by .8 of the curve.
    wanted = {"insertion": 0.16, "deletion": 0.08, "comprehensiveness": 0.1, "sufficiency": 0.2}
    for measure, value in wanted.items():
        contrast = found[measure]
        difference = contrast.difference
        assert [difference.value, difference.low, difference.high] == pytest.approx([value] * 3)
        assert difference.p == 1 / 100 and contrast.verdict == "better"
        # Two curves, four figures of them: two hypotheses.
        assert contrast.adjusted_p == pytest.approx(2 / 100)
    _, back = told(answers([better, one]))
    assert {back[measure].verdict for measure in MEASURES} == {"worse"}


def test_an_interval_is_that_of_the_differences_of_pairs():
    """Which is another way of saying that replicates are paired."""
    made = curves(2, UNEVEN)
    answered = answers(made, UNEVEN)
    _, found = told(answered, 400)
    whole, empty = answered.whole, answered.empty[0]
    for measure, curve, areas in (
        ("insertion", 1, insertion),
        ("deletion", 0, deletion),
        ("comprehensiveness", 0, comprehensiveness),
        ("sufficiency", 1, sufficiency),
    ):
        ends = (whole,) if measure.endswith(("ness", "ency")) else (answered.shares, whole, empty)
        first, other = (areas(method[:, curve], *ends) for method in made)
        wanted = means(BETTER[measure] * (other - first)[:, None], resampling(answered), 400)
        difference = found[measure].difference
        assert [difference.value, difference.low, difference.high] == pytest.approx(
            [wanted.value[0], wanted.low[0], wanted.high[0]], abs=1e-12
        )


@pytest.mark.parametrize(("shares", "hypotheses"), [(EVEN, 2), (UNEVEN, 4)])
def test_one_curve_read_twice_is_one_hypothesis(shares, hypotheses):
    made = curves(2, shares)
    made[1] += 10.0  # far enough that every p is the smallest there is
    _, found = told(answers(made, shares))
    assert {found[m].difference.p for m in MEASURES} == {1 / 100}
    assert {found[m].adjusted_p for m in MEASURES} == {hypotheses / 100}
    if shares == EVEN:
        for one, other in (("insertion", "sufficiency"), ("deletion", "comprehensiveness")):
            assert found[one].verdict == found[other].verdict


def test_identical_methods_are_not_tested_and_count_once():
    made = curves(4)
    made[2] = made[0]
    made[3] = made[1]
    free = told(answers(made))
    known = told(answers(made), same=[0, 1, 0, 1])
    for measure in MEASURES:
        assert known[2][measure].verdict == "identical"
        assert math.isnan(known[2][measure].adjusted_p)
        assert known[1][measure] == known[3][measure]
        assert known[1][measure].adjusted_p <= free[1][measure].adjusted_p
    p = [known[1][measure].difference.p for measure in ("insertion", "deletion")]
    assert [known[1][m].adjusted_p for m in ("insertion", "deletion")] == holm(p).tolist()


def test_one_clip_says_nothing():
    one, other = curves(2)
    _, found = told(answers([one, other + 5], clips=np.zeros(30, int)))
    for measure in MEASURES:
        assert found[measure].verdict == "undefined"
        assert math.isnan(found[measure].adjusted_p)


def test_one_method_has_nobody_to_be_compared_with():
    assert told(answers(curves(1))) == ({},)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([EVEN, UNEVEN]), st.floats(-0.3, 0.3))
def test_first_and_other_may_change_places(seed, shares, lead):
    one, other = curves(2, shares, seed=seed)
    other = other + lead
    (_, there), (_, back) = (
        told(answers(order, shares, seed=seed)) for order in ([one, other], [other, one])
    )
    for measure in MEASURES:
        a, b = there[measure], back[measure]
        assert b.difference.value == pytest.approx(-a.difference.value, abs=1e-12)
        assert [b.difference.low, b.difference.high] == pytest.approx(
            [-a.difference.high, -a.difference.low], abs=1e-12
        )
        assert (b.difference.p, b.adjusted_p) == (a.difference.p, a.adjusted_p)
        assert b.difference.detectable == pytest.approx(a.difference.detectable)
        assert b.verdict == MIRROR.get(a.verdict, a.verdict)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 4))
def test_each_contrast_is_that_of_two_methods_and_all_p_are_adjusted_together(seed, methods, size):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (methods, size))
    replicates = values[..., None] + rng.normal(0, 1, (methods, size, 60))
    found = against_first(values, replicates, range(methods), range(size))
    assert [len(row) for row in found] == [size] * (methods - 1)
    for m, row in enumerate(found, 1):
        for k, contrast in enumerate(row):
            assert contrast.difference == paired(
                values[0, k], values[m, k], replicates[0, k], replicates[m, k]
            )
    flat = [contrast for row in found for contrast in row]
    assert [c.adjusted_p for c in flat] == holm([c.difference.p for c in flat]).tolist()


def printed(found, heads=("x", "y"), names=("a-method-with-a-name", "b", "c")):
    console = Console(width=100, record=True, file=io.StringIO())
    rows = [(name, dict(zip(heads, row, strict=True))) for name, row in zip(names, found)]  # noqa: B905
    console.print(contrast_table("the-first", rows, {head: head.upper() for head in heads}))
    return console.export_text()


def test_the_table_says_p_and_verdict_and_what_would_be_found():
    wobble = np.random.default_rng(0).normal(0, 0.01, (4, 2, 999))
    values = np.array([[0.5, 0.5], [0.9, 0.5], [0.5, 0.1], [0.5, 0.5]])
    found = against_first(values, values[..., None] + wobble, [0, 1, 2, 0], [0, 1])
    text = printed(found)
    lines = text.splitlines()
    assert "difference to" in lines[0] and "the-first" in lines[1] and "X" in lines[0]
    assert "+.40 [+.37 +.43]" in lines[3] and "p .004 better" in lines[4]
    assert "-.40" in lines[5] and "p .004 worse" in lines[6]
    assert "undecided" in lines[4] and lines[8].split() == ["identical", "identical"]
    assert "found 4 times in 5" in lines[-1] and lines[-1].endswith(".04 to .05")


def test_nothing_known_is_a_dash():
    nothing = np.full((2, 2, 50), np.nan)
    text = printed(against_first(np.zeros((2, 2)), nothing, [0, 1], [0, 1]))
    assert text.splitlines()[-1].split()[-2:] == ["-", "-"] and "undefined" in text
