"""How much a method depends on its threshold: IoU and F1 at every candidate of a policy.

A curve is the mean over the localisation pairs of the test split at each of the 99 candidates of
one policy (:mod:`~sedbench.protocol.thresholds`), without smoothing, with a band of percentile
intervals from the crossed bootstrap, point by point. Nothing is tuned along a curve, so its
highest point was found on the test split: what a method reports is its value at the threshold
that *validation* chose, which is marked on it.

Candidates are told as numbers from 1 to 99: the percentile of the clip; the per cent of the
clip's largest score; for ``absolute``, whose levels differ from method to method, the percentile
of the validation scores that the level is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UnknownNameError
from sedbench.metrics.overlap import frame_f1, iou
from sedbench.protocol.calibration import Points, Selector
from sedbench.protocol.moments import TestPairs
from sedbench.protocol.pairs import DECISION, Scored
from sedbench.protocol.replicates import measure
from sedbench.protocol.smoothing import SMOOTHINGS
from sedbench.protocol.thresholds import PERCENTILES, POLICIES
from sedbench.stats import RESAMPLES, blocks, percentile_interval, weighted_mean

REACH = 10
"""How far from the best threshold a loss is looked at, in candidates."""


@dataclass(frozen=True, eq=False)
class Band:
    """A metric at every candidate.

    Attributes
    ----------
    value, low, high : ndarray, shape (99,)
        NaN where undefined.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """A method along the candidates of a policy.

    Attributes
    ----------
    policy : str
    at : ndarray, shape (99,)
        1 to 99.
    iou, f1 : Band
    chosen : tuple of float
        Candidates that validation chose, one a rotation; empty for a method that decides by
        itself, whose curves are flat.
    """

    policy: str
    at: NDArray[np.float64]
    iou: Band
    f1: Band
    chosen: tuple[float, ...]

    @property
    def best(self) -> int:
        """Place of the highest IoU on the test split; the first of equals."""
        return int(np.nanargmax(self.iou.value))

    def lost(self, reach: int = REACH) -> float:
        """The most IoU that is lost within ``reach`` candidates of the best one."""
        near = self.iou.value[max(self.best - reach, 0) : self.best + reach + 1]
        return float(self.iou.value[self.best] - np.nanmin(near))

    def width(self, loss: float = 0.05) -> int:
        """Candidates side by side, the best one among them, that lose at most ``loss`` IoU."""
        good = self.iou.value >= self.iou.value[self.best] - loss - 1e-12
        bad_below = np.flatnonzero(~good[: self.best])
        bad_above = np.flatnonzero(~good[self.best :])
        first = int(bad_below[-1]) + 1 if bad_below.size else 0
        last = self.best + int(bad_above[0]) if bad_above.size else good.size
        return last - first


def sensitivity(
    validation: Scored,
    test: Scored,
    policy: str = "percentile",
    *,
    primary: str = "extent",
    truth: str | None = None,
    decision: float = DECISION,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Sensitivity:
    """Measure a method at every candidate of a policy.

    Parameters
    ----------
    validation, test, primary, decision, seed
        See :func:`sedbench.protocol.evaluate.evaluate`.
    policy : {"percentile", "relative", "absolute"}
    truth : str, optional
        Of the curves; the primary one unless given. Thresholds are chosen for the primary one.
    resamples : int
        Bootstrap replicates of the bands; 0 for none.

    Raises
    ------
    UnknownNameError
        No such policy or truth.
    NothingSelectedError
        No validation pair to choose thresholds on.
    """
    if policy not in POLICIES:
        raise UnknownNameError.of("threshold policy", policy, POLICIES)
    against = primary if truth is None else truth
    if against not in test.table.truths:
        raise UnknownNameError.of("truth", against, test.table.truths)
    measured = measure(
        validation,
        test,
        primary=primary,
        decision=decision,
        seed=seed,
        smoothings=SMOOTHINGS[:1],
    )
    curves = np.concatenate(
        [_overlaps(part.pairs, policy, against) for part in measured.parts], axis=0
    )
    kept = np.concatenate([_kept(part.pairs) for part in measured.parts])
    value = weighted_mean(curves, measured.resampling.ones() * kept)[0]
    replicates = np.empty((curves.shape[1], resamples))
    for first, count in blocks(resamples, curves.shape[1] + len(kept)):
        weights = measured.resampling.weights(first, count) * kept
        replicates[:, first : first + count] = weighted_mean(curves, weights).T
    low, high = percentile_interval(replicates)
    half = len(PERCENTILES)
    overlap, score = (Band(value[p], low[p], high[p]) for p in (np.s_[:half], np.s_[half:]))
    selectors = measured.selectors.values() if test.mask is None else ()
    chosen = tuple(_chosen(selector, policy) for selector in selectors)
    return Sensitivity(policy, PERCENTILES, overlap, score, chosen)


def _candidates(points: Points, policy: str) -> NDArray[np.int64]:
    """Points of a policy without smoothing, from the smallest candidate up."""
    row = [str(name) for name in POLICIES].index(policy)
    return np.flatnonzero((points.policy == row) & (points.smoothing == 0))


def _chosen(selector: Selector, policy: str) -> float:
    """The candidate that validation chose, as a number from 1 to 99."""
    places = _candidates(selector.points, policy)
    return float(PERCENTILES[places == selector.chosen()[policy, "none"]][0])


def _overlaps(pairs: TestPairs, policy: str, truth: str) -> NDArray[np.float64]:
    """IoU, then F1, at every candidate, shape (rows, 198); a false alarm has 0."""
    active = pairs.truths[truth]
    answer = pairs.answer
    if answer.mask is not None:
        hits = (answer.mask & active).sum(-1, keepdims=True)
        claimed = answer.mask.sum(-1, keepdims=True)
        missed = active.sum(-1, keepdims=True) - hits
        found = [f(hits, claimed - hits, missed) for f in (iou, frame_f1)]
        both = np.concatenate([np.repeat(each, len(PERCENTILES), axis=1) for each in found], 1)
    else:
        scores = pairs.ordered(0)
        candidates = pairs.points.value[_candidates(pairs.points, policy)]
        counted = scores.counts(active, scores.above(scores.levels(policy, candidates)))
        both = np.concatenate(
            [f(counted.tp, counted.fp, counted.fn) for f in (iou, frame_f1)], axis=1
        )
    rows = np.zeros((len(pairs.label), both.shape[1]))
    rows[: len(both)] = both
    return rows


def _kept(pairs: TestPairs) -> NDArray[np.float64]:
    """1 for the pairs of the localisation view, 0 for other rows."""
    rows = np.zeros(len(pairs.label))
    kept = pairs.views.localisation
    rows[: len(kept)] = kept
    return rows
