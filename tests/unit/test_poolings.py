"""Poolings: their formulas, limits and bounds, and what they are at the ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.store import seeded
from sedbench.models.training import groups
from sedbench_plugins.attention.pooling import TagTokens
from sedbench_plugins.poolings import POOLINGS
from sedbench_plugins.poolings.base import Pooling, weighted
from sedbench_plugins.poolings.lookup import pooling

CHANNELS = 12
# Between the mean and the maximum of the frame probabilities, whatever was learnt.
SOFTENED = ("linear", "exponential", "auto")
FRAMES = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=12)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(name: str, classes: int = 1, seed: int = 0) -> Pooling:
    with seeded(seed):
        return pooling(f"fw-ws-{name}", CHANNELS, classes, "tests")


def heard(frames: int, seed: int = 1, batch: int = 1) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((batch, CHANNELS, frames)).astype(np.float32))


def stirred(pool: Pooling) -> Pooling:
    """Weights of something that has learnt: not those that it begins with."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
    return pool


def clip(pool: Pooling, logits: list[float]) -> float:
    """Clip probability of one class."""
    frames = torch.tensor([[logits]], dtype=torch.float64)
    with torch.no_grad():
        return float(torch.sigmoid(pool.double()(frames, heard(len(logits)).double())))


def probabilities(logits: list[float]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.array(logits, np.float64))))


@settings(max_examples=40, deadline=None)
@given(FRAMES)
def test_each_is_its_formula(logits: list[float]) -> None:
    p = probabilities(logits)
    expected = {
        "max": p.max(),
        "average": p.mean(),
        "linear": (p**2).sum() / max(p.sum(), 1e-7),
        "exponential": (p * np.exp(p)).sum() / np.exp(p).sum(),
        "auto": (p * np.exp(p)).sum() / np.exp(p).sum(),  # as it begins
        "attention": p.mean(),  # as it begins
    }
    for name, value in expected.items():
        assert clip(made(name), logits) == pytest.approx(value, rel=1e-5, abs=2e-6), name


@settings(max_examples=40, deadline=None)
@given(FRAMES, st.sampled_from(SOFTENED))
def test_a_softmax_lies_between_the_mean_and_the_maximum(logits: list[float], name: str) -> None:
    p = probabilities(logits)
    assert p.mean() - 2e-6 <= clip(made(name), logits) <= p.max() + 2e-6


@settings(max_examples=40, deadline=None)
@given(FRAMES, st.sampled_from(POOLINGS))
def test_a_clip_is_never_likelier_than_its_likeliest_frame(logits: list[float], name: str) -> None:
    p = probabilities(logits)
    found = clip(stirred(made(name)), logits)
    assert p.min() - 2e-6 <= found <= p.max() + 2e-6


@settings(max_examples=40, deadline=None)
@given(FRAMES, st.floats(0, 3), st.sampled_from(("max", "average", "attention", "self-attention")))
def test_more_sound_is_more_likely(logits: list[float], more: float, name: str) -> None:
    # Not so of linear softmax, exponential softmax and auto-pool: a frame that becomes a little
    # louder takes weight from louder ones.
    pool = stirred(made(name))
    louder = [logits[0] + more, *logits[1:]]
    assert clip(pool, louder) >= clip(pool, logits) - 1e-9


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("p", [0.001, 0.2, 0.5, 0.97])
def test_of_equal_frames_it_is_that_frame(name: str, p: float) -> None:
    found = clip(stirred(made(name)), [float(np.log(p / (1 - p)))] * 7)
    assert found == pytest.approx(p, rel=1e-5)


def test_auto_pool_goes_from_the_mean_to_the_maximum() -> None:
    logits = [-2.0, 0.5, 1.5, -1.0]
    p, pool = probabilities(logits), made("auto")
    assert isinstance(pool.alpha, nn.Parameter) and pool.alpha.tolist() == [1.0]
    found = []
    for alpha in (-1e4, 0.0, 1.0, 5.0, 50.0, 1e4):
        with torch.no_grad():
            pool.alpha.fill_(alpha)
        found.append(clip(pool, logits))
    assert found == sorted(found)
    assert [found[0], found[1], found[-1]] == pytest.approx([p.min(), p.mean(), p.max()], rel=1e-6)
    assert found[2] == pytest.approx(clip(made("exponential"), logits), rel=1e-6)


@pytest.mark.parametrize("name", ["attention", "self-attention"])
def test_attention_is_a_mean_over_time_of_each_class(name: str) -> None:
    pool = stirred(made(name, classes=3))
    frames, embeddings = torch.randn(4, 3, 9), heard(9, batch=4)
    with torch.no_grad():
        weights = pool.attention(embeddings).exp()  # type: ignore[operator]
        found = torch.sigmoid(pool(frames, embeddings))
    assert weights.shape == (4, 3, 9)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 3))
    torch.testing.assert_close(found, (weights * torch.sigmoid(frames)).sum(-1))
    assert weights.std(-1).min() > 1e-4  # it does look somewhere
    assert (weights[:, 0] - weights[:, 1]).abs().max() > 1e-4  # and classes elsewhere


def test_attention_stands_on_what_was_fitted() -> None:
    pool = stirred(made("attention"))
    embeddings = heard(9)
    with torch.no_grad():
        before = pool.attention(embeddings)  # type: ignore[operator]
        pool.fit(torch.full((CHANNELS,), 2.0), torch.full((CHANNELS,), 3.0))
        found = pool.attention(3.0 * embeddings + 2.0)  # type: ignore[operator]
    torch.testing.assert_close(before, found)


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize(
    "logits",
    [[-1e4] * 4, [1e4] * 4, [-1e4, 1e4, 0.0, 5.0], [-200.0, -190.0, -200.0, -200.0], [60.0]],
)
def test_values_and_gradients_are_finite_at_the_ends(name: str, logits: list[float]) -> None:
    pool = stirred(made(name))
    frames = torch.tensor([[logits]], requires_grad=True)
    out = pool(frames, heard(len(logits)))
    assert torch.isfinite(out).all()
    out.sum().backward()
    for each in (frames, *pool.parameters()):
        assert each.grad is None or torch.isfinite(each.grad).all()
    assert frames.grad is not None


def test_a_weighted_mean_keeps_its_gradient_where_probabilities_are_lost() -> None:
    # In single precision the sigmoid of 30 is 1, and of its logit nothing would be left.
    frames = torch.tensor([[[30.0, 30.0], [-120.0, -120.0]]], requires_grad=True)
    out = weighted(frames, torch.full((1, 2, 2), float(np.log(0.5))))
    torch.testing.assert_close(out, torch.tensor([[30.0, -120.0]]))
    out.sum().backward()
    assert frames.grad is not None
    torch.testing.assert_close(frames.grad, torch.full((1, 2, 2), 0.5))


@pytest.mark.parametrize("name", POOLINGS)
def test_what_learns_is_all_taught(name: str) -> None:
    pool = stirred(made(name, classes=3))
    frames = torch.randn(2, 3, 9, requires_grad=True)
    pool(frames, heard(9, batch=2)).square().sum().backward()
    for key, parameter in pool.named_parameters():
        assert parameter.grad is not None, key


def test_the_tokens_are_those_of_the_explanation() -> None:
    # One implementation: the pooling looks where the method with the same weights would.
    pool = stirred(made("self-attention", classes=3))
    method = TagTokens(CHANNELS, 3)
    named = {key.removeprefix("tokens."): value for key, value in pool.state_dict().items()}
    method.load_state_dict(named, strict=False)
    with torch.no_grad():
        flow = method.pool(heard(9))[1]
        found = pool.attention(heard(9)).exp()  # type: ignore[operator]
    torch.testing.assert_close(found, flow / flow.sum(-1, keepdim=True))


def test_alpha_alone_does_not_decay() -> None:
    for name in POOLINGS:
        model = nn.ModuleDict({"head": nn.Conv1d(CHANNELS, 2, 1), "pooling": made(name, 2)})
        decayed, *kept = groups(model)
        assert len(decayed["params"]) + len(kept) == len(list(model.parameters()))
        assert [[tuple(p.shape) for p in group["params"]] for group in kept] == (
            [[(2,)]] if name == "auto" else []
        )
    pool = made("auto", 2)
    optimiser = torch.optim.AdamW(groups(pool), lr=0.1, weight_decay=0.5)
    pool(torch.zeros(1, 2, 4), torch.zeros(1, CHANNELS, 4)).sum().backward()  # nothing to learn
    optimiser.step()
    assert torch.equal(next(pool.parameters()).detach(), torch.ones(2))
