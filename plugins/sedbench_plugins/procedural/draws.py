"""Where a recording's parameters come from: base parameters by group, the rest by recording.

A *base* parameter (a pitch, a vocal tract's length, a motor's speed, a bubble rate ...) is
drawn once a group, and only from the split's own part of its range::

    position in the range   0 ......................... 1
    train                   [----------------------]
    validation                 [----------------------]
    development                 [----------------------]
    test                          [----------------------]

so a test recording can lie where no training recording does. A parameter whose name hashes
to an odd number counts its range from the other end, so that the test split is not simply
higher in everything.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np

from sedbench.types import Split

T = TypeVar("T")

POSITIONS: Final[dict[Split, tuple[float, float]]] = {
    "train": (0.0, 0.82),
    "validation": (0.09, 0.91),
    "test": (0.18, 1.0),
    "development": (0.13, 0.95),
}


class Draws:
    """The random choices of one recording.

    Parameters
    ----------
    split : str
    ordinal : int
        Number of the group within its class and split.
    group : numpy.random.Generator
        Shared by the recordings of a group: consume it in the same order for each.
    own : numpy.random.Generator
        This recording's own.
    """

    def __init__(
        self, split: Split, ordinal: int, group: np.random.Generator, own: np.random.Generator
    ) -> None:
        self.split: Split = split
        self.ordinal = ordinal
        self.group = group
        self.own = own

    def base(self, name: str, low: float, high: float) -> float:
        """Draw a base parameter, uniform in the split's part of ``[low, high]``."""
        start, stop = POSITIONS[self.split]
        position = self.group.uniform(start, stop)
        if hashlib.sha256(name.encode()).digest()[0] % 2:
            position = 1.0 - position
        return float(low + position * (high - low))

    def base_log(self, name: str, low: float, high: float) -> float:
        """Draw a base parameter, log-uniform in the split's part of ``[low, high]``."""
        return math.exp(self.base(name, math.log(low), math.log(high)))

    def kind(self, kinds: Sequence[T]) -> T:
        """Pick one of the class's kinds, dealt in turn over the split's groups."""
        return kinds[self.ordinal % len(kinds)]

    def uniform(self, low: float, high: float) -> float:
        """Draw the recording's own value in ``[low, high)``."""
        return float(self.own.uniform(low, high))

    def log(self, low: float, high: float) -> float:
        """Draw the recording's own value, log-uniform in ``[low, high)``."""
        return math.exp(self.own.uniform(math.log(low), math.log(high)))

    def chance(self, probability: float) -> bool:
        """Draw true with ``probability``, for this recording alone."""
        return bool(self.own.random() < probability)
