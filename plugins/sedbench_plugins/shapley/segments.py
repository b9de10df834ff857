"""Segments of time as players: what is absent is replaced by the baseline.

The features are cut into runs of whole frames, ``segment`` seconds each as nearly as frames allow
(the last may be shorter). A mask says which segments are there; the others are those of
the baseline, a constant masker. Masks that were tried are remembered for all classes of the clip.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench_plugins.shapley.network import Logits, fitting, parts

BATCH = 16  # masked clips at once


class Segments:
    """Logits of one clip under masks.

    Parameters
    ----------
    model : Logits
        Of all classes.
    x, base : Tensor, shape (1, bands, frames)
    starts : ndarray, shape (segments,)
        First frame of each.
    """

    def __init__(self, model: Logits, x: Tensor, base: Tensor, starts: NDArray[np.int64]) -> None:
        self.model = model
        self.x, self.base = x, base
        self.count = len(starts)
        lengths = np.diff(np.append(starts, x.shape[-1]))
        self.owner = torch.from_numpy(np.repeat(np.arange(self.count), lengths)).to(x.device)
        self._known: dict[bytes, NDArray[np.float64]] = {}

    def __call__(self, masks: NDArray[Any]) -> NDArray[np.float64]:
        """Logits (masks, classes) under masks (masks, segments): nonzero is there."""
        there = np.asarray(masks) != 0
        new = {row.tobytes(): row for row in there if row.tobytes() not in self._known}
        if new:
            logits = fitting(lambda batch: self._run(np.array(list(new.values())), batch), BATCH)
            self._known.update(zip(new, logits, strict=True))
        return np.array([self._known[row.tobytes()] for row in there])

    @torch.no_grad()
    def _run(self, masks: NDArray[np.bool_], batch: int) -> NDArray[np.float64]:
        out = []
        for part in parts(torch.from_numpy(masks).to(self.x.device), batch):
            out.append(self.model(torch.where(part[:, None, self.owner], self.x, self.base)))
        return np.asarray(torch.cat(out).double().cpu().numpy())


def starts_of(edges: NDArray[np.float64], segment: float) -> NDArray[np.int64]:
    """First frame of each segment, of frames with these edges in seconds."""
    step = max(1, round(segment / float(np.median(np.diff(edges)))))
    return np.arange(0, len(edges) - 1, step, dtype=np.int64)


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
