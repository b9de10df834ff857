"""Choosing thresholds on validation, once for the figure and once per bootstrap replicate.

An *operating point* is a policy, a smoothing and a threshold. Validation scores every one of
them by mean IoU over the localisation pairs under the task's primary truth. Eight *choices* are
made from that: for each policy, and for the best of the three (``chosen``), without smoothing
(``none``) and with the best filter of the list (``chosen``).

Choosing is part of the measurement: another draw of validation clips would have chosen
otherwise. So every choice is repeated in every replicate, on validation clips and groups
resampled with streams of their own, and the replicate of the test split is scored there.

Conventions
-----------
- Ties go to the earlier policy, then the earlier smoothing, then the smaller candidate, in the
  order of the lists in :mod:`~sedbench.protocol.thresholds` and
  :mod:`~sedbench.protocol.smoothing`.
- For choosing, IoU is rounded to multiples of 2**-20. With integer weights every sum is then
  exact, so the same operating point wins whatever library multiplies the matrices.
- Thresholds that are *given* (shipped ones, without the validation scores behind them) are held
  fixed in the bootstrap: the intervals then leave out the uncertainty of choosing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import NothingSelectedError, SedbenchError, UnknownNameError
from sedbench.metrics.overlap import iou
from sedbench.protocol.pairs import DECISION, Scored, Views
from sedbench.protocol.smoothing import SMOOTHINGS, smooth
from sedbench.protocol.thresholds import POLICIES, SortedScores, default_candidates
from sedbench.stats import Resampling

Choice = tuple[str, str]
"""(policy or "chosen", "none" or "chosen" smoothing)."""

CHOICES: tuple[Choice, ...] = tuple(
    (policy, smoothing) for smoothing in ("none", "chosen") for policy in (*POLICIES, "chosen")
)

VALIDATION_STREAMS = (2, 3)
"""Streams of the generator for validation clips and groups; the test split has 0 and 1. Rotation
``k`` of a task in folds has ``2 k`` more: its validation clips are drawn by themselves."""

_EXACT = 2.0**20


@dataclass(frozen=True, eq=False)
class Points:
    """Operating points, by policy, then smoothing, then threshold.

    Attributes
    ----------
    policy, smoothing : ndarray, shape (points,), int64
        Rows of ``POLICIES`` and ``SMOOTHINGS``.
    value : ndarray, shape (points,)
        Percentile, fraction or level.
    """

    policy: NDArray[np.int64]
    smoothing: NDArray[np.int64]
    value: NDArray[np.float64]

    def blocks(self) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
        """Each policy and smoothing that occur together, with the points that have them."""
        both = self.policy * len(SMOOTHINGS) + self.smoothing
        for key in np.unique(both).tolist():
            yield key // len(SMOOTHINGS), key % len(SMOOTHINGS), np.flatnonzero(both == key)


class Selector(Protocol):
    """Where operating points come from: a calibration, given thresholds, or a method's mask."""

    @property
    def points(self) -> Points:
        """The operating points there are to choose from."""
        ...

    def select(self, first: int, replicates: int) -> dict[Choice, NDArray[np.int64]]:
        """Choose in a block of replicates; a point of each choice, each (replicates,)."""
        ...

    def chosen(self) -> dict[Choice, int]:
        """Choose on the validation split itself."""
        ...


@dataclass(frozen=True, eq=False)
class Fixed:
    """Operating points that were given: no replicate chooses otherwise."""

    points: Points
    at: Mapping[Choice, int]

    def select(self, first: int, replicates: int) -> dict[Choice, NDArray[np.int64]]:
        """See :class:`Selector`."""
        return {choice: np.full(replicates, point) for choice, point in self.at.items()}

    def chosen(self) -> dict[Choice, int]:
        """See :class:`Selector`."""
        return dict(self.at)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What validation knows about every operating point.

    Attributes
    ----------
    points : Points
    gain : ndarray, shape (pairs, points), float64
        IoU of the scored localisation pairs of validation, in multiples of 2**-20.
    resampling : Resampling
        Of those pairs.
    """

    points: Points
    gain: NDArray[np.float64]
    resampling: Resampling

    def select(self, first: int, replicates: int) -> dict[Choice, NDArray[np.int64]]:
        """See :class:`Selector`."""
        return self._best(self.resampling.weights(first, replicates))

    def chosen(self) -> dict[Choice, int]:
        """See :class:`Selector`."""
        return {choice: int(at[0]) for choice, at in self._best(self.resampling.ones()).items()}

    def _best(self, weights: NDArray[np.float64]) -> dict[Choice, NDArray[np.int64]]:
        # The denominator of the mean is the same for every point, so the sum decides.
        total = weights @ self.gain
        rows = np.arange(len(total))
        found: dict[Choice, NDArray[np.int64]] = {}
        for name in ("none", "chosen"):
            at = []
            for policy in range(len(POLICIES)):
                mine = self.points.policy == policy
                if name == "none":
                    mine &= self.points.smoothing == 0
                # Points of a policy, and of a policy without smoothing, lie side by side.
                start, stop = np.flatnonzero(mine)[[0, -1]]
                at.append(start + total[:, start : stop + 1].argmax(1))
                found[POLICIES[policy], name] = at[-1]
            stacked = np.stack(at)
            winner = np.stack([total[rows, points] for points in at]).argmax(0)
            found["chosen", name] = stacked[winner, rows]
        return found


def calibrate(
    validation: Scored,
    *,
    primary: str = "extent",
    decision: float = DECISION,
    seed: int = 0,
    rotation: int = 0,
    smoothings: Sequence[str] = SMOOTHINGS,
) -> Calibration:
    """Score every operating point on validation.

    Parameters
    ----------
    validation : Scored
    primary : str
        The truth that thresholds are chosen for.
    decision : float
        Clip probability above which a class is detected.
    seed : int
        Of the bootstrap.
    rotation : int
        Of a task in folds.
    smoothings : sequence of str
        Filters to choose from, a part of ``SMOOTHINGS`` in its order that begins with ``none``.

    Raises
    ------
    NothingSelectedError
        No pair of the validation split was both detected and answered.
    """
    table = validation.table
    kept = np.flatnonzero(Views(validation, decision).localisation)
    if not kept.size:
        raise NothingSelectedError(
            f"no pair of the {len(table)} on validation was detected and answered, so no "
            "threshold can be chosen",
            "use more validation clips, or thresholds that were chosen before",
        )
    numbers = [SMOOTHINGS.index(name) for name in smoothings]
    filtered = [smooth(validation.scores[kept], name) for name in smoothings]
    ordered = [SortedScores(values) for values in filtered]
    truth = table.truths[primary][kept]
    parts: list[tuple[int, int, NDArray[np.float64]]] = []
    gain = []
    for row, policy in enumerate(POLICIES):
        for number, values, scores in zip(numbers, filtered, ordered, strict=True):
            candidates = default_candidates(policy, values)
            found = scores.counts(truth, scores.above(scores.levels(policy, candidates)))
            gain.append(np.rint(iou(found.tp, found.fp, found.fn) * _EXACT))
            parts.append((row, number, candidates))
    points = Points(
        policy=np.concatenate([np.full(len(values), row) for row, _, values in parts]),
        smoothing=np.concatenate([np.full(len(values), number) for _, number, values in parts]),
        value=np.concatenate([values for _, _, values in parts]),
    )
    resampling = Resampling(
        clip=table.soundscapes[table.clip[kept]],
        groups=[table.groups[i] for i in kept],
        n_clips=len(np.unique(table.soundscapes)),
        seed=seed,
        streams=(VALIDATION_STREAMS[0] + 2 * rotation, VALIDATION_STREAMS[1] + 2 * rotation),
    )
    return Calibration(points, np.concatenate(gain, axis=1), resampling)


def mask_points() -> Fixed:
    """Offer a method that decides by itself one point: its mask, under every policy."""
    none = np.zeros(1, np.int64)
    return Fixed(Points(none, none, np.zeros(1)), dict.fromkeys(CHOICES, 0))


def describe(selector: Selector) -> dict[str, dict[str, Any]]:
    """Chosen thresholds as plain values, the form in which they are stored and given back.

    Returns
    -------
    dict
        ``{"none" | "chosen": {policy: value, ..., "chosen": policy}}``; under ``chosen`` also
        ``"smoothing": {policy: name}``.
    """
    at, points = selector.chosen(), selector.points
    told: dict[str, dict[str, Any]] = {}
    for name in ("none", "chosen"):
        told[name] = {policy: float(points.value[at[policy, name]]) for policy in POLICIES}
        told[name]["chosen"] = POLICIES[int(points.policy[at["chosen", name]])]
    told["chosen"]["smoothing"] = {
        policy: SMOOTHINGS[int(points.smoothing[at[policy, "chosen"]])] for policy in POLICIES
    }
    return told


def given(thresholds: Mapping[str, Mapping[str, Any]]) -> Fixed:
    """Operating points from thresholds as :func:`describe` tells them.

    Raises
    ------
    SedbenchError
        An entry is missing or is not what it should be.
    UnknownNameError
        No such policy or smoothing.
    """
    rows: list[tuple[int, int, float]] = []
    at: dict[Choice, int] = {}
    try:
        for name in ("none", "chosen"):
            for row, policy in enumerate(POLICIES):
                filter_name = "none" if name == "none" else thresholds[name]["smoothing"][policy]
                if filter_name not in SMOOTHINGS:
                    raise UnknownNameError.of("smoothing", str(filter_name), SMOOTHINGS)
                at[policy, name] = len(rows)
                rows.append((row, SMOOTHINGS.index(filter_name), float(thresholds[name][policy])))
            best = thresholds[name]["chosen"]
            if best not in POLICIES:
                raise UnknownNameError.of("threshold policy", str(best), POLICIES)
            at["chosen", name] = at[best, name]
    except (KeyError, TypeError, ValueError) as error:
        raise SedbenchError(
            f"the given thresholds are not complete: {type(error).__name__}: {error}",
            "choose them again on validation",
        ) from error
    policies, filters, values = zip(*rows, strict=True)
    return Fixed(Points(np.array(policies), np.array(filters), np.array(values)), at)
