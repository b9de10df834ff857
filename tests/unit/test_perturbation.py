"""Masking methods: analytic cases, reference libraries, planted clicks, and what is left alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import sedbench_plugins.perturbation as family
from sedbench import spec
from sedbench.errors import NotApplicable, UsageError
from sedbench.models.contract import Classifier
from sedbench.models.frontend import LogMel
from sedbench.models.store import ModelHandle, initialise
from sedbench.types import Answer, FrameGrid, Query
from sedbench_plugins.logmel_cnn import build as build_cnn
from sedbench_plugins.perturbation.components import components
from sedbench_plugins.perturbation.linear import coalitions
from sedbench_plugins.perturbation.surrogate import spans

GRID = FrameGrid(1.0, 0.1)
CLASSES = ("Dog", "Cat", "Blender")
RATE, FRAMES = 1000, 20
METHODS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "occlusion": (family.OCCLUSION, family.build_occlusion),
    "rise": (family.RISE, family.build_rise),
    "lime": (family.LIME, family.build_lime),
    "kernelshap": (family.KERNELSHAP, family.build_kernelshap),
    "surrogate": (family.SURROGATE, family.build_surrogate),
    "audiolime": (family.AUDIOLIME, family.build_audiolime),
}
IN_FEATURES = [
    "occlusion[window=0.1,stride=0.05]",
    "rise[segment=0.25,masks=300]",
    "rise[segment=0.25,masks=300,smooth=true]",
    "lime[segment=0.1,masks=200]",
    "kernelshap[segment=0.1,masks=200]",
]
IN_WAVEFORM = [
    "surrogate[masks=100]",
    "surrogate[model=linear,masks=100]",
    "audiolime[segment=0.1,masks=60]",
    "audiolime[segment=0.1,masks=60,decomposition=nmf,components=2]",
]
EVERY = [*IN_FEATURES, *IN_WAVEFORM]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Timed(Classifier):
    """Adds up what each frame of 50 ms has, weighted by a course of time of each class's own."""

    def __init__(self, weights: NDArray[np.float64], energy: bool = True) -> None:
        super().__init__()
        self.classes, self.sample_rate = CLASSES, RATE
        self.weights = torch.from_numpy(weights).float()
        self.energy = energy
        self.batches: list[int] = []

    def features(self, waveform: Tensor) -> Tensor:
        frames = waveform.reshape(len(waveform), FRAMES, -1)
        return (frames.square().mean(-1) if self.energy else frames.sum(-1))[:, None]

    def logits(self, features: Tensor) -> Tensor:
        self.batches.append(len(features))
        return features[:, 0] @ self.weights.T

    def feature_mean(self) -> Tensor:
        return torch.tensor([0.1])

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(FRAMES + 1) * 0.05

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


class Clicks(Classifier):
    """Answers to energy above 4 kHz, and to nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.sample_rate = CLASSES, 16000
        self.front = LogMel(16000, window=1024, hop=800, bands=32)

    def features(self, waveform: Tensor) -> Tensor:
        out: Tensor = self.front(waveform)
        return out

    def frame_logits(self, features: Tensor) -> Tensor:
        loud = torch.relu(features[:, 24:].mean(1, keepdim=True) + 16.0)
        return loud * torch.tensor([1.0, 0.5, -1.0])[:, None]

    def logits(self, features: Tensor) -> Tensor:
        return self.frame_logits(features).mean(-1)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.front.edges(n_samples)

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.front.edges(n_samples)


class Holding(ModelHandle):
    def __init__(self, model: Classifier) -> None:
        super().__init__(
            "toy", "t", model.classes, model.sample_rate, 0, "cpu", ("classifier",), lambda: None
        )
        self._loaded["classifier"] = model.eval()


def timed(energy: bool = True, seed: int = 0) -> Timed:
    return Timed(np.random.default_rng(seed).standard_normal((3, FRAMES)), energy)


def ask(model: Classifier, question: Query, called: str) -> Answer:
    wanted = spec.parse(called)
    info, build = METHODS[wanted.name]
    answer: Answer = build(**spec.resolve(wanted, info)).answer(question, Holding(model))
    return answer


def with_params(called: str, **params: object) -> str:
    extra = ",".join(f"{k}={v}" for k, v in params.items())
    return f"{called[:-1]},{extra}]" if called.endswith("]") else f"{called}[{extra}]"


def query(
    waves: NDArray[np.float32], *pairs: tuple[int, int], rate: int = RATE, seed: int = 0
) -> Query:
    names = tuple(f"test-{i:04d}" for i in range(len(waves)))
    return Query(names, waves, rate, np.array(pairs, np.int64), CLASSES, GRID, seed)


def noise(clips: int, samples: int = RATE, seed: int = 0) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal((clips, samples))
    return (0.5 * values).astype(np.float32)


def contributions(model: Timed, question: Query, base: float = 0.0) -> NDArray[np.float64]:
    """What each frame adds to the logit of each pair."""
    rise = model.features(torch.from_numpy(question.waveforms))[:, 0] - base
    clip, label = question.pairs.T
    return np.asarray((rise[clip] * model.weights[label]).double().numpy())


def sums(frames: NDArray[np.float64], each: int) -> NDArray[np.float64]:
    return np.asarray(frames.reshape(len(frames), -1, each).sum(2))


QUESTION = query(noise(2), (0, 2), (1, 0), (1, 1))


# --- what can be written down -----------------------------------------------------------------


@pytest.mark.parametrize(
    "called",
    [
        "occlusion[window=0.1,stride=0.1]",
        "lime[segment=0.1,masks=300,alpha=1e-7]",
        "kernelshap[segment=0.1,masks=100]",
        "kernelshap[segment=0.1,masks=2000]",
    ],
)
@pytest.mark.parametrize(("content", "base"), [("silence", 0.0), ("mean", 0.1)])
@pytest.mark.parametrize("sign", ["signed", "positive", "abs"])
def test_on_frame_energies_a_segment_is_worth_what_it_adds(
    called: str, content: str, base: float, sign: str
) -> None:
    model = timed()
    got = ask(model, QUESTION, with_params(called, content=content, sign=sign))
    expected = sums(contributions(model, QUESTION, base), 2)
    if sign != "signed":
        expected = np.abs(expected) if sign == "abs" else np.maximum(expected, 0)
    np.testing.assert_allclose(got.scores.values, expected, atol=2e-5)
    np.testing.assert_allclose(got.scores.edges, np.arange(11) * 0.1)
    assert got.resolution == pytest.approx(0.1)
    if "kernelshap" in called:
        assert (got.diagnostics["completeness_error"] < 1e-6).all()


def test_noise_stands_for_what_is_masked() -> None:
    model = timed()
    got = ask(model, QUESTION, "kernelshap[segment=0.1,content=noise]").scores.values
    silence = ask(model, QUESTION, "kernelshap[segment=0.1]").scores.values
    # As loud as the clip, on average nothing is left of the rise over it.
    assert np.abs(got - silence).max() > 0.1
    again = ask(model, QUESTION, "kernelshap[segment=0.1,content=noise]").scores.values
    np.testing.assert_array_equal(got, again)


def test_overlapping_windows_are_averaged() -> None:
    model = timed()
    got = ask(model, QUESTION, "occlusion[window=0.2,stride=0.1]")
    drops = sums(contributions(model, QUESTION), 2)
    windows = drops[:, :-1] + drops[:, 1:]
    expected = np.pad(windows, ((0, 0), (1, 0)), mode="edge") / 2
    expected += np.pad(windows, ((0, 0), (0, 1)), mode="edge") / 2
    np.testing.assert_allclose(got.scores.values, expected, atol=1e-5)
    assert got.resolution == pytest.approx(0.2)


def test_a_last_window_ends_with_the_clip() -> None:
    got = ask(timed(), QUESTION, "occlusion[window=0.3,stride=0.25]")
    np.testing.assert_allclose(got.scores.edges, [0, 0.25, 0.3, 0.5, 0.55, 0.7, 0.8, 1.0])
    whole = ask(timed(), QUESTION, "occlusion[window=7,stride=2]")
    np.testing.assert_allclose(whole.scores.edges, [0, 1.0])
    assert whole.resolution == pytest.approx(1.0)
    total = contributions(timed(), QUESTION).sum(1, keepdims=True)
    np.testing.assert_allclose(whole.scores.values, total, atol=1e-5)


def test_rise_is_what_showing_a_moment_adds_on_average() -> None:
    model = timed()
    called = "rise[segment=0.05,masks=20000,keep=0.5,smooth={}]"
    # Cells of one frame: with hard edges shifts are of no account.
    got = ask(model, QUESTION, called.format("false")).scores
    expected = 0.5 * contributions(model, QUESTION)
    assert len(got.edges) == 21
    np.testing.assert_allclose(got.values, expected, atol=0.06)
    smooth = ask(model, QUESTION, called.format("true")).scores.values
    assert np.corrcoef(smooth.ravel(), expected.ravel())[0, 1] > 0.7


def test_a_linear_surrogate_of_waveforms_finds_what_each_segment_adds() -> None:
    model = timed()
    called = "surrogate[model=linear,content=zero,window=1,masks=300,alpha=1e-7,sign=signed]"
    got = ask(model, QUESTION, called)
    expected = sums(contributions(model, QUESTION), 2)
    np.testing.assert_allclose(got.scores.values, expected, atol=2e-5)
    np.testing.assert_allclose(got.scores.edges, np.arange(11) * 0.1)
    assert got.resolution == pytest.approx(0.1)


@pytest.mark.parametrize("window", [1, 3, 5])
def test_a_forest_finds_the_segments_that_matter(window: int) -> None:
    weights = np.zeros((3, FRAMES))
    weights[:, 5], weights[:, 14] = 4.0, -2.0
    model = Timed(weights)
    called = f"surrogate[content=zero,window={window},masks=300,segment=0.05]"
    plain = ask(model, QUESTION, called).scores.values
    np.testing.assert_allclose(plain.sum(1), 1.0)  # importances
    assert (plain >= 0).all()
    assert (np.abs(plain.argmax(1) - 5) <= window // 2).all()
    both = ask(model, QUESTION, with_params(called, sign="signed")).scores.values
    np.testing.assert_allclose(np.abs(both), plain)
    around = slice(14 - window // 2, 15 + window // 2)
    assert (both[:, 5] > 0).all()
    assert (both[:, around].sum(1) < 0).all()
    positive = ask(model, QUESTION, with_params(called, sign="positive")).scores.values
    np.testing.assert_array_equal(positive, np.maximum(both, 0))


@pytest.mark.parametrize("decomposition", ["hpss", "nmf"])
def test_components_add_up_to_what_a_segment_adds(decomposition: str) -> None:
    model = timed(energy=False)  # linear in the waveform, so that components simply add up
    called = (
        f"audiolime[segment=0.1,masks=500,alpha=1e-7,sign=signed,decomposition={decomposition}]"
    )
    got = ask(model, QUESTION, called)
    expected = sums(contributions(model, QUESTION), 2)
    np.testing.assert_allclose(got.scores.values, expected, atol=1e-3)
    assert got.resolution == pytest.approx(0.1)


@pytest.mark.parametrize("called", EVERY)
def test_only_the_window_that_is_looked_at_is_credited(called: str) -> None:
    weights = np.zeros((3, FRAMES))
    weights[:, 6:10] = 1.0
    # Ten segments are too few to tell the members of a span apart, and noise for noise is no loss.
    single = {"window": 1, "content": "zero"} if "surrogate" in called else {}
    called = with_params(called, sign="positive", **single)
    got = ask(Timed(weights), query(noise(1), (0, 0)), called)
    low, high = got.scores.edges[:-1], got.scores.edges[1:]
    inside = (high > 0.301) & (low < 0.499)
    score = got.scores.values[0]
    assert inside[score.argmax()]
    if not called.startswith(("rise", "surrogate", "audiolime")):  # their errors are of sampling
        far = (high < 0.299) | (low > 0.501)
        assert score[far].max() <= 1e-2 * score.max()


@pytest.mark.parametrize("called", EVERY)
@pytest.mark.parametrize("at", [0.125, 0.86])
def test_a_click_is_found_where_it_is(called: str, at: float) -> None:
    time = np.arange(16000) / 16000
    wave = (0.05 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)
    wave[round(at * 16000)] += 0.5
    # Noise that is as loud would be another click.
    silent = {"content": "zero"} if "surrogate" in called else {}
    called = with_params(called, sign="positive", **silent)
    got = ask(Clicks(), query(wave[None], (0, 0), rate=16000), called)
    peak = int(got.scores.values[0].argmax())
    low, high = got.scores.edges[peak], got.scores.edges[peak + 1]
    assert low - got.resolution <= at <= high + got.resolution


# --- references -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cnn() -> Classifier:
    net = initialise(build_cnn(), "classifier", CLASSES, 16000, 1)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    return net.eval().for_inference()


def test_occlusion_is_captums(cnn: Classifier) -> None:
    from captum.attr import Occlusion

    question = query(noise(1, 32000), (0, 0), (0, 2), rate=16000)
    got = ask(cnn, question, "occlusion[window=0.4,stride=0.2]").scores.values
    with torch.no_grad():
        x = cnn.features(torch.from_numpy(question.waveforms))
        base = cnn.features(torch.zeros(1, 32000))
        for row, target in zip(got, (0, 2), strict=True):
            found = Occlusion(cnn.logits).attribute(
                x, (64, 8), strides=(64, 4), baselines=base, target=target
            )
            by_segment = found[0, 0].reshape(-1, 4)
            assert (by_segment == by_segment[:, :1]).all()
            np.testing.assert_allclose(row, by_segment[:, 0], atol=1e-4 * np.abs(row).max())


def shapley(worth: Callable[[NDArray[np.bool_]], NDArray[np.float64]], n: int) -> list[float]:
    masks = np.array([[bool(i >> k & 1) for k in range(n)] for i in range(2**n)])
    values = worth(masks)
    out = []
    for player in range(n):
        total = 0.0
        others = [k for k in range(n) if k != player]
        for size in range(n):
            for company in combinations(others, size):
                code = sum(1 << k for k in company)
                share = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
                total += share * (values[code | 1 << player] - values[code])
        out.append(total)
    return out


@pytest.mark.parametrize("segments", [6, 8])
def test_kernelshap_of_all_masks_is_shapley_values(cnn: Classifier, segments: int) -> None:
    question = query(noise(1, 24000), (0, 1), rate=16000)
    length = {6: 0.25, 8: 0.2}[segments]
    got = ask(cnn, question, f"kernelshap[segment={length},masks=1000]")
    with torch.no_grad():
        x = cnn.features(torch.from_numpy(question.waveforms))
        base = cnn.features(torch.zeros(1, 24000))
    owner = torch.arange(x.shape[-1]) // round(length / 0.05)

    @torch.no_grad()
    def worth(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        shown = torch.from_numpy(masks)[:, None, owner]
        return cnn.logits(torch.where(shown, x, base))[:, 1].double().numpy()

    expected = np.array(shapley(worth, segments))
    np.testing.assert_allclose(
        got.scores.values[0], expected, atol=2e-5 * np.abs(expected).max(), rtol=0
    )
    assert got.diagnostics["completeness_error"][0] < 1e-9


def test_kernelshap_is_captums() -> None:
    from captum.attr import KernelShap

    from sedbench_plugins.global_seeds import seeded_globals

    model = timed()
    question = query(noise(1), (0, 1))
    got = ask(model, question, "kernelshap[segment=0.25]").scores.values[0]
    x = model.features(torch.from_numpy(question.waveforms))
    with seeded_globals(0):
        found = KernelShap(model.logits).attribute(
            x, torch.zeros_like(x), target=1, n_samples=200,
            feature_mask=(torch.arange(FRAMES) // 5)[None, None],
        )  # fmt: skip
    np.testing.assert_allclose(got, found[0, 0, ::5], atol=1e-3)


def test_captums_default_lime_sees_nothing_where_this_one_does() -> None:
    from captum.attr import Lime

    from sedbench_plugins.global_seeds import seeded_globals

    model = timed()
    model.weights *= 0.01
    question = query(noise(1), (0, 1))
    x = model.features(torch.from_numpy(question.waveforms))
    with seeded_globals(0):
        found = Lime(model.logits).attribute(
            x, torch.zeros_like(x), target=1, n_samples=50,
            feature_mask=(torch.arange(FRAMES) // 2)[None, None],
        )  # fmt: skip
    assert not found.any()
    expected = sums(contributions(model, question), 2)[0]
    got = ask(model, question, "lime[segment=0.1,sign=signed]").scores.values[0]
    assert np.corrcoef(got, expected)[0, 1] > 0.999


# --- cost and bounds --------------------------------------------------------------------------


@pytest.mark.parametrize("called", ["lime", "kernelshap", "rise", "occlusion"])
def test_hundreds_of_masks_cost_fewer_than_a_hundred_passes(cnn: Classifier, called: str) -> None:
    question = query(noise(1, 5 * 16000), (0, 0), (0, 2), rate=16000)
    got = ask(cnn, question, called)
    assert got.cost.forward < 100
    assert got.cost.backward == 0
    assert np.isfinite(got.scores.values).all()


@pytest.mark.parametrize("called", EVERY)
def test_classes_of_a_clip_share_every_pass(called: str) -> None:
    one, all_three = (
        ask(timed(), query(noise(1), *((0, k) for k in range(n))), called).cost.forward
        for n in (1, 3)
    )
    assert one == all_three > 0


@pytest.mark.parametrize("called", EVERY)
def test_batches_are_bounded(called: str) -> None:
    model = timed()
    ask(model, QUESTION, called)
    assert max(model.batches) <= 16


@pytest.mark.parametrize("called", [IN_FEATURES[3], *IN_WAVEFORM[1:3]])
def test_out_of_memory_halves_the_batch(called: str) -> None:
    class Small(Timed):
        def logits(self, features: Tensor) -> Tensor:
            if len(features) > 5:
                raise torch.OutOfMemoryError("no room")
            return super().logits(features)

    with pytest.warns(RuntimeWarning, match="out of memory"):
        got = ask(Small(timed().weights.numpy()), QUESTION, called).scores.values
    np.testing.assert_allclose(got, ask(timed(), QUESTION, called).scores.values, atol=1e-5)


# --- randomness, and what is left alone -------------------------------------------------------


@pytest.mark.parametrize("called", EVERY)
def test_a_pair_is_answered_alike_alone_and_in_company(called: str) -> None:
    together = ask(timed(), QUESTION, called).scores.values
    np.testing.assert_array_equal(ask(timed(), QUESTION, called).scores.values, together)
    alone = Query(("test-0001",), QUESTION.waveforms[1:], RATE, np.array([[0, 1]]), CLASSES, GRID)
    np.testing.assert_array_equal(ask(timed(), alone, called).scores.values, together[2:])
    turned = Query(
        QUESTION.clip_ids[::-1], QUESTION.waveforms[::-1].copy(), RATE,
        np.array([[0, 0], [0, 1], [1, 2]]), CLASSES, GRID,
    )  # fmt: skip
    got = ask(timed(), turned, called).scores.values
    np.testing.assert_array_equal(got[[2, 0, 1]], together)


@pytest.mark.parametrize("called", [*EVERY, "occlusion[content=noise]"])
def test_the_seed_matters_where_it_is_said_to(called: str) -> None:
    wanted = spec.parse(called)
    info, _ = METHODS[wanted.name]
    values = spec.resolve(wanted, info)
    said = not info.seeded_by or any(values[k] == v for k, v in info.seeded_by)
    one, other = (
        ask(timed(), query(noise(1), (0, 0), seed=seed), called).scores.values for seed in (0, 1)
    )
    if called.startswith("kernelshap"):  # on a linear model every draw has the same answer
        np.testing.assert_allclose(one, other, atol=1e-5)
    else:
        assert np.array_equal(one, other) is not said


@pytest.mark.parametrize("called", EVERY)
def test_the_model_and_the_generators_are_left_alone(called: str, cnn: Classifier) -> None:
    weights = {k: v.clone() for k, v in cnn.state_dict().items()}
    attributes = [set(vars(m)) for m in cnn.modules()]
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()
    question = query(noise(1, 16000), (0, 0), (0, 1), rate=16000)
    kept = question.waveforms.copy()
    ask(cnn, question, called)
    np.testing.assert_array_equal(question.waveforms, kept)
    assert torch.random.get_rng_state().equal(torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state[1])
    for name, value in cnn.state_dict().items():
        assert value.equal(weights[name])
    for module, own in zip(cnn.modules(), attributes, strict=True):
        assert set(vars(module)) == own
        assert not module._forward_hooks


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("called", IN_FEATURES)
def test_a_model_without_a_mean_frame(called: str) -> None:
    with pytest.raises(NotApplicable, match="mean"):
        ask(
            Clicks(),
            query(noise(1, 16000), (0, 0), rate=16000),
            with_params(called, content="mean"),
        )


def test_windows_that_leave_gaps() -> None:
    with pytest.raises(UsageError, match=r"stride=0\.5 is longer than window=0\.4"):
        ask(timed(), QUESTION, "occlusion[stride=0.5]")


def test_too_few_masks_for_so_many_segments() -> None:
    with pytest.raises(UsageError, match="masks=15 are too few for the 10 segments") as caught:
        ask(timed(), QUESTION, "kernelshap[segment=0.1,masks=15]")
    assert "masks=20" in caught.value.hint


def test_one_segment_takes_it_all() -> None:
    got = ask(timed(), QUESTION, "kernelshap[segment=5,masks=10]")
    total = contributions(timed(), QUESTION).sum(1, keepdims=True)
    np.testing.assert_allclose(got.scores.values, total, atol=1e-5)


# --- parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "budget"), [(2, 10), (5, 30), (6, 62), (7, 500)])
def test_small_games_are_played_out(count: int, budget: int) -> None:
    masks, weights = coalitions(count, budget, np.random.default_rng(0))
    assert len(np.unique(masks, axis=0)) == len(masks) == 2**count - 2
    for mask, weight in zip(masks, weights, strict=True):
        k = int(mask.sum())
        assert weight == pytest.approx((count - 1) / (math.comb(count, k) * k * (count - k)))


def test_large_games_are_sampled_with_complements() -> None:
    masks, weights = coalitions(20, 301, np.random.default_rng(0))
    sizes = masks.sum(1)
    assert len(masks) == 300
    assert len(np.unique(masks[np.isin(sizes, [1, 19])], axis=0)) == 40
    drawn = masks[40:]
    assert (sizes[40:] > 1).all()
    np.testing.assert_array_equal(drawn[::2], ~drawn[1::2])
    mass = {k: 19 / (k * (20 - k)) for k in range(1, 20)}
    assert weights[:40].sum() == pytest.approx(mass[1] + mass[19])
    assert weights.sum() == pytest.approx(sum(mass.values()))


@pytest.mark.parametrize("window", [1, 3, 5])
def test_spans_take_a_fifth_to_two_fifths(window: int) -> None:
    masks = spans(100, 200, window, np.random.default_rng(0))
    gone = (~masks).mean(1)
    assert gone.min() >= 0.2
    assert gone.max() <= 0.4 + window / 100
    assert gone.std() > 0.03
    for mask in masks:
        edges = np.flatnonzero(np.diff(np.r_[1, mask, 1]))
        assert (np.diff(edges)[::2] >= window).all()
    assert spans(2, 5, 5, np.random.default_rng(0)).shape == (5, 2)


def test_components_add_up_and_mean_something() -> None:
    time = np.arange(16000) / 16000
    held = 0.1 * np.sin(2 * np.pi * 1000 * time)
    struck = np.zeros(16000)
    struck[4000:16000:4000] = 1.0
    wave = (held + struck).astype(np.float32)
    for decomposition in ("hpss", "nmf"):
        parts = components(wave, 16000, decomposition, 3, 0)
        assert parts.dtype == np.float32
        assert parts.shape == ((2, 16000) if decomposition == "hpss" else (3, 16000))
        np.testing.assert_allclose(parts.sum(0), wave, atol=1e-5)
        np.testing.assert_array_equal(parts, components(wave, 16000, decomposition, 3, 0))
    harmonic, percussive = components(wave, 16000, "hpss", 2, 0)
    assert np.corrcoef(harmonic, held)[0, 1] > 0.95
    assert np.corrcoef(percussive, struck)[0, 1] > 0.9
    assert not components(np.zeros(5000, np.float32), 16000, "hpss", 2, 0).any()
