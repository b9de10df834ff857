"""Cat and Dog: animal voices by the source-filter model, one call at a time.

Cat: a meow is a pitch arch over a mouth that opens and closes, so the formants rise and fall
(Schotz & van de Weijer); yowls are long and waver, trills are rolled by a fast amplitude
modulation. Dog: a bark is a short, rough call of a fast pitch arch with much noise, repeated in
bouts; big, middle and small dogs differ in pitch and in the length of the vocal tract (Riede &
Fitch). Growls and whines are left out: the model does not make them convincing.

References
----------
Schotz & van de Weijer, Speech Prosody 2014. Riede & Fitch, J. Exp. Biol. 202, 1999.
Yin & McCowan, Animal Behaviour 68, 2004.
"""

from __future__ import annotations

import numpy as np

from sedbench_plugins.procedural.draws import Draws
from sedbench_plugins.procedural.dsp import (
    RATE,
    Array,
    add_at,
    seconds,
    shape,
    track,
    unit,
    wander,
)
from sedbench_plugins.procedural.voice import (
    cascade,
    control_times,
    filter_frames,
    glottal_table,
    source,
)


def bout(
    d: Draws, duration: float, length: tuple[float, float], gap: tuple[float, float]
) -> list[tuple[float, float]]:
    """Draw starts and lengths of calls that fill ``duration`` from its start to its end.

    Lengths are scaled with the gaps where the calls would overrun.
    """
    calls: list[float] = [d.log(*length)]
    gaps: list[float] = []
    while True:
        pause, call = d.log(*gap), d.log(*length)
        if sum(calls) + sum(gaps) + pause + call > duration * 1.15:
            break
        gaps.append(pause)
        calls.append(call)
    if gaps:
        rest = max(duration - sum(calls), 0.04 * len(gaps))
        gaps = [g * rest / sum(gaps) for g in gaps]
    scale = duration / (sum(calls) + sum(gaps))
    starts = np.concatenate([[0.0], np.cumsum(np.add(calls[:-1], gaps))]) * scale
    return [(float(s), c * scale) for s, c in zip(starts, calls, strict=True)]


def _meow(d: Draws, n: int, pitch: float, tract: float, rough: float, *, kind: str) -> Array:
    """Synthesise one cat call of ``n`` samples."""
    duration = n / RATE
    peak = d.uniform(0.25, 0.6) * duration
    top = pitch * d.uniform(0.9, 1.15)
    f0 = track(
        n,
        [0.0, 0.35 * peak, peak, 0.75 * duration, duration],
        [
            top * d.uniform(0.6, 0.8),
            top * d.uniform(0.8, 0.95),
            top,
            top * d.uniform(0.82, 1.0),
            top * d.uniform(0.55, 0.85),
        ],
    )
    waver = 0.05 if kind == "yowl" else 0.018
    f0 = f0 * np.exp(waver * wander(d.own, n, 6.0) + 0.006 * wander(d.own, n, 25.0))
    t = control_times(n)
    opening = np.clip(d.uniform(0.1, 0.3), 0.05, 0.4) * duration
    widest = peak * d.uniform(0.9, 1.3)
    openness = np.interp(t, [0.0, opening, widest, duration], [0.05, 0.7, 1.0, 0.05])
    front = np.interp(t, [0.0, 0.5 * widest, duration], [1.0, 0.7, 0.0])
    formants = tract * np.stack(
        [
            450.0 + 1050.0 * openness,
            1250.0 + 1000.0 * front + 500.0 * openness,
            3100.0 + 600.0 * front,
            4800.0 + 0.0 * t,
        ],
        axis=1,
    )
    table = glottal_table(d.uniform(0.3, 0.55), d.uniform(-5.0, -1.0), float(f0.max()) * 1.15)
    x = source(d.own, f0, table, 0.03 + 0.1 * rough, jitter=0.005 + 0.015 * rough, shimmer=0.06)
    widths = tract * np.array([130.0, 170, 240, 330])
    call = filter_frames(x, cascade(formants, widths, 1400.0 * tract))
    attack = d.uniform(0.06, 0.16)
    envelope = track(
        n,
        [0.0, attack * duration, peak, 0.85 * duration, duration],
        [0.08, d.uniform(0.5, 0.8), 1.0, d.uniform(0.5, 0.9), 0.08],
    )
    if kind == "trill":
        roll = d.uniform(20.0, 32.0)
        envelope = envelope * (0.55 + 0.45 * np.cos(2 * np.pi * roll * seconds(n)))
    return np.asarray(unit(call) * envelope * np.exp(0.15 * wander(d.own, n, 9.0)))


def cat(d: Draws, n: int) -> Array:
    """Synthesise the calls of one cat."""
    kind = d.kind(("meow", "meow", "kitten", "yowl", "meow", "trill", "kitten", "meow"))
    low, high = {
        "meow": (500.0, 850.0),
        "kitten": (750.0, 1250.0),
        "yowl": (330.0, 640.0),
        "trill": (380.0, 700.0),
    }[kind]
    pitch = d.base_log(f"cat.f0.{kind}", low, high)
    tract = d.base("cat.tract", 0.85, 1.2) * (1.25 if kind == "kitten" else 1.1)
    rough = d.base("cat.rough", 0.05, 0.9)
    length, gap = {
        "meow": ((0.45, 1.0), (0.25, 0.9)),
        "kitten": ((0.35, 0.9), (0.2, 0.7)),
        "yowl": ((1.0, 2.4), (0.3, 0.9)),
        "trill": ((0.3, 0.7), (0.2, 0.7)),
    }[kind]
    y = np.zeros(n)
    for start, seconds_ in bout(d, n / RATE, length, gap):
        call = _meow(d, max(64, int(seconds_ * RATE)), pitch, tract, rough, kind=kind)
        add_at(y, int(start * RATE), call, d.log(0.6, 1.0))
    return y


def _bark(d: Draws, n: int, pitch: float, tract: float, rough: float) -> Array:
    """Synthesise one bark of ``n`` samples."""
    duration = n / RATE
    top = pitch * d.uniform(0.85, 1.15)
    peak = min(d.uniform(0.03, 0.08), 0.4 * duration)
    late = max(0.6 * duration, 1.3 * peak)
    f0 = track(
        n,
        [0.0, 0.6 * peak, peak, late, duration],
        [
            top * d.uniform(0.4, 0.65),
            top * 0.93,
            top,
            top * d.uniform(0.7, 0.9),
            top * d.uniform(0.35, 0.6),
        ],
    )
    table = glottal_table(d.uniform(0.3, 0.5), d.uniform(-6.0, -1.5), float(f0.max()) * 1.5)
    x = source(d.own, f0, table, 0.2 + 0.6 * rough, jitter=0.02 + 0.05 * rough, shimmer=0.3)
    gape = np.interp(control_times(n), [0.0, peak, late, duration], [0.1, 1.0, 0.8, 0.0])
    formants = tract * np.stack(
        [380.0 + 560.0 * gape, 950.0 + 750.0 * gape, 2450.0 + 250.0 * gape, 3700.0 + 0.0 * gape],
        axis=1,
    )
    widths = tract * np.array([150.0, 200.0, 280.0, 380.0])
    call = filter_frames(x, cascade(formants, widths, 1250.0 * tract))
    # A small mouth radiates little below its first formant.
    call = unit(shape(call, [(100, -20), (300 * tract, -6), (700 * tract, 0), (16000, 3)]))
    t = seconds(n)
    fall = np.maximum(t - peak, 0.0) / max(duration - peak, 1e-3)
    level = np.minimum(t / d.uniform(0.006, 0.015), 1.0) * np.exp(-2.3 * fall**1.2)
    return np.asarray(call * level * np.minimum((1.0 - fall) * 8.0, 1.0))


def dog(d: Draws, n: int) -> Array:
    """Synthesise a bout of barks of one dog."""
    kind = d.kind(("big", "small", "middle"))
    low, high, size = {
        "big": (220.0, 440.0, 0.74),
        "middle": (360.0, 640.0, 0.88),
        "small": (560.0, 1000.0, 1.12),
    }[kind]
    pitch = d.base_log(f"dog.f0.{kind}", low, high)
    tract = size * d.base("dog.tract", 0.85, 1.15)
    rough = d.base("dog.rough", 0.05, 1.0)
    pace = d.base_log("dog.gap", 0.12, 0.55)
    double = d.chance(0.25)
    y = np.zeros(n)
    for start, length in bout(d, n / RATE, (0.11, 0.24), (0.7 * pace, 1.5 * pace)):
        call = _bark(d, max(64, int(length * RATE)), pitch, tract, rough)
        add_at(y, int(start * RATE), call, d.log(0.55, 1.0))
        if double and length > 0.2:
            echo = _bark(d, int(0.45 * length * RATE), pitch * 0.85, tract, rough)
            add_at(y, int((start + 0.55 * length) * RATE), echo, d.log(0.3, 0.7))
    return y
