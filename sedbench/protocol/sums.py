"""Moments of pairs, added up by class under the weights of replicates.

A statistic is a ratio of sums (:mod:`sedbench.protocol.moments`), so that its replicates need
nothing but sums of the pairs' moments at the operating points that each replicate chose. Which
column of a sum is which moment, :func:`layout` says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

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


ClassSums = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Summed numerators and denominators, each of shape (replicates, classes, moments)."""


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
    def _order(self) -> NDArray[np.int64]:
        """Rows sorted by class, so that a class is a slice and small products suffice."""
        return np.argsort(self.pairs.label, kind="stable")

    @cached_property
    def _segments(self) -> list[slice]:
        """The slice of each class among the sorted rows."""
        classes = np.arange(len(self.pairs.answer.table.classes) + 1)
        cuts = np.searchsorted(self.pairs.label[self._order], classes).tolist()
        return [slice(start, stop) for start, stop in pairwise(cuts)]

    def of(
        self,
        at: dict[Choice, NDArray[np.int64]],
        weights: NDArray[np.float64],
        wanted: Collection[Choice],
    ) -> dict[Choice, ClassSums]:
        """Add up choices, and what is not tuned, at each replicate's points.

        Parameters
        ----------
        at : dict of choice to ndarray, shape (replicates,)
        weights : ndarray, shape (replicates, rows)
        wanted : collection of choice
            See :func:`needed`.
        """
        weights = weights[:, self._order]
        found = {
            choice: self._sum("tuned", points, weights)
            for choice, points in at.items()
            if choice in wanted
        }
        filters = self.pairs.points.smoothing[at["chosen", "chosen"]]
        for smoothing, numbers in (("none", np.zeros_like(filters)), ("chosen", filters)):
            if (UNTUNED, smoothing) in wanted:
                found[UNTUNED, smoothing] = self._sum(UNTUNED, numbers, weights)
        return found

    def _sum(self, kind: str, at: NDArray[np.int64], weights: NDArray[np.float64]) -> ClassSums:
        total: NDArray[np.float64] | None = None
        for number in np.unique(at).tolist():
            table = self._table(kind, number)
            mine = np.flatnonzero(at == number)
            part = weights[mine] if len(mine) < len(weights) else weights
            if total is None:
                total = np.zeros((len(weights), len(self._segments), table.shape[1]))
            for c, rows in enumerate(self._segments):
                total[mine, c] = part[:, rows] @ table[rows]
        assert total is not None
        half = total.shape[2] // 2
        return total[:, :, :half], total[:, :, half:]

    def _table(self, kind: str, number: int) -> NDArray[np.float64]:
        """Numerators, then denominators, in the plan's layout, shape (sorted rows, 2 x moments)."""
        if (kind, number) not in self._tables:
            parts: list[Moments] = []
            if kind == "tuned":
                parts.append(self.pairs.at_point(number))
            else:
                parts += [self.pairs.threshold_free(number), self.pairs.at_oracle(number)]
                if self.fixed_percentile is not None:
                    parts.append(self.pairs.at_percentile(self.fixed_percentile, number))
            ratios = [ratio for part in parts for ratio in part.values()]
            self._tables[kind, number] = np.stack(
                [top for top, _ in ratios] + [bottom for _, bottom in ratios], axis=1
            )[self._order]
        return self._tables[kind, number]


def added(parts: Sequence[dict[Choice, ClassSums]]) -> dict[Choice, ClassSums]:
    """Add up the sums of several parts of a split."""
    first, *others = parts
    total = dict(first)
    for part in others:
        for choice, (top, bottom) in part.items():
            total[choice] = (total[choice][0] + top, total[choice][1] + bottom)
    return total
