"""RTTM: who spoke when, many recordings a file, one turn a line.

    SPEAKER meeting1 1 1.440 11.872 <NA> <NA> MEE009 <NA> <NA>

Fields are separated by blanks: type, recording, channel, onset, *duration* (seconds, not the
offset), orthography, subtype, speaker, confidence and, in newer files, lookahead. Only
``SPEAKER`` lines are turns; the other types of the specification are passed over, a type
that it does not know is an error. Lines that begin with ``;;`` are comments. Channels are
not told apart.

For speech activity every turn is of one class, so that the merged events are the union of
the speakers; for who speaks when, the speaker is the class. A recording without turns has no
line here: a UEM file (:mod:`sedbench.data.annotations.uem`) names it.

References
----------
.. [1] NIST, "The 2009 Rich Transcription Evaluation Plan", appendix A: RTTM.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sedbench.data.annotations.annotation import Annotation
from sedbench.data.annotations.collect import Collector
from sedbench.data.annotations.text import lines, name, seconds
from sedbench.errors import DataError

ABSENT = "<NA>"
OTHERS = frozenset(
    [
        "SEGMENT",
        "NOSCORE",
        "NO_RT_METADATA",
        "LEXEME",
        "NON-LEX",
        "NON-SPEECH",
        "FILLER",
        "EDIT",
        "IP",
        "SU",
        "CB",
        "A/P",
        "SPKR-INFO",
    ]
)


def loads(text: str, into: Collector, speaker_label: str | None) -> None:
    """Read turns; ``speaker_label`` is the class of all of them, None for the speaker's name."""
    for line, content in lines(text):
        if content.lstrip().startswith(";;"):
            continue
        fields = re.split(r"[ \t]+", content.strip())
        if fields[0] in OTHERS:
            continue
        if fields[0] != "SPEAKER":
            raise into.error(line, f"unknown type {fields[0]!r}", "a turn begins with SPEAKER")
        if len(fields) not in (9, 10):
            raise into.error(line, f"a turn has 9 or 10 fields, this one {len(fields)}")
        onset = into.seconds(line, "onset", fields[3])
        length = into.seconds(line, "duration", fields[4])
        if length <= 0:
            raise into.error(line, f"the duration {length:g} s is not positive")
        label = fields[7] if speaker_label is None else speaker_label
        if label == ABSENT:
            raise into.error(line, "the speaker has no name", "read with a label for every turn")
        # Onset and duration are decimal; so is their sum.
        into.event(line, fields[1], onset, round(onset + length, 9), label)


def dumps(annotations: Sequence[Annotation], silent: bool = False) -> str:
    """Spell turns, with the class in the speaker's place.

    Parameters
    ----------
    annotations : sequence of Annotation
    silent : bool, optional
        Whether recordings without events may be left out, because another file names them.

    Raises
    ------
    DataError
        A name has a blank, or a recording has no events and nothing else names it.
    """
    out = []
    for annotation in annotations:
        file = name(annotation.file, "recording", spaces=False)
        if not annotation.events and not silent:
            raise DataError(
                f"RTTM cannot say that nothing sounds in {file!r}",
                "have a UEM file written beside it, or choose another format",
            )
        for event in annotation.events:
            label = name(event.label, "label", spaces=False)
            if label == ABSENT:
                raise DataError(f"the label {label!r} means in RTTM that there is none")
            out.append(
                f"SPEAKER {file} 1 {seconds(event.onset)} {seconds(event.offset - event.onset)} "
                f"{ABSENT} {ABSENT} {label} {ABSENT} {ABSENT}\n"
            )
    return "".join(out)
