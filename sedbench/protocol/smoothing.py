"""Smoothing over time: an option that the protocol offers to every row alike.

The gap between attributions and detectors may be nothing but smoothness: a detector's frames are
smooth by construction and an attribution's are not. So each row is reported without smoothing
and with the filter that does best on validation, out of one short list.

Conventions
-----------
- A filter is centred and an odd number of frames wide.
- At the ends of a clip the signal is mirrored with its edge frame repeated (... b a | a b c ...),
  so that the window keeps its width and a constant stays that constant, bit by bit.
- A method that decides by itself (its own mask) is not smoothed in its masks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UnknownNameError
from sedbench.types import FloatArray

SMOOTHINGS: tuple[str, ...] = (
    "none",
    "mean-3",
    "mean-5",
    "mean-9",
    "median-3",
    "median-5",
    "median-9",
)
"""The filters that validation chooses from, in order of preference among equals."""


def smooth(scores: FloatArray, name: str) -> NDArray[np.float64]:
    """Filter each row over time.

    Parameters
    ----------
    scores : ndarray, shape (pairs, frames)
    name : str
        One of :data:`SMOOTHINGS`; the number is the width in frames.

    Returns
    -------
    ndarray of float64, shape (pairs, frames)

    Raises
    ------
    UnknownNameError
        No such filter.
    """
    if name not in SMOOTHINGS:
        raise UnknownNameError.of("smoothing", name, SMOOTHINGS)
    exact = np.asarray(scores, np.float64)
    if name == "none" or exact.size == 0:
        return exact
    kind, width = name.split("-")
    reach = int(width) // 2
    padded = np.pad(exact, ((0, 0), (reach, reach)), mode="symmetric")
    if kind == "median":
        windows = np.lib.stride_tricks.sliding_window_view(padded, int(width), axis=-1)
        return np.asarray(np.partition(windows, reach, axis=-1)[..., reach])
    total = np.zeros_like(exact)
    for shift in range(int(width)):  # a fixed order of adding, the same on every machine
        total += padded[:, shift : shift + exact.shape[1]]
    return np.asarray(total / int(width))
