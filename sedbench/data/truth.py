"""When the classes of a task sound in the clips of a split, as events in seconds.

It is the task's primary truth. ``extent`` is exact: what the index, or the annotation of a
recording, says. ``activity`` is only known in frames, and its events are runs of active frames.
Overlapping events of one class are one event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np

from sedbench.data.annotations import Annotation
from sedbench.data.cache import BankFactory, iter_rendered
from sedbench.data.soundscape import Excerpt
from sedbench.data.windows import AnnotatedSoundbank
from sedbench.errors import DataError
from sedbench.tasks import Clip, TaskSpec
from sedbench.types import Event, Split

SHORTEST = 1e-6  # s; less cannot be written


def true_events(
    task: TaskSpec,
    split: Split,
    bank: BankFactory,
    *,
    only: Iterable[str] | None = None,
    name: Callable[[str], str] = str,
) -> list[Annotation]:
    """What sounds in each clip of a split.

    Parameters
    ----------
    task : TaskSpec
    split : {"train", "validation", "test", "development"}
    bank : callable
        Returns the task's soundbank; called only where the index does not say what sounds.
    only : iterable of str, optional
        The ids of the clips that are wanted; all unless given.
    name : callable
        From a clip's id to the name of its recording.

    Returns
    -------
    list of Annotation
        One a clip, in the order of the index, with its duration; without events where no class
        of the task sounds.

    Raises
    ------
    DataError
        The task has no such split, or its sounds are not those that it was drawn from.
    MissingDataError
        The index, or an annotation that is needed, is not here.
    """
    wanted = None if only is None else frozenset(only)
    clips = [clip for clip in task.clips(split) if wanted is None or clip.id in wanted]
    if task.truth == "extent":
        events = _extents(task, clips, bank)
    else:
        events = _runs(task, split, bank, wanted)
    return [
        Annotation(name(clip.id), tuple(found), clip.duration)
        for clip, found in zip(clips, events, strict=True)
    ]


def _extents(task: TaskSpec, clips: list[Clip], bank: BankFactory) -> Iterator[list[Event]]:
    source = bank() if any(isinstance(clip, Excerpt) for clip in clips) else None
    for clip in clips:
        if not isinstance(clip, Excerpt):
            spans = [(e.event_time, e.event_time + e.event_duration, e.label) for e in clip.events]
        elif isinstance(source, AnnotatedSoundbank):
            told = source.events(clip.recording)
            spans = [(e.onset - clip.start, e.offset - clip.start, e.label) for e in told]
        else:
            raise DataError(f"soundbank {task.soundbank!r} has no annotated recordings")
        cut = [(max(on, 0.0), min(off, clip.duration), label) for on, off, label in spans]
        yield [Event(*e) for e in cut if e[1] - e[0] >= SHORTEST and e[2] in task.classes]


def _runs(
    task: TaskSpec, split: Split, bank: BankFactory, wanted: frozenset[str] | None
) -> Iterator[list[Event]]:
    edges = task.grid.edges
    for clip in iter_rendered(task, split, bank, only=wanted):
        active = getattr(clip, task.truth)
        yield [
            Event(float(edges[first]), float(edges[end]), label)
            for label, row in zip(task.classes, active, strict=True)
            for first, end in _stretches(row)
        ]


def _stretches(row: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Iterator[tuple[int, int]]:
    """First frame, and the one after the last, of each run of active frames."""
    turns = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(np.int8)))
    yield from list(pairwise(turns.tolist()))[::2]
