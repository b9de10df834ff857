"""What the bank holds: classes, splits, groups and durations, known without any synthesis.

Every class has the same index ranges, one a split, so that a number tells its split. Two
consecutive numbers of a foreground class share a *group*: the same speaker, animal, kitchen
or appliance, drawn from the group's own seed. Backgrounds have one group each.

Seeds are the sha256 of a text that names the bank's version, the class and the number, so
they depend neither on Python's hash randomisation nor on the order of calls. Durations come
from a stream of their own, on a grid of 20 ms: that is a whole number of samples at every
sample rate the bank offers.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from sedbench.data.soundbank import Recording, Role
from sedbench.types import SPLITS, Split

VERSION: Final = "procedural-1"
STEP: Final = 0.02
"""Seconds; every duration is a multiple of it."""

GROUP_SIZE: Final[dict[Role, int]] = {"foreground": 2, "background": 1}
COUNTS: Final[dict[Role, dict[Split, int]]] = {
    "foreground": {"train": 96, "validation": 16, "test": 24, "development": 16},
    "background": {"train": 16, "validation": 4, "test": 6, "development": 4},
}
FOREGROUND: Final[dict[str, tuple[float, float]]] = {
    "Alarm_bell_ringing": (0.7, 6.0),
    "Blender": (1.5, 6.0),
    "Cat": (0.5, 4.0),
    "Dishes": (0.4, 4.0),
    "Dog": (0.3, 4.0),
    "Electric_shaver_toothbrush": (2.0, 6.0),
    "Frying": (2.5, 6.0),
    "Running_water": (1.5, 6.0),
    "Speech": (0.6, 5.0),
    "Vacuum_cleaner": (2.5, 6.0),
}
"""Shortest and longest duration in seconds; log-uniform between them."""

BACKGROUND: Final[tuple[str, ...]] = (
    "crickets",
    "fireplace",
    "kitchen_fan",
    "rain",
    "room_hum",
    "sea",
    "traffic",
    "wind",
)
BACKGROUND_DURATION: Final = (12.0, 15.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording with what its synthesis needs.

    Attributes
    ----------
    recording : Recording
    index : int
        Its number within the class.
    group : int
        Number of its group within the class.
    ordinal : int
        Number of its group within the class and split: kinds of a class are dealt in turn
        over it, so that every split has every kind.
    """

    recording: Recording
    index: int
    group: int
    ordinal: int


def generator(*parts: str | int) -> np.random.Generator:
    """Make a generator seeded by the bank's version and ``parts``, the same in every process."""
    digest = hashlib.sha256("|".join([VERSION, *map(str, parts)]).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, "<u4").tolist())


def split_of(role: Role, index: int) -> tuple[Split, int]:
    """Tell the split that a number belongs to, and its place in that split."""
    place = index
    for split in SPLITS:
        count = COUNTS[role][split]
        if place < count:
            return split, place
        place -= count
    raise IndexError(f"{role} recordings are numbered below {index}")


def _entry(role: Role, label: str, index: int, bounds: tuple[float, float]) -> Entry:
    split, place = split_of(role, index)
    size = GROUP_SIZE[role]
    low, high = (math.log(bound) for bound in bounds)
    drawn = math.exp(generator(label, index, "duration").uniform(low, high))
    recording = Recording(
        id=f"{role}/{label}/{index:04d}",
        role=role,
        label=label,
        split=split,
        duration=round(round(drawn / STEP) * STEP, 2),
        group=f"{label}:g{index // size:02d}",
        licence="MIT",
        author="sedbench",
        source="synthesised",
    )
    return Entry(recording, index, index // size, place // size)


def catalogue() -> dict[str, Entry]:
    """List every entry by its id, sorted by id."""
    entries = [
        _entry("foreground", label, index, bounds)
        for label, bounds in FOREGROUND.items()
        for index in range(sum(COUNTS["foreground"].values()))
    ] + [
        _entry("background", label, index, BACKGROUND_DURATION)
        for label in BACKGROUND
        for index in range(sum(COUNTS["background"].values()))
    ]
    return {e.recording.id: e for e in sorted(entries, key=lambda e: e.recording.id)}
