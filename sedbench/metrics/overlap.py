"""Overlap of predicted and true active frames: IoU and frame-based F1.

Both are functions of three counts of a pair's frames: true positives, false positives and
false negatives. ::

    IoU = TP / (TP + FP + FN)          F1 = 2 TP / (2 TP + FP + FN) = 2 IoU / (1 + IoU)

so that F1 of a pair orders pairs exactly as IoU does; what differs is the mean over pairs, and
the *pooled* F1, which adds the counts of all pairs first and so weighs long events more.

Conventions
-----------
- An empty prediction of an empty truth scores 1: nothing was there and nothing was claimed. It
  arises where every event of the class is too short to fill half a frame.
- An empty prediction of a non-empty truth, and a prediction where nothing is true, score 0.

References
----------
A. Mesaros, T. Heittola and T. Virtanen, "Metrics for polyphonic sound event detection",
Applied Sciences 6(6), 2016 (segment-based F1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ratio_or_one(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """``numerator / denominator``, and 1 where the denominator is 0."""
    empty = denominator == 0
    return np.asarray(np.where(empty, 1.0, numerator / np.where(empty, 1, denominator)))


def iou(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of active frames.

    Parameters
    ----------
    tp, fp, fn : array_like, any one shape
        Frame counts (or durations).

    Returns
    -------
    ndarray, same shape
        In ``[0, 1]``; 1 where all three are 0.
    """
    hit = np.asarray(tp)
    return ratio_or_one(hit, hit + np.asarray(fp) + np.asarray(fn))


def frame_f1(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """F1 of active frames, from the counts of one pair or from pooled counts.

    Parameters
    ----------
    tp, fp, fn : array_like, any one shape

    Returns
    -------
    ndarray, same shape
        In ``[0, 1]``; 1 where all three are 0.
    """
    twice = 2 * np.asarray(tp)
    return ratio_or_one(twice, twice + np.asarray(fp) + np.asarray(fn))
