"""The frozen index of a split: every soundscape's specification in one CSV file.

One row a placement, the background first and then the events in order of event time, the
clips one after another; UTF-8, LF, columns in the order of :data:`COLUMNS`, times, levels
and SNR with :data:`DECIMALS` decimals. A file is written in exactly one way, so that its
sha256 names the soundscapes and a file read and written again is the same file.

    clip,duration,ref_db,role,label,source_file,source_time,event_time,event_duration,snr
    test-0000,10.0000,-52.1300,background,rain,background/rain/a,0.0000,0.0000,10.0000,0.0000
    test-0000,10.0000,-52.1300,foreground,Dog,foreground/Dog/b,0.2500,3.1000,0.9000,12.5000

The split is the part of the clip's id before the last hyphen. A clip's duration and
reference level stand on each of its rows.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from pathlib import Path

from sedbench.data.frozen import read_frozen
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError
from sedbench.files import write_atomic
from sedbench.types import SPLITS, Split

DECIMALS = 4
COLUMNS = (
    "clip",
    "duration",
    "ref_db",
    "role",
    "label",
    "source_file",
    "source_time",
    "event_time",
    "event_duration",
    "snr",
)


def dumps_index(soundscapes: Sequence[Soundscape]) -> str:
    """The one text that these soundscapes are written as.

    Parameters
    ----------
    soundscapes : sequence of Soundscape
        Numbers beyond :data:`DECIMALS` decimals are rounded; round before freezing.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for s in soundscapes:
        rows = [("background", s.background), *(("foreground", e) for e in s.events)]
        for role, p in rows:
            numbers = (p.source_time, p.event_time, p.event_duration, p.snr)
            writer.writerow(
                [s.id, _text(s.duration), _text(s.ref_db), role, p.label, p.source_file]
                + [_text(v) for v in numbers]
            )
    return out.getvalue()


def _text(value: float) -> str:
    text = f"{value:.{DECIMALS}f}"
    return text[1:] if text.startswith("-") and float(text) == 0 else text  # no "-0.0000"


def write_index(path: Path, soundscapes: Sequence[Soundscape]) -> str:
    """Write an index by atomic rename and return its sha256 (hexadecimal)."""
    data = dumps_index(soundscapes).encode()
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()


def read_index(path: Path, sha256: str = "") -> tuple[Soundscape, ...]:
    """Read an index.

    Parameters
    ----------
    path : Path
    sha256 : str, optional
        What the file's hash has to be.

    Raises
    ------
    MissingDataError
        There is no such file.
    HashMismatchError
        The file is not the one that was frozen.
    DataError
        A row cannot be; the message names the file and the line.
    """
    return loads_index(read_text(path, sha256), str(path))


def read_text(path: Path, sha256: str = "") -> str:
    """Read an index file and verify its hash; raises as :func:`read_index`."""
    try:
        return read_frozen(path, sha256, "index").decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error.reason})") from error


def loads_index(text: str, name: str = "index") -> tuple[Soundscape, ...]:
    """Read the text of an index; ``name`` stands for the file in messages."""
    rows = csv.reader(io.StringIO(text))
    if tuple(next(rows, ())) != COLUMNS:
        raise DataError(f"{name}, line 1: expected the columns {','.join(COLUMNS)}")
    soundscapes: list[Soundscape] = []
    seen: set[str] = set()
    head: tuple[str, Split, float, float, Placement] | None = None
    events: list[Placement] = []

    def finish() -> None:
        if head is not None:
            soundscapes.append(Soundscape(*head[:4], head[4], tuple(events)))
            events.clear()

    for row in rows:
        where = f"{name}, line {rows.line_num}"
        if len(row) != len(COLUMNS):
            raise DataError(f"{where}: expected {len(COLUMNS)} columns, got {len(row)}")
        clip, duration, ref_db, role, label, source, *times = row
        length, level, *numbers = (number(v, where) for v in (duration, ref_db, *times))
        placement = Placement(label, source, *numbers)
        problem = _problem(placement, length)
        if problem:
            raise DataError(f"{where}: {problem}")
        if role == "background":
            finish()
            if clip in seen:
                raise DataError(f"{where}: the clip {clip!r} stands twice")
            seen.add(clip)
            head = (clip, split_of(clip, where), length, level, placement)
        elif role == "foreground":
            if head is None or head[0] != clip:
                raise DataError(f"{where}: the clip {clip!r} does not begin with its background")
            if (length, level) != head[2:4]:
                raise DataError(f"{where}: duration or ref_db differ from the background's row")
            if events and placement.event_time < events[-1].event_time:
                raise DataError(f"{where}: the events are not in order of event_time")
            events.append(placement)
        else:
            raise DataError(f"{where}: the role {role!r} is neither background nor foreground")
    finish()
    return tuple(soundscapes)


def split_of(clip: str, where: str) -> Split:
    """Read the split off a clip's id, ``<split>-<number>``."""
    prefix, _, number = clip.rpartition("-")
    for split in SPLITS:
        if prefix == split and number.isdigit():
            return split
    raise DataError(f"{where}: the clip id {clip!r} is not <split>-<number>")


def number(text: str, where: str) -> float:
    """Read a finite number; ``where`` stands in the error."""
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{where}: {text!r} is not a number") from None
    if not math.isfinite(value):
        raise DataError(f"{where}: {text!r} is not finite")
    return value


def _problem(p: Placement, duration: float) -> str:
    """Why a placement cannot be, or an empty string."""
    if not (p.label and p.source_file):
        return "a label or a source file is empty"
    if p.source_time < 0 or p.event_time < 0 or p.event_duration <= 0:
        return "a time is negative or the event has no length"
    if p.event_time + p.event_duration > duration + 0.5 * 10**-DECIMALS:
        return f"the event ends after the clip's {duration} s"
    return ""
