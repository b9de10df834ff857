"""Everything about one detector: each metric that stands alone, of one set of clips.

Decisions (event lists) have segment-based, event-based and intersection-based figures and errors of
boundaries. Scores have PSDS as well, which needs all thresholds; from decisions it is not computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.metrics.boundaries import boundary_errors
from sedbench.metrics.collars import event_based
from sedbench.metrics.events import EventTable
from sedbench.metrics.intersection import Criteria, intersection_based
from sedbench.metrics.psd_roc import PSDS1, PSDS2, psds
from sedbench.metrics.scores import ScoreSet
from sedbench.metrics.segments import segment_based

PSDS = {"psds1": PSDS1, "psds2": PSDS2}


@dataclass(frozen=True)
class Figure:
    """One metric of a detector.

    Attributes
    ----------
    metric : str
        An id of :data:`sedbench.metrics.STANDALONE_METRICS`.
    micro, macro : float or None
        Over all classes together, and averaged over classes. None where the metric has no such
        average; NaN where it is undefined.
    classes : ndarray, shape (classes,), or None
        The class's own value; NaN where it is undefined.
    """

    metric: str
    micro: float | None
    macro: float | None = None
    classes: NDArray[np.float64] | None = None


def detector_figures(
    truth: EventTable,
    decided: EventTable,
    scores: ScoreSet | None = None,
    durations: Mapping[str, float] | None = None,
    slack: float = 0.0,
) -> tuple[Figure, ...]:
    """Measure a detector by every metric that applies.

    Parameters
    ----------
    truth, decided : EventTable
        Over the same clips and classes; events of one class do not overlap.
    scores : ScoreSet, optional
        What the decisions were made from. Without it there is no PSDS.
    durations : mapping of str to float, optional
        Seconds that each clip lasts.
    slack : float, optional
        Seconds by which times may miss a boundary of segments, or a collar.

    Returns
    -------
    tuple of Figure

    Raises
    ------
    UsageError
        Truth, decisions and scores do not go together.
    DataError
        Nothing is true, or events of one class overlap.
    """
    figures = []
    for ending, resolution in (("", 1.0), ("_100ms", 0.1)):
        found = segment_based(truth, decided, resolution, durations, slack)
        tally = found.tally
        figures += [
            Figure(f"segment_f1{ending}", tally.micro.f1, tally.macro.f1, tally.f1),
            Figure(
                f"segment_er{ending}",
                found.error_rate,
                found.macro_error_rate,
                found.class_error_rate,
            ),
        ]
    for name, tally in (
        ("event_f1", event_based(truth, decided, slack=slack)),
        ("intersection_f1", intersection_based(truth, decided, Criteria()).tally),
    ):
        figures.append(Figure(name, tally.micro.f1, tally.macro.f1, tally.f1))
    if scores is not None:
        seconds = None if durations is None else sum(durations[clip] for clip in scores.clips)
        for name, scenario in PSDS.items():
            area = psds(scores, truth, scenario, seconds)
            by_class = dict(zip(area.classes, area.class_values, strict=True))
            own = np.array([by_class.get(label, np.nan) for label in truth.classes])
            figures.append(Figure(name, None, area.value, own))
    errors = boundary_errors(truth, decided)
    figures.append(Figure("onset_error", errors.onset))
    figures.append(Figure("offset_error", errors.offset))
    return tuple(figures)
