"""Faithfulness over time: how the classifier's answer depends on the highest frames.

Frames are put in order from the highest score to the lowest. Along shares of the clip, either the
top frames are masked and the rest is left (*deletion*), or the top frames are left and the rest is
masked (*insertion*), and the classifier is asked about what is there. Nothing here asks it: these
functions say which frames to show, and read figures off what it answered.

===================  ===========================================================================
deletion             area under the answer against the masked share: low where the right frames
                     went first
insertion            area under the answer against the shown share: high where they came first
comprehensiveness    answer to the clip minus answer without the top share: high is good
sufficiency          answer to the clip minus answer to the top share alone: low is good
===================  ===========================================================================

The last two are told at each share and as their mean over shares, the area over the perturbation
curve (AOPC). They are the same curves read in another way: over evenly spaced shares, deletion and
comprehensiveness put methods in one order, and so do insertion and sufficiency.

Conventions
-----------
- Answers are clip probabilities, or logits, of the pair's class. Shares are of the clip's frames,
  between 0 and 1; the areas add the ends, the clip itself and the clip with every frame masked.
- *Ties* are put in an order that the caller gives, one for all methods of a clip. With a random
  one, a constant score is a random order. By time, it would be "the beginning first".
- A share that falls between frames is rounded to the next whole frame, halves up; one frame at
  least is masked and one is left.

References
----------
V. Petsiuk, A. Das, K. Saenko, "RISE: randomized input sampling for explanation of black-box
models", BMVC 2018: deletion and insertion.
J. DeYoung et al., "ERASER: a benchmark to evaluate rationalized NLP models", ACL 2020:
comprehensiveness, sufficiency and their AOPC.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UsageError
from sedbench.types import BoolArray, FloatArray, IntArray


def frame_counts(shares: Sequence[float], frames: int) -> NDArray[np.int64]:
    """How many frames each share of a clip is.

    Parameters
    ----------
    shares : sequence of float
        Growing, each between 0 and 1.
    frames : int

    Returns
    -------
    ndarray of int64, shape (shares,)
        From 1 to ``frames - 1``, growing.

    Raises
    ------
    UsageError
        A share is none, or two are the same number of frames.
    """
    wanted = np.asarray(shares, np.float64)
    if not wanted.size or not (np.isfinite(wanted).all() and (wanted > 0).all()):
        raise UsageError("shares of frames lie between 0 and 1", "0.1,0.3,0.5")
    if (wanted >= 1).any() or (np.diff(wanted) <= 0).any():
        raise UsageError(
            f"shares of frames grow and lie between 0 and 1, got {_listed(wanted)}",
            "the ends are added anyway: all frames, and none",
        )
    # A little more than a half, so that 0.15 of 10 frames is 2 whatever its binary fraction.
    counts = np.clip(np.floor(wanted * frames + 0.5 + 1e-9), 1, frames - 1).astype(np.int64)
    if (np.diff(counts) <= 0).any():
        raise UsageError(
            f"of {frames} frames, {_listed(wanted)} are not all different numbers of frames",
            "name fewer shares",
        )
    return counts


def _listed(values: FloatArray) -> str:
    return ", ".join(f"{value:g}" for value in values)


def frame_order(scores: FloatArray, ties: IntArray) -> NDArray[np.int64]:
    """Frames of each pair from the highest score to the lowest.

    Parameters
    ----------
    scores : ndarray, shape (..., frames)
        Finite.
    ties : ndarray of int, shape (frames,) or that of ``scores``
        Of frames with equal scores, the one with the smallest number comes first.

    Returns
    -------
    ndarray of int64, shape of ``scores``
    """
    values = np.asarray(scores, np.float64)
    return np.lexsort((np.broadcast_to(ties, values.shape), -values), axis=-1).astype(np.int64)


def shown_frames(order: IntArray, counts: IntArray) -> BoolArray:
    """Which frames are shown along deletion and insertion.

    Parameters
    ----------
    order : ndarray of int, shape (..., frames)
        From :func:`frame_order`.
    counts : ndarray of int, shape (shares,)

    Returns
    -------
    ndarray of bool, shape (..., 2, shares, frames)
        First deletion (the first ``counts`` frames of the order are masked), then insertion (they
        alone are shown).
    """
    place = np.argsort(order, axis=-1)[..., None, :]
    first = place < np.asarray(counts)[:, None]
    return np.stack([~first, first], axis=-3)


def curve_area(
    curve: FloatArray, shares: FloatArray, start: FloatArray, end: FloatArray
) -> NDArray[np.float64]:
    """Area under a curve over shares, the ends 0 and 1 added, by trapezia.

    Parameters
    ----------
    curve : ndarray, shape (..., shares)
    shares : ndarray, shape (shares,)
        Growing, between 0 and 1.
    start, end : ndarray, shape (...)
        Values at the shares 0 and 1.

    Returns
    -------
    ndarray, shape (...)
        Within the range of the values.
    """
    head, tail = (np.broadcast_to(each, curve.shape[:-1])[..., None] for each in (start, end))
    whole = np.concatenate([head, curve, tail], axis=-1, dtype=np.float64)
    width = np.diff(np.concatenate([[0.0], np.asarray(shares, np.float64), [1.0]]))
    return np.asarray(((whole[..., 1:] + whole[..., :-1]) / 2 * width).sum(-1))


def deletion(
    curve: FloatArray, shares: FloatArray, whole: FloatArray, empty: FloatArray
) -> NDArray[np.float64]:
    """Area under the answers against the masked share; low is good.

    Parameters
    ----------
    curve : ndarray, shape (..., shares)
        Answers with the top share masked.
    shares : ndarray, shape (shares,)
    whole, empty : ndarray, shape (...)
        Answers to the clip, and to the clip with every frame masked.

    Returns
    -------
    ndarray, shape (...)
    """
    return curve_area(curve, shares, whole, empty)


def insertion(
    curve: FloatArray, shares: FloatArray, whole: FloatArray, empty: FloatArray
) -> NDArray[np.float64]:
    """Area under the answers against the shown share; high is good.

    Parameters
    ----------
    curve : ndarray, shape (..., shares)
        Answers to the top share alone.
    shares, whole, empty : ndarray
        See :func:`deletion`.

    Returns
    -------
    ndarray, shape (...)
    """
    return curve_area(curve, shares, empty, whole)


def comprehensiveness(curve: FloatArray, whole: FloatArray) -> NDArray[np.float64]:
    """Loss of the answer without the top share, mean over shares (AOPC); high is good.

    Parameters
    ----------
    curve : ndarray, shape (..., shares)
        Answers with the top share masked.
    whole : ndarray, shape (...)
        Answers to the clip.

    Returns
    -------
    ndarray, shape (...)
        Of probabilities in ``[-1, 1]``.
    """
    return np.asarray((np.asarray(whole, np.float64)[..., None] - curve).mean(-1))


def sufficiency(curve: FloatArray, whole: FloatArray) -> NDArray[np.float64]:
    """Loss of the answer with the top share alone, mean over shares (AOPC); low is good.

    Parameters
    ----------
    curve : ndarray, shape (..., shares)
        Answers to the top share alone.
    whole : ndarray, shape (...)
        Answers to the clip.

    Returns
    -------
    ndarray, shape (...)
        Of probabilities in ``[-1, 1]``.
    """
    return comprehensiveness(curve, whole)


def scatter_of_mean(values: FloatArray, clip: IntArray) -> float:
    """How much a mean over pairs varies from one random order to the next.

    Orders are drawn clip by clip, and the pairs of a clip share them: their values are added
    first, and the variances of the sums are.

    Parameters
    ----------
    values : ndarray, shape (pairs, draws)
    clip : ndarray of int, shape (pairs,)

    Returns
    -------
    float
        Standard deviation of the mean of one draw; NaN with one draw.
    """
    if values.shape[1] < 2 or not len(values):
        return float("nan")
    _, row = np.unique(clip, return_inverse=True)
    sums = np.zeros((int(row.max()) + 1, values.shape[1]))
    np.add.at(sums, row, values)
    return float(np.sqrt(sums.var(axis=1, ddof=1).sum()) / len(values))
