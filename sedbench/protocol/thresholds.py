"""From frame scores to active frames: three policies of choosing a threshold, and a bound.

A frame is predicted active where its score exceeds the threshold *strictly*.

``percentile``
    The clip's own percentile, 1 to 99, as in the study. It forces the same share of active
    frames on every clip, whatever the event's length.
``relative``
    A fraction, 0.01 to 0.99, of the clip's largest score.
``absolute``
    One level for all clips, out of the 99 percentiles of the validation scores.
``oracle``
    Each pair's best threshold of all: a bound on what any policy could reach, not a policy.

Conventions
-----------
- Under ``percentile`` and ``relative``, which know nothing but the clip, a constant score is
  *always off*: no frame stands out. A clip whose largest score is not positive is always off under
  ``relative``, since a fraction of it means nothing.
- Under ``absolute`` a level is shared by all clips, so a clip above it throughout is active
  throughout; a score that is the same everywhere ties with its own percentiles and is always off.
- The oracle may choose any threshold, below the smallest score too (always on). Among equals it
  takes the fewest frames.
- Percentiles are linear (``numpy.percentile``). Such a threshold lies between two neighbouring
  order statistics, below the upper one unless they tie; so the frames above it are exactly those
  above the *lower* one. That is what is compared with here, with the rank in whole numbers:
  ``numpy.percentile`` rounds where a percentile falls on an order statistic, this does not.
- The absolute candidates are observed scores for the same reason (the lower order statistic).

References
----------
Dumpis and Virtanen, arXiv:2605.23293, 2026 (the percentile policy).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sedbench.errors import UnknownNameError
from sedbench.types import BoolArray, FloatArray

Policy = Literal["percentile", "relative", "absolute"]
POLICIES: tuple[Policy, ...] = ("percentile", "relative", "absolute")
"""In order of preference among equals."""

PERCENTILES: NDArray[np.float64] = np.arange(1.0, 100.0)
FRACTIONS: NDArray[np.float64] = np.arange(1, 100) / 100
for _grid in (PERCENTILES, FRACTIONS):
    _grid.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Counts:
    """Frame counts of predictions against a truth; arrays of one shape.

    Attributes
    ----------
    tp, fp, fn : ndarray
    """

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]


def _lower_rank(percentile: ArrayLike, n: int) -> NDArray[np.int64]:
    """Rank (from 0) of the order statistic at or below a percentile of ``n`` values."""
    return np.asarray(np.asarray(percentile, np.float64) * (n - 1) // 100, np.int64)


def absolute_candidates(scores: FloatArray) -> NDArray[np.float64]:
    """Take the 99 percentiles of the scores pooled over pairs and frames.

    Parameters
    ----------
    scores : ndarray, any shape, not empty
        Validation scores.

    Returns
    -------
    ndarray, shape (99,)
        Observed values, not decreasing.
    """
    pooled = np.sort(np.asarray(scores, np.float64), axis=None)
    return np.asarray(pooled[_lower_rank(PERCENTILES, pooled.size)])


def default_candidates(policy: Policy, validation: FloatArray) -> NDArray[np.float64]:
    """Give the 99 candidates of a policy; only ``absolute`` looks at the validation scores."""
    if policy == "percentile":
        return PERCENTILES
    if policy == "relative":
        return FRACTIONS
    return absolute_candidates(validation)


@dataclass(frozen=True, eq=False)
class SortedScores:
    """Frame scores with each row sorted once, for counting at many thresholds.

    Attributes
    ----------
    values : ndarray, shape (pairs, frames), float
        Finite.
    """

    values: FloatArray

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self.values, axis=-1)

    @cached_property
    def ascending(self) -> NDArray[np.float64]:
        """Each row from its smallest score up, shape (pairs, frames)."""
        return np.asarray(np.take_along_axis(self.values, self._order, -1), np.float64)

    def levels(self, policy: str, candidates: ArrayLike) -> NDArray[np.float64]:
        """Give the score that a frame must exceed; infinity where a rule says always off.

        Parameters
        ----------
        policy : {"percentile", "relative", "absolute"}
        candidates : array_like, shape (candidates,)

        Returns
        -------
        ndarray, shape (pairs, candidates)

        Raises
        ------
        UnknownNameError
            No such policy.
        """
        wanted = np.asarray(candidates, np.float64)
        rows = self.ascending
        if policy == "percentile":
            return np.asarray(rows[:, _lower_rank(wanted, rows.shape[1])])
        if policy == "relative":
            top = rows[:, -1:]
            off = (top <= 0) | (rows[:, :1] == top)
            return np.asarray(np.where(off, np.inf, wanted * np.maximum(top, 0.0)))
        if policy == "absolute":
            return np.broadcast_to(wanted, (rows.shape[0], wanted.size))
        raise UnknownNameError.of("threshold policy", policy, POLICIES)

    def above(self, levels: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count the frames above each level, (pairs, candidates) for levels of that shape."""
        frames = self.ascending.shape[1]
        below = np.empty(levels.shape, np.int64)
        for row, (scores, wanted) in enumerate(zip(self.ascending, levels, strict=True)):
            below[row] = np.searchsorted(scores, wanted, side="right")
        return np.asarray(frames - below)

    def ladder(self, truth: BoolArray) -> NDArray[np.int64]:
        """Count true frames among the ``k`` highest, k from 0 on, shape (pairs, frames + 1)."""
        hits = np.zeros((truth.shape[0], truth.shape[1] + 1), np.int64)
        np.cumsum(np.take_along_axis(truth, self._order, -1)[:, ::-1], axis=-1, out=hits[:, 1:])
        return hits

    def counts(self, truth: BoolArray, predicted: NDArray[np.int64]) -> Counts:
        """Count where the ``predicted`` highest frames of each pair are active.

        Parameters
        ----------
        truth : ndarray, shape (pairs, frames), bool
        predicted : ndarray, shape (pairs, candidates), int
            From :meth:`above`: ties are never split.
        """
        tp = np.take_along_axis(self.ladder(truth), predicted, -1)
        return Counts(tp, predicted - tp, truth.sum(-1)[:, None] - tp)

    def best(self, truth: BoolArray) -> NDArray[np.int64]:
        """Active frames under each pair's IoU-optimal threshold, shape (pairs,)."""
        rows, frames = self.ascending, truth.shape[1]
        tp = self.ladder(truth)
        union = np.arange(frames + 1) + tp[:, -1:] - tp
        # Both empty is a perfect answer, as in the metric.
        overlap: NDArray[Any] = np.where(union == 0, 1.0, tp / np.maximum(union, 1))
        splits_tie = np.zeros(overlap.shape, bool)
        splits_tie[:, 1:-1] = (rows[:, 1:] == rows[:, :-1])[:, ::-1]
        return np.asarray(np.where(splits_tie, -1.0, overlap).argmax(-1), np.int64)


def masks(scores: FloatArray, policy: str, candidates: ArrayLike) -> BoolArray:
    """Predicted frames at every candidate.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
    policy : {"percentile", "relative", "absolute"}
    candidates : array_like, shape (candidates,)

    Returns
    -------
    ndarray, shape (pairs, candidates, frames), bool
    """
    levels = SortedScores(scores).levels(policy, candidates)
    return np.asarray(np.asarray(scores)[:, None, :] > levels[:, :, None])


def counts(scores: FloatArray, truth: BoolArray, policy: str, candidates: ArrayLike) -> Counts:
    """Count at every candidate, without making the masks.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
    truth : ndarray, shape (pairs, frames), bool
    policy : {"percentile", "relative", "absolute"}
    candidates : array_like, shape (candidates,)

    Returns
    -------
    Counts
        Arrays of shape (pairs, candidates).
    """
    ordered = SortedScores(scores)
    return ordered.counts(truth, ordered.above(ordered.levels(policy, candidates)))


def oracle(scores: FloatArray, truth: BoolArray) -> Counts:
    """Count under each pair's best threshold, over all thresholds there are.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
    truth : ndarray, shape (pairs, frames), bool

    Returns
    -------
    Counts
        Arrays of shape (pairs,).
    """
    ordered = SortedScores(scores)
    found = ordered.counts(truth, ordered.best(truth)[:, None])
    return Counts(found.tp[:, 0], found.fp[:, 0], found.fn[:, 0])
