"""Taking an annotation file in line by line: every format's statements meet the same checks.

A format's reader knows where a field stands; what may stand in it is decided here, once. A
statement that cannot be is an error that names the file and the line, never a line left out.

Times are decimal numbers of seconds with a point. A decimal comma is refused rather than
guessed, as is anything that is not finite. An offset may lie :data:`ROUNDING` past the end of
its recording, because files with three decimals round up; it is then set to the end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args

from sedbench.data.annotations.annotation import Annotation, AnnotationSet
from sedbench.errors import DataError, UnknownNameError, UsageError
from sedbench.types import Event

Clip = Literal["error", "trim"]
ROUNDING = 0.0005 + 1e-9  # s; half of a third decimal

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+\Z")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)\Z", re.IGNORECASE)


class Collector:
    """Gathers the statements of one annotation file.

    Parameters
    ----------
    path : Path
        For messages.
    labels : iterable of str, optional
        The only classes allowed.
    files : iterable of str, optional
        The only recordings allowed; each of them is in the outcome, with or without events.
    durations : mapping of str to float, optional
        Lengths of recordings in seconds; a recording without one is not checked for its end.
    clip : {"error", "trim"}, optional
        What becomes of an event that ends after its recording.
    """

    def __init__(
        self,
        path: Path,
        labels: Iterable[str] | None = None,
        files: Iterable[str] | None = None,
        durations: Mapping[str, float] | None = None,
        clip: Clip = "error",
    ) -> None:
        if clip not in get_args(Clip):
            raise UsageError(f"clip={clip!r} cannot be", 'one of: "error", "trim"')
        self.path, self.clip = path, clip
        self.labels = None if labels is None else frozenset(labels)
        self.files = None if files is None else frozenset(files)
        self.durations = dict(durations or {})
        self._events: dict[str, list[Event]] = {file: [] for file in self.files or ()}
        self._trimmed = self._dropped = 0

    def error(self, line: int, problem: str, hint: str = "") -> DataError:
        """An error about one line."""
        return DataError(f"{self.path}, line {line}: {problem}", hint)

    def seconds(self, line: int, what: str, text: str) -> float:
        """A time in seconds; ``what`` is its name in messages."""
        if _COMMA.match(text):
            raise self.error(
                line,
                f"the {what} {text!r} has a decimal comma",
                f"write it with a point: {text.replace(',', '.')}",
            )
        value = float(text) if _NUMBER.match(text) else math.nan
        if _NOT_FINITE.match(text) or math.isinf(value):
            raise self.error(line, f"the {what} {text!r} is not finite")
        if math.isnan(value):
            raise self.error(line, f"the {what} {text!r} is not a number of seconds")
        return value

    def recording(self, line: int, file: str) -> None:
        """Note that there is such a recording, whether anything sounds in it or not."""
        if not file:
            raise self.error(line, "the name of the recording is empty")
        if self.files is not None and file not in self.files:
            hint = UnknownNameError.of("recording", file, self.files).hint
            raise self.error(line, f"unknown recording {file!r}", hint)
        self._events.setdefault(file, [])

    def event(self, line: int, file: str, onset: float, offset: float, label: str) -> None:
        """Note an event; times in seconds."""
        self.recording(line, file)
        if not label:
            raise self.error(line, "the label is empty")
        if self.labels is not None and label not in self.labels:
            hint = UnknownNameError.of("label", label, self.labels).hint
            raise self.error(line, f"unknown label {label!r}", hint)
        if onset < 0:
            raise self.error(line, f"the onset {onset:g} s is negative")
        if offset <= onset:
            raise self.error(
                line, f"the event ends at {offset:g} s, and does not begin before: {onset:g} s"
            )
        end = self.durations.get(file, math.inf)
        late = offset > end + ROUNDING
        if late and self.clip == "error":
            raise self.error(
                line,
                f"the event {label!r} ({onset:g} to {offset:g} s) ends after {file!r}, "
                f"which lasts {end:g} s",
                'correct it, or read with clip="trim", which counts what it cuts',
            )
        if onset >= end:
            self._dropped += 1
            return
        self._trimmed += late
        self._events[file].append(Event(onset, min(offset, end), label))

    def finish(self) -> AnnotationSet:
        """Everything noted, merged."""
        found = tuple(
            Annotation(file, tuple(self._events[file]), self.durations.get(file))
            for file in sorted(self._events)
        )
        before = sum(map(len, self._events.values()))
        merged = before - sum(len(annotation.events) for annotation in found)
        return AnnotationSet(found, merged, self._trimmed, self._dropped)
