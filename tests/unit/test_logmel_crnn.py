"""The convolutional recurrent network: what its parts are, and what attribution methods rely on."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sedbench.errors import NotApplicable, UnknownNameError
from sedbench.models.partly_random import stages
from sedbench.models.store import initialise
from sedbench.registry import built_in
from sedbench.testing.subject import MethodSubject
from sedbench.testing.untrained import untrained
from sedbench.types import MethodInfo
from sedbench_plugins.logmel_crnn import GATED, RECTIFIED, build, build_relu
from sedbench_plugins.logmel_crnn.blocks import BothWays, Glu
from sedbench_plugins.logmel_crnn.network import LogmelCrnn
from sedbench_plugins.masking.locality import locality

CLASSES = tuple(f"class {i}" for i in range(10))
RATE = 16000
FAMILIES: dict[str, Callable[[], Any]] = {GATED.name: build, RECTIFIED.name: build_relu}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(variant: str = "classifier", seed: int = 0, family: str = "logmel-crnn") -> LogmelCrnn:
    """An untrained network whose BatchNorms have seen something, in eval mode."""
    net = initialise(FAMILIES[family](), variant, CLASSES, RATE, seed)
    assert isinstance(net, LogmelCrnn)
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 1.5),
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.2, 0.2),
            ):
                assert values is not None
                values.uniform_(low, high, generator=generator)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    return net.eval()


def waves(clips: int = 2, seconds: float = 1.0, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal((clips, round(seconds * RATE)))
    return torch.from_numpy(0.1 * values).float()


@contextmanager
def kept(module: nn.Module) -> Iterator[list[torch.Tensor]]:
    """What a module puts out."""
    found: list[torch.Tensor] = []
    handle = module.register_forward_hook(lambda _m, _i, out: found.append(out))
    yield found
    handle.remove()


# What it is made of


@given(st.integers(0, 2**16), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_a_gated_linear_unit_is_its_formula(
    seed: int, channels: int, bands: int, frames: int
) -> None:
    rng = np.random.default_rng(seed)
    x = 3 * rng.standard_normal((2, channels, bands, frames))
    weight, bias = rng.standard_normal((channels, channels)), rng.standard_normal(channels)
    unit = Glu(channels).double()
    unit.linear.load_state_dict(
        {"weight": torch.from_numpy(weight)[..., None, None], "bias": torch.from_numpy(bias)}
    )
    linear = np.einsum("ok,bkft->boft", weight, x) + bias[:, None, None]
    expected = linear / (1 + np.exp(-x))  # the gate is the input's own sigmoid, not the layer's
    np.testing.assert_allclose(unit(torch.from_numpy(x)).detach(), expected, rtol=1e-10, atol=1e-12)


def test_the_recurrence_reads_both_ways() -> None:
    both = BothWays(3, 5).eval()
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 20))).float()
    other = x.clone()
    other[..., 8] += 1
    with torch.no_grad():
        moved = (both(other) - both(x)).abs()[0].amax(1) > 0
        ahead, behind = (
            (both(other) - both(x)).abs()[0][half].amax(0) > 0
            for half in (slice(0, 5), slice(5, 10))
        )
        assert both(x).shape == (1, 10, 20)
        # Read from behind, the two halves change places.
        turned = BothWays(3, 5).eval()
        state = both.state_dict()
        turned.load_state_dict(
            {
                (k.removesuffix("_reverse") if k.endswith("_reverse") else f"{k}_reverse"): v
                for k, v in state.items()
            }
        )
        expected = torch.cat([both(x)[:, 5:], both(x)[:, :5]], 1).flip(-1)
        torch.testing.assert_close(turned(x.flip(-1)), expected)
    assert moved.all()
    assert ahead.tolist() == [i >= 8 for i in range(20)]  # the past is left as it was
    assert behind.tolist() == [i <= 8 for i in range(20)]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("grad", [False, True])
def test_cudnn_is_left_out_where_it_has_no_way_back(training: bool, grad: bool) -> None:
    both = BothWays(3, 5).train(training)
    before = torch.backends.cudnn.enabled
    seen: list[bool] = []
    both.gru.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.enabled))
    with torch.set_grad_enabled(grad), torch.backends.cudnn.flags(enabled=True):
        both(torch.randn(1, 3, 4))
        assert torch.backends.cudnn.enabled
    assert seen == [training or not grad]
    assert torch.backends.cudnn.enabled == before


@pytest.mark.parametrize("family", FAMILIES)
def test_the_network_is_small_and_has_what_it_is_called_for(family: str) -> None:
    net = network(family=family)
    count = sum(p.numel() for p in net.parameters())
    assert count <= 160_000  # 320 kB in half precision
    said = (GATED if family == GATED.name else RECTIFIED).summary
    assert f"({count // 1000}k parameters)" in said
    kinds = [type(m) for m in net.modules()]
    assert kinds.count(Glu) == (4 if family == GATED.name else 0)
    assert kinds.count(nn.ReLU) == (0 if family == GATED.name else 4)
    with kept(net.trunk) as found:
        net(waves(1))
    assert found[0].shape == (1, 96, 1, 10)  # no frequency is left to be read in time


@pytest.mark.parametrize("family", FAMILIES)
def test_an_unknown_variant_is_answered_with_the_nearest(family: str) -> None:
    with pytest.raises(UnknownNameError, match=family) as caught:
        FAMILIES[family]().build("fw-ws-liner", CLASSES, RATE)
    assert "fw-ws-linear" in caught.value.hint


# What methods rely on


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("variant", ["classifier", "fw-ss", "fw-ws-attention"])
def test_every_module_is_used_once_and_none_works_in_place(variant: str, family: str) -> None:
    net = network(variant, family=family)
    used: list[nn.Module] = []
    for module in net.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, *_: used.append(m))
    net.logits(net.features(waves()))
    assert len(used) == len(set(used))
    assert not any(getattr(m, "inplace", False) for m in net.modules())
    assert not any(isinstance(m, nn.Dropout) for m in net.modules())  # would draw from nowhere


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradient_reaches_the_waveform_in_eval_mode(family: str) -> None:
    net = network(family=family).for_inference().eval().double()
    wave = waves(1).double().requires_grad_()

    def logit(x: torch.Tensor) -> torch.Tensor:
        return net.frame_logits(net.features(x))[0, 3, 2]

    (slope,) = torch.autograd.grad(logit(wave), wave)
    # Frame 2 is [0.2, 0.3) s; through the GRU the whole clip counts for it, both ways.
    assert (slope[0].reshape(10, -1).abs().amax(1) > 0).all()
    along = slope / slope.norm()
    with torch.no_grad():
        rise = logit(wave + 1e-4 * along) - logit(wave - 1e-4 * along)
    assert float(rise / 2e-4) == pytest.approx(float(slope.norm()), rel=1e-3)


@pytest.mark.parametrize("variant", ["classifier", "fw-ss", "fw-ws-linear", "fw-ws-self-attention"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_inference_twin_is_equivalent(variant: str, family: str) -> None:
    net = network(variant, 3, family)
    before = copy.deepcopy(net.state_dict())
    fast = net.for_inference()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.modules())
    assert not any(p.requires_grad for p in fast.parameters())
    features = net.features(waves())
    with torch.no_grad():
        for part in ("logits", "frame_logits"):
            found, expected = getattr(fast, part)(features), getattr(net, part)(features)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(fast.for_inference().logits(features), fast.logits(features))
        # The twin's recurrence is its own.
        for weight in fast.recurrent.parameters():
            weight.zero_()
        assert not fast.embeddings(features).any()
    for name, value in net.state_dict().items():
        assert value.equal(before[name])
    assert list(fast.layers()) == list(net.layers())


@pytest.mark.parametrize("variant", GATED.variants)
def test_a_clip_is_pooled_from_its_frames(variant: str) -> None:
    net = network(variant)
    features = net.features(waves())
    with torch.no_grad():
        clips, frames = net.logits(features), net.frame_logits(features)
        torch.testing.assert_close(net(waves()), clips)
    if variant == "classifier":
        torch.testing.assert_close(clips, frames.mean(-1))
    elif variant in ("fw-ss", "fw-ws-max"):
        torch.testing.assert_close(clips, frames.amax(-1))
    else:
        assert (clips <= frames.amax(-1) + 1e-4).all() and (clips >= frames.amin(-1) - 1e-4).all()


# Times


@pytest.mark.parametrize("seconds", [1.0, 0.95, 0.9999, 2.13])
def test_edges_fit_what_comes_out(seconds: float) -> None:
    net = network()
    n = round(seconds * RATE)
    features = net.features(waves(1, seconds))
    frames = net.frame_logits(features)
    assert len(net.feature_edges(n)) == features.shape[-1] + 1
    assert len(net.frame_edges(n)) == frames.shape[-1] + 1
    np.testing.assert_allclose(np.diff(net.frame_edges(n)), 0.1)


def even(net: LogmelCrnn) -> None:
    """Make every convolution an average, and every gate open: what comes out is where it was."""
    net.fit_features(torch.full((64,), math.log(1e-8)), torch.ones(64))  # silence is zero
    with torch.no_grad():
        for module in net.trunk.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                module.weight.fill_(1 / module.weight[0].numel())
                module.weight[..., 1] *= 2
            elif isinstance(module, nn.Conv2d):
                assert module.bias is not None
                module.weight.fill_(1 / len(module.weight))
                module.bias.zero_()
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.reset_parameters()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("at", [0.225, 0.475])
def test_a_click_shows_in_a_layer_at_the_declared_time(at: float, fold: bool, family: str) -> None:
    net = network(family=family)
    even(net)
    net = net.for_inference() if fold else net
    assert list(net.layers()) == ["block1", "block2", "block3", "block4"]
    wave = torch.zeros(2, RATE)
    wave[0, round(at * RATE)] = 1.0
    for name, layer in net.layers().items():
        with torch.no_grad(), kept(layer.module) as found:
            net.logits(net.features(wave))
        response = (found[0][0] - found[0][1]).sum((0, 1))
        assert response.max() > 0, name
        times = layer.offset + np.arange(len(response)) * layer.stride
        assert abs(times[int(response.argmax())] - at) <= layer.stride / 2 + 1e-9, name
        centre = float((response.numpy() * times).sum() / response.sum())
        assert centre == pytest.approx(at, abs=layer.stride / 2), name


def test_a_frame_hears_the_whole_clip_and_nobody_is_told_otherwise() -> None:
    net = network()
    base = net.features(torch.zeros(1, 2 * RATE))
    broken = base.clone()
    broken[..., 39] = torch.nan
    with torch.no_grad():
        assert net.frame_logits(broken).isnan().all()
    # So masked clips are never put together from the frames of others.
    assert locality(net, base, np.arange(0, 41, 4)) == ()


def test_a_cascade_of_random_layers_reaches_the_recurrence_second() -> None:
    found = stages(network(), RATE, 99)
    assert found[0].modules == ("head",)
    assert found[1].modules == ("recurrent.gru",)
    named = {name for stage in found for name in stage.modules}
    assert {f"trunk.glu{i}.linear" for i in range(1, 5)} < named
    assert {f"trunk.{kind}{i}" for kind in ("conv", "bn") for i in range(1, 5)} < named


# What has no meaning on it says so


@pytest.fixture(scope="module")
def handles() -> dict[str, Any]:
    with torch.random.fork_rng():
        return {
            info.name: untrained(info, FAMILIES[info.name], ("Dog", "Speech", "Blender"))
            for info in (GATED, RECTIFIED)
        }


NO_RULE = {
    "deeplift": {},
    "deepliftshap": {},
    "shap": {"explainer": "deep"},
    "lrp": {},
    "cam": {},
}


def ask(method: str, params: dict[str, Any], handle: Any) -> Any:
    entry = built_in().get("methods", method)
    assert isinstance(entry.info, MethodInfo)
    subject = MethodSubject(entry.info, entry.factory, model=lambda: handle)
    return subject.ask(subject.question(handle), handle, {**subject.params, **params})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", NO_RULE)
def test_what_has_no_rule_for_it_does_not_apply(
    method: str, family: str, handles: dict[str, Any]
) -> None:
    why = "glu1" if family == GATED.name else "recurrent.gru"
    with pytest.raises(NotApplicable, match="block4" if method == "cam" else why):
        ask(method, NO_RULE[method], handles[family])


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet"])
def test_a_gate_is_no_rectifier(method: str, handles: dict[str, Any]) -> None:
    with pytest.raises(NotApplicable, match="no ReLU module"):
        ask(method, {}, handles[GATED.name])


@pytest.mark.parametrize("method", ["ig", "gradcam", "occlusion"])
def test_what_has_a_meaning_answers(method: str, handles: dict[str, Any]) -> None:
    answer = ask(method, {}, handles[GATED.name])
    assert np.isfinite(answer.scores.values).all()
    assert np.ptp(answer.scores.values) > 0
    if method == "gradcam":
        assert answer.resolution == pytest.approx(0.1)
