"""A clip's time, cut into segments that are masked as a whole.

Edges lie on whole feature frames where features are masked, on samples where the waveform is;
segments have the length asked for as nearly as that allows, and the last may be shorter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cut:
    """Segments of a clip.

    Attributes
    ----------
    marks : ndarray, shape (segments + 1,), int64
        First frame (or sample) of each segment, and the end.
    edges : ndarray, shape (segments + 1,)
        The same in seconds.
    """

    marks: NDArray[np.int64]
    edges: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Number of segments."""
        return len(self.marks) - 1

    @property
    def length(self) -> float:
        """Median length of a segment in seconds."""
        return round(float(np.median(np.diff(self.edges))), 9)

    @property
    def owner(self) -> NDArray[np.int64]:
        """The segment of each frame (or sample)."""
        return np.repeat(np.arange(self.count), np.diff(self.marks))


def of_frames(edges: NDArray[np.float64], segment: float) -> Cut:
    """Segments of whole feature frames.

    Parameters
    ----------
    edges : ndarray, shape (frames + 1,)
        Of the frames, in seconds.
    segment : float
        Seconds.
    """
    return at_frames(edges, range(0, len(edges) - 1, frames_in(edges, segment)))


def at_frames(edges: NDArray[np.float64], starts: Iterable[int]) -> Cut:
    """Segments that begin at given frames, in order, the first of them at frame 0."""
    marks = np.array([*starts, len(edges) - 1], np.int64)
    return Cut(marks, np.asarray(edges[marks], np.float64))


def frames_in(edges: NDArray[np.float64], seconds: float) -> int:
    """How many frames are nearest to so many seconds; one at least."""
    return max(1, round(seconds / float(np.median(np.diff(edges)))))


def of_samples(samples: int, sample_rate: int, segment: float) -> Cut:
    """Segments of whole samples, of a clip of so many."""
    step = max(1, round(segment * sample_rate))
    marks = np.array([*range(0, samples, step), samples], np.int64)
    return Cut(marks, marks / sample_rate)
