"""Score tables on disk: one file a clip, in the form that sed_scores_eval reads and writes.

    onset   offset  Dog     Speech
    0.0     0.064   0.013   0.92
    0.064   0.128   0.021   0.95

Tab separated, with a header; ``clip.tsv`` holds the scores of the recording ``clip.wav``. Frames
follow each other without gaps. A folder holds the clips of one detector and nothing else. Beside
it, a table of durations says which clips there are and how long they last::

    filename        duration
    clip.wav        10.0

Whatever cannot be is an error that names file and line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sedbench.data.annotations.text import lines, read_text
from sedbench.data.annotations.text import name as spelt
from sedbench.errors import DataError, MissingDataError
from sedbench.files import write_atomic
from sedbench.metrics.scores import ScoreTable

TIMES = ("onset", "offset")
GAP = 5e-7  # s; edges that are written with six decimals meet within this
AUDIO = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")


def clip_name(filename: str) -> str:
    """The clip that a recording's name stands for: without what says which audio format it has."""
    stem, dot, suffix = filename.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in AUDIO else filename


def read_scores(path: str | Path) -> ScoreTable:
    """Read the scores of one clip.

    Raises
    ------
    MissingDataError
        There is no such file.
    DataError
        It is not a score table; the message names file and line.
    """
    path = Path(path)
    rows = [(number, content.split("\t")) for number, content in lines(read_text(path))]
    if not rows:
        raise _error(path, 1, "the header is missing", "onset, offset, and a column a class")
    line, header = rows[0][0], [field.strip() for field in rows[0][1]]
    classes = header[2:]
    if tuple(header[:2]) != TIMES or not classes or not all(classes):
        raise _error(
            path,
            line,
            f"the columns are {', '.join(map(repr, header))}",
            "they are onset, offset and one a class, separated by tabs",
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise _error(path, line, f"the column {twice[0]!r} stands twice")
    if len(rows) == 1:
        raise _error(path, line, "there is no frame below the header")
    for number, fields in rows[1:]:
        if len(fields) != len(header):
            raise _error(path, number, f"{len(fields)} fields under {len(header)} columns")
    values = _numbers(path, rows[1:], header)
    _check_times(path, rows[1:], values[:, :2])
    edges = np.append(values[:, 0], values[-1, 1])
    return ScoreTable(tuple(classes), np.ascontiguousarray(values[:, 2:]), edges)


def read_score_folder(folder: str | Path) -> dict[str, ScoreTable]:
    """Read the scores of every clip in a folder, by the clip's name.

    Raises
    ------
    MissingDataError
        There is no such folder, or nothing in it.
    DataError
        It holds something else, or a file is not a score table.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingDataError(f"there is no folder {folder}", "give the folder of score tables")
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):  # what an operating system leaves behind
            continue
        if path.suffix != ".tsv" or not path.is_file():
            raise DataError(
                f"{path} is no score table",
                "the folder holds one .tsv file a clip and nothing else",
            )
        found[path.stem] = read_scores(path)
    if not found:
        raise MissingDataError(f"{folder} holds no score table", "one .tsv file a clip")
    return found


def table_text(table: ScoreTable) -> str:
    """The text of one table, with as few digits as tell its scores apart in their own precision.

    Raises
    ------
    DataError
        A class has a name that cannot be a column's.
    """
    for name in table.classes:
        if name in TIMES or not name.strip() or name != name.strip() or not name.isprintable():
            raise DataError(f"{name!r} cannot name a column", "printable, and not onset or offset")
    out = ["\t".join((*TIMES, *table.classes))]
    times = list(map(str, table.edges))
    for onset, offset, row in zip(times, times[1:], table.values, strict=False):
        out.append("\t".join((onset, offset, *map(str, row))))
    return "\n".join(out) + "\n"


def write_scores(path: str | Path, table: ScoreTable) -> None:
    """Write the scores of one clip by atomic rename; they read back as they are.

    Raises
    ------
    DataError
        A class has a name that cannot be a column's, or the folder cannot be written.
    """
    write_atomic(Path(path), table_text(table).encode())


def read_durations(path: str | Path) -> dict[str, float]:
    """Read how long each clip lasts, in seconds by the clip's name.

    Raises
    ------
    MissingDataError
        There is no such file.
    DataError
        It is not a table of durations; the message names file and line.
    """
    path = Path(path)
    found: dict[str, float] = {}
    columns: list[str] = []
    for number, content in lines(read_text(path)):
        fields = [field.strip() for field in content.split("\t")]
        if not columns:
            columns = fields
            if not {"filename", "duration"} <= set(columns):
                raise _error(
                    path, number, f"the columns are {', '.join(map(repr, columns))}",
                    "they are filename and duration, separated by tabs",
                )  # fmt: skip
            continue
        if len(fields) != len(columns):
            raise _error(path, number, f"{len(fields)} fields under {len(columns)} columns")
        row = dict(zip(columns, fields, strict=True))
        clip, text = clip_name(row["filename"]), row["duration"]
        seconds = float(text) if _NUMBER.match(text) else math.nan
        if not clip or not 0 < seconds < math.inf:
            raise _error(path, number, f"{row['filename']!r} cannot last {text!r} s")
        if clip in found:
            raise _error(path, number, f"{clip!r} stands twice", "take one of the rows out")
        found[clip] = seconds
    if not found:
        raise _error(path, 1, "there is no clip", "a header, and a row a clip")
    return found


def durations_text(durations: Mapping[str, float]) -> str:
    """The text of a table of durations: seconds by the name of the recording."""
    rows = [f"{spelt(file, 'recording')}\t{value!r}" for file, value in durations.items()]
    return "\n".join(("filename\tduration", *rows)) + "\n"


def _numbers(
    path: Path, rows: list[tuple[int, list[str]]], header: list[str]
) -> NDArray[np.float64]:
    flat = list(chain.from_iterable(fields for _, fields in rows))
    try:
        values = np.array(list(map(float, flat)), np.float64).reshape(len(rows), len(header))
        sound = bool(np.isfinite(values).all()) and not any("_" in text for text in flat)
    except ValueError:
        sound = False
    if sound:
        return values
    for number, fields in rows:
        for column, text in zip(header, fields, strict=True):
            if not _NUMBER.match(text.strip()) or math.isinf(float(text)):
                raise _error(path, number, f"the {column} {text!r} is not a finite number")
    raise AssertionError("one of them is not a number")


def _check_times(path: Path, rows: list[tuple[int, list[str]]], times: NDArray[np.float64]) -> None:
    onset, offset = times.T
    if onset[0] < 0:
        raise _error(path, rows[0][0], f"the onset {onset[0]:g} s is negative")
    for bad, problem in (
        (offset <= onset, "the frame ends before it begins, or when it does"),
        (np.append(False, np.abs(onset[1:] - offset[:-1]) > GAP),
         "the frame does not begin where the one before ends"),
    ):  # fmt: skip
        if bad.any():
            i = int(np.argmax(bad))
            raise _error(path, rows[i][0], f"{problem}: {onset[i]:g} to {offset[i]:g} s")


def _error(path: Path, line: int, problem: str, hint: str = "") -> DataError:
    return DataError(f"{path}, line {line}: {problem}", hint)
