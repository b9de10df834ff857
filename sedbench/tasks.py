"""A task: what is listened to and how it is scored, declared in a ``task.toml``.

A task is data, no code. Its file names the classes, the soundbank, the frozen index of
each split with its sha256, the truth that scores count against, and why the task exists.
Every key is known: an unknown one, or one of the wrong type, is an error.

The *fingerprint* is a hash over what decides a score: the canonical task without its prose,
the contents of its indices, and the version of the metrics. Results of another fingerprint
are not comparable and are never ranked together.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from sedbench.data.index import read_index
from sedbench.data.recipe import KEYS as RECIPE_KEYS
from sedbench.data.recipe import Recipe, read_recipe
from sedbench.data.soundscape import Soundscape
from sedbench.data.strict import Table
from sedbench.errors import DataError, TaskFileError
from sedbench.types import SPLITS, FrameGrid, Split, frozen_mapping

Truth = Literal["extent", "activity"]

_PROSE = ("title", "summary", "licence", "citation", "reason")
_TOP = (
    "name",
    "version",
    *_PROSE,
    "model",
    "soundbank",
    "sample_rate",
    "duration",
    "frame",
    "classes",
    "truth",
    "detection",
    "reference",
    "bank",
    "soundscapes",
    "splits",
    "published",
)
_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class SplitSpec:
    """The frozen index of one split.

    Attributes
    ----------
    index : Path
        The index file.
    sha256 : str
        What its hash has to be, hexadecimal.
    clips : int
        How many soundscapes it holds.
    """

    index: Path
    sha256: str
    clips: int


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
    recipe : Recipe
        What the soundscapes were drawn from.
    splits : mapping of str to SplitSpec
    published_note : str
    published : tuple of PublishedRow
    canonical : str
        What decides a score, as JSON; see :meth:`fingerprint`.
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
    recipe: Recipe
    splits: Mapping[str, SplitSpec]
    published_note: str
    published: tuple[PublishedRow, ...]
    canonical: str

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

    def soundscapes(self, split: Split) -> tuple[Soundscape, ...]:
        """The frozen specifications of one split, in the index's order.

        Raises
        ------
        DataError
            The task has no such split, or the index contradicts the task.
        HashMismatchError
            The index is not the one that was frozen.
        """
        if split not in self.splits:
            raise DataError(
                f"task {self.name!r} has no {split} split", f"it has: {', '.join(self.splits)}"
            )
        spec = self.splits[split]
        soundscapes = read_index(spec.index, spec.sha256)
        if len(soundscapes) != spec.clips:
            raise DataError(
                f"{spec.index} holds {len(soundscapes)} clips, the task says {spec.clips}",
                "freeze the task again, as another version",
            )
        known = set(self.classes)
        for s in soundscapes:
            if s.split != split or abs(s.duration - self.duration) > 1e-9:
                raise DataError(f"{spec.index}: {s.id} has another split or duration than the task")
            if strange := {e.label for e in s.events} - known:
                raise DataError(f"{spec.index}: {s.id}: {sorted(strange)[0]!r} is not a class")
        return soundscapes


def load_task(path: Path | str) -> TaskSpec:
    """Read a task's file.

    Parameters
    ----------
    path : Path or str
        A ``task.toml``.

    Raises
    ------
    TaskFileError
        The file is absent, is no TOML, or a key is unknown, missing or of the wrong type;
        the message names the file and the key.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TaskFileError(f"there is no task file {path}", "check the path") from None
    except OSError as error:
        raise TaskFileError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TaskFileError(f"{path} is not TOML: {error}", "correct the file there") from error
    return _read(Table(values, str(path), _TOP), path)


def _read(top: Table, path: Path) -> TaskSpec:
    name = top.text("name")
    if not _NAME.match(name):
        raise top.error("name", f"{name!r} is not a name", "lower-case letters, digits, - _ . +")
    classes = top.texts("classes")
    if not classes or any(not c or "/" in c for c in classes):
        raise top.error("classes", "expected at least one label, none empty or with a slash")
    frame = top.number("frame", 0.1, above=0)
    duration = top.number("duration", above=0)
    if duration < frame:
        raise top.error("duration", f"{duration} s is shorter than a frame of {frame} s")
    truth = top.table("truth", ("primary",)).choice("primary", ("extent", "activity"))
    detection = top.table("detection", ("threshold",), required=False)
    threshold = detection.number("threshold", 0.5)
    if not 0 < threshold < 1:
        raise detection.error("threshold", f"expected a probability within (0, 1), got {threshold}")
    bank = top.table("bank", ("fingerprint",), required=False)
    published = top.table("published", ("note", "rows"), required=False)
    rows = published.tables("rows", ("method", "iou", "f1", "pg"))
    return TaskSpec(
        path=path,
        name=name,
        version=top.integer("version", minimum=1),
        title=top.text("title"),
        summary=top.text("summary"),
        licence=top.text("licence"),
        citation=top.text("citation", ""),
        reason=top.text("reason"),
        model=top.text("model"),
        soundbank=top.text("soundbank"),
        sample_rate=top.integer("sample_rate", minimum=1000),
        duration=duration,
        frame=frame,
        classes=classes,
        truth="extent" if truth == "extent" else "activity",
        threshold=threshold,
        reference=top.table("reference", ("methods",), required=False).texts("methods", []),
        bank_fingerprint=bank.text("fingerprint", ""),
        recipe=read_recipe(top.table("soundscapes", RECIPE_KEYS)),
        splits=_splits(top, path.parent),
        published_note=published.text("note", ""),
        published=tuple(
            PublishedRow(r.text("method"), r.number("iou"), r.number("f1"), r.number("pg"))
            for r in rows
        ),
        canonical=_canonical(top.values),
    )


def _splits(top: Table, folder: Path) -> Mapping[str, SplitSpec]:
    table = top.table("splits", SPLITS)
    splits: dict[str, SplitSpec] = {}
    for split in SPLITS:
        if split not in table.values:
            continue
        one = table.table(split, ("index", "sha256", "clips"))
        sha256 = one.text("sha256")
        if not _SHA256.match(sha256):
            raise one.error("sha256", f"{sha256!r} is not 64 hexadecimal digits")
        splits[split] = SplitSpec(
            index=_inside(one, "index", folder),
            sha256=sha256,
            clips=one.integer("clips", minimum=1),
        )
    frozen: Mapping[str, SplitSpec] = frozen_mapping(splits)
    return frozen


def _inside(table: Table, key: str, folder: Path) -> Path:
    """A relative path that stays in the task's folder, links followed."""
    text = table.text(key)
    relative = PurePosixPath(text)
    outside = relative.is_absolute() or ".." in relative.parts or "\\" in text or ":" in text
    path = folder / relative
    if not text or outside or not path.resolve().is_relative_to(folder.resolve()):
        raise table.error(key, f"{text!r} leaves the task's folder", "keep the file beside it")
    return path


def _canonical(values: Mapping[str, Any]) -> str:
    """What decides a score, as one text; defaults are filled in so that saying them is free."""
    left_out = {*_PROSE, "model", "reference", "published", "splits"}
    kept = {key: value for key, value in values.items() if key not in left_out}
    kept.setdefault("frame", 0.1)
    kept.setdefault("detection", {"threshold": 0.5})
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
