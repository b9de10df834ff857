"""The bank itself: recordings by id, synthesised on demand, kept while there is room."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property
from math import gcd
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from sedbench.data.soundbank import Recording
from sedbench.errors import UnknownNameError, UsageError
from sedbench_plugins.procedural import backgrounds
from sedbench_plugins.procedural.alarms import alarm
from sedbench_plugins.procedural.animals import cat, dog
from sedbench_plugins.procedural.catalogue import VERSION, Entry, catalogue, generator
from sedbench_plugins.procedural.draws import Draws
from sedbench_plugins.procedural.dsp import RATE, Array
from sedbench_plugins.procedural.impacts import dishes
from sedbench_plugins.procedural.liquids import frying, water
from sedbench_plugins.procedural.motors import blender, shaver, vacuum
from sedbench_plugins.procedural.recording import record
from sedbench_plugins.procedural.speech import speech

SAMPLE_RATES: Final = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates on offer in Hz; at each of them every duration is a whole number of samples."""

MAKERS: Final = MappingProxyType[str, Callable[[Draws, int], Array]](
    {
        "Alarm_bell_ringing": alarm,
        "Blender": blender,
        "Cat": cat,
        "Dishes": dishes,
        "Dog": dog,
        "Electric_shaver_toothbrush": shaver,
        "Frying": frying,
        "Running_water": water,
        "Speech": speech,
        "Vacuum_cleaner": vacuum,
        "crickets": backgrounds.crickets,
        "fireplace": backgrounds.fireplace,
        "kitchen_fan": backgrounds.kitchen_fan,
        "rain": backgrounds.rain,
        "room_hum": backgrounds.room_hum,
        "sea": backgrounds.sea,
        "traffic": backgrounds.traffic,
        "wind": backgrounds.wind,
    }
)


class ProceduralBank:
    """The soundbank ``procedural``.

    Parameters
    ----------
    cache_bytes : int
        How much synthesised audio may stay in memory; the least recently used goes first.
    """

    name = "procedural"

    def __init__(self, cache_bytes: int = 128 * 2**20) -> None:
        self.cache_bytes = cache_bytes
        self._entries = catalogue()
        self._cache: OrderedDict[tuple[str, int], NDArray[np.float32]] = OrderedDict()
        self._held = 0

    def recordings(self) -> Sequence[Recording]:
        """Return every recording, sorted by id; nothing is synthesised."""
        return tuple(entry.recording for entry in self._entries.values())

    def audio(self, recording_id: str, sample_rate: int) -> NDArray[np.float32]:
        """Return the whole recording, a pure function of its id.

        Parameters
        ----------
        recording_id : str
            For instance ``foreground/Dog/0012``.
        sample_rate : int
            One of :data:`SAMPLE_RATES`.

        Returns
        -------
        ndarray, shape (samples,), float32
            Read-only, within [-1, 1]; ``samples`` is exactly ``duration * sample_rate``.

        Raises
        ------
        UnknownNameError
            No such recording.
        UsageError
            A sample rate that is not on offer.
        """
        entry = self._entries.get(recording_id)
        if entry is None:
            raise UnknownNameError.of("recording", recording_id, self._entries)
        if sample_rate not in SAMPLE_RATES:
            raise UsageError(
                f"soundbank {self.name!r} cannot be had at {sample_rate} Hz",
                f"use one of {', '.join(map(str, SAMPLE_RATES))}",
            )
        key = (recording_id, int(sample_rate))
        kept = self._cache.get(key)
        if kept is not None:
            self._cache.move_to_end(key)
            return kept
        audio = resampled(synthesise(entry), int(sample_rate), entry.recording.duration)
        audio.flags.writeable = False
        self._keep(key, audio)
        return audio

    def fingerprint(self) -> str:
        """Return the hexadecimal sha256 over the bank's version and its catalogue.

        The version stands for the sound: a change that can be heard raises it, and golden
        figures of the sound are tested. Source text is left out, so that a comment does not
        make every task that was frozen with the bank stale.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(VERSION.encode())
        for recording in self.recordings():
            digest.update(
                f"|{recording.id},{recording.split},{recording.duration!r},{recording.group}".encode()
            )
        return digest.hexdigest()

    def _keep(self, key: tuple[str, int], audio: NDArray[np.float32]) -> None:
        if audio.nbytes > self.cache_bytes:
            return
        self._cache[key] = audio
        self._held += audio.nbytes
        while self._held > self.cache_bytes:
            _, dropped = self._cache.popitem(last=False)
            self._held -= dropped.nbytes


def synthesise(entry: Entry) -> Array:
    """Return the recording at the native rate, shape (samples,)."""
    recording = entry.recording
    draws = Draws(
        recording.split,
        entry.ordinal,
        generator(recording.label, "group", entry.group),
        generator(recording.label, entry.index, "audio"),
    )
    n = round(recording.duration * RATE)
    sound = MAKERS[recording.label](draws, n)
    return record(draws, sound, indoors=recording.role == "foreground")


def resampled(x: Array, sample_rate: int, duration: float) -> NDArray[np.float32]:
    """Return ``x`` at another rate, exactly ``duration`` long, float32."""
    n = round(duration * sample_rate)
    if sample_rate != RATE:
        shared = gcd(sample_rate, RATE)
        x = resample_poly(x, sample_rate // shared, RATE // shared)
    y = np.zeros(n, dtype=np.float32)
    y[: min(n, len(x))] = np.clip(x[:n], -1.0, 1.0)
    return y
