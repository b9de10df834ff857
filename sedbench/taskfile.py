"""Reading a task's file, ``task.toml``: every key known, every value of its type.

An unknown key, one that is missing or one of the wrong type is an error that names the file
and the key. Paths stay in the task's folder, but for that of a soundbank, ``folder:<path>``.

A split's ``sha256`` is absent (or all zeros) until its clips are drawn. So is ``clips`` where
the clips are windows of recordings: how many there are follows from the recordings.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sedbench.data.conditions import KEYS as CONDITION_KEYS
from sedbench.data.conditions import read_conditions
from sedbench.data.recipe import KEYS as RECIPE_KEYS
from sedbench.data.recipe import read_recipe
from sedbench.data.strict import Table
from sedbench.errors import TaskFileError
from sedbench.tasks import FOLDER, PublishedRow, Rotation, SplitSpec, TaskSpec, rotations
from sedbench.types import SPLITS, frozen_mapping

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
    "folds",
    "trained_on",
    "truth",
    "detection",
    "reference",
    "bank",
    "soundscapes",
    "recordings",
    "conditions",
    "splits",
    "published",
)
_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_ZEROS = 64 * "0"


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
    trained_on = top.text("trained_on", name)
    if not _NAME.match(trained_on):
        raise top.error("trained_on", f"{trained_on!r} is no name of a task", "a name, no path")
    frame = top.number("frame", 0.1, above=0)
    duration = top.number("duration", above=0)
    if duration < frame:
        raise top.error("duration", f"{duration} s is shorter than a frame of {frame} s")
    folds, turns = _folds(top)
    recordings = "recordings" in top.values
    if recordings == ("soundscapes" in top.values):
        raise top.error(
            "soundscapes", "a task has either [soundscapes] or [recordings]", "keep one of them"
        )
    hop = 0.0
    if recordings:
        hop = top.table("recordings", ("hop",)).number("hop", duration, above=0)
    conditions = None
    if "conditions" in top.values:
        conditions = read_conditions(top.table("conditions", CONDITION_KEYS), path.parent)
        if recordings:
            raise top.error("conditions", "a recording is heard as it is", "take the table out")
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
        soundbank=_soundbank(top),
        sample_rate=top.integer("sample_rate", minimum=1000),
        duration=duration,
        frame=frame,
        classes=classes,
        truth="extent" if truth == "extent" else "activity",
        threshold=threshold,
        reference=top.table("reference", ("methods",), required=False).texts("methods", []),
        bank_fingerprint=bank.text("fingerprint", ""),
        recipe=None if recordings else read_recipe(top.table("soundscapes", RECIPE_KEYS)),
        hop=hop,
        conditions=conditions,
        folds=folds,
        rotations=turns,
        trained_on=trained_on,
        splits=_splits(top, path.parent, folds, not recordings),
        published_note=published.text("note", ""),
        published=tuple(
            PublishedRow(r.text("method"), r.number("iou"), r.number("f1"), r.number("pg"))
            for r in rows
        ),
        canonical=_canonical(top.values),
    )


def _soundbank(top: Table) -> str:
    text = top.text("soundbank")
    if not text or text == FOLDER:
        raise top.error("soundbank", f"{text!r} names none", f'a name, or "{FOLDER}sounds"')
    return text


def _folds(top: Table) -> tuple[int, tuple[Rotation, ...]]:
    if "folds" not in top.values:
        return 0, rotations(0)
    table = top.table("folds", ("count", "validation"))
    validation = table.choice("validation", ("next", "others"), "next")
    count = table.integer("count", minimum=2 if validation == "others" else 3)
    return count, rotations(count, validation)


def _splits(top: Table, folder: Path, folds: int, drawn: bool) -> Mapping[str, SplitSpec]:
    table = top.table("splits", ("train", "test", "development") if folds else SPLITS)
    splits: dict[str, SplitSpec] = {}
    for split in SPLITS:
        if split not in table.values:
            continue
        one = table.table(split, ("index", "sha256", "clips"))
        sha256 = one.text("sha256", _ZEROS)
        if not _SHA256.match(sha256):
            raise one.error("sha256", f"{sha256!r} is not 64 hexadecimal digits")
        sha256 = "" if sha256 == _ZEROS else sha256
        clips = 0
        if sha256 or drawn or "clips" in one.values:
            clips = one.integer("clips", minimum=1)
        if folds and clips % folds:
            raise one.error("clips", f"not the same number in each of {folds} folds")
        splits[split] = SplitSpec(_inside(one, "index", folder), sha256, clips)
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
