"""Dishes: things of porcelain, glass and metal that touch, bounce, rattle and scrape.

Modal synthesis: an object is a set of damped modes, inharmonic as its shape demands (plates
fall roughly on powers, a glass's rim modes on n squared, a free bar's on the odd squares). A hit
excites them with weights that depend on the place and a spectrum that depends on the hardness;
higher modes die sooner. Bounces follow each other with shrinking gaps, scrapes drive the same
modes with rough noise.

References
----------
van den Doel & Pai, Presence 7, 1998. Fletcher & Rossing, "The Physics of Musical
Instruments", 1998. Farnell, "Designing Sound", 2010.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from sedbench_plugins.procedural.draws import Draws
from sedbench_plugins.procedural.dsp import (
    RATE,
    Array,
    add_at,
    modes,
    noise,
    ramps,
    unit,
    wander,
)


@dataclass(frozen=True)
class Thing:
    """One object: responses of a few places on it, and how long it rings (60 dB, seconds)."""

    hits: tuple[Array, ...]
    ring: float


def _ratios(rng: np.random.Generator, material: str, count: int) -> Array:
    k = np.arange(1, count + 1, dtype=float)
    if material == "glass":
        ratio = ((k + 1) ** 2 / 4.0) ** 0.95
    elif material == "cutlery":
        ratio = np.concatenate([(2 * k + 1) ** 2 / 9.0, 1.7 * k])[:count]
        ratio = np.sort(ratio)
    elif material == "pan":
        ratio = 1.0 + 0.42 * (k - 1) ** 1.15
    else:
        ratio = 1.0 + 0.65 * (k - 1) ** 1.2
    return np.asarray(ratio * np.exp(rng.normal(0.0, 0.04, count)))


def _thing(d: Draws, material: str, rank: int) -> Thing:
    rng = d.group
    low, high, ring_low, ring_high = {
        "plate": (500.0, 1900.0, 0.05, 0.22),
        "bowl": (700.0, 2400.0, 0.07, 0.30),
        "glass": (900.0, 3000.0, 0.10, 0.45),
        "cutlery": (1300.0, 4200.0, 0.04, 0.25),
        "pan": (180.0, 600.0, 0.08, 0.40),
    }[material]
    lowest = d.base_log(f"dishes.f1.{material}.{rank}", low, high)
    ring = d.base_log(f"dishes.ring.{rank}", ring_low, ring_high)
    count = 30
    frequencies = lowest * _ratios(rng, material, count)
    frequencies = frequencies[frequencies < 14000.0]
    # Each mode of a round thing is a slightly split pair: the beating of a struck dish.
    frequencies = np.concatenate([frequencies, frequencies * rng.uniform(1.002, 1.012)])
    decays = ring * (frequencies / lowest) ** -float(rng.uniform(0.35, 0.8))
    decays = np.maximum(decays * np.exp(rng.normal(0, 0.25, len(decays))), 0.012)
    hits = []
    for _ in range(2):
        hard = rng.uniform(2500.0, 9000.0)
        weight = rng.normal(0.0, 1.0, len(frequencies)) * np.exp(-((frequencies / hard) ** 1.1))
        weight *= frequencies / (frequencies + 700.0)
        ringing = modes(frequencies, decays, weight, rng.uniform(0, 2 * np.pi, len(weight)))
        ringing[:24] *= np.linspace(0.0, 1.0, 24)
        click = noise(rng, 640, [(200, -20), (1500, 0), (hard, 0), (16000, -30)])
        click *= np.exp(-np.arange(640) / (RATE * rng.uniform(0.0015, 0.005)))
        response = ringing / np.abs(ringing).max()
        add_at(response, 0, click / np.abs(click).max(), float(rng.uniform(0.5, 1.6)))
        hits.append(response)
    return Thing(tuple(hits), ring)


def _clusters(d: Draws, stop: float, density: float) -> list[tuple[float, float, bool]]:
    """Draw times (from 0 to ``stop``), strengths and whether a cluster's first hit."""
    events: list[tuple[float, float, bool]] = []
    at = 0.0
    while True:
        strength = float(np.clip(d.own.lognormal(-0.5, 0.6), 0.08, 1.6))
        gap, when = d.log(0.03, 0.13), at
        for bounce in range(1 + int(d.own.geometric(0.45))):
            events.append((when, strength * 0.62**bounce * d.uniform(0.7, 1.2), bounce == 0))
            when += gap
            gap *= d.uniform(0.5, 0.95)
        at += float(np.clip(d.own.lognormal(np.log(density), 0.6), 0.06, 1.2))
        if at > stop:
            break
    events = [e for e in events if e[0] <= stop]
    last = max(e[0] for e in events)
    if stop - last > 0.02:
        events.append((stop, d.log(0.25, 0.9), True))
    return events


def dishes(d: Draws, n: int) -> Array:
    """Synthesise a handful of things that are put down, stacked, stirred or washed up."""
    materials = d.kind(
        (
            ("plate", "cutlery", "plate"),
            ("glass", "cutlery", "glass"),
            ("pan", "cutlery", "plate"),
            ("bowl", "plate", "cutlery"),
            ("cutlery", "cutlery", "bowl"),
            ("plate", "plate", "glass"),
        )
    )
    things = [_thing(d, material, rank) for rank, material in enumerate(materials)]
    density = d.base_log("dishes.density", 0.12, 0.5)
    y = np.zeros(n)
    duration = n / RATE
    tail = min(0.32 * things[0].ring + 0.03, 0.45 * duration)
    events = _clusters(d, duration - tail, density)
    current = 0
    final = max(e[0] for e in events)
    for when, drawn, fresh in events:
        if fresh:
            current = int(d.own.integers(len(things)))
        # The tail was measured for the first thing, so the last hit is on that one.
        thing = things[0 if when == final else current]
        hit = thing.hits[int(d.own.integers(len(thing.hits)))]
        # Neither end of the recording may be lost below its loudest hit.
        strength = max(drawn, 0.45 if when in (0.0, final) else 0.0)
        add_at(y, int(when * RATE), hit, strength)
        # A collision sounds both partners, and touches more than once before they part.
        partner = things[(current + 1) % len(things)].hits[0]
        add_at(y, int(when * RATE), partner, strength * d.uniform(0.15, 0.7))
        for _ in range(int(d.own.integers(0, 4))):
            later = when + d.log(0.002, 0.025)
            touch = thing.hits[int(d.own.integers(len(thing.hits)))]
            add_at(y, int(later * RATE), touch, strength * d.uniform(0.1, 0.6))
    if d.chance(0.35) and duration > 0.6:
        length = int(d.uniform(0.15, min(0.6, 0.6 * duration)) * RATE)
        thing = things[int(d.own.integers(len(things)))]
        rough = noise(d.own, length, [(300, -20), (2500, 0), (9000, -3), (16000, -20)])
        rough *= np.maximum(0.3 + 0.9 * wander(d.own, length, d.uniform(25.0, 70.0)), 0.0)
        rubbed = fftconvolve(rough, thing.hits[0][: RATE // 4])[:length] * ramps(length, 0.04, 0.06)
        start = int(d.uniform(0.0, duration - length / RATE) * RATE)
        add_at(y, start, unit(rubbed), d.log(0.02, 0.09))
    return y
