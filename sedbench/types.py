"""The plain values that flow through sedbench: frozen dataclasses over NumPy, no torch.

Conventions
-----------
- Time is in seconds from the start of the clip; intervals are half open ``[onset, offset)``.
- A *pair* is one (clip, class). Arrays over pairs put the pair first.
- Frame scores come with their time *edges*: ``frames + 1`` values, increasing, in seconds.
- Waveforms are mono ``float32`` in ``[-1, 1]``, shape ``(clips, samples)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sedbench.info import (
    Info,
    MethodInfo,
    MetricInfo,
    ModelInfo,
    Param,
    ParamValue,
    SoundbankInfo,
    TaskInfo,
)

__all__ = [
    "SPLITS",
    "Answer",
    "BoolArray",
    "Cost",
    "Event",
    "FloatArray",
    "FrameGrid",
    "FrameScores",
    "Info",
    "IntArray",
    "MethodInfo",
    "MetricInfo",
    "ModelInfo",
    "PairTable",
    "Param",
    "ParamValue",
    "Query",
    "SoundbankInfo",
    "Split",
    "TaskInfo",
    "frozen_mapping",
]

FloatArray = NDArray[np.floating[Any]]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.integer[Any]]

Split = Literal["train", "validation", "test", "development"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "development")


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One sounding of one class.

    Attributes
    ----------
    onset, offset : float
        Seconds; ``0 <= onset < offset``.
    label : str
        The class.
    """

    onset: float
    offset: float
    label: str

    def __post_init__(self) -> None:
        if not (np.isfinite(self.onset) and np.isfinite(self.offset)):
            raise ValueError(f"event {self.label!r} has a time that is not finite")
        if not 0 <= self.onset < self.offset:
            raise ValueError(
                f"event {self.label!r} needs 0 <= onset < offset, "
                f"got {self.onset} and {self.offset}"
            )


@dataclass(frozen=True)
class FrameGrid:
    """The common grid on which every method is scored.

    Attributes
    ----------
    duration : float
        Length of a clip in seconds.
    frame : float
        Length of a frame in seconds (0.1 in every shipped task).
    """

    duration: float
    frame: float = 0.1

    def __post_init__(self) -> None:
        if not (self.frame > 0 and self.duration >= self.frame):
            raise ValueError(f"a grid needs 0 < frame <= duration, got {self}")

    @property
    def n_frames(self) -> int:
        """Number of frames; a last frame shorter than the others counts."""
        return int(np.ceil(self.duration / self.frame - 1e-9))

    @cached_property
    def edges(self) -> NDArray[np.float64]:
        """Time edges, shape (n_frames + 1,), seconds."""
        edges = np.arange(self.n_frames + 1, dtype=np.float64) * self.frame
        edges[-1] = self.duration
        return edges


@dataclass(frozen=True)
class FrameScores:
    """Scores over time, one row a pair.

    Attributes
    ----------
    values : ndarray, shape (pairs, frames)
        Higher means "more evidence for the class here". Finite.
    edges : ndarray, shape (frames + 1,)
        Time edges of the frames in seconds, strictly increasing.
    """

    values: FloatArray
    edges: FloatArray

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.edges.ndim != 1:
            raise ValueError(
                f"frame scores need values (pairs, frames) and edges (frames + 1,), "
                f"got {self.values.shape} and {self.edges.shape}"
            )
        if self.values.shape[1] + 1 != self.edges.shape[0]:
            raise ValueError(
                f"{self.values.shape[1]} frames need {self.values.shape[1] + 1} edges, "
                f"got {self.edges.shape[0]}"
            )
        if not np.all(np.diff(self.edges) > 0):
            raise ValueError("edges must increase")


@dataclass(frozen=True)
class Query:
    """What a method is asked: score these pairs.

    Attributes
    ----------
    clip_ids : tuple of str
        Identifiers of the clips, ``(clips,)``.
    waveforms : ndarray, shape (clips, samples), float32
    sample_rate : int
        Hz.
    pairs : ndarray, shape (pairs, 2), int64
        Column 0 is the row in ``waveforms``, column 1 the row in ``classes``. Sorted by clip.
    classes : tuple of str
        The task's classes, in the order of the classifier's outputs.
    grid : FrameGrid
        The grid on which the answer will be scored.
    seed : int
        The run's seed. Derive from it with :meth:`rng`; read no global generator.
    truth : ndarray, shape (pairs, grid.n_frames), bool, or None
        The primary truth; given only to a method that declares ``needs={"truth"}``.
    """

    clip_ids: tuple[str, ...]
    waveforms: NDArray[np.float32]
    sample_rate: int
    pairs: NDArray[np.int64]
    classes: tuple[str, ...]
    grid: FrameGrid
    seed: int = 0
    truth: BoolArray | None = None

    def rng(self, clip: int, *stream: int) -> np.random.Generator:
        """A generator of one clip's own: the same whatever batch the clip comes in.

        Parameters
        ----------
        clip : int
            Row in ``waveforms``.
        *stream : int
            Further non-negative integers that tell several uses apart.
        """
        name = np.frombuffer(self.clip_ids[clip].encode(), np.uint8)
        return np.random.default_rng([self.seed, *stream, len(name), *name.tolist()])


@dataclass(frozen=True)
class Cost:
    """What an answer took, counted in samples that passed through the network.

    Attributes
    ----------
    forward, backward : int
        Forward and backward passes, one per clip (or per interpolation step) passed.
    seconds : float
        Wall-clock seconds of computing.
    """

    forward: int = 0
    backward: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.forward + other.forward,
            self.backward + other.backward,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True)
class Answer:
    """What a method, detector or baseline answers to a :class:`Query`.

    Attributes
    ----------
    scores : FrameScores
        One row per queried pair, on the method's own time edges.
    resolution : float
        The method's own time resolution in seconds.
    mask : ndarray, shape (pairs, frames), bool, or None
        A method that decides by itself gives its mask on the edges of ``scores``;
        every threshold policy then uses that mask.
    decisions : ndarray, shape (clips, classes), or None
        A detector's own clip probabilities, for the end-to-end view.
    diagnostics : mapping of str to ndarray, shape (pairs,)
        For instance ``completeness_error``.
    cost : Cost
        Forward and backward passes.
    equals : str
        What the scores are by construction, up to a positive factor, where another method may
        arrive at the same: ``class activation map``. Rows that equal the same thing are marked
        and counted once. A method says so only of a model on which it has checked it.
    """

    scores: FrameScores
    resolution: float
    mask: BoolArray | None = None
    decisions: FloatArray | None = None
    diagnostics: Mapping[str, FloatArray] = field(default_factory=dict)
    cost: Cost = Cost()
    equals: str = ""


@dataclass(frozen=True)
class PairTable:
    """The (clip, class) pairs of one split with their truth, in clip order.

    Attributes
    ----------
    clip_ids : tuple of str, (clips,)
        Every clip of the split, also those without a pair; what follows an ``@`` names the
        condition that it was rendered under.
    classes : tuple of str
    clip, label : ndarray, shape (pairs,), int64
        Rows in ``clip_ids`` and ``classes``. A pair is a class truly present.
    groups : tuple of tuple of str, (pairs,)
        The source groups (authors, houses, recordings) heard in each pair.
    truths : mapping of str to ndarray, shape (pairs, frames), bool
        ``extent`` and ``activity``.
    others : mapping of str to ndarray, shape (pairs, frames), bool
        Frames in which an event of any *other* class is active, per truth.
    grid : FrameGrid
    """

    clip_ids: tuple[str, ...]
    classes: tuple[str, ...]
    clip: NDArray[np.int64]
    label: NDArray[np.int64]
    groups: tuple[tuple[str, ...], ...]
    truths: Mapping[str, BoolArray]
    others: Mapping[str, BoolArray]
    grid: FrameGrid

    def __len__(self) -> int:
        return int(self.clip.shape[0])

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """The condition of each clip; empty where the task has none."""
        return tuple(name.partition("@")[2] for name in self.clip_ids)

    @cached_property
    def soundscapes(self) -> NDArray[np.int64]:
        """Number of the soundscape of each clip: one under several conditions counts once."""
        number: dict[str, int] = {}
        bases = (name.partition("@")[0] for name in self.clip_ids)
        return np.array([number.setdefault(base, len(number)) for base in bases], np.int64)

    def subset(self, keep: BoolArray) -> PairTable:
        """The pairs of some clips, shape (clips,)."""
        place = np.cumsum(keep) - 1
        pairs = np.flatnonzero(keep[self.clip])
        return replace(
            self,
            clip_ids=tuple(n for n, kept in zip(self.clip_ids, keep, strict=True) if kept),
            clip=place[self.clip[pairs]].astype(np.int64),
            label=self.label[pairs],
            groups=tuple(self.groups[i] for i in pairs),
            truths=frozen_mapping({k: v[pairs] for k, v in self.truths.items()}),
            others=frozen_mapping({k: v[pairs] for k, v in self.others.items()}),
        )

    @classmethod
    def joined(cls, tables: Sequence[PairTable]) -> PairTable:
        """The pairs of several tables of one task, one after the other."""
        first = tables[0]
        starts = np.cumsum([0, *(len(t.clip_ids) for t in tables)])
        return replace(
            first,
            clip_ids=tuple(name for t in tables for name in t.clip_ids),
            clip=np.concatenate([t.clip + at for t, at in zip(tables, starts, strict=False)]),
            label=np.concatenate([t.label for t in tables]),
            groups=tuple(names for t in tables for names in t.groups),
            truths=frozen_mapping(
                {k: np.concatenate([t.truths[k] for t in tables]) for k in first.truths}
            ),
            others=frozen_mapping(
                {k: np.concatenate([t.others[k] for t in tables]) for k in first.others}
            ),
        )


def frozen_mapping(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only copy of a mapping, for fields of frozen dataclasses."""
    return MappingProxyType(dict(values))
