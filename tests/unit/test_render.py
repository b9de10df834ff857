"""Rendering: loudness, gains, fades, truths, and errors that name the recording."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sedbench.data.render import (
    Rendered,
    audible,
    background,
    covered,
    loudness,
    mix,
    render,
    stem,
)
from sedbench.data.soundbank import Recording
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError
from sedbench.types import FrameGrid

RATE = 16000
GRID = FrameGrid(10.0, 0.1)


class Toy:
    """Recordings given as arrays."""

    name = "toy"

    def __init__(self, **audio: np.ndarray) -> None:
        self.sounds = audio

    def recordings(self) -> Sequence[Recording]:
        return [
            Recording(k, "foreground", k, "test", v.size / RATE, f"group of {k}")
            for k, v in sorted(self.sounds.items())
        ]

    def audio(self, recording_id: str, sample_rate: int) -> np.ndarray:
        assert sample_rate == RATE
        return self.sounds[recording_id]

    def fingerprint(self) -> str:
        return "toy"

    def by_id(self) -> dict[str, Recording]:
        return {r.id: r for r in self.recordings()}


def sine(seconds: float, level: float = 0.1, hertz: float = 997.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (level * rng.uniform(-1, 1, round(seconds * RATE))).astype(np.float32)


def scene(*events: Placement, ref_db: float = -50.0, length: float = 10.0) -> Soundscape:
    rain = Placement("rain", "rain", 0.0, 0.0, length, 0.0)
    return Soundscape("test-0000", "test", length, ref_db, rain, events)


def event(onset: float, length: float, snr: float = 10.0, at: float = 0.0, name: str = "dog"):
    return Placement(name, name, at, onset, length, snr)


BANK = Toy(rain=noise(12), dog=noise(6, 0.3, 1), cat=sine(6, 0.2))


def draw(*events: Placement, bank: Toy = BANK, **options: object) -> Rendered:
    return render(
        scene(*events),
        bank,
        bank.by_id(),
        sample_rate=RATE,
        classes=("dog", "cat"),
        grid=GRID,
        **options,  # type: ignore[arg-type]
    )


def test_loudness_of_a_full_scale_sine_is_as_the_standard_says() -> None:
    # ITU-R BS.1770: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LUFS. The filters are
    # specified at 48 kHz; designed for 16 kHz they lie a little lower here.
    assert loudness(sine(3, 0.999).astype(float), RATE) == pytest.approx(-3.01, abs=0.1)


def test_loudness_of_a_short_sound_is_that_of_its_repetition() -> None:
    short = noise(0.2).astype(float)
    assert loudness(short, RATE) == loudness(np.tile(short, 3), RATE)


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.full(10, 0.0), 1e-5 * noise(1)])
def test_silence_has_no_loudness(samples: np.ndarray) -> None:
    assert loudness(samples.astype(float), RATE) == -math.inf


@pytest.mark.parametrize("snr", [0.0, 12.5, 25.0])
@pytest.mark.parametrize("ref_db", [-60.0, -45.0])
def test_levels_are_as_specified(snr: float, ref_db: float) -> None:
    soundscape = scene(event(2.0, 4.0, snr), ref_db=ref_db)
    assert loudness(background(soundscape, BANK, RATE), RATE) == pytest.approx(ref_db, abs=0.02)
    alone = stem(soundscape, soundscape.events[0], BANK, RATE)
    heard = alone[2 * RATE + 160 : 6 * RATE - 160]  # between the fades
    assert loudness(heard, RATE) == pytest.approx(ref_db + snr, abs=0.05)


def test_an_event_has_its_place_and_its_fades() -> None:
    soundscape = scene(event(1.5, 0.75, at=2.0))
    alone = stem(soundscape, soundscape.events[0], BANK, RATE)
    first, last = np.flatnonzero(alone)[[0, -1]]
    assert alone.size == 10 * RATE
    # The fade begins and ends at zero, one sample inside.
    assert (first, last) == (1.5 * RATE + 1, 2.25 * RATE - 2)
    source = BANK.sounds["dog"][2 * RATE : int(2.75 * RATE)].astype(float)
    ratio = alone[24000:36000] / source
    gain = np.median(ratio)
    np.testing.assert_allclose(ratio[160:-160], gain, rtol=1e-6)
    quarter = np.sin(np.linspace(0, np.pi / 2, 160))
    np.testing.assert_allclose(ratio[:160], gain * quarter, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(ratio[-160:], gain * quarter[::-1], rtol=1e-6, atol=1e-12)


def test_the_clip_is_the_sum_of_its_parts_in_16_bits() -> None:
    events = (event(1.0, 2.0), event(2.0, 3.0, 5.0, name="cat"))
    soundscape = scene(*events)
    parts = [background(soundscape, BANK, RATE), *(stem(soundscape, e, BANK, RATE) for e in events)]
    clip = draw(*events).waveform
    assert clip.dtype == np.float32 and clip.shape == (10 * RATE,)
    assert np.abs(clip - np.sum(parts, axis=0)).max() <= 0.5 / 32768 + 1e-9
    assert np.array_equal(clip * 32768, np.rint(clip * 32768))


def test_clipping_policies() -> None:
    loud = np.array([0.5, -2.0, 1.5])
    np.testing.assert_array_equal(mix([loud], False), np.float32([0.5, -1.0, 32767 / 32768]))
    np.testing.assert_allclose(mix([loud], True), [0.25, -1.0, 0.75], atol=2e-5)
    np.testing.assert_array_equal(mix([loud / 4], True), mix([loud / 4], False))


def test_a_short_background_is_tiled_without_a_click_or_a_dip() -> None:
    bank = Toy(rain=noise(4.0, 0.2))
    tiled = background(scene(), bank, RATE)
    assert tiled.size == 10 * RATE
    power = (tiled**2).reshape(100, -1).mean(axis=1)
    assert 10 * np.log10(power.max() / power.min()) < 1.0  # equal power through the crossfades
    slow = Toy(rain=sine(4.0, 0.2, hertz=50.1))  # hard tiling would jump here
    steps = np.abs(np.diff(background(scene(), slow, RATE)))
    assert steps.max() < 3 * np.percentile(steps, 90)


def test_a_long_background_is_cut_where_it_is_told() -> None:
    rain = Placement("rain", "rain", 1.5, 0.0, 10.0, 0.0)
    cut = background(dataclasses.replace(scene(), background=rain), BANK, RATE)
    source = BANK.sounds["rain"][int(1.5 * RATE) : int(11.5 * RATE)]
    np.testing.assert_allclose(cut / source, np.median(cut / source), rtol=1e-5)


def test_a_frame_is_active_from_half_coverage_on() -> None:
    frames = np.flatnonzero(covered([(1.05, 1.25)], GRID))
    assert frames.tolist() == [10, 11, 12]  # exactly half of frames 10 and 12
    assert np.flatnonzero(covered([(1.051, 1.249)], GRID)).tolist() == [11]
    assert not covered([], GRID).any()
    assert covered([(0.0, 10.0)], GRID).all()


def test_coverage_is_of_the_union() -> None:
    assert covered([(1.0, 1.03), (1.06, 1.09)], GRID)[10]  # .06 of .1 s by two events
    assert not covered([(1.0, 1.04), (1.0, 1.04)], GRID)[10]  # the same .04 s twice


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 990), st.integers(1, 400)), max_size=5))
def test_coverage_agrees_with_counting(intervals: list[tuple[int, int]]) -> None:
    fine = np.zeros(1000, bool)
    for onset, length in intervals:
        fine[onset : onset + length] = True
    seconds = [(a / 100, min(a + n, 1000) / 100) for a, n in intervals]
    expected = fine.reshape(100, 10).sum(axis=1) >= 5
    np.testing.assert_array_equal(covered(seconds, GRID), expected)


def burst(*levels_db: float) -> np.ndarray:
    """One frame of noise a level, in a clip of ten seconds that is silent otherwise."""
    out = np.zeros(10 * RATE)
    for i, level in enumerate(levels_db):
        out[i * 1600 : (i + 1) * 1600] = 10 ** (level / 20) * np.resize([1.0, -1.0], 1600)
    return out


def test_activity_is_within_30_db_of_the_loudest_frame() -> None:
    extent = covered([(0.0, 0.8)], GRID)
    levels = [-31, 0, -29.9, -30.1, -60, -60, -10, -40]
    active = audible(burst(*levels), extent, GRID, RATE)
    assert np.flatnonzero(active).tolist() == [1, 2, 6]


def test_gaps_under_200_ms_are_closed() -> None:
    extent = covered([(0.0, 0.9)], GRID)
    active = audible(burst(0, -60, 0, -60, -60, 0, -60, -60, -60), extent, GRID, RATE)
    assert np.flatnonzero(active).tolist() == [0, 1, 2, 5]


def test_activity_stays_inside_the_extent() -> None:
    extent = covered([(0.1, 0.3)], GRID)
    assert np.flatnonzero(audible(burst(20, 0, -3, 0), extent, GRID, RATE)).tolist() == [1, 2]
    assert not audible(burst(0), np.zeros(100, bool), GRID, RATE).any()


def test_truths_of_a_clip() -> None:
    pause = np.concatenate([noise(1.0, 0.3), np.zeros(RATE, np.float32), noise(1.0, 0.3)])
    bank = Toy(rain=noise(12), dog=pause, cat=sine(2.0))
    clip = draw(
        event(2.0, 3.0), event(4.5, 1.0, name="cat"), event(7.0, 2.0, name="cat"), bank=bank
    )
    extent = np.zeros((2, 100), bool)
    extent[0, 20:50] = extent[1, 45:55] = extent[1, 70:90] = True
    np.testing.assert_array_equal(clip.extent, extent)
    activity = extent.copy()
    activity[0, 30:40] = False
    np.testing.assert_array_equal(clip.activity, activity)
    assert clip.groups == (("group of dog",), ("group of cat",))


def test_events_of_other_classes_sound_but_have_no_row() -> None:
    bank = Toy(rain=noise(12), cow=noise(2.0, 0.3))
    clip = draw(event(2.0, 1.0, 20.0, name="cow"), bank=bank)
    assert not clip.extent.any() and clip.groups == ((), ())
    assert np.std(clip.waveform[33000:47000]) > 5 * np.std(clip.waveform[:30000])


@pytest.mark.parametrize(
    ("placement", "what"),
    [
        (event(1.0, 1.0, name="mute"), "'mute' is silent or too quiet"),
        (event(1.0, 1.0, name="faint"), "'faint' is silent or too quiet"),
        (event(1.0, 1.0, at=7.0), "'dog' ends before 7 s"),
        (event(1.0, 1.0, name="nobody"), "no recording 'nobody'"),
    ],
)
def test_an_error_names_the_recording(placement: Placement, what: str) -> None:
    quiet = {"mute": np.zeros(RATE, np.float32), "faint": noise(1, 1e-5)}
    with pytest.raises(DataError, match=what) as caught:
        draw(placement, bank=Toy(**BANK.sounds, **quiet))
    assert caught.value.hint


def test_rendering_is_repeatable_and_in_tune_with_short_sounds() -> None:
    events = (event(0.0, 0.25, 3.0), event(9.7, 0.3, 20.0, name="cat"))
    first, second = draw(*events), draw(*events)
    np.testing.assert_array_equal(first.waveform, second.waveform)
    assert first.extent.sum(axis=1).tolist() == [3, 3]  # 2.5 frames: half of the third counts
