"""Which figures a result holds, and their values from weighted sums.

A :class:`Plan` lists the figures (:class:`Row`), each with the place of its numerator and
denominator among the moments. :class:`~sedbench.protocol.sums.Sums` adds moments up by class with
the weights of a block of replicates; :func:`statistics` turns the sums into figures. The sample
itself is a block of one replicate with equal weights, so figures and intervals come from the same
lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sedbench.metrics.pointing import chance_corrected
from sedbench.protocol.calibration import Choice
from sedbench.protocol.moments import (
    END_TO_END,
    LOCALISATION,
    MASK_METRICS,
    MASS_METRICS,
    RANK_METRICS,
    Key,
    Moments,
    TestPairs,
)
from sedbench.protocol.sums import UNTUNED, ClassSums, layout
from sedbench.protocol.thresholds import POLICIES
from sedbench.types import BoolArray

AVERAGES = ("pairs", "classes")
SMOOTHED = ("none", "chosen")


@dataclass(frozen=True)
class Row:
    """One figure: the fields of a record that say what it is."""

    metric: str
    policy: str | None
    view: str
    average: str
    stratum: str
    truth: str
    smoothing: str


@dataclass(frozen=True, eq=False)
class Plan:
    """The figures of a result.

    Attributes
    ----------
    rows : tuple of Row
    pairs : TestPairs
    fixed : str or None
        Name of the policy with a fixed percentile.
    """

    rows: tuple[Row, ...]
    pairs: TestPairs
    fixed: str | None
    layout: dict[str, list[tuple[str, Key]]]
    _sizes: dict[tuple[str, str, str, str], tuple[int, int, int]] = field(default_factory=dict)

    @cached_property
    def _unsmoothed(self) -> Moments:
        """Moments for their denominators, which no smoothing or threshold changes."""
        return self.pairs.threshold_free(0) | self.pairs.at_oracle(0)

    def support(self, row: Row, among: BoolArray | None = None) -> tuple[int, int, int]:
        """Pairs, clips and source groups behind a figure.

        Parameters
        ----------
        row : Row
        among : ndarray, shape (pairs,), bool, optional
            Only these pairs; a false alarm is none of them.
        """
        metric = row.metric if row.metric in (*RANK_METRICS, *MASS_METRICS) else "iou"
        if among is not None:
            return self._count(metric, row.truth, row.view, row.stratum, among)
        key = (metric, row.truth, row.view, row.stratum)
        if key not in self._sizes:
            self._sizes[key] = self._count(*key)
        return self._sizes[key]

    def _count(
        self, metric: str, truth: str, view: str, stratum: str, among: BoolArray | None = None
    ) -> tuple[int, int, int]:
        pairs = self.pairs
        used = self._unsmoothed[Key(metric, truth, view)][1] > 0
        kind, _, name = stratum.partition(":")
        if kind == "class":
            used &= pairs.label == pairs.answer.table.classes.index(name)
        elif kind == "condition":
            used &= np.array([each == name for each in pairs.condition], bool)
        if among is not None:
            used = used[: len(among)] & among
        at = np.flatnonzero(used).tolist()
        groups = {name for i in at for name in pairs.groups[i]}
        return len(at), len(set(pairs.clip[at].tolist())), len(groups)

    def undefined(self, scored: int) -> dict[str, dict[str, int]]:
        """Scored pairs that each ranking metric is undefined for, by truth and metric."""
        found: dict[str, dict[str, int]] = {}
        for truth in self.pairs.truths:
            for metric in RANK_METRICS:
                defined = self._count(metric, truth, LOCALISATION, "all")[0]
                found.setdefault(truth, {})[metric] = scored - defined
        return found


def fixed_name(percentile: float | None) -> str | None:
    """Policy name of a percentile that nobody chose, for instance ``percentile@56``."""
    return None if percentile is None else f"percentile@{percentile:g}"


def plan(
    pairs: TestPairs, primary: str, fixed_percentile: float | None, also: Sequence[str] = ()
) -> Plan:
    """List the figures of a result, headline first, then by class and by condition.

    Parameters
    ----------
    pairs : TestPairs
    primary : str
    fixed_percentile : float or None
    also : sequence of str
        Of ``MASS_METRICS``: figures that no result holds.
    """
    fixed = fixed_name(fixed_percentile)
    policies = [*POLICIES, "chosen", "oracle", *([fixed] if fixed else [])]
    truths = [primary, *sorted(set(pairs.truths) - {primary})]

    def figures() -> Iterator[tuple[str, str | None, str]]:
        for view in (LOCALISATION, END_TO_END):
            for metric in MASK_METRICS:
                if metric != "f1_pooled" or view == LOCALISATION:
                    yield from ((metric, policy, view) for policy in policies)
            yield "pg", None, view
        yield from ((m, None, LOCALISATION) for m in ("pg_corrected", *RANK_METRICS, *also))

    rows = [
        Row(metric, policy, view, average, "all", truth, smoothing)
        for truth in truths
        for smoothing in SMOOTHED
        for metric, policy, view in figures()
        for average in AVERAGES
    ]
    table = pairs.answer.table
    conditions = dict.fromkeys(name for name in table.conditions if name)
    strata = [*(f"class:{c}" for c in table.classes), *(f"condition:{c}" for c in conditions)]
    rows += [
        Row(metric, policy, view, "pairs", stratum, primary, "none")
        for stratum in strata
        for metric, policy, view in figures()
        if view == LOCALISATION and policy in ("chosen", None)
    ]
    return Plan(tuple(rows), pairs, fixed, layout(pairs, fixed))


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numerators over denominators, the halves of the last axis."""
    half = sums.shape[-1] // 2
    return _quotient(sums[..., :half], sums[..., half:])


def _quotient(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """``top / bottom``, NaN where nothing was drawn."""
    some = bottom > 0
    return np.asarray(np.where(some, top / np.where(some, bottom, 1.0), np.nan))


def _choice(row: Row) -> Choice:
    """What a figure is read off: a choice, or what is not tuned."""
    tuned = row.policy in (*POLICIES, "chosen")
    return str(row.policy) if tuned else UNTUNED, row.smoothing


def needed(todo: Plan) -> frozenset[Choice]:
    """The choices that the figures of a plan are read off; the rest need not be added up."""
    return frozenset(map(_choice, todo.rows))


def statistics(
    todo: Plan,
    sums: dict[Choice, ClassSums],
    conditions: Mapping[str, dict[Choice, ClassSums]] | None = None,
) -> NDArray[np.float64]:
    """Work out the figures of a plan, one column a replicate.

    Parameters
    ----------
    todo : Plan
    sums : dict
        Of all rows.
    conditions : mapping of str to dict, optional
        Of the rows under each condition.

    Returns
    -------
    ndarray, shape (rows of the plan, replicates)
        NaN where undefined.
    """
    averaged: dict[tuple[Choice, str], NDArray[np.float64]] = {}
    for choice, of_choice in sums.items():
        by_class = _ratio(of_choice)
        known = np.isfinite(by_class)
        averaged[choice, "pairs"] = _ratio(of_choice.sum(0))
        averaged[choice, "classes"] = _quotient(
            np.where(known, by_class, 0.0).sum(0), known.sum(0).astype(np.float64)
        )
        if choice[1] == "none":
            for name, of_class in zip(todo.pairs.answer.table.classes, by_class, strict=True):
                averaged[choice, f"class:{name}"] = of_class
    for name, parts in (conditions or {}).items():
        for choice, of_choice in parts.items():
            averaged[choice, f"condition:{name}"] = _ratio(of_choice.sum(0))
    place = {kind: {key: i for i, key in enumerate(keys)} for kind, keys in todo.layout.items()}

    def read(row: Row, metric: str) -> NDArray[np.float64]:
        choice = _choice(row)
        untuned = choice[0] == UNTUNED
        within = row.policy if untuned and row.policy is not None else ""
        kind = UNTUNED if untuned else "tuned"
        column = place[kind][within, Key(metric, row.truth, row.view)]
        average = row.average if row.stratum == "all" else row.stratum
        return averaged[choice, average][:, column]

    figures = [
        chance_corrected(read(row, "pg"), read(row, "share"))
        if row.metric == "pg_corrected"
        else read(row, row.metric)
        for row in todo.rows
    ]
    return np.stack(figures)
