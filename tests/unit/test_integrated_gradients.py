"""Integrated Gradients: analytic cases, its reference implementation, and its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench import spec
from sedbench.errors import UsageError
from sedbench.models import weights
from sedbench.models.contract import Classifier
from sedbench.models.frontend import LogMel
from sedbench.models.store import ModelHandle, initialise
from sedbench.types import Answer, FrameGrid, Query
from sedbench_plugins.integrated_gradients import IG, STUDY, build
from sedbench_plugins.logmel_cnn import INFO as CNN
from sedbench_plugins.logmel_cnn import build as build_cnn

GRID = FrameGrid(1.0, 0.1)
CLASSES = ("Dog", "Cat", "Blender")
DEFAULTS: dict[str, Any] = {p.name: p.default for p in IG.params}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Linear(Classifier):
    """A model of which every attribution is known: weights times samples, 50 ms a frame."""

    def __init__(self, rate: int = 1000, seed: int = 0) -> None:
        super().__init__()
        self.classes, self.sample_rate, self.hop = CLASSES, rate, rate // 20
        generator = torch.Generator().manual_seed(seed)
        self.weight = torch.randn(len(CLASSES), self.hop, 20, generator=generator)
        self.mean = torch.linspace(-1, 1, self.hop)

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), 20, self.hop).transpose(1, 2)

    def logits(self, features: Tensor) -> Tensor:
        return torch.einsum("chf,bhf->bc", self.weight, features) + 3.0

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(21) * 0.05

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)

    def feature_mean(self) -> Tensor:
        return self.mean


class Clicks(Classifier):
    """Answers to energy above 4 kHz, and to nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.sample_rate = CLASSES, 16000
        self.front = LogMel(16000, window=1024, hop=800, bands=32)

    def features(self, waveform: Tensor) -> Tensor:
        out: Tensor = self.front(waveform)
        return out

    def logits(self, features: Tensor) -> Tensor:
        high = torch.logsumexp(features[:, 24:].flatten(1), 1)
        return high[:, None] * torch.tensor([1.0, 0.5, -1.0])

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.front.edges(n_samples)

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.front.edges(n_samples)


class Holding(ModelHandle):
    """A handle that holds one given model."""

    def __init__(self, model: Classifier) -> None:
        super().__init__(
            "toy", "t", model.classes, model.sample_rate, 0, "cpu", ("classifier",), lambda: None
        )
        self._loaded["classifier"] = model.eval()


def ask(model: Classifier | ModelHandle, question: Query, **params: Any) -> Answer:
    handle = model if isinstance(model, ModelHandle) else Holding(model)
    return build(**{**DEFAULTS, **params}).answer(question, handle)


def query(
    waveforms: NDArray[np.float32], rate: int, *pairs: tuple[int, int], seed: int = 0
) -> Query:
    names = tuple(f"test-{i:04d}" for i in range(len(waveforms)))
    return Query(names, waveforms, rate, np.array(pairs, np.int64), CLASSES, GRID, seed)


def noise(clips: int, rate: int, level: float = 0.1, seed: int = 0) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal((clips, rate))
    return (level * values).astype(np.float32)


@pytest.fixture(scope="module")
def cnn() -> Classifier:
    """A small convolutional network with random weights."""
    net = initialise(build_cnn(), "classifier", CLASSES, 16000, 1)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    return net.eval().for_inference()


# --- analytic ---------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["shared", "captum"])
@pytest.mark.parametrize("sign", ["abs", "positive", "signed"])
@pytest.mark.parametrize("baseline", ["silence", "mean"])
def test_a_linear_model_has_the_attribution_that_can_be_written_down(
    engine: str, sign: str, baseline: str
) -> None:
    model, waves = Linear(), noise(2, 1000)
    got = ask(
        model, query(waves, 1000, (0, 2), (1, 0), (1, 1)),
        engine=engine, sign=sign, baseline=baseline, steps=3,
    )  # fmt: skip
    base = model.mean[:, None] if baseline == "mean" else 0.0
    rise = model.features(torch.from_numpy(waves)) - base
    cells = torch.stack([model.weight[k] * rise[i] for i, k in ((0, 2), (1, 0), (1, 1))])
    if sign != "signed":
        cells = cells.abs() if sign == "abs" else cells.clamp_min(0)
    np.testing.assert_allclose(got.scores.values, cells.mean(1).numpy(), atol=2e-7)
    np.testing.assert_allclose(got.scores.edges, np.arange(21) * 0.05)
    assert got.resolution == pytest.approx(0.05)
    assert got.diagnostics["completeness_error"].shape == (3,)
    assert (got.diagnostics["completeness_error"] < 1e-4).all()


def test_a_waveform_is_attributed_sample_by_sample_and_averaged_over_the_grid() -> None:
    model, waves = Linear(), noise(1, 1000)
    got = ask(model, query(waves, 1000, (0, 1)), input="waveform", steps=3)
    cells = model.weight[1].T.reshape(-1).numpy() * waves[0]  # in order of time
    expected = np.abs(cells).reshape(10, 100).mean(1)
    np.testing.assert_allclose(got.scores.values[0], expected, atol=1e-7)
    np.testing.assert_allclose(got.scores.edges, GRID.edges)


def test_a_frame_of_the_grid_that_is_no_whole_number_of_samples() -> None:
    # 1060 Hz and 30 frames: 35.33 samples a frame, so 35 or 36.
    model, waves = Linear(rate=1060), noise(1, 1060)
    thirds = FrameGrid(1.0, 1 / 30)
    question = Query(("a",), waves, 1060, np.array([[0, 0]]), CLASSES, thirds)
    got = ask(model, question, input="waveform", sign="signed", steps=2)
    marks = np.round(thirds.edges * 1060).astype(int)
    cells = (model.weight[0].T.reshape(-1).numpy() * waves[0]).astype(np.float64)
    expected = [cells[a:b].mean() for a, b in pairwise(marks)]
    np.testing.assert_allclose(got.scores.values[0], expected, atol=1e-7)


# --- against the reference --------------------------------------------------------------------


@pytest.mark.parametrize("baseline", ["silence", "noise"])
@pytest.mark.parametrize("steps", [5, 20])  # fewer and more than are passed at once
def test_the_shared_engine_is_captums_sum(cnn: Classifier, baseline: str, steps: int) -> None:
    question = query(noise(2, 16000), 16000, (0, 0), (0, 2), (1, 1))
    shared, captum = (
        ask(cnn, question, engine=engine, baseline=baseline, steps=steps, sign="signed")
        for engine in ("shared", "captum")
    )
    scale = np.abs(captum.scores.values).max()
    assert scale > 0
    np.testing.assert_allclose(shared.scores.values, captum.scores.values, atol=1e-5 * scale)
    assert (shared.cost.forward, shared.cost.backward) == (2 * (2 + steps), 3 * steps)
    assert (captum.cost.forward, captum.cost.backward) == (2 * 2 + 3 * steps, 3 * steps)


def test_attributions_add_up_to_the_rise_of_the_logit(cnn: Classifier) -> None:
    question = query(noise(2, 16000), 16000, (0, 0), (0, 1), (1, 2))
    got = ask(cnn, question, sign="signed", baseline="noise", steps=50)
    error = got.diagnostics["completeness_error"]
    assert (error < 0.02).all()
    # Checked from outside too: the sum of the frames, with 64 bands each.
    silent = ask(cnn, question, sign="signed", steps=50)
    with torch.no_grad():
        clips = torch.from_numpy(question.waveforms)
        rise = (cnn(clips) - cnn(torch.zeros_like(clips))).numpy()
    found = silent.scores.values.sum(1) * 64
    expected = rise[question.pairs[:, 0], question.pairs[:, 1]]
    np.testing.assert_allclose(
        np.abs(found - expected) / np.abs(expected),
        silent.diagnostics["completeness_error"],
        atol=1e-4,
    )


def test_more_steps_come_closer_to_completeness() -> None:
    question = query(noise(1, 16000), 16000, (0, 0))
    few, many = (
        ask(Clicks(), question, input="waveform", steps=steps).diagnostics["completeness_error"][0]
        for steps in (4, 100)
    )
    assert many < few / 3


# --- when ------------------------------------------------------------------------------------


@pytest.mark.parametrize("input", ["logmel", "waveform"])
@pytest.mark.parametrize("at", [0.125, 0.475, 0.85])
def test_a_click_is_found_where_it_is(input: str, at: float) -> None:
    time = np.arange(16000) / 16000
    wave = (0.05 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)  # heard, but not answered to
    wave[round(at * 16000)] += 0.5
    got = ask(Clicks(), query(wave[None], 16000, (0, 0)), input=input, steps=20)
    peak = int(got.scores.values[0].argmax())
    low, high = got.scores.edges[peak], got.scores.edges[peak + 1]
    assert low - got.resolution <= at <= high + got.resolution
    loudest = np.sort(got.scores.values[0])
    assert loudest[-1] > 5 * loudest[len(loudest) // 2]


def test_a_class_that_the_click_speaks_against_has_a_negative_share() -> None:
    wave = np.zeros((1, 16000), np.float32)
    wave[0, 8000] = 0.5
    question = query(wave, 16000, (0, 0), (0, 2))
    signed = ask(Clicks(), question, sign="signed").scores.values
    positive = ask(Clicks(), question, sign="positive").scores.values
    assert signed[0].sum() > 0 > signed[1].sum()
    np.testing.assert_allclose(signed[1], -signed[0], atol=1e-6)
    assert positive[0].max() > 1e-2
    assert not positive[1].any()


# --- parameters -------------------------------------------------------------------------------


@pytest.mark.parametrize("input", ["logmel", "waveform"])
def test_the_three_signs_fit_together(cnn: Classifier, input: str) -> None:
    question = query(noise(1, 16000), 16000, (0, 0))
    absolute, positive, signed = (
        ask(cnn, question, sign=sign, input=input, steps=4).scores.values
        for sign in ("abs", "positive", "signed")
    )
    np.testing.assert_allclose(absolute, 2 * positive - signed, atol=1e-6 * absolute.max())
    assert (absolute > positive).all()
    assert (positive >= signed).all()


def test_the_noise_baseline_is_one_draw_a_clip_and_seed(cnn: Classifier) -> None:
    waves = np.repeat(noise(1, 16000), 2, axis=0)
    question = query(waves, 16000, (0, 0), (1, 0))
    one = ask(cnn, question, baseline="noise", steps=2).scores.values
    again = ask(cnn, question, baseline="noise", steps=2).scores.values
    other = ask(cnn, query(waves, 16000, (0, 0), (1, 0), seed=1), baseline="noise", steps=2)
    assert np.array_equal(one, again)
    assert not np.array_equal(one[0], one[1])  # same sound, another clip id
    assert not np.array_equal(one, other.scores.values)
    silent = [
        ask(cnn, query(waves, 16000, (0, 0), (1, 0), seed=seed), steps=2).scores.values
        for seed in (0, 1)
    ]
    assert np.array_equal(*silent)
    assert np.array_equal(silent[0][0], silent[0][1])


def test_the_mean_baseline_is_the_training_mean(cnn: Classifier) -> None:
    class AtMean(Clicks):
        def features(self, waveform: Tensor) -> Tensor:
            return self.feature_mean()[:, None].expand(len(waveform), 32, 20).clone()

        def feature_mean(self) -> Tensor:
            return torch.linspace(-3, -1, 32)

    at_mean = ask(AtMean(), query(noise(1, 16000), 16000, (0, 0)), baseline="mean", steps=2)
    assert not at_mean.scores.values.any()  # the path has no length
    question = query(noise(1, 16000), 16000, (0, 0))
    mean, silence = (
        ask(cnn, question, baseline=b, steps=4).scores.values for b in ("mean", "silence")
    )
    assert not np.allclose(mean, silence)


def test_a_waveform_has_no_mean_frame() -> None:
    with pytest.raises(UsageError, match="baseline=mean") as caught:
        build(**{**DEFAULTS, "input": "waveform", "baseline": "mean"})
    assert caught.value.exit_code == 2
    assert "input=logmel" in caught.value.hint


def test_the_presets_as_they_are_named() -> None:
    for info, input in ((IG, "logmel"), (STUDY, "waveform")):
        values = spec.resolve(spec.parse(info.name), info)
        method = build(**values)
        assert (method.steps, method.input, method.baseline) == (50, input, "silence")
        assert (method.sign, method.control, method.engine) == ("abs", False, "shared")
    control = spec.resolve(spec.parse("ig[weights=random]"), IG)
    assert build(**control).control


# --- the control row, and batches -------------------------------------------------------------


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelHandle:
    """A handle on weights that lie in a data folder."""
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path))
    net = initialise(build_cnn(), "classifier", CLASSES, 16000, 5)
    net.fit_features(torch.full((64,), -8.0), torch.full((64,), 2.0))
    path = weights.local_root(CNN.name) / "toy" / "classifier-s0.safetensors"
    weights.save(path, net.state_dict(), {})
    return ModelHandle(CNN.name, "toy", CLASSES, 16000, 0, "cpu", CNN.variants, build_cnn)


def test_the_control_leaves_the_model_and_torchs_generator_alone(trained: ModelHandle) -> None:
    question = query(noise(1, 16000), 16000, (0, 0))
    before = ask(trained, question, steps=2).scores.values
    kept = {k: v.clone() for k, v in trained.classifier().state_dict().items()}
    state = torch.random.get_rng_state()
    control = ask(trained, question, steps=2, weights="random").scores.values
    assert torch.random.get_rng_state().equal(state)
    for name, value in trained.classifier().state_dict().items():
        assert value.equal(kept[name])
    assert np.array_equal(ask(trained, question, steps=2).scores.values, before)
    assert not np.allclose(control, before)


def test_the_control_is_a_function_of_the_seed(trained: ModelHandle) -> None:
    def control(seed: int) -> NDArray[Any]:
        question = query(noise(1, 16000), 16000, (0, 0), seed=seed)
        return np.asarray(ask(trained, question, steps=2, weights="random").scores.values)

    assert np.array_equal(control(3), control(3))
    assert not np.array_equal(control(3), control(4))


def test_the_control_keeps_the_datas_statistics(trained: ModelHandle) -> None:
    control = trained.randomised(3)
    assert control.feature_mean().equal(torch.full((64,), -8.0))
    (first,) = (p for n, p in control.named_parameters() if n == "trunk.conv1.weight")
    (other,) = (p for n, p in trained.classifier().named_parameters() if n == "trunk.conv1.weight")
    assert not first.equal(other)


@pytest.mark.parametrize("params", [{}, {"baseline": "noise"}, {"input": "waveform"}])
def test_a_clip_is_answered_alike_alone_and_in_company(
    cnn: Classifier, params: dict[str, Any]
) -> None:
    waves = noise(2, 16000)
    together = ask(cnn, query(waves, 16000, (0, 0), (0, 2), (1, 1)), steps=4, **params)
    second = Query(("test-0001",), waves[1:], 16000, np.array([[0, 1]]), CLASSES, GRID)
    alone = ask(cnn, second, steps=4, **params)
    assert np.array_equal(together.scores.values[2:], alone.scores.values)
    first = Query(("test-0000",), waves[:1], 16000, np.array([[0, 2]]), CLASSES, GRID)
    one_class = ask(cnn, first, steps=4, **params)
    assert np.array_equal(together.scores.values[1:2], one_class.scores.values)
