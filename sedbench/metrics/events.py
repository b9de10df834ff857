"""Event lists as columns: what sounds, or is claimed to sound, in many clips at once.

An :class:`EventTable` holds the events of a set of clips, sorted by clip, class and time. Truth and
prediction are two tables over the *same* clips and classes, so that a clip without a prediction, or
a class that nobody predicts, is counted and cannot be forgotten. :func:`event_tables` makes both.

Conventions
-----------
- Seconds from the start of the clip; intervals are half open ``[onset, offset)``.
- Events of one class may overlap in a table. What needs them apart says so:
  :func:`sedbench.data.annotations.merge` joins them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import DataError, UnknownNameError, UsageError
from sedbench.types import Event

TOUCH = 1e-9  # s; events that overlap by less only touch


@dataclass(frozen=True)
class EventTable:
    """Events of many clips as columns, sorted by clip, class, onset and offset.

    Attributes
    ----------
    clips, classes : tuple of str
        Every clip and every class, with or without events.
    clip, label : ndarray, shape (events,), int64
        Rows in ``clips`` and ``classes``.
    onset, offset : ndarray, shape (events,), float64
        Seconds, ``onset < offset``.
    """

    clips: tuple[str, ...]
    classes: tuple[str, ...]
    clip: NDArray[np.int64]
    label: NDArray[np.int64]
    onset: NDArray[np.float64]
    offset: NDArray[np.float64]

    def __post_init__(self) -> None:
        order = np.lexsort((self.offset, self.onset, self.label, self.clip))
        if np.any(order[1:] < order[:-1]):
            for name in ("clip", "label", "onset", "offset"):
                object.__setattr__(self, name, getattr(self, name)[order])

    def __len__(self) -> int:
        return int(self.clip.shape[0])

    @property
    def group(self) -> NDArray[np.int64]:
        """A number for each (clip, class), not decreasing from event to event."""
        return self.clip * len(self.classes) + self.label

    @property
    def length(self) -> NDArray[np.float64]:
        """Seconds that each event lasts."""
        return self.offset - self.onset

    @property
    def count(self) -> NDArray[np.int64]:
        """Number of events of each class, shape (classes,)."""
        return np.bincount(self.label, minlength=len(self.classes)).astype(np.int64)

    def take(self, keep: NDArray[np.bool_]) -> EventTable:
        """Some of the events; the clips and classes stay."""
        columns = (self.clip[keep], self.label[keep], self.onset[keep], self.offset[keep])
        return EventTable(self.clips, self.classes, *columns)

    def of_class(self, label: int) -> EventTable:
        """The events of one class; the clips and classes stay."""
        return self.take(self.label == label)

    def require_apart(self, what: str) -> None:
        """See that no two events of one class overlap in a clip.

        Raises
        ------
        DataError
            Two do; the message names ``what``, the clip and the times.
        """
        same = self.group[1:] == self.group[:-1]
        bad = np.flatnonzero(same & (self.onset[1:] < self.offset[:-1] - TOUCH))
        if bad.size:
            i = int(bad[0])
            raise DataError(
                f"{what}: two events of {self.classes[self.label[i]]!r} overlap in "
                f"{self.clips[self.clip[i]]!r}, at {self.onset[i + 1]:g} s",
                "join them first, with sedbench.data.annotations.merge",
            )


def event_table(
    events: Mapping[str, Iterable[Event]],
    clips: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> EventTable:
    """Make a table from lists of events.

    Parameters
    ----------
    events : mapping of str to iterable of Event
        Events by clip.
    clips : sequence of str, optional
        All clips; the keys of ``events`` in sorted order where not given.
    classes : sequence of str, optional
        All classes; those that occur in sorted order where not given.

    Returns
    -------
    EventTable

    Raises
    ------
    UnknownNameError
        A clip or a class is none of those given.
    """
    lists = {clip: list(found) for clip, found in events.items()}
    names = tuple(sorted(lists) if clips is None else clips)
    labels = tuple(
        sorted({e.label for found in lists.values() for e in found}) if classes is None else classes
    )
    where = {name: i for i, name in enumerate(names)}
    which = {name: i for i, name in enumerate(labels)}
    rows: list[tuple[int, int, float, float]] = []
    for clip, found in lists.items():
        if clip not in where:
            raise UnknownNameError.of("clip", clip, names)
        number = where[clip]
        for event in found:
            if event.label not in which:
                raise UnknownNameError.of("class", event.label, labels)
            rows.append((number, which[event.label], event.onset, event.offset))
    columns = np.array(rows, np.float64).reshape(-1, 4).T
    index = columns[:2].astype(np.int64)
    return EventTable(names, labels, index[0], index[1], columns[2].copy(), columns[3].copy())


def event_tables(
    truth: Mapping[str, Iterable[Event]],
    predicted: Mapping[str, Iterable[Event]],
    classes: Sequence[str] | None = None,
) -> tuple[EventTable, EventTable]:
    """Make a table of truth and one of predictions over the clips and classes of both.

    Parameters
    ----------
    truth, predicted : mapping of str to iterable of Event
        Events by clip. A clip that only one of them names has no events in the other.
    classes : sequence of str, optional
        All classes; those that occur in either where not given.

    Returns
    -------
    tuple of EventTable
        Truth and prediction.

    Raises
    ------
    UnknownNameError
        A class is none of those given.
    """
    lists = [{clip: list(found) for clip, found in each.items()} for each in (truth, predicted)]
    clips = sorted({*lists[0], *lists[1]})
    if classes is None:
        classes = sorted({e.label for each in lists for found in each.values() for e in found})
    first, second = (event_table(each, clips, classes) for each in lists)
    return first, second


def require_alike(truth: EventTable, predicted: EventTable) -> None:
    """See that two tables are over the same clips and classes.

    Raises
    ------
    UsageError
        They are not.
    """
    if truth.clips != predicted.clips or truth.classes != predicted.classes:
        raise UsageError(
            "truth and prediction are over different clips or classes",
            "make both with sedbench.metrics.event_tables, or name the same clips and classes",
        )
