"""The frozen index of a split of annotated recordings: one window a row, as CSV.

    clip,recording,start,duration
    test-0000,recordings/dev00.flac,0.0000,10.0000

UTF-8, LF, times with four decimals; a file is written in exactly one way, so that its sha256
names the windows. What sounds in them, the soundbank's annotations say.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

from sedbench.data.index import DECIMALS, number, read_text, split_of
from sedbench.data.soundscape import Excerpt
from sedbench.errors import DataError
from sedbench.files import write_atomic

COLUMNS = ("clip", "recording", "start", "duration")


def write_excerpts(path: Path, excerpts: Sequence[Excerpt]) -> str:
    """Write an index by atomic rename and return its sha256 (hexadecimal)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for e in excerpts:
        writer.writerow(
            [e.id, e.recording, f"{e.start:.{DECIMALS}f}", f"{e.duration:.{DECIMALS}f}"]
        )
    data = out.getvalue().encode()
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()


def read_excerpts(path: Path, sha256: str = "") -> tuple[Excerpt, ...]:
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
    rows = csv.reader(io.StringIO(read_text(path, sha256)))
    if tuple(next(rows, ())) != COLUMNS:
        raise DataError(f"{path}, line 1: expected the columns {','.join(COLUMNS)}")
    found: dict[str, Excerpt] = {}
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        if len(row) != len(COLUMNS):
            raise DataError(f"{where}: expected {len(COLUMNS)} columns, got {len(row)}")
        clip, recording, *times = row
        start, duration = (number(v, where) for v in times)
        if not recording or start < 0 or duration <= 0:
            raise DataError(f"{where}: the recording is empty, or a time cannot be")
        if clip in found:
            raise DataError(f"{where}: the clip {clip!r} stands twice")
        found[clip] = Excerpt(clip, split_of(clip, where), recording, start, duration)
    return tuple(found.values())
