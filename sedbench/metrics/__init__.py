"""What is measured: one concept a file, vectorised, NumPy alone.

Metrics of the board take frame scores or counts of *pairs* (clip, class) and give one value a pair;
how pairs are chosen, thresholded, averaged and resampled is the protocol's business
(:mod:`sedbench.protocol`). They are in :data:`METRICS`::

    overlap.py  pointing.py  ranking.py  discrimination.py

Metrics that stand alone judge a detector, or an attribution, by itself. They are in
:data:`STANDALONE_METRICS`, and ``docs/metrics.md`` says what each means::

    events.py  scores.py                     event lists and score tables as columns
    segments.py                              segment-based F1 and error rate
    collars.py  matching.py                  event-based F1
    intersection.py  coverage.py             intersection-based F1
    stretches.py  sweeping.py  psd_roc.py    the same at all thresholds, and PSDS
    boundaries.py                            onset and offset error
    mass.py                                  relevance mass and rank accuracy
    faithfulness.py                          insertion, deletion, comprehensiveness, sufficiency
    rank_correlation.py                      what is left of an order of frames
    tally.py                                 precision, recall and F1 of whatever was counted
    detector.py                              all of them, of one detector

>>> from sedbench.metrics import event_based, event_tables
>>> from sedbench.types import Event
>>> truth, predicted = event_tables(
...     {"yard": [Event(1.0, 2.0, "Dog"), Event(4.0, 5.0, "Dog")]},
...     {"yard": [Event(1.1, 2.1, "Dog")]},
... )
>>> event_based(truth, predicted).micro
Rates(precision=1.0, recall=0.5, f1=0.6666666666666666)
"""

from sedbench.metrics.boundaries import BoundaryErrors, boundary_errors
from sedbench.metrics.catalogue import METRICS, METRICS_VERSION
from sedbench.metrics.collars import event_based
from sedbench.metrics.detector import Figure, detector_figures
from sedbench.metrics.discrimination import discrimination_auc
from sedbench.metrics.events import EventTable, event_table, event_tables
from sedbench.metrics.faithfulness import (
    comprehensiveness,
    deletion,
    frame_order,
    insertion,
    shown_frames,
    sufficiency,
)
from sedbench.metrics.intersection import Criteria, IntersectionCounts, intersection_based
from sedbench.metrics.mass import relevance_mass, relevance_rank
from sedbench.metrics.overlap import frame_f1, iou
from sedbench.metrics.pointing import active_share, chance_corrected, pointing_hit
from sedbench.metrics.psd_roc import PSDS1, PSDS2, Psds, Scenario, psds, psds_of_decisions
from sedbench.metrics.rank_correlation import rank_correlation
from sedbench.metrics.ranking import average_precision, roc_auc
from sedbench.metrics.scores import ScoreSet, ScoreTable, detect, score_set
from sedbench.metrics.segments import SegmentScores, segment_based
from sedbench.metrics.standalone import STANDALONE_METRICS
from sedbench.metrics.sweeping import Sweep, sweep
from sedbench.metrics.tally import Rates, Tally

__all__ = [
    "METRICS",
    "METRICS_VERSION",
    "PSDS1",
    "PSDS2",
    "STANDALONE_METRICS",
    "BoundaryErrors",
    "Criteria",
    "EventTable",
    "Figure",
    "IntersectionCounts",
    "Psds",
    "Rates",
    "Scenario",
    "ScoreSet",
    "ScoreTable",
    "SegmentScores",
    "Sweep",
    "Tally",
    "active_share",
    "average_precision",
    "boundary_errors",
    "chance_corrected",
    "comprehensiveness",
    "deletion",
    "detect",
    "detector_figures",
    "discrimination_auc",
    "event_based",
    "event_table",
    "event_tables",
    "frame_f1",
    "frame_order",
    "insertion",
    "intersection_based",
    "iou",
    "pointing_hit",
    "psds",
    "psds_of_decisions",
    "rank_correlation",
    "relevance_mass",
    "relevance_rank",
    "roc_auc",
    "score_set",
    "segment_based",
    "shown_frames",
    "sufficiency",
    "sweep",
]
