"""Every event that some threshold detects: the stretches of a score curve.

As the threshold falls, a stretch of detected frames appears at a peak, grows, and is swallowed
where it merges with its neighbour. A frame is the lowest of at most one stretch: the one that
reaches from it to the next lower frame on either side. So a curve of T frames has at most T
stretches over *all* thresholds, and each exists for one range of them::

        ┌──┐
     ┌──┘  │  ┌──┐     the peak; with it the shoulder; the hill;
     │     └──┘  │     peak and hill as one, once the threshold
    ─┘           └─    is below the valley; the whole curve

That is what makes exact sweeps over all thresholds cheap: what a metric needs is computed once a
stretch, not once a threshold.

References
----------
J. Ebbers, R. Serizel and R. Haeb-Umbach, "Threshold-independent evaluation of sound event detection
scores", ICASSP 2022, sum the changes that each clip's scores cause. Here the changes are those of
the tree of stretches, whose nodes NumPy finds for all clips together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Stretches:
    """Stretches of one class over all clips.

    Attributes
    ----------
    first, stop : ndarray, shape (stretches,), int64
        Its first frame and the one after its last, of the clips end to end.
    level : ndarray, shape (stretches,), float64
        Its lowest score: it is detected by thresholds below.
    until : ndarray, shape (stretches,), float64
        The higher of the scores beside it, ``until < level``: a threshold below that detects a
        longer stretch instead. Minus infinity where the clip ends on both sides.
    """

    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    level: NDArray[np.float64]
    until: NDArray[np.float64]


def stretches(values: NDArray[np.float64], starts: NDArray[np.int64]) -> Stretches:
    """Find the stretches of one class.

    Parameters
    ----------
    values : ndarray, shape (frames of all clips,)
        Finite scores of one class.
    starts : ndarray, shape (clips + 1,), int64
        The first frame of each clip, and the number of frames.

    Returns
    -------
    Stretches
    """
    clips = len(starts) - 1
    clip = np.repeat(np.arange(clips), np.diff(starts))
    at = np.arange(len(values)) + clip + 1
    # A wall of minus infinity before each clip and behind the last.
    walled = np.full(len(values) + clips + 1, -np.inf)
    walled[at] = values
    steps = int(np.diff(starts).max()).bit_length()
    left = _nearest(walled, at, steps, equal=True)
    right = len(walled) - 1 - _nearest(walled[::-1], len(walled) - 1 - at, steps, equal=False)
    # Of frames that are the lowest of one stretch together, the first stands for it.
    own = walled[left] < values
    left, right, clip = left[own], right[own], clip[own]
    return Stretches(
        left - clip,  # behind `left`, and its clip and those before have a wall each
        right - clip - 1,
        values[own],
        np.maximum(walled[left], walled[right]),
    )


def _nearest(
    walled: NDArray[np.float64], at: NDArray[np.int64], steps: int, equal: bool
) -> NDArray[np.int64]:
    """The nearest place before each that is lower (or equal), by steps of halving length."""
    lowest = [walled]  # over 1, 2, 4 ... places up to and with each
    for power in range(steps - 1):
        longer = lowest[-1].copy()
        width = 1 << power
        np.minimum(longer[width:], lowest[-1][:-width], out=longer[width:])
        lowest.append(longer)
    own = walled[at]
    place = at - 1
    for power in range(steps - 1, -1, -1):
        # A window that begins before the array holds the first wall: its minimum stops the step.
        window = lowest[power][place]
        place = np.where(window > own if equal else window >= own, place - (1 << power), place)
    return place
