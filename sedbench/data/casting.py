"""Which recording plays which event, where chance alone would be too uneven.

A few hundred events among a hundred recordings leave some unheard and give others several
appearances. A :class:`Dealer` hands out classes and recordings like cards: always one that was
used least so far, ties drawn by lot. So every class of a split is used about equally often,
and every recording of a class before any of them comes again.

An event that is longer than every recording of its class is played by several of them in a
*chain*, each joining the one before with an overlap of :data:`JOINT` seconds, as long as a
fade: of the same group where it has them (one pan, one voice), or by the same one again, as a
background is tiled. To hear and to score it is one event.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from sedbench.data.soundbank import Recording
from sedbench.errors import DataError
from sedbench.types import Event

JOINT = 0.01
NEARLY = 0.8  # of the longest recording: as good as the longest where none is long enough


@dataclass(frozen=True, slots=True)
class Part:
    """A recording that plays an event, or a piece of one.

    Attributes
    ----------
    recording : Recording
    onset, length : float or None
        Seconds; None where they are drawn from the recipe's distributions.
    continues : bool
        Whether it goes on with the event of the part before, and so has its level.
    """

    recording: Recording
    onset: float | None = None
    length: float | None = None
    continues: bool = False


class Dealer:
    """Hands out labels and recordings, the least used ones first.

    Parameters
    ----------
    recordings : iterable of Recording
        Foreground recordings.
    state : RandomState
        Breaks ties.
    repeats : bool
        Whether a clip may hold a recording twice.
    """

    def __init__(
        self, recordings: Sequence[Recording], state: np.random.RandomState, repeats: bool
    ) -> None:
        self.state, self.repeats = state, repeats
        self.of_label: dict[str, list[Recording]] = {}
        for recording in sorted(recordings, key=lambda r: r.id):
            self.of_label.setdefault(recording.label, []).append(recording)
        self.used: Counter[str] = Counter()  # recordings by id
        self.uses: Counter[str] = Counter()  # events by label

    def labels(self, slots: Sequence[int]) -> tuple[str, ...]:
        """Classes for the events of a clip.

        Parameters
        ----------
        slots : sequence of int
            One an event; events with the same number get the same class.

        Raises
        ------
        DataError
            There are too few classes, or too few recordings in each.
        """
        chosen: dict[int, str] = {}
        for slot, events in sorted(Counter(slots).items(), key=lambda item: (-item[1], item[0])):
            free = [
                label
                for label, recordings in sorted(self.of_label.items())
                if label not in chosen.values() and (self.repeats or len(recordings) >= events)
            ]
            if not free:
                raise DataError(
                    f"no class is left that has {events} different recordings for one clip",
                    "ask for fewer events, or allow repeated_sources",
                )
            label = free[self._least([self.uses[x] for x in free])]
            chosen[slot] = label
            self.uses[label] += events
        return tuple(chosen[slot] for slot in slots)

    def parts(self, labels: Sequence[str], refused: Collection[str] = ()) -> tuple[Part, ...]:
        """One recording for each event of a clip; times are left open."""
        taken: list[str] = []
        for label in labels:
            recording = self._recording(self.of_label[label], taken, refused, self.repeats)
            taken.append(recording.id)
        by_id = {r.id: r for label in set(labels) for r in self.of_label[label]}
        return tuple(Part(by_id[key]) for key in taken)

    def chains(self, events: Sequence[Event], refused: Collection[str] = ()) -> tuple[Part, ...]:
        """Recordings for the events of a clip, whose times are given.

        Recordings that last as long as the event are preferred; one is used twice in a clip
        only where no other is left.
        """
        parts: list[Part] = []
        for event in events:
            length = event.offset - event.onset
            recordings = self.of_label[event.label]
            usable = [r for r in recordings if r.id not in refused] or recordings
            enough = min(length, NEARLY * max(r.duration for r in usable))
            fitting = [r for r in usable if r.duration >= enough]
            taken = [p.recording.id for p in parts]
            first = self._recording(fitting, taken, refused, repeats=True)
            parts += self._chain(first, event.onset, length, taken, refused)
        return tuple(parts)

    def _chain(
        self,
        first: Recording,
        onset: float,
        length: float,
        taken: Collection[str],
        refused: Collection[str],
    ) -> list[Part]:
        if length <= first.duration:
            return [Part(first, onset, length)]
        pieces = max(math.ceil((length - JOINT) / max(first.duration - JOINT, JOINT)), 2)
        piece = (length + (pieces - 1) * JOINT) / pieces
        chain = [Part(first, onset, piece)]
        for i in range(1, pieces):
            heard = {*taken, *refused, *(p.recording.id for p in chain)}
            others = [
                r
                for r in self.of_label[first.label]
                if r.group == first.group and r.duration >= piece and r.id not in heard
            ]
            recording = self._recording(others or [first], (), (), repeats=True)
            chain.append(Part(recording, onset + i * (piece - JOINT), piece, continues=True))
        return chain

    def take_back(self, parts: Sequence[Part], labels: Sequence[str] = ()) -> None:
        """Uncount recordings, and events by label, that did not come to be used."""
        self.used.subtract(part.recording.id for part in parts)
        self.uses.subtract(labels)

    def _recording(
        self,
        among: Sequence[Recording],
        taken: Collection[str],
        refused: Collection[str],
        repeats: bool,
    ) -> Recording:
        """The least used one; one of this clip or a refused one only where it must be."""
        choices = [r for r in among if r.id not in taken and r.id not in refused]
        if not choices:
            choices = [r for r in among if r.id not in (refused if repeats else taken)]
        choices = choices or list(among)
        chosen = choices[self._least([self.used[r.id] for r in choices])]
        self.used[chosen.id] += 1
        return chosen

    def _least(self, counts: Sequence[int]) -> int:
        """Where the least count stands; one of them by lot."""
        least = [i for i, count in enumerate(counts) if count == min(counts)]
        return least[int(self.state.randint(len(least)))]
