"""Comparing methods on the same pairs: differences, tests, ties and ranks.

In: a figure of each method and its bootstrap replicates, replicate ``i`` of every method drawn
with the same clips, groups and validation clips (:mod:`sedbench.protocol.replicates`). Out:
plain numbers. Nothing here knows what a method is.

Conventions
-----------
- A *difference* is the other one minus the first; higher is better. Its replicates are the
  differences of the replicates, pair by pair: what two methods share (easy clips, a lucky draw of
  validation) cancels, which is why a difference is known better than two overlapping intervals
  suggest.
- Its *interval* is the percentile interval of those replicates.
- Its *p* is two-sided, for the null hypothesis that the true difference is 0. The replicates are
  centred on the difference found, as they would scatter around 0 under the null, and ::

      p = (1 + number of replicates with |replicate - difference| >= |difference|) / (1 + B)

  so the smallest p of ``B`` replicates is 1 / (B + 1). Undefined replicates are left out of B.
  Interval and p may disagree near the edge where the replicates are skewed.
- Several differences are tested at once by *Holm's* method. Rows that are identical by
  construction make one hypothesis, not several.
- Ranks compare every two methods; they are adjusted otherwise (:mod:`sedbench.ranks`).
- The *detectable* difference is the smallest true difference that such a test (two-sided, 5 %,
  before Holm) would find with 80 % probability: ``(z(0.975) + z(0.80)) x sd = 2.80 x sd``, with
  the standard deviation of the paired replicates as the standard error.
- The *spread* over model seeds is not in any of these: it is another source of uncertainty, and
  is shown apart.

References
----------
A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 4.4
(bootstrap tests, and the 1 that is added).
S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
Statistics 6(2), 1979.
H. S. Bloom, "Minimum detectable effects", Evaluation Review 19(5), 1995.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sedbench.stats import LEVEL, percentile_interval

ALPHA = 1 - LEVEL
"""Two methods are told apart where the adjusted p is at most this."""

MIN_CLIPS = 2
"""Clips from which on there is an interval: what one clip scatters by is none."""

POWER = 0.80
"""Probability with which a detectable difference is to be found."""

_ROUNDING = 1e-12  # a replicate this near to the difference found is as far from it as that

Verdict = Literal["better", "worse", "undecided", "identical", "undefined"]


@dataclass(frozen=True)
class Difference:
    """What is known about the difference of two methods; NaN where undefined.

    Attributes
    ----------
    value : float
        The other one minus the first.
    low, high : float
        Its interval.
    p : float
        Two-sided, not adjusted.
    sd : float
        Standard deviation of its replicates.
    detectable : float
        See :func:`detectable`.
    """

    value: float
    low: float
    high: float
    p: float
    sd: float
    detectable: float


def paired(
    first: float,
    other: float,
    first_replicates: ArrayLike,
    other_replicates: ArrayLike,
    level: float = LEVEL,
) -> Difference:
    """Compare two methods that were measured on the same pairs.

    Parameters
    ----------
    first, other : float
        The figure of each.
    first_replicates, other_replicates : array_like, shape (replicates,)
        The figure in each replicate, both from the same resamples; NaN where undefined.
    level : float
        Of the interval.

    Returns
    -------
    Difference
    """
    value = float(other) - float(first)
    scatter = np.asarray(other_replicates, np.float64) - np.asarray(first_replicates, np.float64)
    known = scatter[np.isfinite(scatter)]
    if not np.isfinite(value) or known.size < 2:
        return Difference(value, *[float("nan")] * 5)
    low, high = percentile_interval(known[None], level)
    far = np.abs(known - value) >= abs(value) - _ROUNDING
    sd = float(known.std(ddof=1))
    p = (1 + int(far.sum())) / (1 + known.size)
    return Difference(value, float(low[0]), float(high[0]), p, sd, detectable(sd))


def detectable(sd: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Give the smallest true difference that a test would find with probability ``power``.

    Parameters
    ----------
    sd : float
        Standard error of the difference.
    alpha : float
        Two-sided level of the test.
    power : float

    References
    ----------
    Bloom, 1995: the multiplier is ``z(1 - alpha / 2) + z(power)``.
    """
    normal = NormalDist()
    return sd * (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power))


def holm(p: ArrayLike, same: Sequence[Hashable] | None = None) -> NDArray[np.float64]:
    """Adjust p values for the number of hypotheses tested.

    Parameters
    ----------
    p : array_like, shape (tests,)
        NaN where there is no test.
    same : sequence of hashable, (tests,), optional
        Tests with the same key are one hypothesis, and count once, with the largest of their p.

    Returns
    -------
    ndarray, shape (tests,)
        In [0, 1]; NaN where there was no test. At most ``alpha`` means rejected, with a
        probability of any false rejection of at most ``alpha``.
    """
    raw = np.asarray(p, np.float64)
    keys: Sequence[Hashable] = range(raw.size) if same is None else same
    hypotheses: dict[Hashable, float] = {}
    for key, value in zip(keys, raw.tolist(), strict=True):
        if np.isfinite(value):
            hypotheses[key] = max(value, hypotheses.get(key, 0.0))
    adjusted: dict[Hashable, float] = {}
    largest = 0.0
    for done, (key, value) in enumerate(sorted(hypotheses.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(hypotheses) - done) * value))
        adjusted[key] = largest
    found = [
        adjusted[key] if np.isfinite(value) else np.nan
        for key, value in zip(keys, raw.tolist(), strict=True)
    ]
    return np.array(found, np.float64)


def twins(*keys: Sequence[str]) -> list[int]:
    """Number the rows so that identical ones have the same number.

    Parameters
    ----------
    *keys : sequence of str, (rows,)
        Reasons to be identical, for instance what each row equals by construction, and a hash
        of its frame scores. Rows with the same nonempty entry under any of them are identical,
        and so are two that are identical to a third.

    Returns
    -------
    list of int, (rows,)
        The first row that each is identical to.

    Examples
    --------
    >>> twins(["", "sum", "sum", ""], ["a", "b", "c", "c"])
    [0, 1, 1, 1]
    """
    number = list(range(len(keys[0]))) if keys else []
    for column in keys:
        seen: dict[str, int] = {}
        for row, key in enumerate(column):
            if key and key in seen:
                merged = sorted((number[row], number[seen[key]]))
                number = [merged[0] if n == merged[1] else n for n in number]
            elif key:
                seen[key] = row
    return number


def verdict(
    difference: Difference, adjusted_p: float, *, identical: bool = False, alpha: float = ALPHA
) -> Verdict:
    """Say what a difference comes to.

    Returns
    -------
    {"better", "worse", "undecided", "identical", "undefined"}
        Of the other one against the first. ``undecided``: they cannot be told apart, which
        does not mean that they are alike: see ``difference.detectable``.
    """
    if identical:
        return "identical"
    if not np.isfinite(adjusted_p):
        return "undefined"
    if adjusted_p > alpha:
        return "undecided"
    return "better" if difference.value > 0 else "worse"


@dataclass(frozen=True)
class Spread:
    """How a figure varies over model seeds, whatever the clips.

    Attributes
    ----------
    mean, low, high : float
        ``low`` and ``high`` are the smallest and the largest value.
    sd : float
        Sample standard deviation; NaN with fewer than two seeds.
    seeds : int
    """

    mean: float
    low: float
    high: float
    sd: float
    seeds: int


def spread(values: ArrayLike) -> Spread:
    """Describe the values of one method, one a model seed.

    Parameters
    ----------
    values : array_like, shape (seeds,)
        NaN where undefined, which makes everything undefined: a mean over fewer seeds is
        another quantity.
    """
    found = np.asarray(values, np.float64)
    sd = float(found.std(ddof=1)) if found.size > 1 else float("nan")
    return Spread(float(found.mean()), float(found.min()), float(found.max()), sd, found.size)
