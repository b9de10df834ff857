"""Rank correlation of frame scores: whether two answers put the frames of a clip in one order.

Spearman's coefficient is Pearson's of the ranks; frames with equal scores share the mean of their
ranks. It sees the order alone: any growing function of the scores leaves it as it is.

Conventions
-----------
- A row of scores that is constant has no order, and its correlation is undefined: NaN, never zero.
  Whoever averages says how many were left out.

References
----------
C. Spearman, "The proof and measurement of association between two things", American Journal of
Psychology 15(1), 1904.
J. Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018: as a measure of how much of an
explanation is left when the model's weights are random.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sedbench.types import FloatArray


def average_ranks(scores: FloatArray) -> NDArray[np.float64]:
    """Ranks of the frames of each pair, from 1 for the lowest; equals share their mean rank.

    Parameters
    ----------
    scores : ndarray, shape (..., frames)
        Finite.

    Returns
    -------
    ndarray of float64, same shape
    """
    values = np.asarray(scores, np.float64)
    order = np.argsort(values, axis=-1, kind="stable")
    climbing = np.take_along_axis(values, order, -1)
    size = values.shape[-1]
    place = np.broadcast_to(np.arange(size), values.shape)
    first = np.ones(values.shape, bool)  # of a run of equals
    first[..., 1:] = climbing[..., 1:] != climbing[..., :-1]
    last = np.ones(values.shape, bool)
    last[..., :-1] = first[..., 1:]
    start = np.maximum.accumulate(np.where(first, place, 0), axis=-1)
    ends = np.where(last, place, size)[..., ::-1]
    stop = np.minimum.accumulate(ends, axis=-1)[..., ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (start + stop) / 2 + 1, -1)
    return ranks


def rank_correlation(scores: FloatArray, reference: FloatArray) -> NDArray[np.float64]:
    """Spearman's rank correlation of each pair's frame scores with a reference.

    Parameters
    ----------
    scores, reference : ndarray, shape (..., frames)
        Finite, of one shape.

    Returns
    -------
    ndarray of float64, shape (...)
        In ``[-1, 1]``; NaN where either row is constant.
    """
    one, two = (average_ranks(each) - (each.shape[-1] + 1) / 2 for each in (scores, reference))
    size = np.sqrt(np.square(one).sum(-1) * np.square(two).sum(-1))
    defined = size > 0
    found = (one * two).sum(-1) / np.where(defined, size, 1.0)
    return np.where(defined, np.clip(found, -1.0, 1.0), np.nan)
