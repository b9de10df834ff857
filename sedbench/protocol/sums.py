"""Moments of pairs, added up by class under the weights of replicates.

A statistic is a ratio of sums (:mod:`sedbench.protocol.moments`), so that its replicates need
nothing but sums of the pairs' moments at the operating points that each replicate chose. Which
column of a sum is which moment, :func:`layout` says.

A task in folds and conditions is many small parts, each with dozens of operating points in use and
a handful of rows a class. So replicates are sorted by their point, rows stand in a grid of classes
that is filled up with a row of weight zero, and all classes of one point are one stacked product.
Every sum is exact, so that neither the order nor the filling shows in a bit of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sedbench.protocol.calibration import Choice
from sedbench.protocol.moments import Key, Moments, TestPairs

UNTUNED = "untuned"
"""Key of what no threshold was chosen for, in place of a policy."""


def layout(pairs: TestPairs, fixed: str | None) -> dict[str, list[tuple[str, Key]]]:
    """Order of the moments of a tuned policy, and of all that is not tuned."""
    masks = list(pairs.at_oracle(0))
    free = [("", key) for key in pairs.threshold_free(0)]
    untuned = [(policy, key) for policy in ("oracle", *([fixed] if fixed else [])) for key in masks]
    return {"tuned": [("", key) for key in masks], UNTUNED: [*free, *untuned]}


ClassSums = NDArray[np.float64]
"""Sums of shape (classes, replicates, 2 x moments): numerators, then denominators."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Adds up moments by class under the weights of replicates.

    Attributes
    ----------
    pairs : TestPairs
    fixed_percentile : float or None
    """

    pairs: TestPairs
    fixed_percentile: float | None
    _tables: dict[tuple[str, int], NDArray[np.float64]] = field(default_factory=dict)

    @cached_property
    def _cells(self) -> NDArray[np.int64]:
        """Rows of each class, shape (classes, most rows of a class); short ones end in no row."""
        label = self.pairs.label
        sizes = np.bincount(label, minlength=len(self.pairs.answer.table.classes))
        cells = np.full((len(sizes), max(sizes.max(initial=0), 1)), len(label), np.int64)
        order = np.argsort(label, kind="stable")
        within = np.arange(len(label)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        cells[label[order], within] = order
        return cells

    def add(
        self,
        total: dict[Choice, ClassSums],
        at: dict[Choice, NDArray[np.int64]],
        weights: NDArray[np.float64],
        wanted: Collection[Choice],
    ) -> None:
        """Add choices, and what is not tuned, at each replicate's points to a total.

        Parameters
        ----------
        total : dict of choice to ndarray
            What other parts of the split added, or nothing; it is changed.
        at : dict of choice to ndarray, shape (replicates,)
        weights : ndarray, shape (replicates, rows)
        wanted : collection of choice
            See :func:`sedbench.protocol.records.needed`.
        """
        nothing = np.zeros((1, len(weights)))
        cells = np.concatenate([weights.T, nothing])[self._cells]
        for choice, points in at.items():
            if choice in wanted:
                _put(total, choice, self._sum("tuned", points, cells))
        filters = self.pairs.points.smoothing[at["chosen", "chosen"]]
        for smoothing, numbers in (("none", np.zeros_like(filters)), ("chosen", filters)):
            if (UNTUNED, smoothing) in wanted:
                _put(total, (UNTUNED, smoothing), self._sum(UNTUNED, numbers, cells))

    def _sum(self, kind: str, at: NDArray[np.int64], weights: NDArray[np.float64]) -> ClassSums:
        # ``weights`` are (classes, most rows of a class, replicates).
        order = np.argsort(at, kind="stable")
        numbers, starts = np.unique(at[order], return_index=True)
        stops = [*starts[1:].tolist(), len(at)]
        tables = self._tables_of(kind, numbers.tolist())
        if len(numbers) == 1:
            return np.asarray(weights.transpose(0, 2, 1) @ tables[0][self._cells])
        weights = weights[:, :, order].transpose(0, 2, 1)
        added = np.empty((len(weights), len(at), tables[0].shape[1]))
        for table, start, stop in zip(tables, starts.tolist(), stops, strict=True):
            cells = table[self._cells]
            np.matmul(weights[:, start:stop], cells, out=added[:, start:stop])
        found = np.empty_like(added)
        found[:, order] = added
        return found

    def _tables_of(self, kind: str, numbers: list[int]) -> list[NDArray[np.float64]]:
        """Numerators, then denominators, in the plan's layout, each (rows + 1, 2 x moments).

        The last row is zero: the one that fills up a class.
        """
        missing = [number for number in numbers if (kind, number) not in self._tables]
        if missing and kind == "tuned":
            made = _stacked([self.pairs.at_points(np.array(missing, np.int64))])
            for number, table in zip(missing, made, strict=True):
                self._tables[kind, number] = table
        for number in missing if kind == UNTUNED else []:
            parts = [self.pairs.threshold_free(number), self.pairs.at_oracle(number)]
            if self.fixed_percentile is not None:
                parts.append(self.pairs.at_percentile(self.fixed_percentile, number))
            self._tables[kind, number] = _stacked(parts)
        return [self._tables[kind, number] for number in numbers]


def _stacked(parts: list[Moments]) -> NDArray[np.float64]:
    ratios = [ratio for part in parts for ratio in part.values()]
    columns = [*(top for top, _ in ratios), *(bottom for _, bottom in ratios)]
    *points, rows = columns[0].shape
    table = np.zeros((*points, rows + 1, len(columns)))
    for i, column in enumerate(columns):
        table[..., :-1, i] = column
    return table


def _put(total: dict[Choice, ClassSums], choice: Choice, more: ClassSums) -> None:
    if choice in total:
        total[choice] += more
    else:
        total[choice] = more


def added(parts: Iterable[dict[Choice, ClassSums]]) -> dict[Choice, ClassSums]:
    """Add up the sums of several parts of a split."""
    first, *others = parts
    total = {choice: sums.copy() for choice, sums in first.items()} if others else first
    for part in others:
        for choice, more in part.items():
            _put(total, choice, more)
    return total
