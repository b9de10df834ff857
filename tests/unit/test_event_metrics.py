"""Segment-based, event-based and intersection-based metrics against plain loops."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sedbench.errors import DataError, UnknownNameError, UsageError
from sedbench.metrics import (
    Criteria,
    EventTable,
    Tally,
    boundary_errors,
    event_based,
    event_table,
    event_tables,
    intersection_based,
    segment_based,
)
from sedbench.types import Event

CLASSES = ("A", "B")
CLIPS = ("x", "y", "z")
Lists = dict[str, list[Event]]

# Times are multiples of 1/16 s, which binary fractions hold exactly: no rounding decides a test.
TICK = 1 / 16

# A busy machine is no failure.
RANDOM = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def events(longest: int = 48) -> st.SearchStrategy[Event]:
    spans = st.tuples(st.integers(0, 64), st.integers(1, longest))
    return st.builds(
        lambda span, label: Event(span[0] * TICK, (span[0] + span[1]) * TICK, label),
        spans,
        st.sampled_from(CLASSES),
    )


def lists(most: int = 5, longest: int = 48) -> st.SearchStrategy[Lists]:
    return st.fixed_dictionaries({c: st.lists(events(longest), max_size=most) for c in CLIPS})


def apart(found: Iterable[Event]) -> list[Event]:
    """Events of one class that do not overlap, by leaving some out."""
    kept: list[Event] = []
    for event in sorted(found):
        same = [e for e in kept if e.label == event.label]
        if not same or same[-1].offset <= event.onset:
            kept.append(event)
    return kept


def tables(truth: Lists, claimed: Lists) -> tuple[EventTable, EventTable]:
    return event_tables(truth, claimed, CLASSES)


def counts(tally: Tally) -> list[list[int]]:
    return [each.tolist() for each in (tally.tp, tally.fp, tally.fn)]


# Plain loops over what the definitions say.


def plain_segments(truth: Lists, claimed: Lists, resolution: float) -> tuple[Any, ...]:
    tally = np.zeros((3, 2), int)
    sub = dele = ins = 0
    for clip in CLIPS:
        for k in range(200):
            low, high = k * resolution, (k + 1) * resolution
            true, said = (
                {e.label for e in each[clip] if e.onset < high and e.offset > low}
                for each in (truth, claimed)
            )
            for row, group in enumerate((true & said, said - true, true - said)):
                for label in group:
                    tally[row, CLASSES.index(label)] += 1
            sub += min(len(true), len(said)) - len(true & said)
            dele += max(0, len(true) - len(said))
            ins += max(0, len(said) - len(true))
    return tally.tolist(), sub, dele, ins


def agree(true: Event, said: Event) -> bool:
    allowed = max(0.2, 0.2 * (true.offset - true.onset))
    return (
        true.label == said.label
        and abs(true.onset - said.onset) <= 0.2
        and abs(true.offset - said.offset) <= allowed
    )


def most_pairs(true: list[Event], said: list[Event]) -> int:
    """Try every way to pair them."""
    if len(true) > len(said):
        return max(
            (sum(map(agree, order, said)) for order in permutations(true, len(said))), default=0
        )
    return max((sum(map(agree, true, order)) for order in permutations(said, len(true))), default=0)


def shared(event: Event, others: Iterable[Event]) -> float:
    return sum(max(0.0, min(event.offset, o.offset) - max(event.onset, o.onset)) for o in others)


def plain_intersections(truth: Lists, claimed: Lists, rule: Criteria) -> tuple[Any, Any]:
    tally, cross = np.zeros((3, 2), int), np.zeros((2, 2), int)
    for clip in CLIPS:
        for k, label in enumerate(CLASSES):
            true = [e for e in truth[clip] if e.label == label]
            said = [e for e in claimed[clip] if e.label == label]
            right = [e for e in said if shared(e, true) >= rule.dtc * (e.offset - e.onset)]
            found = [e for e in true if shared(e, right) >= rule.gtc * (e.offset - e.onset)]
            tally[:, k] += len(found), len(said) - len(right), len(true) - len(found)
            other = [e for e in truth[clip] if e.label != label]
            for event in set(said) - set(right):
                assert rule.cttc is not None
                cross[k, 1 - k] += shared(event, other) >= rule.cttc * (event.offset - event.onset)
    return tally.tolist(), cross.tolist()


@RANDOM
@given(lists(), lists(), st.sampled_from([0.25, 1.0, 0.1875]))
def test_segments_equal_a_plain_loop(truth: Lists, claimed: Lists, resolution: float) -> None:
    found = segment_based(*tables(truth, claimed), resolution)
    wrong = (found.substitutions, found.deletions, found.insertions)
    assert (counts(found.tally), *wrong) == plain_segments(truth, claimed, resolution)


@RANDOM
@given(lists(4, 6), lists(5, 6))
def test_event_matching_equals_trying_every_pairing(truth: Lists, claimed: Lists) -> None:
    found = event_based(*tables(truth, claimed))
    for k, label in enumerate(CLASSES):
        pairs = sum(
            most_pairs(*([e for e in each[clip] if e.label == label] for each in (truth, claimed)))
            for clip in CLIPS
        )
        assert found.tp[k] == pairs
    true, said = (sum(map(len, each.values())) for each in (truth, claimed))
    assert (found.tp + found.fn).sum() == true and (found.tp + found.fp).sum() == said


@RANDOM
@given(lists(6), lists(6), st.sampled_from([(0.5, 0.5, 0.25), (0.25, 0.75, 0.5), (1.0, 1.0, 1.0)]))
def test_intersections_equal_a_plain_loop(
    truth: Lists, claimed: Lists, shares: tuple[float, float, float]
) -> None:
    truth, claimed = ({c: apart(f) for c, f in each.items()} for each in (truth, claimed))
    rule = Criteria(*shares)
    found = intersection_based(*tables(truth, claimed), rule)
    assert (counts(found.tally), found.cross.tolist()) == plain_intersections(truth, claimed, rule)


def everything(truth: Lists, claimed: Lists) -> list[Any]:
    pair = tables(truth, claimed)
    one, two = segment_based(*pair), segment_based(*pair, 0.25)
    wrong = [[s.substitutions, s.deletions, s.insertions] for s in (one, two)]
    inter = intersection_based(*pair, Criteria(0.3, 0.6, 0.4))
    tallies = (one.tally, two.tally, event_based(*pair), inter.tally)
    return [*map(counts, tallies), wrong, inter.cross.tolist()]


def separated(each: Lists) -> Lists:
    return {clip: apart(found) for clip, found in each.items()}


@RANDOM
@given(lists(), lists(), st.integers(0, 40))
def test_moving_a_clip_in_time_changes_nothing(truth: Lists, claimed: Lists, by: int) -> None:
    truth, claimed = separated(truth), separated(claimed)

    def moved(each: Lists) -> Lists:  # whole seconds keep the segments where they were
        return {
            clip: [Event(e.onset + by, e.offset + by, e.label) for e in found]
            for clip, found in each.items()
        }

    assert everything(moved(truth), moved(claimed)) == everything(truth, claimed)


@RANDOM
@given(lists(), lists(), st.permutations(CLIPS))
def test_the_order_of_clips_and_events_changes_nothing(
    truth: Lists, claimed: Lists, order: list[str]
) -> None:
    truth, claimed = separated(truth), separated(claimed)
    name = dict(zip(CLIPS, order, strict=True))
    again = ({name[c]: f[::-1] for c, f in each.items()} for each in (truth, claimed))
    assert everything(*again) == everything(truth, claimed)


@RANDOM
@given(lists(), lists())
def test_counts_of_clips_add_up(truth: Lists, claimed: Lists) -> None:
    truth, claimed = separated(truth), separated(claimed)
    alone = []
    for clip in CLIPS:
        parts = ({c: f if c == clip else [] for c, f in each.items()} for each in (truth, claimed))
        alone.append(everything(*parts))
    together = everything(truth, claimed)
    for place, whole in enumerate(together):
        assert np.array_equal(np.sum([each[place] for each in alone], axis=0), whole)


@RANDOM
@given(lists())
def test_the_truth_itself_is_right(truth: Lists) -> None:
    truth = separated(truth)
    pair = tables(truth, truth)
    for tally in (segment_based(*pair).tally, event_based(*pair), intersection_based(*pair).tally):
        assert not tally.fp.any() and not tally.fn.any()
        if tally.present.any():
            assert tally.micro.f1 == tally.macro.f1 == 1.0
    errors = boundary_errors(*pair)
    assert errors.paired == errors.true == len(pair[0])
    assert not errors.paired or errors.onset == errors.offset == 0.0


@RANDOM
@given(lists(), lists())
def test_splitting_an_event_that_touches_itself_keeps_its_segments(
    truth: Lists, claimed: Lists
) -> None:
    halves = {
        clip: [
            part
            for e in found
            for part in (
                Event(e.onset, (e.onset + e.offset) / 2, e.label),
                Event((e.onset + e.offset) / 2, e.offset, e.label),
            )
        ]
        for clip, found in truth.items()
    }
    for resolution in (1.0, 0.25):
        whole = segment_based(*tables(truth, claimed), resolution)
        split = segment_based(*tables(halves, claimed), resolution)
        assert counts(whole.tally) == counts(split.tally)


def one(truth: list[Event], claimed: list[Event]) -> tuple[EventTable, EventTable]:
    return event_tables({"x": truth}, {"x": claimed})


def test_error_rate_by_hand() -> None:
    truth = [Event(0, 2, "A"), Event(1, 3, "B")]
    claimed = [Event(0, 1, "A"), Event(1, 2, "C"), Event(3, 5, "B")]
    found = segment_based(*one(truth, claimed))
    # Second 0: A right. 1: A and B true, C said: one substitution, one deletion. 2: B deleted.
    # 3 and 4: B inserted.
    assert (found.substitutions, found.deletions, found.insertions) == (1, 2, 2)
    assert found.error_rate == 5 / 4
    assert found.class_error_rate[:2].tolist() == [0.5, 2.0]
    assert np.isnan(found.class_error_rate[2]) and found.macro_error_rate == 1.25


def test_rates_of_classes_that_nobody_predicts_or_that_are_not_there() -> None:
    tally = Tally(tuple("abc"), *(np.array(n) for n in ([3, 0, 0], [1, 0, 5], [1, 2, 0])))
    assert tally.f1[:2].tolist() == [0.75, 0.0] and np.isnan(tally.f1[2])
    assert tally.precision[1] == 0.0 and tally.recall[1] == 0.0
    assert tally.macro.f1 == 0.375
    assert tally.micro.f1 == 6 / (6 + 6 + 3)  # false alarms of the absent class count here
    nothing = Tally(("a",), *(np.array([n]) for n in (0, 4, 0)))
    assert np.isnan(nothing.micro.f1) and np.isnan(nothing.macro.f1)


def test_a_silent_corpus_has_no_rates() -> None:
    pair = event_tables({"x": []}, {"x": []}, CLASSES)
    found = segment_based(*pair)
    assert np.isnan(found.error_rate) and np.isnan(found.tally.micro.f1)
    assert np.isnan(event_based(*pair).macro.f1)
    assert boundary_errors(*pair).paired == 0


def test_what_lies_past_the_end_is_not_counted() -> None:
    pair = one([Event(0, 1, "A")], [Event(0, 4, "A"), Event(6, 7, "A")])
    assert counts(segment_based(*pair, durations={"x": 2.5}).tally) == [[1], [2], [0]]
    assert counts(segment_based(*pair).tally) == [[1], [4], [0]]
    with pytest.raises(UsageError, match="'x' has no duration"):
        segment_based(*pair, durations={"y": 1.0})


def test_binary_fractions_at_a_boundary_are_taken_as_they_are_unless_told() -> None:
    # 3 * 0.1 is 0.30000000000000004: the fourth segment is touched, by sed_eval's rule.
    pair = one([Event(0.1, 0.3, "A")], [Event(0.1, 3 * 0.1, "A")])
    assert counts(segment_based(*pair, 0.1).tally) == [[2], [1], [0]]
    assert counts(segment_based(*pair, 0.1, slack=1e-9).tally) == [[2], [0], [0]]
    # 1.1 - 0.9 is 0.20000000000000007.
    late = one([Event(0.9, 2, "A")], [Event(1.1, 2, "A")])
    assert event_based(*late).tp.sum() == 0
    assert event_based(*late, slack=1e-9).tp.sum() == 1


def test_a_share_that_is_met_exactly_is_enough() -> None:
    # 70 % of one second, in numbers that binary fractions do not hold.
    truth, claimed = [Event(1.2, 2.2, "A")], [Event(1.2, 1.9, "A")]
    assert intersection_based(*one(truth, claimed)).tally.tp.sum() == 1
    short = [Event(1.2, 1.89999, "A")]
    assert intersection_based(*one(truth, short)).tally.tp.sum() == 0


def test_an_event_is_found_in_pieces_and_two_events_as_one() -> None:
    truth = [Event(0, 4, "A"), Event(5, 6, "A"), Event(6.25, 7.25, "A")]
    claimed = [Event(0, 1.5, "A"), Event(2, 3.5, "A"), Event(5, 7.25, "A")]
    assert counts(intersection_based(*one(truth, claimed)).tally) == [[3], [0], [0]]


def test_the_largest_matching_beats_the_first_that_fits() -> None:
    # The first true event takes the only partner of the second, if one goes through them in order.
    truth = [Event(1.0, 2.0, "A"), Event(1.25, 2.0, "A")]
    claimed = [Event(1.125, 2.0, "A"), Event(0.9, 2.0, "A")]
    assert counts(event_based(*one(truth, claimed))) == [[2], [0], [0]]


def test_onsets_alone() -> None:
    pair = one([Event(1.0, 2.0, "A")], [Event(1.0, 4.0, "A")])
    assert event_based(*pair).tp.sum() == 0
    assert event_based(*pair, offsets=False).tp.sum() == 1
    assert event_based(*pair, share=2.0).tp.sum() == 1


def test_boundary_errors_by_hand() -> None:
    truth = [Event(1, 3, "A"), Event(5, 6, "A"), Event(8, 9, "A")]
    claimed = [Event(1.5, 3.25, "A"), Event(4.75, 5.75, "A"), Event(2.75, 3.0, "A")]
    found = boundary_errors(*one(truth, claimed))
    assert (found.paired, found.true) == (2, 3)
    assert (found.onset, found.offset) == (0.375, 0.25)
    assert (found.onset_bias, found.offset_bias) == (0.125, 0.0)
    # Where two would do, the larger overlap is the partner, whichever comes first.
    both = [Event(0, 1.25, "A"), Event(1, 3, "A")]
    assert boundary_errors(*one(truth[:1], both)).onset == 0.0


def test_overlapping_events_of_one_class_are_refused_where_they_would_count_twice() -> None:
    pair = one([Event(0, 2, "A"), Event(1, 3, "A")], [Event(0, 1, "A")])
    with pytest.raises(DataError, match=r"truth: two events of 'A' overlap in 'x', at 1 s"):
        intersection_based(*pair)
    with pytest.raises(DataError, match="prediction: two events"):
        intersection_based(*pair[::-1])
    assert event_based(*pair).fn.sum() == 2


def test_tables_that_do_not_go_together_are_refused() -> None:
    truth = event_table({"x": [Event(0, 1, "A")]}, classes=("A",))
    for other in (event_table({"y": []}, classes=("A",)), event_table({"x": []}, classes=("B",))):
        for metric in (segment_based, event_based, intersection_based, boundary_errors):
            with pytest.raises(UsageError, match="different clips or classes"):
                metric(truth, other)
    with pytest.raises(UnknownNameError, match="unknown class 'A'"):
        event_table({"x": [Event(0, 1, "A")]}, classes=("B",))
    with pytest.raises(UnknownNameError, match="unknown clip 'x'"):
        event_table({"x": []}, clips=("y",))


@pytest.mark.parametrize(
    "call",
    [
        lambda t: segment_based(t, t, 0.0),
        lambda t: segment_based(t, t, 1.0, slack=0.5),
        lambda t: event_based(t, t, collar=0.0),
        lambda t: event_based(t, t, share=-1.0),
        lambda t: Criteria(dtc=0.0),
        lambda t: Criteria(gtc=1.1),
        lambda t: Criteria(cttc=0.0),
    ],
)
def test_parameters_that_cannot_be_are_refused(call: Any) -> None:
    with pytest.raises(UsageError):
        call(event_table({"x": [Event(0, 1, "A")]}))
