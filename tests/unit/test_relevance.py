"""LRP: cases that can be written down, conservation, Zennit itself, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import NotApplicable
from sedbench.models.contract import Classifier
from sedbench.models.frontend import LogMel
from sedbench.models.store import ModelHandle, initialise
from sedbench.types import Answer, FrameGrid, Query
from sedbench_plugins.logmel_cnn import build as build_cnn
from sedbench_plugins.relevance import COMPOSITES, LRP, build
from sedbench_plugins.relevance.zennit_import import zennit

GRID = FrameGrid(1.0, 0.1)
CLASSES = ("Dog", "Cat", "Blender")
DEFAULTS: dict[str, Any] = {p.name: p.default for p in LRP.params}
RATE, BANDS, FRAMES = 1000, 50, 20


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

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(FRAMES + 1) * 0.05

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


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


def deep() -> nn.Module:
    """Two convolutions over time and a head, all of it modules."""
    return seeded(
        lambda: nn.Sequential(
            nn.Conv1d(BANDS, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(8, 3, 1),
        )
    )


def ask(model: Classifier, question: Query, **params: Any) -> Answer:
    return build(**{**DEFAULTS, **params}).answer(question, Holding(model))


def query(waves: NDArray[np.float32], *pairs: tuple[int, int], rate: int = RATE) -> Query:
    names = tuple(f"test-{i:04d}" for i in range(len(waves)))
    return Query(names, waves, rate, np.array(pairs, np.int64), CLASSES, GRID)


def noise(clips: int, samples: int = RATE, seed: int = 0) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal((clips, samples))
    return (0.5 * values).astype(np.float32)


# --- what can be written down -----------------------------------------------------------------


@pytest.mark.parametrize("sign", ["abs", "positive", "signed"])
def test_a_linear_model_has_the_relevance_of_each_product(sign: str) -> None:
    model = Toy(seeded(lambda: nn.Conv1d(BANDS, 3, 1)))
    waves = noise(2)
    got = ask(model, query(waves, (0, 2), (1, 0)), composite="epsilon", sign=sign)
    head = model.body
    assert isinstance(head, nn.Conv1d)
    assert head.bias is not None
    x = model.features(torch.from_numpy(waves))
    cells = torch.stack([head.weight[k] * x[i] for i, k in ((0, 2), (1, 0))]).detach() / FRAMES
    if sign != "signed":
        cells = cells.abs() if sign == "abs" else cells.clamp_min(0)
    # A frame whose logit is all but zero feels the stabiliser.
    np.testing.assert_allclose(got.scores.values, cells.mean(1).numpy(), rtol=2e-3, atol=2e-6)
    np.testing.assert_allclose(got.scores.edges, np.arange(21) * 0.05)
    assert got.resolution == pytest.approx(0.05)
    logits = model.logits(x).detach().numpy()[[0, 1], [2, 0]]
    bias = head.bias.detach().numpy()[[2, 0]]
    np.testing.assert_allclose(
        got.diagnostics["conservation_error"], np.abs(bias / logits), rtol=1e-3
    )


@pytest.mark.parametrize("composite", COMPOSITES)
def test_only_the_window_that_is_looked_at_has_relevance(composite: str) -> None:
    body = seeded(lambda: nn.Sequential(nn.Conv1d(BANDS, 8, 1), nn.ReLU(), nn.Conv1d(8, 3, 1)))
    model = Toy(body, lambda frames: frames[..., 6:9].sum(-1))
    got = ask(model, query(noise(1), (0, 0)), composite=composite)
    active = got.scores.values[0] > 0
    assert active[6:9].any()
    assert not active[:6].any()
    assert not active[9:].any()


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("at", [0.125, 0.475, 0.85])
def test_a_click_is_found_where_it_is(composite: str, at: float) -> None:
    class Clicks(Toy):
        def __init__(self) -> None:
            high = nn.Conv2d(1, 1, (8, 1), stride=(8, 1), bias=False)
            nn.init.constant_(high.weight, 1.0 / 8)
            head = nn.Conv1d(1, 3, 1, bias=False)
            nn.init.constant_(head.weight, 1.0)
            super().__init__(nn.Sequential(high, nn.ReLU(), nn.AvgPool2d((1, 2))))
            self.head = head
            self.sample_rate = 16000
            self.front = LogMel(16000, window=1024, hop=800, bands=32)

        def features(self, waveform: Tensor) -> Tensor:
            out: Tensor = self.front(waveform)
            return out

        def logits(self, features: Tensor) -> Tensor:
            loud = (features[:, None] + 16.0)[:, :, 24:]
            return torch.as_tensor(self.head(self.body(loud).mean(2)).mean(-1))

        def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
            return self.front.edges(n_samples)

    time = np.arange(16000) / 16000
    wave = (0.05 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)
    wave[round(at * 16000)] += 0.5
    got = ask(Clicks(), query(wave[None], (0, 0), rate=16000), composite=composite, sign="positive")
    peak = int(got.scores.values[0].argmax())
    low, high = got.scores.edges[peak], got.scores.edges[peak + 1]
    assert low - got.resolution <= at <= high + got.resolution


def test_two_branches_share_by_what_they_give() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.loud = nn.Conv1d(BANDS, 3, 1, bias=False)
            self.last = nn.Conv1d(3, 3, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            y = self.loud(x)
            return torch.as_tensor(self.last(y - 3 * y.mean(-1, keepdim=True)))

    model = Toy(seeded(Branches), lambda frames: frames[..., 4])
    got = ask(model, query(noise(1), (0, 1)), composite="epsilon", sign="signed")
    x = model.features(torch.from_numpy(noise(1))).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.logits(x)[0, 1], x)
    # Without biases and rectifiers every split in proportion is the product with the gradient.
    cells = (gradient * x)[0].detach().mean(0).numpy()
    np.testing.assert_allclose(got.scores.values[0], cells, rtol=1e-2, atol=1e-5)
    assert got.diagnostics["conservation_error"][0] < 1e-3


# --- conservation -----------------------------------------------------------------------------


def test_without_biases_all_of_the_logit_arrives() -> None:
    question = query(noise(3), (0, 0), (0, 1), (1, 2), (2, 0))
    for composite, bound in (("epsilon-plus", 1e-3), ("epsilon-alpha2-beta1", 0.05)):
        kept = ask(Toy(deep()), question, composite=composite, zero_bias=True)
        lost = ask(Toy(deep()), question, composite=composite)
        assert (kept.diagnostics["conservation_error"] < bound).all()
        assert (lost.diagnostics["conservation_error"] > bound).any()


@pytest.mark.parametrize("composite", COMPOSITES)
def test_conservation_is_recorded_as_it_is(composite: str) -> None:
    question = query(noise(2), (0, 0), (1, 2))
    model = Toy(deep())
    got = ask(model, question, composite=composite, sign="signed")
    total = got.scores.values.sum(1) * BANDS
    logits = model(torch.from_numpy(question.waveforms)).detach().numpy()[[0, 1], [0, 2]]
    np.testing.assert_allclose(
        got.diagnostics["conservation_error"], np.abs(total - logits) / np.abs(logits), rtol=1e-3
    )
    spread = ask(model, question, composite=composite).scores.values.sum(1) * BANDS
    np.testing.assert_allclose(
        got.diagnostics["relevance_spread"], spread / np.abs(logits), rtol=1e-5
    )


# --- Zennit itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("composite", ["epsilon-plus", "epsilon-alpha2-beta1", "epsilon-gamma-box"])
def test_a_model_of_modules_gets_what_zennit_gives(composite: str) -> None:
    # One band apiece, so that the output layer is Linear and the rest are convolutions.
    body = seeded(
        lambda: nn.Sequential(
            nn.Conv1d(BANDS, 6, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool1d(2),
            nn.Conv1d(6, 6, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48, 3),
        )
    )
    model = Toy(body, lambda logits: logits)
    waves = noise(1)
    got = ask(model, query(waves, (0, 1)), composite=composite, sign="signed")
    x = model.features(torch.from_numpy(waves)).contiguous()
    ready = zennit("composites")
    if composite == "epsilon-gamma-box":
        # The least is that of digital silence, where the clip has nothing smaller.
        low, high = x.clamp_max(0).amin(-1, keepdim=True), x.amax(-1, keepdim=True)
        reference = ready.EpsilonGammaBox(low.expand_as(x), high.expand_as(x))
    else:
        reference = {
            "epsilon-plus": ready.EpsilonPlus,
            "epsilon-alpha2-beta1": ready.EpsilonAlpha2Beta1,
        }[composite]()
    with zennit("attribution").Gradient(model=body, composite=reference) as attributor:
        _, relevance = attributor(x, lambda out: out * torch.tensor([[0.0, 1.0, 0.0]]))
    np.testing.assert_allclose(
        got.scores.values[0], relevance[0].mean(0).detach().numpy(), rtol=1e-4, atol=1e-7
    )


@pytest.fixture(scope="module")
def cnn() -> Classifier:
    net = initialise(build_cnn(), "classifier", CLASSES, 16000, 1)
    net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
    generator = torch.Generator().manual_seed(2)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0.0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            module.weight.data.uniform_(0.5, 2.0, generator=generator)
            module.bias.data.normal_(0.0, 0.1, generator=generator)
    return net.eval()


@pytest.mark.parametrize("composite", COMPOSITES)
def test_the_canonizer_and_the_folded_model_agree(cnn: Classifier, composite: str) -> None:
    question = query(noise(1, 16000), (0, 0), (0, 2), rate=16000)
    folded = ask(cnn.for_inference(), question, composite=composite).scores.values
    before = {k: v.clone() for k, v in cnn.state_dict().items()}
    merged = ask(cnn, question, composite=composite).scores.values
    for name, value in cnn.state_dict().items():
        assert value.equal(before[name])
    np.testing.assert_allclose(merged, folded, rtol=5e-2, atol=2e-3 * folded.max())
    assert np.corrcoef(merged[0], folded[0])[0, 1] > 0.9999


def test_zennit_comes_without_torchvision_and_leaves_nothing_behind(tmp_path: Path) -> None:
    broken, real = tmp_path / "broken" / "torchvision", tmp_path / "real" / "torchvision"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('operator does not exist')\n")
    (real / "models").mkdir(parents=True)
    (real / "__init__.py").write_text("")
    (real / "models" / "__init__.py").write_text("")
    (real / "models" / "resnet.py").write_text("class Bottleneck: ...\nclass BasicBlock: ...\n")
    script = f"""
import importlib, sys
from sedbench_plugins.relevance import LRP
from sedbench_plugins.shapley import SHAP
heavy = {{'torch', 'zennit', 'shap', 'captum'}} & set(sys.modules)
assert not heavy, heavy
from sedbench_plugins.relevance.zennit_import import zennit

def clean():
    for name in [n for n in sys.modules if n.split('.')[0] in ('zennit', 'torchvision')]:
        del sys.modules[name]

for case in ('broken', 'real', 'absent'):
    clean()
    if case == 'absent':
        sys.modules['torchvision'] = None
    else:
        sys.path.insert(0, {str(tmp_path)!r} + '/' + case)
    importlib.invalidate_caches()
    assert zennit('composites').EpsilonPlus()
    left = [n for n in sys.modules if 'torchvision' in n and sys.modules[n] is not None]
    assert not left, left
    assert not hasattr(sys.modules['zennit'], 'torchvision')
    try:
        import zennit.torchvision as asked
        assert case == 'real' and asked.VGGCanonizer and asked.__spec__ is not None
    except (RuntimeError, ImportError) as error:
        assert case != 'real', error
    if case != 'absent':
        del sys.path[0]
clean()
sys.path.insert(0, {str(tmp_path)!r} + '/real')
import zennit as already, zennit.torchvision as own
from sedbench_plugins.relevance.zennit_import import zennit as ours
ours('rules')
assert sys.modules['zennit.torchvision'] is own is already.torchvision
"""
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in sys.path if p))
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=env, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_an_import_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "zennit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "zennit.core", None)
    with pytest.raises(ModuleNotFoundError):
        zennit("rules")
    assert "zennit.torchvision" not in sys.modules


# --- what is refused --------------------------------------------------------------------------


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(BANDS, BANDS, 1)
        self.shared = nn.ReLU()
        self.last = nn.Conv1d(BANDS, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.last(self.shared(self.first(self.shared(x)))))


class Own(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log1p(x.square())


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (Twice, r"'body\.shared' \(ReLU\) is used more than once"),
        (lambda: nn.Sequential(nn.Conv1d(BANDS, 3, 1), Own()), r"square in layer 'body\.1'"),
        (lambda: nn.Sequential(nn.Conv1d(BANDS, 3, 1), nn.LocalResponseNorm(2)), "LocalResponse"),
        (nn.ReLU, "no layer with weights"),
        (lambda: nn.Softmax(-1), r"'body' \(Softmax\)"),
    ],
)
def test_a_layer_without_a_rule_is_named(body: Callable[[], nn.Module], named: str) -> None:
    with pytest.raises(NotApplicable, match=named):
        ask(Toy(body()), query(noise(1), (0, 0)))


def test_a_matrix_outside_of_a_module_is_named() -> None:
    model = Toy(nn.Conv1d(BANDS, 3, 1), lambda f: torch.einsum("bcf,f->bc", f, torch.ones(FRAMES)))
    with pytest.raises(NotApplicable, match="einsum in the classifier itself"):
        ask(model, query(noise(1), (0, 0)))


# --- one clip at a time, and nothing left behind -----------------------------------------------


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_pair_is_answered_alike_alone_and_in_company(cnn: Classifier, composite: str) -> None:
    net, waves = cnn.for_inference(), noise(2, 16000)
    together = ask(net, query(waves, (0, 0), (0, 2), (1, 1), rate=16000), composite=composite)
    alone = Query(("test-0000",), waves[:1], 16000, np.array([[0, 2]]), CLASSES, GRID)
    got = ask(net, alone, composite=composite)
    assert np.array_equal(together.scores.values[1], got.scores.values[0])
    again = ask(net, query(waves, (0, 0), (0, 2), (1, 1), rate=16000), composite=composite)
    assert np.array_equal(together.scores.values, again.scores.values)
    assert together.cost.backward == 3


def test_the_model_and_the_generators_are_left_alone() -> None:
    model = Toy(deep())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state, attributes = torch.random.get_rng_state(), [set(vars(m)) for m in model.modules()]
    ask(model, query(noise(1), (0, 0)))
    assert torch.random.get_rng_state().equal(state)
    for name, value in model.state_dict().items():
        assert value.equal(before[name])
    for module, own in zip(model.modules(), attributes, strict=True):
        assert set(vars(module)) == own
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    assert all(p.grad is None for p in model.parameters())
