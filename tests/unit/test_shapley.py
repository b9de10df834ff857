"""DeepLIFT and Shapley values: analytic cases, additivity, the libraries' traps, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import sedbench_plugins.shapley as family
from sedbench import spec
from sedbench.errors import NotApplicable, UsageError
from sedbench.models.contract import Classifier
from sedbench.models.frontend import LogMel
from sedbench.models.store import ModelHandle, initialise
from sedbench.types import Answer, FrameGrid, Query
from sedbench_plugins.global_seeds import seeded_globals
from sedbench_plugins.logmel_cnn import build as build_cnn
from sedbench_plugins.shapley.network import fitting
from sedbench_plugins.shapley.segments import halves
from sedbench_plugins.yamnet.family import YamnetHeadFamily

GRID = FrameGrid(1.0, 0.1)
CLASSES = ("Dog", "Cat", "Blender")
RATE, BANDS, FRAMES = 1000, 50, 20
METHODS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "deeplift": (family.DEEPLIFT, family.build_deeplift),
    "deepliftshap": (family.DEEPLIFTSHAP, family.build_deepliftshap),
    "gradientshap": (family.GRADIENTSHAP, family.build_gradientshap),
    "shap": (family.SHAP, family.build_shap),
}
RESCALING = ["deeplift", "deepliftshap[background=2]", "shap[explainer=deep]"]
PER_CELL = [*RESCALING, "gradientshap[samples=8]", "shap[samples=8]"]
PER_SEGMENT = [
    "shap[explainer=kernel,segment=0.1,evaluations=100]",
    "shap[explainer=partition,segment=0.1,evaluations=100]",
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Toy(Classifier):
    """Cuts the waveform into 20 frames of 50 samples: its features; the rest is given."""

    def __init__(self, body: nn.Module, end: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.classes, self.sample_rate = CLASSES, RATE
        self.body = body
        self.end = end if end is not None else (lambda frames: frames.mean(-1))

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), FRAMES, BANDS).transpose(1, 2)

    def logits(self, features: Tensor) -> Tensor:
        return self.end(self.body(features))

    def feature_mean(self) -> Tensor:
        return torch.linspace(-1, 1, BANDS)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(FRAMES + 1) * 0.05

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


class Linear(Toy):
    def __init__(self) -> None:
        super().__init__(seeded(lambda: nn.Conv1d(BANDS, 3, 1)))

    @property
    def weight(self) -> Tensor:
        assert isinstance(self.body, nn.Conv1d)
        return self.body.weight.detach()[..., 0] / FRAMES


class Clicks(Classifier):
    """Answers to energy above 4 kHz, and to nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.sample_rate = CLASSES, 16000
        self.front = LogMel(16000, window=1024, hop=800, bands=32)
        self.relu = nn.ReLU()

    def features(self, waveform: Tensor) -> Tensor:
        out: Tensor = self.front(waveform)
        return out

    def logits(self, features: Tensor) -> Tensor:
        loud = self.relu(features[:, 24:].mean(1) + 16.0)
        return loud.mean(-1, keepdim=True) * torch.tensor([1.0, 0.5, -1.0])

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


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def deep(middle: Callable[[], nn.Module] = nn.ReLU) -> nn.Module:
    return seeded(
        lambda: nn.Sequential(
            nn.Conv1d(BANDS, 8, 3, padding=1),
            middle(),
            nn.Conv1d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool1d(2),
            nn.Conv1d(8, 3, 1),
        )
    )


def ask(model: Classifier, question: Query, called: str) -> Answer:
    wanted = spec.parse(called)
    info, build = METHODS[wanted.name]
    return build(**spec.resolve(wanted, info)).answer(question, Holding(model))


def query(
    waves: NDArray[np.float32], *pairs: tuple[int, int], rate: int = RATE, seed: int = 0
) -> Query:
    names = tuple(f"test-{i:04d}" for i in range(len(waves)))
    return Query(names, waves, rate, np.array(pairs, np.int64), CLASSES, GRID, seed)


def noise(clips: int, samples: int = RATE, seed: int = 0) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal((clips, samples))
    return (0.5 * values).astype(np.float32)


@pytest.fixture(scope="module")
def cnn() -> Classifier:
    net = initialise(build_cnn(), "classifier", CLASSES, 16000, 1)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    return net.eval().for_inference()


@pytest.fixture(scope="module")
def head() -> Classifier:
    """A head on an untrained YAMNet."""
    return initialise(YamnetHeadFamily(), "classifier", CLASSES, 16000, 1).eval().for_inference()


# --- what can be written down -----------------------------------------------------------------


def with_params(called: str, **params: str) -> str:
    extra = ",".join(f"{k}={v}" for k, v in params.items())
    return f"{called[:-1]},{extra}]" if called.endswith("]") else f"{called}[{extra}]"


@pytest.mark.parametrize("called", PER_CELL)
@pytest.mark.parametrize("sign", ["abs", "positive", "signed"])
@pytest.mark.parametrize("baseline", ["silence", "mean"])
def test_a_linear_model_has_the_attribution_that_can_be_written_down(
    called: str, sign: str, baseline: str
) -> None:
    model, waves = Linear(), noise(2)
    question = query(waves, (0, 2), (1, 0), (1, 1))
    got = ask(model, question, with_params(called, sign=sign, baseline=baseline))
    base = model.feature_mean()[:, None] if baseline == "mean" else 0.0
    rise = model.features(torch.from_numpy(waves)) - base
    cells = torch.stack([model.weight[k][:, None] * rise[i] for i, k in question.pairs.tolist()])
    if sign != "signed":
        cells = cells.abs() if sign == "abs" else cells.clamp_min(0)
    np.testing.assert_allclose(got.scores.values, cells.mean(1).numpy(), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(got.scores.edges, np.arange(21) * 0.05)
    assert got.resolution == pytest.approx(0.05)
    assert (got.diagnostics["completeness_error"] < 1e-3).all()


@pytest.mark.parametrize("called", PER_SEGMENT)
@pytest.mark.parametrize("baseline", ["silence", "mean"])
def test_a_linear_model_gives_each_segment_its_sum(called: str, baseline: str) -> None:
    model, waves = Linear(), noise(2)
    question = query(waves, (0, 2), (1, 0), (1, 1))
    got = ask(model, question, with_params(called, sign="signed", baseline=baseline))
    base = model.feature_mean()[:, None] if baseline == "mean" else 0.0
    rise = model.features(torch.from_numpy(waves)) - base
    cells = torch.stack([model.weight[k][:, None] * rise[i] for i, k in question.pairs.tolist()])
    expected = cells.mean(1).reshape(3, 10, 2).mean(2).numpy()
    np.testing.assert_allclose(got.scores.values, expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(got.scores.edges, np.arange(11) * 0.1)
    assert got.resolution == pytest.approx(0.1)
    assert (got.diagnostics["completeness_error"] < 1e-6).all()


@pytest.mark.parametrize("called", [*PER_CELL, *PER_SEGMENT])
def test_only_the_window_that_is_looked_at_is_credited(called: str) -> None:
    body = seeded(lambda: nn.Sequential(nn.Conv1d(BANDS, 8, 1), nn.ReLU(), nn.Conv1d(8, 3, 1)))
    model = Toy(body, lambda frames: frames[..., 6:10].sum(-1))
    got = ask(model, query(noise(1), (0, 0)), called)
    centres = (got.scores.edges[1:] + got.scores.edges[:-1]) / 2
    inside = (centres > 0.3) & (centres < 0.5)
    assert (got.scores.values[0][inside] > 1e-4).all()
    np.testing.assert_allclose(got.scores.values[0][~inside], 0.0, atol=1e-7)


@pytest.mark.parametrize("called", [*PER_CELL, *PER_SEGMENT])
@pytest.mark.parametrize("at", [0.125, 0.85])
def test_a_click_is_found_where_it_is(called: str, at: float) -> None:
    time = np.arange(16000) / 16000
    wave = (0.05 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)
    wave[round(at * 16000)] += 0.5
    got = ask(Clicks(), query(wave[None], (0, 0), rate=16000), with_params(called, sign="positive"))
    peak = int(got.scores.values[0].argmax())
    low, high = got.scores.edges[peak], got.scores.edges[peak + 1]
    assert low - got.resolution <= at <= high + got.resolution


def test_kernel_and_partition_are_shapley_values_of_a_game_that_can_be_solved() -> None:
    # Four segments; the logit is the product of the first two halves' presence.
    class Both(Toy):
        def logits(self, features: Tensor) -> Tensor:
            there = features.reshape(len(features), BANDS, 4, 5).mean((1, 3))
            value = there[:, 0] * there[:, 1] + 3 * there[:, 2]
            return value[:, None] * torch.tensor([1.0, 2.0, -1.0])

    waves = np.ones((1, RATE), np.float32)
    for explainer in ("kernel", "partition"):
        called = f"shap[explainer={explainer},segment=0.25,evaluations=40,sign=signed]"
        got = ask(Both(nn.Identity()), query(waves, (0, 0), (0, 2)), called)
        values = got.scores.values * BANDS * 5
        np.testing.assert_allclose(values[0], [0.5, 0.5, 3.0, 0.0], atol=1e-6)
        np.testing.assert_allclose(values[1], -values[0], atol=1e-6)


# --- additivity, and the traps ----------------------------------------------------------------


@pytest.mark.parametrize("called", RESCALING)
def test_the_rescale_rule_adds_up(cnn: Classifier, called: str) -> None:
    for model, rate in ((Toy(deep()), RATE), (cnn, 16000)):
        got = ask(model, query(noise(2, rate), (0, 0), (0, 1), (1, 2), rate=rate), called)
        assert (got.diagnostics["completeness_error"] < 1e-4).all()


def test_sampling_comes_closer_with_more_samples(cnn: Classifier) -> None:
    question = query(noise(4, 16000), *[(i, k) for i in range(4) for k in (0, 2)], rate=16000)
    for name in ("gradientshap", "shap"):
        few, many = (
            np.mean(ask(cnn, question, f"{name}[samples={n}]").diagnostics["completeness_error"])
            for n in (4, 100)
        )
        assert many < few


@pytest.mark.parametrize(("baseline", "sign"), [("silence", "signed"), ("mean", "abs")])
def test_against_one_baseline_all_are_deeplift(
    cnn: Classifier, head: Classifier, baseline: str, sign: str
) -> None:
    for net in (cnn, head):
        if net is head and baseline == "mean":
            continue  # it keeps none
        question = query(noise(1, 16000), (0, 0), (0, 2), rate=16000)
        got = [ask(net, question, with_params(c, baseline=baseline, sign=sign)) for c in RESCALING]
        assert len({each.equals for each in got}) == 1
        assert baseline in got[0].equals
        assert sign in got[0].equals
        first = got[0].scores.values
        for each in got[1:]:
            assert np.abs(each.scores.values - first).max() < 1e-4 * np.abs(first).max()


def test_what_is_not_deeplift_by_construction_does_not_say_so(cnn: Classifier) -> None:
    question = query(noise(1, 16000), (0, 0), rate=16000)
    for called in (*RESCALING, "gradientshap[samples=2]", "shap[samples=2]"):
        assert not ask(cnn, question, with_params(called, baseline="noise")).equals
    assert not ask(cnn, question, "shap[samples=2]").equals
    loudest = seeded(lambda: nn.Sequential(nn.Conv1d(BANDS, 3, 3), nn.AdaptiveMaxPool1d(1)))
    for called in RESCALING:
        assert not ask(Toy(loudest), query(noise(1), (0, 0)), called).equals


@pytest.mark.parametrize("called", RESCALING)
def test_an_input_that_goes_two_ways_loses_nothing(called: str) -> None:
    # Captum overwrites what comes back by the other way, unless the rule has its own tensor.
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(BANDS, 8, 3)
            self.relu = nn.ReLU()
            self.loudest = nn.AdaptiveMaxPool1d(1)
            self.mean = nn.AdaptiveAvgPool1d(1)
            self.second = nn.ReLU()
            self.last = nn.Conv1d(8, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            x = self.relu(x) + 0.3 * x
            x = self.loudest(x) + self.mean(x)
            return torch.as_tensor(self.last(self.second(x) + x))

    got = ask(Toy(seeded(Forked)), query(noise(2), (0, 0), (1, 2)), called)
    assert (got.diagnostics["completeness_error"] < 1e-3).all()


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared = nn.Conv1d(BANDS, 8, 1), nn.ReLU()
        self.second, self.last = nn.Conv1d(8, 8, 1), nn.Conv1d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.last(self.shared(self.second(self.shared(self.first(x))))))


class Functional(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.relu(x)


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu_(x.clone())


@pytest.mark.parametrize("called", RESCALING)
@pytest.mark.parametrize(
    ("body", "named"),
    [
        (Twice, r"'body\.shared' \(ReLU\) is used more than once"),
        (lambda: deep(Functional), r"function relu in layer 'body\.1'"),
        (lambda: deep(InPlace), r"function relu_ in layer 'body\.1'"),
        (lambda: deep(lambda: nn.ReLU(inplace=True)), r"'body\.1' \(ReLU\) works in place"),
        (lambda: deep(nn.Hardtanh), r"'body\.1' \(Hardtanh\) has no rescale rule"),
    ],
)
def test_a_layer_at_fault_is_named(called: str, body: Callable[[], nn.Module], named: str) -> None:
    with pytest.raises(NotApplicable, match=named) as caught:
        ask(Toy(body()), query(noise(1), (0, 0)), called)
    assert str(caught.value).startswith(called.split("[background", maxsplit=1)[0])


@pytest.mark.parametrize("called", [*PER_CELL[3:], *PER_SEGMENT])
def test_what_needs_no_rule_takes_any_model(called: str) -> None:
    got = ask(Toy(deep(Functional)), query(noise(1), (0, 0)), called)
    assert np.isfinite(got.scores.values).all()


def test_a_model_without_a_mean_frame() -> None:
    with pytest.raises(NotApplicable, match="mean"):
        ask(Clicks(), query(noise(1, 16000), (0, 0), rate=16000), "deeplift[baseline=mean]")


def test_a_budget_that_is_too_small() -> None:
    with pytest.raises(UsageError, match="evaluations=12") as caught:
        ask(Linear(), query(noise(1), (0, 0)), "shap[explainer=kernel,segment=0.1,evaluations=12]")
    assert "evaluations=20" in caught.value.hint


@pytest.mark.parametrize("explainer", ["kernel", "partition"])
def test_the_budget_is_kept(explainer: str) -> None:
    called = f"shap[explainer={explainer},segment=0.05,evaluations=60]"
    got = ask(Toy(deep()), query(noise(1), (0, 0)), called)
    assert 50 <= got.cost.forward <= 62 + 16  # partition finishes a batch
    assert got.cost.backward == 0
    assert got.diagnostics["completeness_error"][0] < 1e-6


# --- randomness -------------------------------------------------------------------------------

EVERY = [*PER_CELL, *PER_SEGMENT]


@pytest.mark.parametrize("called", EVERY)
@pytest.mark.parametrize("baseline", ["silence", "noise"])
def test_a_pair_is_answered_alike_alone_and_in_company(called: str, baseline: str) -> None:
    model, waves = Toy(deep()), noise(2)
    called = with_params(called, baseline=baseline)
    together = ask(model, query(waves, (0, 0), (0, 2), (1, 1)), called).scores.values
    alone = Query(("test-0001",), waves[1:], RATE, np.array([[0, 1]]), CLASSES, GRID)
    np.testing.assert_allclose(
        ask(model, alone, called).scores.values, together[2:], rtol=1e-5, atol=1e-9
    )
    one = Query(("test-0000",), waves[:1], RATE, np.array([[0, 2]]), CLASSES, GRID)
    np.testing.assert_allclose(
        ask(model, one, called).scores.values, together[1:2], rtol=1e-5, atol=1e-9
    )
    again = ask(model, query(waves, (0, 0), (0, 2), (1, 1)), called).scores.values
    assert np.array_equal(again, together)


@pytest.mark.parametrize("called", EVERY)
def test_the_seed_matters_where_it_is_said_to(called: str) -> None:
    wanted = spec.parse(called)
    info, _ = METHODS[wanted.name]
    values = spec.resolve(wanted, info)
    said = not info.seeded_by or any(values[k] == v for k, v in info.seeded_by)
    one, other = (
        ask(Toy(deep()), query(noise(1), (0, 0), seed=seed), called).scores.values
        for seed in (0, 1)
    )
    if called in PER_SEGMENT:  # kernel may have enumerated all it could
        assert said or np.array_equal(one, other)
    else:
        assert np.array_equal(one, other) is not said


@pytest.mark.parametrize("called", EVERY)
def test_the_model_and_the_generators_are_left_alone(called: str) -> None:
    model = Toy(deep())
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    attributes = [set(vars(m)) for m in model.modules()]
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()
    ask(model, query(noise(1), (0, 0), (0, 1)), called)
    assert torch.random.get_rng_state().equal(torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state[1])
    assert np.random.get_state()[2:] == numpy_state[2:]
    for name, value in model.state_dict().items():
        assert value.equal(weights[name])
    for module, own in zip(model.modules(), attributes, strict=True):
        assert set(vars(module)) == own
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    assert all(p.grad is None for p in model.parameters())


def test_the_lent_generators_are_given_back_after_an_error() -> None:
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()
    drawn = []
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), seeded_globals(3):
            drawn.append((np.random.rand(), torch.rand(1).item()))
            raise ZeroDivisionError
    assert drawn[0] == drawn[1]
    assert torch.random.get_rng_state().equal(torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state[1])


# --- parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_the_tree_halves_neighbours(count: int) -> None:
    tree = halves(count)
    assert tree.shape == (count - 1, 4)
    players = [{i} for i in range(count)]
    for left, right, size, _ in tree:
        joined = players[int(left)] | players[int(right)]
        assert len(joined) == size == max(joined) - min(joined) + 1  # neighbours
        assert abs(len(players[int(left)]) - len(players[int(right)])) <= 1
        players.append(joined)
    assert players[-1] == set(range(count))


def test_out_of_memory_halves_the_batch_and_says_so() -> None:
    tried = []

    def run(batch: int) -> int:
        tried.append(batch)
        if batch > 2:
            raise torch.OutOfMemoryError("no room")
        return batch

    with pytest.warns(UserWarning, match="out of memory: going on with batches of"):
        assert fitting(run, 8) == 2
    assert tried == [8, 4, 2]

    def never(batch: int) -> int:
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(torch.OutOfMemoryError):
        fitting(never, 1)
