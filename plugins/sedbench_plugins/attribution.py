"""What families of attributions share: pairs clip by clip, and cells to frame scores.

An attribution gives a value to every cell of its input: a (band, frame) of the features, or a
sample of the waveform. Frame scores are the mean over the cells of a frame, of which the sign
decides what counts: ``abs`` (evidence for and against), ``positive`` (evidence for) or
``signed``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from sedbench.types import Param, Query

SIGN = Param("sign", "abs", "what is averaged over a frame", ("abs", "positive", "signed"))


def by_clip(query: Query) -> Iterator[tuple[int, list[int]]]:
    """Each clip with its target classes, in the order of the pairs."""
    for clip in np.unique(query.pairs[:, 0]).tolist():
        yield clip, query.pairs[query.pairs[:, 0] == clip, 1].tolist()


def signed(cells: NDArray[np.floating], sign: str) -> NDArray[np.float64]:
    """The part of each cell that counts."""
    values = np.asarray(cells, np.float64)
    if sign == "abs":
        return np.abs(values)
    return np.maximum(values, 0.0) if sign == "positive" else values


def feature_frames(cells: NDArray[np.floating], sign: str) -> NDArray[np.float64]:
    """Mean over the bands of (targets, bands, frames): (targets, frames)."""
    return np.asarray(signed(cells, sign).mean(-2))


def sample_frames(
    cells: NDArray[np.floating], sign: str, edges: NDArray[np.float64], sample_rate: int
) -> NDArray[np.float64]:
    """Mean over the samples between time edges of (targets, samples): (targets, frames)."""
    marks = np.round(edges * sample_rate).astype(int)
    values = signed(cells, sign)
    total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    return np.asarray(np.diff(total[:, marks], axis=1) / np.diff(marks))


def in_parts(total: int, size: int, work: Callable[[int, int], None]) -> None:
    """Do ``work(start, stop)`` over all of ``total``, at most ``size`` at once.

    Where a GPU runs out of memory, half as many are tried from there on, with a warning.
    ``work`` must change nothing before it is sure to succeed.

    Parameters
    ----------
    total, size : int
    work : callable
    """
    from torch import OutOfMemoryError

    start = 0
    while start < total:
        stop = min(start + size, total)
        try:
            work(start, stop)
        except OutOfMemoryError:
            if stop - start == 1:
                raise
        else:
            start = stop
            continue
        # Outside the handler, whose traceback holds on to what filled the memory.
        size = (stop - start) // 2
        warnings.warn(f"out of memory: going on with {size} at once", RuntimeWarning, stacklevel=2)
