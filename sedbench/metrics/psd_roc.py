"""PSDS, the polyphonic sound detection score: one number for a detector at all thresholds.

For every threshold and class, intersections give a true positive rate (the share of events that are
found) and an *effective* false positive rate, in false alarms an hour::

    eFPR = FP / hours  +  alpha_ct * mean over other classes (cross triggers / hours of that class)

A class's ROC is the best TPR at or below each eFPR. Across classes the *effective* TPR rewards
detectors that work for all of them alike, and PSDS is the area below it, up to ``max_efpr``, as a
share of what could be::

    eTPR = max(0, mean over classes of TPR - alpha_st * their standard deviation)

The DCASE challenge uses two sets of parameters: scenario 1 (:data:`PSDS1`) asks for exact timing,
scenario 2 (:data:`PSDS2`) forgives timing and punishes confusion between classes.

Conventions
-----------
- The ROC is a staircase, never interpolated, and exact: all thresholds that change anything.
- The standard deviation is that of a population (divided by the number of classes).
- A class without a true event has no TPR and is left out, of cross triggers too.

References
----------
C. Bilen et al., "A framework for the robust evaluation of sound event detection", ICASSP 2020.
J. Ebbers, R. Serizel and R. Haeb-Umbach, "Threshold-independent evaluation of sound event detection
scores", ICASSP 2022. Reference implementations: sed_scores_eval (exact), psds_eval (of given
operating points).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import DataError, UsageError
from sedbench.metrics.events import EventTable
from sedbench.metrics.intersection import Criteria, intersection_based
from sedbench.metrics.scores import ScoreSet
from sedbench.metrics.sweeping import sweep

Floats = NDArray[np.float64]
HOUR = 3600.0  # s


@dataclass(frozen=True)
class Scenario:
    """Parameters of PSDS.

    Attributes
    ----------
    criteria : Criteria
        Cross triggers need its ``cttc``.
    alpha_ct : float
        Weight of cross triggers in the effective false positive rate.
    alpha_st : float
        Weight of the spread between classes.
    max_efpr : float
        Effective false alarms an hour up to which the area is taken.
    """

    criteria: Criteria = field(default_factory=Criteria)
    alpha_ct: float = 0.0
    alpha_st: float = 1.0
    max_efpr: float = 100.0

    def __post_init__(self) -> None:
        if not (self.alpha_ct >= 0 and self.alpha_st >= 0 and self.max_efpr > 0):
            raise UsageError(
                f"alpha_ct={self.alpha_ct}, alpha_st={self.alpha_st}, max_efpr={self.max_efpr} "
                "cannot be",
                "weights are at least 0, and max_efpr is positive",
            )
        if self.alpha_ct > 0 and self.criteria.cttc is None:
            raise UsageError("cross triggers have a weight and no cttc", "give the criteria one")


PSDS1 = Scenario(Criteria(dtc=0.7, gtc=0.7))
PSDS2 = Scenario(Criteria(dtc=0.1, gtc=0.1, cttc=0.3), alpha_ct=0.5)


@dataclass(frozen=True)
class Psds:
    """A PSDS and the curve that it is the area of.

    Attributes
    ----------
    value : float
        In ``[0, 1]``.
    classes : tuple of str
        The classes that count: those with a true event.
    class_values : ndarray, shape (classes,)
        The same area below each class's own ROC.
    efpr, etpr : ndarray, shape (points,)
        The staircase: ``etpr`` holds from its ``efpr`` (an hour) to the next.
    """

    value: float
    classes: tuple[str, ...]
    class_values: Floats
    efpr: Floats
    etpr: Floats


def psds(
    scores: ScoreSet,
    truth: EventTable,
    scenario: Scenario = PSDS1,
    seconds: float | None = None,
) -> Psds:
    """PSDS of scores, exact over all thresholds.

    Parameters
    ----------
    scores : ScoreSet
    truth : EventTable
        Over the same clips and classes; events of one class do not overlap.
    scenario : Scenario, optional
    seconds : float, optional
        What all clips last together; by the last edge of each clip where not given.

    Returns
    -------
    Psds

    Raises
    ------
    UsageError
        Scores and truth do not go together, or the duration is not positive.
    DataError
        Nothing is true, or true events of one class overlap.
    """
    counts = [(each.tp, each.fp, each.cross) for each in sweep(scores, truth, scenario.criteria)]
    return _psds(counts, truth, scenario, scores.seconds if seconds is None else seconds)


def psds_of_decisions(
    points: Sequence[EventTable],
    truth: EventTable,
    seconds: float,
    scenario: Scenario = PSDS1,
) -> Psds:
    """PSDS of a few operating points: what a detector decided at each of some thresholds.

    It is at most the exact value, and usually less: between the points nothing is known.

    Parameters
    ----------
    points : sequence of EventTable
        Decisions, each over the clips and classes of the truth.
    truth : EventTable
    seconds : float
        What all clips last together.
    scenario : Scenario, optional

    Returns
    -------
    Psds

    Raises
    ------
    UsageError
        A table does not go with the truth, or the duration is not positive.
    DataError
        Nothing is true, or events of one class overlap.
    """
    found = [intersection_based(truth, each, scenario.criteria) for each in points]
    counts = [
        (
            np.array([each.tally.tp[k] for each in found], np.int64),
            np.array([each.tally.fp[k] for each in found], np.int64),
            np.array([each.cross[k] for each in found], np.int64).reshape(len(found), -1).T,
        )
        for k in range(len(truth.classes))
    ]
    return _psds(counts, truth, scenario, seconds)


def _psds(
    counts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]],
    truth: EventTable,
    scenario: Scenario,
    seconds: float,
) -> Psds:
    if not seconds > 0:
        raise UsageError(f"the clips last {seconds} s together", "give a positive duration")
    number = truth.count
    active = np.bincount(truth.label, weights=truth.length, minlength=len(number))
    present = np.flatnonzero(number)
    if not present.size:
        raise DataError("no event is true: PSDS is not defined", "check the truth's clips")
    rocs = []
    for k in present:
        tp, fp, cross = counts[k]
        efpr = fp / seconds
        others = present[present != k]
        if scenario.alpha_ct > 0 and others.size:
            efpr = efpr + scenario.alpha_ct * np.mean(cross[others] / active[others, None], axis=0)
        rocs.append(_staircase(efpr * HOUR, tp / number[k], scenario.max_efpr))
    grid = np.unique(np.concatenate([efpr for efpr, _ in rocs]))
    rates = np.stack([tpr[np.searchsorted(efpr, grid, "right") - 1] for efpr, tpr in rocs])
    etpr = np.maximum(rates.mean(0) - scenario.alpha_st * rates.std(0), 0.0)
    return Psds(
        _area(grid, etpr, scenario.max_efpr),
        tuple(truth.classes[k] for k in present),
        np.array([_area(efpr, tpr, scenario.max_efpr) for efpr, tpr in rocs]),
        grid,
        etpr,
    )


def _staircase(efpr: Floats, tpr: Floats, limit: float) -> tuple[Floats, Floats]:
    """The best TPR at or below each eFPR up to a limit, from (0, 0) on."""
    efpr, tpr = np.concatenate([[0.0], efpr]), np.concatenate([[0.0], tpr])
    use = efpr <= limit
    order = np.lexsort((tpr[use], efpr[use]))
    efpr, tpr = efpr[use][order], np.maximum.accumulate(tpr[use][order])
    last = np.ones(len(efpr), bool)
    last[:-1] = efpr[1:] > efpr[:-1]
    return efpr[last], tpr[last]


def _area(efpr: Floats, tpr: Floats, limit: float) -> float:
    return float(np.sum(tpr * np.diff(efpr, append=limit)) / limit)
