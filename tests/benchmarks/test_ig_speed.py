"""What sharing the forward pass among the classes of a clip gains, as a ratio in one run."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from sedbench.models.store import initialise
from sedbench.types import FrameGrid, Query
from sedbench.workers import one_thread
from sedbench_plugins.integrated_gradients import build
from sedbench_plugins.logmel_cnn.network import LogmelCnnFamily

CLASSES = ("a", "b", "c", "d")


class Handle:
    """An untrained network, as a method sees a model."""

    device = "cpu"

    def __init__(self) -> None:
        net = initialise(LogmelCnnFamily(), "classifier", CLASSES, 16000, 0).eval()
        self.net = net.for_inference()

    def classifier(self) -> Any:
        return self.net


def test_one_forward_pass_for_three_classes_beats_the_reference(benchmark: Any) -> None:
    rng = np.random.default_rng(0)
    wave = (rng.standard_normal((1, 80000)) * 0.05).astype(np.float32)
    pairs = np.array([[0, 0], [0, 1], [0, 3]])
    query = Query(("clip",), wave, 16000, pairs, CLASSES, FrameGrid(5.0))
    handle: Any = Handle()
    shared, reference = (
        build(16, "logmel", "silence", "abs", "trained", engine) for engine in ("shared", "captum")
    )
    with one_thread():
        want = reference.answer(query, handle)  # also warms up
        begun = time.perf_counter()
        for _ in range(3):
            reference.answer(query, handle)
        slow = (time.perf_counter() - begun) / 3
        got = benchmark(shared.answer, query, handle)
    assert np.allclose(got.scores.values, want.scores.values, rtol=1e-4, atol=1e-7)
    assert slow > 1.05 * benchmark.stats.stats.min
