"""YAMNet's front end: waveform to log-mel frames of 10 ms, differentiable.

16 kHz; windows of 25 ms (400 samples, periodic Hann) every 10 ms, FFT of 512; the MAGNITUDE of
each bin through 64 triangular filters from 125 to 7,500 Hz, equally spaced on the HTK mel scale
``1127 ln(1 + f / 700)`` and linear in mel; ``ln(mel + 0.001)``. The offset is an absolute level:
the network hears how loud a clip is, and digital silence is -6.9 in every band.

Log-mel frame ``i`` is the window of samples ``[160 i, 160 i + 400)``, centred at
``12.5 + 10 i`` ms; it stands for the 10 ms around its centre. Windows that begin before the end
are completed with silence, so that every sample is heard: 10 s give 1,000 frames.

References
----------
.. [1] M. Plakal, D. Ellis, "YAMNet", in the TensorFlow model garden, 2019 (Apache-2.0).
.. [2] S. Young et al., "The HTK Book", Cambridge University, 2006: the mel scale.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

RATE = 16000  # Hz
WINDOW, HOP, N_FFT = 400, 160, 512  # samples
BANDS = 64
LOW, HIGH = 125.0, 7500.0  # Hz
OFFSET = 0.001
SILENCE = math.log(OFFSET)
STEP = HOP / RATE  # seconds
CENTRE = WINDOW / 2 / RATE  # seconds: the middle of the first window


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """HTK's mel scale."""
    return np.asarray(1127.0 * np.log1p(hz / 700.0))


def mel_matrix() -> NDArray[np.float64]:
    """Triangular filters of unit height on the mel axis, shape (64, 257).

    The bin at 0 Hz has no weight, as published.
    """
    first, last = hz_to_mel(np.array([LOW, HIGH])).tolist()
    points = np.linspace(first, last, BANDS + 2)
    bins = hz_to_mel(np.linspace(0.0, RATE / 2, N_FFT // 2 + 1))
    rising = (bins[None, :] - points[:-2, None]) / np.diff(points)[:-1, None]
    falling = (points[2:, None] - bins[None, :]) / np.diff(points)[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters[:, 0] = 0.0
    return np.asarray(filters)


def n_frames(n_samples: int) -> int:
    """Number of log-mel frames of so many samples at 16 kHz."""
    return max(1, -(-n_samples // HOP))


class YamnetLogMel(nn.Module):
    """Waveform (batch, samples) at 16 kHz to log-mel (batch, 64, frames)."""

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        # The published FFT takes the window first and zeros behind it; torch would centre it.
        window = nn.functional.pad(torch.hann_window(WINDOW, periodic=True), (0, N_FFT - WINDOW))
        self.register_buffer("window", window, persistent=False)
        self.register_buffer(
            "filters", torch.from_numpy(mel_matrix().astype(np.float32)), persistent=False
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel of waveforms (batch, samples)."""
        frames = n_frames(waveform.shape[-1])
        missing = (frames - 1) * HOP + N_FFT - waveform.shape[-1]
        spectrum = torch.stft(
            nn.functional.pad(waveform, (0, missing)),
            N_FFT,
            hop_length=HOP,
            window=self.window,
            center=False,
            return_complex=True,
        )
        return torch.log(torch.matmul(self.filters, spectrum.abs()) + OFFSET)

    def edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the frames in seconds, of so many samples at 16 kHz."""
        return np.asarray(
            CENTRE - STEP / 2 + STEP * np.arange(n_frames(n_samples) + 1, dtype=np.float64)
        )


class Resample(nn.Module):
    """Waveforms of another sample rate to 16 kHz: a windowed sinc, differentiable.

    Parameters
    ----------
    rate : int
        Hz. At 16 kHz nothing is done.

    Notes
    -----
    A bank of ``16000 / gcd`` filters, one a phase, each a sinc cut off at 97 % of the lower Nyquist
    frequency under a Kaiser window (beta 12) over 32 of its zero crossings a side: ripple below
    0.01 dB, images below -90 dB, half amplitude at the cut-off.
    """

    kernel: Tensor

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate
        common = math.gcd(rate, RATE)
        self.before, self.after = rate // common, RATE // common
        cutoff = 0.97 * min(1.0, RATE / rate)  # of the input's Nyquist frequency
        self.reach = math.ceil(32 / cutoff)
        taps = np.arange(-self.reach, self.reach + self.before + 1, dtype=np.float64)
        phases = np.arange(self.after)[:, None] * (self.before / self.after)
        at = taps[None, :] - phases
        inside = np.clip(1 - (at * cutoff / 32) ** 2, 0.0, None)
        kernel = cutoff * np.sinc(at * cutoff) * np.i0(12.0 * np.sqrt(inside)) / np.i0(12.0)
        kernel[np.abs(at * cutoff) > 32] = 0.0
        self.register_buffer(
            "kernel", torch.from_numpy(kernel[:, None].astype(np.float32)), persistent=False
        )

    def length(self, n_samples: int) -> int:
        """Number of samples at 16 kHz."""
        return -(-n_samples * self.after // self.before)

    def forward(self, waveform: Tensor) -> Tensor:
        """Resample (batch, samples)."""
        if self.rate == RATE:
            return waveform
        padded = nn.functional.pad(waveform, (self.reach, self.reach + self.before))
        phases = nn.functional.conv1d(padded[:, None], self.kernel, stride=self.before)
        return phases.transpose(1, 2).flatten(1)[:, : self.length(waveform.shape[-1])]
