"""Pass masked clips through the explained classifier, in the order that methods' scores give.

Stored results go in, with the frame scores of their test pairs; no method is asked. What the
classifier answers comes out, for :mod:`sedbench.protocol.faithfulness` to read.

A clip is one job: its masks under all methods, classes and random orders are put together, and
those that are the same are passed once. A job draws from the seed and the clip's own name, so
nothing depends on how many workers there are or on which other clips are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.contenders import Contender, check_same_pairs, names
from sedbench.data.cache import BankFactory
from sedbench.errors import DataError, MissingDataError, NotApplicable, NothingSelectedError
from sedbench.metrics.faithfulness import frame_counts, frame_order, shown_frames
from sedbench.progress import Progress, Quiet
from sedbench.protocol.faithfulness import Answered
from sedbench.protocol.means import resampling_of
from sedbench.protocol.pairs import Scored, Views
from sedbench.refs import ModelRef
from sedbench.stats import Resampling
from sedbench.streamed import Batch, answered, batches
from sedbench.tasks import TaskSpec
from sedbench.types import FrameGrid, PairTable

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CONTENTS = ("silence", "mean", "noise")
DRAWS = 5

_ORDERS, _NOISE = 31, 32  # streams of a clip's random numbers
_AGREE = 1e-3  # probabilities of one classifier, on whatever machine


@dataclass(frozen=True)
class Masking:
    """How clips are masked.

    Attributes
    ----------
    shares : tuple of float
        Of the clip's frames, growing, between 0 and 1.
    contents : tuple of str
        What stands for the masked; see :mod:`sedbench.models.masked`.
    draws : int
        Random orders a clip, to compare with.
    seed : int
        Of those orders, of how ties are broken, and of the noise.
    """

    shares: tuple[float, ...] = SHARES
    contents: tuple[str, ...] = CONTENTS
    draws: int = DRAWS
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Passed:
    """What came of it.

    Attributes
    ----------
    answered : Answered
    resampling : Resampling
        Of the pairs.
    n_clips, n_groups : int
        Behind them.
    domain : str
        ``features`` or ``waveform``: what was masked.
    left_out : dict of str to str
        Contents that do not apply to the model, and why.
    passes : int
        Masked clips that went through the classifier.
    table : PairTable
        Every true pair of the clips.
    rows : ndarray of int, shape (pairs answered,)
        Which of them were answered.
    """

    answered: Answered
    resampling: Resampling
    n_clips: int
    n_groups: int
    domain: str
    left_out: dict[str, str]
    passes: int
    table: PairTable
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class _Job:
    """One clip, on its way to a worker."""

    model: ModelRef
    clip_id: str
    waveform: NDArray[np.float32]
    grid: FrameGrid
    labels: NDArray[np.int64]
    scores: NDArray[np.floating[Any]]  # (methods, pairs, frames)
    masking: Masking
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class _Heard:
    """What the classifier said of one clip: arrays of :class:`Answered`, its own pairs alone."""

    whole: NDArray[np.float64]
    empty: NDArray[np.float64]
    methods: NDArray[np.float64]
    chance: NDArray[np.float64]
    domain: str
    left_out: dict[str, str]
    passes: int


def pass_masked(
    contenders: Sequence[Contender],
    task: TaskSpec,
    bank: BankFactory,
    models: Sequence[ModelRef],
    masking: Masking | None = None,
    *,
    limit: int | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Passed:
    """Pass the masked test clips of stored results through the classifier that they explain.

    Parameters
    ----------
    contenders : sequence of Contender
        Of one task and model.
    task : TaskSpec
    bank : callable
        Returns the task's soundbank.
    models : sequence of ModelRef
        The explained classifier of each rotation.
    masking : Masking, optional
    limit : int, optional
        Only the first so many test clips.
    jobs : int
        Processes. The figures do not depend on it.
    progress : Progress, optional

    Raises
    ------
    DataError
        The results are not about the same pairs, or about another classifier than the one here.
    NothingSelectedError
        No pair is left.
    """
    masking, shown = masking or Masking(), progress or Quiet()
    check_same_pairs(contenders, task.threshold)
    if file := models[0].missing():
        raise MissingDataError(f"{models[0].name!r} needs {file}", models[0].fetch)
    tests = [_first(contender.test, limit) for contender in contenders]
    table = tests[0].table
    kept = Views(tests[0], task.threshold).localisation
    rows = np.flatnonzero(kept)
    if not len(rows):
        raise NothingSelectedError(
            f"no pair of {len(table.clip_ids)} clips is detected by {models[0].canonical}",
            "leave --limit out, or raise it",
        )
    counts = frame_counts(masking.shares, table.grid.n_frames)
    parts = _Arrays(masking, len(contenders), len(counts), len(rows))
    stream = batches(task, bank, models, shown, size=1, limit=len(table.clip_ids), jobs=jobs)
    work = _jobs(stream, tests, rows, masking, counts)
    shown.start("pass masked clips", len(np.unique(table.clip[rows])))
    for job, heard in answered(_pass, work, jobs):
        _check_model(job, heard, tests[0])
        parts.put(job.rows, heard)
        shown.advance()
    shown.finish()
    return Passed(
        parts.answered(names(contenders), counts / table.grid.n_frames, table.clip[rows]),
        resampling_of(table, kept),
        len(np.unique(table.soundscapes[table.clip[rows]])),
        len({name for row in rows for name in table.groups[row]}),
        parts.domain,
        parts.left_out,
        parts.passes,
        table,
        rows,
    )


def _first(scored: Scored, limit: int | None) -> Scored:
    clips = len(scored.table.clip_ids)
    return scored.subset(np.arange(clips) < (clips if limit is None else limit))


def _jobs(
    stream: Iterator[Batch],
    tests: Sequence[Scored],
    rows: NDArray[np.int64],
    masking: Masking,
    counts: NDArray[np.int64],
) -> Iterator[_Job]:
    table = tests[0].table
    place = {name: i for i, name in enumerate(table.clip_ids)}
    for batch in stream:
        (clip,) = batch.clips
        if clip.clip_id not in place:
            raise DataError(
                f"the results do not know clip {clip.clip_id!r} of the task",
                "run the methods again on the task as it is now",
            )
        own = np.flatnonzero(table.clip[rows] == place[clip.clip_id])
        if len(own):
            yield _Job(
                batch.model,
                clip.clip_id,
                clip.waveform,
                table.grid,
                table.label[rows[own]],
                np.stack([test.scores[rows[own]] for test in tests]),
                masking,
                counts,
                own,
            )


def _rng(job: _Job, stream: int) -> np.random.Generator:
    name = np.frombuffer(job.clip_id.encode(), np.uint8)
    return np.random.default_rng([job.masking.seed, stream, len(name), *name.tolist()])


def _pass(job: _Job) -> _Heard:
    """Pass one clip under all its masks; runs in a worker."""
    from sedbench.models.masked import MaskableClip

    masking, frames = job.masking, job.grid.n_frames
    rng = _rng(job, _ORDERS)
    ties = rng.permutation(frames)
    orders = np.array([rng.permutation(frames) for _ in range(masking.draws)])
    own = shown_frames(frame_order(job.scores, ties), job.counts)  # (methods, pairs, 2, shares, T)
    drawn = shown_frames(orders, job.counts)  # (draws, 2, shares, T)
    masks = np.concatenate(
        [np.zeros((1, frames), bool), own.reshape(-1, frames), drawn.reshape(-1, frames)]
    )
    net = job.model.handle().classifier()
    clip = MaskableClip(net, job.waveform, job.grid, job.model.device)
    asked = np.full((len(masking.contents), len(masks), len(net.classes)), np.nan)
    whole = np.full(len(job.labels), np.nan)
    left_out: dict[str, str] = {}
    for row, content in enumerate(masking.contents):
        try:
            other = clip.replacement(content, _rng(job, _NOISE))
        except NotApplicable as error:
            left_out[content] = error.message
            continue
        if np.isnan(whole).any():
            whole = clip.logits(np.ones((1, frames), bool), other)[0, job.labels]
        asked[row] = clip.logits(masks, other)
    cut = 1 + own[..., 0].size
    pairs = np.arange(len(job.labels))
    shape = (len(masking.contents), *own.shape[:-1], len(net.classes))
    # Advanced indices on both sides of a slice: the pairs come first.
    methods = asked[:, 1:cut].reshape(shape)[:, :, pairs, :, :, job.labels]
    chance = asked[:, cut:].reshape(-1, *drawn.shape[:-1], len(net.classes))[..., job.labels]
    different = len(np.unique(np.packbits(masks, axis=1), axis=0))
    return _Heard(
        whole,
        asked[:, 0][:, job.labels],
        methods.transpose(2, 1, 0, 3, 4),
        chance.transpose(1, 0, 4, 2, 3),
        clip.domain,
        left_out,
        1 + different * (len(masking.contents) - len(left_out)),
    )


class _Arrays:
    """The answers of all pairs, filled in clip by clip."""

    def __init__(self, masking: Masking, methods: int, shares: int, pairs: int) -> None:
        contents = len(masking.contents)
        self.masking = masking
        self.whole = np.full(pairs, np.nan)
        self.empty = np.full((contents, pairs), np.nan)
        self.methods = np.full((methods, contents, pairs, 2, shares), np.nan)
        self.chance = np.full((masking.draws, contents, pairs, 2, shares), np.nan)
        self.domain, self.passes = "", 0
        self.left_out: dict[str, str] = {}

    def put(self, rows: NDArray[np.int64], heard: _Heard) -> None:
        self.whole[rows] = heard.whole
        self.empty[:, rows] = heard.empty
        self.methods[:, :, rows] = heard.methods
        self.chance[:, :, rows] = heard.chance
        self.domain = heard.domain
        self.left_out |= heard.left_out
        self.passes += heard.passes

    def answered(
        self, methods: tuple[str, ...], shares: NDArray[np.float64], clip: NDArray[np.int64]
    ) -> Answered:
        contents = self.masking.contents
        there = [row for row, name in enumerate(contents) if name not in self.left_out]
        if not there:
            raise NothingSelectedError(
                f"nothing can stand for what is masked: {'; '.join(self.left_out.values())}",
                f"one of: {', '.join(CONTENTS)}",
            )
        return Answered(
            methods,
            tuple(contents[row] for row in there),
            shares,
            clip,
            self.whole,
            self.empty[there],
            self.methods[:, there],
            self.chance[:, there],
        )


def _check_model(job: _Job, heard: _Heard, test: Scored) -> None:
    """See that the classifier says of the clip what the results recorded."""
    if np.isnan(heard.whole).any():
        return
    place = test.table.clip_ids.index(job.clip_id)
    recorded = np.asarray(test.detected[place, job.labels], np.float64)
    found = 1 / (1 + np.exp(-heard.whole))
    off = np.abs(found - recorded) > _AGREE
    if test.detected.dtype != np.bool_ and off.any():
        at = int(np.flatnonzero(off)[0])
        label = test.table.classes[job.labels[at]]
        raise DataError(
            f"{job.model.canonical} gives {label} in clip {job.clip_id} a probability of "
            f"{found[at]:.3f}, and the results recorded {recorded[at]:.3f}",
            "they were measured on another classifier or other sounds: run the methods again",
        )
