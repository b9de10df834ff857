"""The metrics of every board: ids, ranges, units, references, and the version of their rules.

``METRICS_VERSION`` enters every result. Raise it whenever a number could come out differently:
a convention about ties or empty masks, a candidate grid, a smoothing rule, the bootstrap.
"""

from __future__ import annotations

from sedbench.types import MetricInfo

METRICS_VERSION = "1"

METRICS: tuple[MetricInfo, ...] = (
    MetricInfo(
        name="iou",
        summary="intersection over union of predicted and true active frames, mean over pairs",
        reference="Dumpis and Virtanen 2026, arXiv:2605.23293",
        over="masks",
    ),
    MetricInfo(
        name="f1",
        summary="F1 of active frames per pair, then averaged (a transform of the pair's IoU)",
        reference="Mesaros et al., Applied Sciences 6(6), 2016",
        over="masks",
    ),
    MetricInfo(
        name="f1_pooled",
        summary="F1 of active frames with the counts of all pairs added first",
        reference="Mesaros et al., Applied Sciences 6(6), 2016",
        over="masks",
    ),
    MetricInfo(
        name="pg",
        summary="pointing game: the highest score lies inside an event (ties: expected hit)",
        reference="Zhang et al., International Journal of Computer Vision 126, 2018",
        over="scores",
    ),
    MetricInfo(
        name="pg_corrected",
        summary="pointing game above chance: (hit - share) / (1 - share) of means; 0 is "
        "pointing blindly, and what points away from events that fill a clip may be below -1",
        reference="Zhang et al., International Journal of Computer Vision 126, 2018",
        over="scores",
        low=float("-inf"),
    ),
    MetricInfo(
        name="auc",
        summary="ROC-AUC of frame scores within a clip, active against inactive frames",
        reference="Fawcett, Pattern Recognition Letters 27(8), 2006",
        over="scores",
    ),
    MetricInfo(
        name="ap",
        summary="average precision of frame scores within a clip, step-wise, ties together",
        reference="Davis and Goadrich, ICML 2006",
        over="scores",
    ),
    MetricInfo(
        name="discrimination",
        summary="ROC-AUC among sounding frames: the target against other events",
        reference="Zhang et al., International Journal of Computer Vision 126, 2018",
        over="scores",
    ),
)
