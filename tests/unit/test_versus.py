"""Methods against the first of them: values, tests, refusals, strata and several models."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sedbench.comparison import holm, paired
from sedbench.contenders import Contender, check_same_pairs, identical, names
from sedbench.errors import DataError, NothingSelectedError, UnknownNameError, UsageError
from sedbench.metrics import relevance_mass, relevance_rank
from sedbench.protocol import Scored, evaluate, quantise
from sedbench.protocol.records import Row
from sedbench.protocol.replicates import measure
from sedbench.protocol.strata import Stratum, strata
from sedbench.results import Result
from sedbench.types import FrameGrid, PairTable
from sedbench.versus import Comparison, compare

FRAMES, CLIPS, RESAMPLES = 40, 24, 400
IOU = Row("iou", "chosen", "localisation", "pairs", "all", "extent", "none")


def make_table(seed: int, clips: int = CLIPS) -> PairTable:
    rng = np.random.default_rng(seed)
    onset, length = rng.integers(0, 20, clips), rng.integers(4, 20, clips)
    time = np.arange(FRAMES)
    truth = (time >= onset[:, None]) & (time < (onset + length)[:, None])
    return PairTable(
        clip_ids=tuple(f"test-{i:04d}" for i in range(clips)),
        classes=("bell", "cat"),
        clip=np.arange(clips),
        label=np.arange(clips) % 2,
        groups=tuple((f"g{i % 8}",) for i in range(clips)),
        truths={"extent": truth},
        others={"extent": np.zeros_like(truth)},
        grid=FrameGrid(FRAMES / 10),
    )


TABLES = (make_table(1), make_table(2))


def contender(
    spec: str, strength: float, seed: int = 0, missed: tuple[int, ...] = (), **changes: Any
) -> Contender:
    """A method that is as good as it is strong; another seed gives it other noise."""
    splits = []
    for split, table in enumerate(TABLES):
        rng = np.random.default_rng([seed, split])
        noise = rng.normal(size=(len(table), FRAMES))
        detected = np.zeros((CLIPS, 2))
        detected[table.clip, table.label] = 0.9
        if split:
            detected[list(missed)] = 0.0
        scores = quantise(np.exp(noise + strength * table.truths["extent"]))
        splits.append(Scored(table, scores, np.ones(len(table), bool), detected))
    fields: dict[str, Any] = {
        "task": "kitchen", "model": "net", "method": spec.partition("[")[0], "spec": spec,
        "params": {}, "seed": 0, "scores": ({"truth": "extent"},),
    }  # fmt: skip
    file = changes.pop("file", "")
    return Contender(Result(**{**fields, **changes}), *splits, file)


WEAK, STRONG = contender("weak", 0.8), contender("strong", 3.0)
CLOSE = contender("close", 0.8, seed=1)
TWIN = contender("twin", 0.8)


def against(*contenders: Contender, row: Row = IOU, **options: Any) -> Comparison:
    return compare([[c] for c in contenders], row, resamples=RESAMPLES, **options)


@pytest.fixture(scope="module")
def found() -> Comparison:
    return against(WEAK, STRONG, CLOSE, TWIN)


def test_figures_and_intervals_are_those_of_the_results(found: Comparison) -> None:
    for each, standing in zip((WEAK, STRONG, CLOSE), found.overall.standings, strict=False):
        records = evaluate(each.validation, each.test, resamples=RESAMPLES).records
        [record] = [r for r in records if all(r[k] == v for k, v in vars(IOU).items())]
        assert (standing.value, standing.low, standing.high) == (
            record["value"], record["ci_low"], record["ci_high"],
        )  # fmt: skip
    sizes = (found.overall.n_pairs, found.overall.n_clips, found.overall.n_groups)
    assert sizes == (record["n_pairs"], record["n_clips"], record["n_groups"]) == (24, 24, 8)


def test_verdicts(found: Comparison) -> None:
    first, strong, close, twin = found.overall.standings
    assert (first.difference, first.verdict) == (None, None) and math.isnan(first.adjusted_p)
    assert strong.verdict == "better" and strong.difference.low > 0
    assert close.verdict == "undecided" and close.difference.detectable > 0.02
    assert twin.verdict == "identical" and twin.difference.value == 0
    back = against(STRONG, WEAK).overall.standings[1]
    assert back.verdict == "worse"
    assert back.difference.p == strong.difference.p


def test_differences_are_of_the_same_replicates(found: Comparison) -> None:
    scatter = [
        measure(c.validation, c.test).only([IOU]).replicates(RESAMPLES)[0, 0]
        for c in (WEAK, STRONG)
    ]
    values = [s.value for s in found.overall.standings]
    assert found.overall.standings[1].difference == paired(values[0], values[1], *scatter)


def test_p_is_adjusted_over_distinct_comparisons_alone(found: Comparison) -> None:
    _, strong, close, _ = found.overall.standings
    raw = [strong.difference.p, close.difference.p]
    assert [strong.adjusted_p, close.adjusted_p] == holm(raw).tolist()
    # Another copy of a row adds no hypothesis, and gets the same p.
    copy = contender("copy", 3.0)
    again = against(WEAK, STRONG, CLOSE, TWIN, copy)
    assert [s.adjusted_p for s in again.overall.standings[1:3]] == holm(raw).tolist()
    assert again.overall.standings[4].adjusted_p == strong.adjusted_p
    assert again.identical_to == (0, 1, 2, 0, 1)


def test_what_is_said_to_be_identical_is(found: Comparison) -> None:
    half = [
        Contender(replace(c.result, equals="the sum"), c.validation, c.test) for c in (WEAK, CLOSE)
    ]
    assert identical([[half[0]], [STRONG], [half[1]]]) == [0, 1, 0]
    assert against(half[0], half[1]).overall.standings[1].verdict == "identical"
    # A mask of one's own makes another method of the same scores.
    masked = [
        Contender(
            WEAK.result, WEAK.validation, replace(WEAK.test, mask=np.ones((CLIPS, FRAMES), bool))
        )
    ]
    assert identical([[WEAK], masked]) == [0, 1]


def test_other_pairs_are_refused_with_counts() -> None:
    fewer = contender("fewer", 1.0, missed=(3, 4, 5))
    other = contender("other", 1.0, missed=(3, 7))
    with pytest.raises(DataError, match=r"fewer and other .*: 21 and 22, 20 of them the same"):
        against(fewer, other)
    with pytest.raises(DataError, match=r"weak \(on kitchen with net\) and strong \(on kitchen wi"):
        against(WEAK, contender("strong", 1.0, model="net[seed=1]"))
    elsewhere = contender("strong", 1.0, task="garden")
    with pytest.raises(DataError, match=r"on garden .*: 24 and 24$"):
        check_same_pairs([WEAK, elsewhere])
    unanswered = replace(STRONG.test, scored=np.arange(CLIPS) > 0)
    with pytest.raises(DataError, match="24 and 23, 23 of them the same"):
        against(WEAK, Contender(STRONG.result, STRONG.validation, unanswered))


def test_another_truth_is_refused() -> None:
    truth = TABLES[1].truths["extent"].copy()
    truth[0, :3] ^= True
    moved = replace(STRONG.test, table=replace(TABLES[1], truths={"extent": truth}))
    with pytest.raises(DataError, match="same 24 pairs, and other clips or another truth"):
        against(WEAK, Contender(STRONG.result, STRONG.validation, moved))


def test_figures_that_there_are_not() -> None:
    with pytest.raises(UnknownNameError, match="metric 'ious'"):
        against(WEAK, STRONG, row=replace(IOU, metric="ious"))
    with pytest.raises(UnknownNameError, match="view of auc: 'end-to-end'"):
        against(WEAK, STRONG, row=replace(IOU, metric="auc", view="end-to-end"))
    with pytest.raises(UsageError, match=r"\[0, 100\), got 'x'"):
        against(WEAK, STRONG, row=replace(IOU, policy="percentile@x"))
    with pytest.raises(NothingSelectedError, match="discrimination"):
        against(WEAK, STRONG, row=replace(IOU, metric="discrimination"))


def test_a_metric_without_a_threshold_ignores_the_policy() -> None:
    auc = against(WEAK, STRONG, row=replace(IOU, metric="auc"))
    assert auc.row.policy is None
    assert auc.overall.standings[1].verdict == "better"
    fixed = against(WEAK, STRONG, row=replace(IOU, policy="percentile@70.0"))
    assert fixed.row.policy == "percentile@70"


def test_strata_are_compared_apart_and_adjusted_together() -> None:
    parts = strata(TABLES[1], "class", "extent")
    few = Stratum("few", np.arange(CLIPS) < 2)  # two groups
    found = against(WEAK, STRONG, CLOSE, strata=[*parts, few])
    assert [(g.name, g.n_pairs, g.ranked) for g in found.strata] == [
        ("bell", 12, True), ("cat", 12, True), ("few", 2, False),
    ]  # fmt: skip
    tested = [s for g in found.strata[:2] for s in g.standings[1:]]
    assert [s.adjusted_p for s in tested] == holm([s.difference.p for s in tested]).tolist()
    assert {s.verdict for s in found.strata[2].standings} == {None}
    assert all(math.isnan(s.adjusted_p) for s in found.strata[2].standings)
    assert found.strata[2].standings[1].value > 0  # shown all the same
    alone = against(WEAK, STRONG, CLOSE).overall
    assert [s.adjusted_p for s in alone.standings[1:]] == [
        s.adjusted_p for s in found.overall.standings[1:]
    ]


def test_several_models_are_averaged_and_their_spread_stands_apart() -> None:
    models = {"net": ((), 0), "net[seed=1]": ((1, 2), 1), "net[seed=2]": ((5,), 2)}
    methods = [
        [contender(s, strength, seed, m, model=n) for n, (m, seed) in models.items()]
        for s, strength in (("weak", 0.8), ("strong", 3.0))
    ]
    found = compare(methods, IOU, resamples=RESAMPLES)
    assert found.models == tuple(models) and found.pairs == (24, 22, 23)
    one = [compare([[m[i]] for m in methods], IOU, resamples=RESAMPLES) for i in range(3)]
    for k, standing in enumerate(found.overall.standings):
        values = [each.overall.standings[k].value for each in one]
        assert standing.of_models == tuple(values)
        assert standing.value == pytest.approx(np.mean(values))
        assert (standing.over_models.low, standing.over_models.high) == (min(values), max(values))
        # Averaging over models does not hide that the clips are the same ones.
        widths = [each.overall.standings[k].high - each.overall.standings[k].low for each in one]
        assert standing.high - standing.low > 0.5 * np.mean(widths)
    strong = found.overall.standings[1]
    apart = [each.overall.standings[1].difference.value for each in one]
    assert strong.difference.value == pytest.approx(np.mean(apart))
    assert strong.difference_over_models.high == pytest.approx(max(apart))
    assert found.overall.standings[0].difference_over_models is None
    assert one[0].overall.standings[1].over_models is None


def test_models_on_other_clips_are_refused() -> None:
    part = np.arange(CLIPS) < 20
    cut = Contender(
        replace(WEAK.result, model="net[seed=1]"), WEAK.validation, WEAK.test.subset(part)
    )
    with pytest.raises(DataError, match="24 clips with net, on 20"):
        compare([[WEAK, cut], [WEAK, cut]], IOU, resamples=10)


def test_names_say_as_much_as_they_must() -> None:
    a, b = contender("a", 1.0), contender("b", 1.0)
    assert names([a, b]) == ("a", "b")
    assert names([a, contender("a", 1.0, file="old.json")]) == ("a", "a (old.json)")
    other = replace(a.result, seed=3)
    assert names([a, b, Contender(other, a.validation, a.test)]) == (
        "a (seed 0)",
        "b",
        "a (seed 3)",
    )


def test_one_clip_says_nothing() -> None:
    one = np.arange(CLIPS) < 1
    cut = [Contender(c.result, c.validation, c.test.subset(one)) for c in (WEAK, STRONG)]
    standing = against(*cut).overall.standings[1]
    assert standing.verdict is None and math.isnan(standing.adjusted_p)
    assert math.isnan(standing.low) and math.isnan(standing.difference.high)
    assert standing.difference.value > 0


@pytest.mark.parametrize(("metric", "function"), [("rma", relevance_mass), ("rra", relevance_rank)])
def test_relevance_is_worked_out_from_the_frame_scores(metric: str, function: Any) -> None:
    weak = contender("weak", 0.8, missed=(3, 4))
    found = against(
        weak, contender("strong", 3.0, missed=(3, 4)), row=replace(IOU, metric=metric, policy=None)
    )
    for each, standing in zip((weak, STRONG), found.overall.standings, strict=True):
        of_pairs = function(each.test.scores, each.test.table.truths["extent"])
        assert standing.value == pytest.approx(np.delete(of_pairs, (3, 4)).mean(), abs=1e-9)
        assert standing.low < standing.value < standing.high
    assert found.overall.standings[1].verdict == "better"
    assert found.overall.n_pairs == CLIPS - 2


def test_pairs_without_a_positive_score_are_left_out_of_relevance_mass() -> None:
    scores = WEAK.test.scores.copy()
    scores[:5] = -1.0
    none = Contender(WEAK.result, WEAK.validation, replace(WEAK.test, scores=scores))
    found = against(none, none, row=replace(IOU, metric="rma", policy=None))
    assert found.overall.n_pairs == CLIPS - 5
    assert not any(
        row.metric in ("rma", "rra") for row in measure(WEAK.validation, WEAK.test).todo.rows
    )
