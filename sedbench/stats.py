"""Intervals: a bootstrap over clips and source groups crossed, with an index generator of its own.

Why crossed
-----------
Two pairs of one clip share its background and its overlaps; two pairs whose sounds come from
one author, house or meeting share a microphone and a room. Neither are independent, so
resampling pairs alone gives intervals that are too narrow. The *pigeonhole* bootstrap draws
clips with replacement and, independently, groups with replacement. The weight of a pair in a
replicate is ::

    (times its clip was drawn) x (mean over its groups of the times each group was drawn)

and every statistic is a ratio of weighted sums. For the mean of a crossed random-effects model
Owen shows that the variance found this way is close to the true one where clips and groups
dominate, and that the variance of single pairs enters up to three times: intervals err on the
wide side.

Conventions
-----------
- Weights are integers: the mean over a pair's groups is multiplied by the least common multiple
  of the numbers of groups. The scale cancels in every ratio, and sums of integers are exact in
  ``float64`` whatever order a linear-algebra library adds them in.
- Random numbers come from SplitMix64 used as a counter: number ``i`` of a stream is a pure
  function of (seed, stream, i). NumPy promises no stable stream across its versions, and a board
  has to be checked years later; this generator is frozen, with golden values in the tests.
- Intervals are percentile intervals. A replicate in which a statistic is undefined (nothing of
  it was drawn) is left out of that statistic's interval.

References
----------
A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007.
G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014 (SplitMix64).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
"""Replicates of a published interval."""

LEVEL = 0.95
"""Coverage that an interval aims at."""

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MAX_SCALE = 5040


def splitmix64(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix each state into the output of SplitMix64, in modular 64-bit arithmetic.

    Parameters
    ----------
    state : ndarray of uint64, at least one-dimensional
        The state after its increment: ``seed + (i + 1) * 0x9E3779B97F4A7C15`` gives the
        ``i``-th number of the sequence that the reference implementation starts at ``seed``.

    Returns
    -------
    ndarray of uint64, same shape
    """
    mixed = (state ^ (state >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


def random_uint64(seed: int, stream: int, first: int, count: int) -> NDArray[np.uint64]:
    """Numbers ``first`` to ``first + count`` of one stream.

    Parameters
    ----------
    seed, stream, first : int
        Non-negative. Streams of one seed, and seeds of one stream, are unrelated sequences.
    count : int

    Returns
    -------
    ndarray of uint64, shape (count,)
    """
    start = np.array([seed], np.uint64)
    for word in (
        stream,
        0,
    ):  # two rounds, so that near seeds and streams do not give shifted copies
        start = splitmix64(start + (np.array([word], np.uint64) + np.uint64(1)) * _GAMMA)
    counter = np.arange(first, first + count, dtype=np.uint64) + np.uint64(1)
    return splitmix64(start + counter * _GAMMA)


def multinomial_counts(
    n: int, first: int, replicates: int, *, seed: int, stream: int
) -> NDArray[np.int64]:
    """How often each of ``n`` units is drawn in ``n`` draws with replacement.

    Parameters
    ----------
    n : int
        Number of units, below 2**32.
    first : int
        Number of the first replicate; any block of replicates can be drawn alone.
    replicates : int
    seed, stream : int
        See :func:`random_uint64`.

    Returns
    -------
    ndarray of int64, shape (replicates, n)
        Rows sum to ``n``.
    """
    if n == 0:
        return np.zeros((replicates, 0), np.int64)
    numbers = random_uint64(seed, stream, first * n, replicates * n)
    # The high 32 bits scaled to [0, n): a bias below n / 2**32, and no rejection to keep count of.
    drawn = (((numbers >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32)).astype(np.int64)
    row = np.repeat(np.arange(replicates, dtype=np.int64) * n, n)
    return np.bincount(row + drawn, minlength=replicates * n).reshape(replicates, n)


@dataclass(frozen=True, eq=False)
class Resampling:
    """The crossed bootstrap of one split.

    Attributes
    ----------
    clip : ndarray, shape (units,), int64
        The clip that each unit (a pair, or a false alarm) belongs to.
    groups : sequence of sequences of str, (units,)
        The source groups heard in each unit. A unit without a group varies with its clip only.
    n_clips : int
        Clips that are drawn from, also those without a unit.
    seed : int
    streams : tuple of (int, int)
        Streams for clips and for groups; two splits need different ones.
    """

    clip: NDArray[np.int64]
    groups: Sequence[Sequence[str]]
    n_clips: int
    seed: int = 0
    streams: tuple[int, int] = (0, 1)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The groups that are drawn from, sorted."""
        return tuple(sorted({name for unit in self.groups for name in unit}))

    @cached_property
    def scale(self) -> int:
        """What every weight is multiplied by to make it an integer."""
        scale = math.lcm(*(max(len(set(unit)), 1) for unit in self.groups), 1)
        return scale if scale <= _MAX_SCALE else 1

    @cached_property
    def _share(self) -> NDArray[np.float64]:
        """Share of each group in each unit times ``scale``, shape (groups, units)."""
        column = {name: i for i, name in enumerate(self.names)}
        share = np.zeros((len(self.names), len(self.groups)))
        for unit, names in enumerate(self.groups):
            for name in set(names):
                share[column[name], unit] = self.scale / len(set(names))
        return share

    def ones(self) -> NDArray[np.float64]:
        """Weigh the sample itself, shape (1, units)."""
        return np.full((1, len(self.groups)), float(self.scale))

    def weights(self, first: int, replicates: int) -> NDArray[np.float64]:
        """Weights of a block of replicates.

        Parameters
        ----------
        first, replicates : int

        Returns
        -------
        ndarray of float64, shape (replicates, units)
            Non-negative integers (multiples of the mean weight ``scale``).
        """
        clips = multinomial_counts(
            self.n_clips, first, replicates, seed=self.seed, stream=self.streams[0]
        )
        groups = multinomial_counts(
            len(self.names), first, replicates, seed=self.seed, stream=self.streams[1]
        )
        factor = groups.astype(np.float64) @ self._share
        factor[:, [not unit for unit in self.groups]] = self.scale
        return np.asarray(clips[:, self.clip] * factor, np.float64)


def blocks(resamples: int, width: int, megabytes: float = 32.0) -> Iterator[tuple[int, int]]:
    """Cut replicates into (first, count) blocks whose ``count x width`` table stays small.

    Parameters
    ----------
    resamples : int
    width : int
        Columns of the widest ``float64`` table that a block makes.
    megabytes : float
        Its largest size.
    """
    size = max(1, min(resamples, int(megabytes * 2**20 / (8 * max(width, 1)))))
    for first in range(0, resamples, size):
        yield first, min(size, resamples - first)


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted means of columns, one per replicate.

    Parameters
    ----------
    values : ndarray, shape (units, columns)
        Finite.
    weights : ndarray, shape (replicates, units)

    Returns
    -------
    ndarray, shape (replicates, columns)
        NaN where a replicate drew nothing.
    """
    total = weights.sum(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(total > 0, (weights @ values) / total, np.nan))


def percentile_interval(
    replicates: NDArray[np.float64], level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile intervals of statistics.

    Parameters
    ----------
    replicates : ndarray, shape (statistics, replicates)
        NaN where a statistic is undefined in a replicate.
    level : float

    Returns
    -------
    low, high : ndarray, shape (statistics,)
        NaN where no replicate is defined.
    """
    tail = (1.0 - level) / 2
    ends = np.full((2, replicates.shape[0]), np.nan)
    known = np.isfinite(replicates)
    whole = known.all(1)
    if replicates.shape[1] and whole.any():
        ends[:, whole] = _quantiles(replicates[whole], tail)
    for row in np.flatnonzero(~whole & known.any(1)):
        ends[:, row] = _quantiles(replicates[row, known[row]], tail)
    return ends[0], ends[1]


def _quantiles(values: NDArray[np.float64], tail: float) -> NDArray[np.float64]:
    """Linear quantiles ``tail`` and ``1 - tail`` over the last axis, by frozen arithmetic."""
    last = values.shape[-1] - 1
    places = (tail * last, last - tail * last)
    below = [int(place) for place in places]
    above = [min(rank + 1, last) for rank in below]
    ordered = np.partition(values, sorted({*below, *above}), axis=-1)
    return np.stack(
        [
            ordered[..., low] + (ordered[..., high] - ordered[..., low]) * (place - low)
            for place, low, high in zip(places, below, above, strict=True)
        ]
    )
