"""Framewise detectors on random weights that lie in a data folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sedbench import spec
from sedbench.errors import MissingDataError, NotApplicable, UsageError
from sedbench.models import weights
from sedbench.models.store import ModelHandle, initialise
from sedbench.types import FrameGrid, Query
from sedbench_plugins.detectors import FW_SS, FW_WS, build_strong, build_weak
from sedbench_plugins.logmel_cnn import INFO, build
from sedbench_plugins.poolings import POOLINGS

CLASSES = ("Dog", "Cat", "Blender")
GRID = FrameGrid(1.0, 0.1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path))
    return tmp_path


def save(variant: str, seed: int) -> None:
    net = initialise(build(), variant, CLASSES, 16000, seed)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    path = weights.local_root(INFO.name) / "toy" / f"{variant}-s0.safetensors"
    weights.save(path, net.state_dict(), {})


@pytest.fixture
def handle() -> ModelHandle:
    """Weights of every variant, each of its own."""
    for seed, variant in enumerate(INFO.variants):
        save(variant, seed)
    return empty_handle()


def empty_handle(variants: tuple[str, ...] = INFO.variants) -> ModelHandle:
    return ModelHandle(INFO.name, "toy", CLASSES, 16000, 0, "cpu", variants, build)


def query(clips: int, *pairs: tuple[int, int]) -> Query:
    waves = np.random.default_rng(0).standard_normal((clips, 16000)).astype(np.float32) * 0.1
    names = tuple(f"test-{i:04d}" for i in range(clips))
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    return Query(names, waves, 16000, rows, CLASSES, GRID)


@pytest.mark.parametrize(
    ("detector", "variant"),
    [
        (build_weak("linear"), "fw-ws-linear"),
        (build_weak("max"), "fw-ws-max"),
        (build_weak("attention"), "fw-ws-attention"),
        (build_weak("self-attention"), "fw-ws-self-attention"),
        (build_strong(), "fw-ss"),
    ],
)
def test_it_answers_with_the_probabilities_of_its_own_variant(
    handle: ModelHandle, detector: object, variant: str
) -> None:
    question = query(2, (0, 1), (1, 0), (1, 2))
    got = detector.answer(question, handle)  # type: ignore[attr-defined]
    net = handle.variant(variant)
    with torch.no_grad():
        features = net.features(torch.from_numpy(question.waveforms))
        frames = torch.sigmoid(net.frame_logits(features)).numpy()
        clips = torch.sigmoid(net.logits(features)).numpy()
    expected = [frames[clip, label] for clip, label in question.pairs.tolist()]
    np.testing.assert_allclose(got.scores.values, expected, rtol=1e-6)
    np.testing.assert_allclose(got.decisions, clips, rtol=1e-6)
    np.testing.assert_allclose(got.scores.edges, np.arange(11) * 0.1, atol=1e-12)
    assert got.resolution == pytest.approx(0.1)
    assert (got.cost.forward, got.cost.backward) == (2, 0)
    assert got.mask is None


def test_pooling_is_what_tells_the_two_weak_ones_apart(handle: ModelHandle) -> None:
    question = query(1, (0, 1))
    linear = build_weak("linear").answer(question, handle)
    largest = build_weak("max").answer(question, handle)
    assert not np.allclose(linear.scores.values, largest.scores.values)
    assert largest.decisions is not None
    assert largest.decisions[0, 1] == pytest.approx(largest.scores.values[0].max(), rel=1e-6)
    p = linear.scores.values[0].astype(float)
    assert linear.decisions is not None
    assert linear.decisions[0, 1] == pytest.approx((p**2).sum() / p.sum(), rel=1e-4)


def test_clips_without_a_pair_are_decided_all_the_same(handle: ModelHandle) -> None:
    got = build_strong().answer(query(2), handle)
    assert got.scores.values.shape == (0, 10)
    assert got.decisions is not None
    assert got.decisions.shape == (2, 3)


def test_a_clip_is_answered_alike_alone_and_in_company(handle: ModelHandle) -> None:
    both = build_strong().answer(query(2, (0, 1), (1, 0)), handle)
    alone = build_strong().answer(query(1, (0, 1)), handle)
    np.testing.assert_allclose(both.scores.values[:1], alone.scores.values, rtol=1e-5)


def test_weights_that_nobody_trained_are_asked_for() -> None:
    save("classifier", 0)
    with pytest.raises(MissingDataError) as caught:
        build_strong().answer(query(1, (0, 1)), empty_handle())
    assert "sedbench train fw-ss --model logmel-cnn --task toy --seed 0" in caught.value.hint


def test_a_family_without_the_variant_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="fw-ss"):
        build_strong().answer(query(1, (0, 1)), empty_handle(("classifier",)))


def test_parameters() -> None:
    assert spec.resolve(spec.parse("fw-ws"), FW_WS) == {"pooling": "linear"}
    assert (
        build_weak(**spec.resolve(spec.parse("fw-ws[pooling=max]"), FW_WS)).variant == "fw-ws-max"
    )
    with pytest.raises(UsageError):
        spec.resolve(spec.parse("fw-ws[pooling=median]"), FW_WS)
    assert (FW_WS.supervision, FW_SS.supervision) == ("weak", "strong")
    assert set(POOLINGS) == set(FW_WS.params[0].choices)
    for pooling in POOLINGS:
        assert build_weak(pooling).variant in INFO.variants


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_pooling_without_weights_says_how_to_train_it(pooling: str) -> None:
    with pytest.raises(MissingDataError) as caught:
        build_weak(pooling).answer(query(1, (0, 1)), empty_handle())
    line = f"sedbench train fw-ws-{pooling} --model logmel-cnn --task toy --seed 0"
    assert line in caught.value.hint
