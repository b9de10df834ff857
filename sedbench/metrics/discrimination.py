"""Discrimination: whether a method found *this* sound, or just any sound.

Among the frames in which any event of the clip is active, the ROC-AUC of the target's frames
against those where only other events sound. Silence is left out, so loudness alone, which tells
sound from background, has no advantage: 0.5 is "cannot tell the sounds apart".

Conventions
-----------
- A frame in which the target and another event sound together counts as the target's.
- Undefined (NaN) where no other event sounds outside the target, or the target has no frame.

References
----------
The idea is that of pointing *away from distractors*: J. Zhang et al., IJCV 2018 ("difficult"
pointing game); the area is that of :func:`sedbench.metrics.ranking.roc_auc`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sedbench.metrics.ranking import roc_auc
from sedbench.types import BoolArray, FloatArray


def discrimination_auc(
    scores: FloatArray, truth: BoolArray, others: BoolArray
) -> NDArray[np.float64]:
    """ROC-AUC of the target's frames against the frames of other events.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
        Finite.
    truth : ndarray, shape (pairs, frames), bool
        Frames in which the target class is active.
    others : ndarray, shape (pairs, frames), bool
        Frames in which an event of any other class is active.

    Returns
    -------
    ndarray, shape (pairs,)
        In ``[0, 1]``; NaN where undefined.
    """
    return roc_auc(scores, truth, valid=truth | others)
