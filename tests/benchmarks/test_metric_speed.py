"""Speed of scoring, as a ratio to a plain loop measured in the same run.

Seconds differ from machine to machine; that one call over all pairs beats a loop over pairs and
thresholds by far does not.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from sedbench.metrics import iou
from sedbench.protocol.thresholds import PERCENTILES, counts
from sedbench.stats import Resampling, weighted_mean

PAIRS, FRAMES = 100, 100


def test_counts_beat_a_loop(benchmark: Any) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(PAIRS, FRAMES))
    truth = rng.random((PAIRS, FRAMES)) < 0.3

    def fast() -> np.ndarray:
        found = counts(scores, truth, "percentile", PERCENTILES)
        return iou(found.tp, found.fp, found.fn)

    begun = time.perf_counter()
    slow = np.empty((PAIRS, len(PERCENTILES)))
    for i in range(PAIRS):
        for j, percentile in enumerate(PERCENTILES):
            mask = scores[i] > np.percentile(scores[i], percentile)
            slow[i, j] = (mask & truth[i]).sum() / (mask | truth[i]).sum()
    naive = time.perf_counter() - begun
    assert np.allclose(benchmark(fast), slow, atol=1e-12)
    assert naive > 10 * benchmark.stats.stats.min


def test_bootstrap_of_every_candidate_beats_a_loop(benchmark: Any) -> None:
    rng = np.random.default_rng(1)
    values = rng.random((300, 297))
    clip = np.repeat(np.arange(100), 3)
    names = [(f"g{g}",) for g in rng.integers(0, 60, 300)]
    resampling = Resampling(clip, names, n_clips=100)

    def fast() -> np.ndarray:
        return weighted_mean(values, resampling.weights(0, 10_000))

    begun = time.perf_counter()
    for replicate in range(100):
        drawn = np.random.default_rng(replicate).integers(0, 100, 100)
        rows = np.concatenate([np.flatnonzero(clip == c) for c in drawn])
        values[rows].mean(0)
    naive = 100 * (time.perf_counter() - begun)
    benchmark.pedantic(fast, rounds=2)
    assert naive > 3 * benchmark.stats.stats.min
