r"""Audacity's exported label tracks: one recording a file, onset, offset and label a line.

    1.000000    3.250000    Dog
    \   200.000000  4000.000000

Tab separated, seconds, no header. A second line that begins with a backslash holds the
frequency range of a spectral selection and is passed over. The recording is not named: its
name is the file's own without the extension, unless the caller knows better. An empty file
is a recording without events. A label at a point in time has no length and is an error.

References
----------
.. [1] Audacity manual, "Importing and exporting labels".
"""

from __future__ import annotations

from collections.abc import Sequence

from sedbench.data.annotations.annotation import Annotation
from sedbench.data.annotations.collect import Collector
from sedbench.data.annotations.text import lines, name, seconds
from sedbench.errors import DataError


def loads(text: str, into: Collector, recording: str) -> None:
    """Read the text of one recording's labels."""
    into.recording(1, recording)
    labelled = False
    for line, content in lines(text):
        fields = [field.strip() for field in content.split("\t")]
        if content.startswith("\\"):
            if not labelled:
                raise into.error(line, "a frequency range without a label before it")
            labelled = False
            continue
        if len(fields) != 3:
            raise into.error(
                line,
                f"expected onset, offset and label separated by tabs, got {content!r}",
            )
        onset, offset = (
            into.seconds(line, what, value)
            for what, value in zip(("onset", "offset"), fields[:2], strict=True)
        )
        into.event(line, recording, onset, offset, fields[2])
        labelled = True


def dumps(annotations: Sequence[Annotation]) -> str:
    """Spell one recording's labels.

    Raises
    ------
    DataError
        They are not of one recording.
    """
    if len(annotations) != 1:
        raise DataError(
            f"a label track holds one recording, not {len(annotations)}", "write a file for each"
        )
    (annotation,) = annotations
    return "".join(
        f"{seconds(event.onset)}\t{seconds(event.offset)}\t{name(event.label, 'label')}\n"
        for event in annotation.events
    )
