"""What a method decides for each test pair, at the threshold that validation chose.

The headline is a mean over pairs. Here are the pairs one by one: which frames of each are
predicted active under the ``chosen`` policy without smoothing, above which score, and how well that
overlaps with the truth. The mean of the overlaps is the headline again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.metrics.overlap import iou
from sedbench.protocol.replicates import Measured
from sedbench.protocol.thresholds import POLICIES
from sedbench.types import BoolArray


@dataclass(frozen=True, eq=False)
class Decisions:
    """A method's decisions on the test split.

    Attributes
    ----------
    mask : ndarray, shape (pairs, frames), bool
        Frames that are predicted active; none of a pair that was not answered.
    level : ndarray, shape (pairs,)
        The score that an active frame exceeds; infinity where a rule says always off, NaN for a
        method that decides by itself.
    overlap : ndarray, shape (pairs,)
        IoU with the truth; NaN for what is not in the localisation view.
    """

    mask: BoolArray
    level: NDArray[np.float64]
    overlap: NDArray[np.float64]


def decide(measured: Measured, truth: str) -> Decisions:
    """Read off a method's decisions.

    Parameters
    ----------
    measured : Measured
        From :func:`~sedbench.protocol.replicates.measure`.
    truth : str
        The truth that decisions are held against.
    """
    answer, table = measured.whole.answer, measured.whole.answer.table
    mask = np.zeros(answer.scores.shape, bool)
    level = np.full(len(table), np.nan)
    if answer.mask is not None:
        mask = answer.mask & answer.scored[:, None]
    else:
        for part in measured.parts:
            selector = measured.selectors[part.fold]
            point = selector.chosen()["chosen", "none"]
            policy = POLICIES[int(selector.points.policy[point])]
            scores = part.pairs.ordered(0)
            found = scores.levels(policy, selector.points.value[[point]])[:, 0]
            level[part.among] = found
            mask[part.among] = scores.values > found[:, None]
        mask &= answer.scored[:, None]
    active = table.truths[truth]
    hit = (mask & active).sum(-1)
    found = iou(hit, mask.sum(-1) - hit, active.sum(-1) - hit)
    kept = measured.whole.views.localisation
    return Decisions(mask, level, np.where(kept, found, np.nan))
