"""The network: what attribution methods rely on, checked on random weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from sedbench.errors import UnknownNameError
from sedbench.models.store import initialise
from sedbench_plugins.logmel_cnn import INFO, build
from sedbench_plugins.logmel_cnn.network import LogmelCnn

CLASSES = tuple(f"class {i}" for i in range(10))
RATE = 16000


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(variant: str = "classifier", seed: int = 0) -> LogmelCnn:
    """An untrained network whose BatchNorms have seen something, in eval mode."""
    net = initialise(build(), variant, CLASSES, RATE, seed)
    assert isinstance(net, LogmelCnn)
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 1.5),
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.2, 0.2),
            ):
                values.uniform_(low, high, generator=generator)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    return net.eval()


def waves(clips: int = 2, seconds: float = 1.0, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal((clips, round(seconds * RATE)))
    return torch.from_numpy(0.1 * values).float()


def test_the_network_is_small() -> None:
    for variant in INFO.variants:
        assert sum(p.numel() for p in network(variant).parameters()) <= 150_000


def test_an_unknown_variant_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        build().build("fw-ws-liner", CLASSES, RATE)
    assert "fw-ws-linear" in caught.value.hint


@pytest.mark.parametrize("variant", INFO.variants)
def test_every_relu_is_a_module_that_is_used_once_and_not_in_place(variant: str) -> None:
    net = network(variant)
    relus = [m for m in net.modules() if isinstance(m, nn.ReLU)]
    assert len(relus) == 4
    assert not any(m.inplace for m in relus)
    used: list[nn.Module] = []
    for module in net.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, *_: used.append(m))
    features = net.features(waves()).requires_grad_()
    kinds: list[str] = []
    out = net.logits(features)
    for relu in relus:
        assert used.count(relu) == 1
    assert len(used) == len(set(used))  # no layer at all runs twice
    # No rectifier hides in a function: the graph has just as many as there are modules.
    todo, seen = [out.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        kinds.append(type(node).__name__)
        todo.extend(n for n, _ in node.next_functions)
    assert sum("Relu" in kind for kind in kinds) == len(relus)


def test_layers_are_named_in_the_order_in_which_they_run() -> None:
    net = network()
    ran: list[nn.Module] = []
    for layer in net.layers().values():
        layer.module.register_forward_hook(lambda m, *_: ran.append(m))
    net.logits(net.features(waves()))
    assert ran == [layer.module for layer in net.layers().values()]


def test_the_clip_logit_is_the_mean_of_the_frame_logits() -> None:
    net = network()
    features = net.features(waves())
    with torch.no_grad():
        torch.testing.assert_close(net.logits(features), net.frame_logits(features).mean(-1))
        torch.testing.assert_close(net(waves()), net.logits(features))


def test_cam_hirescam_and_unrectified_grad_cam_are_the_frame_logits() -> None:
    # Taken at what the head averages over frequency: the last block's output.
    net = network()
    kept: list[torch.Tensor] = []
    net.trunk.get_submodule("pool4").register_forward_hook(lambda _m, _i, out: kept.append(out))
    features = net.features(waves(1)).requires_grad_()
    logits = net.logits(features)
    frames = net.frame_logits(features)[0].detach()
    activation = kept[0]  # (1, channels, frequency, time)
    bands, count = activation.shape[2:]
    assert isinstance(net.head.bias, nn.Parameter)
    for c in (0, 7):
        (gradient,) = torch.autograd.grad(logits[0, c], activation, retain_graph=True)
        weights = gradient.mean((2, 3), keepdim=True)
        grad_cam = (weights * activation).sum((1, 2))[0].detach()
        hires_cam = (gradient * activation).sum((1, 2))[0].detach()
        cam = torch.einsum("k,kt->t", net.head.weight[c, :, 0], activation[0].mean(1)).detach()
        bias = net.head.bias[c].item()
        torch.testing.assert_close(cam + bias, frames[c])
        torch.testing.assert_close(hires_cam * count + bias, frames[c])
        torch.testing.assert_close(grad_cam * count + bias, frames[c])
    assert bands > 1  # the identity holds although frequency is averaged too


@pytest.mark.parametrize("variant", INFO.variants)
def test_the_inference_twin_is_equivalent(variant: str) -> None:
    net = network(variant, seed=3)
    before = copy.deepcopy(net.state_dict())
    fast = net.for_inference()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.modules())
    assert not any(p.requires_grad for p in fast.parameters())
    features = net.features(waves())
    with torch.no_grad():
        for part in ("logits", "frame_logits"):
            found, expected = getattr(fast, part)(features), getattr(net, part)(features)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert [m for m in fast.modules() if isinstance(m, nn.ReLU)]
    for name, value in net.state_dict().items():
        assert value.equal(before[name])  # the original is left as it was
    assert list(fast.layers()) == list(net.layers())


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("name", ["conv1", "conv2", "conv3", "conv4"])
@pytest.mark.parametrize("at", [0.225, 0.475])
def test_an_impulse_shows_in_a_layer_at_the_declared_time(name: str, at: float, fold: bool) -> None:
    net = network()
    net.fit_features(torch.full((64,), math.log(1e-8)), torch.ones(64))  # silence is zero
    with torch.no_grad():
        for i in range(1, 5):  # all weights positive: nothing is rectified away
            conv = net.trunk.get_submodule(f"conv{i}")
            assert isinstance(conv, nn.Conv2d)
            conv.weight.fill_(1 / conv.weight[0].numel())
            conv.weight[..., 1] *= 2
            norm = net.trunk.get_submodule(f"bn{i}")
            assert isinstance(norm, nn.BatchNorm2d)
            norm.reset_running_stats()
            norm.reset_parameters()
    if fold:
        net = net.for_inference()
    layer = net.layers()[name]
    kept: list[torch.Tensor] = []
    layer.module.register_forward_hook(lambda _m, _i, out: kept.append(out))
    wave = torch.zeros(2, RATE)
    wave[0, round(at * RATE)] = 1.0
    with torch.no_grad():
        net.logits(net.features(wave))
    response = (kept[0][0] - kept[0][1]).sum((0, 1))
    assert response.max() > 0
    times = layer.offset + np.arange(len(response)) * layer.stride
    assert abs(times[int(response.argmax())] - at) <= layer.stride / 2 + 1e-9
    centre = float((response.numpy() * times).sum() / response.sum())
    assert centre == pytest.approx(at, abs=layer.stride / 2)


@pytest.mark.parametrize("seconds", [1.0, 0.95, 0.9999])
def test_edges_fit_what_comes_out(seconds: float) -> None:
    net = network()
    n = round(seconds * RATE)
    features = net.features(waves(1, seconds))
    frames = net.frame_logits(features)
    assert len(net.feature_edges(n)) == features.shape[-1] + 1
    assert len(net.frame_edges(n)) == frames.shape[-1] + 1
    assert net.frame_edges(n)[1] == pytest.approx(0.1)


def test_a_click_is_heard_in_the_frame_logits_where_it_is() -> None:
    net = network("fw-ss")
    wave = torch.zeros(2, RATE)
    wave[0, round(0.55 * RATE)] = 1.0
    with torch.no_grad():
        frames = net.frame_logits(net.features(wave))
    moved = (frames[0] - frames[1]).abs().sum(0)
    edges = net.frame_edges(RATE)
    at = int(moved.argmax())
    assert edges[at] - 0.1 <= 0.55 <= edges[at + 1] + 0.1


def test_features_are_standardised_by_what_was_fitted() -> None:
    net = network()
    mean = torch.linspace(-10, -5, 64)
    net.fit_features(mean, torch.full((64,), 2.0))
    assert net.feature_mean().equal(mean)
    out = net.standardise(mean[None, :, None] + 2.0)
    torch.testing.assert_close(out, torch.ones(1, 64, 1))
    net.fit_features(mean, torch.zeros(64))  # a band that never changes does not divide by zero
    assert torch.isfinite(net.standardise(torch.zeros(1, 64, 3))).all()
