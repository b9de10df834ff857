"""Class activation maps: their identities, planted models, Captum's Grad-CAM, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench import spec
from sedbench.errors import NotApplicable, UnknownNameError
from sedbench.models.contract import Classifier, Layer
from sedbench.models.store import ModelHandle, initialise
from sedbench.types import Answer, FrameGrid, MethodInfo, Query
from sedbench_plugins import cam as family
from sedbench_plugins.cam.opening import open_at
from sedbench_plugins.cnn14.asset import Asset
from sedbench_plugins.cnn14.family import Cnn14HeadFamily
from sedbench_plugins.logmel_cnn import build as build_cnn
from sedbench_plugins.yamnet import build as build_yamnet
from sedbench_plugins.yamnet import build_head as build_yamnet_head

GRID = FrameGrid(1.0, 0.1)
CLASSES = ("Dog", "Cat", "Blender")
METHODS: dict[str, tuple[MethodInfo, Callable[..., Any]]] = {}
family.sedbench_register_methods(lambda info, factory: METHODS.update({info.name: (info, factory)}))
GRADIENT = ("gradcam", "gradcam++", "hirescam", "layercam")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Planted(Classifier):
    """Frames of 10 ms, loud above 0.05; then an activation layer that can be written down.

    Strided convolutions with and without padding give three channels: what is there, half of
    it, and a one. ``head`` makes logits of (batch, channels, bands, frames).
    """

    def __init__(self, head: Callable[[Tensor], Tensor], bands: int = 2) -> None:
        super().__init__()
        self.classes, self.sample_rate, self.bands = CLASSES, 1000, bands
        self.first = nn.Conv2d(1, 1, (1, 3), (1, 2), (0, 1), bias=False)
        self.second = nn.Conv2d(1, 3, (1, 5), (1, 1), (0, 0))
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.head = head
        for kernel in (self.first.weight, self.second.weight):
            nn.init.constant_(kernel, 0.1)
        with torch.no_grad():
            self.first.weight[..., 1] = 1.0
            self.second.weight[..., 2] = 1.0
            self.second.weight[1] *= 0.5
            self.second.weight[2] = 0.0
            assert self.second.bias is not None
            self.second.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))

    def features(self, waveform: Tensor) -> Tensor:
        loud = waveform.reshape(len(waveform), 1, -1, 10).abs().amax(-1)
        rows = torch.arange(1, self.bands + 1)[:, None]
        return (loud - 0.05).clamp_min(0.0) * rows

    def logits(self, features: Tensor) -> Tensor:
        x = self.relu1(self.first(features[:, None]))
        return self.head(self.relu2(self.second(x)))

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(n_samples // 10 + 1) * 0.01

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)

    def feature_mean(self) -> Tensor:
        return torch.full((self.bands,), 0.02)

    def layers(self) -> Mapping[str, Layer]:
        # Frame i of the first is centred on feature frame 2 i; the second loses two at each end.
        return {
            "first": Layer(self.first, 0.02, 0.005),
            "second": Layer(self.second, 0.02, 0.005 + 2 * 0.02),
        }


HEAD = torch.tensor([[1.0, -2.0, 3.0], [0.5, 1.0, -4.0], [-1.0, -1.0, 2.0]])
BIAS = torch.tensor([0.3, -0.2, 5.0])


def pooled(x: Tensor) -> Tensor:
    """A linear head on the mean."""
    return x.mean((2, 3)) @ HEAD.T + BIAS


def late(x: Tensor) -> Tensor:
    """A linear head that only counts activation frames 20 to 29."""
    return x[..., 20:30].mean((2, 3)) @ HEAD.T


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
    answer = factory(**(values | params)).answer(question, Holding(model))
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


def click(at: float, rate: int = 1000) -> NDArray[np.float32]:
    wave = np.zeros((1, rate), np.float32)
    wave[0, round(at * rate)] = 0.8
    return wave


@pytest.fixture(scope="module")
def cnn() -> Classifier:
    net = initialise(build_cnn(), "classifier", CLASSES, 16000, 1)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    return net.eval().for_inference()


@pytest.fixture(scope="module")
def yamnet_head() -> Classifier:
    net = initialise(build_yamnet_head(), "classifier", CLASSES, 16000, 1)
    return net.eval().for_inference()


def narrow_cnn14() -> Classifier:
    family = Cnn14HeadFamily(Asset("narrow.pth", "", "", "", 0, (4, 6, 6, 8, 8, 12)))
    return initialise(family, "classifier", CLASSES, 16000, 1).eval().for_inference()


# --- identities -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["cnn", "yamnet_head"])
def test_with_mean_pooling_four_maps_are_the_frame_logits(
    model: str, request: pytest.FixtureRequest
) -> None:
    net = request.getfixturevalue(model)
    question = query(noise(2, 16000), 16000, (0, 0), (0, 2), (1, 1))
    with torch.no_grad():
        features = net.features(torch.from_numpy(question.waveforms))
        frames, clips = net.frame_logits(features).double(), net.logits(features).double()
        bias = net.head.bias.double()
    rows = question.pairs
    expected = (frames - bias[:, None])[rows[:, 0], rows[:, 1]].numpy()
    scale = np.abs(expected).max()
    got = ask("cam", net, question)
    np.testing.assert_allclose(got.scores.values, expected, atol=1e-5 * scale)
    means = (clips - bias)[rows[:, 0], rows[:, 1]].numpy()
    np.testing.assert_allclose(got.scores.values.mean(1), means, atol=1e-5 * scale)
    assert (got.diagnostics["completeness_error"] < 1e-3).all()
    np.testing.assert_allclose(got.scores.edges, net.frame_edges(16000), atol=1e-9)
    assert got.resolution == pytest.approx(float(np.diff(net.frame_edges(16000))[0]))
    assert got.equals.startswith("class activation map of ")
    for name in ("hirescam", "gradcam"):
        answer = ask(name, net, question, rectify=False)
        assert answer.equals == got.equals
        other = answer.scores.values
        factor = expected.ravel() @ other.ravel() / (other.ravel() @ other.ravel())
        np.testing.assert_allclose(other * factor, expected, atol=2e-5 * scale)
        opening = open_at(net, "", features[:1])
        cells = opening.activations(features[:1])[0][0, 0].numel()
        assert factor == pytest.approx(cells, rel=1e-4)


def test_only_behind_its_relu_is_a_layer_the_frame_logits(cnn: Classifier) -> None:
    features = cnn.features(torch.from_numpy(noise(1, 16000)))
    opening = open_at(cnn, "conv4", features)
    assert opening.module is cnn.get_submodule("trunk.relu4")
    assert opening.name == "conv4"
    assert open_at(cnn, "", features) == opening


def test_a_block_that_ends_in_its_own_relu_is_taken_as_it_is(yamnet_head: Classifier) -> None:
    features = yamnet_head.features(torch.from_numpy(noise(1, 16000)))
    for name, layer in yamnet_head.layers().items():
        assert open_at(yamnet_head, name, features).module is layer.module


# --- planted ------------------------------------------------------------------------------------


def test_the_map_can_be_written_down() -> None:
    model, waves = Planted(pooled), noise(1, 1000)
    got = ask("cam", model, query(waves, 1000, (0, 1), (0, 2)))
    features = model.features(torch.from_numpy(waves))
    with torch.no_grad():
        maps = model.relu2(model.second(model.relu1(model.first(features[:, None]))))[0]
    assert maps.shape == (3, 2, 46)
    expected = torch.einsum("nk,kft->nt", HEAD[1:], maps) / 2
    np.testing.assert_allclose(got.scores.values, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(got.scores.edges, 0.035 + 0.02 * np.arange(47), atol=1e-12)
    assert got.resolution == 0.02
    loudest = ask("cam", model, query(waves, 1000, (0, 1)), frequency="max", rectify=True)
    cells = torch.einsum("k,kft->ft", HEAD[1], maps).clamp_min(0).amax(0)
    np.testing.assert_allclose(loudest.scores.values[0], cells.numpy(), atol=1e-5)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_the_formulas_cell_by_cell(target: int) -> None:
    model, waves = Planted(lambda x: torch.tanh(late(x)) + pooled(x.square())), noise(1, 1000)
    question = query(waves, 1000, (0, target))
    features = model.features(torch.from_numpy(waves))
    x = model.relu2(model.second(model.relu1(model.first(features[:, None])))).detach()
    x.requires_grad_()
    (g,) = torch.autograd.grad(model.head(x)[0, target], x)
    a, g = x.detach()[0].double().numpy(), g[0].double().numpy()
    maps = {name: np.zeros(a.shape[1:]) for name in GRADIENT}
    for k in range(3):
        maps["gradcam"] += g[k].mean() * a[k]
        maps["hirescam"] += g[k] * a[k]
        maps["layercam"] += np.maximum(g[k], 0) * a[k]
        weight = 0.0
        for f, t in np.ndindex(*a.shape[1:]):
            below = 2 * g[k, f, t] ** 2 + a[k].sum() * g[k, f, t] ** 3
            share = g[k, f, t] ** 2 / below if below else 0.0
            weight += share * max(g[k, f, t], 0.0)
        maps["gradcam++"] += weight * a[k]
    for name, expected in maps.items():
        for rectify in (True, False):
            got = ask(name, model, question, rectify=rectify)
            cells = np.maximum(expected, 0) if rectify else expected
            np.testing.assert_allclose(
                got.scores.values[0], cells.mean(0), rtol=1e-4, atol=1e-6 * np.abs(cells).max()
            )
            assert (got.cost.forward, got.cost.backward) == (2, 1)


@pytest.mark.parametrize("name", ["hirescam", "layercam"])
def test_a_model_that_hears_one_window_is_explained_by_it(name: str) -> None:
    # Grad-CAM spreads a channel's mean gradient over all times, and is not held to this.
    got = ask(name, Planted(late), query(noise(1, 1000), 1000, (0, 0), (0, 1)))
    outside = np.delete(got.scores.values, np.arange(20, 30), axis=1)
    assert not outside.any()
    assert got.scores.values[:, 20:30].max() > 0
    # Activation frame 20 is centred at 0.045 + 20 x 0.02 s.
    assert got.scores.edges[20] == pytest.approx(0.435)


@pytest.mark.parametrize("layer", ["first", "second"])
@pytest.mark.parametrize("at", [0.125, 0.485, 0.85])
@pytest.mark.parametrize("name", METHODS)
def test_a_click_is_found_where_it_is(name: str, at: float, layer: str) -> None:
    if name == "cam" and layer == "first":
        return  # which has no linear head behind it
    got = ask(name, Planted(pooled), query(click(at), 1000, (0, 1)), layer=layer, rectify=False)
    values = got.scores.values[0]
    peak = int(values.argmax())
    low, high = got.scores.edges[peak], got.scores.edges[peak + 1]
    assert low - got.resolution <= at <= high + got.resolution
    assert values.max() > np.median(values)


@pytest.mark.parametrize("name", METHODS)
def test_a_layer_without_bands(name: str) -> None:
    class Flat(Planted):
        def __init__(self) -> None:
            super().__init__(pooled)
            self.conv = nn.Conv1d(2, 3, 1)
            self.relu3 = nn.ReLU()

        def logits(self, features: Tensor) -> Tensor:
            return pooled(self.relu3(self.conv(features))[:, :, None])

        def layers(self) -> Mapping[str, Layer]:
            return {"conv": Layer(self.conv, 0.01, 0.005)}

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Flat()
    got = ask(name, model, query(noise(1, 1000), 1000, (0, 0)), rectify=False)
    assert got.scores.values.shape == (1, 100)
    np.testing.assert_allclose(got.scores.edges, np.arange(101) * 0.01, atol=1e-12)
    assert np.ptp(got.scores.values) > 0


# --- against captum -----------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3", "conv4"])
@pytest.mark.parametrize("rectify", [True, False])
def test_gradcam_is_captums(cnn: Classifier, layer: str, rectify: bool) -> None:
    question = query(noise(2, 16000), 16000, (0, 0), (0, 2), (1, 1))
    got = ask("gradcam", cnn, question, layer=layer, rectify=rectify)
    x = cnn.features(torch.from_numpy(question.waveforms)).requires_grad_()
    reference = LayerGradCam(cnn.logits, cnn.get_submodule(f"trunk.relu{layer[-1]}"))
    for row, (clip, target) in enumerate(question.pairs.tolist()):
        cells = reference.attribute(x[clip : clip + 1], target, relu_attributions=rectify)
        expected = cells[0, 0].mean(0).detach().numpy()
        assert rectify or np.abs(expected).max() > 0
        np.testing.assert_allclose(
            got.scores.values[row], expected, atol=1e-5 * np.abs(cells.detach().numpy()).max()
        )
    seconds = {"conv1": 0.05}.get(layer, 0.1)
    assert got.resolution == seconds
    assert got.scores.edges[0] == pytest.approx(0.0)
    assert got.scores.edges[-1] == pytest.approx(1.0)
    assert (got.cost.forward, got.cost.backward) == (3, 3)


@pytest.mark.parametrize("layer", ["conv1", "conv3", "conv4"])
def test_hirescam_is_captums_gradient_times_activation(cnn: Classifier, layer: str) -> None:
    question = query(noise(1, 16000), 16000, (0, 2))
    got = ask("hirescam", cnn, question, layer=layer)
    x = cnn.features(torch.from_numpy(question.waveforms)).requires_grad_()
    relu = cnn.get_submodule(f"trunk.relu{layer[-1]}")
    cells = LayerGradientXActivation(cnn.logits, relu).attribute(x, 2).sum(1)[0]
    expected = cells.mean(0).detach().numpy()
    np.testing.assert_allclose(
        got.scores.values[0], expected, atol=1e-5 * float(cells.detach().abs().max())
    )


# --- score-cam ----------------------------------------------------------------------------------


@pytest.mark.parametrize("weighting", ["softmax", "probability"])
@pytest.mark.parametrize("baseline", ["silence", "mean"])
def test_scorecam_mask_by_mask(weighting: str, baseline: str) -> None:
    model, waves = Planted(late), noise(1, 1000)
    got = ask(
        "scorecam", model, query(waves, 1000, (0, 0), (0, 1)),
        weighting=weighting, baseline=baseline, rectify=False,
    )  # fmt: skip
    x = model.features(torch.from_numpy(waves))[0].numpy()
    with torch.no_grad():
        inner = model.relu1(model.first(torch.from_numpy(x)[None, None]))
        maps = model.relu2(model.second(inner))[0].numpy()
    base = np.zeros_like(x) if baseline == "silence" else np.full_like(x, 0.02)
    centres, times = 0.005 + 0.01 * np.arange(100), 0.045 + 0.02 * np.arange(46)

    def score(features: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            logits = model.logits(torch.from_numpy(features.astype(np.float32))[None])[0, :2]
        return (logits if weighting == "softmax" else torch.sigmoid(logits)).numpy()

    rises = []
    for k in (0, 1):  # the third channel is constant
        mask = np.stack([np.interp(centres, times, row) for row in maps[k]])
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        rises.append(score(base + mask * (x - base)) - score(base))
    weights = np.array(rises)
    if weighting == "softmax":
        weights = np.exp(weights) / np.exp(weights).sum(0)
    expected = np.einsum("kn,kft->nt", weights, maps[:2]) / 2
    np.testing.assert_allclose(got.scores.values, expected, rtol=1e-3, atol=1e-6)
    # One to open, one for the activations, one for the baseline, one a mask; for both classes.
    assert (got.cost.forward, got.cost.backward) == (1 + 2 + 2, 0)


def test_only_the_channels_that_vary_most_are_passed(cnn: Classifier) -> None:
    question = query(noise(1, 16000), 16000, (0, 0))
    every, all_ = (ask("scorecam", cnn, question, channels=n) for n in (128, 0))
    assert np.array_equal(every.scores.values, all_.scores.values)
    few = ask("scorecam", cnn, question, channels=5)
    assert few.cost.forward == 1 + 2 + 5
    features = cnn.features(torch.from_numpy(question.waveforms))
    maps = open_at(cnn, "", features).activations(features)[0].detach()[0]
    chosen = maps.flatten(1).std(1).argsort(descending=True)[:5]
    inside = maps[chosen].mean(1).numpy()
    # Weights are positive and add up to one.
    assert (few.scores.values[0] <= inside.max(0) + 1e-6).all()
    assert (few.scores.values[0] >= inside.min(0) - 1e-6).all()


def test_a_channels_mask_is_shown_at_its_own_time() -> None:
    # Two clicks in two channels: the class that hears the later one weights that channel more.
    class Two(Planted):
        def logits(self, features: Tensor) -> Tensor:
            x = self.relu1(self.first(features[:, None]))
            late_only = torch.cat([torch.zeros(25), torch.ones(25)])
            both = torch.cat([x * (1 - late_only), x * late_only, x * 0], 1)
            return torch.as_tensor(10 * self.tap(both).sum((2, 3)))

        def layers(self) -> Mapping[str, Layer]:
            return {"tap": Layer(self.tap, 0.02, 0.005)}

    model = Two(pooled)
    model.tap = nn.Identity()
    wave = click(0.205) + click(0.705)
    got = ask("scorecam", model, query(wave, 1000, (0, 0), (0, 1))).scores
    early, later = (int(np.searchsorted(got.edges, t)) - 1 for t in (0.205, 0.705))
    assert got.values[0, early] > 5 * got.values[0, later]
    assert got.values[1, later] > 5 * got.values[1, early]


# --- when it does not apply -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (late, "more in some frames"),
        (lambda x: x.amax((2, 3)) @ HEAD.T, "more in some frames"),
        (lambda x: torch.logsumexp(x, (2, 3)) @ HEAD.T, "more in some frames"),
        (lambda x: torch.relu(x.mean((2, 3)) @ HEAD - 0.5) @ HEAD.T, "change with the sound"),
        (lambda x: x.mean((2, 3)).square() @ HEAD.T, "change with the sound"),
        (lambda x: x.mean((2, 3)) @ HEAD.T * 0, "do not depend"),
        (lambda x: torch.zeros(len(x), 3), "do not depend"),
    ],
)
def test_cam_needs_a_linear_head_on_the_mean(head: Callable[[Tensor], Tensor], reason: str) -> None:
    model = Planted(head)
    with pytest.raises(NotApplicable, match=reason):
        ask("cam", model, query(noise(1, 1000), 1000, (0, 0), (0, 1)))
    assert not any(m._forward_hooks for m in model.modules())


def test_cam_is_refused_by_models_that_pool_otherwise(cnn: Classifier) -> None:
    question = query(noise(1, 32000), 16000, (0, 0))
    with pytest.raises(NotApplicable, match="linear head on the mean of conv_block6"):
        ask("cam", narrow_cnn14(), question)
    with pytest.raises(NotApplicable, match="linear head on the mean of conv3"):
        ask("cam", cnn, question, layer="conv3")
    names = ("Dog", "Cat", "Blender")
    family = build_yamnet(trunk="patches")
    own = initialise(family, "classifier", names, 16000, 1).eval().for_inference()
    with pytest.raises(NotApplicable, match="linear head on the mean of layer14"):
        ask("cam", own, question)
    for name in GRADIENT:
        assert ask(name, narrow_cnn14(), question).scores.values.shape == (1, 6)
    # What equals a map that is not there is not said to.
    for name in ("hirescam", "gradcam"):
        assert not ask(name, narrow_cnn14(), question, rectify=False).equals
        assert not ask(name, own, question, rectify=False).equals
        assert not ask(name, cnn, question, rectify=False, layer="conv3").equals
        assert not ask(name, cnn, question, rectify=True).equals


@pytest.mark.parametrize("name", METHODS)
def test_layers_that_there_are_not(name: str) -> None:
    class Bare(Planted):
        def layers(self) -> Mapping[str, Layer]:
            return {}

    class Repeated(Planted):
        def logits(self, features: Tensor) -> Tensor:
            return super().logits(features) + super().logits(features)

    class Pooling(Planted):
        def __init__(self) -> None:
            super().__init__(pooled)
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.flat = nn.Flatten()

        def logits(self, features: Tensor) -> Tensor:
            return self.flat(self.pool(features[:, None])).expand(-1, 3)

        def layers(self) -> Mapping[str, Layer]:
            return {"flat": Layer(self.flat, 1.0, 0.5)}

    question = query(noise(1, 1000), 1000, (0, 0))
    with pytest.raises(NotApplicable, match="names no layer"):
        ask(name, Bare(pooled), question)
    with pytest.raises(UnknownNameError, match="'secnd'") as caught:
        ask(name, Planted(pooled), question, layer="secnd")
    assert "second" in caught.value.hint
    with pytest.raises(NotApplicable, match="second is passed 2 times"):
        ask(name, Repeated(pooled), question)
    with pytest.raises(NotApplicable, match=r"flat puts out \(1, 1\)"):
        ask(name, Pooling(), question)


# --- what must hold for all -----------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_a_clip_is_answered_alike_alone_and_in_company(cnn: Classifier, name: str) -> None:
    waves = noise(2, 16000)
    together = ask(name, cnn, query(waves, 16000, (0, 0), (0, 2), (1, 1)))
    for row, (clip, target) in ((1, (0, 2)), (2, (1, 1))):
        ids = (f"other-{clip:04d}",)  # nor does its name matter, nor the seed
        pair = np.array([[0, target]])
        alone = Query(ids, waves[clip : clip + 1], 16000, pair, CLASSES, GRID, 7)
        got = ask(name, cnn, alone)
        assert np.array_equal(together.scores.values[row], got.scores.values[0])


@pytest.mark.parametrize("name", METHODS)
def test_nothing_is_left_behind(cnn: Classifier, name: str) -> None:
    weights = {k: v.clone() for k, v in cnn.state_dict().items()}
    attributes = {n: sorted(vars(m)) for n, m in cnn.named_modules()}
    state = torch.random.get_rng_state()
    ask(name, cnn, query(noise(1, 16000), 16000, (0, 0), (0, 1)))
    assert torch.random.get_rng_state().equal(state)
    for key, value in cnn.state_dict().items():
        assert value.equal(weights[key])
    for key, module in cnn.named_modules():
        assert sorted(vars(module)) == attributes[key]
        assert not module._forward_hooks
        assert not module._backward_hooks
    assert all(p.grad is None and not p.requires_grad for p in cnn.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_the_control_explains_a_network_with_random_weights(name: str) -> None:
    info, factory = METHODS[name]

    class Twice(Holding):
        def randomised(self, seed: int) -> Classifier:
            return Planted(pooled).requires_grad_(False).eval()

    question = query(click(0.5), 1000, (0, 1))
    values = spec.resolve(spec.parse(f"{name}[weights=random]"), info)
    control = factory(**values).answer(question, Twice(Planted(late))).scores.values
    assert np.array_equal(control, ask(name, Planted(pooled), question).scores.values)
    assert info.stochastic
    assert info.seeded_by == (("weights", "random"),)


def test_scorecam_goes_on_with_half_where_a_gpu_is_full(
    cnn: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = query(noise(1, 16000), 16000, (0, 0))
    whole = ask("scorecam", cnn, question).scores.values
    logits = cnn.logits

    def small(features: Tensor) -> Tensor:
        if len(features) > 8:
            raise torch.OutOfMemoryError
        return logits(features)

    monkeypatch.setattr(cnn, "logits", small)
    with pytest.warns(RuntimeWarning, match="8 at once"):
        half = ask("scorecam", cnn, question).scores.values
    np.testing.assert_allclose(half, whole, rtol=1e-4, atol=1e-7)
