"""Windows of annotated recordings as clips, with the same truths as rendered soundscapes.

A window is a stretch ``[start, start + duration)`` of a recording. Its waveform is that
stretch, mono, at the task's rate, in 16 bits. Its ``extent`` truth comes from the recording's
events by the rule of :func:`sedbench.data.render.covered`: a frame is active where events of
the class cover at least half of it. The isolated sounds are not at hand, so how loud each was
in each frame nobody can say: the ``activity`` truth is the extent, and a task of annotated
recordings reports the same figures under both names.

A class is present in a window where at least one frame of it is active. A shorter trace of an
event at a window's edge sounds, but gives no pair: its pair would have no true frame to find.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from sedbench.data.annotations import Regions
from sedbench.data.index import DECIMALS
from sedbench.data.render import Rendered, covered, mix
from sedbench.data.soundbank import Recording, Soundbank
from sedbench.errors import DataError, UsageError
from sedbench.types import Event, FrameGrid

SLACK = 1e-6  # s; less than a sample, more than what sums of decimal fractions are off by


@runtime_checkable
class AnnotatedSoundbank(Soundbank, Protocol):
    """A soundbank whose recordings are annotated."""

    def events(self, recording_id: str) -> tuple[Event, ...]:
        """What sounds in a recording, merged, in seconds from its start."""
        ...

    def regions(self, recording_id: str) -> Regions:
        """The stretches of a recording that were annotated, in seconds."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A stretch of a recording; seconds."""

    start: float
    duration: float

    @property
    def end(self) -> float:
        """Where it ends."""
        return self.start + self.duration


def windows(duration: float, length: float, hop: float) -> tuple[Window, ...]:
    """Whole windows of one length at equal distances, the first at the start.

    Parameters
    ----------
    duration : float
        Of the recording or region, seconds.
    length : float
        Of a window, seconds.
    hop : float
        From one window's start to the next's, seconds; equal to ``length`` for windows that
        neither overlap nor leave gaps.

    Returns
    -------
    tuple of Window
        What remains after the last one is shorter than a window (or than a hop); empty where
        not even one fits.

    Raises
    ------
    UsageError
        A number is not positive and finite.
    """
    for name, value in (("duration", duration), ("length", length), ("hop", hop)):
        if not 0 < value < math.inf:
            raise UsageError(f"windows need a positive {name}, not {value}")
    count = math.floor((duration - length) / hop + 1e-9) + 1
    return tuple(Window(round(k * hop, 9), length) for k in range(max(count, 0)))


def excerpt(  # noqa: PLR0917 - where, what and on which grid: all of them are needed
    bank: Soundbank,
    recording_id: str,
    start: float,
    duration: float,
    classes: Sequence[str],
    grid: FrameGrid,
    sample_rate: int,
    *,
    clip_id: str = "",
    pad: bool = False,
) -> Rendered:
    """Cut a window from an annotated recording.

    Parameters
    ----------
    bank : Soundbank
        An :class:`AnnotatedSoundbank`.
    recording_id : str
    start, duration : float
        Seconds; the duration is the grid's.
    classes : sequence of str
        Rows of the truths. Events of other classes sound, but have no row.
    grid : FrameGrid
    sample_rate : int
        Hz.
    clip_id : str, optional
        ``<recording>@<start>`` where none is given.
    pad : bool, optional
        Let a window that begins an annotated stretch shorter than itself, or runs past the
        recording's end, be filled with silence there, in which nothing is true.

    Returns
    -------
    Rendered
        ``activity`` equals ``extent``; a present class has the recording's group.

    Raises
    ------
    UsageError
        The bank is not annotated, or the duration is not the grid's.
    DataError
        The recording is unknown, or the window does not lie in an annotated stretch of it.
    """
    if not isinstance(bank, AnnotatedSoundbank):
        raise UsageError(
            f"soundbank {bank.name!r} holds isolated sounds, not annotated recordings",
            "windows are cut from a soundbank with annotations",
        )
    if abs(duration - grid.duration) > SLACK:
        raise UsageError(f"a window of {duration:g} s does not fit a grid of {grid.duration:g} s")
    found = next((r for r in bank.recordings() if r.id == recording_id), None)
    if found is None:
        raise DataError(f"soundbank {bank.name!r} has no recording {recording_id!r}")
    stop = start + duration
    if pad:
        short = [b for a, b in bank.regions(found.id) if abs(start - a) <= SLACK + 10**-DECIMALS]
        stop = min(stop, found.duration, *short)
    _check(bank, found, start, stop)
    audio = bank.audio(recording_id, sample_rate).astype(np.float64)
    length = int(duration * sample_rate)
    heard = length if stop > start + duration - SLACK else round((stop - start) * sample_rate)
    stretch = audio[round(start * sample_rate) :][:heard]
    # A resampled recording may end a sample or two early; more is another recording.
    if length - stretch.size > 0.001 * sample_rate and not pad:
        raise DataError(
            f"{recording_id!r} ends {(length - stretch.size) / sample_rate:g} s before the window "
            f"from {start:g} to {start + duration:g} s does",
            "the manifest's duration is longer than the audio",
        )
    stretch = np.pad(stretch, (0, length - stretch.size))
    end = stop if heard < length else math.inf  # nothing is true in the silence
    shifted = [
        (e.label, (e.onset - start, min(e.offset, end) - start))
        for e in bank.events(recording_id)
        if e.onset < end
    ]
    extent = np.array(
        [covered([i for label, i in shifted if label == name], grid) for name in classes], np.bool_
    ).reshape(len(classes), grid.n_frames)
    return Rendered(
        clip_id=clip_id or f"{recording_id}@{start:g}",
        waveform=mix([stretch], fix_clipping=False),
        extent=extent,
        activity=extent.copy(),
        groups=tuple((found.group,) if row.any() else () for row in extent),
    )


def _check(bank: AnnotatedSoundbank, recording: Recording, start: float, stop: float) -> None:
    stretch = f"from {start:g} to {stop:g} s of {recording.id!r}"
    if not (0 <= start < recording.duration and stop <= recording.duration + SLACK):
        raise DataError(
            f"the window {stretch} is not inside the recording, which lasts "
            f"{recording.duration:g} s"
        )
    regions = bank.regions(recording.id)
    if not any(a - SLACK <= start and stop <= b + SLACK for a, b in regions):
        told = ", ".join(f"{a:g} to {b:g} s" for a, b in regions) or "nothing"
        raise DataError(f"the window {stretch} was not annotated throughout (annotated: {told})")
