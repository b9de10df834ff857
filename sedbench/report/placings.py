"""Who can be told from whom: what a critical-difference diagram shows.

Ranks come from the bootstrap: in each replicate the methods are ranked by their figure (1 is the
best, equals share the mean of their places), and the diagram shows the mean rank and where 95 %
of the ranks lie. Whether two methods are told apart is *not* read off the ranks: it is the paired
test of :mod:`sedbench.ranks` on the figures themselves, adjusted for all pairs of methods.

A *bar* joins methods side by side of which no two are told apart. That relation is not transitive:
bars overlap. One that lies within another is left out.

References
----------
J. Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006 (the
diagram; the test there is another one, on ranks over data sets).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.stats import percentile_interval
from sedbench.types import BoolArray


@dataclass(frozen=True, eq=False)
class Placings:
    """Methods from the best to the worst, and what joins them.

    Attributes
    ----------
    rows : tuple of int
        Which methods these are.
    mean, low, high : ndarray, shape (rows,)
        Rank in the replicates; identical methods share one and count once.
    bars : tuple of (int, int)
        First and last place of each bar, both inclusive.
    distinct : int
        Methods that are not identical to an earlier one.
    """

    rows: tuple[int, ...]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    bars: tuple[tuple[int, int], ...]
    distinct: int


def placings(
    rows: Sequence[int],
    replicates: NDArray[np.float64],
    same: Sequence[Hashable],
    apart: BoolArray,
) -> Placings:
    """Rank methods in every replicate, and join those that cannot be told apart.

    Parameters
    ----------
    rows : sequence of int, (methods,)
        What to call them, from the best to the worst.
    replicates : ndarray, shape (methods, replicates)
        Of their figure, the same resamples for all.
    same : sequence of hashable, (methods,)
        Methods with the same key are identical.
    apart : ndarray, shape (methods, methods), bool
        From :func:`sedbench.ranks.told_apart`.
    """
    from scipy.stats import rankdata

    first = {key: place for place, key in reversed(list(enumerate(same)))}
    keys = list(dict.fromkeys(same))
    # In a replicate that drew nothing there is nothing to rank.
    distinct = replicates[[first[key] for key in keys]]
    distinct = distinct[:, np.isfinite(distinct).all(0)]
    if not distinct.shape[1]:
        distinct = np.zeros((len(keys), 1))
    drawn = np.asarray(rankdata(-distinct, axis=0), np.float64)
    low, high = percentile_interval(drawn)
    at = [keys.index(key) for key in same]
    return Placings(
        tuple(rows), drawn.mean(1)[at], low[at], high[at], tuple(bars(apart)), len(keys)
    )


def bars(apart: BoolArray) -> list[tuple[int, int]]:
    """Find the longest runs of methods of which no two are told apart.

    Parameters
    ----------
    apart : ndarray, shape (methods, methods), bool
        Symmetric, in the order of the methods.

    Returns
    -------
    list of (int, int)
        First and last, both inclusive; a run of one method is none.

    Examples
    --------
    The first and the last of three are told apart, the one between from neither:

    >>> bars(np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool))
    [(0, 1), (1, 2)]
    """
    found: list[tuple[int, int]] = []
    for start in range(len(apart)):
        end = start
        while end + 1 < len(apart) and not apart[end + 1, start : end + 1].any():
            end += 1
        if end > start and not (found and found[-1][1] >= end):
            found.append((start, end))
    return found
