"""CNN14: front end, network and time, mostly on a narrow copy with random weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.signal
import soxr
import torch
from torch import nn

from sedbench.errors import DataError, NotApplicable, UnknownNameError
from sedbench_plugins.cnn14 import HEAD
from sedbench_plugins.cnn14.asset import PUBLISHED, Asset
from sedbench_plugins.cnn14.family import Cnn14Family, Cnn14HeadFamily
from sedbench_plugins.cnn14.frontend import LogMelDecibels, Resample
from sedbench_plugins.cnn14.labels import class_indices, display_names
from sedbench_plugins.cnn14.models import Cnn14, Cnn14Head, Pretrained

NARROW = Asset("narrow.pth", "", "", "", 0, (4, 6, 6, 8, 8, 12))
CLASSES = ("Dog", "Speech", "Frying")
RATE = 16000


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stir(net: Pretrained, seed: int = 0) -> None:
    """Let every BatchNorm have seen something."""
    generator = torch.Generator().manual_seed(seed)
    for block in net.body.blocks():
        for module in block:
            if isinstance(module, nn.BatchNorm2d):
                for values, low, high in (
                    (module.running_mean, -0.2, 0.2),
                    (module.running_var, 0.2, 1.0),
                    (module.weight.data, 0.5, 1.5),
                    (module.bias.data, -0.2, 0.4),
                ):
                    assert values is not None
                    values.uniform_(low, high, generator=generator)


def network(variant: str = "classifier", head: bool = False, rate: int = RATE) -> Pretrained:
    """A narrow network in eval mode."""
    family = Cnn14HeadFamily(NARROW) if head else Cnn14Family(NARROW)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = family.build(variant, CLASSES, rate)
    stir(net)
    return net.eval()


def waves(clips: int = 2, seconds: float = 1.0, rate: int = RATE) -> torch.Tensor:
    values = np.random.default_rng(0).standard_normal((clips, round(seconds * rate)))
    return torch.from_numpy(0.1 * values).float()


def slaney_mel(bands: int = 64, low: float = 50.0, high: float = 14000.0) -> np.ndarray:
    """The mel matrix filter by filter, from Slaney's definition."""

    def to_mel(hz: float) -> float:
        return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)

    def to_hz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    corners = [to_hz(m) for m in np.linspace(to_mel(low), to_mel(high), bands + 2)]
    bins = np.arange(513) * 32000 / 1024
    rows = []
    for left, middle, right in zip(corners, corners[1:], corners[2:], strict=False):
        triangle = np.interp(bins, [left, middle, right], [0.0, 1.0, 0.0], left=0, right=0)
        rows.append(triangle * 2 / (right - left))
    return np.array(rows)


def test_the_front_end_is_what_numpy_gives() -> None:
    rng = np.random.default_rng(1)
    waveform = 0.1 * rng.standard_normal(32000)
    waveform[9000:16000] *= 1e-3
    waveform[20000:24000] += np.sin(2 * np.pi * 3000 / 32000 * np.arange(4000))
    padded = np.pad(waveform, 512, mode="reflect")
    hann = scipy.signal.get_window("hann", 1024, fftbins=True)
    power = np.array(
        [np.abs(np.fft.rfft(padded[i : i + 1024] * hann)) ** 2 for i in range(0, 32001, 320)]
    ).T
    expected = 10 * np.log10(np.maximum(slaney_mel() @ power, 1e-10))
    front = LogMelDecibels().double()
    front.filters.copy_(torch.from_numpy(slaney_mel()))
    found = front(torch.from_numpy(waveform)[None])[0].numpy()
    assert found.shape == (64, 101)
    np.testing.assert_allclose(found, expected, atol=5e-5)
    single = LogMelDecibels()(torch.from_numpy(waveform).float()[None])[0].numpy()
    # Single precision has nothing to say of bands far below a loud tone in the same frame.
    heard = expected > expected.max(0) - 60
    np.testing.assert_allclose(single[heard], expected[heard], atol=1e-4)
    np.testing.assert_allclose(single, expected, atol=5e-3)


def test_silence_is_the_floor_and_has_no_gradient() -> None:
    wave = torch.zeros(1, 3200, requires_grad=True)
    out = LogMelDecibels()(wave)
    torch.testing.assert_close(out, torch.full_like(out, -100.0))
    out.sum().backward()
    assert wave.grad is not None
    assert not wave.grad.any()


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_resampled_tones_are_tones_without_delay(rate: int) -> None:
    time = np.arange(rate) / rate
    resample = Resample(rate, 32000)
    for share in (0.05, 0.5, 0.88):
        hz = share * min(rate, 32000) / 2
        found = resample(torch.from_numpy(np.sin(2 * np.pi * hz * time)).float()[None])[0]
        assert len(found) == resample.length(rate) == 32000
        expected = np.sin(2 * np.pi * hz * np.arange(32000) / 32000)
        np.testing.assert_allclose(found[2000:-2000], expected[2000:-2000], atol=3e-5)


def test_resampling_agrees_with_soxr_and_adds_nothing_above_8_khz() -> None:
    noise = np.random.default_rng(2).standard_normal(2 * RATE)
    band = scipy.signal.firwin(801, 6800, fs=RATE)
    limited = scipy.signal.lfilter(band, 1, noise)
    found = Resample(RATE, 32000)(torch.from_numpy(limited).float()[None])[0].numpy()
    expected = soxr.resample(limited, RATE, 32000, "VHQ")
    np.testing.assert_allclose(found[500:-500], expected[500:-500], atol=3e-5)
    wide = Resample(RATE, 32000)(torch.from_numpy(noise).float()[None])[0].numpy()
    spectrum = np.abs(np.fft.rfft(wide * np.hanning(len(wide)))) ** 2
    hertz = np.fft.rfftfreq(len(wide), 1 / 32000)
    image = 10 * np.log10(spectrum[hertz > 8000].max() / spectrum[hertz < 7000].mean())
    assert image < -85


def test_the_rate_of_the_model_needs_no_resampling() -> None:
    wave = waves(1, rate=32000)
    assert Resample(32000, 32000)(wave) is wave


def test_the_published_numbers_of_parameters_and_frames() -> None:
    with torch.device("meta"):
        net = Cnn14(display_names(), RATE)
    assert sum(p.numel() for p in net.parameters()) == 80_753_615
    assert net.feature_edges(10 * RATE).shape == (1002,)
    assert net.frame_edges(10 * RATE).shape == (32,)


def test_the_published_size_runs() -> None:
    # The only place where all 81 million weights are made; folding shares what it can.
    net = Cnn14(("Speech",), RATE).eval()
    wave = waves(1, 0.5)
    with torch.no_grad():
        plain = net(wave)
        torch.testing.assert_close(net.for_inference()(wave), plain, rtol=1e-4, atol=1e-4)


def test_a_label_is_a_display_name_in_other_spelling_or_a_part_of_one() -> None:
    names = display_names()
    assert len(names) == 527
    assert class_indices(names) == list(range(527))
    labels = ["speech", "Vacuum_cleaner", "Dishes", "Frying", "Rattle", "Water tap"]
    assert [names[i] for i in class_indices(labels)] == [
        "Speech",
        "Vacuum cleaner",
        "Dishes, pots, and pans",
        "Frying (food)",
        "Rattle",
        "Water tap, faucet",
    ]


@pytest.mark.parametrize(
    ("label", "hint"),
    [
        ("Spech", "Speech"),
        ("Church_bells", "Church bell"),
        ("Running_water", "Water"),
        ("Inside", "Inside, public space"),
        ("xqj", "527"),
    ],
)
def test_an_unknown_label_is_answered_with_the_nearest(label: str, hint: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        Cnn14Family(NARROW).build("classifier", ("Dog", label), RATE)
    assert label in caught.value.message
    assert hint in caught.value.hint
    assert len(caught.value.hint) < 200


def test_an_unknown_variant_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Cnn14HeadFamily(NARROW).build("fw-ws-liner", CLASSES, RATE)
    assert "fw-ws-linear" in caught.value.hint
    with pytest.raises(UnknownNameError):
        Cnn14Family(NARROW).build("fw-ss", CLASSES, RATE)
    with pytest.raises(NotApplicable):
        Cnn14Family(NARROW).recipe("classifier")


@pytest.mark.parametrize("variant", [None, *HEAD.variants])
def test_every_relu_is_a_module_that_is_used_once_and_not_in_place(variant: str | None) -> None:
    net = network(variant or "classifier", head=variant is not None)
    relus = [m for m in net.modules() if isinstance(m, nn.ReLU)]
    assert len(relus) == 13
    assert not any(m.inplace for m in relus)
    used: list[nn.Module] = []
    for module in net.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, *_: used.append(m))
    features = net.features(waves()).requires_grad_()
    out = net.logits(features)
    assert out.shape == (2, 3)
    assert len(used) == len(set(used))
    assert set(relus) <= set(used)
    todo, seen, kinds = [out.grad_fn], set(), []
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            kinds.append(type(node).__name__)
            todo.extend(n for n, _ in node.next_functions)
    assert sum("Relu" in kind for kind in kinds) == len(relus)


def test_a_batchnorm_is_registered_behind_its_convolution() -> None:
    # Libraries that merge them pair them by order of registration.
    kinds = [type(m) for m in network().body.modules()]
    for i, kind in enumerate(kinds):
        if kind is nn.Conv2d:
            assert kinds[i + 1 : i + 3] == [nn.BatchNorm2d, nn.ReLU]


def test_the_trunk_is_frozen_even_in_training_mode() -> None:
    net = network(head=True).train()
    before = copy.deepcopy(net.body.state_dict())
    net.logits(net.features(waves())).sum().backward()
    for name, value in net.body.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert {n for n, p in net.named_parameters() if p.grad is not None} == {
        "head.weight",
        "head.bias",
    }


@pytest.mark.parametrize("variant", [None, *HEAD.variants])
def test_the_folded_network_answers_the_same(variant: str | None) -> None:
    net = network(variant or "classifier", head=variant is not None)
    before = copy.deepcopy(net.state_dict())
    fast = net.for_inference()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.modules())
    with torch.no_grad():
        features = net.features(waves())
        torch.testing.assert_close(
            fast.logits(features), net.logits(features), rtol=1e-4, atol=1e-4
        )
        if variant not in (None, "classifier"):
            torch.testing.assert_close(
                fast.frame_logits(features), net.frame_logits(features), rtol=1e-4, atol=1e-4
            )
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name
    kernel = fast.layers()["conv_block2.conv1"].module.weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)


def test_the_gradient_reaches_the_waveform() -> None:
    net = network().for_inference()
    wave = waves(1).requires_grad_()
    net(wave)[0, 0].backward()
    assert wave.grad is not None
    assert torch.isfinite(wave.grad).all()
    assert (wave.grad.abs() > 0).float().mean() > 0.9


def test_the_clip_logit_of_the_maximum_is_the_largest_frame_logit() -> None:
    net = network("fw-ws-max", head=True)
    features = net.features(waves())
    with torch.no_grad():
        torch.testing.assert_close(net.logits(features), net.frame_logits(features).amax(-1))
    linear = network("fw-ws-linear", head=True)
    with torch.no_grad():
        p = torch.sigmoid(linear.frame_logits(features))
        clip = torch.sigmoid(linear.logits(features))
    torch.testing.assert_close(clip, p.square().sum(-1) / p.sum(-1))


def test_a_clip_of_one_frame_is_its_frame() -> None:
    clip, each = network(head=True), network("fw-ws-max", head=True)
    assert isinstance(clip, Cnn14Head)
    assert isinstance(each, Cnn14Head)
    each.load_state_dict(clip.state_dict())
    frames = torch.rand(2, 12, 1)
    with torch.no_grad():
        torch.testing.assert_close(clip.clips(frames), each.clips(frames))


@pytest.mark.parametrize("head", [False, True])
def test_the_explained_classifier_has_no_frame_logits(head: bool) -> None:
    net = network(head=head)
    with pytest.raises(NotApplicable):
        net.frame_logits(net.features(waves()))


@pytest.mark.parametrize(("rate", "seconds"), [(16000, 10.0), (16000, 0.64), (44100, 1.0)])
def test_edges_belong_to_frames(rate: int, seconds: float) -> None:
    net = network("fw-ss", head=True, rate=rate)
    wave = waves(1, seconds, rate)
    with torch.no_grad():
        features = net.features(wave)
        frames = net.frame_logits(features)
    edges = net.feature_edges(wave.shape[1])
    assert edges.shape == (features.shape[2] + 1,)
    np.testing.assert_allclose(edges[[0, 1, 2]], [0.0, 0.005, 0.015], atol=1e-12)
    assert edges[-1] <= seconds
    assert (np.diff(edges) > 0).all()
    edges = net.frame_edges(wave.shape[1])
    assert edges.shape == (frames.shape[2] + 1,)
    np.testing.assert_allclose(edges[0], 0.0)
    np.testing.assert_allclose(
        edges[1:], np.minimum(0.32 * np.arange(1, len(edges)) - 0.005, seconds), atol=1e-9
    )
    if seconds == 10.0:
        assert len(edges) == 32
        assert edges[-1] == pytest.approx(9.915)


@pytest.mark.parametrize("at", [1.5, 2.0, 2.34, 3.33])
def test_a_click_is_loudest_where_the_edges_say(at: float) -> None:
    # All kernels average and nothing is shifted, so each layer only blurs around the click.
    net = network("fw-ss", head=True)
    for block in net.body.blocks():
        block.conv1.weight.data.fill_(1.0 / block.conv1.weight[0].numel())
        block.conv2.weight.data.fill_(1.0 / block.conv2.weight[0].numel())
        for module in block:
            if isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
    heard: dict[str, torch.Tensor] = {}
    for name, layer in net.layers().items():
        layer.module.register_forward_hook(
            lambda _m, _i, out, name=name: heard.update({name: out[0].relu().mean((0, 1))})
        )
    wave = torch.zeros(1, 6 * RATE)
    wave[0, round(at * RATE)] = 1.0
    with torch.no_grad():
        features = net.features(wave)
        frames = net.body.frames(features)[0].mean(0)
    for loud, edges in (
        (features[0].mean(0), net.feature_edges(6 * RATE)),
        (frames, net.frame_edges(6 * RATE)),
    ):
        peak = int(loud.argmax())
        assert edges[peak] <= at < edges[peak + 1]
    assert list(heard) == [f"conv_block{i}.conv{j}" for i in range(1, 7) for j in (1, 2)]
    for name, layer in net.layers().items():
        weight = heard[name].double()
        middles = layer.offset + layer.stride * torch.arange(len(weight))
        # Averaging is symmetrical and far from the ends, so the centre stays where it was.
        assert float((weight * middles).sum() / weight.sum()) == pytest.approx(at, abs=3e-3), name


def test_a_clip_that_is_too_short_is_refused() -> None:
    net = network()
    assert net(waves(1, 0.31)).shape == (1, 3)
    with pytest.raises(DataError, match="too short"):
        net(waves(1, 0.3))


def test_the_mean_feature_is_that_of_the_first_batchnorm() -> None:
    net = network()
    assert net.feature_mean().shape == (64,)
    normal = net.body.bn0(net.feature_mean()[None, :, None])
    torch.testing.assert_close(normal, torch.zeros_like(normal))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_answers_as_the_cpu_does() -> None:
    net = network().for_inference()
    with torch.no_grad():
        here = net(waves())
        there = net.to("cuda")(waves().to("cuda")).cpu()
    torch.testing.assert_close(there, here, rtol=1e-2, atol=1e-2)


def test_the_published_file_is_pinned() -> None:
    assert PUBLISHED.size == 327_428_481
    assert len(PUBLISHED.md5) == 32
    assert len(PUBLISHED.sha256) == 64
