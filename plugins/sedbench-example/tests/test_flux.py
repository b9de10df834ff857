"""Spectral flux on sounds of which the answer is known."""

import numpy as np
import pytest
from sedbench_example import HOP, flux, held, spectrum

RATE = 8000


def tone(start: float, stop: float, level: float = 0.5) -> np.ndarray:
    time = np.arange(2 * RATE) / RATE
    return (level * np.sin(2 * np.pi * 500 * time) * ((time >= start) & (time < stop))).astype(
        np.float32
    )


def test_it_is_highest_where_a_sound_begins():
    for start in (0.5, 1.1):
        found = flux(spectrum(tone(start, 1.8), RATE, 0.064))
        assert abs((found.argmax() + 0.5) * HOP - start) <= 0.064


def test_a_steady_sound_has_none_and_a_louder_one_no_more():
    for level in (0.1, 0.8):
        found = flux(spectrum(tone(0.0, 2.0, level), RATE, 0.064))
        assert found[5:-5].max() < 0.01 * spectrum(tone(0.0, 2.0, level), RATE, 0.064).max()


def test_a_sound_that_fades_is_no_onset():
    time = np.arange(2 * RATE) / RATE
    wave = tone(0.0, 2.0) * np.clip((1.2 - time) / 0.2, 0, 1).astype(np.float32)
    found = flux(spectrum(wave, RATE, 0.064))
    fading = found[int(0.95 / HOP) : int(1.3 / HOP)]
    assert fading.max() < 0.1 * flux(spectrum(tone(1.0, 2.0), RATE, 0.064)).max()


def test_what_is_held_decays_with_its_time_constant():
    values = np.zeros(101)
    values[10] = 1.0
    out = held(values, 0.5)
    assert out[9] == 0 and out[10] == 1
    assert out[10 + round(0.5 / HOP)] == pytest.approx(np.exp(-1), rel=0.02)
    np.testing.assert_array_equal(held(values, 0.0), values)


def test_frames_are_as_many_as_fit():
    for samples in (100, RATE, 3 * RATE + 77):
        levels = spectrum(np.ones(samples, np.float32), RATE, 0.064)
        assert len(levels) == max(1, samples // round(HOP * RATE))
