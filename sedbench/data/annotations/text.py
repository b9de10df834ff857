"""The text of annotation files: how it is decoded, and how names and times are spelt in it.

UTF-8 with or without a byte order mark; lines end in LF, CRLF or CR; blank lines say nothing.
Written are UTF-8 without a mark, LF, and times of three to six decimals.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sedbench.data.annotations.annotation import Annotation
from sedbench.errors import DataError, MissingDataError
from sedbench.types import Event


def read_text(path: Path) -> str:
    """A file's text with LF at the ends of lines.

    Raises
    ------
    MissingDataError
        There is no such file.
    DataError
        It cannot be read, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingDataError(
            f"the annotation file {path} is missing", "check its path, or fetch it"
        ) from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8",
            "save the file as UTF-8",
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{path}, line {line}: a NUL byte: not a text file", "save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of every line that is not blank; a line of tabs alone is not blank."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip(" "):
            yield number, line


def seconds(value: float) -> str:
    """A time with as many decimals as it needs, from three to six."""
    whole, decimals = f"{value:.6f}".split(".")
    return f"{whole}.{decimals.rstrip('0').ljust(3, '0')}"


def rounded(annotation: Annotation) -> Annotation:
    """Bring an annotation onto whole microseconds, merged and sorted there.

    Raises
    ------
    DataError
        An event is too short for that.
    """
    events = []
    for event in annotation.events:
        onset, offset = round(event.onset, 6), round(event.offset, 6)
        if offset <= onset:
            raise DataError(
                f"the event {event.label!r} at {event.onset!r} s of {annotation.file!r} is shorter "
                "than a microsecond and cannot be written"
            )
        events.append(Event(onset, offset, event.label))
    duration = annotation.duration
    if duration is not None:  # the end of the last event may have been rounded up
        duration = max(round(duration, 6), 1e-6, *(event.offset for event in events))
    return Annotation(annotation.file, tuple(events), duration)


def name(text: str, what: str, spaces: bool = True) -> str:
    """Return a recording's or a class's name, if it can be written.

    Parameters
    ----------
    text : str
    what : str
        For the message.
    spaces : bool, optional
        Whether the format has room for them.

    Raises
    ------
    DataError
        The name would be read as something else.
    """
    if not text or text != text.strip() or not text.isprintable() or (not spaces and " " in text):
        allowed = "printable characters" + ("" if spaces else " without spaces")
        raise DataError(f"the {what} {text!r} cannot be written here", f"names are {allowed}")
    return text
