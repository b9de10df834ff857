"""YAMNet's network on random weights: the published architecture, and what methods rely on."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from sedbench.errors import NotApplicable, UnknownNameError
from sedbench.models.store import initialise
from sedbench_plugins.yamnet import HEAD, INFO, build, build_head
from sedbench_plugins.yamnet.family import YamnetFamily, YamnetHeadFamily
from sedbench_plugins.yamnet.frontend import RATE, Resample, YamnetLogMel, hz_to_mel, mel_matrix
from sedbench_plugins.yamnet.labels import display_names, known, meanings, outputs
from sedbench_plugins.yamnet.models import (
    HeadTraining,
    MeanProbability,
    Pretrained,
    Yamnet,
    YamnetHead,
)
from sedbench_plugins.yamnet.trunk import BLOCKS, Trunk

CLASSES = ("Speech", "Dog", "Dishes")
KINDS = [*HEAD.variants, "own"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stir(net: nn.Module, seed: int = 0) -> None:
    """Let the BatchNorms have seen something."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.uniform_(-0.2, 0.2, generator=generator)


def network(kind: str = "classifier", rate: int = RATE, whole: bool = False) -> Pretrained:
    family = YamnetFamily(whole) if kind == "own" else YamnetHeadFamily(whole)
    net = initialise(family, "classifier" if kind == "own" else kind, CLASSES, rate, 0)
    assert isinstance(net, Pretrained)
    stir(net)
    if isinstance(net, YamnetHead):
        net.head.get_buffer("mean").fill_(0.3)
        net.head.get_buffer("deviation").fill_(0.7)
    return net.eval()


def waves(clips: int = 2, seconds: float = 2.0, rate: int = RATE) -> torch.Tensor:
    values = np.random.default_rng(0).standard_normal((clips, round(seconds * rate)))
    return torch.from_numpy(0.1 * values).float()


# The table of the published architecture: kind, stride, outputs, size (time, frequency) behind it.
PUBLISHED = [
    ("conv", 2, 32, (48, 32)),
    ("separable", 1, 64, (48, 32)),
    ("separable", 2, 128, (24, 16)),
    ("separable", 1, 128, (24, 16)),
    ("separable", 2, 256, (12, 8)),
    ("separable", 1, 256, (12, 8)),
    ("separable", 2, 512, (6, 4)),
    *[("separable", 1, 512, (6, 4))] * 5,
    ("separable", 2, 1024, (3, 2)),
    ("separable", 1, 1024, (3, 2)),
]


def test_the_layers_are_the_published_ones() -> None:
    trunk = Trunk().eval()
    stir(trunk)
    sizes: list[torch.Size] = []
    for block in trunk.blocks.values():
        block.register_forward_hook(lambda _m, _i, out: sizes.append(out.shape))
    trunk(torch.zeros(1, 64, 96))
    assert len(BLOCKS) == len(trunk.blocks) == len(PUBLISHED)
    for (kind, stride, channels, size), block, found in zip(
        PUBLISHED, trunk.blocks.values(), sizes, strict=True
    ):
        assert found == (1, channels, *size)
        convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
        first = convs[0]
        assert first.kernel_size == (3, 3)
        assert first.stride == (stride, stride)
        assert len(convs) == (1 if kind == "conv" else 2)
        if kind == "separable":
            assert first.groups == first.in_channels == first.out_channels
            assert convs[1].kernel_size == (1, 1)
        norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
        assert len(norms) == len(convs)
        assert all(norm.eps == 1e-4 and bool((norm.weight == 1).all()) for norm in norms)


def test_the_number_of_parameters_is_the_published_one() -> None:
    net = build("patches").build("classifier", ("Speech",), RATE)
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    statistics = 2 * sum(norm.num_features for norm in norms)
    # Keras counts 3,751,369 with the statistics of the BatchNorms, 3,729,481 without.
    assert (trained, trained + statistics) == (3_729_481, 3_751_369)


def test_stride_two_pads_as_tensorflow_does() -> None:
    # 'same' for an even size: nothing before, one zero behind. Output i sees inputs 2i to 2i + 2.
    block = Trunk().blocks["layer1"]
    assert isinstance(block, nn.Sequential)
    pad, conv = block.get_submodule("pad"), block.get_submodule("conv")
    assert isinstance(conv, nn.Conv2d)
    with torch.no_grad():
        conv.weight.fill_(1.0)
        image = torch.arange(64.0).reshape(1, 1, 8, 8)
        found = conv(pad(image))[0, 0]
    assert found.shape == (4, 4)
    assert found[0, 0] == image[0, 0, :3, :3].sum()
    assert found[3, 3] == image[0, 0, 6:, 6:].sum()


@pytest.mark.parametrize("kind", KINDS)
def test_every_module_is_used_once_and_no_relu_is_in_place(kind: str) -> None:
    net = network(kind)
    relus = [m for m in net.modules() if isinstance(m, nn.ReLU)]
    assert len(relus) == 27
    assert not any(m.inplace for m in relus)
    used: list[nn.Module] = []
    for module in net.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, *_: used.append(m))
    out = net.logits(net.features(waves()).requires_grad_())
    assert len(used) == len(set(used))
    assert set(relus) <= set(used)
    kinds, todo, seen = [], [out.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        kinds.append(type(node).__name__)
        todo.extend(n for n, _ in node.next_functions)
    assert sum("Relu" in each for each in kinds) == len(relus)


def test_convolution_and_batchnorm_are_registered_in_the_order_in_which_they_run() -> None:
    # A canonizer pairs them by that order.
    leaves = [m for m in Trunk().modules() if not list(m.children())]
    for before, after in pairwise(leaves):
        if isinstance(before, nn.Conv2d):
            assert isinstance(after, nn.BatchNorm2d)
            assert after.num_features == before.out_channels


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_inference_twin_is_equivalent(kind: str, whole: bool) -> None:
    net = network(kind, whole=whole)
    before = copy.deepcopy(net.state_dict())
    fast = net.for_inference()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.modules())
    assert not any(p.requires_grad for p in fast.parameters())
    assert sum(isinstance(m, nn.ReLU) for m in fast.modules()) == 27
    features = net.features(waves())
    with torch.no_grad():
        for part in ("logits", "frame_logits"):
            found, expected = getattr(fast, part)(features), getattr(net, part)(features)
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    for name, value in net.state_dict().items():
        assert value.equal(before[name])
    assert list(fast.layers()) == list(net.layers())


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("seconds", [10.0, 2.0, 0.96, 0.3, 0.01])
def test_edges_fit_what_comes_out(seconds: float, whole: bool) -> None:
    net = network("fw-ss", whole=whole)
    n = round(seconds * RATE)
    with torch.no_grad():
        features = net.features(waves(1, seconds))
        frames = net.frame_logits(features)
    edges = net.frame_edges(n)
    assert len(net.feature_edges(n)) == features.shape[-1] + 1
    assert len(edges) == frames.shape[-1] + 1
    np.testing.assert_allclose(np.diff(edges), 0.32)
    assert edges[-1] >= seconds


def test_ten_seconds() -> None:
    n = 10 * RATE
    for whole, count, start in ((False, 33, 0.0075), (True, 32, -0.0775)):
        edges = network("fw-ss", whole=whole).frame_edges(n)
        assert len(edges) == count + 1
        assert edges[0] == pytest.approx(start)
    features = network().feature_edges(n)
    assert len(features) == 1001
    assert features[[0, 1]].tolist() == pytest.approx([0.0075, 0.0175])


def test_a_patch_hears_nothing_of_the_others() -> None:
    net = network("fw-ss")
    features = net.features(waves(1, 3.0))
    changed = features.clone()
    changed[..., 96:192] += 1.0
    with torch.no_grad():
        moved = (net.frame_logits(features) != net.frame_logits(changed)).any(1)[0]
        alone = net.frame_logits(features[..., 96:192])
        torch.testing.assert_close(net.frame_logits(features)[..., 3:6], alone)
    assert moved.tolist() == [False] * 3 + [True] * 3 + [False] * 6


def positive(net: Pretrained) -> None:
    """All weights positive, and a bias that lifts silence: nothing is rectified away."""
    with torch.no_grad():
        for _, conv, _, norm in net.trunk.convolutions():
            conv.weight.fill_(1 / conv.weight[0].numel())
            if isinstance(norm, nn.BatchNorm2d):
                norm.reset_running_stats()
                norm.reset_parameters()
        net.trunk.get_submodule("blocks.layer1.bn").get_parameter("bias").fill_(20.0)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", ["layer1", "layer3", "layer6", "layer12", "layer14"])
def test_a_burst_shows_in_a_layer_at_the_declared_time(name: str, whole: bool) -> None:
    net = network("fw-ss", whole=whole)
    positive(net)
    layer = net.layers()[name]
    kept: list[torch.Tensor] = []
    layer.module.register_forward_hook(lambda _m, _i, out: kept.append(out))
    features = torch.full((2, 64, 1000), math.log(0.001))
    at = 432  # the middle of the fifth patch
    features[0, :, at - 2 : at + 2] += 5.0
    with torch.no_grad():
        net.logits(features)
    response = (kept[0][0] - kept[0][1]).abs().sum((0, 1)).numpy()
    times = layer.offset + layer.stride * np.arange(len(response))
    centre = float((response * times).sum() / response.sum())
    # Zeros beyond a patch cut the deepest layers' receptive fields on both sides alike.
    assert centre == pytest.approx(0.0075 + 0.01 * at, abs=0.02 if whole else 0.1)


def test_layers_run_in_order_with_time_as_the_last_axis() -> None:
    net = network("own")
    ran: list[tuple[nn.Module, torch.Size]] = []
    for layer in net.layers().values():
        layer.module.register_forward_hook(lambda m, _i, out: ran.append((m, out.shape)))
    net.logits(net.features(waves(2, 1.92)))
    assert [module for module, _ in ran] == [layer.module for layer in net.layers().values()]
    for (_, shape), layer in zip(ran, net.layers().values(), strict=True):
        assert shape[0] == 2
        assert shape[3] * layer.stride == pytest.approx(1.92)


@pytest.mark.parametrize("whole", [False, True])
def test_cam_hirescam_and_unrectified_grad_cam_are_the_frame_logits(whole: bool) -> None:
    net = network("classifier", whole=whole).for_inference()
    kept: list[torch.Tensor] = []
    net.layers()["layer14"].module.register_forward_hook(lambda _m, _i, out: kept.append(out))
    features = net.features(waves(1, 3.0)).requires_grad_()
    logits = net.logits(features)
    activation = kept[0]
    frames = net.frame_logits(features)[0].detach()
    torch.testing.assert_close(frames.mean(-1), logits[0].detach(), atol=1e-4, rtol=1e-4)
    assert isinstance(net.head, nn.Conv1d) and net.head.bias is not None
    for c in range(len(CLASSES)):
        (gradient,) = torch.autograd.grad(logits[0, c], activation, retain_graph=True)
        bias, count = net.head.bias[c].item(), activation.shape[-1]
        grad_cam = (gradient.mean((2, 3), keepdim=True) * activation).sum((1, 2))[0].detach()
        hires_cam = (gradient * activation).sum((1, 2))[0].detach()
        cam = torch.einsum("k,kt->t", net.head.weight[c, :, 0], activation[0].mean(1)).detach()
        for found in (cam, grad_cam * count, hires_cam * count):
            torch.testing.assert_close(found + bias, frames[c], atol=1e-4, rtol=1e-4)


def test_what_is_trained_on_embeddings_is_the_whole_model() -> None:
    for variant in HEAD.variants:
        net = network(variant)
        assert isinstance(net, YamnetHead)
        training = HeadTraining(net)
        wave = waves()
        with torch.no_grad():
            embeddings = training.features(wave)
            assert embeddings.shape == (2, 1024, 9)
            for part in ("logits", "frame_logits"):
                expected = getattr(net, part)(net.features(wave))
                found = getattr(training, part)(embeddings)
                torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        own = [name for name in training.state_dict() if not name.startswith("pooling.")]
        assert own == [
            "head.mean",
            "head.deviation",
            "head.linear.weight",
            "head.linear.bias",
        ]
        learnt = sum(p.numel() for n, p in training.named_parameters() if n in own)
        assert learnt == 1025 * len(CLASSES)
        assert len(training.frame_edges(2 * RATE)) == embeddings.shape[-1] + 1


def test_channels_that_never_woke_do_not_shout() -> None:
    net = network()
    assert isinstance(net, YamnetHead)
    training = HeadTraining(net)
    training.fit_features(torch.zeros(1024), torch.zeros(1024))
    assert torch.isfinite(training.frame_logits(torch.zeros(1, 1024, 3))).all()
    assert training.head.get_buffer("deviation").min() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_differentiable_from_the_waveform_silence_included(kind: str) -> None:
    net = network(kind, rate=8000)
    wave = torch.cat([waves(1, 2.0, 8000), torch.zeros(1, 16000)]).requires_grad_()
    features = net.features(wave)
    (net.logits(features).sum() + net.frame_logits(features).sum()).backward()
    assert wave.grad is not None
    assert torch.isfinite(wave.grad).all()
    heard = wave.grad[0] != 0
    assert heard[:-200].float().mean() > 0.99
    assert heard[-200:].any()  # the end of the clip is heard too


def test_an_untrained_network_answers_to_its_input() -> None:
    # The control of an explanation: its gradients must not have died on the way.
    net = initialise(build_head(), "classifier", CLASSES, RATE, 1).eval()
    features = net.features(waves()).requires_grad_()
    out = net.logits(features)
    assert (out[0] - out[1]).abs().max() > 1e-4
    out.sum().backward()
    assert features.grad is not None
    assert features.grad.abs().max() > 1e-4


def test_the_mean_of_probabilities_is_stable_at_the_ends() -> None:
    p = torch.tensor([[[0.9, 0.1, 0.5]]])
    torch.testing.assert_close(torch.sigmoid(MeanProbability()(torch.logit(p))), p.mean(-1))
    far = torch.tensor([[[-200.0, -190.0], [200.0, 200.0]]], requires_grad=True)
    out = MeanProbability()(far)
    assert torch.isfinite(out).all()
    out.sum().backward()
    assert far.grad is not None
    assert far.grad.sum() == pytest.approx(2.0)  # a logit's shift is the clip logit's shift


def test_the_clip_probability_is_the_mean_over_patches() -> None:
    net = network("own")
    assert isinstance(net, Yamnet)
    wave = waves(1, 3.1)
    with torch.no_grad():
        scores = net.patch_scores(wave[0], hop=96)
        clip = torch.sigmoid(net(wave))[0]
    assert scores.shape == (4, 521)
    expected = [scores.mean(0)[list(own)].max().item() for own in net.outputs]
    assert clip.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("samples", "patches"), [(160, 1), (15600, 1), (15601, 2), (160000, 20)])
def test_published_patching(samples: int, patches: int) -> None:
    net = network("own")
    assert isinstance(net, Yamnet)
    with torch.no_grad():
        assert len(net.patch_scores(torch.zeros(samples))) == patches


def test_the_front_end_is_its_formula() -> None:
    n = 1200
    wave = waves(1, n / RATE)[0].double().numpy()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    found = YamnetLogMel()(torch.from_numpy(wave).float()[None])[0].numpy()
    padded = np.concatenate([wave, np.zeros(600)])
    assert found.shape == (64, 8)
    for i in range(8):
        magnitude = np.abs(np.fft.rfft(padded[160 * i : 160 * i + 400] * window, 512))
        np.testing.assert_allclose(found[:, i], np.log(mel_matrix() @ magnitude + 0.001), atol=1e-4)
    silence = YamnetLogMel()(torch.zeros(1, n))
    torch.testing.assert_close(silence, torch.full_like(silence, math.log(0.001)))


def test_the_mel_filters() -> None:
    filters = mel_matrix()
    assert filters.shape == (64, 257)
    assert filters.min() == 0.0 and filters.max() <= 1.0
    assert (filters.sum(1) > 0).all()
    bins = np.linspace(0, 8000, 257)
    assert not filters[:, (bins < 125) | (bins > 7500)].any()
    # Neighbours overlap so that between the outer centres they add up to one.
    points = np.linspace(*hz_to_mel(np.array([125.0, 7500.0])), 66)
    inner = (hz_to_mel(bins) > points[1]) & (hz_to_mel(bins) < points[-2])
    np.testing.assert_allclose(filters[:, inner].sum(0), 1.0)
    assert hz_to_mel(np.array([1000.0]))[0] == pytest.approx(1000.0, abs=0.1)


@pytest.mark.parametrize("rate", [8000, 22050, 32000, 44100, 48000])
def test_another_sample_rate_is_converted(rate: int) -> None:
    time = np.arange(rate) / rate
    target = np.arange(RATE) / RATE
    for frequency in (100.0, 1000.0, 3000.0):
        wave = torch.from_numpy(np.sin(2 * np.pi * frequency * time)).float()[None]
        found = Resample(rate)(wave)[0].numpy()
        assert len(found) == RATE
        inner = slice(400, -400)
        expected = np.sin(2 * np.pi * frequency * target)
        np.testing.assert_allclose(found[inner], expected[inner], atol=2e-3)
    if rate > RATE:  # what 16 kHz cannot hold is gone
        gone = np.sin(2 * np.pi * 9000.0 * time) if rate > 18000 else 0 * time
        found = Resample(rate)(torch.from_numpy(gone).float()[None])[0]
        assert found[400:-400].abs().max() < 1e-3


def test_labels_mean_audioset_classes() -> None:
    names = display_names()
    assert (len(names), len(set(names))) == (521, 521)
    assert all(name in names for own in meanings().values() for name in own)
    assert outputs(["Speech"]) == ((0,),)
    assert [names[i] for i in outputs(["Dishes"])[0]] == [
        "Dishes, pots, and pans",
        "Cutlery, silverware",
    ]
    assert [names[i] for i in outputs(["Wind chime"])[0]] == ["Wind chime"]
    assert not known("Dogg")


def test_an_unknown_label_is_one_clear_error() -> None:
    with pytest.raises(UnknownNameError, match="'Dogg'") as caught:
        build("patches").build("classifier", ("Speech", "Dogg"), RATE)
    assert "'Dog'" in caught.value.hint


def test_an_unknown_variant_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        build_head().build("fw-ws-liner", CLASSES, RATE)
    assert "fw-ws-linear" in caught.value.hint
    with pytest.raises(UnknownNameError):
        build("patches").build("fw-ss", CLASSES, RATE)


def test_recipes() -> None:
    with pytest.raises(NotApplicable):
        build("patches").recipe("classifier")
    assert not INFO.trains and HEAD.trains
    labels = {variant: build_head().recipe(variant).labels for variant in HEAD.variants}
    assert labels == {v: "frame" if v == "fw-ss" else "clip" for v in HEAD.variants}


def test_several_meanings_are_the_most_confident_one() -> None:
    net = network("own")
    assert isinstance(net, Yamnet)
    logits = torch.arange(521.0).expand(2, 521)
    assert net._classes(logits)[0].tolist() == [float(max(own)) for own in net.outputs]
