"""What is wrong with a file of a board, and where: one :class:`Problem` a fault.

A check does not stop at the first fault. Whoever submits wants to read all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOLERANCE = 1e-9
"""How far a recorded number may lie from the recomputed one."""

_LONGEST = 60


@dataclass(frozen=True)
class Problem:
    """One reason to refuse a file.

    Attributes
    ----------
    file : str
        As it lies on the board, ``<task>/<model>/<method>/<name>.json``.
    field : str
        The value that is wrong, ``scores[3].value``; empty where it is the file itself.
    message : str
        What is wrong, with the offending value.
    hint : str
        What to do about it.
    """

    file: str
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.field}" if self.field else self.file
        return f"{place}: {self.message}"


def shown(path: Path, folder: Path) -> str:
    """A file's name as errors give it: seen from the board where it lies there."""
    try:
        # Where a link lies counts, not where it leads.
        return (path.parent.resolve() / path.name).relative_to(folder.resolve()).as_posix()
    except ValueError:
        return str(path)


def differences(said: Any, found: Any, field: str) -> Iterator[tuple[str, str]]:
    """Compare what a file says with what was found, value by value.

    Parameters
    ----------
    said, found : object
        Plain JSON values.
    field : str
        The value's place in the document.

    Yields
    ------
    (str, str)
        A place, and what is wrong there. Numbers may differ by :data:`TOLERANCE`; a truth value
        is no number, and undefined is not zero.
    """
    if isinstance(said, dict) and isinstance(found, dict):
        for key in dict.fromkeys([*found, *said]):
            place = f"{field}.{key}"
            if key not in said:
                yield place, f"is missing; recomputed: {_text(found[key])}"
            elif key not in found:
                yield place, f"is {_text(said[key])}, and there is no such thing"
            else:
                yield from differences(said[key], found[key], place)
    elif isinstance(said, list) and isinstance(found, list):
        if len(said) != len(found):
            yield field, f"has {len(said)} entries; recomputed: {len(found)}"
        for i, (one, other) in enumerate(zip(said, found, strict=False)):
            yield from differences(one, other, f"{field}[{i}]")
    elif not _same(said, found):
        yield field, f"is {_text(said)}; recomputed: {_text(found)}"


def _same(said: Any, found: Any) -> bool:
    if isinstance(said, bool) or isinstance(found, bool):
        return said is found
    if isinstance(said, int | float) and isinstance(found, int | float):
        return abs(said - found) <= TOLERANCE
    return bool(said == found)


def _text(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
