"""One method's figures on the test split, under the sample's weights and in every replicate.

:func:`measure` puts together what a figure needs: where thresholds come from, rotation by
rotation; every test pair at every operating point; and the crossed bootstrap of the pairs
(:mod:`sedbench.stats`). A :class:`Measured` then gives the figures of a
:class:`~sedbench.protocol.records.Plan`, all of them or some.

Replicates of two methods belong together
-----------------------------------------
The draws depend on the clips, the source groups and the seed, and on nothing that a method says.
So where two methods were asked about the same pairs, replicate ``i`` of one and of the other drew
the same test clips and groups, and chose thresholds on the same validation clips and groups: the
difference of the two is a replicate of the paired difference, the choice included
(:mod:`sedbench.comparison`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.protocol.calibration import (
    Calibration,
    Choice,
    Selector,
    calibrate,
    given,
    mask_points,
)
from sedbench.protocol.moments import TestPairs
from sedbench.protocol.pairs import DECISION, Scored
from sedbench.protocol.records import Plan, Row, needed, plan, statistics
from sedbench.protocol.smoothing import SMOOTHINGS
from sedbench.protocol.sums import ClassSums, Sums, added
from sedbench.stats import RESAMPLES, Resampling, blocks
from sedbench.types import BoolArray

_Points = Mapping[int, Mapping[Choice, NDArray[np.int64]]]


@dataclass(frozen=True, eq=False)
class Part:
    """The test pairs of one rotation under one condition.

    Attributes
    ----------
    fold : int
    condition : str
    pairs : TestPairs
    sums : Sums
    rows : slice
        Where its rows lie among those of all parts.
    among : ndarray, shape (pairs of the part,), int64
        Its true pairs among those of the whole split; its false alarms come after them.
    """

    fold: int
    condition: str
    pairs: TestPairs
    sums: Sums
    rows: slice
    among: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Measured:
    """A method on the test split, ready to be averaged under any weights.

    Attributes
    ----------
    whole : TestPairs
        All test pairs.
    selectors : mapping of int to Selector
        Where the thresholds of each rotation come from.
    parts : tuple of Part
    todo : Plan
        Every figure there is.
    resampling : Resampling
        Of the rows of all parts.
    """

    whole: TestPairs
    selectors: Mapping[int, Selector]
    parts: tuple[Part, ...]
    todo: Plan
    resampling: Resampling

    def only(self, rows: Sequence[Row]) -> Measured:
        """The same with fewer figures, which is quicker; ``rows`` are some of the plan's."""
        return replace(self, todo=replace(self.todo, rows=tuple(rows)))

    def within(self, strata: Sequence[BoolArray] = ()) -> NDArray[np.float64]:
        """The figures of all pairs, then of those of each stratum, under the sample's weights.

        Parameters
        ----------
        strata : sequence of ndarray, shape (pairs,), bool
            Pairs of the split that belong to each. A false alarm belongs to none.

        Returns
        -------
        ndarray, shape (1 + strata, rows of the plan)
            NaN where undefined.
        """
        chosen = {
            fold: {choice: np.array([point]) for choice, point in selector.chosen().items()}
            for fold, selector in self.selectors.items()
        }
        found = self._figures(chosen, self.resampling.ones(), self._masks(strata))
        return np.asarray(found[:, :, 0])

    def replicates(
        self, resamples: int = RESAMPLES, strata: Sequence[BoolArray] = ()
    ) -> NDArray[np.float64]:
        """The figures in every replicate; thresholds are chosen anew in each.

        Parameters
        ----------
        resamples : int
        strata : sequence of ndarray, shape (pairs,), bool
            See :meth:`within`. Thresholds are chosen for all pairs, also here.

        Returns
        -------
        ndarray, shape (1 + strata, rows of the plan, resamples)
            NaN where undefined.
        """
        masks = self._masks(strata)
        found = np.full((len(masks), len(self.todo.rows), resamples), np.nan)
        widest = max(len(selector.points.value) for selector in self.selectors.values())
        for first, count in blocks(resamples, widest + len(self.resampling.groups)):
            at = {fold: each.select(first, count) for fold, each in self.selectors.items()}
            weights = self.resampling.weights(first, count)
            found[:, :, first : first + count] = self._figures(at, weights, masks)
        return found

    def _masks(self, strata: Sequence[BoolArray]) -> list[NDArray[np.float64] | None]:
        """Each stratum as a factor of the rows of all parts; None for everything."""
        masks: list[NDArray[np.float64] | None] = [None]
        for stratum in strata:
            factor = np.zeros(len(self.resampling.groups))
            for part in self.parts:
                start = part.rows.start
                factor[start : start + len(part.among)] = stratum[part.among]
            masks.append(factor)
        return masks

    def _figures(
        self,
        at: _Points,
        weights: NDArray[np.float64],
        masks: Sequence[NDArray[np.float64] | None],
    ) -> NDArray[np.float64]:
        return np.stack(
            [self._statistics(at, weights if m is None else weights * m) for m in masks]
        )

    def _statistics(self, at: _Points, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        wanted = needed(self.todo)
        under: dict[str, dict[Choice, ClassSums]] = {}
        for part in self.parts:
            total = under.setdefault(part.condition, {})
            part.sums.add(total, dict(at[part.fold]), weights[:, part.rows], wanted)
        conditions = {name: sums for name, sums in under.items() if name}
        return statistics(self.todo, added(under.values()), conditions)


def measure(
    validation: Scored | Calibration | Mapping[str, Any],
    test: Scored,
    *,
    primary: str = "extent",
    decision: float = DECISION,
    fixed_percentile: float | None = None,
    seed: int = 0,
    smoothings: Sequence[str] = SMOOTHINGS,
    also: Sequence[str] = (),
) -> Measured:
    """Get a method's answer ready to be averaged.

    Parameters
    ----------
    validation, test, primary, decision, fixed_percentile, seed
        See :func:`sedbench.protocol.evaluate.evaluate`, which checks them.
    smoothings : sequence of str
        Filters to choose from. With ``none`` alone the figures without smoothing are the same,
        and come seven times as fast.
    also : sequence of str
        Figures besides, see :func:`sedbench.protocol.records.plan`.

    Raises
    ------
    NothingSelectedError
        No validation pair to choose thresholds on.
    SedbenchError
        Given thresholds are not complete.
    """
    selectors = _selectors(
        validation, test, primary=primary, decision=decision, seed=seed, smoothings=smoothings
    )
    parts = _parts(test, selectors, decision, fixed_percentile)
    whole = TestPairs(test, next(iter(selectors.values())).points, decision)
    groups = tuple(names for part in parts for names in part.pairs.groups)
    return Measured(
        whole,
        selectors,
        parts,
        plan(whole, primary, fixed_percentile, also),
        Resampling(_numbered(parts), groups, len(np.unique(test.table.soundscapes)), seed=seed),
    )


def _parts(
    test: Scored,
    selectors: Mapping[int, Selector],
    decision: float,
    fixed_percentile: float | None,
) -> tuple[Part, ...]:
    conditions = np.array(test.table.conditions, dtype=object)
    folds = np.zeros(len(conditions), np.int64) if test.fold is None else test.fold
    parts: list[Part] = []
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
            among = np.flatnonzero(clips[test.table.clip])
            parts.append(Part(fold, condition, pairs, sums, rows, among))
    return tuple(parts)


def _numbered(parts: Sequence[Part]) -> NDArray[np.int64]:
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
    *,
    primary: str,
    decision: float,
    seed: int,
    smoothings: Sequence[str],
) -> dict[int, Selector]:
    """Where the thresholds of each rotation come from."""

    def of(fold: int) -> Selector:
        if test.mask is not None:
            return mask_points()
        if isinstance(validation, Calibration):
            return validation
        if isinstance(validation, Scored):
            mine = validation.of_fold(fold)
            return calibrate(
                mine,
                primary=primary,
                decision=decision,
                seed=seed,
                rotation=fold,
                smoothings=smoothings,
            )
        return given(validation["folds"][str(fold)] if "folds" in validation else validation)

    return {fold: of(fold) for fold in test.folds}
