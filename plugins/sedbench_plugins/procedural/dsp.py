"""Building blocks of the synthesis: noises, control curves, oscillators and envelopes.

Conventions: signals are float64, shape (samples,), at :data:`RATE` Hz; levels are linear
unless a name ends in ``_db``; frequencies are in Hz. Everything random takes a generator.
Spectra are shaped in the Fourier domain: a curve through a few (Hz, dB) points is the
clearest way to say how a noise sounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

Array = NDArray[np.floating[Any]]
Points = Sequence[tuple[float, float]]

RATE: Final = 32000
"""Native sample rate of the synthesis in Hz."""


def seconds(n: int) -> Array:
    """Time of each sample, shape (n,)."""
    return np.arange(n) / RATE


def decibels(level_db: float) -> float:
    """Linear amplitude of a level in dB."""
    return float(10.0 ** (level_db / 20.0))


def unit(x: Array) -> Array:
    """Scaled to a root mean square of one; silence stays silence."""
    rms = float(np.sqrt(np.mean(x**2)))
    return x / rms if rms > 0 else x


def curve_gain(frequencies: Array, points: Points) -> Array:
    """Linear gain at ``frequencies``: straight lines in dB over log frequency."""
    hz, level_db = np.array(sorted(points)).T
    gain_db = np.interp(np.log(np.maximum(frequencies, 1.0)), np.log(hz), level_db)
    return np.asarray(10.0 ** (gain_db / 20.0))


def noise(rng: np.random.Generator, n: int, points: Points) -> Array:
    """Stationary Gaussian noise whose spectrum follows ``points`` (Hz, dB); unit level."""
    size = int(next_fast_len(n, real=True))
    bins = size // 2 + 1
    spectrum = rng.standard_normal(bins) + 1j * rng.standard_normal(bins)
    spectrum *= curve_gain(np.arange(bins) * (RATE / size), points)
    spectrum[0] = 0.0
    return unit(irfft(spectrum, size)[:n])


def shape(x: Array, points: Points) -> Array:
    """``x`` filtered without delay by the gain curve through ``points``."""
    size = int(next_fast_len(len(x) + 512, real=True))
    gain = curve_gain(np.arange(size // 2 + 1) * (RATE / size), points)
    return np.asarray(irfft(rfft(x, size) * gain, size)[: len(x)])


def wander(rng: np.random.Generator, n: int, rate: float) -> Array:
    """Draw a slow random curve of about unit variance that turns ``rate`` times a second."""
    knots = int(np.ceil(n / RATE * rate)) + 4
    values = rng.standard_normal(knots) * 1.3
    position = rng.random() + np.arange(0, n + 64, 64) * (rate / RATE)
    cell = np.minimum(position.astype(int), knots - 3)
    x = position - cell
    # A uniform cubic B-spline: smooth, and never outside its knots.
    coarse = (
        (1 - x) ** 3 * values[cell]
        + (3 * x**3 - 6 * x**2 + 4) * values[np.minimum(cell + 1, knots - 1)]
        + (-3 * x**3 + 3 * x**2 + 3 * x + 1) * values[np.minimum(cell + 2, knots - 1)]
        + x**3 * values[np.minimum(cell + 3, knots - 1)]
    ) / 6
    return np.asarray(np.interp(np.arange(n), np.arange(len(coarse)) * 64.0, coarse))


def track(n: int, at: Sequence[float], values: Sequence[float]) -> Array:
    """Give a curve through ``values`` at the times ``at`` (seconds), straight in between."""
    return np.asarray(np.interp(seconds(n), np.asarray(at), np.asarray(values)))


def phase_of(frequency: Array | float, n: int, start: float = 0.0) -> Array:
    """Phase in cycles of an oscillator with a (varying) frequency."""
    steps = np.broadcast_to(np.asarray(frequency, dtype=float) / RATE, (n,))
    return start + np.cumsum(steps)


def wavetable(amplitudes: Array, phases: Array | None = None, size: int = 2048) -> Array:
    """One period of harmonics ``1, 2, ...`` with these amplitudes, unit level."""
    spectrum = np.zeros(size // 2 + 1, dtype=complex)
    count = min(len(amplitudes), size // 2 - 1)
    angle = np.zeros(count) if phases is None else phases[:count]
    spectrum[1 : count + 1] = amplitudes[:count] * np.exp(1j * angle)
    return unit(irfft(spectrum, size))


def play(table: Array, phase: Array) -> Array:
    """Read a wavetable at ``phase`` (cycles), with linear interpolation."""
    position = (phase % 1.0) * len(table)
    cell = position.astype(np.int64)
    cell[cell == len(table)] = 0
    extended = np.append(table, table[0])
    part = position - cell
    return np.asarray(extended[cell] * (1.0 - part) + extended[cell + 1] * part)


def harmonics_below(f0: float, top: float = 15000.0) -> int:
    """How many harmonics of ``f0`` fit below ``top``."""
    return max(1, int(top / f0))


def ramps(n: int, attack: float, release: float) -> Array:
    """Give a gate of ``n`` samples with raised-cosine ramps of these lengths in seconds."""
    gate = np.ones(n)
    rise, fall = (min(n // 2, round(s * RATE)) for s in (attack, release))
    if rise:
        gate[:rise] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / rise)
    if fall:
        gate[n - fall :] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fall) + 0.5) / fall)
    return gate


def add_at(y: Array, start: int, grain: Array, gain: float = 1.0) -> None:
    """Add ``gain * grain`` to ``y`` from sample ``start``; what sticks out is cut."""
    if start < 0:
        grain, start = grain[-start:], 0
    room = len(y) - start
    if room > 0 and len(grain):
        y[start : start + len(grain)] += gain * grain[:room]


def modes(frequencies: Array, decays: Array, amplitudes: Array, phases: Array) -> Array:
    """Impulse response of damped modes.

    Parameters
    ----------
    frequencies : ndarray, shape (modes,), Hz
    decays : ndarray, shape (modes,)
        Time in seconds in which a mode falls by 60 dB.
    amplitudes, phases : ndarray, shape (modes,)
    """
    length = int(min(1.6, float(decays.max()) * 0.8) * RATE) + 64
    poles = 2j * np.pi * frequencies - np.log(1000.0) / decays
    # Outer product of coarse and fine time steps: far fewer exponentials than modes x samples.
    block = 256
    coarse = np.exp(poles[:, None] * (np.arange(-(-length // block)) * (block / RATE)))
    fine = np.exp(poles[:, None] * (np.arange(block) / RATE))
    weights = amplitudes * np.exp(1j * phases)
    response = np.real(np.einsum("m,mc,mf->cf", weights, coarse, fine, optimize=True))
    return np.asarray(response.reshape(-1)[:length])


def scatter(rng: np.random.Generator, n: int, rate: Array | float) -> NDArray[np.int64]:
    """Sample positions of a Poisson process with a (varying) rate in events per second."""
    local = np.broadcast_to(np.asarray(rate, dtype=float), (n,))
    expected = np.cumsum(local) / RATE
    count = rng.poisson(expected[-1])
    return np.sort(np.searchsorted(expected, rng.random(count) * expected[-1])).astype(np.int64)
