"""Baseline ``spectral-flux``: where a sound begins, and for how long it is taken to last.

The flux of a frame is what got louder since the frame before: the rise of the compressed magnitude,
bin by bin, falls left out, averaged over bins. Steady noise, however loud, has none. A rise
is then held: it decays with a time constant, so that onsets become events.

It hears no model and knows no class: all classes of a clip get the same scores.

References
----------
.. [1] S. Dixon, "Onset detection revisited", DAFx 2006.
.. [2] S. Böck, G. Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013
   (the compression).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sedbench import hookimpl
from sedbench.types import Answer, Cost, FrameScores, MethodInfo, Param, Query

if TYPE_CHECKING:
    from sedbench.hookspecs import Register
    from sedbench.models.store import ModelHandle

HOP = 0.02  # seconds
COMPRESSION = 100.0  # of magnitudes: what is 40 dB below full scale still counts

INFO = MethodInfo(
    name="spectral-flux",
    summary="what gets louder, bin by bin, held for a while: onsets instead of loudness",
    reference="Dixon, DAFx 2006; compression after Böck & Widmer, DAFx 2013",
    params=(
        Param("hold", 0.5, "time constant of the decay, seconds; 0: none", minimum=0.0),
        Param("window", 0.064, "analysis window, seconds", minimum=0.02, maximum=1.0),
    ),
    kind="baseline",
    needs=frozenset(),  # no model: its answers depend on the clip alone
)


def spectrum(wave: NDArray[np.float32], rate: int, window: float) -> NDArray[np.float64]:
    """Compressed magnitudes of frames of 20 ms.

    Parameters
    ----------
    wave : ndarray, shape (samples,)
    rate : int
        Hz.
    window : float
        Seconds, centred on the frame.

    Returns
    -------
    ndarray, shape (frames, bins)
    """
    hop, size = round(HOP * rate), max(2, round(window * rate))
    frames = max(1, len(wave) // hop)
    left = (size - hop) // 2
    padded = np.pad(wave.astype(np.float64), (max(0, left), size + hop))
    starts = np.arange(frames) * hop + max(0, -left)
    shape = np.hanning(size + 2)[1:-1]
    cut = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    magnitudes = np.abs(np.fft.rfft(cut * shape)) / shape.sum()
    return np.asarray(np.log1p(COMPRESSION * magnitudes))


def flux(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean rise over the bins since the frame before, shape (frames,); the first has none."""
    rise = np.maximum(np.diff(levels, axis=0, prepend=levels[:1]), 0.0)
    return np.asarray(rise.mean(1))


def held(values: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """Let each value decay with a time constant, unless a larger one comes."""
    if seconds <= 0:
        return values
    keep, out, level = np.exp(-HOP / seconds), np.empty_like(values), 0.0
    for frame, value in enumerate(values):
        level = max(float(value), level * keep)
        out[frame] = level
    return out


class SpectralFlux:
    """The method, with its parameters."""

    def __init__(self, hold: float, window: float) -> None:
        self.hold, self.window = hold, window

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Score each clip once, and repeat it for its classes."""
        started = time.perf_counter()
        rate = query.sample_rate
        rows = {
            clip: held(flux(spectrum(query.waveforms[clip], rate, self.window)), self.hold)
            for clip in np.unique(query.pairs[:, 0]).tolist()
        }
        values = np.stack([rows[clip] for clip in query.pairs[:, 0].tolist()])
        edges = np.arange(values.shape[1] + 1) * round(HOP * rate) / rate
        return Answer(
            FrameScores(values.astype(np.float32), edges),
            resolution=max(HOP, self.window),
            cost=Cost(seconds=time.perf_counter() - started),
        )


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Offer the baseline."""
    register(INFO, SpectralFlux)
