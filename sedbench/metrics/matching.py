"""The largest matching of two kinds of things, given which pairs may be matched.

Nearly all pairs of events are alone: neither of the two could be matched otherwise. Those are taken
at once, and the search for augmenting paths runs over the few that are left.

References
----------
H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly
2(1-2), 1955; C. Berge, "Two theorems in graph theory", PNAS 43(9), 1957 (augmenting paths).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def largest_matching(left: Ints, right: Ints) -> Ints:
    """Choose as many pairs as possible of which no two share a side.

    Parameters
    ----------
    left, right : ndarray, shape (pairs,), int64
        Numbers from 0; every pair once.

    Returns
    -------
    ndarray, shape (chosen,), int64
        Rows of the chosen pairs, rising.
    """
    if not left.size:
        return np.zeros(0, np.int64)
    alone = (np.bincount(left)[left] == 1) & (np.bincount(right)[right] == 1)
    rest = np.flatnonzero(~alone)
    chosen = [np.flatnonzero(alone), rest[_augment(left[rest], right[rest])]]
    return np.sort(np.concatenate(chosen))


def _augment(left: Ints, right: Ints) -> Ints:
    """The same by augmenting paths, breadth first."""
    options: dict[int, list[int]] = {}  # rows of the pairs of each on the left
    for row, one in enumerate(left.tolist()):
        options.setdefault(one, []).append(row)
    other, partner = right.tolist(), left.tolist()
    taken: dict[int, int] = {}  # on the right -> the row that takes it
    for start in options:
        came: dict[int, int] = {}  # on the right -> the row by which the search came there
        waiting = [start]
        end = -1
        while waiting and end < 0:
            for row in options[waiting.pop(0)]:
                there = other[row]
                if there in came:
                    continue
                came[there] = row
                if there not in taken:
                    end = there
                    break
                waiting.append(partner[taken[there]])
        while end >= 0:  # turn the path around: what was taken on it is free for the next
            row = came[end]
            before = next((r for r in options[partner[row]] if taken.get(other[r]) == r), None)
            taken[end] = row
            end = -1 if before is None else other[before]
    return np.array(sorted(taken.values()), np.int64)
