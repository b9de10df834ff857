"""Scores of a classifier or detector as such: clip F1, and frame IoU at a fixed threshold.

They choose epochs and describe models; how well *when* is found is measured elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def clip_scores(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.bool_], threshold: float = 0.5
) -> dict[str, float]:
    """Micro and macro F1, precision and recall of clip decisions.

    Parameters
    ----------
    probabilities : ndarray, shape (clips, classes)
    labels : ndarray, shape (clips, classes), bool
    threshold : float
        A class is detected where its probability exceeds it strictly.

    Returns
    -------
    dict
        ``micro_f1, macro_f1, precision, recall``; a class never present nor detected
        counts as F1 0.
    """
    detected = probabilities > threshold
    tp = (detected & labels).sum(0).astype(float)
    fp = (detected & ~labels).sum(0).astype(float)
    fn = (~detected & labels).sum(0).astype(float)
    per_class = 2 * tp / np.maximum(2 * tp + fp + fn, 1)
    total = max(2 * tp.sum() + fp.sum() + fn.sum(), 1.0)
    return {
        "micro_f1": float(2 * tp.sum() / total),
        "macro_f1": float(per_class.mean()),
        "precision": float(tp.sum() / max(tp.sum() + fp.sum(), 1.0)),
        "recall": float(tp.sum() / max(tp.sum() + fn.sum(), 1.0)),
    }


def frame_iou(
    probabilities: NDArray[np.floating[Any]], truth: NDArray[np.bool_], threshold: float = 0.5
) -> float:
    """Mean IoU over the (clip, class) pairs that are present, at a fixed threshold.

    Parameters
    ----------
    probabilities, truth : ndarray, shape (clips, classes, frames)
    threshold : float
    """
    active = probabilities > threshold
    both = (active & truth).sum(-1)
    either = (active | truth).sum(-1)
    present = truth.any(-1)
    return float((both[present] / either[present]).mean()) if present.any() else 0.0
