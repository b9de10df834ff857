"""A toy world for the tests of whole runs: a task, a soundbank and a model, all tiny.

Two tones, ``Low`` and ``High``, sound in clips of one second; the model listens for both.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import cloudpickle
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn, zeros

from sedbench.data.index import write_index
from sedbench.data.soundbank import Recording
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.models import weights
from sedbench.models.contract import Classifier, Recipe
from sedbench.refs import MethodRef, ModelRef
from sedbench.taskfile import load_task
from sedbench.types import Answer, Cost, FrameScores, MethodInfo, Param, Query, Split
from sedbench.work import Work

# A worker cannot import a conftest by name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

RATE = 8000
TONES = {"Low": 400.0, "High": 2000.0}
CLIPS: dict[Split, int] = {"test": 12, "validation": 10}

TOML = """
name = "tones"
version = 1
title = "Tones"
summary = "two tones in noise"
licence = "MIT"
reason = "to test with"
model = "ear"
soundbank = "tone-bank"
sample_rate = 8000
duration = 1.0
classes = ["Low", "High"]

[truth]
primary = "extent"

[reference]
methods = ["ear-method"]

[soundscapes]
seed = 1
event_counts = [1, 2]
event_duration = ["const", 0.3]
event_time = ["uniform", 0, 0.7]
snr = ["const", 20]
ref_db = ["const", -50]
backgrounds = ["hum"]
"""


def soundscape(split: Split, number: int) -> Soundscape:
    """One or two tones; every fourth clip has both."""
    rng = np.random.default_rng([len(split), number])
    labels = ["Low", "High"] if number % 4 == 0 else [list(TONES)[number % 2]]
    events = [
        Placement(
            label, f"foreground/{label}/{split}-{number % 3}", 0.0, round(onset, 4), 0.3, 20.0
        )
        for label, onset in zip(labels, sorted(rng.uniform(0, 0.7, len(labels))), strict=True)
    ]
    hum = Placement("hum", f"background/hum/{split}", 0.0, 0.0, 1.0, 0.0)
    return Soundscape(f"{split}-{number:04d}", split, 1.0, -50.0, hum, tuple(events))


class Bank:
    """Tones that last half a second, and noise."""

    name = "tone-bank"
    version = "1"

    def recordings(self) -> Sequence[Recording]:
        made = []
        for split in CLIPS:
            made.append(Recording(f"background/hum/{split}", "background", "hum", split, 1.0, "h"))
            for label in TONES:
                for i in range(3):
                    name = f"foreground/{label}/{split}-{i}"
                    made.append(
                        Recording(name, "foreground", label, split, 0.5, f"{split} {label} {i}")
                    )
        return sorted(made, key=lambda r: r.id)

    def audio(self, recording_id: str, sample_rate: int) -> NDArray[np.float32]:
        role, label, _ = recording_id.split("/")
        if role == "background":
            return np.random.default_rng(3).normal(0, 0.05, sample_rate).astype(np.float32)
        time = np.arange(sample_rate // 2) / sample_rate
        return (0.2 * np.sin(2 * np.pi * TONES[label] * time)).astype(np.float32)

    def fingerprint(self) -> str:
        return f"tones {self.version}"


class Ear(Classifier):
    """Log power of each tone in frames of 100 ms; detected where it is loud anywhere."""

    def __init__(self, classes: tuple[str, ...], sample_rate: int) -> None:
        super().__init__()
        self.classes, self.sample_rate = classes, sample_rate
        self.gain = nn.Parameter(zeros(len(classes)))  # cloudpickle mistakes torch.classes

    def features(self, waveform: Tensor) -> Tensor:
        hop = self.sample_rate // 10
        time = torch.arange(hop) / self.sample_rate
        phase = 2 * torch.pi * torch.tensor(list(TONES.values()))[:, None] * time
        frames = waveform.reshape(len(waveform), -1, hop)
        power = sum((frames @ f(phase).T / hop).square() for f in (torch.sin, torch.cos))
        assert isinstance(power, Tensor)
        return torch.log(power + 1e-9).transpose(1, 2)

    def frame_logits(self, features: Tensor) -> Tensor:
        return self.gain[:, None] * (features + 12.0)

    def logits(self, features: Tensor) -> Tensor:
        return self.frame_logits(features).amax(-1)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(10 * n_samples // self.sample_rate + 1) / 10

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


class Ears:
    """The family."""

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> Ear:
        return Ear(classes, sample_rate)

    def recipe(self, variant: str) -> Recipe:
        return Recipe()


class Listening:
    """Answers with the model's frame logits, and notes whom it was asked about."""

    asked: ClassVar[list[str]] = []

    def answer(self, query: Query, model: Any) -> Answer:
        self.asked.extend(query.clip_ids)
        net = model.classifier()
        with torch.no_grad():
            features = net.features(torch.from_numpy(query.waveforms))
            frames = net.frame_logits(features).numpy()
        values = frames[query.pairs[:, 0], query.pairs[:, 1]]
        edges = net.frame_edges(query.waveforms.shape[1])
        return Answer(
            FrameScores(values, edges),
            0.1,
            diagnostics={"spread": values.max(1) - values.min(1)},
            cost=Cost(len(query.clip_ids), 0, 0.25),
        )


def method(
    factory: Callable[..., Any] = Listening, name: str = "ear-method", **info: Any
) -> MethodRef:
    """A method without parameters."""
    return MethodRef(MethodInfo(name, "", **info), name, {}, factory)


@dataclass
class World:
    """A task in a folder, and what a run on it needs."""

    folder: Path
    asked: list[str]
    options: dict[str, Any] = field(default_factory=dict)
    infos: dict[str, MethodInfo] = field(default_factory=dict)

    bank = Bank
    family = Ears
    listening = Listening
    resamples = 40
    method = staticmethod(method)
    soundscape = staticmethod(soundscape)

    @property
    def task(self) -> Path:
        return self.folder / "task" / "task.toml"

    def model(self) -> ModelRef:
        found = weights.available("ear", None, "tones")
        return ModelRef(
            name="ear", canonical="ear", task="tones", classes=tuple(TONES), sample_rate=RATE,
            seed=0, device="cpu", variants=("classifier",), factory=Ears,
            weights=tuple(("classifier", w.sha256) for w in found),
        )  # fmt: skip

    def work(self, *methods: MethodRef, **options: Any) -> Work:
        settings = {
            "task": load_task(self.task),
            "bank": Bank,
            "models": (self.model(),),
            "methods": methods or (method(),),
            "output": self.folder / "results",
            "shipped": lambda spec, seed: None,
            **options,
        }
        return Work(**settings)

    def forget(self) -> None:
        """Remove the cached answers, but keep the rendered clips; forget who was asked."""
        shutil.rmtree(self.folder / "cache" / "answers", ignore_errors=True)
        self.asked.clear()


def settle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Put a toy world into a folder: its task, its trained weights, nothing cached."""
    for name in ("cache", "data", "results"):
        monkeypatch.setenv(f"SEDBENCH_{name.upper()}", str(folder / name))
    text = TOML
    (folder / "task").mkdir()
    for split, clips in CLIPS.items():
        scenes = [soundscape(split, i) for i in range(clips)]
        digest = write_index(folder / "task" / f"{split}.csv", scenes)
        text += f'\n[splits.{split}]\nindex = "{split}.csv"\nclips = {clips}\nsha256 = "{digest}"\n'
    (folder / "task" / "task.toml").write_text(text)
    path = weights.local_root("ear") / "tones" / "classifier-s0.safetensors"
    weights.save(path, {"gain": torch.full((2,), 2.0)}, {"validation": {}})
    Listening.asked.clear()
    return World(folder, Listening.asked)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The toy world, with trained weights, an empty cache and an empty folder of results."""
    return settle(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def measured_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A toy world that holds results, measured once for all tests; none may change them."""
    from sedbench import runner
    from sedbench.protocol import evaluate
    from sedbench_plugins.baselines import ALWAYS_ON, ORACLE, RANDOM, AlwaysOn, Oracle, Random

    def some(info: MethodInfo, factory: Callable[..., Any]) -> MethodRef:
        return MethodRef(info, info.name, {p.name: p.default for p in info.params}, factory)

    with pytest.MonkeyPatch.context() as patch:
        # As many as it takes to see that they are the same ones: a thousand times as many is slow.
        patch.setattr(runner, "evaluate", partial(evaluate, resamples=World.resamples))
        made = settle(tmp_path_factory.mktemp("world"), patch)
        listening = MethodInfo("ear-method", "", params=(Param("gain", 1.5, "of nothing"),))
        methods = (
            MethodRef(listening, "ear-method", {"gain": 1.5}, lambda gain: Listening()),
            some(RANDOM, Random), some(ALWAYS_ON, AlwaysOn), some(ORACLE, Oracle),
            method(Deaf, "deaf"),
        )  # fmt: skip
        provenance = {"command": "sedbench run", "environment": {"python": "3.11"}, "commit": {}}
        runner.run(made.work(*methods, provenance=provenance))
        runner.run(made.work(methods[0], provenance=provenance, limit=6))
        made.infos = {ref.info.name: ref.info for ref in methods}
    return made


class Deaf:
    """Fails."""

    def answer(self, query: Query, model: Any) -> Answer:
        raise ZeroDivisionError("by nothing")
