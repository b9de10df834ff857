"""The common frame grid: resampling by overlap, and quantising before scoring.

Every method answers on time edges of its own: a spectrogram's frames, a detector's strides, the
segments that a perturbation masks. All are brought to the task's grid before anything is
measured, and by one rule: a frame of the grid gets the mean of the method's values over the
frame's duration. That is exact for any edges, finer or coarser, even or uneven.

Conventions
-----------
- Before its first edge and after its last, a method's nearest value is taken to hold.
- A method's own mask is active on the grid where it covers at least half of a frame, the rule by
  which the truth itself is made.
- Scores are *quantised* before they are scored, as they are stored, so that the items file of a
  result recomputes every figure exactly. Ten bits of mantissa remain beside the leading one; the
  zeros behind them compress well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sedbench.errors import SedbenchError
from sedbench.types import BoolArray, FloatArray, FrameGrid, FrameScores

MANTISSA_BITS = 10
"""Stored bits behind the leading one that :func:`quantise` keeps."""

_HALF = 0.5 - 1e-9  # edges such as 0.1 * 3 are not exact, and "at least half" must not hang on that


def _overlap_mean(values: FloatArray, edges: FloatArray, grid: FrameGrid) -> NDArray[np.float64]:
    """Mean of a step function over each frame of the grid, shape (pairs, grid.n_frames)."""
    inner = np.asarray(edges[1:-1], np.float64)
    inner = inner[(inner > 0) & (inner < grid.duration)]
    cuts = np.union1d(inner, grid.edges)
    middles = (cuts[:-1] + cuts[1:]) / 2
    lengths = np.diff(cuts)
    source = np.clip(np.searchsorted(edges, middles, "right") - 1, 0, values.shape[1] - 1)
    starts = np.searchsorted(cuts, grid.edges[:-1])
    pieces = np.asarray(values, np.float64)[:, source]
    # Differences from the frame's first piece: a value that does not change inside a frame comes
    # through unrounded, so ties stay ties and a matching grid is the identity.
    first = pieces[:, starts]
    owner = np.repeat(np.arange(grid.n_frames), np.diff(np.append(starts, len(lengths))))
    change = (pieces - first[:, owner]) * lengths
    return np.asarray(
        first + np.add.reduceat(change, starts, axis=1) / np.add.reduceat(lengths, starts)
    )


def resample(scores: FrameScores, grid: FrameGrid) -> NDArray[np.float64]:
    """Bring frame scores to the grid by overlap-weighted means.

    Parameters
    ----------
    scores : FrameScores
        On any edges, in seconds from the start of the clip.
    grid : FrameGrid

    Returns
    -------
    ndarray of float64, shape (pairs, grid.n_frames)

    Raises
    ------
    SedbenchError
        A score is not finite.
    """
    _check_finite(scores.values)
    return _overlap_mean(scores.values, scores.edges, grid)


def resample_mask(mask: BoolArray, edges: FloatArray, grid: FrameGrid) -> BoolArray:
    """Bring a method's own mask to the grid.

    Parameters
    ----------
    mask : ndarray, shape (pairs, frames), bool
    edges : ndarray, shape (frames + 1,)
        Seconds.
    grid : FrameGrid

    Returns
    -------
    ndarray, shape (pairs, grid.n_frames), bool
        True where the mask covers at least half of the frame.
    """
    checked = FrameScores(np.asarray(mask, np.float64), edges)
    return np.asarray(_overlap_mean(checked.values, checked.edges, grid) >= _HALF)


def quantise(values: ArrayLike) -> NDArray[np.float32]:
    """Round to eleven significant bits, as scores are stored and scored.

    The relative error is at most 2**-11 (0.05 %) for magnitudes from 2**-126 on; smaller ones
    are stored within 2**-149 of their value. Rounding is to nearest, ties to even, it never
    changes the order of two values, and quantising twice changes nothing more.

    Parameters
    ----------
    values : array_like

    Returns
    -------
    ndarray of float32, same shape

    Raises
    ------
    SedbenchError
        A value is not finite, or too large for ``float32``.
    """
    exact = np.asarray(values, np.float64)
    _check_finite(exact)
    mantissa, exponent = np.frexp(exact)
    steps = 2.0 ** (MANTISSA_BITS + 1)
    rounded = np.ldexp(np.rint(mantissa * steps) / steps, exponent) + 0.0  # + 0.0: no negative zero
    if rounded.size and np.abs(rounded).max() > np.finfo(np.float32).max:
        raise SedbenchError(
            f"a frame score of {np.abs(exact).max():.3g} is too large to store",
            "scale the scores: only their order and their ratios matter",
        )
    return np.asarray(rounded, np.float32)


def _check_finite(values: FloatArray) -> None:
    """Refuse NaN and infinities, naming the first row that has one."""
    bad = ~np.isfinite(values)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise SedbenchError(
            f"{int(bad.sum())} frame scores are not finite; the first is {values[where]} at "
            f"(pair, frame) {where}",
            "a method has to answer with finite scores for every pair that it is asked about",
        )
