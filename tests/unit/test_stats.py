"""The frozen generator, the crossed bootstrap and its intervals."""

from __future__ import annotations

import numpy as np
import pytest

from sedbench.stats import (
    Resampling,
    blocks,
    multinomial_counts,
    percentile_interval,
    random_uint64,
    splitmix64,
    weighted_mean,
)


def test_splitmix64_equals_the_published_sequence() -> None:
    state = np.array([1234567], np.uint64) + np.arange(1, 6, dtype=np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    assert splitmix64(state).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_streams_are_frozen() -> None:
    assert random_uint64(0, 0, 0, 3).tolist() == [
        2558736989570252433,
        17913671590881668180,
        5125111896206277188,
    ]
    assert random_uint64(7, 2, 1000, 3).tolist() == [
        6476620767888863396,
        7570407069675144497,
        18060082328562938232,
    ]
    assert multinomial_counts(6, 0, 2, seed=0, stream=0).tolist() == [
        [1, 2, 0, 1, 0, 2],
        [0, 3, 0, 1, 1, 1],
    ]


def test_blocks_of_a_stream_join() -> None:
    whole = multinomial_counts(13, 0, 50, seed=3, stream=1)
    parts = [multinomial_counts(13, first, n, seed=3, stream=1) for first, n in blocks(50, 1, 1e-4)]
    assert len(parts) > 1
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.all(whole.sum(1) == 13)


def test_draws_are_uniform_and_streams_differ() -> None:
    counts = multinomial_counts(10, 0, 20_000, seed=1, stream=0)
    assert counts.mean(0) == pytest.approx(np.ones(10), abs=0.03)
    assert counts.var(0) == pytest.approx(np.full(10, 0.9), abs=0.04)
    other = multinomial_counts(10, 0, 20_000, seed=1, stream=1)
    assert abs(np.corrcoef(counts[:, 0], other[:, 0])[0, 1]) < 0.03


def test_weight_is_clip_count_times_mean_group_count() -> None:
    clip = np.array([0, 0, 1, 2])
    groups = [("a",), ("a", "b"), ("b", "c", "c"), ()]
    sampling = Resampling(clip, groups, n_clips=4, seed=5)
    clips = multinomial_counts(4, 0, 9, seed=5, stream=0)
    drawn = multinomial_counts(3, 0, 9, seed=5, stream=1)
    a, b, c = drawn.T
    expected = clips[:, clip] * np.stack([a, (a + b) / 2, (b + c) / 2, np.ones(9)], axis=1)
    assert sampling.scale == 2
    assert np.array_equal(sampling.weights(0, 9), 2 * expected)
    assert np.array_equal(sampling.ones(), [[2, 2, 2, 2]])


def test_without_groups_it_is_a_bootstrap_of_clips() -> None:
    sampling = Resampling(np.arange(5), [()] * 5, n_clips=5)
    assert np.array_equal(sampling.weights(0, 7), multinomial_counts(5, 0, 7, seed=0, stream=0))


def test_intervals_cover_a_crossed_mean() -> None:
    rng = np.random.default_rng(0)
    clips, groups = np.divmod(np.arange(300), 10)
    groups = (groups + clips * 3) % 15
    names = [(f"g{g}",) for g in groups]
    hits, widths, naive = 0, [], []
    for trial in range(150):
        value = (rng.normal(size=30)[clips] + rng.normal(size=15)[groups] + rng.normal(size=300))[
            :, None
        ]
        weights = Resampling(clips, names, n_clips=30, seed=trial).weights(0, 400)
        low, high = percentile_interval(weighted_mean(value, weights).T)
        hits += bool(low[0] <= 0 <= high[0])
        widths.append(high[0] - low[0])
        naive.append(2 * 1.96 * value.std() / np.sqrt(300))
    assert 0.88 <= hits / 150 <= 1.0
    # The point of it: pairs are not independent, and intervals that say so are much wider.
    assert np.mean(widths) > 2 * np.mean(naive)


def test_percentile_interval_is_linear_and_leaves_out_the_undefined() -> None:
    values = np.random.default_rng(1).normal(size=(2, 1001))
    values[1, ::7] = np.nan
    values = np.concatenate([values, np.full((1, 1001), np.nan)])
    low, high = percentile_interval(values)
    assert low[0] == pytest.approx(np.percentile(values[0], 2.5), abs=1e-12)
    assert high[1] == pytest.approx(np.nanpercentile(values[1], 97.5), abs=1e-12)
    assert np.isnan(low[2]) and np.isnan(high[2])
    one = percentile_interval(np.array([[3.0]]))
    assert (one[0][0], one[1][0]) == (3, 3)
    assert np.isnan(percentile_interval(np.zeros((1, 0)))[0][0])


def test_a_replicate_that_drew_nothing_is_undefined() -> None:
    means = weighted_mean(np.array([[1.0], [3.0]]), np.array([[0.0, 0.0], [1.0, 3.0]]))
    assert np.isnan(means[0, 0]) and means[1, 0] == 2.5


@pytest.mark.parametrize("resamples", [0, 1, 7, 10_000])
def test_blocks_cover_every_replicate_once(resamples: int) -> None:
    seen = [r for first, n in blocks(resamples, 2_000, 1) for r in range(first, first + n)]
    assert seen == list(range(resamples))
