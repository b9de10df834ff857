"""Intersection-based counts: how much of a detection is right, and how much of an event is found.

Collars ask whether boundaries agree. Intersections ask less of an annotator, and allow one event to
be found in several pieces, or several events as one:

1. *Detection tolerance* (DTC): a detection counts as right where true events of its class cover at
   least a share ``dtc`` of it; else it is a false positive.
2. *Ground truth intersection* (GTC): a true event is found where right detections together cover at
   least a share ``gtc`` of it.
3. *Cross trigger tolerance* (CTTC): a false positive that true events of *another* class cover by
   at least a share ``cttc`` is a cross trigger to that class, and still a false positive.

Conventions
-----------
- True positives are found events, false positives are wrong detections: F1 is 2 TP / (2 TP + FP +
  FN) of those.
- Shares are compared on whole microseconds, so that exactly 70 % is enough.
- Neither truth nor detections may overlap within a class.

References
----------
C. Bilen et al., "A framework for the robust evaluation of sound event detection", ICASSP 2020.
Reference implementations: psds_eval, sed_scores_eval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UsageError
from sedbench.metrics.coverage import Coverage, micro
from sedbench.metrics.events import EventTable, require_alike
from sedbench.metrics.tally import Tally


@dataclass(frozen=True)
class Criteria:
    """The shares that decide what is right, found and a cross trigger, each in ``(0, 1]``.

    Attributes
    ----------
    dtc, gtc : float
    cttc : float or None
        None: cross triggers are not counted.
    """

    dtc: float = 0.7
    gtc: float = 0.7
    cttc: float | None = None

    def __post_init__(self) -> None:
        for name in ("dtc", "gtc", "cttc"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise UsageError(f"{name}={value} cannot be", "it is a share above 0 and up to 1")


@dataclass(frozen=True)
class IntersectionCounts:
    """What intersection-based comparison counted at one operating point.

    Attributes
    ----------
    tally : Tally
        Found events, wrong detections and events not found; F1 comes from here.
    cross : ndarray, shape (classes, classes), int64
        Cross triggers of a predicted class (row) to a true class (column).
    """

    tally: Tally
    cross: NDArray[np.int64]


def intersection_based(
    truth: EventTable, predicted: EventTable, criteria: Criteria | None = None
) -> IntersectionCounts:
    """Compare truth and prediction by how far they intersect.

    Parameters
    ----------
    truth, predicted : EventTable
        Over the same clips and classes; events of one class do not overlap.
    criteria : Criteria, optional
        A DTC and a GTC of 0.7 where not given.

    Returns
    -------
    IntersectionCounts

    Raises
    ------
    UsageError
        The tables do not go together.
    DataError
        Events of one class overlap.
    """
    criteria = criteria or Criteria()
    require_alike(truth, predicted)
    truth.require_apart("truth")
    predicted.require_apart("prediction")
    kinds = len(truth.classes)
    true = Coverage(truth.group, truth.onset, truth.offset)
    right = covered_enough(
        true.within(predicted.group, predicted.onset, predicted.offset),
        predicted.length,
        criteria.dtc,
    )
    kept = predicted.take(right)
    found = covered_enough(
        Coverage(kept.group, kept.onset, kept.offset).within(
            truth.group, truth.onset, truth.offset
        ),
        truth.length,
        criteria.gtc,
    )
    tp = np.bincount(truth.label[found], minlength=kinds)
    cross = np.zeros((kinds, kinds), np.int64)
    wrong = predicted.take(~right)
    if criteria.cttc is not None:
        for other in range(kinds):
            group = wrong.clip * kinds + other
            hit = covered_enough(
                true.within(group, wrong.onset, wrong.offset), wrong.length, criteria.cttc
            )
            cross[:, other] = np.bincount(wrong.label[hit], minlength=kinds)
        np.fill_diagonal(cross, 0)
    return IntersectionCounts(
        Tally(truth.classes, tp, wrong.count, truth.count - tp),
        cross,
    )


def covered_enough(
    covered: NDArray[np.float64], length: NDArray[np.float64], share: float
) -> NDArray[np.bool_]:
    """Whether a share of a length is covered, to the microsecond."""
    return np.asarray(micro(covered) >= micro(share * length))
