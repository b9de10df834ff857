"""Attention of a pooling detector: a planted task, the real trunks, and what must not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import MissingDataError, NotApplicable, UsageError
from sedbench.models.contract import Classifier, Layer
from sedbench.models.lesson import Clips, Learned, Lesson
from sedbench.models.store import ModelHandle, initialise, seeded
from sedbench.progress import Quiet
from sedbench.types import Answer, FrameGrid, Query
from sedbench_plugins import attention as family
from sedbench_plugins.attention import method as method_module
from sedbench_plugins.attention.method import RECIPES, Recipe, over_time
from sedbench_plugins.attention.pooling import ClassAttention, TagTokens
from sedbench_plugins.cnn14.asset import Asset
from sedbench_plugins.cnn14.family import Cnn14HeadFamily
from sedbench_plugins.logmel_cnn import build as build_cnn
from sedbench_plugins.taps import tap_last, time_matrix
from sedbench_plugins.yamnet import build_head as build_yamnet_head

CLASSES = ("Dog", "Cat")
FRAMES = 50
QUICK = {"class": Recipe(12, 16, 0.1, 0.0, 12), "self": Recipe(12, 16, 5e-3, 0.0, 12)}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Planted(Classifier):
    """A class is a loud band. Frames of 20 ms, two of which make one of the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.sample_rate = CLASSES, 4 * FRAMES
        self.near = nn.Conv2d(1, 1, 1)
        self.pool, self.relu = nn.AvgPool2d((1, 2)), nn.ReLU()
        self.far = nn.Conv2d(1, 4, (4, 1))
        with torch.no_grad():
            self.near.weight.fill_(1.0)
            self.far.weight.copy_(torch.eye(4)[:, None, :, None])
            for layer in (self.near, self.far):
                assert layer.bias is not None
                layer.bias.zero_()

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), 4, FRAMES) - 3.0

    def logits(self, features: Tensor) -> Tensor:
        x = self.relu(self.far(self.pool(self.near(features[:, None] + 3.0))))
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
        self.found: dict[str, Learned] = {}

    def learned(self, info: Any, **params: Any) -> dict[str, Tensor]:
        state = self.found[str(params["attention"])].state
        return {k: v.half().float() for k, v in state.items()}


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


def lesson(handle: ModelHandle, path: Path, clips: int = 160) -> Lesson:
    """A lesson on the planted task."""
    parts = []
    for count, seed in ((clips, 1), (40, 2)):
        waves, active = sounds(count, seed)
        features = handle.classifier().features(torch.from_numpy(waves)).numpy()
        parts.append(Clips(features.astype(np.float16), active.any(-1)))
    return Lesson(handle, *parts, 4 * FRAMES, 0, "x", Quiet(), path, resume=False)


def learn(handle: Holding, attention: str, path: Path, **options: Any) -> Learned:
    with seeded(0):
        found = family.build(attention, "none").learn(lesson(handle, path, **options))
    handle.found[attention] = found
    return found


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Holding:
    """Both detectors, taught on the planted task."""
    handle, patch = Holding(Planted()), pytest.MonkeyPatch()
    patch.setattr(method_module, "RECIPES", QUICK)
    for attention in QUICK:
        learn(handle, attention, tmp_path_factory.mktemp("lesson") / attention)
    patch.undo()
    return handle


def query(waveforms: NDArray[np.float32], rate: int, pairs: Any, classes: Any = CLASSES) -> Query:
    names = tuple(f"test-{i:04d}" for i in range(len(waveforms)))
    grid = FrameGrid(waveforms.shape[1] / rate, 0.02)
    return Query(names, waveforms, rate, np.array(pairs, np.int64).reshape(-1, 2), classes, grid)


def ask(handle: ModelHandle, question: Query, attention: str, times: str = "none") -> Answer:
    answer: Answer = family.build(attention, times).answer(question, handle)
    return answer


@pytest.mark.parametrize(
    ("attention", "times"), [("class", "none"), ("class", "probability"), ("self", "none")]
)
def test_it_looks_where_the_class_sounds(taught: Holding, attention: str, times: str) -> None:
    assert taught.found[attention].validation["micro_f1"] > 0.9
    waves, active = sounds(30, 5)
    pairs = np.argwhere(active.any(-1))
    answer = ask(taught, query(waves, 4 * FRAMES, pairs), attention, times)
    np.testing.assert_allclose(answer.scores.edges, np.arange(26) * 0.04, atol=1e-9)
    assert answer.resolution == 0.04
    truth = active[pairs[:, 0], pairs[:, 1]].reshape(len(pairs), 25, 2).any(-1)
    hits = truth[np.arange(len(pairs)), answer.scores.values.argmax(1)]
    assert hits.mean() > 0.9


def test_the_attention_of_a_class_is_a_mean(taught: Holding) -> None:
    waves, _ = sounds(4, 6)
    question = query(waves, 4 * FRAMES, [(i, k) for i in range(4) for k in range(2)])
    weights = ask(taught, question, "class").scores.values
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-6)
    assert (weights >= 0).all()
    flow = ask(taught, question, "self").scores.values
    assert ((flow >= 0) & (flow.sum(1, keepdims=True) <= 1)).all()
    # Weighted by probability it is what the clip's probability is the sum of.
    net = ClassAttention(4, 2).requires_grad_(False)
    net.load_state_dict(taught.learned(family.INFO, attention="class"))
    features = taught.classifier().features(torch.from_numpy(waves))
    taps = tap_last(taught.classifier(), features[:1])
    logits = net.pool(over_time(taps, features))[0]
    times = ask(taught, question, "class", "probability").scores.values
    np.testing.assert_allclose(times.sum(1), torch.sigmoid(logits).flatten().numpy(), atol=1e-5)


@pytest.mark.parametrize("attention", ["class", "self"])
def test_an_answer_does_not_depend_on_its_batch(taught: Holding, attention: str) -> None:
    waves, _ = sounds(3, 7)
    whole = ask(taught, query(waves, 4 * FRAMES, [(0, 0), (1, 1), (2, 0), (2, 1)]), attention)
    alone = ask(taught, query(waves[2:], 4 * FRAMES, [(0, 1)]), attention)
    np.testing.assert_array_equal(whole.scores.values[3:], alone.scores.values)
    again = ask(taught, query(waves, 4 * FRAMES, [(0, 0), (1, 1), (2, 0), (2, 1)]), attention)
    np.testing.assert_array_equal(whole.scores.values, again.scores.values)


@pytest.mark.parametrize("attention", ["class", "self"])
def test_it_learns_the_same_again_and_leaves_the_classifier_alone(
    attention: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = QUICK[attention]
    short = Recipe(2, recipe.batch, recipe.learning_rate, 0.0, 2)
    monkeypatch.setattr(method_module, "RECIPES", {attention: short})
    handle = Holding(Planted())
    before = {k: v.clone() for k, v in handle.classifier().state_dict().items()}
    one = learn(handle, attention, tmp_path / "one", clips=40)
    other = learn(handle, attention, tmp_path / "other", clips=40)
    assert one.log == other.log
    assert all(one.state[k].equal(other.state[k]) for k in one.state)
    ask(handle, query(sounds(1, 1)[0], 4 * FRAMES, [(0, 0)]), attention)
    net = handle.classifier()
    assert all(v.equal(before[k]) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks for m in net.modules())
    assert all(p.grad is None for p in net.parameters())


def narrow_cnn14() -> Any:
    return Cnn14HeadFamily(Asset("narrow.pth", "", "", "", 0, (4, 6, 6, 8, 8, 12)))


@pytest.mark.parametrize(
    ("build", "edges"),
    [
        (build_cnn, np.arange(21) * 0.1),
        (build_yamnet_head, 0.0075 + 0.32 * np.arange(10)),
        (narrow_cnn14, -0.005 + 0.32 * np.arange(7)),
    ],
    ids=["logmel-cnn", "yamnet-head", "cnn14-head"],
)
@pytest.mark.parametrize("attention", ["class", "self"])
def test_it_learns_on_every_trunk(
    build: Callable[[], Any],
    edges: NDArray[np.float64],
    attention: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(method_module, "RECIPES", {attention: Recipe(1, 4, 1e-3, 0.0, 1)})
    net = initialise(build(), "classifier", CLASSES, 16000, 1)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0)) if build is build_cnn else 0
    handle = Holding(net.eval().for_inference())
    waves = np.random.default_rng(0).normal(0, 0.1, (4, 32000)).astype(np.float32)
    with torch.no_grad():
        features = handle.classifier().features(torch.from_numpy(waves)).numpy()
    clips = Clips(features.astype(np.float16), np.eye(2, dtype=bool)[[0, 1, 0, 1]])
    given = Lesson(handle, clips, clips, 32000, 0, "x", Quiet(), tmp_path / "c")
    with seeded(0):
        handle.found[attention] = family.build(attention, "none").learn(given)
    answer = ask(handle, query(waves[:2], 16000, [(0, 1), (1, 0)]), attention)
    np.testing.assert_allclose(answer.scores.edges, edges, atol=1e-9)
    assert np.isfinite(answer.scores.values).all() and answer.cost.forward == 4


@pytest.mark.parametrize("channels", [128, 1024, 2048])
def test_what_ships_is_small(channels: int) -> None:
    for net in (ClassAttention(channels, 10), TagTokens(channels, 10)):
        assert 2 * sum(value.numel() for value in net.state_dict().values()) <= 290_000


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(UsageError, match="no frame probabilities"):
        family.build("self", "probability")
    assert set(RECIPES) == {"class", "self"}


def test_without_weights_or_layers_it_says_why() -> None:
    handle = Holding(Planted())
    question = query(sounds(1, 1)[0], 4 * FRAMES, [(0, 0)])
    with pytest.raises(MissingDataError) as missing:
        ModelHandle.learned(handle, family.INFO, attention="self")
    assert "sedbench train 'attention[attention=self]' --model toy" in str(missing.value.hint)
    handle.trains = False
    with pytest.raises(NotApplicable, match="trained on no task"):
        ModelHandle.learned(handle, family.INFO, attention="class")
    net = Planted()
    net.layers = dict  # type: ignore[method-assign]
    with pytest.raises(NotApplicable, match="names no layer"):
        tap_last(net, net.features(torch.from_numpy(question.waveforms)))


def test_of_layers_of_one_size_the_last_is_tapped() -> None:
    net = initialise(build_cnn(), "classifier", CLASSES, 16000, 1).eval().for_inference()
    features = torch.randn(1, 64, 40) - 9
    with torch.no_grad():
        taps = tap_last(net, features, 9)
        assert [each.name for each in taps.openings] == ["conv1", "conv2", "conv3", "conv4"]
        found, logits = taps.of(features.repeat(2, 1, 1))
        assert [tuple(each.shape[1:]) for each in found] == [
            *((16, 64, 40), (32, 32, 20), (64, 8, 20), (128, 4, 20)),
        ]
        assert all((each >= 0).all() for each in found)  # behind the activation function
        torch.testing.assert_close(logits, net.logits(features.repeat(2, 1, 1)))
    planted = Planted()
    planted.far = nn.Conv2d(1, 4, (1, 1))  # now as large as what comes before it, but in time
    (last,) = tap_last(planted, torch.zeros(1, 4, FRAMES)).openings
    assert last.name == "far"


def test_moments_are_interpolated_between_the_centres_of_frames() -> None:
    at = np.array([0.0, 0.1, 0.2, 0.3, 0.5, 0.9])
    matrix = time_matrix(0.2, 0.1, 3, at)  # frames at .1, .3, .5
    expected = [[1, 1, 0.5, 0, 0, 0], [0, 0, 0.5, 1, 0, 0], [0, 0, 0, 0, 1, 1]]
    np.testing.assert_allclose(matrix, expected, atol=1e-6)
