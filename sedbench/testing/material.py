"""What a method is asked about: noise with bursts in it, silence, one frame, three seconds, thirty.

Sounds are made from a seed by generators of their own; nothing reads or sets a global one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sedbench.models.store import ModelHandle
from sedbench.types import FrameGrid, Query

GRID = 0.1  # seconds a frame of the grid
SOFT, LOUD = 1e-4, 0.5  # amplitude of the background, and of what is to be heard
BURST = 0.03  # seconds


def bursts(rate: int, seconds: float, times: Sequence[float], seed: int = 0) -> NDArray[np.float32]:
    """Soft noise with a short loud noise centred on each of some times, shape (samples,)."""
    rng = np.random.default_rng(seed)
    wave = SOFT * rng.standard_normal(round(seconds * rate))
    half = max(1, round(BURST * rate / 2))
    for time in times:
        middle = round(time * rate)
        part = wave[max(0, middle - half) : middle + half]
        part += LOUD * rng.uniform(-1, 1, len(part))
    return np.clip(wave, -1, 1).astype(np.float32)


def query(
    waveforms: NDArray[np.float32],
    model: ModelHandle,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    seed: int = 0,
    truth: bool = False,
    names: Sequence[str] | None = None,
) -> Query:
    """Ask about clips.

    Parameters
    ----------
    waveforms : ndarray, shape (clips, samples)
    model : ModelHandle
        Whose classes and sample rate they are.
    pairs : sequence of (int, int), optional
        Clip and class; every class of every clip unless given.
    seed : int
    truth : bool
        Whether the method is told: the frames that are louder than the background.
    names : sequence of str, optional
        Of the clips.
    """
    clips, samples = waveforms.shape
    if pairs is None:
        pairs = [(clip, label) for clip in range(clips) for label in range(len(model.classes))]
    table = np.array(pairs, np.int64).reshape(-1, 2)
    grid = FrameGrid(samples / model.sample_rate, min(GRID, samples / model.sample_rate))
    told = _loud(waveforms, model.sample_rate, grid)[table[:, 0]] if truth else None
    return Query(
        tuple(names if names is not None else (f"test-{clip:04d}" for clip in range(clips))),
        waveforms,
        model.sample_rate,
        table,
        tuple(model.classes),
        grid,
        seed,
        told,
    )


def _loud(waveforms: NDArray[np.float32], rate: int, grid: FrameGrid) -> NDArray[np.bool_]:
    marks = np.round(grid.edges * rate).astype(int)
    parts = [waveforms[:, a:b] for a, b in pairwise(marks)]
    return np.stack([np.abs(part).max(1) > 100 * SOFT for part in parts], 1)
