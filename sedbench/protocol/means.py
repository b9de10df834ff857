"""Means over pairs with intervals, where a value may be undefined for some pairs.

The crossed bootstrap of :mod:`sedbench.stats`, for figures that are plain means: a pair whose
value is NaN is left out of that column, in the sample and in every replicate alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.stats import RESAMPLES, Resampling, blocks, percentile_interval
from sedbench.types import BoolArray, FloatArray, PairTable


@dataclass(frozen=True, eq=False)
class Means:
    """Means of columns.

    Attributes
    ----------
    value, low, high : ndarray, shape (columns,)
        NaN where no pair has a value; the ends also without resamples.
    defined : ndarray, shape (columns,), int64
        Pairs that have one.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    defined: NDArray[np.int64]


def resampling_of(table: PairTable, kept: BoolArray, seed: int = 0) -> Resampling:
    """The bootstrap of some pairs of a split.

    Parameters
    ----------
    table : PairTable
    kept : ndarray, shape (pairs,), bool
    seed : int
    """
    groups: Sequence[Sequence[str]] = [table.groups[i] for i in np.flatnonzero(kept)]
    clips = len(np.unique(table.soundscapes))
    return Resampling(table.soundscapes[table.clip[kept]], groups, clips, seed=seed)


def means(values: FloatArray, resampling: Resampling, resamples: int = RESAMPLES) -> Means:
    """Mean of each column with its interval.

    Parameters
    ----------
    values : ndarray, shape (pairs, columns)
        NaN where undefined.
    resampling : Resampling
        Of the same pairs.
    resamples : int
    """
    return with_replicates(values, resampling, resamples)[0]


def with_replicates(
    values: FloatArray, resampling: Resampling, resamples: int = RESAMPLES
) -> tuple[Means, NDArray[np.float64]]:
    """As :func:`means`, and the replicates that the intervals are of.

    Returns
    -------
    Means
    ndarray, shape (columns, resamples)
        Replicate ``i`` weighs the same clips and groups whatever the values: that of a
        difference is the difference of two. NaN where nothing of a column was drawn.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    replicates = np.empty((values.shape[1], resamples))
    for first, count in blocks(resamples, max(values.shape)):
        weights = resampling.weights(first, count)
        replicates[:, first : first + count] = _ratio(weights, filled, known).T
    low, high = percentile_interval(replicates)
    value = _ratio(resampling.ones(), filled, known)[0]
    return Means(value, low, high, known.sum(0)), replicates


def _ratio(
    weights: NDArray[np.float64], filled: FloatArray, known: BoolArray
) -> NDArray[np.float64]:
    total = weights @ known.astype(np.float64)
    return np.where(total > 0, (weights @ filled) / np.where(total > 0, total, 1.0), np.nan)
