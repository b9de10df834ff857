"""Which pairs count: the answer of one method on one split, and the two views of it.

A pair is one (clip, class) with the class truly present.

``localisation`` (the headline)
    Pairs whose class the *explained classifier* detects: p above one half. They are the same
    pairs for every method and detector of a board, and other pairs for another model or seed:
    rows of different models are never ranked against each other.
``end-to-end``
    All true pairs. Attributions and baselines go by the classifier's clip decision, a detector by
    its own. A missed class scores 0. A class detected where it is absent is a false alarm: it
    scores 0 too, and enters the denominator (true pairs + false alarms).

A method answers what it was asked. A pair of the localisation view that it left unanswered is
counted as skipped, and the result is then not complete: shown, never ranked. In the end-to-end
view an unanswered pair scores 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import SedbenchError
from sedbench.types import BoolArray, FloatArray, PairTable

DECISION = 0.5
"""Clip probability above which a class counts as detected."""

NOT_DETECTED = "class not detected by the classifier"
NOT_ANSWERED = "not answered by the method"


@dataclass(frozen=True, eq=False)
class Scored:
    """What a method answered on one split, on the task's grid.

    Attributes
    ----------
    table : PairTable
        Every true pair of the split.
    scores : ndarray, shape (pairs, frames)
        Quantised frame scores; rows of pairs that were not answered are ignored.
    scored : ndarray, shape (pairs,), bool
        Pairs that the method answered.
    detected : ndarray, shape (clips, classes)
        Clip probabilities of the explained classifier, or its decisions (bool).
    mask : ndarray, shape (pairs, frames), bool, or None
        Of a method that decides by itself.
    own : ndarray, shape (clips, classes), or None
        A detector's own clip probabilities, or decisions.
    fold : ndarray, shape (clips,), int64, or None
        The rotation that each clip was asked in: its thresholds are chosen apart. None where
        the task has no folds.

    Raises
    ------
    SedbenchError
        Shapes that do not belong together, or values that are not finite.
    """

    table: PairTable
    scores: FloatArray
    scored: BoolArray
    detected: NDArray[Any]
    mask: BoolArray | None = None
    own: NDArray[Any] | None = None
    fold: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        pairs = (len(self.table), self.table.grid.n_frames)
        clips = (len(self.table.clip_ids), len(self.table.classes))
        for name, array, shape in (
            ("scores", self.scores, pairs),
            ("scored", self.scored, pairs[:1]),
            ("mask", self.mask, pairs),
            ("detected", self.detected, clips),
            ("own", self.own, clips),
            ("fold", self.fold, clips[:1]),
            *((f"truth {key!r}", truth, pairs) for key, truth in self.table.truths.items()),
        ):
            if array is not None and array.shape != shape:
                raise SedbenchError(
                    f"{name} has shape {array.shape} where the split's table asks for {shape}",
                    "scores go on the task's grid, one row a pair of the table",
                )
        for name, array in (
            ("scores", self.scores[self.scored]),
            ("detected", self.detected),
            ("own", self.own),
        ):
            if array is not None and not np.isfinite(array).all():
                raise SedbenchError(f"{name} holds values that are not finite")

    @property
    def folds(self) -> tuple[int, ...]:
        """The rotations there are; only 0 where the task has no folds."""
        return (0,) if self.fold is None else tuple(np.unique(self.fold).tolist())

    def of_fold(self, fold: int) -> Scored:
        """The answer in one rotation."""
        return self if self.fold is None else self.subset(self.fold == fold)

    def of_condition(self, condition: str) -> Scored:
        """The answer under one condition."""
        return self.subset(np.array([name == condition for name in self.table.conditions], bool))

    def subset(self, keep: BoolArray) -> Scored:
        """The answer on some clips, shape (clips,)."""
        if keep.all():
            return self
        pairs = keep[self.table.clip]
        return Scored(
            self.table.subset(keep),
            self.scores[pairs],
            self.scored[pairs],
            self.detected[keep],
            None if self.mask is None else self.mask[pairs],
            None if self.own is None else self.own[keep],
            None if self.fold is None else self.fold[keep],
        )

    @classmethod
    def joined(cls, parts: Sequence[Scored], folds: Sequence[int]) -> Scored:
        """The answers in several rotations, one after the other.

        Parameters
        ----------
        parts : sequence of Scored
        folds : sequence of int
            The rotation of each part.
        """
        clips = [len(part.table.clip_ids) for part in parts]

        def join(arrays: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
            known = [array for array in arrays if array is not None]
            return np.concatenate(known) if len(known) == len(arrays) else None

        return cls(
            PairTable.joined([part.table for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.scored for part in parts]),
            np.concatenate([part.detected for part in parts]),
            join([part.mask for part in parts]),
            join([part.own for part in parts]),
            np.repeat(np.array(folds, np.int64), clips),
        )


@dataclass(frozen=True, eq=False)
class Views:
    """The two views of a method's answer.

    Attributes
    ----------
    answer : Scored
    decision : float
        Clip probability above which a class is detected.
    """

    answer: Scored
    decision: float = DECISION

    @cached_property
    def expected(self) -> BoolArray:
        """Pairs of the localisation view, shape (pairs,)."""
        table = self.answer.table
        return np.asarray(self.answer.detected > self.decision)[table.clip, table.label]

    @cached_property
    def localisation(self) -> BoolArray:
        """Pairs of the localisation view that were answered, shape (pairs,)."""
        return self.expected & self.answer.scored

    @cached_property
    def _decisions(self) -> BoolArray:
        source = self.answer.detected if self.answer.own is None else self.answer.own
        return np.asarray(source > self.decision)

    @cached_property
    def decided(self) -> BoolArray:
        """True pairs that earn a score end to end: detected and answered, shape (pairs,)."""
        table = self.answer.table
        return self._decisions[table.clip, table.label] & self.answer.scored

    @cached_property
    def false_alarms(self) -> NDArray[np.int64]:
        """Rows (clip, class) of absent classes that were detected, shape (false alarms, 2)."""
        table = self.answer.table
        absent = np.ones(self._decisions.shape, bool)
        absent[table.clip, table.label] = False
        return np.argwhere(self._decisions & absent)

    def false_alarm_groups(self) -> tuple[tuple[str, ...], ...]:
        """List the sources that may have caused each false alarm: all heard in its clip."""
        table = self.answer.table
        heard: dict[int, set[str]] = {}
        for clip, names in zip(table.clip.tolist(), table.groups, strict=True):
            heard.setdefault(clip, set()).update(names)
        return tuple(
            tuple(sorted(heard.get(clip, ()))) for clip in self.false_alarms[:, 0].tolist()
        )

    def counts(self) -> dict[str, Any]:
        """Say what was expected, scored and skipped, and why.

        Returns
        -------
        dict
            ``pairs`` (true pairs), ``expected`` and ``scored`` (of the localisation view),
            ``skipped`` (reason to number, of all true pairs), ``clips`` and ``groups`` (behind
            the scored pairs), ``missed`` and ``false_alarms`` (of the end-to-end view).
        """
        table = self.answer.table
        kept = np.flatnonzero(self.localisation)
        skipped = {
            NOT_DETECTED: int((~self.expected).sum()),
            NOT_ANSWERED: int((self.expected & ~self.answer.scored).sum()),
        }
        return {
            "pairs": len(table),
            "expected": int(self.expected.sum()),
            "scored": len(kept),
            "skipped": {reason: n for reason, n in skipped.items() if n},
            "clips": len(np.unique(table.soundscapes[table.clip[kept]])),
            "groups": len({name for i in kept for name in table.groups[i]}),
            "missed": int((~self.decided).sum()),
            "false_alarms": len(self.false_alarms),
        }
