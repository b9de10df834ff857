"""CNN14's checkpoint: brought, converted and loaded, on a narrow one with random tensors.

Its names and shapes, with the published widths, are those of the published file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.models import training, weights
from sedbench.models.store import ModelHandle, initialise
from sedbench_plugins.cnn14 import CNN14, HEAD, published
from sedbench_plugins.cnn14.asset import CONVERTED, PUBLISHED, Asset
from sedbench_plugins.cnn14.checkpoint import learned_shapes
from sedbench_plugins.cnn14.family import Cnn14Family, Cnn14HeadFamily
from sedbench_plugins.cnn14.labels import class_indices
from sedbench_plugins.cnn14.models import HeadTraining

WIDTHS = (4, 6, 6, 8, 8, 12)
CLASSES = ("Dog", "Speech", "Frying")
RATE = 16000
NAME = "narrow.pth"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def published_state(seed: int = 0) -> dict[str, Tensor]:
    """Random tensors named and shaped as in the published checkpoint, written out by hand."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def draw(name: str, *shape: int, low: float = -0.3, high: float = 0.3) -> None:
        state[name] = torch.empty(shape).uniform_(low, high, generator=generator)

    n = torch.arange(1024, dtype=torch.float64)
    hann = 0.5 - 0.5 * torch.cos(2 * torch.pi * n / 1024)
    phase = 2 * torch.pi * torch.arange(513, dtype=torch.float64)[:, None] * n / 1024
    prefix = "spectrogram_extractor.stft"
    state[f"{prefix}.conv_real.weight"] = (torch.cos(phase) * hann)[:, None].float()
    state[f"{prefix}.conv_imag.weight"] = (-torch.sin(phase) * hann)[:, None].float()
    state["logmel_extractor.melW"] = slaney_mel().float()

    def norm(name: str, width: int) -> None:
        draw(f"{name}.weight", width, low=0.5, high=1.5)
        draw(f"{name}.bias", width)
        draw(f"{name}.running_mean", width)
        draw(f"{name}.running_var", width, low=0.2, high=1.0)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    norm("bn0", 64)
    state["bn0.running_mean"] -= 30.0
    state["bn0.running_var"] *= 400.0
    before = 1
    for i, width in enumerate(WIDTHS, start=1):
        draw(f"conv_block{i}.conv1.weight", width, before, 3, 3)
        draw(f"conv_block{i}.conv2.weight", width, width, 3, 3)
        norm(f"conv_block{i}.bn1", width)
        norm(f"conv_block{i}.bn2", width)
        before = width
    draw("fc1.weight", before, before)
    draw("fc1.bias", before)
    draw("fc_audioset.weight", 527, before)
    draw("fc_audioset.bias", 527)
    return state


def slaney_mel() -> Tensor:
    """The mel matrix (bins, bands), filter by filter."""

    def to_hz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    highest = 15 + 27 * np.log(14.0) / np.log(6.4)
    corners = [to_hz(m) for m in np.linspace(0.75, highest, 66)]
    bins = np.arange(513) * 31.25
    made = [
        np.interp(bins, [a, b, c], [0.0, 1.0, 0.0]) * 2 / (c - a)
        for a, b, c in zip(corners, corners[1:], corners[2:], strict=False)
    ]
    return torch.from_numpy(np.array(made).T)


def save(path: Path, content: object, legacy: bool = False) -> Asset:
    """Write a checkpoint, and describe it as if it had been published."""
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    file = path.read_bytes()
    return Asset(
        path.name,
        "",
        hashlib.md5(file).hexdigest(),
        hashlib.sha256(file).hexdigest(),
        len(file),
        WIDTHS,
    )


@pytest.fixture
def asset(tmp_path: Path) -> Asset:
    """A narrow checkpoint that was fetched."""
    made = save(tmp_path / NAME, {"iteration": 600000, "model": published_state()})
    made.bring(tmp_path)
    return made


def by_hand(state: dict[str, Tensor], logmel: Tensor) -> tuple[Tensor, Tensor]:
    """The paper's network on an image of (time, mel): its frames, and all 527 clip logits."""

    def norm(x: Tensor, name: str) -> Tensor:
        part = [state[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *part)

    x = norm(logmel, "bn0").transpose(1, 2)[:, None]  # (batch, 1, time, mel)
    for i in range(1, 7):
        for j in (1, 2):
            x = F.conv2d(x, state[f"conv_block{i}.conv{j}.weight"], padding=1)
            x = F.relu(norm(x, f"conv_block{i}.bn{j}"))
        x = F.avg_pool2d(x, 2 if i < 6 else 1)
    frames = x.mean(3)
    pooled = frames.max(2).values + frames.mean(2)
    embedding = F.relu(F.linear(pooled, state["fc1.weight"], state["fc1.bias"]))
    return frames, F.linear(embedding, state["fc_audioset.weight"], state["fc_audioset.bias"])


def waves(clips: int = 2, seconds: float = 1.0) -> Tensor:
    values = np.random.default_rng(0).standard_normal((clips, round(seconds * RATE)))
    return torch.from_numpy(0.1 * values).float()


def test_the_published_names_and_shapes() -> None:
    shapes = learned_shapes(PUBLISHED.widths)
    assert shapes["conv_block1.conv1.weight"] == (64, 1, 3, 3)
    assert shapes["conv_block6.conv2.weight"] == (2048, 2048, 3, 3)
    assert shapes["bn0.running_var"] == (64,)
    assert shapes["fc_audioset.weight"] == (527, 2048)
    learnt = [v for k, v in shapes.items() if "running" not in k]
    assert sum(int(np.prod(shape)) for shape in learnt) == 80_753_615
    own = {k for k in published_state() if not k.endswith("num_batches_tracked")}
    assert {k for k in own if "extractor" not in k} == set(learned_shapes(WIDTHS))


def test_a_loaded_network_is_the_papers(asset: Asset) -> None:
    net = Cnn14Family(asset).build("classifier", CLASSES, RATE).eval()
    net.load_trained({})
    with torch.no_grad():
        features = net.features(waves())
        frames, logits = by_hand(published_state(), features)
        torch.testing.assert_close(net.body.frames(features), frames, rtol=1e-4, atol=1e-5)
        expected = logits[:, class_indices(CLASSES)]
        torch.testing.assert_close(net.logits(features), expected, rtol=1e-4, atol=1e-5)
        fast = net.for_inference()
        torch.testing.assert_close(fast.logits(features), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_is_converted_and_the_pickle_removed(
    tmp_path: Path, data: Path, legacy: bool
) -> None:
    made = save(tmp_path / NAME, {"model": published_state()}, legacy)
    seen: list[int] = []
    report = made.bring(tmp_path / NAME, progress=lambda done, total: seen.append(done))
    assert report.copied == [CONVERTED]
    assert seen
    folder = data / "models" / "cnn14"
    assert sorted(p.name for p in folder.iterdir()) == ["cnn14.json", CONVERTED]
    card = json.loads((folder / "cnn14.json").read_text())
    assert card["source_sha256"] == made.sha256
    assert card["sha256"] == hashlib.sha256((folder / CONVERTED).read_bytes()).hexdigest()
    kept = made.tensors()
    for name, value in published_state().items():
        if "extractor" not in name and "tracked" not in name:
            assert torch.equal(kept[name], value), name
    assert made.bring(None).kept == [CONVERTED]
    assert made.bring(None, check=True).ok


def test_a_checkpoint_that_is_not_here_is_asked_for(data: Path) -> None:
    net = Cnn14Family(PUBLISHED).build
    with torch.device("meta"):
        model = net("classifier", CLASSES, RATE)
    with pytest.raises(MissingDataError) as caught:
        model.load_trained({})
    assert caught.value.hint == "sedbench fetch cnn14"
    report = PUBLISHED.bring(check=True)
    assert report.missing == [CONVERTED]
    assert not (data / "models").exists()


def test_a_damaged_or_foreign_conversion_is_noticed(asset: Asset, tmp_path: Path) -> None:
    other = replace(asset, sha256="0" * 64)
    assert other.bring(check=True).wrong == [CONVERTED]
    content = bytearray(asset.path.read_bytes())
    content[-1] ^= 1
    asset.path.write_bytes(content)
    assert asset.bring(check=True).wrong == [CONVERTED]
    with pytest.raises(HashMismatchError):
        asset.tensors()
    assert asset.bring(tmp_path).copied == [CONVERTED]
    assert asset.tensors()


def test_another_file_than_the_published_one_is_refused(tmp_path: Path, data: Path) -> None:
    made = save(tmp_path / NAME, {"model": published_state()})
    for wrong in (replace(made, sha256="0" * 64), replace(made, md5="0" * 32)):
        with pytest.raises(HashMismatchError):
            wrong.bring(tmp_path)
        assert not list((data / "models").rglob("*.pth"))
        assert not list((data / "models").rglob("*.safetensors"))


def drop(state: dict[str, Tensor]) -> None:
    del state["conv_block2.bn1.running_var"]


def add(state: dict[str, Tensor]) -> None:
    state["conv_block7.conv1.weight"] = torch.zeros(1)


def reshape(state: dict[str, Tensor]) -> None:
    state["fc1.weight"] = torch.zeros(12, 13)


def spoil(state: dict[str, Tensor]) -> None:
    state["bn0.bias"][3] = float("nan")


def count(state: dict[str, Tensor]) -> None:
    state["bn0.weight"] = torch.ones(64, dtype=torch.int64)


def other_front_end(state: dict[str, Tensor]) -> None:
    state["logmel_extractor.melW"] = state["logmel_extractor.melW"].roll(1, 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop, "lacks conv_block2.bn1.running_var"),
        (add, "holds conv_block7.conv1.weight"),
        (reshape, r"fc1.weight has the shape \(12, 13\) and should have \(12, 12\)"),
        (spoil, "bn0.bias holds a value that is not finite"),
        (count, "bn0.weight is no tensor of floating-point numbers"),
        (other_front_end, "logmel_extractor.melW is another front end"),
    ],
)
def test_a_checkpoint_with_other_tensors_is_named(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], None], words: str
) -> None:
    state = published_state()
    change(state)
    made = save(tmp_path / NAME, {"model": state})
    with pytest.raises(DataError, match=words):
        made.bring(tmp_path)
    assert made.state() == "missing"


class Trap:
    """An object that would write a file if it were unpickled."""

    target = Path()

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_is_unpickled(tmp_path: Path, legacy: bool) -> None:
    Trap.target = tmp_path / "sprung"
    made = save(tmp_path / NAME, {"model": published_state(), "more": Trap()}, legacy)
    with pytest.raises(DataError, match="no checkpoint that can be read safely"):
        made.bring(tmp_path)
    assert not Trap.target.exists()


@pytest.mark.parametrize("content", [{"weights": {}}, [1, 2], torch.zeros(3)])
def test_a_file_without_a_model_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(DataError, match="no entry 'model'"):
        save(tmp_path / NAME, content).bring(tmp_path)


def test_noise_is_no_checkpoint(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(4096)
    (tmp_path / NAME).write_bytes(noise)
    digests = [hashlib.new(kind, noise).hexdigest() for kind in ("md5", "sha256")]
    with pytest.raises(DataError, match="no checkpoint"):
        Asset(NAME, "", *digests, len(noise), WIDTHS).bring(tmp_path)


@pytest.mark.parametrize("variant", HEAD.variants)
def test_a_trained_head_is_kept_small_and_found_again(asset: Asset, variant: str) -> None:
    family = Cnn14HeadFamily(asset)
    net = family.trainable(variant, CLASSES, RATE)
    assert isinstance(net, HeadTraining)
    own = [n for n in net.state_dict() if not n.startswith("pooling.")]
    assert own == ["head.weight", "head.bias"]
    assert own == [n for n, _ in net.named_parameters() if not n.startswith("pooling.")]
    learns = variant.removeprefix("fw-ws-") in ("auto", "attention", "self-attention")
    assert (len(own) < len(net.state_dict())) == learns
    clips = waves(6)
    with torch.no_grad():
        features = net.features(clips).numpy().astype(np.float16)
    assert features.shape == (6, 12, 3)
    assert len(net.feature_edges(RATE)) == len(net.frame_edges(RATE)) == 4
    labels = np.array([[i % 2 == 0, i % 3 == 0, True] for i in range(6)])
    frames = np.repeat(labels[:, :, None], 3, axis=2)
    examples = training.Examples(features, labels, lambda: frames)
    recipe = replace(family.recipe(variant), epochs=2, batch=3)
    checkpoint = asset.path.with_name("training.safetensors")
    trunk = {k: v.clone() for k, v in net.whole.body.state_dict().items()}
    report = training.train(net, recipe, examples, examples, seed=0, checkpoint=checkpoint)
    assert set(report.state) == set(net.state_dict())
    for name, value in net.whole.body.state_dict().items():
        assert torch.equal(value, trunk[name]), name

    path = weights.local_root(HEAD.name) / "task" / f"{variant}-s0.safetensors"
    weights.save(path, report.state, {"validation": {}})
    assert path.stat().st_size < (70_000 if learns else 1000)
    handle = ModelHandle(HEAD.name, "task", CLASSES, RATE, 0, "cpu", HEAD.variants, lambda: family)
    whole = handle.variant(variant)
    with torch.no_grad():
        expected = net.eval().logits(net.features(clips))
        torch.testing.assert_close(whole(clips), expected, rtol=1e-2, atol=1e-2)
        if variant != "classifier":
            assert whole.frame_logits(whole.features(clips)).shape == (6, 3, 3)


def test_a_head_of_other_classes_does_not_fit(asset: Asset) -> None:
    family = Cnn14HeadFamily(asset)
    path = weights.local_root(HEAD.name) / "task" / "classifier-s0.safetensors"
    weights.save(path, {"head.weight": torch.zeros(2, 12), "head.bias": torch.zeros(2)}, {})
    handle = ModelHandle(HEAD.name, "task", CLASSES, RATE, 0, "cpu", HEAD.variants, lambda: family)
    with pytest.raises(DataError, match="does not fit"):
        handle.classifier()


def test_the_model_with_its_own_classes_needs_no_weights(asset: Asset) -> None:
    handle = ModelHandle(
        CNN14.name, "task", CLASSES, RATE, 0, "cpu", CNN14.variants,
        lambda: Cnn14Family(asset), trains=CNN14.trains,
    )  # fmt: skip
    net = handle.classifier()
    with torch.no_grad():
        found = net(waves())
        _, expected = by_hand(published_state(), net.features(waves()))
    torch.testing.assert_close(found, expected[:, class_indices(CLASSES)], rtol=1e-4, atol=1e-4)


def test_random_weights_need_no_checkpoint() -> None:
    narrow = Asset(NAME, "", "", "", 0, WIDTHS)
    for family in (Cnn14Family(narrow), Cnn14HeadFamily(narrow)):
        a, b = (initialise(family, "classifier", CLASSES, RATE, seed) for seed in (0, 1))
        with torch.no_grad():
            one, two = a.eval()(waves()), b.eval()(waves())
        assert torch.isfinite(one).all()
        assert not torch.equal(one, two)


def test_listings_say_what_has_to_be_fetched() -> None:
    for info in (CNN14, HEAD):
        assert info.pretrained == ((PUBLISHED.name, PUBLISHED.sha256),)
        assert info.fetch == "sedbench fetch cnn14"
        assert info.source is published
    assert published() is PUBLISHED
    assert HEAD.trains
    assert not CNN14.trains
