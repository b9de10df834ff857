"""Score tables: what a detector says of every class over the frames of a clip.

A :class:`ScoreTable` is one clip: ``frames + 1`` time edges and a column of scores a class, the
form in which detectors are exchanged (:mod:`sedbench.data.score_tables` reads and writes it). A
:class:`ScoreSet` is many clips end to end, which need not have the same frames.

Conventions
-----------
- Higher means "more evidence for the class here". Scores of different clips must be comparable:
  one threshold is applied to all of them.
- A frame is detected where its score *exceeds* the threshold, and neighbouring detected frames are
  one event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import DataError, UsageError
from sedbench.metrics.events import EventTable


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one clip.

    Attributes
    ----------
    classes : tuple of str
    values : ndarray, shape (frames, classes)
        Finite.
    edges : ndarray, shape (frames + 1,), float64
        Time edges of the frames in seconds, strictly increasing.
    """

    classes: tuple[str, ...]
    values: NDArray[np.floating]
    edges: NDArray[np.float64]

    def __post_init__(self) -> None:
        frames = self.edges.shape[0] - 1
        if self.values.shape != (frames, len(self.classes)) or frames < 1:
            raise ValueError(
                f"{frames} frames of {len(self.classes)} classes need scores of that shape, "
                f"got {self.values.shape}"
            )
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"a class stands twice in {self.classes}")
        if not np.isfinite(self.values).all():
            raise ValueError("scores must be finite")
        if not (np.diff(self.edges) > 0).all():
            raise ValueError("edges must increase")


@dataclass(frozen=True)
class ScoreSet:
    """Scores of many clips end to end.

    Attributes
    ----------
    clips, classes : tuple of str
    values : ndarray, shape (frames of all clips, classes), float64
    edges : ndarray, shape (frames of all clips + clips,), float64
        Time edges, those of a clip after those of the clip before.
    starts : ndarray, shape (clips + 1,), int64
        The first frame of each clip, and the number of frames.
    """

    clips: tuple[str, ...]
    classes: tuple[str, ...]
    values: NDArray[np.float64]
    edges: NDArray[np.float64]
    starts: NDArray[np.int64]

    @cached_property
    def clip(self) -> NDArray[np.int64]:
        """The clip of each frame."""
        return np.repeat(np.arange(len(self.clips)), np.diff(self.starts))

    @cached_property
    def clip_of_edge(self) -> NDArray[np.int64]:
        """The clip of each edge."""
        return np.repeat(np.arange(len(self.clips)), np.diff(self.starts) + 1)

    @cached_property
    def seconds(self) -> float:
        """What all clips last together, by their last edges."""
        last = self.starts[1:] + np.arange(len(self.clips))
        return float(self.edges[last].sum())


def score_set(tables: Mapping[str, ScoreTable]) -> ScoreSet:
    """Put the scores of clips end to end.

    Parameters
    ----------
    tables : mapping of str to ScoreTable
        By clip; all of the same classes, in whatever order.

    Returns
    -------
    ScoreSet
        Clips in sorted order, classes in the order of the first clip.

    Raises
    ------
    UsageError
        There is no clip.
    DataError
        A clip has other classes than the first.
    """
    if not tables:
        raise UsageError("there are no scores to measure", "give the scores of at least one clip")
    clips = tuple(sorted(tables))
    classes = tables[clips[0]].classes
    values, edges = [], []
    for clip in clips:
        table = tables[clip]
        if table.classes == classes:
            values.append(table.values)
        elif set(table.classes) == set(classes):
            values.append(table.values[:, [table.classes.index(name) for name in classes]])
        else:
            odd = sorted(set(table.classes) ^ set(classes))
            raise DataError(
                f"{clip!r} and {clips[0]!r} are scored for different classes: {', '.join(odd)}",
                "score every clip for the same classes",
            )
        edges.append(table.edges)
    starts = np.cumsum([0, *(len(each) for each in values)])
    return ScoreSet(
        clips,
        classes,
        np.concatenate(values).astype(np.float64, copy=False),
        np.concatenate(edges).astype(np.float64, copy=False),
        starts.astype(np.int64),
    )


def detect(scores: ScoreSet, threshold: float | Mapping[str, float]) -> EventTable:
    """Decide: every stretch of frames above the threshold is an event.

    Parameters
    ----------
    scores : ScoreSet
    threshold : float or mapping of str to float
        One for all classes, or one for each.

    Returns
    -------
    EventTable
        Events of a class neither overlap nor touch.

    Raises
    ------
    UsageError
        A class has no threshold, or one that is not a number.
    """
    level = np.empty(len(scores.classes))
    for k, name in enumerate(scores.classes):
        if isinstance(threshold, Mapping) and name not in threshold:
            raise UsageError(f"the class {name!r} has no threshold", "give one for every class")
        level[k] = threshold[name] if isinstance(threshold, Mapping) else threshold
    if np.isnan(level).any():
        raise UsageError("a threshold is not a number", "give a finite threshold")
    # One silent frame around every clip, so that events end there: as many rows as edges, and one.
    at = np.arange(len(scores.clip)) + scores.clip + 1
    active = np.zeros((len(scores.edges) + 1, len(level)), np.int8)
    active[at] = scores.values > level
    step = np.diff(active, axis=0)
    label, start = np.nonzero(step.T == 1)
    _, stop = np.nonzero(step.T == -1)  # as many, in the same order
    return EventTable(
        scores.clips,
        scores.classes,
        scores.clip_of_edge[start],
        label.astype(np.int64),
        scores.edges[start],
        scores.edges[stop],
    )
