"""Intersection-based counts at *every* threshold, from the scores themselves.

A stretch of a score curve (:mod:`sedbench.metrics.stretches`) is right, wrong or a cross trigger
whatever the threshold, and detected for one range of thresholds. So each wrong one adds one false
positive where it appears and takes it back where it is swallowed; sorted by score and summed up,
these changes are the counts at all thresholds. For a true event the covered seconds are summed in
the same way, event by event, and it is found wherever they suffice.

The outcome equals :func:`sedbench.metrics.intersection.intersection_based` of what each threshold
detects. Nothing is sampled.

References
----------
J. Ebbers, R. Serizel and R. Haeb-Umbach, "Threshold-independent evaluation of sound event detection
scores", ICASSP 2022. Reference implementation: sed_scores_eval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UsageError
from sedbench.metrics.coverage import Coverage, micro, pairs
from sedbench.metrics.events import EventTable
from sedbench.metrics.intersection import Criteria, covered_enough
from sedbench.metrics.scores import ScoreSet
from sedbench.metrics.stretches import stretches

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """Counts of one class at every threshold at which any of them changes.

    Attributes
    ----------
    level : ndarray, shape (points,), float64
        Falling. The counts hold for thresholds below it, down to the next level; above the first
        level nothing counts yet.
    tp, fp : ndarray, shape (points,), int64
        Found events and wrong detections.
    cross : ndarray, shape (classes, points), int64
        Cross triggers to each class; zero where they are not counted.
    """

    level: Floats
    tp: Ints
    fp: Ints
    cross: Ints


def sweep(
    scores: ScoreSet, truth: EventTable, criteria: Criteria | None = None
) -> tuple[Sweep, ...]:
    """Count at every threshold, class by class.

    Parameters
    ----------
    scores : ScoreSet
    truth : EventTable
        Over the same clips and classes; events of one class do not overlap.
    criteria : Criteria, optional
        A DTC and a GTC of 0.7 where not given.

    Returns
    -------
    tuple of Sweep, (classes,)

    Raises
    ------
    UsageError
        Scores and truth do not go together.
    DataError
        True events of one class overlap.
    """
    criteria = criteria or Criteria()
    if scores.clips != truth.clips or scores.classes != truth.classes:
        raise UsageError(
            "scores and truth are over different clips or classes",
            "make the truth with event_table(events, scores.clips, scores.classes)",
        )
    truth.require_apart("truth")
    by_class = [truth.of_class(k) for k in range(len(truth.classes))]
    # Seconds of truth before every edge: what an interval of frames is covered by is a difference.
    before = [
        Coverage(each.clip, each.onset, each.offset).before(scores.clip_of_edge, scores.edges)
        for each in by_class
    ]
    return tuple(
        _sweep_class(scores, by_class[k], k, before, criteria) for k in range(len(by_class))
    )


def _sweep_class(
    scores: ScoreSet, truth: EventTable, label: int, before: list[Floats], criteria: Criteria
) -> Sweep:
    found = stretches(np.ascontiguousarray(scores.values[:, label]), scores.starts)
    clip = scores.clip[found.first]
    start, stop = found.first + clip, found.stop + clip  # rows of edges: a clip has one more
    onset, offset = scores.edges[start], scores.edges[stop]
    length = offset - onset

    level, born = np.unique(-found.level, return_inverse=True)  # the highest first
    # What a stretch is swallowed at is the level of another; behind the last, where nothing is.
    dies = np.searchsorted(level, -found.until)
    points = len(level)

    def change(which: NDArray[np.bool_]) -> Ints:
        gained = np.bincount(born[which], minlength=points)[:points]
        lost = np.bincount(dies[which], minlength=points)[:points]
        return (gained - lost).astype(np.int64)

    covered = before[label][stop] - before[label][start]
    right = covered_enough(covered, length, criteria.dtc)
    cross = np.zeros((len(before), points), np.int64)
    if criteria.cttc is not None:
        needed = micro(criteria.cttc * length)
        wrong = np.flatnonzero(~right)
        first, last, enough = start[wrong], stop[wrong], needed[wrong]
        for other, seconds in enumerate(before):
            if other != label and seconds.any():
                hit = np.zeros(len(born), bool)
                hit[wrong] = micro(seconds[last] - seconds[first]) >= enough
                cross[other] = change(hit)
    fp = change(~right)
    tp = _found(
        truth,
        criteria,
        points,
        clip=clip,
        onset=onset,
        offset=offset,
        right=right & (covered > 0),
        born=born,
        dies=dies,
    )

    keep = (fp != 0) | (tp != 0) | cross.any(0)
    return Sweep(-level[keep], tp[keep].cumsum(), fp[keep].cumsum(), cross[:, keep].cumsum(1))


def _found(
    truth: EventTable,
    criteria: Criteria,
    points: int,
    *,
    clip: Ints,
    onset: Floats,
    offset: Floats,
    right: NDArray[np.bool_],
    born: Ints,
    dies: Ints,
) -> Ints:
    """Change of the number of found events at each level, shape (points,)."""
    if not len(truth) or not right.any():
        return np.zeros(points, np.int64)
    use = np.flatnonzero(right)
    # One axis for all clips, only to see who can intersect; seconds are those of the clip.
    span = max(float(offset.max()), float(truth.offset.max())) + 1.0
    shift, there = clip[use] * span, truth.clip * span
    which, event = pairs(
        np.searchsorted(there + truth.offset, shift + onset[use], "right"),
        np.searchsorted(there + truth.onset, shift + offset[use], "left"),
    )
    stretch = use[which]
    shared = np.minimum(offset[stretch], truth.offset[event]) - np.maximum(
        onset[stretch], truth.onset[event]
    )
    shared = np.maximum(shared, 0.0)

    # Seconds gained and lost, event by event and from the highest level down.
    event = np.concatenate([event, event])
    at = np.concatenate([born[stretch], dies[stretch]])
    gain = np.concatenate([shared, -shared])
    here = at < points
    event, at, gain = event[here], at[here], gain[here]
    order = np.lexsort((at, event))
    event, at, gain = event[order], at[order], gain[order]
    total = gain.cumsum()
    begins = np.searchsorted(event, event)  # of the same event
    total -= total[begins] - gain[begins]
    last = np.ones(len(at), bool)  # all that changes at one level counts together
    last[:-1] = (event[1:] != event[:-1]) | (at[1:] != at[:-1])
    event, at, total = event[last], at[last], total[last]
    is_found = covered_enough(total, truth.length[event], criteria.gtc)
    was_found = np.zeros(len(at), bool)
    was_found[1:] = is_found[:-1] & (event[1:] == event[:-1])
    step = is_found.astype(np.int64) - was_found
    change = np.bincount(at[step == 1], minlength=points) - np.bincount(
        at[step == -1], minlength=points
    )
    return change.astype(np.int64)
