"""From a synthesised sound to a recording: device, room, edges, level.

What a class's model gives is heard through a recording chain: the tilt, band limits and bumps
of a device or microphone, the reflections of a room, a trace of noise, and a level that says
nothing about the class.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from sedbench_plugins.procedural.draws import Draws
from sedbench_plugins.procedural.dsp import RATE, Array, decibels, noise, ramps


def room(rng: np.random.Generator, reverberation: float, direct_db: float) -> Array:
    """Draw an impulse response: the direct sound and exponentially decaying reflections.

    Parameters
    ----------
    rng : numpy.random.Generator
    reverberation : float
        Time in seconds in which the reflections fall by 60 dB.
    direct_db : float
        Energy of the direct sound over that of the reflections.
    """
    n = int(min(reverberation, 0.7) * 0.8 * RATE)
    t = np.arange(n) / RATE
    tail = rng.standard_normal(n) * np.exp(-6.9 * t / reverberation)
    # The first reflections come one by one, the later ones merge: density grows with time.
    tail *= rng.random(n) < np.minimum(0.002 + (t / 0.05) ** 2, 1.0)
    tail *= np.minimum(t / 0.002, 1.0)
    smooth = np.exp(-np.arange(24) / float(rng.uniform(2.0, 7.0)))
    tail = np.convolve(tail, smooth)[:n]
    tail *= decibels(-direct_db) / max(float(np.sqrt(np.sum(tail**2))), 1e-9)
    tail[0] = 1.0
    return np.asarray(tail)


def record(d: Draws, x: Array, *, indoors: bool) -> Array:
    """Make the recording of a sound ``x``; same length, peak between 0.1 and 0.9.

    The device (tilt, band limits, bumps) and the room belong to the group.
    """
    rng = d.group
    n = len(x)
    tilt = float(rng.uniform(-2.0, 2.0))
    low_cut = float(np.exp(rng.uniform(np.log(25.0), np.log(140.0))))
    high_cut = float(np.exp(rng.uniform(np.log(6500.0), np.log(16000.0))))
    bumps = np.exp(rng.uniform(np.log(100.0), np.log(9000.0), 5))
    heights, widths = rng.normal(0.0, 2.5, 5), rng.uniform(0.15, 0.6, 5)
    response = room(rng, float(np.exp(rng.uniform(np.log(0.12), np.log(0.6)))), rng.uniform(2, 16))

    size = int(next_fast_len(n + (len(response) if indoors else 2048), real=True))
    f = np.maximum(np.arange(size // 2 + 1) * (RATE / size), 1.0)
    octave = np.log2(f)
    gain_db = tilt * (octave - np.log2(1000.0))
    for centre, height, width in zip(np.log2(bumps), heights, widths, strict=True):
        gain_db = gain_db + height * np.exp(-0.5 * ((octave - centre) / width) ** 2)
    gain = 10.0 ** (np.clip(gain_db, -24, 24) / 20.0)
    gain /= np.sqrt((1.0 + (low_cut / f) ** 4) * (1.0 + (f / high_cut) ** 6))
    spectrum = rfft(x, size) * gain
    if indoors:
        spectrum *= rfft(response, size)
    y = irfft(spectrum, size)[:n]
    y = y / max(float(np.abs(y).max()), 1e-9)
    floor_db = d.uniform(-72.0, -52.0)
    y = y + decibels(floor_db) * noise(d.own, n, [(30, 6), (300, 0), (16000, -8)])
    y = y * ramps(n, 0.002, 0.008)
    return np.asarray(y * (d.log(0.1, 0.9) / np.abs(y).max()))
