"""Room impulse responses: what a room does to a sound, frozen beside a task.

A response is what a microphone hears of one unit impulse. Convolving a dry recording with it
puts the recording into the room (Allen and Berkley, JASA 1979). The reverberation time RT60
is how long the room's sound takes to fall by 60 dB.

A file holds ``sample_rate`` (Hz) and, for each RT60, an array ``rt60=<seconds>`` of shape
(rooms, positions, samples), float16, padded with zeros. Each response begins with the direct
sound, so that a truth in time needs no shift, and has unit energy, so that convolving leaves
the level of a broadband sound about where it was.

All events of a clip are in one room, each at the next position. Which room it is, and the
first position, follows from the clip's id without its condition: the same at every RT60.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sedbench.data.frozen import read_frozen
from sedbench.errors import DataError

_PREFIX = "rt60="


@dataclass(frozen=True)
class Rooms:
    """Room impulse responses at several RT60.

    Attributes
    ----------
    sample_rate : int
        Hz.
    responses : mapping of float to ndarray, shape (rooms, positions, samples), float32
        By RT60 in seconds.
    """

    sample_rate: int
    responses: Mapping[float, NDArray[np.float32]]

    def impulse(self, rt60: float, number: int) -> NDArray[np.float32]:
        """One response, shape (samples,).

        Parameters
        ----------
        rt60 : float
            Seconds.
        number : int
            Counts the positions of the first room, then those of the next one.

        Raises
        ------
        DataError
            There is no response of this RT60 or number.
        """
        found = self._at(rt60)
        count = found.shape[0] * found.shape[1]
        if not 0 <= number < count:
            raise DataError(f"there is no response {number} at an RT60 of {rt60:g} s, but {count}")
        response: NDArray[np.float32] = found.reshape(count, -1)[number]
        return np.trim_zeros(response, "b")

    def of_clip(self, clip_id: str, rt60: float, events: int) -> tuple[NDArray[np.float32], ...]:
        """The responses of a clip's events, one each, all of one room.

        Parameters
        ----------
        clip_id : str
            What follows an ``@`` does not count.
        rt60 : float
            Seconds.
        events : int
            How many.

        Raises
        ------
        DataError
            There is no response of this RT60.
        """
        rooms, positions = self._at(rt60).shape[:2]
        digest = hashlib.sha256(clip_id.split("@", 1)[0].encode()).digest()
        room = int.from_bytes(digest[:8], "big") % rooms
        first = int.from_bytes(digest[8:16], "big")
        return tuple(
            self.impulse(rt60, room * positions + (first + i) % positions) for i in range(events)
        )

    def _at(self, rt60: float) -> NDArray[np.float32]:
        if rt60 not in self.responses:
            raise DataError(
                f"there is no room with an RT60 of {rt60:g} s",
                f"there is: {', '.join(f'{v:g}' for v in self.responses)}",
            )
        return self.responses[rt60]


def read_rooms(path: Path, sha256: str = "") -> Rooms:
    """Read a file of room impulse responses.

    Parameters
    ----------
    path : Path
        An ``.npz`` as described above.
    sha256 : str, optional
        What the file's hash has to be.

    Raises
    ------
    MissingDataError
        There is no such file.
    HashMismatchError
        The file is not the one that was frozen.
    DataError
        The file does not hold what it should.
    """
    data = read_frozen(path, sha256, "room file")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            values = {name: np.asarray(arrays[name]) for name in arrays.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise DataError(f"{path} holds no room impulse responses: {error}") from error
    return _checked(values, path)


def _checked(values: dict[str, NDArray[np.generic]], path: Path) -> Rooms:
    rate = values.pop("sample_rate", None)
    if rate is None or rate.shape != () or rate.dtype.kind not in "iu":
        raise DataError(f"{path}: 'sample_rate' is no whole number of Hz")
    responses: dict[float, NDArray[np.float32]] = {}
    for name, array in values.items():
        try:
            rt60 = float(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else -1.0
        except ValueError:
            rt60 = -1.0
        if not 0 < rt60 < float("inf"):
            raise DataError(f"{path}: the array {name!r} is not named '{_PREFIX}<seconds>'")
        if array.ndim != 3 or not array.size or array.dtype.kind != "f":
            raise DataError(f"{path}: {name!r} is not of shape (rooms, positions, samples)")
        response = array.astype(np.float32)
        if not np.isfinite(response).all() or not response[:, :, 0].all():
            raise DataError(f"{path}: {name!r} is not finite, or does not begin with direct sound")
        responses[rt60] = response
    if not responses:
        raise DataError(f"{path} holds no room impulse response")
    return Rooms(int(rate), MappingProxyType(dict(sorted(responses.items()))))
