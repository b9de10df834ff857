"""Baselines: against a naive computation, and independent of how clips are batched."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sedbench.errors import SedbenchError
from sedbench.types import FrameGrid, Query
from sedbench_plugins.baselines import (
    ALWAYS_ON,
    ENERGY,
    ORACLE,
    RANDOM,
    AlwaysOn,
    Energy,
    Oracle,
    Random,
    frame_rms,
)

GRID = FrameGrid(1.0, 0.1)
PAIRS = np.array([[0, 1], [1, 0], [1, 2], [3, 1]])
NO_MODEL: Any = None  # what a baseline is handed is never looked at


def query(*clips: int, seed: int = 0, grid: FrameGrid = GRID, truth: Any = None) -> Query:
    """The pairs of some of four clips."""
    waves = np.random.default_rng(0).uniform(-1, 1, (4, 1000)).astype(np.float32)
    rows = [(i, label) for i, c in enumerate(clips) for clip, label in PAIRS.tolist() if clip == c]
    return Query(
        tuple(f"test-{c:04d}" for c in clips), waves[list(clips)], 1000, np.array(rows),
        ("Dog", "Cat", "Blender"), grid, seed, truth,
    )  # fmt: skip


def test_energy_is_the_root_mean_square_of_each_frame() -> None:
    question = query(0, 1, 3)
    got = Energy().answer(question, NO_MODEL)
    for row, (clip, _) in enumerate(question.pairs.tolist()):
        for frame in range(10):
            part = question.waveforms[clip, frame * 100 : (frame + 1) * 100].tolist()
            expected = math.sqrt(math.fsum(x * x for x in part) / len(part))
            assert got.scores.values[row, frame] == pytest.approx(expected, rel=1e-6)
    assert np.array_equal(got.scores.values[1], got.scores.values[2])  # one clip, two classes
    assert got.mask is None


def test_energy_of_frames_that_are_no_whole_number_of_samples() -> None:
    wave = np.arange(1, 11, dtype=np.float32)[None]
    found = frame_rms(wave, 10, np.array([0.0, 0.34, 0.66, 1.0]))  # marks 0, 3, 7, 10
    parts = [[1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    expected = [math.sqrt(sum(x * x for x in p) / len(p)) for p in parts]
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


def test_energy_after_the_end_of_a_clip_is_silence() -> None:
    found = frame_rms(np.ones((1, 50), np.float32), 100, np.array([0.0, 0.5, 1.0]))
    assert found.tolist() == [[1.0, 0.0]]


@given(
    onset=st.integers(0, 9), level=st.floats(0.01, 1.0), length=st.integers(1, 3)
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_energy_peaks_inside_the_only_sound(onset: int, level: float, length: int) -> None:
    wave = np.zeros((1, 1000), np.float32)
    wave[0, onset * 100 : (onset + length) * 100] = level
    found = frame_rms(wave, 1000, GRID.edges)[0]
    assert (found[onset : onset + length] == pytest.approx(level)) is True
    assert not np.delete(found, range(onset, min(onset + length, 10))).any()


def test_quiet_after_loud_is_not_drowned_by_rounding() -> None:
    wave = np.ones((1, 160000), np.float32)
    wave[0, 80000:] = 1e-4
    found = frame_rms(wave, 16000, FrameGrid(10.0).edges)[0]
    np.testing.assert_allclose(found[50:], 1e-4, rtol=1e-3)


def test_random_is_reproducible_and_independent_of_the_batch() -> None:
    together = Random().answer(query(0, 1, 3), NO_MODEL).scores.values
    again = Random().answer(query(0, 1, 3), NO_MODEL).scores.values
    assert np.array_equal(together, again)
    alone = [Random().answer(query(c), NO_MODEL).scores.values for c in (0, 1, 3)]
    assert np.array_equal(together, np.concatenate(alone))
    backwards = Random().answer(query(3, 1, 0), NO_MODEL).scores.values
    assert np.array_equal(backwards, np.concatenate(alone[::-1]))


def test_random_differs_by_seed_clip_and_class() -> None:
    rows = Random().answer(query(0, 1, 3), NO_MODEL).scores.values
    other = Random().answer(query(0, 1, 3, seed=1), NO_MODEL).scores.values
    everything = [tuple(row) for row in [*rows.tolist(), *other.tolist()]]
    assert len(set(everything)) == len(everything)


def test_random_is_uniform() -> None:
    long = FrameGrid(1000.0, 0.1)
    values = Random().answer(query(0, 1, 3, grid=long), NO_MODEL).scores.values.ravel()
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, 10, (0, 1))[0]
    assert np.abs(counts / len(values) - 0.1).max() < 0.006  # four deviations of 40,000 draws


def test_always_on_is_on() -> None:
    got = AlwaysOn().answer(query(0, 1), NO_MODEL)
    assert got.mask is not None
    assert got.mask.shape == (3, 10)
    assert got.mask.all()
    assert len(np.unique(got.scores.values)) == 1


def test_the_oracle_answers_with_the_truth() -> None:
    truth = np.random.default_rng(1).random((3, 10)) < 0.4
    question = query(0, 1, truth=truth)
    got = Oracle().answer(question, NO_MODEL)
    assert np.array_equal(got.mask, truth)
    assert np.array_equal(got.scores.values, truth)
    assert got.mask is not None
    got.mask[:] = False
    assert truth.any()  # what it was given is not shared


def test_an_oracle_without_the_truth_says_so() -> None:
    with pytest.raises(SedbenchError, match="truth"):
        Oracle().answer(query(0, 1), NO_MODEL)


def test_what_they_say_of_themselves() -> None:
    assert RANDOM.stochastic
    assert not any(info.stochastic for info in (ALWAYS_ON, ENERGY, ORACLE))
    assert ORACLE.supervision == "oracle"
    assert ORACLE.needs == {"truth"}
    assert not any(info.needs for info in (RANDOM, ALWAYS_ON, ENERGY))
