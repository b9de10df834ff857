"""Threshold-free metrics of a pair's frame scores: ROC-AUC and average precision.

Both ask how well the scores *order* the frames of one clip, active before inactive.

Conventions
-----------
- ROC-AUC is the probability that an active frame outscores an inactive one, a tie counting one
  half. It is undefined (NaN) where all frames are active, or none.
- Average precision is the step-wise sum of precision times the gain in recall over the distinct
  scores, from the highest down: tied frames enter together and nothing is interpolated, which is
  scikit-learn's definition. It is undefined where no frame is active.
- Undefined is never zero: the protocol leaves such pairs out and says how many they were.

References
----------
T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27(8), 2006.
J. Davis and M. Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sedbench.types import BoolArray, FloatArray


def _ladder(
    scores: FloatArray, positive: BoolArray, negative: BoolArray
) -> tuple[NDArray[np.float64], ...]:
    """Count from the highest score down, at the end of every run of tied scores.

    Returns
    -------
    tp, fp, tp_before, fp_before : ndarray, shape (pairs, frames)
        Positives and negatives at or above a score, and strictly above it. Inside a run of ties
        the values of before equal those after, so that differences vanish there.
    """
    order = np.argsort(scores, axis=-1)[:, ::-1]
    ranked = np.take_along_axis(scores, order, -1)
    tp = np.take_along_axis(positive, order, -1).cumsum(-1, dtype=np.float64)
    fp = np.take_along_axis(negative, order, -1).cumsum(-1, dtype=np.float64)
    starts = np.ones(scores.shape, bool)
    starts[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    ends = np.ones(scores.shape, bool)
    ends[:, :-1] = starts[:, 1:]

    def before(count: NDArray[np.float64]) -> NDArray[np.float64]:
        shifted = np.zeros_like(count)
        shifted[:, 1:] = count[:, :-1]
        # Counts never fall, so the running maximum carries a run's first value through the run.
        carried = np.maximum.accumulate(np.where(starts, shifted, 0.0), axis=-1)
        return np.where(ends, carried, count)

    return tp, fp, before(tp), before(fp)


def roc_auc(
    scores: FloatArray, truth: BoolArray, valid: BoolArray | None = None
) -> NDArray[np.float64]:
    """Area under the ROC curve of each pair's frames.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
        Finite.
    truth : ndarray, shape (pairs, frames), bool
    valid : ndarray, shape (pairs, frames), bool, optional
        Frames that count; all where not given.

    Returns
    -------
    ndarray, shape (pairs,)
        In ``[0, 1]``; NaN where only one of the two kinds of frame is there.
    """
    counted = np.ones_like(truth) if valid is None else valid
    positive, negative = truth & counted, ~truth & counted
    tp, fp, tp_before, fp_before = _ladder(scores, positive, negative)
    area = ((fp - fp_before) * (tp + tp_before)).sum(-1) / 2
    rectangle = tp[:, -1] * fp[:, -1]
    defined = rectangle > 0
    return np.asarray(np.where(defined, area / np.where(defined, rectangle, 1.0), np.nan))


def average_precision(scores: FloatArray, truth: BoolArray) -> NDArray[np.float64]:
    """Average precision of each pair's frames.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
        Finite.
    truth : ndarray, shape (pairs, frames), bool

    Returns
    -------
    ndarray, shape (pairs,)
        In ``(0, 1]``; NaN where no frame is active.
    """
    tp, fp, tp_before, _ = _ladder(scores, truth, ~truth)
    total = tp[:, -1]
    defined = total > 0
    gained = ((tp - tp_before) * tp / (tp + fp)).sum(-1)
    return np.asarray(np.where(defined, gained / np.where(defined, total, 1.0), np.nan))
