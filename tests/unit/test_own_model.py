"""A network without a plugin: found by its builder, wrapped, explained, and part of a result."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sedbench.errors import UsageError
from sedbench.lookup import find_model
from sedbench.models.own import OwnFamily
from sedbench.models.store import ModelHandle
from sedbench.models.wrapped import Wrapped, resampled
from sedbench.runner import run
from sedbench.taskfile import load_task
from sedbench.testing import model_contract
from sedbench.types import ModelInfo

# The shape of an audio classifier of the Transformers library: a configuration with names, a
# forward that takes input_values and gives an object with logits; tiny, with random weights.
MINE = """
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from torch import nn


@dataclass
class Output:
    logits: torch.Tensor
    hidden_states: tuple = ()


class TinyForAudioClassification(nn.Module):
    def __init__(self, labels):
        super().__init__()
        self.config = SimpleNamespace(id2label=dict(enumerate(labels)), num_labels=len(labels))
        self.extract = nn.Conv1d(1, 8, 64, stride=40)
        self.norm = nn.GroupNorm(1, 8)
        self.act = nn.GELU()
        self.projector = nn.Linear(8, 8)
        self.classifier = nn.Linear(8, len(labels))

    def forward(self, input_values, attention_mask=None):
        x = self.act(self.norm(self.extract(input_values[:, None])))
        pooled = self.projector(x.transpose(1, 2)).mean(1)
        return Output(logits=self.classifier(pooled))


def build():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = TinyForAudioClassification(["Silence", "High", "Low"]).eval()
    with torch.no_grad():
        model.classifier.bias.fill_(2.0)  # everything is detected
    names = tuple(model.config.id2label[i] for i in range(model.config.num_labels))
    return model, names, 4000


def with_front():
    front = lambda wave: wave.reshape(len(wave), -1, 40).transpose(1, 2)
    network = nn.Sequential(nn.Conv1d(40, 3, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    return network, ("High", "Low", "Other"), 8000, {"front": front, "frame": 0.005}


def lacks_one():
    return TinyForAudioClassification(["Silence", "High"]), ("Silence", "High"), 4000


def nothing():
    return None


def no_network():
    return [1, 2], ("High", "Low"), 4000


def strange_option():
    return *build(), {"frames": 0.1}


def raises():
    raise ZeroDivisionError("oh")


number = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the module in it, from which commands are typed."""
    (tmp_path / "own_net.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("own_net", None)


@pytest.mark.parametrize("text", ["own_net:build", "./own_net.py:build", "own_net.py:build"])
def test_it_is_found_by_module_or_by_file(here, world, text):
    ref = find_model(text, load_task(world.task))
    assert ref.canonical == ("own_net:build" if ".py" not in text else "own_net.py:build")
    assert (ref.trains, ref.variants) == (False, ("classifier",))
    assert len(ref.explained()) == 64
    net = ref.handle().classifier()
    assert (net.classes, net.sample_rate) == (("Low", "High"), 8000)
    assert str(here) not in str(sys.path)


def test_the_wrapped_network_says_what_the_network_says(here, world):
    net = find_model("own_net:build", load_task(world.task)).handle().classifier()
    own, names, rate = sys.modules["own_net"].build()
    waves = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (2, 8000)).astype("f4"))
    with torch.no_grad():
        wanted = own(resampled(waves, 8000, rate)).logits[:, [names.index(n) for n in net.classes]]
        torch.testing.assert_close(net(waves), wanted)
        torch.testing.assert_close(net.logits(net.features(waves)), wanted)


def test_it_keeps_the_contract_of_models(here):
    family = OwnFamily("own_net:build", str(here))
    info = ModelInfo("mine", "of my own", trains=False)
    contract = model_contract(info, family, classes=("Low", "High"))
    failed = {o.check: o.reason for o in contract.outcomes() if o.status == "fail"}
    assert not failed


def test_a_front_end_of_its_own(here):
    model = OwnFamily("own_net:with_front", str(here)).build("classifier", ("Low",), 8000)
    features = model.features(torch.zeros(1, 8000))
    assert features.shape == (1, 40, 200) and model(torch.zeros(1, 8000)).shape == (1, 1)
    np.testing.assert_allclose(model.feature_edges(8000), np.arange(201) * 0.005)


def test_methods_explain_it_and_the_result_knows_its_weights(here, world):
    ref = find_model("own_net:build", load_task(world.task))
    [result] = run(world.work(world.method(Slopes), models=(ref,)), None)
    assert (result.status, result.reason) == ("ok", "")
    assert result.model == "own_net:build"
    assert result.provenance["weights"] == {"classifier": ref.explained()}


class Slopes:
    """Size of the gradient of the class logit by its features."""

    def answer(self, query, model):
        from sedbench.types import Answer, FrameScores

        net, rows = model.classifier(), []
        for clip, label in query.pairs.tolist():
            x = net.features(torch.from_numpy(query.waveforms[clip : clip + 1]))
            x = x.detach().requires_grad_()
            [slope] = torch.autograd.grad(net.logits(x)[0, label], x)
            rows.append(slope[0].abs().mean(0).numpy())
        edges = net.feature_edges(query.waveforms.shape[1])
        return Answer(FrameScores(np.stack(rows), edges), 0.01)


def test_other_weights_are_another_model(here, world):
    task = load_task(world.task)
    before = find_model("own_net:build", task).explained()
    text = (here / "own_net.py").read_text()
    (here / "other_net.py").write_text(text.replace("manual_seed(4)", "manual_seed(5)"))
    assert find_model("other_net:build", task).explained() != before
    assert find_model("own_net:build", task).explained() == before


def test_the_control_has_random_weights_and_the_classifier_its_own(here, world):
    handle = find_model("own_net:build", load_task(world.task)).handle()
    assert isinstance(handle, ModelHandle)
    own, one, two = handle.classifier(), handle.randomised(1), handle.randomised(2)
    weights = [net.network.extract.weight for net in (own, one, two)]
    assert not any(torch.equal(weights[0], other) for other in weights[1:])
    assert not torch.equal(weights[1], weights[2])
    trained = sys.modules["own_net"].build()[0].extract.weight
    assert torch.equal(weights[0], trained)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("own_net:lacks_one", "the network has no class 'Low'; it has Silence, High"),
        ("own_net:nothing", "own_net:nothing returned NoneType"),
        ("own_net:no_network", "a list is no nn.Module"),
        ("own_net:strange_option", "frames"),
        ("own_net:raises", "own_net:raises raised ZeroDivisionError: oh"),
        ("own_net:number", "is a int, no function"),
        ("own_net:absent", "cannot import the model 'own_net:absent': AttributeError"),
        ("no_such_module:build", "cannot import the model 'no_such_module:build'"),
        ("./no_such_file.py:build", "there is no"),
        (":build", "cannot import the model ':build'"),
        ("own_net:build[size=2]", "takes no parameters"),
    ],
)
def test_what_cannot_be_is_one_error_with_a_hint(here, world, text, message):
    with pytest.raises(UsageError) as caught:
        find_model(text, load_task(world.task))
    assert message in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 4000), (4000, 8000), (16000, 11025)])
def test_resampling_keeps_a_tone_and_its_level(rate, wanted):
    def tone(sr):
        return torch.sin(2 * torch.pi * 440 * torch.arange(sr) / sr)[None]

    got = resampled(tone(rate), rate, wanted)
    assert got.shape == (1, wanted)
    torch.testing.assert_close(got, tone(wanted), atol=1e-3, rtol=0)


def test_the_same_rate_is_left_alone():
    wave = torch.randn(1, 100)
    assert resampled(wave, 8000, 8000) is wave


def test_frames_cover_clips_that_are_no_whole_number_of_them():
    model = Wrapped(torch.nn.Flatten(), [str(i) for i in range(105)], 1000, ["3", "7"], 1000)
    wave = torch.arange(105.0)[None]
    assert model.features(wave).shape == (1, 10, 11)
    np.testing.assert_allclose(model.feature_edges(105), np.arange(12) * 0.01)
    assert model(wave).tolist() == [[3.0, 7.0]]


def test_the_folder_is_part_of_what_travels():
    assert OwnFamily("x:y", "/a") != OwnFamily("x:y", "/b")
    assert OwnFamily("deep/er/mine.py:build", str(Path.cwd())).called == "mine.py:build"
