"""A folder of one's own recordings, read from what lies in it.

    <root>/foreground/<label>/<name>.wav    <root>/background/<label>/<name>.flac

Everything with the ending of WAV, FLAC or OGG counts. What else lies there is *left out* and
said so: other formats, files beside or below the labels' folders, and, where there is a
manifest, what it does not list. Hidden files (``.DS_Store``) are not looked at.

``manifest.csv`` in the folder (UTF-8) is optional, and so are all its columns but ``file``
(``foreground/Dog/a.wav``): ``group``, ``author``, ``licence``, ``source``, ``split``,
``fold``, ``sha256``. What it does not say follows from the files:

- the group is the author where one is named, else the original that the file's name speaks
  of (:func:`sedbench.data.dealing.original`: ``kitchen-3.wav`` is cut from ``kitchen``),
  whatever the label;
- splits are dealt by group (:func:`sedbench.data.dealing.deal`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from sedbench.data.dealing import deal, original
from sedbench.data.soundbank import Recording, Role
from sedbench.errors import DataError
from sedbench.types import SPLITS, Split

MANIFEST = "manifest.csv"
SUFFIXES = (".wav", ".flac", ".ogg")
COLUMNS = ("file", "group", "author", "licence", "source", "split", "fold", "sha256")
ROLES: tuple[Role, ...] = ("foreground", "background")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")

LeftOut = tuple[tuple[str, str], ...]
"""Files, relative to the folder, each with the reason."""


def walk(root: Path) -> tuple[tuple[Recording, ...], LeftOut]:
    """Read a folder.

    Returns
    -------
    recordings : tuple of Recording
        Sorted by id.
    left_out : tuple of (str, str)
        Files that are no recordings, and why.

    Raises
    ------
    DataError
        A file cannot be read as audio or is empty, or a row of the manifest cannot be; the
        message names it.
    """
    found, left_out = _files(root)
    rows: dict[str, Mapping[str, str]] | None = None
    if (root / MANIFEST).is_file():
        rows = _rows(root / MANIFEST, set(found))
        left_out += [(file, f"not in {MANIFEST}") for file in found if file not in rows]
        found = [file for file in found if file in rows]
    told = rows or {}
    groups = {file: _group(file, told.get(file, {})) for file in found}
    settled: dict[str, Split] = {}
    folds: dict[str, str] = {}
    for file in found:
        split, fold = (told.get(file, {}).get(key, "") for key in ("split", "fold"))
        apart = split and settled.setdefault(groups[file], _split(split)) != split
        if apart or folds.setdefault(groups[file], fold) != fold:
            raise DataError(
                f"{root / MANIFEST}: the group {groups[file]!r} is in two "
                f"{'splits' if apart else 'folds'}",
                "all recordings of a group belong in one",
            )
    members: dict[str, list[str]] = {}
    for file in found:
        members.setdefault(file.rpartition("/")[0], []).append(groups[file])
    splits = deal(members, settled=settled)
    recordings = [
        _recording(root, file, groups[file], splits[groups[file]], told.get(file, {}))
        for file in sorted(found)
    ]
    return tuple(recordings), tuple(sorted(left_out))


def _files(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Recordings, and what else lies in the folders of the two roles."""
    found: list[str] = []
    left_out: list[tuple[str, str]] = []
    for role in ROLES:
        for path in sorted((root / role).rglob("*")):
            parts = path.relative_to(root).parts
            if not path.is_file() or any(part.startswith(".") for part in parts):
                continue
            file = "/".join(parts)
            if path.suffix.lower() not in SUFFIXES:
                left_out.append((file, "no WAV, FLAC or OGG"))
            elif len(parts) != 3:
                left_out.append((file, f"not in {role}/<label>/"))
            else:
                found.append(file)
    return found, left_out


def _rows(path: Path, there: set[str]) -> dict[str, Mapping[str, str]]:
    """The manifest's rows by file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the manifest {path} cannot be read: {error}") from error
    reader = csv.DictReader(io.StringIO(text))
    if "file" not in (reader.fieldnames or ()):
        raise DataError(f"{path}, line 1: the column 'file' is missing")
    rows: dict[str, Mapping[str, str]] = {}
    for line in reader:
        row = {key: (line.get(key) or "").strip() for key in COLUMNS}
        for problem in _problems(row, there, rows):
            raise DataError(f"{path}, line {reader.line_num}: {problem}")
        rows[row["file"]] = row
    return rows


def _problems(
    row: Mapping[str, str], there: set[str], before: Mapping[str, object]
) -> Iterator[str]:
    file = row["file"]
    if file not in there:
        yield f"there is no recording {file!r} in the folder"
    if file in before:
        yield f"{file!r} stands twice"
    if row["split"] and row["split"] not in SPLITS:
        yield f"the split {row['split']!r} is unknown (one of: {', '.join(SPLITS)})"
    if row["fold"] and not (row["fold"].isascii() and row["fold"].isdigit()):
        yield f"the fold {row['fold']!r} is not 0, 1, ..."
    if row["sha256"] and not _SHA256.match(row["sha256"]):
        yield "the sha256 is not 64 hexadecimal digits"


def _group(file: str, row: Mapping[str, str]) -> str:
    if row.get("group"):
        return row["group"]
    if row.get("author"):
        return f"a:{row['author'].casefold()}"
    return original(Path(file).stem)


def _split(name: str) -> Split:
    return next(split for split in SPLITS if split == name)


def _recording(
    root: Path, file: str, group: str, split: Split, row: Mapping[str, str]
) -> Recording:
    import soundfile

    path = root / file
    try:
        duration = float(soundfile.info(str(path)).duration)
    except soundfile.LibsndfileError as error:
        raise DataError(
            f"{path} cannot be read as audio: {error}", "take the file out or restore it"
        ) from error
    if duration <= 0:
        raise DataError(f"{path} is empty", "take the file out or restore it")
    role, label, _ = file.split("/")
    return Recording(
        id=file,
        role=next(r for r in ROLES if r == role),
        label=label,
        split=split,
        duration=duration,
        group=group,
        licence=row.get("licence", ""),
        author=row.get("author", ""),
        source=row.get("source", ""),
        sha256=row.get("sha256", ""),
        fold=int(row["fold"]) if row.get("fold") else None,
    )
