"""Masks that were learnt: a planted task, what is shown and hidden, and the real trunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import MissingDataError, NotApplicable
from sedbench.models.contract import Classifier, Layer
from sedbench.models.lesson import Clips, Learned, Lesson
from sedbench.models.store import ModelHandle, initialise, seeded
from sedbench.progress import Quiet
from sedbench.types import Answer, FrameGrid, Query
from sedbench_plugins import lmac as family
from sedbench_plugins.cnn14.asset import Asset
from sedbench_plugins.cnn14.family import Cnn14HeadFamily
from sedbench_plugins.lmac import method as method_module
from sedbench_plugins.lmac.decoder import Decoder, Resize, resizes
from sedbench_plugins.lmac.method import RECIPE, WEIGHTS, Ear, Recipe
from sedbench_plugins.logmel_cnn import build as build_cnn
from sedbench_plugins.yamnet import build_head as build_yamnet_head

CLASSES = ("Dog", "Cat")
FRAMES = 50
SILENCE = -3.0


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Planted(Classifier):
    """A class is a loud band, on average over time; silence is -3. Frames of 20 ms."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.sample_rate = CLASSES, 4 * FRAMES
        self.near, self.relu1 = nn.Conv2d(1, 2, 1), nn.ReLU()
        self.pool, self.relu2 = nn.AvgPool2d((1, 2)), nn.ReLU()
        self.far = nn.Conv2d(2, 4, (4, 1))
        with torch.no_grad():
            self.near.weight.copy_(torch.tensor([1.0, -1.0])[:, None, None, None])
            self.far.weight.zero_()
            self.far.weight[:, 0] = torch.eye(4)[:, :, None]
            for layer in (self.near, self.far):
                assert layer.bias is not None
                layer.bias.zero_()

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), 4, FRAMES) + SILENCE

    def logits(self, features: Tensor) -> Tensor:
        x = self.relu1(self.near(features[:, None] - SILENCE))
        x = self.relu2(self.far(self.pool(x)))
        return 40.0 * x[:, :2, 0].mean(-1) - 2.0

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(FRAMES + 1) * 0.02

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)[::2]

    def layers(self) -> Mapping[str, Layer]:
        return {"near": Layer(self.near, 0.02, 0.01), "far": Layer(self.far, 0.04, 0.02)}


class Holding(ModelHandle):
    """A handle that holds one given model, and what was learnt of it."""

    def __init__(self, model: Classifier) -> None:
        super().__init__(
            "toy", "t", model.classes, model.sample_rate, 0, "cpu", ("classifier",), lambda: None
        )
        model.eval().requires_grad_(False)
        self._loaded["classifier"] = model
        self.found: Learned | None = None

    def learned(self, info: Any, **params: Any) -> dict[str, Tensor]:
        assert self.found is not None and not params
        return {k: v.half().float() for k, v in self.found.state.items()}


def sounds(clips: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Waveforms (clips, samples), and where each class sounds (clips, classes, frames).

    A class is 8 loud frames in its band; the two other bands mean nothing.
    """
    rng = np.random.default_rng(seed)
    active = np.zeros((clips, 4, FRAMES), bool)
    for clip in active:
        for band in clip:
            if rng.random() < 0.6:
                start = rng.integers(0, FRAMES - 8)
                band[start : start + 8] = True
    waves = active + rng.uniform(0.0, 0.05, active.shape)
    return waves.reshape(clips, -1).astype(np.float32), active[:, :2]


def learn(handle: Holding, path: Path, clips: int = 120) -> Learned:
    """Teach it on the planted task; the labels given are nonsense, and must not matter."""
    parts = []
    for count, seed in ((clips, 1), (30, 2)):
        waves, _ = sounds(count, seed)
        features = handle.classifier().features(torch.from_numpy(waves)).numpy()
        parts.append(Clips(features.astype(np.float16), np.zeros((count, 2), bool)))
    lesson = Lesson(handle, *parts, 4 * FRAMES, 0, "x", Quiet(), path, resume=False)
    with seeded(0):
        handle.found = family.build("mean").learn(lesson)
    return handle.found


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Holding:
    handle, patch = Holding(Planted()), pytest.MonkeyPatch()
    patch.setattr(method_module, "RECIPE", Recipe(epochs=4, learning_rate=1e-2, seen=240))
    learn(handle, tmp_path_factory.mktemp("lesson") / "c", clips=240)
    patch.undo()
    return handle


def query(waveforms: NDArray[np.float32], rate: int, pairs: Any) -> Query:
    names = tuple(f"test-{i:04d}" for i in range(len(waveforms)))
    grid = FrameGrid(waveforms.shape[1] / rate, 0.02)
    return Query(names, waveforms, rate, np.array(pairs, np.int64).reshape(-1, 2), CLASSES, grid)


def ask(handle: ModelHandle, question: Query, pooling: str = "mean") -> Answer:
    answer: Answer = family.build(pooling).answer(question, handle)
    return answer


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_it_shows_where_the_class_sounds(taught: Holding, pooling: str) -> None:
    waves, active = sounds(30, 5)
    pairs = np.argwhere(active.any(-1))
    answer = ask(taught, query(waves, 4 * FRAMES, pairs), pooling)
    np.testing.assert_allclose(answer.scores.edges, np.arange(51) * 0.02)
    assert answer.resolution == 0.02
    truth = active[pairs[:, 0], pairs[:, 1]]
    scores = answer.scores.values
    hits = truth[np.arange(len(pairs)), scores.argmax(1)]
    assert hits.mean() > 0.9
    inside = np.array([row[on].mean() for row, on in zip(scores, truth, strict=True)])
    outside = np.array([row[~on].mean() for row, on in zip(scores, truth, strict=True)])
    assert np.median(inside / outside) > 2
    assert ((answer.diagnostics["mask_area"] > 0) & (answer.diagnostics["mask_area"] < 1)).all()


def test_masks_belong_to_a_class(taught: Holding) -> None:
    waves, active = sounds(40, 6)
    both = np.flatnonzero(active.any(-1).all(1))
    pairs = [(int(i), k) for i in both for k in range(2)]
    scores = ask(taught, query(waves, 4 * FRAMES, pairs)).scores.values
    own = np.array([active[i, k][row.argmax()] for (i, k), row in zip(pairs, scores, strict=True)])
    assert own.mean() > 0.85


def test_a_decision_is_kept_on_what_is_shown_and_lost_on_what_is_hidden(taught: Holding) -> None:
    assert taught.found is not None
    scores = taught.found.validation
    assert scores["decision_kept"] > 0.9 and scores["decision_lost"] > 0.9
    assert scores["mask_area"] < 0.5
    assert taught.found.recipe["weights"] == WEIGHTS and taught.found.recipe["seen"] == 240
    assert taught.found.recipe["layers"] == ["near", "far"]


def test_what_is_hidden_is_silence() -> None:
    net = Planted().eval().requires_grad_(False)
    ear = Ear.of(net, 4 * FRAMES, "cpu")
    assert (ear.silence == SILENCE).all()
    waves, _ = sounds(2, 3)
    features = net.features(torch.from_numpy(waves))
    everything = torch.ones_like(features)
    torch.testing.assert_close(ear.without(features, 0 * everything), net.logits(features))
    torch.testing.assert_close(
        ear.without(features, everything), torch.full((2, 2), -2.0)  # of silence
    )  # fmt: skip
    half = ear.without(features, everything / 2)
    torch.testing.assert_close(half, (net.logits(features) - 2.0) / 2)  # linear here


def test_an_answer_does_not_depend_on_its_batch(taught: Holding) -> None:
    waves, _ = sounds(3, 7)
    whole = ask(taught, query(waves, 4 * FRAMES, [(0, 0), (1, 1), (2, 0), (2, 1)]))
    alone = ask(taught, query(waves[2:], 4 * FRAMES, [(0, 1)]))
    np.testing.assert_array_equal(whole.scores.values[3:], alone.scores.values)


def test_it_learns_the_same_again_and_leaves_the_classifier_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(method_module, "RECIPE", Recipe(epochs=2, seen=20))
    handle = Holding(Planted())
    before = {k: v.clone() for k, v in handle.classifier().state_dict().items()}
    one, other = learn(handle, tmp_path / "one"), learn(handle, tmp_path / "other")
    assert one.log == other.log
    assert all(one.state[k].equal(other.state[k]) for k in one.state)
    ask(handle, query(sounds(1, 1)[0], 4 * FRAMES, [(0, 0)]))
    net = handle.classifier()
    assert all(v.equal(before[k]) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks for m in net.modules())
    assert all(p.grad is None for p in net.parameters())


def test_a_batch_without_a_decision_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(method_module, "RECIPE", Recipe(epochs=1, seen=8, weight_decay=0.0))
    handle = Holding(Planted())
    quiet = Clips(np.full((8, 4, FRAMES), SILENCE, np.float16), np.zeros((8, 2), bool))
    waves, _ = sounds(6, 2)
    features = handle.classifier().features(torch.from_numpy(waves)).numpy().astype(np.float16)
    loud = Clips(features, np.zeros((6, 2), bool))
    lesson = Lesson(handle, quiet, loud, 4 * FRAMES, 0, "x", Quiet(), tmp_path / "c")
    found = family.build("mean").learn(lesson)
    assert found.log[0]["loss"] == 0.0
    assert all(torch.isfinite(value).all() for value in found.state.values())
    nothing = Lesson(handle, loud, quiet, 4 * FRAMES, 0, "x", Quiet(), tmp_path / "d")
    with pytest.raises(NotApplicable, match="decides for no class"):
        family.build("mean").learn(nothing)


def narrow_cnn14() -> Any:
    return Cnn14HeadFamily(Asset("narrow.pth", "", "", "", 0, (4, 6, 6, 8, 8, 12)))


@pytest.mark.parametrize(
    ("build", "layers", "resolution"),
    [
        (build_cnn, ["conv2", "conv3", "conv4"], 0.1),
        (build_yamnet_head, ["layer6", "layer12", "layer14"], 0.08),
        (narrow_cnn14, [f"conv_block{i}.conv2" for i in (4, 5, 6)], 0.08),
    ],
    ids=["logmel-cnn", "yamnet-head", "cnn14-head"],
)
def test_it_learns_on_every_model(
    build: Callable[[], Any],
    layers: list[str],
    resolution: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(method_module, "RECIPE", Recipe(epochs=1, seen=4))
    net = initialise(build(), "classifier", CLASSES, 16000, 1)
    if build is build_cnn:
        net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    with torch.no_grad():
        [p for name, p in net.named_parameters() if name.startswith("head")][-1].fill_(9.0)
    handle = Holding(net.eval().for_inference())
    waves = np.random.default_rng(0).normal(0, 0.1, (4, 32000)).astype(np.float32)
    with torch.no_grad():
        features = handle.classifier().features(torch.from_numpy(waves)).numpy()
    clips = Clips(features.astype(np.float16), np.zeros((4, 2), bool))
    lesson = Lesson(handle, clips, clips, 32000, 0, "x", Quiet(), tmp_path / "c")
    with seeded(0):
        handle.found = family.build("mean").learn(lesson)
    assert handle.found.recipe["layers"] == layers
    answer = ask(handle, query(waves[:2], 16000, [(0, 1), (1, 0)]))
    np.testing.assert_allclose(answer.scores.edges, net.feature_edges(32000))
    assert answer.resolution == pytest.approx(resolution)
    assert ((answer.scores.values >= 0) & (answer.scores.values <= 1)).all()
    assert answer.cost.forward == 7


@pytest.mark.parametrize("channels", [(32, 64, 128), (256, 512, 1024), (512, 1024, 2048)])
def test_what_ships_is_small(channels: tuple[int, ...]) -> None:
    one = np.ones((1, 1), np.float32)
    net = Decoder(channels, 10, [Resize(one, one) for _ in channels])
    count = sum(value.numel() for value in net.state_dict().values())
    assert count <= 100_000  # half precision: 200 kB
    assert RECIPE.epochs * RECIPE.seen <= 1200  # of four minutes of one core


def test_a_mask_lies_where_its_layers_frames_do() -> None:
    # A coarse frame of the last layer lights up: the mask is highest at that frame's centre.
    net = Planted().eval().requires_grad_(False)
    ear = Ear.of(net, 4 * FRAMES, "cpu")
    activations, _ = ear.taps.of(ear.silence)
    decoder = Decoder([each.shape[1] for each in activations], 2, ear.sizes)
    with torch.no_grad():
        for p in decoder.parameters():
            p.zero_()
        for scale in decoder.scales:
            scale.fill_(1.0)
        decoder.enter[0].weight.fill_(1.0)
        decoder.out.weight.fill_(0.01)
        lit = [torch.zeros_like(each) for each in activations]
        lit[1][..., 7] = 1.0  # centred at 0.02 + 7 * 0.04 = 0.3 s, between frames 14 and 15
        mask = decoder(lit, torch.tensor([0]))[0].mean(0)
    assert set(mask.topk(2).indices.tolist()) == {14, 15}
    assert mask[14] == pytest.approx(float(mask[15]))


def test_sizes_are_those_of_the_layers() -> None:
    net = initialise(build_yamnet_head(), "classifier", CLASSES, 16000, 1).eval().for_inference()
    ear = Ear.of(net, 160000, "cpu")
    sizes = [(*each.bands.shape, *each.frames.shape) for each in ear.sizes]
    assert sizes == [(2, 4, 33, 66), (4, 8, 66, 132), (8, 64, 132, 1000)]
    found = resizes(ear.taps, ear.taps.of(ear.silence)[0], 64, net.feature_edges(160000))
    for each in found:
        torch.testing.assert_close(each.bands.sum(0), torch.ones(each.bands.shape[1]))
        torch.testing.assert_close(each.frames.sum(0), torch.ones(each.frames.shape[1]))


def test_without_weights_it_says_what_to_type() -> None:
    with pytest.raises(MissingDataError) as missing:
        ModelHandle.learned(Holding(Planted()), family.INFO)
    hint = "train it: sedbench train lmac --model toy --task t --seed 0"
    assert missing.value.hint == hint
