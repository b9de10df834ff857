"""What a clip is made from: a soundscape (what Scaper's JAMS hold), or a window of a recording.

A soundscape is a background and a few foreground events. Each *placement* says which
stretch of which recording sounds when and how loud; rendering it is a function of the
specification and the soundbank alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from sedbench.types import Split


@dataclass(frozen=True, slots=True)
class Placement:
    """One recording placed in a soundscape, in Scaper's terms.

    Attributes
    ----------
    label : str
    source_file : str
        The recording's id in the soundbank, ``<role>/<label>/<name>``.
    source_time : float
        Where in the recording the stretch begins, seconds.
    event_time, event_duration : float
        Onset in the soundscape and length, seconds.
    snr : float
        Loudness above the background, in LUFS (0 for the background itself).
    """

    label: str
    source_file: str
    source_time: float
    event_time: float
    event_duration: float
    snr: float


@dataclass(frozen=True, slots=True)
class Soundscape:
    """The specification of one clip.

    Attributes
    ----------
    id : str
        ``<split>-<4 or 5 digits>``.
    split : {"train", "validation", "test", "development"}
    duration : float
        Seconds.
    ref_db : float
        Scaper's reference level: the background's loudness in LUFS.
    background : Placement
    events : tuple of Placement
        In order of event time.
    fold : int
        0 in a task without folds.
    condition : str
        What it is rendered under, ``snr=20``; empty in a task without conditions.
    """

    id: str
    split: Split
    duration: float
    ref_db: float
    background: Placement
    events: tuple[Placement, ...]
    fold: int = 0
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A window cut from an annotated recording, in place of a soundscape.

    Attributes
    ----------
    id : str
        ``<split>-<4 or 5 digits>``.
    split : {"train", "validation", "test", "development"}
    recording : str
        The recording's id in the soundbank.
    start, duration : float
        Seconds.
    fold : int
        0 in a task without folds.
    """

    id: str
    split: Split
    recording: str
    start: float
    duration: float
    fold: int = 0
