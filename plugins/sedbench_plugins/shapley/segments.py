"""Segments of time in a tree, as the Owen values of PartitionExplainer need them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def halves(count: int) -> NDArray[np.float64]:
    """A balanced tree over neighbours, in the form of SciPy's linkage: (count - 1, 4).

    Row ``i`` joins two nodes into node ``count + i``; the third column is the size of what is
    joined, which also orders the joins, the fourth too.
    """
    joins: list[tuple[int, int, int]] = []  # first player, cut, end

    def cut(low: int, high: int) -> None:
        if high - low > 1:
            middle = (low + high) // 2
            joins.append((low, middle, high))
            cut(low, middle)
            cut(middle, high)

    cut(0, count)
    joins.sort(key=lambda join: join[2] - join[0])
    node = {(i, i + 1): i for i in range(count)}
    rows = []
    for i, (low, middle, high) in enumerate(joins):
        node[low, high] = count + i
        rows.append([node[low, middle], node[middle, high], high - low, high - low])
    return np.array(rows, np.float64).reshape(-1, 4)
