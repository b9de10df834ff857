"""Per-pair quantities at an operating point, in a form in which every statistic is a ratio of sums.

A *moment* is a value a pair; a statistic is the weighted sum of one moment over that of another.
The mean IoU of the localisation view is ``sum(w x IoU) / sum(w)`` over its pairs; the pooled F1 is
``sum(w x 2 TP) / sum(w x (predicted + true))``; an AUC that is undefined for a pair has 0 in both.
So the same sums, with the sample's weights or a replicate's, give every average, stratum and view.

Values are rounded to multiples of 2**-36 (an error below 1e-11). Weights are integers, so every
sum is exact: a figure has the same bits whatever library adds it up, on however many threads.

Rows are the true pairs followed by the false alarms; a false alarm is 0 everywhere but in the
denominator of the end-to-end view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sedbench.metrics.discrimination import discrimination_auc
from sedbench.metrics.mass import relevance_mass, relevance_rank
from sedbench.metrics.overlap import frame_f1, iou
from sedbench.metrics.pointing import active_share, pointing_hit
from sedbench.metrics.ranking import average_precision, roc_auc
from sedbench.protocol.calibration import Points
from sedbench.protocol.pairs import Scored, Views
from sedbench.protocol.smoothing import SMOOTHINGS, smooth
from sedbench.protocol.thresholds import POLICIES, SortedScores
from sedbench.types import BoolArray

LOCALISATION = "localisation"
END_TO_END = "end-to-end"

MASK_METRICS = ("iou", "f1", "f1_pooled")
_EXACT = 2.0**36

RANK_METRICS = ("auc", "ap", "discrimination")
MASS_METRICS = ("rma", "rra")
"""No result holds these; they are worked out from its items where they are asked for."""


@dataclass(frozen=True)
class Key:
    """What a statistic is made of.

    Attributes
    ----------
    metric : str
        A metric's id, or ``"share"`` (the active share that the pointing game needs).
    truth : str
    view : {"localisation", "end-to-end"}
    """

    metric: str
    truth: str
    view: str = LOCALISATION


Moments = dict[Key, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Numerator and denominator of each statistic, each of shape (rows,) or (points, rows)."""


@dataclass(frozen=True, eq=False)
class TestPairs:
    """A method's answer on the test split, ready to be read off at any operating point.

    Attributes
    ----------
    answer : Scored
    points : Points
        The operating points that can be asked for.
    decision : float
    """

    __test__ = False  # a name that begins with Test is not a test case

    answer: Scored
    points: Points
    decision: float
    _ordered: dict[int, SortedScores] = field(default_factory=dict, repr=False)
    _ladders: dict[tuple[int, str], NDArray[np.int64]] = field(default_factory=dict, repr=False)

    @cached_property
    def views(self) -> Views:
        """The two views of the answer."""
        return Views(self.answer, self.decision)

    @cached_property
    def label(self) -> NDArray[np.int64]:
        """Class of each row, false alarms last, shape (rows,)."""
        return np.concatenate([self.answer.table.label, self.views.false_alarms[:, 1]])

    @cached_property
    def clip(self) -> NDArray[np.int64]:
        """Soundscape of each row, one number under all its conditions, shape (rows,)."""
        clips = np.concatenate([self.answer.table.clip, self.views.false_alarms[:, 0]])
        numbers: NDArray[np.int64] = self.answer.table.soundscapes[clips]
        return numbers

    @cached_property
    def condition(self) -> tuple[str, ...]:
        """Condition of each row; empty in a task without."""
        table = self.answer.table
        rows = (*table.clip.tolist(), *self.views.false_alarms[:, 0].tolist())
        return tuple(table.conditions[row] for row in rows)

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Source groups of each row."""
        return (*self.answer.table.groups, *self.views.false_alarm_groups())

    @property
    def truths(self) -> Mapping[str, BoolArray]:
        """The truths, by name."""
        return self.answer.table.truths

    def ordered(self, smoothing: int) -> SortedScores:
        """Filter and sort the scores, once a filter; rows that were not answered are constant."""
        if smoothing not in self._ordered:
            scores = np.where(self.answer.scored[:, None], self.answer.scores, 0.0)
            self._ordered[smoothing] = SortedScores(smooth(scores, SMOOTHINGS[smoothing]))
        return self._ordered[smoothing]

    @cached_property
    def _predicted(self) -> NDArray[np.int64]:
        """Active frames of each pair at each point, shape (pairs, points)."""
        found = np.zeros((len(self.answer.table), len(self.points.value)), np.int64)
        for policy, smoothing, at in self.points.blocks():
            scores = self.ordered(smoothing)
            found[:, at] = scores.above(scores.levels(POLICIES[policy], self.points.value[at]))
        return found

    def at_points(self, points: NDArray[np.int64]) -> Moments:
        """Mask metrics at operating points; each moment has the shape (points, rows)."""
        shape = len(points), len(self.label)
        if self.answer.mask is not None:
            own = self._own_mask()
            return {
                key: (np.broadcast_to(top, shape), np.broadcast_to(bottom, shape))
                for key, (top, bottom) in own.items()
            }
        predicted = self._predicted[:, points].T
        hits = {name: np.zeros(predicted.shape, np.int64) for name in self.truths}
        filters = self.points.smoothing[points]
        for smoothing in np.unique(filters).tolist():
            at = filters == smoothing
            for name, found in hits.items():
                found[at] = self._hits(smoothing, name, predicted[at])
        return self._moments_of_counts(dict.fromkeys(self.truths, predicted), hits)

    def at_percentile(self, percentile: float, smoothing: int) -> Moments:
        """Mask metrics at a percentile that nobody chose."""
        if self.answer.mask is not None:
            return self._own_mask()
        scores = self.ordered(smoothing)
        predicted = scores.above(scores.levels("percentile", [percentile]))[:, 0]
        return self._overlaps(smoothing, dict.fromkeys(self.truths, predicted))

    def at_oracle(self, smoothing: int) -> Moments:
        """Mask metrics at each pair's own best threshold, under each truth."""
        if self.answer.mask is not None:
            return self._own_mask()
        scores = self.ordered(smoothing)
        best = {name: scores.best(truth) for name, truth in self.truths.items()}
        return self._overlaps(smoothing, best)

    def _own_mask(self) -> Moments:
        assert self.answer.mask is not None
        predicted = self.answer.mask.sum(-1)
        hits = {name: (self.answer.mask & truth).sum(-1) for name, truth in self.truths.items()}
        return self._moments_of_counts(dict.fromkeys(self.truths, predicted), hits)

    def _overlaps(self, smoothing: int, predicted: dict[str, NDArray[np.int64]]) -> Moments:
        hits = {name: self._hits(smoothing, name, claimed) for name, claimed in predicted.items()}
        return self._moments_of_counts(predicted, hits)

    def _hits(self, smoothing: int, truth: str, predicted: NDArray[np.int64]) -> NDArray[np.int64]:
        """True frames among so many of the highest of each pair, shape (..., pairs)."""
        key = (smoothing, truth)
        if key not in self._ladders:
            self._ladders[key] = self.ordered(smoothing).ladder(self.truths[truth])
        ladder = self._ladders[key]
        return np.asarray(ladder[np.arange(len(ladder)), predicted])

    def _moments_of_counts(
        self, predicted: dict[str, NDArray[np.int64]], hits: dict[str, NDArray[np.int64]]
    ) -> Moments:
        made: Moments = {}
        for name, truth in self.truths.items():
            true, claimed, hit = truth.sum(-1), predicted[name], hits[name]
            values = {
                "iou": iou(hit, claimed - hit, true - hit),
                "f1": frame_f1(hit, claimed - hit, true - hit),
            }
            for metric, value in values.items():
                made[Key(metric, name)] = self._mean(value)
                made[Key(metric, name, END_TO_END)] = self._mean_end_to_end(value)
            kept = self.views.localisation
            made[Key("f1_pooled", name)] = (
                self._rows(np.where(kept, 2.0 * hit, 0.0)),
                self._rows(np.where(kept, 1.0 * (claimed + true), 0.0)),
            )
        return made

    def threshold_free(self, smoothing: int) -> Moments:
        """Pointing game, its chance, ranking and relevance metrics after one filter."""
        values = self.ordered(smoothing).values
        made: Moments = {}
        for name, truth in self.truths.items():
            hit = pointing_hit(values, truth)
            made[Key("pg", name)] = self._mean(hit)
            made[Key("pg", name, END_TO_END)] = self._mean_end_to_end(hit)
            made[Key("share", name)] = self._mean(active_share(truth))
            made[Key("auc", name)] = self._mean(roc_auc(values, truth))
            made[Key("ap", name)] = self._mean(average_precision(values, truth))
            others = self.answer.table.others[name]
            made[Key("discrimination", name)] = self._mean(
                discrimination_auc(values, truth, others)
            )
            made[Key("rma", name)] = self._mean(relevance_mass(values, truth))
            made[Key("rra", name)] = self._mean(relevance_rank(values, truth))
        return made

    def _rows(self, of_pairs: NDArray[np.float64], of_alarms: float = 0.0) -> NDArray[np.float64]:
        exact = np.rint(of_pairs * _EXACT) / _EXACT
        alarms = np.full((*exact.shape[:-1], len(self.views.false_alarms)), of_alarms)
        return np.concatenate([exact, alarms], axis=-1)

    def _mean(self, value: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        kept = self.views.localisation & np.isfinite(value)
        return self._rows(np.where(kept, value, 0.0)), self._rows(kept.astype(np.float64))

    def _mean_end_to_end(
        self, value: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        earned = np.where(self.views.decided, value, 0.0)
        return self._rows(earned), self._rows(np.ones(value.shape), 1.0)
