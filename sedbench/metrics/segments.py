"""Segment-based metrics: truth and prediction compared in segments of one length.

A clip is cut into segments of 1 s, or 100 ms. A class is active in every segment that an event of
it touches. Precision, recall and F1 count active (segment, class) pairs; the error rate looks at
each segment as a whole, where a wrong class in place of a right one is one *substitution* and not a
deletion plus an insertion::

    S = min(true, predicted) - TP
    D = max(0, true - predicted)
    I = max(0, predicted - true)
    ER = (sum of S + D + I over segments) / (sum of true classes over segments)

Conventions
-----------
- An event ``[onset, offset)`` touches the segments from ``floor(onset / resolution)`` to
  ``ceil(offset / resolution)``, and binary fractions are taken as they are: an event that ends at
  0.30000000000000004 s reaches a fourth segment of 100 ms. That is sed_eval's arithmetic, and the
  default. With ``slack`` a time that lies closer than that to a boundary of segments is on it.
- Nothing past a clip's duration is counted, where the duration is given.
- The error rate is undefined (NaN) where nothing is true. It has no upper bound.

References
----------
A. Mesaros, T. Heittola and T. Virtanen, "Metrics for polyphonic sound event detection",
Applied Sciences 6(6), 2016. Reference implementation: sed_eval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UsageError
from sedbench.metrics.events import EventTable, require_alike
from sedbench.metrics.tally import Tally, mean_of_defined


@dataclass(frozen=True)
class SegmentScores:
    """What segment-based comparison counted.

    Attributes
    ----------
    tally : Tally
        Active (segment, class) pairs; precision, recall and F1 come from here.
    substitutions, deletions, insertions : int
        Over all segments, for the error rate.
    """

    tally: Tally
    substitutions: int
    deletions: int
    insertions: int

    @property
    def error_rate(self) -> float:
        """Error rate over all classes: at least 0, unbounded; NaN where nothing is true."""
        true = int((self.tally.tp + self.tally.fn).sum())
        wrong = self.substitutions + self.deletions + self.insertions
        return wrong / true if true else float("nan")

    @property
    def class_error_rate(self) -> NDArray[np.float64]:
        """Error rate of each class by itself, where nothing can be substituted."""
        true = self.tally.tp + self.tally.fn
        wrong = self.tally.fp + self.tally.fn
        return np.where(true > 0, wrong / np.maximum(true, 1), np.nan)

    @property
    def macro_error_rate(self) -> float:
        """Mean of the classes' error rates over the classes that are truly present."""
        return mean_of_defined(self.class_error_rate)


def segment_based(
    truth: EventTable,
    predicted: EventTable,
    resolution: float = 1.0,
    durations: Mapping[str, float] | None = None,
    slack: float = 0.0,
) -> SegmentScores:
    """Compare truth and prediction in segments.

    Parameters
    ----------
    truth, predicted : EventTable
        Over the same clips and classes; events may overlap.
    resolution : float, optional
        Length of a segment in seconds.
    durations : mapping of str to float, optional
        Seconds that each clip lasts; without it a clip ends with its last event.
    slack : float, optional
        Seconds by which a time may miss a boundary of segments and still be on it.

    Returns
    -------
    SegmentScores

    Raises
    ------
    UsageError
        The tables do not go together, a clip has no duration, or a parameter cannot be.
    """
    require_alike(truth, predicted)
    if not (resolution > 0 and 0 <= slack < resolution / 2):
        raise UsageError(
            f"segments of {resolution} s with a slack of {slack} s cannot be",
            "the resolution is positive, and the slack at most half of it",
        )
    spans = [_span(table, resolution, slack) for table in (truth, predicted)]
    lengths = np.zeros(len(truth.clips), np.int64)
    if durations is None:
        for table, (_, last) in zip((truth, predicted), spans, strict=True):
            np.maximum.at(lengths, table.clip, last)
    else:
        missing = [clip for clip in truth.clips if clip not in durations]
        if missing:
            raise UsageError(f"the clip {missing[0]!r} has no duration", "give one for every clip")
        seconds = np.array([durations[clip] for clip in truth.clips], np.float64)
        lengths = np.ceil((seconds - slack) / resolution).astype(np.int64)
    true, claimed = (
        _roll(table, span, lengths) for table, span in zip((truth, predicted), spans, strict=True)
    )
    hit = true & claimed
    n_true, n_claimed, n_hit = (roll.sum(1) for roll in (true, claimed, hit))
    tp = hit.sum(0)
    return SegmentScores(
        Tally(truth.classes, tp, claimed.sum(0) - tp, true.sum(0) - tp),
        int((np.minimum(n_true, n_claimed) - n_hit).sum()),
        int(np.maximum(n_true - n_claimed, 0).sum()),
        int(np.maximum(n_claimed - n_true, 0).sum()),
    )


def _span(
    table: EventTable, resolution: float, slack: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First segment of each event, and the one after its last."""
    first = np.floor((table.onset + slack) / resolution).astype(np.int64)
    last = np.ceil((table.offset - slack) / resolution).astype(np.int64)
    return first, np.maximum(last, first + 1)


def _roll(
    table: EventTable,
    span: tuple[NDArray[np.int64], NDArray[np.int64]],
    lengths: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which class is active in which segment, the clips end to end: shape (segments, classes)."""
    # Up where an event begins, down where it ends; a clip's last segment is followed by a row that
    # takes what ends there, so that no clip runs into the next.
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    change = np.zeros((int((lengths + 1).sum()), len(table.classes)), np.int32)
    limit = lengths[table.clip]
    for bound, sign in zip(span, (1, -1), strict=True):
        np.add.at(change, (starts[table.clip] + np.minimum(bound, limit), table.label), sign)
    # An event wholly past the end goes up and down in that row, which is never active itself.
    return np.asarray(change.cumsum(0) > 0)
