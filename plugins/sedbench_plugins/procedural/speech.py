"""Speech: syllables of an invented language, spoken by a formant synthesiser.

A speaker (group) has a pitch, a vocal tract length, a voice quality and a rate of speaking.
An utterance is a chain of phrases and pauses; a phrase is a chain of syllables (consonant,
vowel or diphthong, sometimes a closing consonant) with a falling pitch line, accents and a
lengthened last syllable. Voiced and whispered sounds pass the formant cascade; fricatives and
bursts have a noise band of their own. It has the rhythm, pitch and formants of speech (4-6
syllables a second) and no words.

References
----------
Klatt, JASA 67, 1980. Peterson & Barney, JASA 24, 1952 (vowel formants).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from sedbench_plugins.procedural.draws import Draws
from sedbench_plugins.procedural.dsp import RATE, Array, noise, unit
from sedbench_plugins.procedural.voice import (
    FREQUENCIES,
    cascade,
    control_times,
    filter_frames,
    glottal_table,
    source,
    to_samples,
)

VOWELS: Final[tuple[tuple[float, float, float], ...]] = (
    (270, 2290, 3010),
    (390, 1990, 2550),
    (530, 1840, 2480),
    (660, 1720, 2410),
    (730, 1090, 2440),
    (570, 840, 2410),
    (440, 1020, 2240),
    (300, 870, 2240),
    (640, 1190, 2390),
    (490, 1350, 1690),
)
NEUTRAL: Final = (500.0, 1500.0, 2500.0)


@dataclass(frozen=True, slots=True)
class Phone:
    """A stretch of constant targets; levels are relative to a stressed vowel."""

    length: float
    voice: float = 0.0
    breath: float = 0.0
    hiss: float = 0.0
    centre: float = 3000.0
    width: float = 0.6
    formants: tuple[float, float, float] | None = None


CONSONANTS: Final[tuple[tuple[Phone, ...], ...]] = (
    (Phone(0.100, hiss=0.34, centre=6500, width=0.45),),
    (Phone(0.095, hiss=0.40, centre=3400, width=0.55),),
    (Phone(0.080, hiss=0.08, centre=5500, width=1.6),),
    (Phone(0.060, breath=0.30),),
    (Phone(0.055), Phone(0.016, hiss=0.25, centre=1000, width=1.2), Phone(0.030, breath=0.3)),
    (Phone(0.055), Phone(0.018, hiss=0.45, centre=4800, width=0.9), Phone(0.035, breath=0.3)),
    (Phone(0.055), Phone(0.020, hiss=0.40, centre=2000, width=0.7), Phone(0.040, breath=0.3)),
    (Phone(0.050, voice=0.14), Phone(0.010, voice=0.3, hiss=0.15, centre=1000, width=1.2)),
    (Phone(0.045, voice=0.14), Phone(0.012, voice=0.3, hiss=0.25, centre=4000, width=0.9)),
    (Phone(0.050, voice=0.14), Phone(0.014, voice=0.3, hiss=0.25, centre=1900, width=0.8)),
    (Phone(0.070, voice=0.42, formants=(270, 1000, 2200)),),
    (Phone(0.065, voice=0.42, formants=(270, 1500, 2500)),),
    (Phone(0.065, voice=0.60, formants=(360, 1200, 2700)),),
    (Phone(0.070, voice=0.55, formants=(330, 700, 2300)),),
    (Phone(0.065, voice=0.60, formants=(380, 1150, 1600)),),
    (Phone(0.060, voice=0.55, formants=(290, 2200, 2900)),),
    (Phone(0.075, voice=0.35, hiss=0.18, centre=6000, width=0.5),),
    (Phone(0.055, voice=0.40, hiss=0.04, centre=5000, width=1.5),),
)
CODAS: Final = (0, 1, 4, 5, 6, 10, 10, 11, 11, 12, 14)


def _utterance(d: Draws, duration: float, rate: float) -> tuple[list[Phone], list[float], Array]:
    """Draw phones, their f0 accents, and phrase positions: (start, stop) of each phrase."""
    rng = d.own
    phones: list[Phone] = []
    accents: list[float] = []
    total, in_phrase = 0.0, 0
    phrase_length = int(rng.integers(3, 12))
    bounds: list[tuple[float, float]] = []
    start = 0.0
    while total < duration:
        stress = float(np.clip(rng.normal(0.8, 0.22), 0.3, 1.25))
        syllable: list[Phone] = []
        if rng.random() < 0.85:
            onset = CONSONANTS[int(rng.integers(len(CONSONANTS)))]
            # A plosive's closure is silence: a recording does not begin with it.
            silent = not (onset[0].voice or onset[0].breath or onset[0].hiss)
            syllable.extend(onset[1:] if silent and not phones else onset)
        vowel = VOWELS[int(rng.integers(len(VOWELS)))]
        length = float(rng.lognormal(np.log(0.62 / rate), 0.30)) * (0.75 + 0.35 * stress)
        last = in_phrase + 1 >= phrase_length
        length *= 1.35 if last else 1.0
        if rng.random() < 0.3:
            other = VOWELS[int(rng.integers(len(VOWELS)))]
            syllable.append(Phone(0.5 * length, voice=stress, formants=vowel))
            syllable.append(Phone(0.5 * length, voice=0.85 * stress, formants=other))
        else:
            syllable.append(Phone(length, voice=stress, formants=vowel))
        if rng.random() < 0.28:
            syllable.extend(CONSONANTS[CODAS[int(rng.integers(len(CODAS)))]][:1])
        phones.extend(syllable)
        accents.extend([stress - 0.8] * len(syllable))
        total += sum(p.length for p in syllable)
        in_phrase += 1
        if last and duration - total > 0.9:
            bounds.append((start, total))
            pause = float(rng.uniform(0.12, 0.5))
            phones.append(Phone(pause))
            accents.append(0.0)
            total += pause
            start, in_phrase, phrase_length = total, 0, int(rng.integers(3, 12))
    bounds.append((start, total))
    return phones, accents, np.array(bounds) / total


def speech(d: Draws, n: int) -> Array:
    """Synthesise one utterance of ``n`` samples."""
    kind = d.kind(("male", "female", "male", "female", "child"))
    low, high, tract = {
        "male": (85.0, 160.0, 1.0),
        "female": (160.0, 260.0, 1.15),
        "child": (240.0, 340.0, 1.33),
    }[kind]
    pitch = d.base_log(f"speech.f0.{kind}", low, high)
    scale = tract * d.base("speech.tract", 0.92, 1.08)
    rate = d.base("speech.rate", 3.6, 6.2) * d.uniform(0.92, 1.08)
    open_quotient = d.base("speech.open", 0.42, 0.8)
    tilt = d.base("speech.tilt", -4.0, 1.5)
    lively = d.base("speech.lively", 0.08, 0.32)
    breathy = float(d.group.uniform(0.02, 0.12))
    sibilance = float(d.group.uniform(0.5, 1.3))

    duration = n / RATE
    phones, accents, phrases = _utterance(d, duration, rate)
    edges = np.concatenate([[0.0], np.cumsum([p.length for p in phones])])
    edges *= duration / edges[-1]
    t = control_times(n)
    which = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, len(phones) - 1)

    # A consonant without formants of its own borrows those of the next sound that has them.
    targets: list[tuple[float, float, float]] = []
    following: tuple[float, float, float] = NEUTRAL
    for phone in reversed(phones):
        following = phone.formants or following
        targets.append(following)
    formants = np.array(targets[::-1])[which] * scale
    formants = gaussian_filter1d(formants, 2.6, axis=0, mode="nearest")
    fourth = np.full((len(t), 1), 3500.0 * scale)
    response = cascade(
        np.concatenate([formants, fourth], axis=1),
        np.array([70.0, 100.0, 150.0, 220.0]) * scale,
        1000.0 * scale,
    )

    def levels(field: str, width: float) -> Array:
        values = np.array([getattr(p, field) for p in phones])[which]
        return np.asarray(gaussian_filter1d(values, width, mode="nearest"))

    voiced, aspired, hiss = levels("voice", 1.0), levels("breath", 0.8), levels("hiss", 0.6)
    line = np.zeros(len(t))
    for start, stop in phrases * duration:
        line += np.where(
            (t >= start) & (t <= stop), 0.5 - (t - start) / max(stop - start, 0.3), 0.0
        )
    melody = gaussian_filter1d(
        1.0 * line + 2.2 * np.array(accents)[which] + d.own.normal(0.0, 0.2), 8.0, mode="nearest"
    )
    f0 = to_samples(pitch * np.exp(lively * melody), n)
    table = glottal_table(open_quotient, tilt, float(f0.max()) * 1.1)
    excitation = source(d.own, f0, table, breathy, jitter=0.012, shimmer=0.06)
    excitation *= to_samples(voiced, n)
    excitation += d.own.standard_normal(n) * to_samples(aspired, n) * 0.35
    voice = unit(filter_frames(excitation, response))

    centre = np.array([p.centre for p in phones])[which, None] * scale**0.5
    width = np.array([p.width for p in phones])[which, None]
    octaves = np.log2(np.maximum(FREQUENCIES, 20.0)[None, :] / centre)
    band = np.exp(-0.5 * (octaves / width) ** 2) / np.sqrt(width * centre / 3000.0)
    rustle = noise(d.own, n, [(50, 0), (16000, 0)]) * to_samples(hiss, n)
    return voice + 2.4 * sibilance * filter_frames(rustle, band)
