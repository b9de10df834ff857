"""Conditions: every soundscape of a task rendered several times, one thing changed.

``snr`` gives every event the same SNR in LUFS. ``reverb`` puts the events into a simulated
room of a given RT60 in seconds (:mod:`sedbench.data.rooms`), 0 being the dry soundscape. All
else stays: a curve over the values compares the same clips.

    [conditions]
    kind = "reverb"
    values = [0, 0.3, 0.6]
    rooms = "rooms.npz"
    rooms_sha256 = "..."
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sedbench.data.rooms import Rooms, read_rooms
from sedbench.data.soundscape import Soundscape
from sedbench.data.strict import Table
from sedbench.errors import DataError

KEYS = ("kind", "values", "rooms", "rooms_sha256")
Kind = Literal["snr", "reverb"]
_NAMES: dict[Kind, str] = {"snr": "snr", "reverb": "rt60"}
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Conditions:
    """What every soundscape is rendered under.

    Attributes
    ----------
    kind : {"snr", "reverb"}
    values : tuple of float
        SNR in LUFS, or RT60 in seconds (0: dry).
    rooms : Path or None
        Room impulse responses; None unless ``reverb``.
    rooms_sha256 : str
        What the hash of ``rooms`` has to be, hexadecimal.
    """

    kind: Kind
    values: tuple[float, ...]
    rooms: Path | None = None
    rooms_sha256: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the conditions in the order of ``values``, for instance ``snr=20``."""
        return tuple(f"{_NAMES[self.kind]}={value:g}" for value in self.values)

    def expand(self, soundscapes: Iterable[Soundscape]) -> tuple[Soundscape, ...]:
        """Each soundscape under all conditions, soundscape by soundscape.

        Returns
        -------
        tuple of Soundscape
            Named ``<id>@<condition>``.
        """
        return tuple(
            self._under(s, value, label)
            for s in soundscapes
            for value, label in zip(self.values, self.labels, strict=True)
        )

    def _under(self, soundscape: Soundscape, value: float, label: str) -> Soundscape:
        events = soundscape.events
        if self.kind == "snr":
            events = tuple(replace(event, snr=value) for event in events)
        return replace(soundscape, id=f"{soundscape.id}@{label}", events=events, condition=label)

    def impulses(
        self, soundscape: Soundscape, sample_rate: int | None = None
    ) -> tuple[NDArray[np.float32], ...] | None:
        """The room impulse response of each event, or None where it stays dry.

        Parameters
        ----------
        soundscape : Soundscape
            One that :meth:`expand` returned.
        sample_rate : int, optional
            Hz; that of the rooms has to be the same.

        Raises
        ------
        DataError
            The soundscape is under none of these conditions, or the rooms cannot be read, have
            no such RT60 or another sample rate.
        """
        if soundscape.condition not in self.labels:
            raise DataError(
                f"{soundscape.id}: the condition {soundscape.condition!r} is none of "
                f"{', '.join(self.labels)}"
            )
        rt60 = self.values[self.labels.index(soundscape.condition)]
        if self.rooms is None or rt60 == 0 or not soundscape.events:
            return None
        rooms = _rooms(self.rooms, self.rooms_sha256)
        if sample_rate not in (None, rooms.sample_rate):
            raise DataError(
                f"{self.rooms} was simulated at {rooms.sample_rate} Hz, the clips have "
                f"{sample_rate} Hz",
                "simulate the rooms at the task's sample rate",
            )
        return rooms.of_clip(soundscape.id, rt60, len(soundscape.events))


@lru_cache(maxsize=2)
def _rooms(path: Path, sha256: str) -> Rooms:
    # One read a process; the hash is part of the key, so a changed file is another one.
    return read_rooms(path, sha256)


def read_conditions(table: Table, folder: Path) -> Conditions:
    """Read the ``[conditions]`` table of a task.

    Parameters
    ----------
    table : Table
    folder : Path
        The task's folder, in which ``rooms`` lies.

    Raises
    ------
    TaskFileError
        A value cannot be.
    """
    kind: Kind = "snr" if table.choice("kind", tuple(_NAMES)) == "snr" else "reverb"
    values = table.numbers("values")
    if not values or len(set(values)) != len(values):
        raise table.error("values", "expected different numbers, at least one")
    if any(float(f"{value:g}") != value for value in values):  # a label says all of it
        raise table.error("values", f"expected at most six digits, got {list(values)!r}")
    if kind == "snr":
        for key in ("rooms", "rooms_sha256"):
            if key in table.values:
                raise table.error(key, "an SNR needs no room", "take the line out")
        return Conditions(kind, values)
    if min(values) < 0:
        raise table.error("values", f"an RT60 is not negative, got {min(values):g}")
    name, sha256 = table.text("rooms"), table.text("rooms_sha256")
    if not _FILE.match(name):
        raise table.error("rooms", f"{name!r} is no file beside the task's", "a bare file name")
    if not _SHA256.match(sha256):
        raise table.error("rooms_sha256", f"{sha256!r} is not 64 hexadecimal digits")
    return Conditions(kind, values, folder / name, sha256)
