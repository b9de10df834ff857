"""Speed of paired differences in the bootstrap, as a ratio to a plain loop of the same run."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from sedbench.comparison import paired
from sedbench.ranks import ranks
from sedbench.stats import RESAMPLES, Resampling, weighted_mean

CLIPS, GROUPS, METHODS = 120, 80, 20


def test_every_difference_of_a_board_beats_a_loop(benchmark: Any) -> None:
    rng = np.random.default_rng(0)
    clip = np.repeat(np.arange(CLIPS), 2)
    group = rng.integers(0, GROUPS, 2 * CLIPS)
    values = rng.random((2 * CLIPS, METHODS))
    resampling = Resampling(clip, [(f"g{g}",) for g in group], n_clips=CLIPS)

    def fast() -> list[int | None]:
        replicates = weighted_mean(values, resampling.weights(0, RESAMPLES)).T
        return ranks(values.mean(0), replicates)

    few = 20  # replicates of one pair of methods, the way it is written down
    begun = time.perf_counter()
    differences = []
    for replicate in range(few):
        draw = np.random.default_rng(replicate)
        clips = draw.integers(0, CLIPS, CLIPS).tolist()
        groups = draw.integers(0, GROUPS, GROUPS).tolist()
        top, bottom = np.zeros(2), 0
        for pair in range(2 * CLIPS):
            weight = clips.count(int(clip[pair])) * groups.count(int(group[pair]))
            top += weight * values[pair, :2]
            bottom += weight
        differences.append(top[1] / bottom - top[0] / bottom)
    naive = (time.perf_counter() - begun) * RESAMPLES / few
    weights = resampling.weights(0, 2000)
    scatter = weighted_mean(values[:, :2], weights).T
    found = paired(*values.mean(0)[:2], *scatter)
    assert abs(np.std(differences) / found.sd - 1) < 0.6
    assert len(benchmark.pedantic(fast, rounds=2)) == METHODS
    assert naive > 3 * benchmark.stats.stats.min
