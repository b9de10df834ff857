"""Relevance mass and relevance rank accuracy: how much of an attribution lies inside the event.

Both are threshold-free, and complement the pointing game, which looks at one frame only::

    RMA = positive score inside the event / positive score of the clip
    RRA = share of the K highest-scored frames that are active, K being the number of active frames

Conventions
-----------
- Relevance is what is positive: negative scores count as none. An attribution without a positive
  score has no mass, and its RMA is undefined (NaN).
- Where frames tie at the K-th place the share is the *expected* one of drawing among them, so that
  a constant score has the share of active frames in both, which is chance.
- Both are undefined where no frame is active.

References
----------
L. Arras, A. Osman and W. Samek, "CLEVR-XAI: a benchmark dataset for the ground truth evaluation of
neural network explanations", Information Fusion 81, 2022.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sedbench.types import BoolArray, FloatArray


def relevance_mass(scores: FloatArray, truth: BoolArray) -> NDArray[np.float64]:
    """Share of each pair's positive score that lies in active frames.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
        Finite.
    truth : ndarray, shape (pairs, frames), bool

    Returns
    -------
    ndarray, shape (pairs,)
        In ``[0, 1]``; NaN where undefined.
    """
    positive = np.maximum(scores, 0.0).astype(np.float64)
    # The largest score is 1, so that neither sums overflow nor tiny scores vanish.
    top = positive.max(-1, keepdims=True)
    positive = positive / np.where(top > 0, top, 1.0)
    total = positive.sum(-1)
    defined = (total > 0) & truth.any(-1)
    inside = np.where(truth, positive, 0.0).sum(-1)
    return np.asarray(np.where(defined, inside / np.where(defined, total, 1.0), np.nan))


def relevance_rank(scores: FloatArray, truth: BoolArray) -> NDArray[np.float64]:
    """Share of each pair's K highest frames that are active, K being how many frames are.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
        Finite.
    truth : ndarray, shape (pairs, frames), bool

    Returns
    -------
    ndarray, shape (pairs,)
        In ``[0, 1]``; NaN where no frame is active.
    """
    number = truth.sum(-1)
    falling = -np.sort(-scores, axis=-1)
    bar = np.take_along_axis(falling, np.maximum(number - 1, 0)[:, None], -1)
    above, level = scores > bar, scores == bar
    sure = (above & truth).sum(-1)
    drawn = (number - above.sum(-1)) * (level & truth).sum(-1) / level.sum(-1)
    return np.asarray(np.where(number > 0, (sure + drawn) / np.maximum(number, 1), np.nan))
