"""Bounds: the classifier on windows against a click whose place is known, and the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from sedbench.errors import NotApplicable, SedbenchError, UsageError
from sedbench.metrics.pointing import pointing_hit
from sedbench.metrics.ranking import roc_auc
from sedbench.models.contract import Classifier
from sedbench.protocol.frames import quantise, resample
from sedbench.types import Answer, FrameGrid, Query
from sedbench_plugins.bounds import PRIOR, WINDOWS, build
from sedbench_plugins.bounds.prior import LocationPrior, triangle
from sedbench_plugins.bounds.windows import accepted, coverage, window_starts

RATE, SECONDS = 100, 10
QUIET, LOUD = -2.0, 3.0
GRID = FrameGrid(float(SECONDS), 0.1)


class Clicks(Classifier):
    """Hears a click of +1 as class 0, one of -1 as class 1; needs ``least`` samples."""

    def __init__(self, least: int = 1, silent: bool = False) -> None:
        super().__init__()
        self.classes, self.sample_rate = ("Up", "Down", "None"), RATE
        self.least, self.silent = least, silent
        self.lengths: list[int] = []
        self.passes = 0

    def features(self, waveform: Tensor) -> Tensor:
        return waveform[:, None]

    def logits(self, features: Tensor) -> Tensor:
        self.lengths.append(features.shape[-1])
        self.passes += len(features)
        if features.shape[-1] < self.least:
            if self.silent:  # the mean of no frames
                return torch.full((len(features), 3), torch.nan)
            raise RuntimeError("the kernel is larger than its input")
        clicks = torch.stack([features.amax((1, 2)), -features.amin((1, 2))], 1) > 0.5
        both = torch.cat([clicks, torch.zeros(len(features), 1, dtype=torch.bool)], 1)
        return torch.where(both, LOUD, QUIET)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(n_samples + 1) / RATE

    frame_edges = feature_edges


@dataclass
class Handle:
    net: Classifier
    device: str = "cpu"

    def classifier(self) -> Classifier:
        return self.net


def clicks(*at: float, sign: int = 1) -> NDArray[np.float32]:
    wave = np.zeros(RATE * SECONDS, np.float32)
    wave[[round(t * RATE) for t in at]] = sign
    return wave


def ask(
    net: Classifier, waves: NDArray[np.float32], pairs: Any = ((0, 0),), **params: Any
) -> Answer:
    defaults = {p.name: p.default for p in WINDOWS.params}
    names = tuple(f"test-{i:04d}" for i in range(len(waves)))
    query = Query(names, waves, RATE, np.array(pairs), net.classes, GRID)
    got = build(**{**defaults, **params}).answer(query, Handle(net))  # type: ignore[arg-type]
    assert got.scores.values.shape[0] == len(pairs)
    return got


def brute(wave: NDArray[np.float32], size: float, hop: float, middle: float) -> float:
    """Share of the windows around a moment that hold a click, window by window."""
    starts = np.arange(0, SECONDS - size + 1e-9, hop)
    if starts[-1] + size < SECONDS - 1e-9:
        starts = np.append(starts, SECONDS - size)
    over = [s for s in starts if s <= middle <= s + size]
    heard = [wave[round(s * RATE) : round((s + size) * RATE)].max() > 0.5 for s in over]
    return float(np.mean(heard))


def probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


# --- the classifier on windows ----------------------------------------------------------------


@pytest.mark.parametrize(("size", "hop"), [(1.0, 0.25), (0.5, 0.5), (2.0, 0.3), (0.3, 0.07)])
def test_it_peaks_where_every_window_holds_the_click(size: float, hop: float) -> None:
    wave = clicks(6.13)
    got = ask(Clicks(), wave[None], size=size, hop=hop)
    values, edges = got.scores.values[0], got.scores.edges
    assert edges[0] == 0 and edges[-1] == SECONDS
    middles = (edges[:-1] + edges[1:]) / 2
    share = np.array([brute(wave, size, hop, m) for m in middles])
    low, high = probability(QUIET), probability(LOUD)
    np.testing.assert_allclose(values, low + share * (high - low), atol=1e-9)
    best = np.flatnonzero(values >= values.max() - 1e-9)
    assert edges[best[0]] <= 6.13 <= edges[best[-1] + 1]
    assert (values[np.abs(middles - 6.13) > size] == pytest.approx(low)) is True


@given(at=st.integers(0, SECONDS * RATE - 1))
@settings(max_examples=25, deadline=None)
def test_wherever_the_click_is_the_highest_frame_of_the_grid_is_within_a_hop(at: int) -> None:
    got = ask(Clicks(), clicks(at / RATE)[None])
    on_grid = resample(got.scores, GRID)[0]
    hit = np.flatnonzero(on_grid >= on_grid.max() - 1e-9) * 0.1
    assert np.abs(hit + 0.05 - at / RATE).min() <= 0.25 + 0.05
    # At the ends fewer windows cover a frame, and one of them may be all there is.
    assert np.ptp(hit) <= 1.0


def test_logits_and_the_maximum() -> None:
    wave = clicks(5.0)[None]
    logits = ask(Clicks(), wave, score="logit").scores.values[0]
    assert logits.max() == pytest.approx(LOUD) and logits.min() == pytest.approx(QUIET)
    widest = ask(Clicks(), wave, pooling="max", score="logit").scores
    assert set(widest.values[0].tolist()) == {LOUD, QUIET}
    on = np.flatnonzero(widest.values[0] == LOUD)
    # Windows from 4.25 to 5.0 hold it, so it is smeared from 4.25 to 6.0.
    assert (widest.edges[on[0]], widest.edges[on[-1] + 1]) == (4.25, 6.0)


def test_the_classes_of_a_clip_share_its_passes() -> None:
    net = Clicks()
    waves = np.stack([clicks(2.0) + clicks(8.0, sign=-1), clicks(4.0)])
    got = ask(net, waves, pairs=[(0, 0), (0, 1), (1, 0)])
    assert got.cost.forward == net.passes == 2 * 37 + 1
    assert got.cost.backward == 0
    middles = (got.scores.edges[:-1] + got.scores.edges[1:]) / 2
    peaks = middles[got.scores.values.argmax(1)]
    assert np.abs(peaks - [2.0, 8.0, 4.0]).max() <= 0.25
    alone = ask(Clicks(), waves, pairs=[(1, 0)])
    assert np.array_equal(alone.scores.values[0], got.scores.values[2])


def test_the_default_costs_at_most_40_windows_for_10_seconds() -> None:
    rate = 16000
    defaults = {p.name: p.default for p in WINDOWS.params}
    for size in (0.5, 1.0, 2.0):
        starts = window_starts(10 * rate, round(size * rate), round(float(defaults["hop"]) * rate))
        assert len(starts) <= 40
        assert starts[-1] + round(size * rate) == 10 * rate


@given(
    total=st.integers(2, 400), length=st.integers(1, 399), hop=st.integers(1, 399)
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_every_sample_is_covered_by_the_windows_around_it(
    total: int, length: int, hop: int
) -> None:
    length = min(length, total - 1)
    hop = min(hop, length)
    starts = window_starts(total, length, hop)
    marks, covers = coverage(starts, length)
    assert marks[0] == 0 and marks[-1] == total and (np.diff(marks) > 0).all()
    assert covers.any(0).all()
    place = np.searchsorted(marks, np.arange(total), "right") - 1
    inside = (starts[:, None] <= np.arange(total)) & (np.arange(total) < starts[:, None] + length)
    assert np.array_equal(covers[:, place], inside)


def test_silence_keeps_the_length_and_the_place() -> None:
    net = Clicks(least=RATE * SECONDS)
    wave = clicks(6.13)[None]
    got = ask(net, wave, context="silence")
    assert set(net.lengths) == {RATE * SECONDS}
    assert got.cost.forward == net.passes == 37  # the model is not asked what it takes
    assert np.array_equal(got.scores.values, ask(Clicks(), wave).scores.values)


@pytest.mark.parametrize("silent", [False, True])
def test_a_window_that_is_too_short_gets_the_silence_that_it_needs(silent: bool) -> None:
    wave = clicks(6.13)[None]
    net = Clicks(least=133, silent=silent)
    got = ask(net, wave, size=1.0)
    assert set(net.lengths) == {100, 105, 110, 115, 120, 125, 130, 135}
    assert np.array_equal(got.scores.values, ask(Clicks(), wave).scores.values)


def test_a_model_that_takes_no_clip_says_why_itself() -> None:
    with pytest.raises(RuntimeError, match="kernel is larger"):
        accepted(Clicks(least=10**6), 100, 1000, "cpu")
    with pytest.raises(SedbenchError, match="no numbers"):
        accepted(Clicks(least=10**6, silent=True), 100, 1000, "cpu")
    assert accepted(Clicks(least=1000), 100, 1000, "cpu") == 1000


def test_out_of_memory_is_no_reason_to_try_longer_windows() -> None:
    class Full(Clicks):
        def logits(self, features: Tensor) -> Tensor:
            self.passes += 1
            raise torch.OutOfMemoryError("full")

    net = Full()
    with pytest.raises(torch.OutOfMemoryError):
        accepted(net, 100, 1000, "cpu")
    assert net.passes == 1


def test_windows_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="gaps"):
        build(0.5, 0.6, "probability", "mean", "none")
    with pytest.raises(NotApplicable, match="no shorter than the clip"):
        ask(Clicks(), clicks(1.0)[None], size=10.0)


def test_windows_say_what_they_are() -> None:
    assert (WINDOWS.kind, WINDOWS.supervision, WINDOWS.needs) == (
        "attribution",
        "none",
        frozenset({"model"}),
    )
    assert not WINDOWS.stochastic


# --- the middle of the clip -------------------------------------------------------------------


def prior(grid: FrameGrid, pairs: int = 1) -> Answer:
    rows = np.array([[0, i] for i in range(pairs)])
    waves = np.random.default_rng(0).normal(size=(1, 8)).astype(np.float32)
    no_model: Any = None  # never looked at
    return LocationPrior().answer(Query(("a-1",), waves, 8, rows, ("x", "y"), grid), no_model)


@given(frames=st.integers(1, 300), frame=st.sampled_from([0.1, 0.05, 0.32, 1 / 3]))
@settings(max_examples=60, deadline=None)
def test_the_prior_peaks_in_the_middle_and_is_the_same_both_ways(frames: int, frame: float) -> None:
    values = triangle(FrameGrid(frames * frame, frame).edges)
    assert np.array_equal(values, values[::-1])
    half = (frames + 1) // 2
    assert (np.diff(values[:half]) > 0).all()
    assert values.min() > 0 and values.max() <= 1
    assert np.array_equal(np.argsort(-values, kind="stable")[: 2 - frames % 2] + 0,
                          np.arange((frames - 1) // 2, frames // 2 + 1))  # fmt: skip


def test_every_pair_gets_the_same_and_ties_survive_the_grid() -> None:
    got = prior(GRID, pairs=2)
    assert np.array_equal(got.scores.values[0], got.scores.values[1])
    assert got.mask is None and got.cost.forward == 0
    stored = quantise(resample(got.scores, GRID))
    assert np.array_equal(stored, stored[:, ::-1])
    assert np.flatnonzero(stored[0] == stored[0].max()).tolist() == [49, 50]


def test_a_last_frame_that_is_shorter_does_not_move_the_middle() -> None:
    values = prior(FrameGrid(1.05, 0.1)).scores.values[0]
    assert values.argmax() == 5  # 0.5 to 0.6 s holds the middle, 0.525 s


@pytest.mark.parametrize("length", [1, 7, 30, 99])
def test_where_events_lie_anywhere_it_is_chance(length: int) -> None:
    # Every place once around the clip: none is better than another.
    first = np.arange(100) < length
    truth = np.stack([np.roll(first, k) for k in range(100)])
    scores = np.repeat(prior(GRID).scores.values, 100, axis=0)
    assert pointing_hit(scores, truth).mean() == pytest.approx(length / 100)
    assert roc_auc(scores, truth).mean() == pytest.approx(0.5)


@pytest.mark.parametrize("length", [10, 30, 60])
def test_where_events_lie_inside_their_clip_it_is_better_than_chance(length: int) -> None:
    # That is the bias: of 101 - length places, most cover the middle.
    first = np.arange(100) < length
    truth = np.stack([np.roll(first, k) for k in range(101 - length)])
    scores = np.repeat(prior(GRID).scores.values, len(truth), axis=0)
    covering = min(50, 100 - length) - max(0, 51 - length) + 1
    other = min(49, 100 - length) - max(0, 50 - length) + 1  # frame 49, which ties with frame 50
    expected = (covering + other) / 2 / len(truth)
    assert pointing_hit(scores, truth).mean() == pytest.approx(expected)
    assert expected > length / 100
    assert roc_auc(scores, truth).mean() > 0.5


def test_the_prior_says_what_it_is() -> None:
    assert (PRIOR.kind, PRIOR.supervision, PRIOR.needs) == ("baseline", "none", frozenset())
    assert PRIOR.params == () and not PRIOR.stochastic
