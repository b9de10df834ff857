"""What is measured: one concept a file, vectorised over pairs, NumPy alone.

A metric here takes frame scores or counts of *pairs* (clip, class) and gives one value a pair;
how pairs are chosen, thresholded, averaged and resampled is the protocol's business
(:mod:`sedbench.protocol`).
"""

from sedbench.metrics.catalogue import METRICS, METRICS_VERSION
from sedbench.metrics.discrimination import discrimination_auc
from sedbench.metrics.overlap import frame_f1, iou
from sedbench.metrics.pointing import active_share, chance_corrected, pointing_hit
from sedbench.metrics.ranking import average_precision, roc_auc

__all__ = [
    "METRICS",
    "METRICS_VERSION",
    "active_share",
    "average_precision",
    "chance_corrected",
    "discrimination_auc",
    "frame_f1",
    "iou",
    "pointing_hit",
    "roc_auc",
]
