"""The source-filter model of voices: a pulsed source through moving resonances.

A glottal source (Rosenberg's pulse, band-limited in a wavetable, with jitter and shimmer) and
breath noise that follows the pulses excite a cascade of resonances, the formants. The cascade
is evaluated a frame at a time on a frequency grid and applied to windowed frames, which lets
every formant move at the cost of one short Fourier transform.

References
----------
Fant, "Acoustic Theory of Speech Production", 1960. Rosenberg, JASA 49, 1971.
Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67, 1980.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.fft import irfft, rfft

from sedbench_plugins.procedural.dsp import (
    RATE,
    Array,
    harmonics_below,
    phase_of,
    play,
    unit,
    wander,
)

HOP: Final = 256
"""Samples between two frames of control data (8 ms)."""
_WINDOW: Final = 2 * HOP
_FFT: Final = 4 * HOP
FREQUENCIES: Final = np.arange(_FFT // 2 + 1) * (RATE / _FFT)


def n_control(n: int) -> int:
    """Give the number of control frames of a signal of ``n`` samples."""
    return -(-n // HOP) + 1


def control_times(n: int) -> Array:
    """Time of each control frame in seconds, shape (n_control(n),)."""
    return np.arange(n_control(n)) * (HOP / RATE)


def to_samples(control: Array, n: int) -> Array:
    """Give a control curve at sample rate."""
    return np.interp(np.arange(n), np.arange(len(control)) * float(HOP), control)


def filter_frames(x: Array, response: Array) -> Array:
    """Filter ``x`` with one frequency response a control frame.

    Parameters
    ----------
    x : ndarray, shape (samples,)
    response : ndarray, shape (n_control(samples), 513), real or complex
        On :data:`FREQUENCIES`.
    """
    frames = n_control(len(x))
    padded = np.zeros((frames + 1) * HOP)
    padded[HOP : HOP + len(x)] = x
    blocks = padded.reshape(-1, HOP)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW)
    windowed = np.concatenate([blocks[:-1], blocks[1:]], axis=1) * window
    out = irfft(rfft(windowed, _FFT, axis=1) * response[:frames], _FFT, axis=1)
    parts = out.reshape(frames, _FFT // HOP, HOP)
    total = np.zeros((frames + _FFT // HOP, HOP))
    for j in range(_FFT // HOP):
        total[j : j + frames] += parts[:, j]
    return np.asarray(total.reshape(-1)[HOP : HOP + len(x)])


def cascade(formants: Array, bandwidths: Array, spacing: float) -> Array:
    """Frequency response of a cascade of resonances, unit gain at 0 Hz.

    Parameters
    ----------
    formants : ndarray, shape (frames, k), Hz
    bandwidths : ndarray, shape (k,), Hz
    spacing : float
        Distance in Hz of the fixed resonances that stand above the moving ones, so that the
        spectrum does not fall away (Klatt's higher-pole correction).
    """
    f = FREQUENCIES
    result = np.ones((len(formants), len(f)), dtype=complex)
    for k, bandwidth in enumerate(bandwidths):
        centre = formants[:, k : k + 1]
        result *= 1.0 - (f / centre) ** 2 + 1j * f * bandwidth / centre**2
    top = float(np.median(formants[:, -1]))
    upper = np.ones(len(f), dtype=complex)
    for fixed in np.arange(top + spacing, RATE / 2 + spacing, spacing):
        upper *= 1.0 - (f / fixed) ** 2 + 1j * f * 0.09 / fixed
    return np.asarray(1.0 / (result * upper))


def glottal_table(open_quotient: float, tilt_db: float, f0_max: float) -> Array:
    """Give one period of the derivative of Rosenberg's glottal pulse, band-limited.

    Parameters
    ----------
    open_quotient : float
        Share of the period during which the glottis is open, 0.3 (pressed) to 0.9 (breathy).
    tilt_db : float
        Extra fall of the spectrum in dB per octave above 500 Hz.
    f0_max : float
        Highest f0 that the table will be played at.
    """
    size = 2048
    x = np.arange(size) / size
    rise, fall = 0.65 * open_quotient, 0.35 * open_quotient
    flow = np.where(
        x < rise,
        0.5 - 0.5 * np.cos(np.pi * x / rise),
        np.where(x < rise + fall, np.cos(0.5 * np.pi * (x - rise) / fall), 0.0),
    )
    spectrum = np.asarray(rfft(np.diff(flow, append=flow[0])))
    harmonics = np.arange(len(spectrum))
    octaves = np.log2(np.maximum(harmonics * f0_max / 500.0, 1.0))
    spectrum *= 10.0 ** (-tilt_db * octaves / 20.0)
    spectrum[harmonics_below(f0_max) + 1 :] = 0.0
    spectrum[0] = 0.0
    return unit(irfft(spectrum, size))


def source(
    rng: np.random.Generator,
    f0: Array,
    table: Array,
    breath: Array | float,
    *,
    jitter: float = 0.01,
    shimmer: float = 0.08,
) -> Array:
    """Synthesise a voiced source with breath.

    Parameters
    ----------
    rng : numpy.random.Generator
    f0 : ndarray, shape (samples,), Hz
    table : ndarray
        From :func:`glottal_table`.
    breath : float or ndarray
        Level of the noise beside the unit-level pulses.
    jitter, shimmer : float
        Relative standard deviation of the fast random changes of period and amplitude.
    """
    n = len(f0)
    fast = float(np.clip(np.median(f0) * 0.5, 40.0, 300.0))
    shaken = f0 * np.exp(jitter * wander(rng, n, fast))
    phase = phase_of(shaken, n, rng.random())
    pulses = play(table, phase) * np.exp(shimmer * wander(rng, n, fast))
    air = rng.standard_normal(n) * (0.6 + 0.4 * np.cos(2 * np.pi * phase))
    return np.asarray(pulses + breath * air)
