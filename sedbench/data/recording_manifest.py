"""The manifest of a bank of annotated recordings: every file of its folder, with its sha256.

A CSV file in UTF-8, one row a recording, an annotation file or a UEM file:

    kind,file,sha256,duration,group,split,fold,licence,author,source
    recording,scene1.flac,9f2c...,30.0,house1,test,0,CC-BY 4.0,Ann,https://...
    annotations,scenes.rttm,11ab...,,,,,CC-BY 4.0,Ann,https://...
    regions,scenes.uem,77e0...,,,,,CC-BY 4.0,Ann,https://...

``kind`` is ``recording`` where the column is absent or empty, ``split`` is ``test`` and
``fold`` 0. Durations are seconds; ``file`` is relative, with forward slashes. A group (whoever
or whatever two recordings share) is in one split and one fold.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sedbench.data.folder import is_inside
from sedbench.data.soundbank import Recording
from sedbench.errors import DataError
from sedbench.types import SPLITS

Kind = Literal["recording", "annotations", "regions"]
KINDS: tuple[Kind, ...] = get_args(Kind)
COLUMNS = ("file", "sha256", "duration", "group")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Item:
    """One row of a manifest.

    Attributes
    ----------
    kind : {"recording", "annotations", "regions"}
    file : str
        Relative to the bank's folder, forward slashes.
    sha256 : str
    recording : Recording or None
        For that kind alone.
    fold : int
        Of a recording; 0 in a bank without folds.
    """

    kind: Kind
    file: str
    sha256: str
    recording: Recording | None = None
    fold: int = 0


def read_manifest(path: Path) -> tuple[Item, ...]:
    """Read and check a manifest of annotated recordings.

    Returns
    -------
    tuple of Item
        Sorted by file.

    Raises
    ------
    DataError
        The manifest is absent or a row cannot be; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the manifest {path} cannot be read: {error}") from error
    rows = csv.DictReader(io.StringIO(text))
    if absent := [c for c in COLUMNS if c not in (rows.fieldnames or ())]:
        raise DataError(f"{path}, line 1: the column {absent[0]!r} is missing")
    found: dict[str, Item] = {}
    homes: dict[str, tuple[str, int]] = {}
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        item = _item({k: (v or "").strip() for k, v in row.items() if isinstance(k, str)}, where)
        if item.file in found:
            raise DataError(f"{where}: {item.file!r} stands twice")
        if (recording := item.recording) is not None:
            home = (recording.split, item.fold)
            if homes.setdefault(recording.group, home) != home:
                raise DataError(
                    f"{where}: the group {recording.group!r} is in two splits or folds",
                    "all recordings of a group belong in one",
                )
        found[item.file] = item
    return tuple(found[key] for key in sorted(found))


def _item(row: Mapping[str, str], where: str) -> Item:
    file, content = row["file"], row["sha256"]
    kind = next((k for k in KINDS if k == (row.get("kind") or "recording")), None)
    if kind is None:
        raise DataError(
            f"{where}: the kind {row['kind']!r} is unknown", f"one of: {', '.join(KINDS)}"
        )
    if not is_inside(file):
        raise DataError(f"{where}: the file {file!r} is not a path inside the folder")
    if not _SHA256.match(content):
        raise DataError(f"{where}: the sha256 {content!r} is not 64 hexadecimal digits")
    if kind != "recording":
        return Item(kind, file, content)
    name = row.get("split") or "test"
    split = next((s for s in SPLITS if s == name), None)
    if split is None:
        raise DataError(f"{where}: the split {name!r} is unknown", f"one of: {', '.join(SPLITS)}")
    try:
        duration = float(row["duration"])
    except ValueError:
        duration = -1.0
    if not 0 < duration < float("inf"):
        raise DataError(f"{where}: the duration {row['duration']!r} is not positive")
    if not row["group"]:
        raise DataError(f"{where}: the group is empty")
    fold = row.get("fold") or "0"
    if not re.fullmatch("[0-9]+", fold):
        raise DataError(f"{where}: the fold {fold!r} is not a number from 0 on")
    recording = Recording(
        id=file,
        role="recording",
        label="",
        split=split,
        duration=duration,
        group=row["group"],
        licence=row.get("licence", ""),
        author=row.get("author", ""),
        source=row.get("source", ""),
        sha256=content,
    )
    return Item(kind, file, content, recording, int(fold))
