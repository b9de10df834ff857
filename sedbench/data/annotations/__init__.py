"""Annotations: what people say sounds when, read and written in four formats.

    tsv        DESED's tables              many recordings a file      .tsv .csv
    rttm       speakers' turns             many recordings a file      .rttm
    audacity   an exported label track     one recording               .txt .lab
    jams       JSON                        one recording               .jams

    annotation.py   what an annotation is: events of one class merged
    collect.py      the checks that every statement of every format meets
    text.py         how files are decoded, and how names and times are spelt
    uem.py          which stretches of a recording were annotated at all

Seconds from the start of the recording, intervals half open. Whatever cannot be is an error
that names file and line; what is cut or merged is counted. A recording in which nothing
sounds is legal. What was written reads back the same to a microsecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

from sedbench.data.annotations import audacity, jams, rttm, tsv
from sedbench.data.annotations.annotation import Annotation, AnnotationSet, merge
from sedbench.data.annotations.collect import Clip, Collector
from sedbench.data.annotations.text import lines, read_text, rounded
from sedbench.data.annotations.uem import Regions, read_uem, write_uem
from sedbench.errors import DataError, UnknownNameError, UsageError
from sedbench.files import write_atomic

__all__ = [
    "FORMATS",
    "Annotation",
    "AnnotationSet",
    "Clip",
    "Regions",
    "merge",
    "read",
    "read_uem",
    "write",
    "write_uem",
]

FORMATS = ("tsv", "rttm", "audacity", "jams")
_SUFFIXES = {
    ".tsv": "tsv",
    ".csv": "tsv",
    ".rttm": "rttm",
    ".jams": "jams",
    ".txt": "audacity",
    ".lab": "audacity",
}


def read(
    path: str | Path,
    format: str | None = None,
    *,
    labels: Iterable[str] | None = None,
    files: Iterable[str] | None = None,
    durations: Mapping[str, float] | None = None,
    clip: Clip = "error",
    speaker_label: str | None = "Speech",
    recording: str | None = None,
) -> AnnotationSet:
    """Read an annotation file.

    Parameters
    ----------
    path : str or Path
    format : {"tsv", "rttm", "audacity", "jams"}, optional
        Without it, the extension and then the first line decide.
    labels : iterable of str, optional
        The only classes allowed.
    files : iterable of str, optional
        The recordings that there are, as the file names them: each is in the outcome, with
        or without events, and any other is an error.
    durations : mapping of str to float, optional
        Lengths of recordings in seconds. They precede what a JAMS file says itself.
    clip : {"error", "trim"}, optional
        What becomes of an event that ends after its recording: an error, or it is cut and
        counted in the outcome's ``trimmed`` and ``dropped``.
    speaker_label : str or None, optional
        RTTM: the class of every turn. None: the speaker's name is the class.
    recording : str, optional
        JAMS and Audacity: the recording's name, in place of what the file or its own name says.

    Returns
    -------
    AnnotationSet
        Sorted by recording; same-class events that overlap or touch are merged.

    Raises
    ------
    MissingDataError
        There is no such file.
    DataError
        A statement cannot be; the message names file and line.
    UsageError
        The format or ``clip`` is unknown.
    """
    path = Path(path)
    text = read_text(path)
    into = Collector(path, labels, files, durations, clip)
    chosen = _known(format) if format else _detect(path, text)
    if chosen == "tsv":
        tsv.loads(text, into)
    elif chosen == "rttm":
        rttm.loads(text, into, speaker_label)
    elif chosen == "audacity":
        audacity.loads(text, into, recording or path.stem)
    else:
        jams.loads(text, into, recording, path.stem)
    return into.finish()


def write(
    path: str | Path,
    annotations: Annotation | Iterable[Annotation],
    format: str | None = None,
    *,
    uem: str | Path | None = None,
) -> None:
    """Write an annotation file by atomic rename.

    Parameters
    ----------
    path : str or Path
    annotations : Annotation or iterable of Annotation
        JAMS and Audacity hold exactly one.
    format : {"tsv", "rttm", "audacity", "jams"}, optional
        Without it the extension decides.
    uem : str or Path, optional
        RTTM: a UEM file to be written as well, each recording from 0 to its duration. With
        it recordings without events are legal, since it names them.

    Raises
    ------
    DataError
        The format has no room for something, or the folder cannot be written.
    UsageError
        The format is unknown, or a recording stands twice.
    """
    path = Path(path)
    several = [annotations] if isinstance(annotations, Annotation) else annotations
    given = [rounded(annotation) for annotation in several]
    given.sort(key=lambda annotation: annotation.file)
    for before, after in pairwise(given):
        if before.file == after.file:
            raise UsageError(f"the recording {after.file!r} stands twice", "join its events")
    chosen = _known(format or _SUFFIXES.get(path.suffix.lower(), path.suffix))
    if uem is not None and chosen != "rttm":
        raise UsageError(f"a UEM file belongs to RTTM, not to {chosen!r}")
    if chosen == "tsv":
        text = tsv.dumps(given)
    elif chosen == "rttm":
        text = rttm.dumps(given, silent=uem is not None)
    elif chosen == "audacity":
        text = audacity.dumps(given)
    else:
        text = jams.dumps(given)
    if uem is not None:
        write_uem(Path(uem), {a.file: ((0.0, _duration(a)),) for a in given})
    write_atomic(path, text.encode())


def _duration(annotation: Annotation) -> float:
    if annotation.duration is None:
        raise DataError(f"a UEM file needs the duration of {annotation.file!r}", "give it one")
    return annotation.duration


def _known(format: str) -> str:
    if format not in FORMATS:
        raise UnknownNameError.of("annotation format", format, FORMATS)
    return format


def _detect(path: Path, text: str) -> str:
    """Tell the format by the first line, and by the extension where that says nothing."""
    suffix = path.suffix.lower()
    first = next((line for _, line in lines(text)), "")
    if first.lstrip().startswith("{") or suffix == ".jams":
        return "jams"
    if first.startswith(("SPEAKER ", "SPEAKER\t")) or suffix == ".rttm":
        return "rttm"
    if tsv.is_header(first) or tsv.is_row(first) or suffix in (".tsv", ".csv"):
        return "tsv"
    if suffix in (".txt", ".lab"):
        return "audacity"
    raise DataError(
        f"{path}: the format of these annotations cannot be told",
        f"name it: one of {', '.join(FORMATS)}",
    )
