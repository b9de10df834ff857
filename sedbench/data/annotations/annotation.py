"""What people say sounds in a recording, whatever file they wrote it into.

An :class:`Annotation` is one recording's events in their one canonical form: sorted by time,
and merged, so that events of one class neither overlap nor touch. Two people speaking at once
are one stretch of speech, and a class sounds at an instant or it does not: that is what a
frame truth is made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sedbench.types import Event

TOUCH = 1e-9  # s; sums of decimal fractions that should meet are apart by less


def merge(events: Iterable[Event]) -> tuple[Event, ...]:
    """Join events of one class that overlap or touch.

    Parameters
    ----------
    events : iterable of Event
        In any order.

    Returns
    -------
    tuple of Event
        Sorted by onset, offset and label. Merging them again changes nothing.
    """
    done: list[Event] = []
    last: dict[str, Event] = {}
    for event in sorted(events):
        before = last.get(event.label)
        if before is None:
            last[event.label] = event
        elif event.onset <= before.offset + TOUCH:
            offset = max(before.offset, event.offset)
            last[event.label] = Event(before.onset, offset, event.label)
        else:
            done.append(before)
            last[event.label] = event
    return tuple(sorted([*done, *last.values()]))


@dataclass(frozen=True)
class Annotation:
    """What sounds in one recording.

    Attributes
    ----------
    file : str
        The recording's name, as the annotation file spells it.
    events : tuple of Event
        Merged and sorted as it is made; empty where nothing sounds.
    duration : float or None
        Seconds; None where nobody says it. No event ends after it.
    """

    file: str
    events: tuple[Event, ...]
    duration: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", merge(self.events))
        if self.duration is None:
            return
        if not 0 < self.duration < float("inf"):
            raise ValueError(f"{self.file!r} has the duration {self.duration}")
        for event in self.events:
            if event.offset > self.duration + TOUCH:
                raise ValueError(
                    f"event {event.label!r} of {self.file!r} ends at {event.offset:g} s, "
                    f"past the recording's {self.duration:g} s"
                )


@dataclass(frozen=True)
class AnnotationSet:
    """What an annotation file says, and what had to be done to it.

    Attributes
    ----------
    annotations : tuple of Annotation
        Sorted by file, each file once.
    merged : int
        How many events fewer there are after merging.
    trimmed : int
        Events that were shortened to the end of their recording.
    dropped : int
        Events of which nothing lay inside their recording.
    """

    annotations: tuple[Annotation, ...]
    merged: int = 0
    trimmed: int = 0
    dropped: int = 0

    def __iter__(self) -> Iterator[Annotation]:
        return iter(self.annotations)

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, file: str) -> Annotation:
        for annotation in self.annotations:
            if annotation.file == file:
                return annotation
        raise KeyError(file)
