"""How much of an interval is covered by others, for very many intervals at once.

Intervals are given by *group* (a clip, or a clip and a class): those of one group do not overlap,
and groups have nothing to do with each other. What lies before a time is then one look-up and one
subtraction, so that the intersection of an interval with all others of its group costs as much as
that with one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Groups = NDArray[np.int64]


class Coverage:
    """Seconds that a set of intervals covers before any time of their group.

    Parameters
    ----------
    group : ndarray, shape (intervals,), int64
    onset, offset : ndarray, shape (intervals,)
        Sorted by group and onset; intervals of one group do not overlap.
    """

    def __init__(self, group: Groups, onset: Times, offset: Times) -> None:
        self._group, self._onset = group, onset
        self._length = offset - onset
        # Groups stand one after the other on one axis, which only finds the interval: seconds are
        # subtracted within the group, so that no precision is lost.
        self._span = float(offset.max(initial=0.0)) + 1.0
        self._key = group * self._span + onset
        before = np.cumsum(self._length) - self._length
        first = np.searchsorted(group, group)  # of the same group
        self._before = before - before[first]

    def before(self, group: Groups, time: Times) -> Times:
        """Seconds covered before a time of a group; both of one shape."""
        if not self._key.size:
            return np.zeros(np.shape(time))
        key = group * self._span + np.minimum(time, self._span - 0.5)
        last = np.searchsorted(self._key, key, "right") - 1
        at = np.maximum(last, 0)
        inside = np.clip(time - self._onset[at], 0.0, self._length[at]) + self._before[at]
        return np.where((last >= 0) & (self._group[at] == group), inside, 0.0)

    def within(self, group: Groups, onset: Times, offset: Times) -> Times:
        """Seconds of intervals of a group that are covered."""
        return self.before(group, offset) - self.before(group, onset)


def micro(seconds: Times) -> Times:
    """Seconds as whole microseconds.

    Shares of durations are compared on this grid: 0.7 s of 1 s *is* 70 %, whatever binary
    fractions say.
    """
    return np.rint(seconds * 1e6)


def pairs(low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[Groups, Groups]:
    """Every (i, j) with ``low[i] <= j < high[i]``, sorted by i and then j."""
    number = np.maximum(high - low, 0)
    left = np.repeat(np.arange(len(low)), number)
    right = np.arange(len(left)) - np.repeat(np.cumsum(number) - number - low, number)
    return left, right
