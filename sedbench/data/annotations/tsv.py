"""DESED's tables: tab separated, many recordings a file, one event a row.

    filename                onset   offset  event_label
    Y0a_30_40.wav           0.000   2.081   Speech
    Y0b_10_20.wav

The columns may come in any order, and further ones are passed over. Rows without a header
are read where they have these four columns in this order. A row whose onset, offset and
label are all empty is a recording in which nothing sounds; a file of a header alone names no
recording. Fields are not quoted.

References
----------
.. [1] Turpault et al., "Sound event detection in domestic environments with weakly labeled
   data and soundscape synthesis", DCASE 2019.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sedbench.data.annotations.annotation import Annotation
from sedbench.data.annotations.collect import Collector
from sedbench.data.annotations.text import lines, name, seconds

COLUMNS = ("filename", "onset", "offset", "event_label")
_TIME = re.compile(r"[+-]?[0-9.,]+([eE][+-]?[0-9]+)?\Z|\Z")


def is_header(line: str) -> bool:
    """Whether a line names DESED's columns."""
    return set(COLUMNS) <= {field.strip() for field in line.split("\t")}


def is_row(line: str) -> bool:
    """Whether a line can be one of four columns without a header."""
    fields = [field.strip() for field in line.split("\t")]
    return len(fields) == 4 and all(_TIME.match(field) for field in fields[1:3])


def loads(text: str, into: Collector) -> None:
    """Read a table's text."""
    columns: Sequence[str] = ()
    silent: dict[str, int] = {}
    sounding: dict[str, int] = {}
    for line, content in lines(text):
        if not columns:
            columns = _columns(line, content, into)
            if is_header(content):
                continue
        row = _row(line, content, columns, into)
        file, *rest = (row[column] for column in COLUMNS)
        if not any(rest):
            into.recording(line, file)
            silent.setdefault(file, line)
        else:
            onset, offset = (
                into.seconds(line, what, value)
                for what, value in zip(COLUMNS[1:3], rest[:2], strict=True)
            )
            into.event(line, file, onset, offset, rest[2])
            sounding.setdefault(file, line)
    if not columns:
        raise into.error(1, f"the header is missing: {' '.join(COLUMNS)}")
    for file in silent.keys() & sounding.keys():
        raise into.error(
            silent[file],
            f"nothing sounds in {file!r} here, but an event is in line {sounding[file]}",
            "take one of the two rows out",
        )


def _columns(line: int, content: str, into: Collector) -> Sequence[str]:
    if is_header(content):
        columns = [field.strip() for field in content.split("\t")]
        for column in COLUMNS:
            if columns.count(column) > 1:
                raise into.error(line, f"the column {column!r} stands twice")
        return columns
    if is_row(content):
        return COLUMNS
    hint = "the first line names the columns, separated by tabs"
    if "\t" not in content and re.search(r"[,;]", content):
        hint = "columns are separated by tabs, not by commas or semicolons"
    raise into.error(line, f"expected the columns {' '.join(COLUMNS)}, got {content!r}", hint)


def _row(line: int, content: str, columns: Sequence[str], into: Collector) -> dict[str, str]:
    fields = [field.strip() for field in content.split("\t")]
    if len(fields) > len(columns):
        raise into.error(line, f"{len(fields)} fields under {len(columns)} columns")
    # Editors take trailing tabs away, and with them the empty fields of a silent recording.
    fields += [""] * (len(columns) - len(fields))
    return dict(zip(columns, fields, strict=True))


def dumps(annotations: Sequence[Annotation]) -> str:
    """Spell a table's text; durations have no place in it."""
    out = ["\t".join(COLUMNS)]
    for annotation in annotations:
        file = name(annotation.file, "recording")
        if not annotation.events:
            out.append(f"{file}\t\t\t")
        for event in annotation.events:
            label = name(event.label, "label")
            out.append(f"{file}\t{seconds(event.onset)}\t{seconds(event.offset)}\t{label}")
    return "\n".join(out) + "\n"
