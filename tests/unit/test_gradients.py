"""The gradient family: analytic cases, Captum's own answers, and what must not happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench import spec
from sedbench.errors import NotApplicable, UsageError
from sedbench.models.contract import Classifier
from sedbench.models.frontend import LogMel
from sedbench.models.store import ModelHandle, initialise
from sedbench.types import Answer, FrameGrid, MethodInfo, Query
from sedbench_plugins import gradients as family
from sedbench_plugins.attribution import in_parts
from sedbench_plugins.gradients.expected import Expected
from sedbench_plugins.gradients.method import Case
from sedbench_plugins.logmel_cnn import build as build_cnn

GRID = FrameGrid(1.0, 0.1)
CLASSES = ("Dog", "Cat", "Blender")
METHODS: dict[str, tuple[MethodInfo, Callable[..., Any]]] = {}
family.sedbench_register_methods(lambda info, factory: METHODS.update({info.name: (info, factory)}))
QUICK = {"smoothgrad": {"samples": 3}, "expected-gradients": {"steps": 3, "draws": 2}}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Framed(Classifier):
    """Features are the samples of each 50 ms, raised by one: silence is not zero."""

    def __init__(self, rate: int = 200) -> None:
        super().__init__()
        self.classes, self.sample_rate, self.hop = CLASSES, rate, rate // 20

    def features(self, waveform: Tensor) -> Tensor:
        return 1.0 + waveform.reshape(len(waveform), 20, self.hop).transpose(1, 2)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(21) * 0.05

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)

    def feature_mean(self) -> Tensor:
        return torch.linspace(0, 2, self.hop)


class Linear(Framed):
    """Each logit is a weighted sum of the features."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(len(CLASSES), self.hop, 20, generator=generator)

    def logits(self, features: Tensor) -> Tensor:
        return torch.einsum("chf,bhf->bc", self.weight, features) + 3.0


class Windowed(Framed):
    """Hears frames 5 to 7 and nothing else, through ReLU modules."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.inner, self.outer = nn.Linear(3 * self.hop, 16), nn.Linear(16, len(CLASSES))
        self.relu = nn.ReLU()

    def logits(self, features: Tensor) -> Tensor:
        return torch.as_tensor(self.outer(self.relu(self.inner(features[:, :, 5:8].flatten(1)))))


class Holding(ModelHandle):
    """A handle that holds one given model."""

    def __init__(self, model: Classifier) -> None:
        super().__init__(
            "toy", "t", model.classes, model.sample_rate, 0, "cpu", ("classifier",), lambda: None
        )
        model.eval().requires_grad_(False)
        self._loaded["classifier"] = model


def ask(name: str, model: Classifier, question: Query, **params: Any) -> Answer:
    info, factory = METHODS[name]
    values: dict[str, Any] = {p.name: p.default for p in info.params}
    answer = factory(**(values | QUICK.get(name, {}) | params)).answer(question, Holding(model))
    assert isinstance(answer, Answer)
    return answer


def query(
    waveforms: NDArray[np.float32], rate: int, *pairs: tuple[int, int], seed: int = 0
) -> Query:
    names = tuple(f"test-{i:04d}" for i in range(len(waveforms)))
    return Query(names, waveforms, rate, np.array(pairs, np.int64), CLASSES, GRID, seed)


def noise(clips: int, rate: int, seed: int = 0) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal((clips, rate))
    return (0.1 * values).astype(np.float32)


@pytest.fixture(scope="module")
def cnn() -> Classifier:
    net = initialise(build_cnn(), "classifier", CLASSES, 16000, 1)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    return net.eval().for_inference()


# --- analytic ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["saliency", "smoothgrad"])
def test_the_gradient_of_a_linear_model_is_its_weights(name: str) -> None:
    model = Linear()
    got = ask(name, model, query(noise(2, 200), 200, (0, 2), (1, 0), (1, 1)), sign="signed")
    np.testing.assert_allclose(
        got.scores.values, model.weight[[2, 0, 1]].mean(1).numpy(), atol=1e-6
    )
    absolute = ask(name, model, query(noise(1, 200), 200, (0, 2)))
    np.testing.assert_allclose(absolute.scores.values[0], model.weight[2].abs().mean(0), atol=1e-6)
    np.testing.assert_allclose(got.scores.edges, np.arange(21) * 0.05)
    assert got.resolution == pytest.approx(0.05)


@pytest.mark.parametrize("origin", ["silence", "mean", "zero"])
@pytest.mark.parametrize("engine", ["shared", "captum"])
def test_times_the_input_is_what_each_cell_adds_to_the_origin(origin: str, engine: str) -> None:
    model, waves = Linear(), noise(1, 200)
    got = ask(
        "input-x-gradient", model, query(waves, 200, (0, 1), (0, 2)),
        origin=origin, engine=engine, sign="signed",
    )  # fmt: skip
    x = model.features(torch.from_numpy(waves))[0]
    start = {"silence": torch.ones(10), "mean": model.feature_mean(), "zero": torch.zeros(10)}
    cells = model.weight[1:] * (x - start[origin][:, None])
    np.testing.assert_allclose(got.scores.values, cells.mean(1).numpy(), atol=1e-6)


@pytest.mark.parametrize("sign", ["abs", "positive", "signed"])
def test_expected_gradients_of_a_linear_model(sign: str) -> None:
    model, waves = Linear(), noise(1, 200)
    question = query(waves, 200, (0, 0), (0, 1))
    got = ask("expected-gradients", model, question, sign=sign, baselines="silence+mean+noise")
    x = model.features(torch.from_numpy(waves))[0]
    rule = Expected(3, ("silence", "mean", "noise"), 2, -80.0, -40.0)
    bases = torch.stack(rule.baselines(case(model, question)))
    assert bases.shape == (4, 10, 20)
    cells = model.weight[:2] * (x - bases.mean(0))
    if sign != "signed":
        cells = cells.abs() if sign == "abs" else cells.clamp_min(0)
    np.testing.assert_allclose(got.scores.values, cells.mean(1).numpy(), atol=1e-6)
    assert (got.diagnostics["completeness_error"] < 1e-4).all()


def case(model: Classifier, question: Query, targets: tuple[int, ...] = (0,)) -> Case:
    wave = torch.from_numpy(question.waveforms[0])
    x = model.features(wave[None])[0]
    return Case(model, wave, x, list(targets), lambda *stream: question.rng(0, *stream))


@pytest.mark.parametrize("name", METHODS)
def test_a_model_that_hears_one_window_is_explained_by_it(name: str) -> None:
    model = Windowed()
    question = query(noise(2, 200), 200, (0, 0), (0, 1), (1, 2))
    for params in ({}, {"average": "variance"} if name == "smoothgrad" else {"sign": "signed"}):
        values = ask(name, model, question, **params).scores.values
        assert not np.delete(values, [5, 6, 7], axis=1).any()
        assert np.abs(values[:, 5:8]).sum(1).min() > 0
    raw = ask(name, model, question, input="waveform")
    # Frames 5 to 7 of 50 ms are 0.25 s to 0.4 s: within frames 2 and 3 of the grid.
    assert not np.delete(raw.scores.values, [2, 3], axis=1).any()
    assert raw.scores.values[:, 2:4].min() > 0
    np.testing.assert_allclose(raw.scores.edges, GRID.edges)


def test_the_three_ways_back_through_a_relu() -> None:
    class Tiny(Framed):
        def __init__(self) -> None:
            super().__init__(20)  # one sample a frame
            self.relu = nn.ReLU()

        def logits(self, features: Tensor) -> Tensor:
            # Frames 0 and 1 are silent (a one), frames 2 and 3 go below zero.
            signs = torch.tensor([1.0, 1.0, -1.0, -1.0])
            y = self.relu(features[:, 0, :4] * signs)
            return (y * torch.tensor([2.0, -3.0, 4.0, -5.0])).sum(1)[:, None].expand(-1, 3)

    waves = np.zeros((1, 20), np.float32)
    expected = {
        "saliency": [2, -3, 0, 0],
        "deconvnet": [2, 0, -4, 0],
        "guided-backprop": [2, 0, 0, 0],
    }
    for name, slopes in expected.items():
        got = ask(name, Tiny(), query(waves, 20, (0, 0)), sign="signed").scores.values[0]
        np.testing.assert_allclose(got, [*slopes, *[0] * 16])


# --- against captum ---------------------------------------------------------------------------


@pytest.mark.parametrize("input", ["logmel", "waveform"])
@pytest.mark.parametrize("name", ["saliency", "input-x-gradient", "guided-backprop", "deconvnet"])
def test_the_shared_engine_finds_what_captum_finds(cnn: Classifier, name: str, input: str) -> None:
    question = query(noise(2, 16000), 16000, (0, 0), (0, 2), (1, 1))
    shared, captum = (
        ask(name, cnn, question, engine=engine, input=input, sign="signed")
        for engine in ("shared", "captum")
    )
    scale = np.abs(captum.scores.values).max()
    assert scale > 0
    np.testing.assert_allclose(shared.scores.values, captum.scores.values, atol=1e-5 * scale)
    assert (shared.cost.forward, shared.cost.backward) == (2, 3)
    assert captum.cost.backward == 3
    assert captum.cost.forward == 3 + (2 if name in ("guided-backprop", "deconvnet") else 0)


@pytest.mark.parametrize(
    ("average", "kind"),
    [("mean", "smoothgrad"), ("square", "smoothgrad_sq"), ("variance", "vargrad")],
)
def test_smoothgrad_is_captums_noise_tunnel_with_this_noise(
    cnn: Classifier, monkeypatch: pytest.MonkeyPatch, average: str, kind: str
) -> None:
    question = query(noise(1, 16000), 16000, (0, 0), (0, 2))
    got = ask("smoothgrad", cnn, question, samples=11, average=average, sign="signed")
    x = cnn.features(torch.from_numpy(question.waveforms))
    draws = iter(
        [
            torch.from_numpy(question.rng(0, 5, i).standard_normal((64, 20), dtype=np.float32))
            for i in range(11)
        ]
        * 2
    )
    monkeypatch.setattr(torch, "normal", lambda _, spread: next(draws)[None] * spread)
    tunnel = NoiseTunnel(Saliency(cnn.logits))
    for row, target in enumerate((0, 2)):
        expected = tunnel.attribute(
            x, nt_type=kind, nt_samples=11, nt_samples_batch_size=1, target=target, abs=False,
            stdevs=float(0.15 * (x.max() - x.min())),
        )[0].mean(0).detach().numpy()  # fmt: skip
        scale = np.abs(expected).max()
        np.testing.assert_allclose(got.scores.values[row], expected, atol=2e-5 * scale)
    assert (got.cost.forward, got.cost.backward) == (11, 22)


def test_expected_gradients_are_the_mean_of_captums_integrated_gradients(cnn: Classifier) -> None:
    question = query(noise(1, 16000), 16000, (0, 1))
    got = ask("expected-gradients", cnn, question, steps=20, draws=2, sign="signed")
    here = case(cnn, question)
    bases = Expected(20, ("silence", "noise"), 2, -80.0, -40.0).baselines(here)
    reference = IntegratedGradients(cnn.logits)
    cells = torch.stack(
        [reference.attribute(here.x[None], b[None], target=1, n_steps=20)[0] for b in bases]
    ).mean(0)
    expected = cells.mean(0).numpy()
    np.testing.assert_allclose(got.scores.values[0], expected, atol=1e-5 * np.abs(expected).max())
    with torch.no_grad():
        ends = cnn.logits(torch.stack([here.x, *bases]))[:, 1]
    rise = float(ends[0] - ends[1:].mean())
    error = abs(got.scores.values[0].sum() * 64 - rise) / abs(rise)
    assert got.diagnostics["completeness_error"][0] == pytest.approx(error, abs=1e-4)
    assert error < 0.05
    assert (got.cost.forward, got.cost.backward) == (3 * 20 + 4, 3 * 20)


def test_the_noises_have_the_levels_that_were_asked_for() -> None:
    question = query(noise(1, 16000), 16000, (0, 0))

    wave = torch.from_numpy(question.waveforms[0])
    here = Case(Linear(), wave, wave, [0], lambda *stream: question.rng(0, *stream))
    found = Expected(1, ("noise",), 3, -80.0, -40.0).baselines(here)
    levels = [20 * np.log10(float(b.square().mean().sqrt())) for b in found]
    np.testing.assert_allclose(levels, [-80, -60, -40], atol=0.2)
    (middle,) = Expected(1, ("noise",), 1, -80.0, -40.0).baselines(here)
    assert 20 * np.log10(float(middle.square().mean().sqrt())) == pytest.approx(-60, abs=0.2)


# --- smoothgrad's noise -----------------------------------------------------------------------


def test_without_noise_smoothgrad_is_saliency(cnn: Classifier) -> None:
    question = query(noise(1, 16000), 16000, (0, 0))
    plain = ask("saliency", cnn, question).scores.values
    still = ask("smoothgrad", cnn, question, noise=0.0).scores.values
    np.testing.assert_allclose(still, plain, rtol=1e-4, atol=1e-9)
    variance = ask("smoothgrad", cnn, question, noise=0.0, average="variance").scores.values
    assert variance.max() < 1e-6 * plain.max() ** 2


@pytest.mark.parametrize("name", ["smoothgrad", "expected-gradients"])
def test_noise_is_one_draw_a_clip_and_seed(cnn: Classifier, name: str) -> None:
    waves = np.repeat(noise(1, 16000), 2, axis=0)
    one, again, other = (
        ask(name, cnn, query(waves, 16000, (0, 0), (1, 0), seed=seed)).scores.values
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one[0], one[1])  # same sound, another clip id
    assert not np.array_equal(one, other)


# --- when it does not apply ---------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["shared", "captum"])
@pytest.mark.parametrize("name", ["guided-backprop", "deconvnet"])
def test_a_relu_that_is_no_module_is_found_out(name: str, engine: str) -> None:
    class Hidden(Windowed):
        def logits(self, features: Tensor) -> Tensor:
            return torch.relu(super().logits(features))

    question = query(noise(1, 200), 200, (0, 0))
    with pytest.raises(NotApplicable, match="by a function"):
        ask(name, Hidden(), question, engine=engine)
    with pytest.raises(NotApplicable, match="no ReLU module"):
        ask(name, Linear(), question, engine=engine)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("input-x-gradient", {"origin": "mean"}),
        ("expected-gradients", {"baselines": "silence+mean+noise"}),
    ],
)
def test_a_mean_that_there_is_not(name: str, params: dict[str, Any]) -> None:
    class Without(Linear):
        def feature_mean(self) -> Tensor:
            return Classifier.feature_mean(self)

    question = query(noise(1, 200), 200, (0, 0))
    with pytest.raises(NotApplicable, match="mean"):
        ask(name, Without(), question, **params)
    with pytest.raises(UsageError, match="mean") as caught:
        ask(name, Linear(), question, input="waveform", **params)
    assert "input=logmel" in caught.value.hint


def test_levels_in_the_wrong_order() -> None:
    with pytest.raises(UsageError, match="louder"):
        ask("expected-gradients", Linear(), query(noise(1, 200), 200, (0, 0)), low=-20.0)


# --- what must hold for all -----------------------------------------------------------------------


@pytest.mark.parametrize("input", ["logmel", "waveform"])
@pytest.mark.parametrize("name", METHODS)
def test_a_clip_is_answered_alike_alone_and_in_company(
    cnn: Classifier, name: str, input: str
) -> None:
    waves = noise(2, 16000)
    together = ask(name, cnn, query(waves, 16000, (0, 0), (0, 2), (1, 1)), input=input)
    for row, (clip, target) in ((1, (0, 2)), (2, (1, 1))):
        ids = (f"test-{clip:04d}",)
        alone = Query(ids, waves[clip : clip + 1], 16000, np.array([[0, target]]), CLASSES, GRID)
        got = ask(name, cnn, alone, input=input)
        assert np.array_equal(together.scores.values[row], got.scores.values[0])


@pytest.mark.parametrize(
    ("name", "params"),
    [
        *((name, {}) for name in METHODS),
        *((n, {"engine": "captum"}) for n, (i, _) in METHODS.items() if family.ENGINE in i.params),
    ],
)
def test_nothing_is_left_behind(cnn: Classifier, name: str, params: dict[str, Any]) -> None:
    weights = {k: v.clone() for k, v in cnn.state_dict().items()}
    attributes = {n: sorted(vars(m)) for n, m in cnn.named_modules()}
    state, legacy = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    ask(name, cnn, query(noise(1, 16000), 16000, (0, 0), (0, 1)), **params)
    assert torch.random.get_rng_state().equal(state)
    assert np.array_equal(np.random.get_state()[1], legacy)
    for key, value in cnn.state_dict().items():
        assert value.equal(weights[key])
    for key, module in cnn.named_modules():
        assert sorted(vars(module)) == attributes[key]
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    assert all(p.grad is None and not p.requires_grad for p in cnn.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_a_click_is_found_where_it_is(name: str) -> None:
    time = np.arange(16000) / 16000
    wave = (0.01 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)
    wave[round(0.475 * 16000)] += 0.5

    class High(nn.Module):
        """Loudness of frames above a level; the level is not reached without a click."""

        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, features: Tensor) -> Tensor:
            return torch.as_tensor(self.relu(features + 14.0))

    class Clicks(Framed):
        def __init__(self) -> None:
            super().__init__(16000)
            self.front, self.high = LogMel(16000, hop=800, bands=32), High()

        def features(self, waveform: Tensor) -> Tensor:
            return torch.as_tensor(self.front(waveform))

        def logits(self, features: Tensor) -> Tensor:
            return self.high(features[:, 24:]).mean((1, 2))[:, None] * torch.ones(3)

    # Little noise: spread over the input's whole range, it would be clicks all over.
    params = {"noise": 0.01} if name == "smoothgrad" else {}
    got = ask(name, Clicks(), query(wave[None], 16000, (0, 0)), **params)
    if name == "deconvnet":  # lets gradients through where nothing was heard
        assert np.ptp(got.scores.values) == 0
        return
    peak = int(got.scores.values[0].argmax())
    low, high = got.scores.edges[peak], got.scores.edges[peak + 1]
    assert low - got.resolution <= 0.475 <= high + got.resolution


@pytest.mark.parametrize("name", METHODS)
def test_the_control_explains_a_network_with_random_weights(name: str) -> None:
    info, factory = METHODS[name]
    values = spec.resolve(spec.parse(f"{name}[weights=random]"), info) | QUICK.get(name, {})

    class Twice(Holding):
        def randomised(self, seed: int) -> Classifier:
            torch.manual_seed(0)
            return Windowed().requires_grad_(False).eval()

    with torch.random.fork_rng(devices=[]):
        question = query(noise(1, 200), 200, (0, 0))
        control = factory(**values).answer(question, Twice(Linear())).scores.values
    assert not np.delete(control[0], [5, 6, 7]).any()
    assert info.stochastic
    assert not info.seeded_by or ("weights", "random") in info.seeded_by


# --- parts ------------------------------------------------------------------------------------


def test_parts_cover_everything_once() -> None:
    seen: list[tuple[int, int]] = []
    in_parts(10, 4, lambda a, b: seen.append((a, b)))
    assert seen == [(0, 4), (4, 8), (8, 10)]


def test_a_gpu_that_is_full_gets_half() -> None:
    seen: list[tuple[int, int]] = []

    def work(start: int, stop: int) -> None:
        if stop - start > 2:
            raise torch.OutOfMemoryError
        seen.append((start, stop))

    with pytest.warns(RuntimeWarning, match="going on with") as said:
        in_parts(5, 8, work)
    assert seen == [(0, 2), (2, 4), (4, 5)]
    assert [str(w.message)[-9:] for w in said] == ["2 at once"]


def test_a_gpu_too_small_for_one_is_an_error() -> None:
    def full(_: int, __: int) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        in_parts(1, 8, full)


def test_half_the_batch_is_the_same_answer(cnn: Classifier, monkeypatch: Any) -> None:
    question = query(noise(1, 16000), 16000, (0, 0))
    whole = ask("smoothgrad", cnn, question, samples=6).scores.values
    tried = []
    logits = cnn.logits

    def small(features: Tensor) -> Tensor:
        tried.append(len(features))
        if len(features) > 3:
            raise torch.OutOfMemoryError
        return logits(features)

    monkeypatch.setattr(cnn, "logits", small)
    with pytest.warns(RuntimeWarning, match="3 at once"):
        half = ask("smoothgrad", cnn, question, samples=6).scores.values
    assert tried == [6, 3, 3]
    np.testing.assert_allclose(half, whole, rtol=1e-5)
