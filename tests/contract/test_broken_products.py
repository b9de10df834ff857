"""Models, soundbanks and metrics with one mistake each: the right check says so."""

from __future__ import annotations

import copy
import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from sedbench.data.soundbank import Recording
from sedbench.models.contract import Layer, Recipe
from sedbench.testing import metric_contract, model_contract, soundbank_contract
from sedbench.testing.planted import Planted
from sedbench.types import MetricInfo, ModelInfo, SoundbankInfo


def failed(contract):
    return {o.check: o.reason for o in contract.outcomes() if o.status == "fail"}


# --- models -----------------------------------------------------------------------------------


class Family:
    """Builds the network that it is given; a sound one unless a test says otherwise."""

    network = Planted

    def build(self, variant, classes, sample_rate):
        if variant != "classifier":
            raise ValueError(variant)
        return self.network(classes, sample_rate)

    def recipe(self, variant):
        return Recipe()


def family(network):
    return type("Mine", (Family,), {"network": network})


MODEL = ModelInfo("mine", "made to be wrong")


class ThreeDimensions(Planted):
    def features(self, waveform):
        return super().features(waveform)[:, None]


class OneEdgeShort(Planted):
    def feature_edges(self, n_samples):
        return super().feature_edges(n_samples)[:-1]

    def frame_edges(self, n_samples):
        return Planted.feature_edges(self, n_samples)


class OneClassMore(Planted):
    def logits(self, features):
        return super().logits(features).repeat(1, 2)[:, :-1]


class DropoutInEval(Planted):
    def logits(self, features):
        with torch.random.fork_rng():
            torch.seed()
            return super().logits(nn.functional.dropout(features, 0.5, training=True))


class OverTheBatch(Planted):
    def logits(self, features):
        return super().logits(features) + features.mean()


class LogOfZero(Planted):
    def logits(self, features):
        quiet = (features.amax((1, 2)) < 0.01)[:, None]
        return torch.where(quiet, torch.tensor(torch.nan), super().logits(features))


class Detached(Planted):
    def features(self, waveform):
        return super().features(waveform.detach())


class AnotherLayer(Planted):
    def layers(self):
        return {"conv1": Layer(nn.Conv2d(1, 1, 1), self.frame, self.frame / 2)}


class TwiceTheStride(Planted):
    def layers(self):
        return {"conv1": Layer(self.conv1, 2 * self.frame, self.frame)}


class InPlace(Planted):
    def __init__(self, *args):
        super().__init__(*args)
        self.relu1 = nn.ReLU(inplace=True)


class SharedReLU(Planted):
    def __init__(self, *args):
        super().__init__(*args)
        self.relu2 = self.relu1


class FoldsWrongly(Planted):
    def for_inference(self):
        fast = copy.deepcopy(self)
        fast.bn1.running_mean.add_(0.01)
        fast.head.bias.data.add_(1.0)
        return fast


class FoldsInPlace(Planted):
    def for_inference(self):
        fast = copy.deepcopy(self)
        self.relu2 = nn.Identity()
        return fast


class Counts(Planted):
    def logits(self, features):
        self.passed = getattr(self, "passed", 0) + 1
        setattr(self, f"passed{self.passed}", True)
        return super().logits(features)


@pytest.mark.parametrize(
    ("wanted", "network"),
    [
        ({"features"}, ThreeDimensions),
        ({"features"}, OneEdgeShort),
        ({"logits"}, OneClassMore),
        ({"logits"}, DropoutInEval),
        ({"batch"}, OverTheBatch),
        ({"silence"}, LogOfZero),
        ({"differentiable"}, Detached),
        ({"layers"}, AnotherLayer),
        ({"layers"}, TwiceTheStride),
        ({"rectifiers"}, InPlace),
        ({"rectifiers"}, SharedReLU),
        ({"inference"}, FoldsWrongly),
        ({"inference"}, FoldsInPlace),
        ({"unchanged"}, Counts),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_model(wanted, network):
    found = failed(model_contract(MODEL, family(network)))
    assert set(found) == wanted, found


def test_a_sound_model_passes():
    assert failed(model_contract(MODEL, Family)) == {}


def test_a_model_that_builds_anything():
    class Anything(Family):
        def build(self, variant, classes, sample_rate):
            return Planted(classes, sample_rate)

    assert set(failed(model_contract(MODEL, Anything))) == {"unknown"}
    assert set(failed(model_contract(dataclasses.replace(MODEL, variants=()), Family))) == {
        "declared"
    }


@pytest.mark.parametrize(
    "words",
    [{}, {"licence": "MIT"}, {"limits": ("One room.",)}, {"licence": "MIT", "limits": "One room."}],
)
def test_a_model_that_ships_weights_without_words_for_their_cards(tmp_path, words):
    assert "declared" not in failed(model_contract(replace_weights(tmp_path), Family))  # none ship
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "classifier-s0.safetensors").touch()
    assert "declared" in failed(model_contract(replace_weights(tmp_path, **words), Family))
    whole = {"licence": "MIT", "limits": ("One room.",)}
    assert "declared" not in failed(model_contract(replace_weights(tmp_path, **whole), Family))


def replace_weights(folder, **words):
    return dataclasses.replace(MODEL, weights=folder, **words)


# --- soundbanks -------------------------------------------------------------------------------


class Bank:
    """Noises."""

    name = "mine"
    ids = ("foreground/A/1", "foreground/A/2", "foreground/B/1")

    def recordings(self):
        return [
            Recording(one, "foreground", one.split("/")[1], "test", 0.5, one) for one in self.ids
        ]

    def audio(self, recording_id, sample_rate):
        seed = list(recording_id.encode())
        return np.random.default_rng(seed).normal(0, 0.1, sample_rate // 2).astype(np.float32)

    def fingerprint(self):
        return hashlib.sha256(b"mine").hexdigest()


class Unsorted(Bank):
    ids = Bank.ids[::-1]


class InTwoSplits(Bank):
    def recordings(self):
        first, *others = super().recordings()
        moved = dataclasses.replace(first, split="train", group=others[0].group)
        return [moved, *others]


class Stereo(Bank):
    def audio(self, *args):
        return np.stack(2 * [super().audio(*args)])


class Doubles(Bank):
    def audio(self, *args):
        return super().audio(*args).astype(np.float64)


class AnotherLength(Bank):
    def audio(self, recording_id, sample_rate):
        return super().audio(recording_id, 16000)


class NeverTheSame(Bank):
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def audio(self, recording_id, sample_rate):
        return self.rng.normal(0, 0.1, sample_rate // 2).astype(np.float32)


class NewEveryTime(Bank):
    count = 0

    def fingerprint(self):
        NewEveryTime.count += 1
        return hashlib.sha256(str(self.count).encode()).hexdigest()


BANK = SoundbankInfo("mine", "made to be wrong", licence="CC0")


@pytest.mark.parametrize(
    ("wanted", "bank"),
    [
        ("recordings", Unsorted),
        ("groups", InTwoSplits),
        ("audio", Stereo),
        ("audio", Doubles),
        ("audio", AnotherLength),
        ("audio", NeverTheSame),
        ("fingerprint", NewEveryTime),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_soundbank(wanted, bank):
    assert failed(soundbank_contract(BANK, Bank)) == {}
    found = failed(soundbank_contract(BANK, bank))
    assert list(found) == [wanted], found


def test_a_soundbank_without_a_licence():
    assert set(failed(soundbank_contract(dataclasses.replace(BANK, licence=""), Bank))) == {
        "declared"
    }


# --- metrics ----------------------------------------------------------------------------------

METRIC = MetricInfo("mine", "made to be wrong", over="scores")


def hit(scores, truth):
    top = scores == scores.max(-1, keepdims=True)
    return (top & truth).sum(-1) / top.sum(-1)


@pytest.mark.parametrize(
    ("wanted", "function"),
    [
        ("function", lambda labels: labels),
        ("values", lambda scores, truth: hit(scores, truth).mean()),
        ("values", lambda scores, truth: 2 * hit(scores, truth) + 0.1),
        ("pairs", lambda scores, truth: (hit(scores, truth) + hit(scores, truth).mean()) / 2),
        ("inputs-kept", lambda scores, truth: hit(np.subtract(scores, 1, out=scores), truth)),
        ("better", lambda scores, truth: 1 - hit(scores, truth)),
        ("empty", lambda scores, truth: hit(scores, truth) / truth.sum(1)),
    ],
)
def test_a_metric(wanted, function):
    assert failed(metric_contract(METRIC, lambda: hit)) == {}
    found = failed(metric_contract(METRIC, lambda: function))
    assert list(found) == [wanted], found
