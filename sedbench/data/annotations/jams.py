"""JAMS: one recording a file, as JSON.

Read are the namespaces ``segment_open`` and ``sound_event`` (a label) and ``scaper`` (a table
with ``label`` and ``role``; its background is no event). A file has to hold exactly one such
annotation: which of two annotators is right is not for a reader to say. The recording's name
is the title in ``file_metadata``, or the file's own without the extension; its duration
stands there too.

The file is read as plain JSON with checks of its own, which takes milliseconds; the jams
package takes seconds to import. Objects remember where they began, so that an error names
the line.

References
----------
.. [1] Humphrey et al., "JAMS: A JSON annotated music specification for reproducible MIR
   research", ISMIR 2014.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from json import scanner
from typing import Any

from sedbench.data.annotations.annotation import Annotation
from sedbench.data.annotations.collect import Collector
from sedbench.data.annotations.text import name
from sedbench.errors import DataError

NAMESPACES = ("scaper", "segment_open", "sound_event")
VERSION = "0.3.5"


class _Object(dict[str, Any]):
    """A JSON object that knows where it began."""

    at = 0


class _Decoder(json.JSONDecoder):
    def __init__(self) -> None:
        super().__init__()
        plain: Callable[..., tuple[dict[str, Any], int]] = json.decoder.JSONObject  # type: ignore[attr-defined]

        def parse_object(state: tuple[str, int], *rest: Any) -> tuple[_Object, int]:
            value, end = plain(state, *rest)
            found = _Object(value)
            found.at = state[1]
            return found, end

        self.parse_object = parse_object
        # The scanner in C has object parsing built in; the one in Python asks the decoder.
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def loads(text: str, into: Collector, recording: str | None, stem: str) -> None:
    """Read a recording's text.

    Parameters
    ----------
    text : str
    into : Collector
    recording : str or None
        The recording's name; None for what the file says.
    stem : str
        Its name where the file does not say.
    """
    breaks = [i for i, character in enumerate(text) if character == "\n"]

    def line(value: Any) -> int:
        return bisect_left(breaks, value.at) + 1 if isinstance(value, _Object) else 1

    try:
        top = _Decoder().decode(text)
    except json.JSONDecodeError as error:
        raise into.error(error.lineno, f"not JSON: {error.msg}") from error
    except RecursionError:
        raise into.error(1, "the JSON is nested too deeply") from None
    if not isinstance(top, _Object) or not isinstance(top.get("annotations"), list):
        raise into.error(1, "expected a JSON object with the list 'annotations'")
    about = top.get("file_metadata")
    if not isinstance(about, _Object):
        raise into.error(1, "expected the table 'file_metadata'")
    file = recording or about.get("title") or stem
    if not isinstance(file, str):
        raise into.error(line(about), f"the title {file!r} is not a name")
    if (duration := about.get("duration")) is not None:
        length = _number(duration, "duration", line(about), into)
        if length <= 0:
            raise into.error(line(about), f"the duration {length:g} s is not positive")
        into.durations.setdefault(file, length)
    chosen = _choose(top["annotations"], into)
    into.recording(line(chosen), file)
    for observation in chosen["data"]:
        at = line(observation) if isinstance(observation, _Object) else line(chosen)
        _event(observation, at, file, into)


def _choose(annotations: list[Any], into: Collector) -> _Object:
    """Find the one annotation of sound events."""
    found = [a for a in annotations if isinstance(a, _Object) and a.get("namespace") in NAMESPACES]
    if len(found) != 1:
        others = sorted({str(a.get("namespace")) for a in annotations if isinstance(a, _Object)})
        raise into.error(
            1,
            f"expected one annotation in a namespace of {', '.join(NAMESPACES)}, got {len(found)}",
            f"namespaces in the file: {', '.join(others) or 'none'}",
        )
    if not isinstance(found[0].get("data"), list):
        raise into.error(1, f"the data of the annotation in {found[0]['namespace']!r} is no list")
    return found[0]


def _event(observation: Any, line: int, file: str, into: Collector) -> None:
    if not isinstance(observation, _Object):
        raise into.error(line, f"an observation is {observation!r}, not a table")
    value = observation.get("value")
    if isinstance(value, _Object):
        if value.get("role") == "background":
            return
        value = value.get("label")
    if not isinstance(value, str):
        raise into.error(line, f"the observation has the label {value!r}")
    onset = _number(observation.get("time"), "time", line, into)
    length = _number(observation.get("duration"), "duration", line, into)
    into.event(line, file, onset, round(onset + length, 9), value.strip())


def _number(value: Any, what: str, line: int, into: Collector) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise into.error(line, f"the {what} {value!r} is not a number of seconds")
    if not math.isfinite(value):
        raise into.error(line, f"the {what} {value!r} is not finite")
    return float(value)


def dumps(annotations: Sequence[Annotation]) -> str:
    """Spell one recording's text, in the namespace ``segment_open``.

    Raises
    ------
    DataError
        They are not of one recording, or its duration is unknown, which JAMS asks for.
    """
    if len(annotations) != 1:
        raise DataError(
            f"a JAMS file holds one recording, not {len(annotations)}", "write a file for each"
        )
    (annotation,) = annotations
    if annotation.duration is None:
        raise DataError(f"JAMS asks for the duration of {annotation.file!r}", "give it one")
    data = []
    for event in annotation.events:
        data.append(
            {
                "time": event.onset,
                "duration": round(event.offset - event.onset, 6),
                "value": name(event.label, "label"),
                "confidence": None,
            }
        )
    metadata = {
        "curator": {"name": "", "email": ""},
        "annotator": {},
        "version": "",
        "corpus": "",
        "annotation_tools": "",
        "annotation_rules": "",
        "validation": "",
        "data_source": "",
    }
    document = {
        "annotations": [
            {
                "namespace": "segment_open",
                "annotation_metadata": metadata,
                "data": data,
                "sandbox": {},
                "time": 0,
                "duration": annotation.duration,
            }
        ],
        "file_metadata": {
            "title": name(annotation.file, "recording"),
            "artist": "",
            "release": "",
            "duration": annotation.duration,
            "identifiers": {},
            "jams_version": VERSION,
        },
        "sandbox": {},
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
