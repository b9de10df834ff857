"""From the answers on validation and test to score records with intervals.

What happens, in order: thresholds are chosen on validation
(:mod:`~sedbench.protocol.calibration`); every test pair is measured at the operating points
(:mod:`~sedbench.protocol.moments`); averages are formed with the sample's weights; and the same
is done in every replicate of the crossed bootstrap (:mod:`sedbench.stats`), the choice of
thresholds included.

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
from sedbench.protocol.calibration import (
    Calibration,
    Choice,
    Selector,
    calibrate,
    describe,
    given,
    mask_points,
)
from sedbench.protocol.moments import TestPairs
from sedbench.protocol.pairs import DECISION, Scored
from sedbench.protocol.records import ClassSums, Plan, Sums, added, plan, statistics
from sedbench.stats import RESAMPLES, Resampling, blocks, percentile_interval

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
    selectors = _selectors(validation, test, primary, decision, seed)
    parts = _parts(test, selectors, decision, fixed_percentile)
    whole = TestPairs(test, next(iter(selectors.values())).points, decision)
    todo = plan(whole, primary, fixed_percentile)
    groups = tuple(names for part in parts for names in part.pairs.groups)
    resampling = Resampling(
        _numbered(parts), groups, len(np.unique(test.table.soundscapes)), seed=seed
    )

    def figures(
        at: Mapping[int, Mapping[Choice, NDArray[np.int64]]], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        sums = [part.sums.of(dict(at[part.fold]), weights[:, part.rows]) for part in parts]
        under: dict[str, list[dict[Choice, ClassSums]]] = {}
        for part, of_part in zip(parts, sums, strict=True):
            if part.condition:
                under.setdefault(part.condition, []).append(of_part)
        return statistics(todo, added(sums), {name: added(each) for name, each in under.items()})

    chosen = {
        fold: {choice: np.array([point]) for choice, point in selector.chosen().items()}
        for fold, selector in selectors.items()
    }
    value = figures(chosen, resampling.ones())[:, 0]
    replicates = np.full((len(todo.rows), resamples), np.nan)
    widest = max(len(selector.points.value) for selector in selectors.values())
    for first, count in blocks(resamples, widest + len(groups)):
        at = {fold: selector.select(first, count) for fold, selector in selectors.items()}
        weights = resampling.weights(first, count)
        replicates[:, first : first + count] = figures(at, weights)
    low, high = percentile_interval(replicates)
    counts = whole.views.counts()
    counts["undefined"] = todo.undefined(counts["scored"])
    return Evaluation(
        records=_records(todo, value, low, high),
        thresholds={} if test.mask is not None else _told(selectors, test.fold is not None),
        counts=counts,
        ranked=_ranked(whole),
        complete=counts["scored"] == counts["expected"],
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """The test pairs of one rotation under one condition.

    Attributes
    ----------
    fold : int
    condition : str
    pairs : TestPairs
    sums : Sums
    rows : slice
        Where its rows lie among those of all parts.
    """

    fold: int
    condition: str
    pairs: TestPairs
    sums: Sums
    rows: slice


def _parts(
    test: Scored,
    selectors: Mapping[int, Selector],
    decision: float,
    fixed_percentile: float | None,
) -> list[_Part]:
    conditions = np.array(test.table.conditions, dtype=object)
    folds = np.zeros(len(conditions), np.int64) if test.fold is None else test.fold
    parts: list[_Part] = []
    start = 0
    for fold, selector in selectors.items():
        for condition in dict.fromkeys(test.table.conditions):
            clips = np.asarray((folds == fold) & (conditions == condition), bool)
            if not clips.any():
                continue
            pairs = TestPairs(test.subset(clips), selector.points, decision)
            rows = slice(start, start + len(pairs.label))
            start = rows.stop
            sums = Sums(pairs, fixed_percentile)
            parts.append(_Part(fold, condition, pairs, sums, rows))
    return parts


def _numbered(parts: list[_Part]) -> NDArray[np.int64]:
    """Soundscape of each row of all parts, numbered as in the whole split."""
    number: dict[str, int] = {}
    found = []
    for part in parts:
        table = part.pairs.answer.table
        names = [name.partition("@")[0] for name in table.clip_ids]
        own = [number.setdefault(name, len(number)) for name in dict.fromkeys(names)]
        found.append(np.array(own, np.int64)[part.pairs.clip])
    return np.concatenate(found)


def _selectors(
    validation: Scored | Calibration | Mapping[str, Any],
    test: Scored,
    primary: str,
    decision: float,
    seed: int,
) -> dict[int, Selector]:
    """Where the thresholds of each rotation come from."""

    def of(fold: int) -> Selector:
        if test.mask is not None:
            return mask_points()
        if isinstance(validation, Calibration):
            return validation
        if isinstance(validation, Scored):
            mine = validation.of_fold(fold)
            return calibrate(mine, primary=primary, decision=decision, seed=seed, rotation=fold)
        return given(validation["folds"][str(fold)] if "folds" in validation else validation)

    return {fold: of(fold) for fold in test.folds}


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
