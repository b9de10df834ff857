"""Listening to a drawn soundscape: what sounds at once, and whether an event is heard at all.

Scaper places a stretch wherever it likes. A stretch may be a pause (:data:`PAUSE_DB` below
the recording's loudest 100 ms): levels follow loudness, so its noise would be amplified until
it is as loud as the event that it is not. Or it may be rumble, whose level exceeds its
loudness by :data:`RUMBLE_DB` and would be driven beyond full scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sedbench.data.index import DECIMALS
from sedbench.data.render import cut, loudness
from sedbench.data.soundscape import Placement

PAUSE_DB = 20.0
RUMBLE_DB = 10.0


class Audition:
    """Recordings laid out as WAV files, listened to once each.

    Parameters
    ----------
    root : Path
        Holds ``<recording's id>.wav``.
    sample_rate : int
        Hz.
    """

    def __init__(self, root: Path, sample_rate: int) -> None:
        self.root, self.sample_rate = root, sample_rate
        self._sounds: dict[str, tuple[NDArray[np.float64], float]] = {}

    def hears(self, placement: Placement) -> bool:
        """Whether the stretch is the recording's sound, and not a pause or rumble in it."""
        key = placement.source_file
        if key not in self._sounds:
            import soundfile

            samples, _ = soundfile.read(str(self.root / f"{key}.wav"))
            self._sounds[key] = samples, _loudest(samples, self.sample_rate)
        samples, loudest = self._sounds[key]
        stretch = cut(samples, placement, self.sample_rate)
        if stretch.size == 0:
            return False
        lufs = loudness(stretch, self.sample_rate)
        if lufs == -math.inf or _loudest(stretch, self.sample_rate) < loudest - PAUSE_DB:
            return False
        return 10 * math.log10(float(np.mean(stretch**2))) - lufs < RUMBLE_DB


def _loudest(samples: NDArray[np.float64], sample_rate: int) -> float:
    """The mean power of the loudest 100 ms in dB."""
    edges = np.arange(0, samples.size, sample_rate // 10)
    lengths = np.diff([*edges, samples.size])
    power = np.add.reduceat(samples**2, edges) / lengths
    whole = lengths >= min(sample_rate // 20, samples.size)  # no scrap at the end
    return 10 * math.log10(max(float(power[whole].max()), 1e-20))


def polyphony(events: Sequence[Placement]) -> int:
    """The most events that sound at once; one that begins as another ends does not overlap."""
    return simultaneous((e.event_time, e.event_time + e.event_duration) for e in events)


def simultaneous(intervals: Iterable[tuple[float, float]]) -> int:
    """The most of these ``[onset, offset)`` that hold one moment, to the index's decimals."""
    times = [(onset, round(offset, DECIMALS)) for onset, offset in intervals]
    changes = sorted([(onset, 1) for onset, _ in times] + [(offset, -1) for _, offset in times])
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def same_class_apart(events: Sequence[Placement], gap: float) -> bool:
    """Whether events of one class, in order of time, have ``gap`` seconds between them."""
    for i, first in enumerate(events):
        end = first.event_time + first.event_duration + gap
        if any(e.label == first.label and e.event_time < end for e in events[i + 1 :]):
            return False
    return True
