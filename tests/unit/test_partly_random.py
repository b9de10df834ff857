"""Classifiers of which some layers are random: which layers, in which order, and nothing else."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models import weights as weight_files
from sedbench.models.contract import Classifier, Recipe
from sedbench.models.partly_random import Randomiser, stages
from sedbench.models.store import ModelHandle, initialise
from sedbench.testing.planted import planted

CLASSES = ("Dog", "Cat")
RATE = 200
WAVE = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (3, RATE)).astype(np.float32))


class Net(Classifier):
    """Registered in another order than it is passed through, with a norm and a bare weight."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.sample_rate = CLASSES, RATE
        self.last = nn.Linear(6, 2)
        self.body = nn.Sequential(
            nn.Conv2d(10, 6, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 1)
        )
        self.scale = nn.Parameter(torch.rand(2))
        self.register_buffer("shift", torch.zeros(10))

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), 10, -1)

    def logits(self, features: Tensor) -> Tensor:
        seen = features.mean(-1) + self.shift
        out: Tensor = self.scale * self.last(self.body(seen[..., None, None]).flatten(1))
        return out

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(n_samples // 10 + 1) / 20

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


class Nets:
    """The family."""

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> Net:
        return Net()

    def recipe(self, variant: str) -> Recipe:
        return Recipe()


@pytest.fixture
def handle(tmp_path, monkeypatch) -> ModelHandle:
    """A trained network: every number in it is one that no initialisation gives."""
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path))
    state = Net().state_dict()
    rng = np.random.default_rng(3)
    trained = {
        name: value
        if value.dtype == torch.long
        else torch.from_numpy(rng.uniform(1, 2, tuple(value.shape)).astype(np.float32))
        for name, value in state.items()
    }
    path = weight_files.local_root("net") / "some" / "classifier-s0.safetensors"
    weight_files.save(path, trained, {})
    return ModelHandle("net", "some", CLASSES, RATE, 0, "cpu", ("classifier",), Nets)


def logits(net: Classifier) -> Any:
    with torch.no_grad():
        return net(WAVE).numpy()


def test_layers_go_from_the_output_backwards_whatever_order_they_were_registered_in(handle):
    found = stages(Randomiser(handle, 0).trained(), RATE)
    assert [stage.modules for stage in found] == [
        ("",),
        ("last",),
        ("body.3",),
        ("body.0", "body.1"),  # a norm goes with the layer before it
    ]
    assert [stage.name for stage in found] == ["the whole", "last", "3", "0"]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_neighbours_are_put_together_and_none_is_lost(handle, most):
    net = Randomiser(handle, 0).trained()
    every = [module for stage in stages(net, RATE) for module in stage.modules]
    found = stages(net, RATE, most)
    assert len(found) == most
    assert [module for stage in found for module in stage.modules] == every
    if most > 1:
        assert found[0].modules == ("",)  # the output stays alone


def test_layers_of_one_block_become_one_before_blocks_are_put_together():
    paths = ["head", *(f"trunk.block{i}.{part}" for i in (3, 2, 1) for part in ("b", "a"))]

    class Deep(Net):
        def __init__(self) -> None:
            super().__init__()
            block = lambda: nn.Sequential(OrderedDict(a=nn.Linear(10, 10), b=nn.Linear(10, 10)))  # noqa: E731
            self.trunk = nn.Sequential(OrderedDict((f"block{i}", block()) for i in (1, 2, 3)))
            self.head = nn.Linear(10, 2)
            del self.last, self.body, self.scale

        def logits(self, features: Tensor) -> Tensor:
            out: Tensor = self.head(self.trunk(features.mean(-1)))
            return out

    model = Deep().eval()
    every = [module for stage in stages(model, RATE) for module in stage.modules]
    assert every == paths
    assert [s.layers for s in stages(model, RATE, 4)] == [
        ("head",), ("block3",), ("block2",), ("block1",),
    ]  # fmt: skip
    found = stages(model, RATE, 3)
    assert [s.layers for s in found] == [("head",), ("block3", "block2"), ("block1",)]
    assert [module for stage in found for module in stage.modules] == every
    # Blocks would be fewer than the stages asked for: layers are put together.
    assert [s.name for s in stages(model, RATE, 6)] == [
        "head", "block3.a", "block2.b", "block2.a", "block1.b", "block1.a",
    ]  # fmt: skip


def test_none_replaced_is_the_trained_one_and_all_is_the_random_one(handle):
    randomiser = Randomiser(handle, 5)
    everything = [m for stage in stages(randomiser.trained(), RATE) for m in stage.modules]
    np.testing.assert_array_equal(
        logits(randomiser.without([]).classifier()), logits(handle.classifier())
    )
    random = randomiser.without(everything).classifier()
    np.testing.assert_array_equal(logits(random), logits(handle.randomised(5)))
    assert (random.state_dict()["shift"] > 0).all()  # belongs to the data


def test_what_is_not_named_stays_as_it_was_trained(handle):
    made = Randomiser(handle, 5).without(["body.0", "body.1"]).classifier().state_dict()
    trained = handle.classifier().state_dict()
    with torch.random.fork_rng(devices=[]):
        drawn = initialise(Nets(), "classifier", CLASSES, RATE, 5).state_dict()
    for name in trained:
        wanted = drawn if name.startswith(("body.0.", "body.1.")) else trained
        torch.testing.assert_close(made[name], wanted[name], rtol=0, atol=0)


def test_a_seed_draws_the_same_weights_and_leaves_torch_alone(handle):
    state = torch.random.get_rng_state()
    one, two, other = (
        logits(Randomiser(handle, seed).without(["last"]).classifier()) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_trained_model_itself_is_not_touched(handle):
    before = logits(handle.classifier())
    randomiser = Randomiser(handle, 1)
    randomiser.without(["last"]).classifier()
    np.testing.assert_array_equal(logits(handle.classifier()), before)
    np.testing.assert_array_equal(logits(randomiser.without([]).classifier()), before)


def test_a_method_sees_the_same_surface():
    handle = planted()
    net = Randomiser(handle, 0).trained()
    found = Randomiser(handle, 0).without(stages(net, 8000, 1)[0].modules)
    kept = {field.name for field in dataclasses.fields(handle)} - {"_loaded", "_family"}
    assert type(found) is type(handle)
    for name in kept:
        assert getattr(found, name) == getattr(handle, name)
    assert found.classifier() is found.variant("classifier")
    assert found.classifier() is not handle.classifier()
