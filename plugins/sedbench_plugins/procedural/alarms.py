"""Alarm_bell_ringing: beepers, smoke alarms, sirens, trilling telephones and struck bells.

Electronic alarms are tones (square, pulse or sine, band-limited) under an on/off pattern or a
frequency modulation. Electromechanical bells are inharmonic partials struck 10-30 times a second
by a clapper; an old telephone strikes two bells in turn. A pattern is fitted to the recording
so that it ends with a sounding part.

References
----------
ISO 8201 (the three-pulse evacuation pattern). Fletcher & Rossing, 1998, on bells.
Farnell, "Designing Sound", 2010, on alarms and telephone bells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from sedbench_plugins.procedural.draws import Draws
from sedbench_plugins.procedural.dsp import (
    RATE,
    Array,
    add_at,
    harmonics_below,
    modes,
    phase_of,
    play,
    ramps,
    seconds,
    wander,
    wavetable,
)


def _tone(d: Draws, f0: Array | float, n: int, timbre: str) -> Array:
    top = float(np.max(f0))
    k = np.arange(1, harmonics_below(top) + 1, dtype=float)
    amplitudes = {
        "sine": np.where(k == 1, 1.0, 0.03 / k),
        "square": np.where(k % 2 == 1, 1.0 / k, 0.02 / k),
        "pulse": np.abs(np.sin(np.pi * k * 0.18)) / k,
        "piezo": np.where(k % 2 == 1, 1.0, 0.35) / k**1.4,
    }[timbre]
    return play(wavetable(amplitudes), phase_of(f0, n, d.uniform(0, 1)))


def _pattern(n: int, on: float, off: float, pulses: int, rest: float) -> list[tuple[int, int]]:
    """Start and length in samples of pulses in groups, stretched so that one ends at ``n``."""
    duration = n / RATE
    starts: list[float] = []
    at = 0.0
    while at + on <= duration * 1.1 or not starts:
        for pulse in range(pulses):
            starts.append(at + pulse * (on + off))
        at += pulses * (on + off) + rest
    starts = [s for s in starts if s + on <= duration * 1.1] or [0.0]
    scale = duration / (starts[-1] + on)
    scale = scale if 0.75 < scale < 1.35 else 1.0
    if len(starts) == 1:
        return [(0, n)]
    spans = [(int(s * scale * RATE), int(on * scale * RATE)) for s in starts]
    start = spans[-1][0]
    spans[-1] = (start, max(1, n - start))
    return spans


def _bell(f1: float, ring: float, seed: np.random.Generator) -> Array:
    ratios = np.array([1.0, 1.52, 2.0, 2.44, 2.98, 3.9, 4.7, 5.9, 7.2, 8.8])
    frequencies = f1 * ratios * np.exp(seed.normal(0, 0.03, len(ratios)))
    frequencies = np.concatenate([frequencies, frequencies * 1.004])
    frequencies = frequencies[frequencies < 14500.0]
    decays = ring * (frequencies / f1) ** -0.5
    weights = np.exp(seed.normal(0, 0.5, len(frequencies))) * (frequencies / f1) ** -0.35
    response = modes(frequencies, decays, weights, seed.uniform(0, 2 * np.pi, len(weights)))
    response[:32] *= np.linspace(0, 1, 32)
    return np.asarray(response / np.abs(response).max())


def _strikes(d: Draws, n: int, bells: list[Array], rate: float, gate: Array) -> Array:
    y = np.zeros(n)
    period = RATE / rate
    for k in range(int(n / period) + 1):
        at = int(k * period * (1 + d.own.normal(0, 0.002)) + d.own.normal(0, 0.03) * period)
        at = max(at, 0)
        if at < n and gate[at] > 0:
            add_at(y, at, bells[k % len(bells)], d.uniform(0.75, 1.0))
    return y


def _gated(x: Array, spans: list[tuple[int, int]], ramp: float) -> Array:
    gate = np.zeros(len(x))
    for start, length in spans:
        fitting = min(length, len(x) - start)
        if fitting > 0:
            gate[start : start + fitting] = ramps(fitting, ramp, ramp)
    return np.asarray(x * gate)


def _timbre(d: Draws) -> str:
    return str(d.group.choice(["square", "pulse", "piezo", "sine"]))


def _struck(d: Draws, n: int, kind: str) -> Array:
    """Give a bell, a wind-up clock or a telephone with two bells, driven by a clapper."""
    f1 = d.base_log(f"alarm.bell.{kind}", 600.0, 2300.0)
    rate = d.base("alarm.strikes", 10.0, 28.0)
    ring = d.base_log("alarm.ring", 0.25, 1.3)
    count = 2 if kind == "telephone" else 1
    bells = [_bell(f1 * (1.0 + 0.19 * b), ring, d.group) for b in range(count)]
    gate: Array = np.ones(n)
    if kind == "telephone" and n > 1.5 * RATE:
        spans = _pattern(n, d.uniform(0.7, 1.8), 0.5, 1, d.uniform(0.2, 0.8))
        gate = _gated(gate, spans, 0.0)
    return _strikes(d, n, bells, rate, gate)


def _chime(d: Draws, n: int) -> Array:
    """Give a doorbell or a chiming clock: single strokes of a few notes."""
    rng = d.group
    f1 = d.base_log("alarm.chime", 450.0, 1300.0)
    steps = rng.choice([-9, -7, -5, -4, -3, 3, 4, 5, 7], size=3) / 12.0
    step = float(rng.uniform(0.25, 0.8))
    notes = [_bell(f1 * 2 ** float(s), float(rng.uniform(0.6, 1.6)), rng) for s in [0, *steps]]
    y = np.zeros(n)
    # The last stroke stands before the end, so that its tail is heard.
    last = max(n / RATE - 0.4, 0.0)
    for k, at in enumerate(np.linspace(0.0, last, 1 + max(0, round(last / step)))):
        add_at(y, int(at * RATE), notes[k % len(notes)], d.uniform(0.8, 1.0))
    return y


def _smoke(d: Draws, n: int) -> Array:
    """Give a smoke detector: a piercing piezo tone in groups of pulses."""
    rng = d.group
    f0 = d.base_log("alarm.smoke", 2500.0, 3900.0) * (1.0 + 0.0015 * wander(d.own, n, 3.0))
    on = float(rng.uniform(0.12, 0.5))
    off, pulses = on * float(rng.uniform(0.4, 1.0)), int(rng.integers(1, 5))
    spans = _pattern(n, on, off, pulses, float(rng.uniform(0.2, 0.9)))
    return _gated(_tone(d, f0, n, "piezo"), spans, 0.004)


def _siren(d: Draws, n: int) -> Array:
    """Give a tone that sweeps up and down, or up and up."""
    rng = d.group
    low = d.base_log("alarm.siren", 500.0, 1500.0)
    speed = float(np.exp(rng.uniform(np.log(0.6), np.log(8.0))))
    x = (seconds(n) * speed + d.uniform(0, 1)) % 1.0
    sweep = x if rng.random() < 0.5 else 0.5 - 0.5 * np.cos(2 * np.pi * x)
    return _tone(d, low * (1.0 + float(rng.uniform(0.3, 1.0)) * sweep), n, _timbre(d))


def _trill(d: Draws, n: int) -> Array:
    """Give an electronic telephone: two tones in fast alternation, in long rings."""
    low = d.base_log("alarm.trill", 700.0, 2400.0)
    speed = d.base("alarm.trill.speed", 9.0, 26.0)
    step = float(d.group.uniform(1.12, 1.5))
    f0 = np.where((seconds(n) * speed) % 1.0 < 0.5, low, low * step)
    spans = _pattern(n, d.uniform(0.6, 1.3), 0.1, 1, d.uniform(0.3, 1.0))
    return _gated(_tone(d, f0, n, _timbre(d)), spans, 0.01)


def _melody(d: Draws, n: int) -> Array:
    """Give a ring tone: eight notes over and over."""
    rng = d.group
    low = d.base_log("alarm.melody", 500.0, 1600.0)
    length = float(rng.uniform(0.09, 0.22))
    scale = 2.0 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12], size=8) / 12.0)
    note = (seconds(n) / length).astype(int) % len(scale)
    within = (seconds(n) / length) % 1.0
    decay = np.exp(-within * float(rng.uniform(0.3, 2.5)))
    attack = np.minimum(within * length / 0.004, 1.0) * np.minimum((1 - within) / 0.06, 1.0)
    return np.asarray(_tone(d, low * scale[note], n, _timbre(d)) * decay * attack)


def _beeper(d: Draws, n: int) -> Array:
    """Give an alarm clock, a timer or an oven: short beeps, alone or in groups."""
    rng = d.group
    timbre = _timbre(d)
    f0 = d.base_log("alarm.beeper", 900.0, 3800.0) * (1.0 + 0.0015 * wander(d.own, n, 3.0))
    on = d.base_log("alarm.beep.on", 0.05, 0.35)
    pulses = int(rng.integers(1, 5))
    rest = float(rng.uniform(0.0, 0.5)) if pulses > 1 else float(rng.uniform(0.0, 0.15))
    spans = _pattern(n, on, on * float(rng.uniform(0.6, 1.2)), pulses, rest)
    return _gated(_tone(d, f0, n, timbre), spans, 0.003)


KINDS: Final[tuple[Callable[[Draws, int], Array], ...]] = (
    _beeper,
    partial(_struck, kind="bell"),
    _smoke,
    partial(_struck, kind="telephone"),
    _trill,
    partial(_struck, kind="clock"),
    _siren,
    _chime,
    _melody,
)


def alarm(d: Draws, n: int) -> Array:
    """Synthesise one alarm, bell or ringing telephone."""
    return d.kind(KINDS)(d, n)
