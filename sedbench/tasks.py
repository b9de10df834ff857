"""A task: what is listened to and how it is scored.

A task is data, no code (:mod:`sedbench.taskfile` reads it). It names the classes, the
soundbank, the frozen index of each split with its sha256, the truth that scores count
against, and why the task exists.

A task *in folds* tests every recording once. Its indices hold the same number of clips for
each fold, fold by fold, from recordings of that fold alone; :class:`Rotation` says which
folds are learnt from, chosen on and tested in turn.

A task *with conditions* renders every soundscape of its index once a condition. One of
*annotated recordings* has windows cut from them in place of soundscapes.

The *fingerprint* is a hash over what decides a score: the canonical task without its prose,
the contents of its indices, and the version of the metrics. Results of another fingerprint
are not comparable and are never ranked together.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sedbench.data.conditions import Conditions
from sedbench.data.excerpts import read_excerpts
from sedbench.data.index import read_index
from sedbench.data.recipe import Recipe
from sedbench.data.soundscape import Excerpt, Soundscape
from sedbench.errors import DataError, MissingDataError
from sedbench.types import FrameGrid, Split

Truth = Literal["extent", "activity"]
FOLDER = "folder:"  # before a soundbank that is no name, but a folder
Clip = Soundscape | Excerpt


@dataclass(frozen=True)
class SplitSpec:
    """The frozen index of one split.

    Attributes
    ----------
    index : Path
        The index file.
    sha256 : str
        What its hash has to be, hexadecimal; empty where it was never drawn.
    clips : int
        How many clips it holds, or is to hold; 0 where drawing it will tell.
    """

    index: Path
    sha256: str
    clips: int


@dataclass(frozen=True)
class Rotation:
    """One turn of a task in folds, or the only one of a task without.

    Attributes
    ----------
    fold : int or None
        The fold that is tested; None where the task has no folds.
    validation, train : tuple of int
        The folds that thresholds and epochs are chosen on, and those that are learnt from.
    """

    fold: int | None = None
    validation: tuple[int, ...] = ()
    train: tuple[int, ...] = ()

    def blocks(self, split: Split) -> tuple[tuple[Split, int | None], ...]:
        """The index, and the fold of it, that each part of a split comes from."""
        if self.fold is None:
            return ((split, None),)
        if split == "train":
            return tuple(("train", fold) for fold in self.train)
        if split == "validation":  # the test clips of other folds
            return tuple(("test", fold) for fold in self.validation)
        return ((split, self.fold),)


def rotations(folds: int, validation: str = "next") -> tuple[Rotation, ...]:
    """List the turns of a task.

    Parameters
    ----------
    folds : int
        0 for a task without folds.
    validation : {"next", "others"}
        Thresholds are chosen on the next fold, which is then not learnt from; or on all
        others, where nothing is learnt.
    """
    if not folds:
        return (Rotation(),)
    turns = []
    for fold in range(folds):
        others = tuple((fold + i) % folds for i in range(1, folds))
        chosen = others if validation == "others" else others[:1]
        turns.append(Rotation(fold, chosen, tuple(sorted(set(others) - set(chosen)))))
    return tuple(turns)


@dataclass(frozen=True)
class PublishedRow:
    """Figures that somebody reported on their own data, never ranked.

    Attributes
    ----------
    method : str
    iou, f1 : float
        In [0, 1].
    pg : float
        Pointing game in per cent.
    """

    method: str
    iou: float
    f1: float
    pg: float


@dataclass(frozen=True)
class TaskSpec:
    """A task, read and checked.

    Attributes
    ----------
    path : Path
        The task's file.
    name : str
    version : int
    title, summary, licence, citation, reason : str
        Prose; ``reason`` says why the task exists.
    model : str
        The model that is explained unless another one is asked for, as ``name[param=value]``.
    soundbank : str
        A name, or ``folder:`` and a folder, seen from the task's own.
    sample_rate : int
        Hz.
    duration : float
        Of a clip, seconds.
    frame : float
        Of the grid, seconds.
    classes : tuple of str
        In the order of a classifier's outputs.
    truth : {"extent", "activity"}
        The primary truth; the other is reported beside it.
    threshold : float
        A class counts as detected above this clip probability.
    reference : tuple of str
        Methods that are always shown for comparison.
    bank_fingerprint : str
        The soundbank's fingerprint at freezing; empty where it is not recorded.
    recipe : Recipe or None
        What the soundscapes were drawn from; None for annotated recordings.
    hop : float
        From one window of a recording to the next, seconds; 0 for soundscapes.
    conditions : Conditions or None
        What every soundscape is rendered under, once each.
    folds : int
        0 where there are none.
    rotations : tuple of Rotation
    trained_on : str
        The task whose classifiers are explained: this one, or another one with its classes.
    splits : mapping of str to SplitSpec
    published_note : str
    published : tuple of PublishedRow
    canonical : str
        What decides a score, as JSON; see :meth:`fingerprint`.
    called : str
        How whoever asked for the task named it: its name, or its file.
    fetch : str
        What to type first where the task's clips are to be drawn and its soundbank is not here.
    """

    path: Path
    name: str
    version: int
    title: str
    summary: str
    licence: str
    citation: str
    reason: str
    model: str
    soundbank: str
    sample_rate: int
    duration: float
    frame: float
    classes: tuple[str, ...]
    truth: Truth
    threshold: float
    reference: tuple[str, ...]
    bank_fingerprint: str
    recipe: Recipe | None
    hop: float
    conditions: Conditions | None
    folds: int
    rotations: tuple[Rotation, ...]
    trained_on: str
    splits: Mapping[str, SplitSpec]
    published_note: str
    published: tuple[PublishedRow, ...]
    canonical: str
    called: str = ""
    fetch: str = ""

    @property
    def folder(self) -> Path | None:
        """The folder that its soundbank is read from, where it is no installed one."""
        kind, _, place = self.soundbank.partition(FOLDER)
        if kind or not place:
            return None
        return (self.path.parent / Path(place).expanduser()).resolve()

    @property
    def frozen(self) -> bool:
        """Whether the clips of every split were drawn."""
        return all(split.sha256 for split in self.splits.values())

    @property
    def drawing(self) -> str:
        """What to type to have its clips drawn."""
        line = f"sedbench soundscapes generate {shlex.quote(self.called or str(self.path))}"
        return f"{self.fetch} && {line}" if self.fetch else line

    def check_drawn(self, *splits: Split) -> None:
        """See that the clips of some splits were drawn, in all rotations.

        Raises
        ------
        MissingDataError
            They were not; the hint is what to type.
        """
        sources = (
            source for turn in self.rotations for s in splits for source, _ in turn.blocks(s)
        )
        for source in sources:
            if source in self.splits and not self.splits[source].sha256:
                index = self.splits[source].index.name
                what = "soundscapes were never drawn" if self.recipe else "windows were never cut"
                raise MissingDataError(
                    f"task {self.name!r} has no {index}: its {what}", self.drawing
                )

    @property
    def grid(self) -> FrameGrid:
        """The grid on which everything is scored."""
        return FrameGrid(self.duration, self.frame)

    def fingerprint(self, metrics_version: str = "") -> str:
        """Hexadecimal sha256 over what decides a score.

        Parameters
        ----------
        metrics_version : str, optional
            The version of the metrics that score it.

        Notes
        -----
        Prose, reference rows, the default model and published figures are left out: they
        may be corrected without making a result stale.
        """
        indices = {name: split.sha256 for name, split in sorted(self.splits.items())}
        text = json.dumps([self.canonical, indices, metrics_version], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def count(self, split: Split, fold: int | None = None) -> int:
        """Number of clips that a split, or one fold of it, holds; conditions counted."""
        base = self._spec(split).clips // (1 if fold is None else self.folds)
        return base * (len(self.conditions.values) if self.conditions else 1)

    def clips(self, split: Split, fold: int | None = None) -> tuple[Clip, ...]:
        """The frozen specifications of one split in the index's order, once a condition.

        Parameters
        ----------
        split : {"train", "validation", "test", "development"}
        fold : int, optional
            Only those of one fold.

        Raises
        ------
        DataError
            The task has no such split, or the index contradicts the task.
        MissingDataError
            It was never drawn, or its file is gone.
        HashMismatchError
            The index is not the one that was frozen.
        """
        spec = self._spec(split)
        self.check_drawn(split)
        if not spec.index.is_file():
            raise MissingDataError(
                f"the index {spec.index} is missing", f"bring it back, or: {self.drawing}"
            )
        found: tuple[Clip, ...]
        if self.recipe is None:
            found = read_excerpts(spec.index, spec.sha256)
        else:
            found = read_index(spec.index, spec.sha256)
        if len(found) != spec.clips:
            raise DataError(
                f"{spec.index} holds {len(found)} clips, the task says {spec.clips}",
                "freeze the task again, as another version",
            )
        known = set(self.classes)
        for clip in found:
            if clip.split != split or abs(clip.duration - self.duration) > 1e-9:
                raise DataError(
                    f"{spec.index}: {clip.id} has another split or duration than the task"
                )
            if isinstance(clip, Soundscape) and (strange := {e.label for e in clip.events} - known):
                raise DataError(f"{spec.index}: {clip.id}: {sorted(strange)[0]!r} is not a class")
        if self.folds:
            size = spec.clips // self.folds
            cuts = range(self.folds) if fold is None else (fold,)
            found = tuple(
                _in_fold(clip, cut) for cut in cuts for clip in found[cut * size : (cut + 1) * size]
            )
        if self.conditions is not None:
            found = self.conditions.expand(c for c in found if isinstance(c, Soundscape))
        return found

    def _spec(self, split: Split) -> SplitSpec:
        if split not in self.splits:
            raise DataError(
                f"task {self.name!r} has no {split} split", f"it has: {', '.join(self.splits)}"
            )
        return self.splits[split]


def _in_fold(clip: Clip, fold: int) -> Clip:
    # The two calls are of two types: a checker cannot replace a field of their union.
    if isinstance(clip, Soundscape):
        return replace(clip, fold=fold)
    return replace(clip, fold=fold)
