"""Backgrounds: steady scenes without a foreground class in them.

Rain and fireplace share their physics with Running_water and Frying (drops, crackle); that
confusion is natural and kept. Kitchen fan and room hum are fainter cousins of the motors.

References
----------
Farnell, "Designing Sound", 2010 (rain, wind, fire, insects, fans). Marshall & Palmer 1948
(drop sizes) motivate the heavy-tailed drop levels.
"""

from __future__ import annotations

import numpy as np

from sedbench_plugins.procedural.draws import Draws
from sedbench_plugins.procedural.dsp import (
    Array,
    decibels,
    noise,
    phase_of,
    play,
    seconds,
    unit,
    wander,
    wavetable,
)
from sedbench_plugins.procedural.liquids import bubbles, crackle
from sedbench_plugins.procedural.motors import comb
from sedbench_plugins.procedural.voice import FREQUENCIES, control_times, filter_frames


def rain(d: Draws, n: int) -> Array:
    """Synthesise rain on leaves, roofs or windows: drop noise over a distant hiss."""
    rate = d.base_log("rain.rate", 60.0, 700.0)
    bright = d.base_log("rain.bright", 500.0, 4500.0)
    drops_db = d.base("rain.drops", -16.0, -3.0)
    hiss = noise(d.own, n, [(60, -20), (0.3 * bright, -6), (bright, 0), (10000, -14), (16000, -24)])
    drops = crackle(d, n, rate, (700.0, 6000.0), length=(0.0008, 0.006), heavy=2.4)
    y = hiss * np.exp(0.05 * wander(d.own, n, 0.5)) + decibels(drops_db) * unit(drops)
    if d.chance(0.4):
        y = y + decibels(drops_db - 4) * unit(bubbles(d, n, 25.0, 0.0008, 0.004))
    return np.asarray(y)


def wind(d: Draws, n: int) -> Array:
    """Synthesise gusts: brown noise, and whistling bands whose height follows the speed."""
    gust = d.base_log("wind.gust", 0.12, 0.6)
    low = d.base_log("wind.low", 60.0, 260.0)
    howl_db = d.base("wind.howl", -18.0, -2.0)
    speed = np.exp(0.4 * wander(d.own, n, gust) + 0.12 * wander(d.own, n, 4 * gust))
    body = noise(d.own, n, [(20, -3), (low, 0), (5 * low, -18), (4000, -38), (16000, -60)])
    t = control_times(n)
    slow = np.interp(t, seconds(n), speed)
    air = noise(d.own, n, [(100, -6), (600, 0), (3000, -8), (12000, -25)])
    centre = (float(d.group.uniform(350, 800)) * slow**0.7)[:, None]
    octaves = np.log2(np.maximum(FREQUENCIES, 20.0) / centre)
    response = np.exp(-0.5 * (octaves / 0.16) ** 2) + 0.10 * np.exp(-0.5 * (octaves / 0.9) ** 2)
    return np.asarray(
        speed * body + decibels(howl_db) * speed**2 * unit(filter_frames(air, response))
    )


def kitchen_fan(d: Draws, n: int) -> Array:
    """Synthesise an extractor hood: low turbulence and a faint blade tone."""
    blades = d.base_log("fan.blades", 90.0, 420.0)
    corner = d.base_log("fan.corner", 150.0, 800.0)
    tone_db = d.base("fan.tone", -12.0, 2.0)
    air = noise(d.own, n, [(30, -14), (corner, 0), (3 * corner, -10), (6000, -32), (16000, -50)])
    table = comb(d.group, blades, 7.0, (2, 2.0), 4.0)
    steady = blades * (1.0 + 0.003 * wander(d.own, n, 0.4))
    flutter = np.exp(0.05 * wander(d.own, n, 5.0))
    return np.asarray(air * flutter + decibels(tone_db) * play(table, phase_of(steady, n)))


def room_hum(d: Draws, n: int) -> Array:
    """Synthesise a quiet room: mains hum, a refrigerator's low tone, faint noise."""
    mains = float(d.group.choice([50.0, 60.0]))
    hum_db = d.base("hum.level", -8.0, 6.0)
    tilt = d.base("hum.tilt", 3.0, 6.0)
    k = np.arange(1, 16, dtype=float)
    weights = np.exp(d.group.normal(0, 0.7, 15)) * k**-1.2 * np.where(k % 2 == 0, 1.0, 0.45)
    floor = [(20.0 * 2.0**o, -tilt * o + d.group.normal(0, 1.5)) for o in range(10)]
    hum = play(wavetable(weights), phase_of(mains, n, d.uniform(0, 1)))
    return np.asarray(noise(d.own, n, floor) + decibels(hum_db) * hum)


def crickets(d: Draws, n: int) -> Array:
    """Synthesise field crickets: pulsed pure tones of several animals, over a night's faint air."""
    count = 2 + int(d.group.integers(0, 4))
    y = 0.25 * noise(d.own, n, [(40, 0), (500, -12), (6000, -22), (16000, -40)])
    t = seconds(n)
    for animal in range(count):
        pitch = d.base_log(f"crickets.{animal}", 2600.0, 6200.0)
        syllables = float(d.group.uniform(18.0, 45.0))
        chirps = float(d.group.uniform(0.8, 3.5))
        share = float(d.group.uniform(0.3, 1.0))
        x = (t * syllables + d.uniform(0, 1)) % 1.0
        pulse = np.sin(np.pi * np.minimum(x / 0.6, 1.0)) ** 2
        gate = (t * chirps + d.uniform(0, 1) + 0.05 * wander(d.own, n, 1.0)) % 1.0
        gate = np.clip((share - gate) * 40, 0, 1) * np.clip(gate * 40, 0, 1)
        wobble = pitch * (1 + 0.004 * wander(d.own, n, 3.0))
        y = y + d.log(0.12, 1.0) * pulse * gate * np.sin(2 * np.pi * phase_of(wobble, n))
    return np.asarray(y)


def traffic(d: Draws, n: int) -> Array:
    """Synthesise a distant road: tyre noise that swells as cars pass, and engine rumble below."""
    swell = d.base_log("traffic.swell", 0.08, 0.3)
    corner = d.base_log("traffic.corner", 300.0, 900.0)
    rumble_db = d.base("traffic.rumble", -12.0, 4.0)
    tyres = noise(d.own, n, [(40, -8), (150, -5), (corner, 0), (3 * corner, -13), (12000, -45)])
    low = noise(d.own, n, [(20, -12), (45, 0), (110, -3), (300, -22), (2000, -60)])
    y = tyres * np.exp(0.22 * wander(d.own, n, swell)) + decibels(rumble_db) * low
    engine = comb(d.group, 70.0, 9.0, (2, 4.0), 4.0)
    revs = float(d.group.uniform(28, 60)) * (1 + 0.05 * wander(d.own, n, 0.2))
    return np.asarray(y + 0.35 * play(engine, phase_of(revs, n)))


def fireplace(d: Draws, n: int) -> Array:
    """Synthesise a fire: flame rumble, hiss, and crackles of every size."""
    rate = d.base_log("fire.rate", 8.0, 45.0)
    crackle_db = d.base("fire.crackle", -2.0, 10.0)
    lapping = noise(d.own, n, [(20, -4), (90, 0), (300, -9), (1500, -26), (12000, -44)])
    hiss = noise(d.own, n, [(300, -30), (2000, -4), (6000, 0), (16000, -12)])
    snaps = crackle(
        d,
        n,
        rate * np.exp(0.5 * wander(d.own, n, 0.8)),
        (900, 7000),
        length=(4e-4, 4e-3),
        heavy=2.1,
    )
    y = lapping * np.exp(0.15 * wander(d.own, n, 5.0)) + 0.3 * hiss
    return np.asarray(y + decibels(crackle_db) * np.tanh(unit(snaps) / 6.0) * 6.0)


def sea(d: Draws, n: int) -> Array:
    """Synthesise waves on a beach: noise that swells, breaks brightly and draws back."""
    period = d.base("sea.period", 5.0, 11.0)
    depth = d.base("sea.depth", 0.25, 0.75)
    bright = d.base_log("sea.bright", 700.0, 2500.0)
    low = noise(d.own, n, [(25, -6), (bright / 4, 0), (bright, -6), (6000, -24), (16000, -46)])
    foam = noise(d.own, n, [(200, -20), (bright, -2), (3 * bright, 0), (16000, -14)])
    x = phase_of((1 + 0.15 * wander(d.own, n, 0.15)) / period, n, d.uniform(0, 1)) % 1.0
    wave = np.where(
        x < 0.35, np.sin(0.5 * np.pi * x / 0.35) ** 2, np.cos(0.5 * np.pi * (x - 0.35) / 0.65) ** 2
    )
    return np.asarray(low * (1 - depth + depth * wave) + 0.7 * depth * foam * wave**1.7)
