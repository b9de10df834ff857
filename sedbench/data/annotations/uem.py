"""UEM: which stretches of a recording were annotated, and so may be scored.

    meeting1 1 0.000 30.000

Fields are separated by blanks: recording, channel, start and end in seconds. Lines that begin
with ``;;`` are comments. Stretches of one recording that overlap or touch are merged; channels
are not told apart. Outside of them nothing is known: silence there is not a fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sedbench.data.annotations.collect import Collector
from sedbench.data.annotations.text import lines, name, read_text, seconds
from sedbench.files import write_atomic

Regions = tuple[tuple[float, float], ...]
_REGION = "region"


def read_uem(path: Path) -> dict[str, Regions]:
    """Annotated stretches by recording, in order of the recordings' names.

    Returns
    -------
    dict of str to tuple of (float, float)
        Start and end in seconds, merged and sorted.

    Raises
    ------
    DataError
        A line cannot be; the message names file and line.
    """
    into = Collector(path)
    for line, content in lines(read_text(path)):
        if content.lstrip().startswith(";;"):
            continue
        fields = re.split(r"[ \t]+", content.strip())
        if len(fields) != 4:
            raise into.error(line, f"a region has 4 fields, this line {len(fields)}")
        start, end = (
            into.seconds(line, what, value)
            for what, value in zip(("start", "end"), fields[2:], strict=True)
        )
        into.event(line, fields[0], start, end, _REGION)
    return {a.file: tuple((e.onset, e.offset) for e in a.events) for a in into.finish()}


def write_uem(path: Path, regions: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Write annotated stretches by atomic rename."""
    out = [
        f"{name(file, 'recording', spaces=False)} 1 {seconds(start)} {seconds(end)}\n"
        for file in sorted(regions)
        for start, end in regions[file]
    ]
    write_atomic(path, "".join(out).encode())
