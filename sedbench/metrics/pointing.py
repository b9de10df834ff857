"""The pointing game: whether the highest score falls inside an event.

Conventions
-----------
- Where several frames share the maximum the hit is the *expected* hit of pointing at one of them
  at random: the share of active frames among them. A constant score therefore scores exactly
  the share of active frames of the clip, which is what pointing blindly would.
- That share is *chance*. Clips differ in it, so the corrected value is formed from averages, not
  pair by pair (a pair that is active throughout has no room above chance)::

      pg_corrected = (mean hit - mean active share) / (1 - mean active share)

  0 is blind pointing, 1 is perfect, negative is worse than blind.

References
----------
J. Zhang et al., "Top-down neural attention by excitation backprop", International Journal of
Computer Vision 126, 2018.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sedbench.types import BoolArray, FloatArray


def pointing_hit(scores: FloatArray, truth: BoolArray) -> NDArray[np.float64]:
    """Point at the highest score of each pair: the expected hit.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
        Finite.
    truth : ndarray, shape (pairs, frames), bool

    Returns
    -------
    ndarray, shape (pairs,)
        In ``[0, 1]``.
    """
    top = scores == scores.max(-1, keepdims=True)
    return np.asarray((top & truth).sum(-1) / top.sum(-1), np.float64)


def active_share(truth: BoolArray) -> NDArray[np.float64]:
    """Share of active frames of each pair: the hit expected of a blind pointer.

    Parameters
    ----------
    truth : ndarray, shape (pairs, frames), bool

    Returns
    -------
    ndarray, shape (pairs,)
        In ``[0, 1]``.
    """
    return np.asarray(truth.mean(-1), np.float64)


def chance_corrected(hit: ArrayLike, share: ArrayLike) -> NDArray[np.float64]:
    """Pointing game above chance, of averages.

    Parameters
    ----------
    hit, share : array_like, any one shape
        Average hit and average active share.

    Returns
    -------
    ndarray, same shape
        At most 1; NaN where the share is 1, since nothing can be above chance there.
    """
    hits, shares = np.asarray(hit, np.float64), np.asarray(share, np.float64)
    room = 1.0 - shares
    usable = room > 0
    return np.asarray(np.where(usable, (hits - shares) / np.where(usable, room, 1.0), np.nan))
