"""Ranks of the methods of a table, where every two of them are compared.

A table of ``n`` methods has ``n (n - 1) / 2`` differences. Holm's method multiplies the smallest p
by their number; with 10,000 replicates and more than 32 methods even that is never below 5 %, and
all would share a rank however far apart they are. Here the differences are adjusted by what
they scatter *together*: step-down with the largest studentised difference [1]_, [2]_. With ``d``
the differences found, ``d*`` their replicates and ``s`` the standard deviation of these::

    t_k = |d_k| / s_k             t*_k = |d*_k - d_k| / s_k
    p_k = (1 + number of replicates with max t*_j >= t_k over all j with t_j <= t_k) / (1 + B)

and no p below that of a larger ``t``. The probability of telling apart any two that are alike is
held at 5 %, as by Holm's method, and since differences within a table go together, more is found.

References
----------
.. [1] P. Westfall, S. Young, "Resampling-based multiple testing", Wiley, 1993.
.. [2] J. Romano, M. Wolf, "Exact and approximate stepdown methods for multiple hypothesis
   testing", Journal of the American Statistical Association 100(469), 2005.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sedbench.comparison import ALPHA

_ROUNDING = 1e-12  # a replicate this near to the difference found is as far from it as that


def ranks(
    values: ArrayLike,
    replicates: ArrayLike,
    same: Sequence[Hashable] | None = None,
    *,
    alpha: float = ALPHA,
) -> list[int | None]:
    """Rank methods so that none is placed above another without evidence.

    Every two methods are compared, all comparisons of the table adjusted together
    (:func:`told_apart`). A method's rank is 1 plus the number of methods above it that are
    told apart from it, or from one between the two. So ranks follow the order of the values; of
    two methods that are told apart the better one has the smaller rank; and two that share a
    rank cannot be told apart. Two with different ranks may still not be told apart: that
    relation is not transitive.

    Parameters
    ----------
    values : array_like, shape (methods,)
        Higher is better; NaN where undefined.
    replicates : array_like, shape (methods, replicates)
        From the same resamples for all.
    same : sequence of hashable, (methods,), optional
        Methods with the same key are identical by construction: they share a rank, and count
        as one method for the ranks of the others.
    alpha : float

    Returns
    -------
    list of int or None, (methods,)
        None where the value is undefined.

    Examples
    --------
    Two that differ by less than they scatter share the first rank:

    >>> scatter = np.random.default_rng(0).normal(0, 0.01, (3, 999))
    >>> values = np.array([0.50, 0.90, 0.91])
    >>> ranks(values, values[:, None] + scatter)
    [3, 1, 1]
    """
    found = np.asarray(values, np.float64)
    keys: Sequence[Hashable] = range(found.size) if same is None else same
    distinct = _distinct(found, keys)
    order = list(distinct.values())
    apart = told_apart(found, replicates, keys, alpha=alpha)[np.ix_(order, order)]
    beaten = np.logical_or.accumulate(np.triu(apart), axis=1).sum(0)
    rank = {key: 1 + int(beaten[place]) for place, key in enumerate(distinct)}
    return [rank[keys[row]] if np.isfinite(found[row]) else None for row in range(found.size)]


def told_apart(
    values: ArrayLike,
    replicates: ArrayLike,
    same: Sequence[Hashable] | None = None,
    *,
    alpha: float = ALPHA,
) -> NDArray[np.bool_]:
    """Say of every two methods whether they are told apart; see :func:`ranks`.

    Returns
    -------
    ndarray, shape (methods, methods), bool
        Symmetric. False for identical methods, and where a value is undefined.
    """
    found, scatter = np.asarray(values, np.float64), np.asarray(replicates, np.float64)
    keys: Sequence[Hashable] = range(found.size) if same is None else same
    distinct = _distinct(found, keys)
    order = list(distinct.values())
    apart = np.zeros((len(order) + 1,) * 2, bool)  # the last one: undefined
    p = adjusted(found[order], scatter[order])
    apart[:-1, :-1] = p <= alpha
    place = {key: i for i, key in enumerate(distinct)}
    rows = [place[keys[i]] if np.isfinite(found[i]) else len(order) for i in range(found.size)]
    return np.asarray(apart[np.ix_(rows, rows)])


def adjusted(values: ArrayLike, replicates: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p of the difference between every two methods.

    Parameters
    ----------
    values : array_like, shape (methods,)
        Finite.
    replicates : array_like, shape (methods, replicates)
        From the same resamples for all; NaN where undefined.

    Returns
    -------
    ndarray, shape (methods, methods)
        In (0, 1], symmetric; 1 on the diagonal.
    """
    found, scatter = np.asarray(values, np.float64), np.asarray(replicates, np.float64)
    pairs = list(combinations(range(found.size), 2))
    p = np.ones((found.size,) * 2)
    spread = [_deviation(scatter[one] - scatter[other]) for one, other in pairs]
    distance = np.array([abs(found[one] - found[other]) for one, other in pairs])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.nan_to_num(distance / np.array(spread), nan=0.0, posinf=np.inf)
    # From the smallest on, so that the largest of what is left is known at every step.
    order = np.argsort(t, kind="stable")
    largest = np.zeros(scatter.shape[1])
    steps: list[float] = []
    for k in order.tolist():
        one, other = pairs[k]
        if spread[k] > 0:
            off = np.abs(scatter[one] - scatter[other] - (found[one] - found[other])) / spread[k]
            np.fmax(largest, off, out=largest)
        steps.append((1 + int((largest >= t[k] - _ROUNDING).sum())) / (1 + largest.size))
    for k, value in zip(order[::-1], np.maximum.accumulate(steps[::-1]), strict=True):
        p[pairs[k]] = p[pairs[k][::-1]] = value
    return p


def _deviation(scatter: NDArray[np.float64]) -> float:
    known = scatter[np.isfinite(scatter)]
    return float(known.std(ddof=1)) if known.size > 1 else np.nan


def _distinct(values: NDArray[np.float64], keys: Sequence[Hashable]) -> dict[Hashable, int]:
    """From the highest value down; the highest of identical methods speaks for them."""
    distinct: dict[Hashable, int] = {}
    for row in np.argsort(-values, kind="stable").tolist():
        if np.isfinite(values[row]):
            distinct.setdefault(keys[row], row)
    return distinct
