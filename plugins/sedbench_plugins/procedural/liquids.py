"""Running_water and Frying: bubbles, flow and crackle.

Water: every bubble rings at Minnaert's frequency ``3 / r`` (Hz, r in metres) with the damping
``0.13 / r + 0.0072 r**-1.5`` (1/s), and its pitch rises while it nears the surface. A stream is
a Poisson process of bubbles whose radii follow a power law, over the broadband noise of flow;
in a vessel that fills, a resonance of the air column climbs. Frying: a hiss of countless tiny
vapour bursts, over it a Poisson process of crackles and now and then a pop.

References
----------
Minnaert, Phil. Mag. 16, 1933. van den Doel, "Physically based models for liquid sounds",
ACM Trans. Applied Perception 2, 2005. Farnell, "Designing Sound", 2010.
"""

from __future__ import annotations

import numpy as np

from sedbench_plugins.procedural.draws import Draws
from sedbench_plugins.procedural.dsp import (
    RATE,
    Array,
    add_at,
    decibels,
    noise,
    scatter,
    track,
    unit,
    wander,
)
from sedbench_plugins.procedural.voice import FREQUENCIES, control_times, filter_frames


def bubble(radius: float, rise: float) -> Array:
    """Give the sound of one bubble.

    Parameters
    ----------
    radius : float
        Metres, 0.0003 to 0.01.
    rise : float
        How fast the pitch climbs, relative to the damping (van den Doel's xi, 0 to 0.1).
    """
    damping = 0.13 / radius + 0.0072 * radius**-1.5
    t = np.arange(int(min(5.5 / damping, 0.12) * RATE) + 8) / RATE
    phase = 2 * np.pi * (3.0 / radius) * (t + 0.5 * rise * damping * t**2)
    return np.asarray(np.sin(phase) * np.exp(-damping * t))


def bubbles(d: Draws, n: int, rate: Array | float, small: float, large: float) -> Array:
    """Synthesise a Poisson stream of bubbles, radii ``small`` to ``large`` (metres)."""
    kernels = [
        (bubble(r, rise), r)
        for r in np.geomspace(small, large, 20)
        for rise in (0.0, 0.04, 0.1)
        if 3.0 / r < 13000.0
    ]
    y = np.zeros(n + RATE // 8)
    at = scatter(d.own, n, rate)
    # Bubbles are the rarer the larger they are, and the louder.
    power = float(d.group.uniform(0.6, 1.3))
    odds = np.array([r**-power for _, r in kernels])
    which = d.own.choice(len(kernels), size=len(at), p=odds / odds.sum())
    gains = d.own.pareto(2.2, size=len(at)) + 0.15
    for start, k, gain in zip(at.tolist(), which.tolist(), np.minimum(gains, 8.0), strict=True):
        kernel, r = kernels[k]
        add_at(y, start, kernel, float(gain) * (r / large) ** 0.9)
    return y[:n]


def water(d: Draws, n: int) -> Array:
    """Synthesise water from a tap, into a basin, a glass or a bath, or from a shower."""
    rng = d.group
    kind = d.kind(("tap", "basin", "trickle", "shower", "fill", "tap"))
    rate = d.base_log("water.rate", 160.0, 900.0)
    largest = d.base_log("water.radius", 0.002, 0.0075)
    flow_db = d.base("water.flow", -8.0, 8.0)
    centre = d.base_log("water.centre", 900.0, 5000.0)
    low_db = d.base("water.low", -22.0, -4.0)
    flow_db += {"tap": 3.0, "basin": 0.0, "trickle": -10.0, "shower": 10.0, "fill": -2.0}[kind]
    rate *= {"tap": 1.0, "basin": 1.2, "trickle": 0.3, "shower": 0.6, "fill": 1.0}[kind]
    pouring = np.exp(0.35 * wander(d.own, n, 1.5))
    stream = bubbles(d, n, rate * pouring, 0.00035, largest)
    flow = noise(
        d.own,
        n,
        [
            (60, low_db - 8),
            (250, low_db),
            (centre, 0),
            (2.2 * centre, -3),
            (12000, -13),
            (16000, -22),
        ],
    )
    flow = flow * np.exp(0.10 * wander(d.own, n, 14.0) + 0.18 * wander(d.own, n, 3.0))
    y = unit(stream) + decibels(flow_db) * flow
    if kind in ("fill", "basin"):
        t = control_times(n)
        low = float(rng.uniform(250, 700))
        climb = d.uniform(0.3, 1.6) if kind == "fill" else 0.05
        resonance = (low * 2.0 ** (climb * t / t[-1]))[:, None]
        response = np.ones((len(t), len(FREQUENCIES)))
        for k, gain in ((1.0, 2.6), (3.0, 1.7), (5.0, 1.1)):
            off = np.log2(np.maximum(FREQUENCIES, 20.0) / (k * resonance))
            response += gain * np.exp(-0.5 * (off / 0.11) ** 2)
        y = filter_frames(y, response)
    if d.chance(0.35):
        y = y * track(n, [0.0, d.uniform(0.15, 0.6), n / RATE], [0.25, 1.0, 1.0])
    return np.asarray(y)


def crackle(
    d: Draws,
    n: int,
    rate: Array | float,
    band: tuple[float, float],
    *,
    length: tuple[float, float],
    heavy: float,
) -> Array:
    """Synthesise a Poisson process of short damped bursts.

    Parameters
    ----------
    rate : float or ndarray
        Bursts per second.
    band : (float, float)
        Range of their centre frequencies, Hz.
    length : (float, float)
        Range of their decay times, seconds.
    heavy : float
        Pareto exponent of their levels; smaller means rarer, louder ones.
    """
    grains = []
    for centre in np.geomspace(*band, 14):
        decay = d.log(*length)
        t = np.arange(int(6 * decay * RATE) + 16) / RATE
        burst = d.own.standard_normal(len(t))
        tone = np.sin(2 * np.pi * centre * t + d.uniform(0, 6.28))
        mixed = tone + 0.5 * burst * d.uniform(0.2, 1.0)
        grains.append(mixed * np.exp(-t / decay) * np.minimum(t * RATE / 6.0, 1.0))
    y = np.zeros(n + RATE // 8)
    at = scatter(d.own, n, rate)
    which = d.own.integers(len(grains), size=len(at))
    gains = np.minimum(d.own.pareto(heavy, size=len(at)) + 0.05, 25.0)
    for start, k, gain in zip(at.tolist(), which.tolist(), gains.tolist(), strict=True):
        add_at(y, start, grains[k], gain)
    return y[:n]


def frying(d: Draws, n: int) -> Array:
    """Synthesise something frying in a pan."""
    rng = d.group
    rate = d.base_log("frying.rate", 60.0, 700.0)
    bright = d.base_log("frying.bright", 2500.0, 7500.0)
    low_db = d.base("frying.low", -26.0, -8.0)
    crackle_db = d.base("frying.crackle", -9.0, 5.0)
    heavy = d.base("frying.heavy", 1.5, 2.8)
    roll_db = d.base("frying.roll", -16.0, -3.0)
    hiss = noise(
        d.own,
        n,
        [(80, low_db - 6), (600, low_db), (bright, 0), (11000, roll_db), (16000, roll_db - 9)],
    )
    hiss = hiss * np.exp(0.14 * wander(d.own, n, 2.5) + 0.12 * wander(d.own, n, 22.0))
    simmer = np.exp(0.5 * wander(d.own, n, 1.3))
    sizzle = crackle(d, n, rate * simmer, (1500.0, 9500.0), length=(0.0004, 0.003), heavy=heavy)
    y = hiss + decibels(crackle_db) * unit(sizzle)
    pops = float(rng.uniform(0.0, 4.0))
    if pops > 0.5:
        y = y + 0.9 * crackle(d, n, pops, (500.0, 3500.0), length=(0.002, 0.008), heavy=2.0)
    return np.asarray(y)
