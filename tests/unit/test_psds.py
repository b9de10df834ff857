"""PSDS: every threshold at once equals one threshold after the other; what the score rewards."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sedbench.errors import DataError, UsageError
from sedbench.metrics import (
    PSDS1,
    PSDS2,
    Criteria,
    EventTable,
    Scenario,
    ScoreSet,
    ScoreTable,
    detect,
    event_table,
    intersection_based,
    psds,
    psds_of_decisions,
    score_set,
    sweep,
)
from sedbench.metrics.stretches import stretches
from sedbench.types import Event

CLASSES = ("A", "B", "C")
# Short clips make every false alarm a high rate: the limit lets the curve be seen.
OPEN = Scenario(Criteria(0.5, 0.5, 0.3), alpha_ct=0.7, alpha_st=0.5, max_efpr=4000.0)
RANDOM = settings(max_examples=60, deadline=None)
SCENARIOS = [OPEN, Scenario(max_efpr=2000.0), Scenario(PSDS2.criteria, 0.5, 1.0, 5000.0)]


def world(seed: int, clips: int, frames: int, levels: int) -> tuple[ScoreSet, EventTable]:
    """Clips of different lengths, few levels of score, and events that do not overlap."""
    rng = np.random.default_rng(seed)
    tables, truth = {}, {}
    for number in range(clips):
        shape = (int(rng.integers(1, frames + 1)), len(CLASSES))
        edges = np.concatenate([[0.0], rng.choice([0.25, 0.4], shape[0]).cumsum()])
        clip = f"clip {number}"
        tables[clip] = ScoreTable(CLASSES, rng.integers(0, levels, shape) / levels, edges)
        truth[clip] = []
        for label in CLASSES:
            cuts = np.sort(rng.choice(33, int(rng.integers(0, 6)), replace=False)) / 8
            spans = zip(cuts[::2].tolist(), cuts[1::2].tolist(), strict=False)
            truth[clip] += [Event(onset, offset, label) for onset, offset in spans]
    scores = score_set(tables)
    if not any(truth.values()):
        truth["clip 0"] = [Event(0.0, 0.5, "A")]
    return scores, event_table(truth, scores.clips, scores.classes)


def worlds() -> st.SearchStrategy[tuple[ScoreSet, EventTable]]:
    """Small ones first; the seed draws the rest, which is quicker than drawing number by number."""
    return st.builds(
        world, st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 12), st.integers(2, 6)
    )


def one_by_one(scores: ScoreSet) -> dict[float, EventTable]:
    """What each level that occurs lets through: thresholds just below it."""
    return {level: detect(scores, np.nextafter(level, -1)) for level in np.unique(scores.values)}


@RANDOM
@given(arrays(np.int8, st.integers(1, 12), elements=st.integers(0, 4)), st.data())
def test_stretches_are_the_runs_of_some_threshold(values: np.ndarray, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(values) - 1)), max_size=3)))
    starts = np.array(sorted({0, *(c for c in cuts if c < len(values)), len(values)}))
    found = stretches(values.astype(float), starts)
    expected = set()
    for low, high in pairwise(starts):
        for first in range(low, high):
            for stop in range(first + 1, high + 1):
                level = values[first:stop].min()
                beside = [values[first - 1]] if first > low else []
                beside += [values[stop]] if stop < high else []
                if all(each < level for each in beside):
                    expected.add((first, stop, level, max(beside, default=-np.inf)))
    rows = list(zip(found.first, found.stop, found.level, found.until, strict=True))
    assert len(rows) == len(set(rows)) and set(rows) == expected


@RANDOM
@given(worlds())
def test_a_sweep_counts_what_every_threshold_detects(
    world: tuple[ScoreSet, EventTable],
) -> None:
    scores, truth = world
    swept = sweep(scores, truth, OPEN.criteria)
    for level, decided in one_by_one(scores).items():
        expected = intersection_based(truth, decided, OPEN.criteria)
        for k, found in enumerate(swept):
            at = int(np.searchsorted(-found.level, -level, "right")) - 1
            counts = (found.tp[at], found.fp[at], *found.cross[:, at]) if at >= 0 else (0,) * 5
            plain = (expected.tally.tp[k], expected.tally.fp[k], *expected.cross[k])
            assert counts == plain


@RANDOM
@given(worlds(), st.sampled_from(SCENARIOS))
def test_exact_psds_is_that_of_all_thresholds(
    world: tuple[ScoreSet, EventTable], scenario: Scenario
) -> None:
    scores, truth = world
    exact = psds(scores, truth, scenario)
    points = list(one_by_one(scores).values())
    plain = psds_of_decisions(points, truth, scores.seconds, scenario)
    assert exact.value == pytest.approx(plain.value, abs=1e-12)
    assert exact.class_values == pytest.approx(plain.class_values, abs=1e-12)
    assert exact.classes == plain.classes
    fewer = psds_of_decisions(points[::2], truth, scores.seconds, scenario)
    assert all(fewer.class_values <= plain.class_values + 1e-12)


@RANDOM
@given(worlds())
def test_only_the_order_of_scores_counts_and_not_that_of_clips(
    world: tuple[ScoreSet, EventTable],
) -> None:
    scores, truth = world
    before = psds(scores, truth, OPEN)
    # A rising function of the scores, another for each class: each has a threshold of its own.
    bent = scores.values**3 * [1.0, 7.0, 0.1] - [0.0, 3.0, 0.0]
    tables, renamed = {}, {}
    new = {clip: f"{(5 * i + 3) % 7}" for i, clip in enumerate(scores.clips)}
    for i, clip in enumerate(scores.clips):
        rows = slice(scores.starts[i], scores.starts[i + 1])
        edges = scores.edges[scores.starts[i] + i : scores.starts[i + 1] + i + 1]
        tables[new[clip]] = ScoreTable(CLASSES, bent[rows], edges)
        mine = truth.clip == i
        renamed[new[clip]] = [
            Event(on, off, CLASSES[k])
            for on, off, k in zip(
                truth.onset[mine], truth.offset[mine], truth.label[mine], strict=True
            )
        ]
    again = score_set(tables)
    after = psds(again, event_table(renamed, again.clips, again.classes), OPEN)
    assert after.value == pytest.approx(before.value, abs=1e-12)


def made(values: list[list[float]], truth: list[Event]) -> tuple[ScoreSet, EventTable]:
    """One clip of frames of one second."""
    table = ScoreTable(CLASSES, np.array(values, float), np.arange(len(values) + 1.0))
    scores = score_set({"x": table})
    return scores, event_table({"x": truth}, scores.clips, scores.classes)


TRUTH = [Event(1, 3, "A"), Event(3, 4, "B"), Event(0, 2, "C")]
RIGHT = [[0, 0, 1], [1, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_a_perfect_detector_has_one() -> None:
    for scenario in (PSDS1, PSDS2):
        found = psds(*made(RIGHT, TRUTH), scenario)
        assert found.value == 1.0 and found.class_values.tolist() == [1, 1, 1]


def test_a_constant_detector_finds_only_what_fills_the_clip() -> None:
    found = psds(*made([[0.5, 0.5, 0.5]] * 4, TRUTH), PSDS1)
    assert found.value == 0.0
    # With a tolerance of 10 % the whole clip is right for every class.
    assert psds(*made([[0.5, 0.5, 0.5]] * 4, TRUTH), PSDS2).value == 1.0


def test_the_spread_between_classes_costs() -> None:
    blind = [[row[0], 0, row[2]] for row in RIGHT]  # never finds B
    even = Scenario(Criteria(), alpha_st=0.0)
    assert psds(*made(blind, TRUTH), even).value == pytest.approx(2 / 3)
    assert psds(*made(blind, TRUTH), PSDS1).value == pytest.approx(2 / 3 - np.std([1, 0, 1]))


def test_false_alarms_cost_by_the_hour() -> None:
    # One false alarm above the event: eFPR is one in 4 s, 900 an hour.
    early = [[0.9, 0, 0], [0, 0, 0], [0.8, 0, 0], [0, 0, 0]]
    pair = made(early, [Event(2, 3, "A")])
    limit = Scenario(Criteria(), alpha_st=0.0, max_efpr=1000.0)
    assert psds(*pair, limit).value == pytest.approx(0.1)
    assert psds(*pair, limit, seconds=40.0).value == pytest.approx(0.91)
    assert psds(*pair, PSDS1).value == 0.0
    found = psds(*pair, limit)
    assert found.efpr.tolist() == [0.0, 900.0] and found.etpr.tolist() == [0.0, 1.0]


def test_cross_triggers_cost_beyond_the_false_alarm() -> None:
    # The false alarm of A lies in an event of B, of which there is one second.
    scores = [[0.9, 0, 0], [0, 0, 0], [0.8, 0, 0], [0, 0, 0]]
    pair = made(scores, [Event(2, 3, "A"), Event(0, 1, "B")])
    free = Scenario(Criteria(0.5, 0.5, 0.5), alpha_ct=0.0, alpha_st=0.0, max_efpr=10000.0)
    dear = Scenario(Criteria(0.5, 0.5, 0.5), alpha_ct=1.0, alpha_st=0.0, max_efpr=10000.0)
    assert psds(*pair, free).class_values[0] == pytest.approx(1 - 900 / 10000)
    assert psds(*pair, dear).class_values[0] == pytest.approx(1 - (900 + 3600) / 10000)


def test_a_class_that_is_never_true_is_left_out() -> None:
    found = psds(*made(RIGHT, TRUTH[:2]), PSDS2)
    assert found.classes == ("A", "B") and found.value == 1.0
    with pytest.raises(DataError, match="no event is true"):
        psds(*made(RIGHT, []), PSDS1)


def test_detections_exceed_the_threshold_and_end_with_their_clip() -> None:
    tables = {
        "x": ScoreTable(("A",), np.array([[0.5], [0.6], [0.6]]), np.array([0.0, 1, 2, 3])),
        "y": ScoreTable(("A",), np.array([[0.6], [0.5]]), np.array([0.0, 0.5, 1.0])),
    }
    found = detect(score_set(tables), 0.5)
    rows = zip(found.clip.tolist(), found.onset.tolist(), found.offset.tolist(), strict=True)
    assert list(rows) == [(0, 1.0, 3.0), (1, 0.0, 0.5)]
    assert len(detect(score_set(tables), 0.6)) == 0
    assert len(detect(score_set(tables), {"A": 0.1})) == 2
    with pytest.raises(UsageError, match="'A' has no threshold"):
        detect(score_set(tables), {"B": 0.1})
    with pytest.raises(UsageError, match="not a number"):
        detect(score_set(tables), float("nan"))


def test_clips_are_scored_for_the_same_classes_in_whatever_order() -> None:
    edges = np.array([0.0, 1.0])
    x = ScoreTable(("A", "B"), np.array([[0.1, 0.2]]), edges)
    y = ScoreTable(("B", "A"), np.array([[0.4, 0.3]]), edges)
    assert score_set({"x": x, "y": y}).values.tolist() == [[0.1, 0.2], [0.3, 0.4]]
    with pytest.raises(DataError, match="different classes: B, C"):
        score_set({"x": x, "y": ScoreTable(("A", "C"), np.array([[0.4, 0.3]]), edges)})
    with pytest.raises(UsageError, match="no scores"):
        score_set({})


@pytest.mark.parametrize(
    ("classes", "values", "edges"),
    [
        (("A",), [[0.1], [0.2]], [0, 1]),
        (("A",), [[float("nan")]], [0, 1]),
        (("A",), [[0.1], [0.2]], [0, 1, 1]),
        (("A", "A"), [[0.1, 0.2]], [0, 1]),
    ],
)
def test_score_tables_that_cannot_be(classes: object, values: object, edges: object) -> None:
    with pytest.raises(ValueError):
        ScoreTable(classes, np.array(values), np.array(edges, float))


def test_scores_and_truth_go_together() -> None:
    scores, _ = made(RIGHT, TRUTH)
    other = event_table({"y": TRUTH}, ("y",), CLASSES)
    with pytest.raises(UsageError, match="different clips or classes"):
        psds(scores, other)
    overlapping = event_table({"x": [Event(0, 2, "A"), Event(1, 3, "A")]}, ("x",), CLASSES)
    with pytest.raises(DataError, match="overlap"):
        psds(scores, overlapping)
    with pytest.raises(UsageError, match="last 0"):
        psds(*made(RIGHT, TRUTH), seconds=0.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Scenario(alpha_ct=0.5),
        lambda: Scenario(alpha_st=-1.0),
        lambda: Scenario(max_efpr=0.0),
    ],
)
def test_scenarios_that_cannot_be(call: object) -> None:
    with pytest.raises(UsageError):
        call()
