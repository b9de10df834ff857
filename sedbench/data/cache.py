"""Rendered clips, kept on disk so that a soundscape is rendered once.

An entry is named by what decides it: the sha256 over the canonical specification, the
soundbank's fingerprint, the renderer's version, sample rate, classes and frame; what it
consists of is told in :mod:`sedbench.data.entries`.

Clips are independent of each other, so rendering in several processes gives the same bits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sedbench.data.conditions import Conditions
from sedbench.data.entries import entry_paths, load, store
from sedbench.data.render import RENDERER_VERSION, Rendered, render
from sedbench.data.soundbank import Recording, Soundbank
from sedbench.data.soundscape import Excerpt
from sedbench.data.windows import excerpt
from sedbench.errors import HashMismatchError
from sedbench.files import cache_root
from sedbench.tasks import Clip, TaskSpec
from sedbench.types import BoolArray, FrameGrid, PairTable, Split, frozen_mapping
from sedbench.workers import run_jobs

BankFactory = Callable[[], Soundbank]
Progress = Callable[[int, int], None]

_CHUNK = 8  # clips a message to a worker
_MEMORY = 256 * 2**20  # bytes of source audio that a process keeps


@dataclass(frozen=True)
class RenderedSplit:
    """A whole split in memory.

    Attributes
    ----------
    clip_ids : tuple of str, (clips,)
    waveforms : ndarray, shape (clips, samples), float32
    pairs : PairTable
    """

    clip_ids: tuple[str, ...]
    waveforms: NDArray[np.float32]
    pairs: PairTable


class _Settings(NamedTuple):
    """What rendering needs beside a clip's specification; travels to the workers."""

    bank_fingerprint: str
    sample_rate: int
    classes: tuple[str, ...]
    grid: FrameGrid
    fix_clipping: bool
    folder: Path
    conditions: Conditions | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Classes and frames of the truths."""
        return len(self.classes), self.grid.n_frames

    def key(self, clip: Clip) -> str:
        """The content address of one rendered clip."""
        # Which fold a clip is in does not change its samples, and no condition says nothing.
        facts = {k: v for k, v in asdict(clip).items() if k != "fold" and v != ""}
        if self.conditions is not None:
            facts["rooms"] = self.conditions.rooms_sha256
        parts = [
            facts,
            self.bank_fingerprint,
            RENDERER_VERSION,
            self.sample_rate,
            self.classes,
            [self.grid.duration, self.grid.frame],
            self.fix_clipping,
        ]
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class _Remembering:
    """A soundbank that keeps the recordings it was last asked for, up to a size."""

    def __init__(self, bank: Soundbank) -> None:
        self.bank, self.name = bank, bank.name
        self._kept: dict[tuple[str, int], NDArray[np.float32]] = {}
        self._size = 0

    def recordings(self) -> Sequence[Recording]:
        return self.bank.recordings()

    def fingerprint(self) -> str:
        return self.bank.fingerprint()

    @cached_property
    def by_id(self) -> Mapping[str, Recording]:
        return {recording.id: recording for recording in self.bank.recordings()}

    def audio(self, recording_id: str, sample_rate: int) -> NDArray[np.float32]:
        key = (recording_id, sample_rate)
        if key in self._kept:
            self._kept[key] = self._kept.pop(key)  # the last one used goes last
            return self._kept[key]
        audio = self._kept[key] = self.bank.audio(recording_id, sample_rate)
        self._size += audio.nbytes
        while self._size > _MEMORY and len(self._kept) > 1:
            self._size -= self._kept.pop(next(iter(self._kept))).nbytes
        return audio


class _Chunk(NamedTuple):
    """A few specifications, on their way to a worker."""

    factory: BankFactory
    settings: _Settings
    clips: Sequence[Clip]


@lru_cache(maxsize=1)
def _bank(factory: BankFactory, fingerprint: str) -> _Remembering:
    # One a process: a worker renders many chunks from the same recordings.
    return _Remembering(factory())


def _render_chunk(chunk: _Chunk) -> list[Rendered]:
    bank = _bank(chunk.factory, chunk.settings.bank_fingerprint)
    return [_render(clip, bank, chunk.settings) for clip in chunk.clips]


def _render(clip: Clip, bank: _Remembering, settings: _Settings) -> Rendered:
    if isinstance(clip, Excerpt):
        made = excerpt(
            bank.bank,
            clip.recording,
            clip.start,
            clip.duration,
            settings.classes,
            settings.grid,
            settings.sample_rate,
            clip_id=clip.id,
            pad=True,
        )
    else:
        made = render(
            clip,
            bank,
            bank.by_id,
            sample_rate=settings.sample_rate,
            classes=settings.classes,
            grid=settings.grid,
            fix_clipping=settings.fix_clipping,
            impulses=(
                settings.conditions.impulses(clip, settings.sample_rate)
                if settings.conditions
                else None
            ),
        )
    store(settings.folder, settings.key(clip), made, settings.sample_rate)
    return made


def iter_rendered(
    task: TaskSpec,
    split: Split,
    bank_factory: BankFactory,
    *,
    fold: int | None = None,
    limit: int | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    classes: Sequence[str] | None = None,
    only: Collection[str] | None = None,
) -> Iterator[Rendered]:
    """The clips of a split, in the index's order, from the cache or rendered now.

    Parameters
    ----------
    task : TaskSpec
    split : {"train", "validation", "test", "development"}
    bank_factory : callable
        Module-level, so that workers can import it; returns the soundbank.
    fold : int, optional
        Only the clips of one fold.
    limit : int, optional
        Only the first so many clips.
    jobs : int, optional
        Processes; the bits are the same whatever their number.
    progress : callable, optional
        Called with (clips done, clips in all).
    classes : sequence of str, optional
        Rows of the truths; the task's classes unless given.
    only : collection of str, optional
        Ids of the clips that are wanted; all of them unless given.

    Raises
    ------
    HashMismatchError
        The soundbank is not the one that the task was frozen with.
    DataError
        The cache folder cannot be written, or a recording cannot be used.
    """
    bank = _Remembering(bank_factory())
    fingerprint = bank.fingerprint()
    if task.bank_fingerprint and fingerprint != task.bank_fingerprint:
        raise HashMismatchError(
            f"soundbank {bank.name!r} has the fingerprint {fingerprint[:16]}..., task "
            f"{task.name!r} was frozen with {task.bank_fingerprint[:16]}...",
            "bring back the sounds that the task was frozen with"
            + (f", or draw it again: {task.drawing}" if task.folder else ""),
        )
    settings = _Settings(
        bank_fingerprint=fingerprint,
        sample_rate=task.sample_rate,
        classes=tuple(classes if classes is not None else task.classes),
        grid=task.grid,
        fix_clipping=task.recipe.fix_clipping if task.recipe is not None else False,
        folder=cache_root() / "soundscapes",
        conditions=task.conditions,
    )
    clips = task.clips(split, fold)[:limit]
    if only is not None:
        clips = tuple(clip for clip in clips if clip.id in only)
    rendered = _in_order(clips, bank, bank_factory, settings, jobs)
    for done, clip in enumerate(rendered, 1):
        if progress is not None:
            progress(done, len(clips))
        yield clip


def _in_order(
    clips: Sequence[Clip],
    bank: _Remembering,
    factory: BankFactory,
    settings: _Settings,
    jobs: int,
) -> Iterator[Rendered]:
    def is_kept(clip: Clip) -> bool:
        return entry_paths(settings.folder, settings.key(clip))[1].exists()

    def local(clip: Clip) -> Rendered:
        kept = load(settings.folder, settings.key(clip), settings.sample_rate, settings.shape)
        return kept if kept is not None else _render(clip, bank, settings)

    missing = [clip for clip in clips if not is_kept(clip)]
    if jobs <= 1 or len(missing) <= _CHUNK:  # a pool takes longer to start
        yield from map(local, clips)
        return
    chunks = [
        _Chunk(factory, settings, missing[i : i + _CHUNK]) for i in range(0, len(missing), _CHUNK)
    ]
    to_come = {clip.id for clip in missing}
    rendered = chain.from_iterable(run_jobs(_render_chunk, chunks, jobs))
    for clip in clips:
        yield next(rendered) if clip.id in to_come else local(clip)


def render_split(
    task: TaskSpec,
    split: Split,
    bank_factory: BankFactory,
    *,
    fold: int | None = None,
    limit: int | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    classes: Sequence[str] | None = None,
) -> RenderedSplit:
    """A whole split in memory, with its pairs; parameters as in :func:`iter_rendered`.

    Notes
    -----
    For evaluation splits. Ten seconds at 16 kHz are 640 kB a clip here; a large training
    split is better taken clip by clip.
    """
    clips: list[Rendered] = []
    waveforms = np.zeros((0, int(task.duration * task.sample_rate)), np.float32)
    count = len(task.clips(split, fold)[:limit])
    for i, clip in enumerate(
        iter_rendered(
            task,
            split,
            bank_factory,
            fold=fold,
            limit=limit,
            jobs=jobs,
            progress=progress,
            classes=classes,
        )
    ):
        if i == 0:
            waveforms = np.zeros((count, clip.waveform.size), np.float32)
        waveforms[i] = clip.waveform
        clips.append(replace(clip, waveform=waveforms[i]))
    names = tuple(classes if classes is not None else task.classes)
    pairs = pair_table(clips, names, task.grid)
    return RenderedSplit(pairs.clip_ids, waveforms, pairs)


def pair_table(clips: Sequence[Rendered], classes: Sequence[str], grid: FrameGrid) -> PairTable:
    """The pairs of rendered clips: a pair is a class with an event in the clip."""
    places = [(i, k) for i, c in enumerate(clips) for k in range(len(classes)) if c.groups[k]]
    clip = np.array([i for i, _ in places], np.int64)
    label = np.array([k for _, k in places], np.int64)
    truths: dict[str, BoolArray] = {}
    others: dict[str, BoolArray] = {}
    for truth in ("extent", "activity"):
        active = [getattr(c, truth) for c in clips]
        own = [active[i][k] for i, k in places]
        other = [np.delete(active[i], k, axis=0).any(axis=0) for i, k in places]
        truths[truth] = np.array(own, np.bool_).reshape(len(places), grid.n_frames)
        others[truth] = np.array(other, np.bool_).reshape(len(places), grid.n_frames)
    return PairTable(
        clip_ids=tuple(c.clip_id for c in clips),
        classes=tuple(classes),
        clip=clip,
        label=label,
        groups=tuple(clips[i].groups[k] for i, k in places),
        truths=frozen_mapping(truths),
        others=frozen_mapping(others),
        grid=grid,
    )
