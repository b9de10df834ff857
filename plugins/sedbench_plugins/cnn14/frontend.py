"""From a waveform at any rate to CNN14's log-mel spectrogram at 32 kHz, differentiably.

The network was trained on audio at 32 kHz: Hann window of 1024 samples, hop of 320 (10 ms),
64 Slaney mel bands from 50 Hz to 14 kHz, power in decibels (reference 1, nothing below
1e-10). Frames are centred on multiples of the hop, the clip is continued by reflection, so
``n`` samples give ``n // 320 + 1`` frames: 1001 of 10 s.

Audio at another rate is resampled first. Resampling adds nothing: of a clip at 16 kHz, the
bands above 8 kHz (the upper 11 of the 64) hold only the silence of the resampler's stop band,
to which the network, trained on full-band audio, is not used. That is a handicap of every
16 kHz task, not a fault of the model.

References
----------
.. [1] Q. Kong et al., "PANNs: large-scale pretrained audio neural networks for audio pattern
   recognition", IEEE/ACM TASLP 28, 2020, arXiv 1912.10211.
.. [2] J. O. Smith, "Digital audio resampling", CCRMA, Stanford University.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.frontend import mel_matrix

RATE = 32000
WINDOW = 1024
HOP = 320
BANDS = 64
LOW, HIGH = 50.0, 14000.0  # Hz
FLOOR = 1e-10

ZERO_CROSSINGS = 64  # of the sinc, to either side
PASS_BAND = 0.95  # of the smaller Nyquist frequency; where the filter is at -6 dB
BETA = 10.06  # of the Kaiser window: 100 dB


class Resample(nn.Module):
    """Resampling by a rational factor: a windowed sinc, one filter a phase.

    Flat to 0.9 of the smaller Nyquist frequency and 100 dB down from 1.0 on, without delay:
    what sounds at ``t`` seconds does so afterwards. Silence is assumed around the clip.

    Parameters
    ----------
    source, target : int
        Sample rates, Hz.
    """

    filters: Tensor

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        common = gcd(source, target)
        self.up, self.down = target // common, source // common
        self.cutoff = PASS_BAND * min(1.0, self.up / self.down)  # of the input's Nyquist frequency
        self.reach = int(np.ceil(ZERO_CROSSINGS / self.cutoff))  # input samples to either side
        self.register_buffer("filters", self._design(), persistent=False)

    def _design(self) -> Tensor:
        # Output m lies at input time m * down / up; the filter of a phase is centred there.
        taps = np.arange(-self.reach, self.reach + self.down)
        offsets = taps[None, :] - np.arange(self.up)[:, None] * self.down / self.up
        window = np.i0(BETA * np.sqrt(np.maximum(0.0, 1.0 - (offsets / self.reach) ** 2))) / np.i0(
            BETA
        )
        window[np.abs(offsets) > self.reach] = 0.0
        filters = self.cutoff * np.sinc(self.cutoff * offsets) * window
        return torch.from_numpy(filters.astype(np.float32))[:, None, :]

    def length(self, n_samples: int) -> int:
        """Samples that ``n_samples`` become."""
        return n_samples * self.up // self.down

    def forward(self, waveform: Tensor) -> Tensor:
        """Resample (batch, samples) to (batch, samples * up // down)."""
        if self.up == self.down:
            return waveform
        padded = nn.functional.pad(waveform, (self.reach, self.reach + self.down))
        phases = nn.functional.conv1d(padded[:, None], self.filters, stride=self.down)
        out = phases.transpose(1, 2).flatten(1)
        return out[:, : self.length(waveform.shape[-1])]


class LogMelDecibels(nn.Module):
    """CNN14's front end: a waveform at 32 kHz to decibels in 64 mel bands.

    Below the floor the gradient is zero, as in the published network: digital silence tells
    nothing about the samples around it.
    """

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        matrix = mel_matrix(RATE, WINDOW, BANDS, LOW, HIGH).astype(np.float32)
        self.register_buffer("window", torch.hann_window(WINDOW, periodic=True), persistent=False)
        self.register_buffer("filters", torch.from_numpy(matrix), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel of waveforms (batch, samples) as (batch, 64, samples // 320 + 1), in dB."""
        spectrum = torch.stft(
            waveform,
            WINDOW,
            hop_length=HOP,
            window=self.window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return 10.0 * torch.log10(torch.matmul(self.filters, power).clamp_min(FLOOR))


def frames_of(n_samples: int) -> int:
    """Mel frames of a clip of ``n_samples`` samples at 32 kHz."""
    return n_samples // HOP + 1


def mel_edges(n_samples: int, duration: float) -> NDArray[np.float64]:
    """Time edges of the mel frames in seconds.

    Frame ``i`` is centred at ``i * 10 ms`` and stands for the 10 ms around it. The first and
    the last are cut off at the clip's ends.

    Parameters
    ----------
    n_samples : int
        At 32 kHz.
    duration : float
        Of the clip, seconds.
    """
    edges = (np.arange(frames_of(n_samples) + 1, dtype=np.float64) - 0.5) * HOP / RATE
    return np.asarray(np.clip(edges, 0.0, duration))
