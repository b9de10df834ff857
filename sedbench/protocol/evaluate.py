"""From the answers on validation and test to score records with intervals.

What happens, in order: thresholds are chosen on validation
(:mod:`~sedbench.protocol.calibration`); every test pair is measured at the operating points
(:mod:`~sedbench.protocol.moments`); averages are formed with the sample's weights; and the same
is done in every replicate of the crossed bootstrap (:mod:`~sedbench.protocol.replicates`), the
choice of thresholds included.

What is reported
----------------
- Headline records (stratum ``all``) for every metric, policy, view, average, truth and smoothing
  that make sense together. End to end there are IoU, F1 and the pointing game; a false alarm has
  no frame scores that could be pooled or ranked.
- Records of each class (stratum ``class:<name>``) and condition (``condition:<name>``):
  localisation view, primary truth, no smoothing, the ``chosen`` policy or none.
- In a task in folds each rotation chooses its own thresholds, on its own validation clips;
  pairs of all rotations are averaged and resampled together.
- A soundscape under several conditions is drawn once: its clips are not independent.
- Average ``pairs`` weighs pairs alike, ``classes`` classes alike (the mean of the class values;
  classes without a defined value are left out). Chance correction comes after averaging.
- What is not tuned (``oracle``, a fixed percentile, and the metrics without a threshold) takes,
  where smoothing is ``chosen``, the filter of the ``chosen`` policy.
- The interval of every tuned policy repeats the choice per replicate, so that intervals of
  policies can be compared; with given thresholds the choice is held fixed.
- ``value`` is None where undefined, and an interval is None with fewer than two clips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UnknownNameError, UsageError
from sedbench.protocol.calibration import Calibration, Selector, describe
from sedbench.protocol.moments import TestPairs
from sedbench.protocol.pairs import DECISION, Scored
from sedbench.protocol.records import Plan
from sedbench.protocol.replicates import measure
from sedbench.stats import RESAMPLES, percentile_interval

MIN_GROUPS = 3
"""Test groups from which on a class is ranked."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the protocol says about one method.

    Attributes
    ----------
    records : tuple of dict
        ``{metric, policy, view, average, stratum, value, ci_low, ci_high, n_pairs, n_clips,
        n_groups, truth, smoothing}``; numbers are finite floats or None.
    thresholds : dict
        ``{"none" | "chosen": {policy: value, "chosen": policy}}``, see
        :func:`sedbench.protocol.calibration.describe`; empty for a method with its own mask. In
        a task in folds ``{"folds": {"0": {...}, ...}}``.
    counts : dict
        See :meth:`sedbench.protocol.pairs.Views.counts`; ``undefined`` adds how many scored
        pairs each metric left out.
    ranked : dict of str to bool
        Per class: whether it has test groups enough to be ranked.
    complete : bool
        Whether every expected pair was scored. A run on fewer is never ranked.
    """

    records: tuple[dict[str, Any], ...]
    thresholds: dict[str, Any]
    counts: dict[str, Any]
    ranked: dict[str, bool]
    complete: bool


def evaluate(
    validation: Scored | Calibration | Mapping[str, Any],
    test: Scored,
    *,
    primary: str = "extent",
    decision: float = DECISION,
    fixed_percentile: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Measure a method on the test split.

    Parameters
    ----------
    validation : Scored, Calibration or mapping
        The method's answer on validation, what :func:`~sedbench.protocol.calibration.calibrate`
        made of it, or thresholds chosen before (``Evaluation.thresholds``), which are held
        fixed. Not looked at where the method brings its own mask.
    test : Scored
    primary : str
        The task's primary truth, for which thresholds are chosen.
    decision : float
        Clip probability above which a class is detected.
    fixed_percentile : float, optional
        Adds the policy ``percentile@<value>``, chosen by nobody.
    resamples : int
        Bootstrap replicates; 0 for no intervals.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Evaluation

    Raises
    ------
    UnknownNameError
        The table has no such truth.
    UsageError
        A number out of its range.
    NothingSelectedError
        No validation pair to choose thresholds on.
    SedbenchError
        Given thresholds are not complete.
    """
    if primary not in test.table.truths:
        raise UnknownNameError.of("truth", primary, test.table.truths)
    if resamples < 0 or seed < 0:
        raise UsageError(f"resamples and seed must not be negative, got {resamples} and {seed}")
    if fixed_percentile is not None and not 0 <= fixed_percentile < 100:
        raise UsageError(f"a fixed percentile lies in [0, 100), got {fixed_percentile}")
    measured = measure(
        validation,
        test,
        primary=primary,
        decision=decision,
        fixed_percentile=fixed_percentile,
        seed=seed,
    )
    todo, whole = measured.todo, measured.whole
    value = measured.within()[0]
    low, high = percentile_interval(measured.replicates(resamples)[0])
    told = {} if test.mask is not None else _told(measured.selectors, test.fold is not None)
    counts = whole.views.counts()
    counts["undefined"] = todo.undefined(counts["scored"])
    return Evaluation(
        records=_records(todo, value, low, high),
        thresholds=told,
        counts=counts,
        ranked=_ranked(whole),
        complete=counts["scored"] == counts["expected"],
    )


def _told(selectors: Mapping[int, Selector], in_folds: bool) -> dict[str, Any]:
    told = {str(fold): describe(selector) for fold, selector in selectors.items()}
    return {"folds": told} if in_folds else told["0"]


def _records(
    todo: Plan, value: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[dict[str, Any], ...]:
    def plain(number: float, defined: bool = True) -> float | None:
        return float(number) if defined and np.isfinite(number) else None

    made = []
    for i, row in enumerate(todo.rows):
        n_pairs, n_clips, n_groups = todo.support(row)
        known = bool(np.isfinite(value[i])) and n_clips > 1
        made.append(
            {
                "metric": row.metric,
                "policy": row.policy,
                "view": row.view,
                "average": row.average,
                "stratum": row.stratum,
                "value": plain(value[i]),
                "ci_low": plain(low[i], known),
                "ci_high": plain(high[i], known),
                "n_pairs": n_pairs,
                "n_clips": n_clips,
                "n_groups": n_groups,
                "truth": row.truth,
                "smoothing": row.smoothing,
            }
        )
    return tuple(made)


def _ranked(pairs: TestPairs) -> dict[str, bool]:
    table = pairs.answer.table
    heard: list[set[str]] = [set() for _ in table.classes]
    for i in np.flatnonzero(pairs.views.localisation).tolist():
        heard[int(table.label[i])].update(table.groups[i])
    return {
        name: len(groups) >= MIN_GROUPS for name, groups in zip(table.classes, heard, strict=True)
    }
