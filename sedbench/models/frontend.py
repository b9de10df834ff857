"""Log-mel spectrogram as a differentiable module: ``torch.stft`` and a mel matrix.

Mel scale after Slaney (linear below 1 kHz, logarithmic above), triangular filters of unit
area, natural logarithm of power with a floor.

References
----------
.. [1] M. Slaney, "Auditory Toolbox", Technical Report 1998-010, Interval Research, 1998.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_LINEAR_HZ = 200.0 / 3.0  # Hz a mel below the break
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale; Hz to mel."""
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, above)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale; mel to Hz."""
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, above)


def mel_matrix(
    sample_rate: int, n_fft: int, bands: int, low: float, high: float
) -> NDArray[np.float64]:
    """Triangular mel filters.

    Parameters
    ----------
    sample_rate, n_fft, bands : int
    low, high : float
        Hz.

    Returns
    -------
    ndarray, shape (bands, n_fft // 2 + 1)
    """
    first, last = hz_to_mel(np.array([low, high], dtype=np.float64)).tolist()
    points = mel_to_hz(np.linspace(first, last, bands + 2))
    bins = np.linspace(0.0, sample_rate / 2.0, n_fft // 2 + 1)
    rising = (bins[None, :] - points[:-2, None]) / np.diff(points)[:-1, None]
    falling = (points[2:, None] - bins[None, :]) / np.diff(points)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (points[2:] - points[:-2]))[:, None])


class LogMel(nn.Module):
    """Waveform to log-mel spectrogram.

    Parameters
    ----------
    sample_rate : int
    window, hop : int
        Samples.
    bands : int
    low, high : float
        Hz.
    floor : float
        Added to the mel power before the logarithm.

    Notes
    -----
    Frames are centred on multiples of ``hop`` starting at half a hop, so that frame ``i``
    stands for ``[i * hop, (i + 1) * hop)`` and ``n`` samples give ``n // hop`` frames.
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        sample_rate: int,
        *,
        window: int = 1024,
        hop: int = 400,
        bands: int = 64,
        low: float = 50.0,
        high: float = 8000.0,
        floor: float = 1e-8,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.n_fft = window
        self.hop = hop
        self.floor = floor
        high = min(high, sample_rate / 2)
        matrix = mel_matrix(sample_rate, window, bands, low, high)
        self.register_buffer("window", torch.hann_window(window, periodic=True), persistent=False)
        self.register_buffer(
            "filters", torch.from_numpy(matrix.astype(np.float32)), persistent=False
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel of waveforms (batch, samples) as (batch, bands, samples // hop)."""
        frames = waveform.shape[-1] // self.hop
        left = self.n_fft // 2 - self.hop // 2
        right = max(0, (frames - 1) * self.hop + self.n_fft - left - waveform.shape[-1])
        padded = nn.functional.pad(waveform, (left, right))
        spectrum = torch.stft(
            padded,
            self.n_fft,
            hop_length=self.hop,
            window=self.window,
            center=False,
            return_complex=True,
        )[..., :frames]
        power = spectrum.real.square() + spectrum.imag.square()
        # Divided by the window's energy: white noise has one level in a bin, whatever the window.
        power = power / self.window.square().sum()
        return torch.log(torch.matmul(self.filters, power) + self.floor)

    def edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the frames in seconds."""
        return np.asarray(
            np.arange(n_samples // self.hop + 1, dtype=np.float64) * self.hop / self.sample_rate
        )
