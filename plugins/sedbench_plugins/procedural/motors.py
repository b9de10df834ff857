"""Blender, Vacuum_cleaner and Electric_shaver_toothbrush: motors and the air they move.

One model, three characters. A motor's speed follows a course (spin-up, load, run-down); its
rotation gives a harmonic comb read from a wavetable, with peaks at the blade or tooth count;
turbulence gives noise whose level grows with speed; the mains hum may show through.

- *Blender*: strong, rough comb on 60-330 Hz, load thumps from what is being cut, pulsing.
- *Vacuum cleaner*: steady turbulence over a whining fan (300-900 Hz blade tone), slow strokes
  of the nozzle that sweep a broad resonance.
- *Shaver, toothbrush*: a small buzzer on 50-280 Hz with many even harmonics, little noise,
  and brushing strokes that modulate level and brightness two to six times a second.

References
----------
Farnell, "Designing Sound", 2010 (motors and fans). Cudina & Prezelj, Applied Acoustics 68,
2007 (noise of vacuum cleaner motors and blowers).
"""

from __future__ import annotations

import numpy as np

from sedbench_plugins.procedural.draws import Draws
from sedbench_plugins.procedural.dsp import (
    RATE,
    Array,
    add_at,
    decibels,
    harmonics_below,
    noise,
    phase_of,
    play,
    scatter,
    seconds,
    shape,
    track,
    unit,
    wander,
    wavetable,
)
from sedbench_plugins.procedural.voice import (
    FREQUENCIES,
    control_times,
    filter_frames,
)


def comb(
    rng: np.random.Generator, f0: float, tilt_db: float, emphasis: tuple[int, float], spread: float
) -> Array:
    """Harmonic wavetable of a rotation.

    Parameters
    ----------
    rng : numpy.random.Generator
    f0 : float
        Highest rotation frequency it is played at, Hz.
    tilt_db : float
        Fall of the spectrum in dB per octave above 200 Hz.
    emphasis : (int, float)
        Every how many harmonics stand out (blades, poles), and by how many dB.
    spread : float
        Random differences between harmonics, dB.
    """
    k = np.arange(1, harmonics_below(f0) + 1, dtype=float)
    level = -tilt_db * np.log2(np.maximum(k * f0 / 200.0, 1.0)) + rng.normal(0, spread, len(k))
    level[emphasis[0] - 1 :: emphasis[0]] += emphasis[1]
    return wavetable(10.0 ** (level / 20.0), rng.uniform(0, 2 * np.pi, len(k)))


def _course(
    d: Draws, n: int, rise: float, fall: float, *, droop: float, starts: float = 0.5
) -> Array:
    """Relative speed over time: spin-up, a slow wander, sometimes a run-down."""
    duration = n / RATE
    t = seconds(n)
    speed = np.ones(n)
    if d.chance(starts):
        speed *= 1.0 - 0.75 * np.exp(-t / min(rise, 0.3 * duration))
    if d.chance(0.35):
        left = np.maximum(t - (duration - min(fall, 0.3 * duration)), 0.0)
        speed *= np.exp(-1.1 * left / min(fall, 0.3 * duration))
    return np.asarray(speed * (1.0 + droop * wander(d.own, n, 1.2)))


def _pulses(d: Draws, n: int) -> Array:
    """Give the speed of a motor in pulses: quick rises, slower falls."""
    duration = n / RATE
    rise, fall = d.uniform(0.03, 0.07), d.uniform(0.05, 0.16)
    on, off = d.uniform(0.4, 1.3), d.uniform(0.15, 0.7)
    count = max(1, round((duration + off) / (on + off)))
    scale = duration / (count * (on + off) - off)
    t = seconds(n) / scale
    within = t % (on + off)
    rising = 1.0 - np.exp(-within / rise)
    falling = np.exp(-np.maximum(within - on, 0.0) / fall)
    return np.asarray(np.where(t < on, 1.0, rising) * falling)


def blender(d: Draws, n: int) -> Array:
    """Synthesise one run of a blender, steady or in pulses."""
    rng = d.group
    kind = d.kind(("jug", "hand", "jug", "ice"))
    rotation = d.base_log("blender.f0", 105.0, 400.0)
    tilt = d.base("blender.tilt", 3.0, 7.5)
    air_db = d.base("blender.air", -5.0, 6.0)
    bright = d.base_log("blender.bright", 600.0, 2200.0)
    load = d.base("blender.load", 0.008, 0.05) * (1.8 if kind == "ice" else 1.0)
    table = comb(rng, rotation * 1.25, tilt, (int(rng.integers(2, 7)), rng.uniform(4, 10)), 4.0)
    other = comb(rng, rotation * 1.25 * 1.9, tilt, (3, 6.0), 5.0)
    gear = float(rng.uniform(0.37, 1.9))
    chop_db = rng.uniform(-14.0, -3.0)

    course = _course(d, n, 0.18, 0.35, droop=0.02)
    if kind == "hand" or d.chance(0.3):
        course *= _pulses(d, n)
    thumps = wander(d.own, n, d.uniform(5.0, 14.0))
    speed = np.maximum(course * (1.0 + load * thumps), 0.01)
    phase = phase_of(rotation * speed, n, d.uniform(0, 1))
    rough = np.exp(0.18 * wander(d.own, n, 40.0) + 2.2 * load * wander(d.own, n, 9.0))
    tonal = play(table, phase) + decibels(-6.0) * play(other, phase * gear)
    chopped = 1.0 + 0.5 * np.cos(2 * np.pi * phase) * decibels(chop_db + 6)
    air = noise(
        d.own, n, [(80, -18), (300, -6), (bright, 0), (2.6 * bright, -5), (9000, -17), (16000, -34)]
    )
    body = [(40.0, -16.0), (180.0, -4.0), (600.0, 0.0), (bright, 1.0), (16000.0, -4.0)]
    tonal = unit(shape(tonal, body))
    y = speed**1.3 * rough * tonal + speed**2 * decibels(air_db) * chopped * air
    if kind == "ice":
        bumps = np.exp(-np.arange(1800) / 350.0) * noise(
            rng, 1800, [(100, -8), (700, 0), (3500, -4), (12000, -25)]
        )
        fading = np.exp(-seconds(n) / d.uniform(1.0, 4.0))
        for at in scatter(d.own, n, 22.0 * fading + 2.0):
            add_at(y, int(at), bumps, d.log(0.3, 2.5))
    return np.asarray(y)


def vacuum(d: Draws, n: int) -> Array:
    """Synthesise one run of a vacuum cleaner."""
    rng = d.group
    whine = d.base_log("vacuum.fan", 330.0, 800.0)
    corner = d.base_log("vacuum.corner", 380.0, 1200.0)
    slope = d.base("vacuum.slope", 2.5, 5.5)
    tone_db = d.base("vacuum.tone", -14.0, -3.0)
    blades = int(rng.integers(6, 10))
    blade_db = rng.uniform(-26.0, -13.0)
    stroke = d.base_log("vacuum.stroke", 0.35, 1.3)
    depth = d.base("vacuum.depth", 1.0, 6.0)
    table = comb(rng, whine * 1.12, 3.5, (int(rng.integers(2, 8)), rng.uniform(2, 8)), 6.0)
    rumble = comb(rng, 130.0, 4.0, (2, 6.0), 3.0)
    octaves = np.log2(15000.0 / corner)
    points = [
        (40.0, -22.0),
        (120.0, -9.0 + rng.uniform(-4, 4)),
        (corner, 0.0),
        (2 * corner, -0.6 * slope + rng.uniform(-3, 3)),
        (15000.0, -slope * octaves - 4.0),
    ]
    course = _course(d, n, d.uniform(0.15, 0.5), d.uniform(0.5, 1.2), droop=0.0012, starts=0.25)
    course *= 1.0 + 0.004 * np.sin(2 * np.pi * stroke * seconds(n) + d.uniform(0, 6))
    phase = phase_of(whine * course, n, d.uniform(0, 1))
    air = noise(d.own, n, points)
    swing = np.sin(2 * np.pi * stroke * control_times(n) + d.uniform(0, 6)) + 0.4 * np.sin(
        2 * np.pi * 0.37 * stroke * control_times(n) + d.uniform(0, 6)
    )
    centre = (1.6 * corner * 2.0 ** (0.45 * swing))[:, None]
    bump = np.exp(-0.5 * (np.log2(np.maximum(FREQUENCIES, 20.0) / centre) / 0.7) ** 2)
    air = filter_frames(air, 1.0 + (decibels(depth) - 1.0) * bump)
    low = play(rumble, phase_of(float(rng.uniform(95, 125)) * course, n))
    y = (
        course**2 * unit(air) * np.exp(0.04 * wander(d.own, n, 8.0))
        + course**1.2 * decibels(tone_db) * play(table, phase)
        + course**2 * decibels(blade_db) * np.sin(2 * np.pi * blades * phase)
        + course * decibels(tone_db - 6.0) * low
    )
    return np.asarray(y)


def shaver(d: Draws, n: int) -> Array:
    """Synthesise a shaver against skin, or an electric toothbrush in a mouth."""
    rng = d.group
    kind = d.kind(("vibrator", "rotary", "sonic", "brush"))
    low, high = {
        "vibrator": (98.0, 124.0),
        "rotary": (50.0, 105.0),
        "sonic": (215.0, 290.0),
        "brush": (110.0, 200.0),
    }[kind]
    pitch = d.base_log(f"shaver.f0.{kind}", low, high)
    tilt = d.base("shaver.tilt", 0.0, 4.0)
    air_db = d.base("shaver.air", -24.0, -8.0)
    strokes = (
        d.base_log("shaver.strokes", 0.5, 2.0)
        if kind in ("vibrator", "rotary")
        else (d.base_log("brush.strokes", 2.0, 5.5))
    )
    depth = d.base("shaver.depth", 0.08, 0.4)
    table = comb(rng, pitch * 1.15, tilt, (2, rng.uniform(2, 9)), 5.0)
    damped = comb(rng, pitch * 1.15, tilt + 3.0, (2, rng.uniform(2, 9)), 5.0)

    swing = np.sin(
        2 * np.pi * phase_of(strokes * (1 + 0.15 * wander(d.own, n, 1.5)), n, d.uniform(0, 1))
    )
    pressing = np.clip(0.5 + 0.5 * wander(d.own, n, 0.7), 0.0, 1.0)
    contact = 0.5 + 0.5 * np.tanh(2.0 * swing) * pressing
    course = 1.0 - 0.03 * pressing - 0.015 * depth * swing + 0.004 * wander(d.own, n, 6.0)
    if d.chance(0.3):
        course *= 1.0 - 0.5 * np.exp(-seconds(n) / 0.08)
    phase = phase_of(pitch * course, n, d.uniform(0, 1))
    tonal = (1 - 0.6 * contact) * play(table, phase) + 0.6 * contact * play(damped, phase)
    buzz = 1.0 + 0.7 * np.cos(2 * np.pi * phase)
    bristle = noise(d.own, n, [(200, -25), (1800, -4), (5000, 0), (9000, -4), (16000, -20)])
    y = (1.0 + depth * swing * pressing) * tonal
    y = y + decibels(air_db) * bristle * (0.4 + 0.9 * contact) * buzz
    if kind in ("vibrator", "rotary"):
        grain = np.exp(-np.arange(160) / 22.0) * noise(
            rng, 160, [(1000, -12), (4000, 0), (9000, 0), (16000, -12)]
        )
        rate = np.maximum(float(rng.uniform(0, 45)) * (contact - 0.35), 0.0)
        for at in scatter(d.own, n, rate):
            add_at(y, int(at), grain, d.log(0.1, 0.8))
    level = track(n, [0.0, 0.04, n / RATE], [0.5, 1.0, 1.0])
    return np.asarray(y * level)
