"""Casting: everyone gets a turn before anyone gets two; long events are played in chains."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sedbench.data.casting import JOINT, Dealer
from sedbench.data.soundbank import Recording
from sedbench.errors import DataError
from sedbench.types import Event


def recording(label: str, name: str, duration: float = 2.0, group: str = "") -> Recording:
    return Recording(
        f"foreground/{label}/{name}", "foreground", label, "test", duration, group or name
    )


BANK = [recording(label, f"{label}{i}") for label in ("Cat", "Cow", "Dog") for i in range(5)]


def dealer(recordings: list[Recording] | None = None, *, repeats: bool = False) -> Dealer:
    return Dealer(recordings or BANK, np.random.RandomState(1), repeats)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_classes_and_recordings_take_turns(sizes: list[int]) -> None:
    deal = dealer()
    labels: Counter[str] = Counter(dict.fromkeys(("Cat", "Cow", "Dog"), 0))
    used = Counter({r.id: 0 for r in BANK})
    for size in sizes:
        chosen = deal.labels(range(size))
        parts = deal.parts(chosen)
        assert [p.recording.label for p in parts] == list(chosen)
        assert len({p.recording.id for p in parts}) == size
        labels.update(chosen)
        used.update(p.recording.id for p in parts)
    assert max(labels.values()) - min(labels.values()) <= 1
    for label in labels:
        uses = [n for key, n in used.items() if f"/{label}/" in key]
        assert max(uses) - min(uses) <= 1


def test_events_that_share_a_class_share_it() -> None:
    deal = dealer()
    for _ in range(12):
        first, second, third = deal.labels([4, 7, 4])
        assert first == third != second
    assert max(deal.uses.values()) - min(deal.uses.values()) <= 2
    with pytest.raises(DataError, match="6 different recordings"):
        deal.labels([0] * 6)
    with pytest.raises(DataError, match="no class is left"):
        deal.labels(range(4))
    assert len(set(dealer(repeats=True).labels([0] * 6))) == 1


def test_what_was_not_used_is_dealt_again() -> None:
    deal = dealer([recording("Cat", "a"), recording("Cat", "b")])
    parts = deal.parts(deal.labels([0]))
    deal.take_back(parts, ["Cat"])
    assert deal.uses["Cat"] == 0 and set(deal.used.values()) == {0}


def test_a_refused_recording_gives_way() -> None:
    deal = dealer()
    for _ in range(10):
        (part,) = deal.parts(["Cat"], refused={"foreground/Cat/Cat0"})
        assert part.recording.id != "foreground/Cat/Cat0"
    alone = dealer([recording("Cat", "a")])
    assert alone.parts(["Cat"], refused={"foreground/Cat/a"})[0].recording.id.endswith("/a")


def test_an_event_is_played_by_a_recording_that_lasts_as_long() -> None:
    deal = dealer([recording("Cat", f"c{i}", 1.0 + i) for i in range(4)], repeats=True)
    for length, enough in ((0.5, {0, 1, 2, 3}), (2.5, {2, 3}), (3.9, {3})):
        seen = set()
        for _ in range(12):
            (part,) = deal.chains([Event(1.0, 1.0 + length, "Cat")])
            assert (part.onset, part.length) == (1.0, pytest.approx(length))
            seen.add(int(part.recording.id[-1]))
        assert seen == enough


@pytest.mark.parametrize(("length", "pieces"), [(4.5, 1), (5.5, 2), (9.98, 2), (10.0, 3)])
def test_a_longer_event_is_played_in_a_chain(length: float, pieces: int) -> None:
    bank = [
        recording("Cat", "a0", 5.0, "a"),
        recording("Cat", "a1", 5.0, "a"),
        recording("Cat", "b0", 5.0, "b"),
        recording("Cat", "short", 0.5, "a"),
    ]
    parts = dealer(bank, repeats=True).chains([Event(0.25, 0.25 + length, "Cat")])
    assert len(parts) == pieces
    onsets = np.array([p.onset for p in parts], float)
    lengths = np.array([p.length for p in parts], float)
    assert onsets[0] == 0.25 and onsets[-1] + lengths[-1] == pytest.approx(0.25 + length)
    assert np.allclose(onsets[:-1] + lengths[:-1] - onsets[1:], JOINT)
    assert lengths.max() <= 5.0
    assert [p.continues for p in parts] == [False] + [True] * (pieces - 1)
    assert len({p.recording.group for p in parts}) == 1
    if pieces == 2 and parts[0].recording.group == "a":
        assert parts[0].recording != parts[1].recording  # the pan's other recording
