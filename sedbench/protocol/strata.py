"""Which pairs belong together: by class, polyphony, duration, SNR or condition.

``class``
    The pair's class.
``polyphony``
    The largest number of classes that are active at once in a frame in which the pair's class
    is: ``alone``, ``2 at once``, ``3 at once`` ...
``duration``
    How long the class is active in the clip, all its events together, in octaves: ``under 1 s``,
    ``1 to 2 s``, ``2 to 4 s``, ``4 s and more``.
``snr``
    The loudest event of the class, as the task's index has it (loudness above the background,
    LU), in steps of 5: ``15 to 20 LU`` holds 15 and not 20.
``condition``
    What the clip was rendered under, in a task with conditions.

Active frames are those of one truth. The bins are fixed, so that two tasks can be read side by
side; a bin without a pair is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import NothingSelectedError, UnknownNameError
from sedbench.types import BoolArray, PairTable

BY: tuple[str, ...] = ("class", "polyphony", "duration", "snr", "condition")

_OCTAVES = (1.0, 2.0, 4.0)  # seconds
_STEP = 5.0  # loudness units
_SHORT = 1e-6  # of a second: frames add up to 1.0000000001 s

Levels = Mapping[tuple[str, str], float]
"""SNR of the loudest event of each (clip id, class)."""


@dataclass(frozen=True, eq=False)
class Stratum:
    """Some pairs of a split.

    Attributes
    ----------
    name : str
    pairs : ndarray, shape (pairs,), bool
    """

    name: str
    pairs: BoolArray


def strata(table: PairTable, by: str, truth: str, levels: Levels | None = None) -> list[Stratum]:
    """Sort the pairs of a split.

    Parameters
    ----------
    table : PairTable
        Every true pair of the split.
    by : str
        One of :data:`BY`.
    truth : str
        The truth that says which frames are active.
    levels : mapping, optional
        Needed for ``snr``.

    Returns
    -------
    list of Stratum
        In their natural order, none of them empty. Every pair is in one of them.

    Raises
    ------
    UnknownNameError
        No such way of sorting, or no such truth.
    NothingSelectedError
        The split knows nothing of it: no SNR, no conditions.
    """
    if by not in BY:
        raise UnknownNameError.of("way of sorting pairs:", by, BY)
    if truth not in table.truths:
        raise UnknownNameError.of("truth", truth, table.truths)
    if by == "class":
        keys, names = table.label, dict(enumerate(table.classes))
    elif by == "polyphony":
        keys, names = _polyphony(table, truth)
    elif by == "duration":
        keys, names = _duration(table, truth)
    elif by == "snr":
        keys, names = _snr(table, levels or {})
    else:
        keys, names = _condition(table)
    return [Stratum(names[key], keys == key) for key in np.unique(keys).tolist()]


_Keys = tuple[NDArray[np.int64], dict[int, str]]


def _polyphony(table: PairTable, truth: str) -> _Keys:
    active = table.truths[truth]
    at_once = np.zeros((len(table.clip_ids), active.shape[1]), np.int64)
    np.add.at(at_once, table.clip, active)
    # A pair without an active frame under this truth sounds alone as far as anyone can tell.
    most = np.maximum(np.where(active, at_once[table.clip], 0).max(-1, initial=0), 1)
    return most, {n: "alone" if n == 1 else f"{n} at once" for n in np.unique(most).tolist()}


def _duration(table: PairTable, truth: str) -> _Keys:
    length = np.diff(table.grid.edges)
    seconds = table.truths[truth] @ length
    octave = np.searchsorted(np.array(_OCTAVES) - _SHORT, seconds, side="right")
    named = [f"{low:g} to {high:g} s" for low, high in pairwise(_OCTAVES)]
    names = [f"under {_OCTAVES[0]:g} s", *named, f"{_OCTAVES[-1]:g} s and more"]
    return octave.astype(np.int64), dict(enumerate(names))


def _snr(table: PairTable, levels: Levels) -> _Keys:
    pairs = zip(table.clip.tolist(), table.label.tolist(), strict=True)
    found: list[Any] = [levels.get((table.clip_ids[c], table.classes[k])) for c, k in pairs]
    if None in found or not found:
        raise NothingSelectedError(
            f"{found.count(None)} of {len(found)} pairs have no SNR that is known",
            "only soundscapes have one, and only with the index they were drawn into",
        )
    step = np.array([math.floor(level / _STEP) for level in found], np.int64)
    ends = {n: (_STEP * n, _STEP * (n + 1)) for n in np.unique(step).tolist()}
    return step, {n: f"{low:g} to {high:g} LU" for n, (low, high) in ends.items()}


def _condition(table: PairTable) -> _Keys:
    number: dict[str, int] = {}
    own = [number.setdefault(name, len(number)) for name in table.conditions]
    if set(number) <= {""}:
        raise NothingSelectedError("the task has no conditions", f"--by {', '.join(BY[:-1])}")
    keys = np.array(own, np.int64)[table.clip]
    return keys, {n: name for name, n in number.items()}
