"""Two ways to run the command line: in this process with made-up plugins, and for real.

``cli`` calls ``sedbench.cli.main`` on a registry that a test builds; ``process`` starts
``python -m sedbench`` with whatever is installed, plus packages that a test writes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import sedbench
from sedbench import hookimpl, registry
from sedbench.cli import main
from sedbench.data.index import write_index
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.items import pack
from sedbench.metrics.catalogue import METRICS_VERSION
from sedbench.protocol import Scored, evaluate, quantise
from sedbench.results import Result, write
from sedbench.taskfile import load_task
from sedbench.types import (
    Info,
    MethodInfo,
    MetricInfo,
    ModelInfo,
    PairTable,
    Param,
    SoundbankInfo,
    TaskInfo,
)

HOOKS = {
    MethodInfo: "methods",
    ModelInfo: "models",
    SoundbankInfo: "soundbanks",
    TaskInfo: "tasks",
    MetricInfo: "metrics",
}


class Answer(NamedTuple):
    """What a command line said."""

    code: int
    out: str
    err: str


def plugin_module(*offers: tuple[Info, Any]) -> types.ModuleType:
    """A plugin that offers these (info, factory) pairs."""
    module = types.ModuleType("made_up")
    for kind, name in HOOKS.items():
        mine = [(info, factory) for info, factory in offers if type(info) is kind]
        if mine:

            def hook(register: Any, mine: Any = tuple(mine)) -> None:
                for info, factory in mine:
                    register(info, factory)

            hook.__name__ = f"sedbench_register_{name}"
            # pluggy reads the signature, and a default is not an argument of the hook.
            setattr(module, hook.__name__, hookimpl(hook))
    return module


def source(name: str, load: Callable[[], Any], distribution: str = "acme") -> registry.Source:
    """An entry point as the loader sees it."""
    return registry.Source(name, distribution, "1.2", load)


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_as_from_a_terminal() -> Iterator[None]:
    """Undo a SIGINT that was ignored from the start, as it is in a shell's background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def offers(tmp_path: Path) -> list[tuple[Info, Any]]:
    """What the made-up plugin offers; a test may add to it."""
    return [
        (
            MethodInfo(
                "loudest",
                "where it is loudest",
                "Ear et al. 2020",
                (
                    Param("width", 3, "frames", minimum=1, maximum=9),
                    Param("mode", "mean", "how", ("mean", "max")),
                ),
                kind="baseline",
            ),
            object,
        ),
        (MethodInfo("softest", "where it is softest"), object),
        (ModelInfo("tiny-net", "two layers", variants=("classifier", "framewise")), object),
        (SoundbankInfo("made-bank", "made where it is used", licence="MIT"), object),
        (MetricInfo("closeness", "how close"), object),
    ]


@pytest.fixture
def broken() -> list[registry.Source]:
    """Further sources; a test may add ones that do not load."""
    return []


@pytest.fixture
def cli(
    offers: list[tuple[Info, Any]],
    broken: list[registry.Source],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., Answer]:
    """Run the command line in this process on the made-up plugins."""
    monkeypatch.setenv("SEDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SEDBENCH_TRACEBACK", raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*args: str | Path) -> Answer:
        built = registry.build([source("made_up", lambda: plugin_module(*offers)), *broken])
        monkeypatch.setattr(registry, "registry", lambda: built)
        code = main([str(arg) for arg in args])
        return Answer(code, *capsys.readouterr())

    return run


class FakeApi(types.ModuleType):
    """Stands in for ``sedbench.api`` and ``learn``: says what it was asked, answers as told."""

    def __init__(self) -> None:
        super().__init__("sedbench.api")
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}

    def _call(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        self.calls.append((name, args, options))
        answer = self.answers[name]
        if isinstance(answer, BaseException):
            raise answer
        return answer(*args, **options) if callable(answer) else answer

    def run(self, *args: Any, **options: Any) -> Any:
        return self._call("run", args, options)

    def plan(self, *args: Any, **options: Any) -> Any:
        return self._call("plan", args, options)

    def train(self, *args: Any, **options: Any) -> Any:
        return self._call("train", args, options)

    def folds(self, task: str | None) -> Any:
        return self.answers.get("folds", (None,))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The runner's surface, faked: what the command line asks of it is what is tested."""
    fake = FakeApi()
    monkeypatch.setitem(sys.modules, "sedbench.api", fake)
    monkeypatch.setattr(sedbench, "api", fake, raising=False)
    monkeypatch.setitem(sys.modules, "sedbench.learn", fake)
    monkeypatch.setattr(sedbench, "learn", fake, raising=False)
    return fake


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Path]:
    """Write an installed-looking package with one entry point; returns its folder."""

    def write(name: str, text: str) -> Path:
        folder = tmp_path / "site"
        info = folder / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        (folder / f"{name}.py").write_text(text)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[sedbench]\n{name} = {name}\n")
        return folder

    return write


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Answer]:
    """Run ``python -m sedbench`` for real, from an empty folder."""

    def run(
        *args: str,
        path: Path | None = None,
        program: tuple[str, ...] = ("-m", "sedbench"),
        interrupt_on: Path | None = None,
        **environ: str,
    ) -> Answer:
        empty = tmp_path / "empty"
        empty.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "SEDBENCH_CACHE": str(tmp_path / "cache"),
            "SEDBENCH_DATA": str(tmp_path / "data"),
            **environ,
        }
        if path is not None:
            parts = [str(path), env.get("PYTHONPATH", "")]
            env["PYTHONPATH"] = os.pathsep.join(part for part in parts if part)
        started = subprocess.Popen(
            [sys.executable, *program, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=empty,
            env=env,
            text=True,
        )
        with started:
            if interrupt_on is not None:
                _wait_for(interrupt_on, started)
                started.send_signal(signal.SIGINT)
            out, err = started.communicate(timeout=60)
        return Answer(started.returncode, out, err)

    return run


def _wait_for(path: Path, started: subprocess.Popen[str]) -> None:
    import time

    limit = time.monotonic() + 30
    while not path.exists():
        assert started.poll() is None, started.communicate()
        assert time.monotonic() < limit
        time.sleep(0.02)


KITCHEN = """
name = "kitchen"
version = 3
title = "A kitchen"
summary = "Two sounds"
licence = "CC0"
reason = "Because kettles matter."
model = "tiny-net"
soundbank = "made-bank"
sample_rate = 16000
duration = 4.0
classes = ["Dishes", "Kettle"]

[truth]
primary = "extent"

[reference]
methods = ["softest", "loudest[mode=max]"]

[soundscapes]
event_counts = [1]
event_duration = ["const", 1.0]
event_time = ["uniform", 0.0, 3.0]
snr = ["const", 6.0]
ref_db = ["const", -50.0]
backgrounds = ["hum"]

[splits.test]
index = "test.csv"
sha256 = "{sha256}"
clips = {clips}
"""


class Kitchen:
    """A task that was drawn, and results on it that were measured on nothing."""

    clips, frames = 18, 40

    def __init__(self, folder: Path, results: Path) -> None:
        self.folder, self.results = folder, results
        folder.mkdir(parents=True)
        events = []
        for i in range(self.clips):
            label = ("Dishes", "Kettle")[i % 2]
            length = 0.5 + 0.4 * (i % 6)  # seconds
            kept = (label, f"foreground/{label}/{i % 7}", 0.0, 0.1 * (i % 10), length, 3.0 + i % 12)
            events.append(Placement(*kept))
        hum = Placement("hum", "background/hum/a", 0.0, 0.0, 4.0, 0.0)
        self.soundscapes = [
            Soundscape(f"test-{i:04d}", "test", 4.0, -50.0, hum, (event,))
            for i, event in enumerate(events)
        ]
        sha256 = write_index(folder / "test.csv", self.soundscapes)
        text = KITCHEN.replace("{sha256}", sha256).replace("{clips}", str(self.clips))
        (folder / "task.toml").write_text(text)
        self.task = load_task(folder / "task.toml")

    def table(self) -> PairTable:
        """One event a clip, of seven authors."""
        time = (np.arange(self.frames) + 0.5) * 0.1
        events = [s.events[0] for s in self.soundscapes]
        truth = np.stack(
            [(time > e.event_time) & (time < e.event_time + e.event_duration) for e in events]
        )
        return PairTable(
            clip_ids=tuple(s.id for s in self.soundscapes),
            classes=self.task.classes,
            clip=np.arange(self.clips),
            label=np.arange(self.clips) % 2,
            groups=tuple((f"author {i % 7}",) for i in range(self.clips)),
            truths={"extent": truth, "activity": truth},
            others={"extent": np.zeros_like(truth), "activity": np.zeros_like(truth)},
            grid=self.task.grid,
        )

    def measured(
        self,
        spec: str,
        strength: float = 1.0,
        *,
        noise: int = 0,
        missed: tuple[int, ...] = (),
        folder: Path | None = None,
        **changes: Any,
    ) -> Path:
        """Write the result of a method that is as good as it is strong."""
        table = self.table()
        splits = []
        for split in range(2):
            rng = np.random.default_rng([noise, split])
            scores = np.exp(rng.normal(size=(self.clips, self.frames)))
            scores *= np.exp(strength * table.truths["extent"])
            detected = np.zeros((self.clips, 2))
            detected[table.clip, table.label] = 0.9
            detected[list(missed) if split else []] = 0.0
            answered = np.ones(self.clips, bool)
            splits.append(Scored(table, quantise(scores), answered, detected))
        evaluation = evaluate(*splits, resamples=0)
        fields: dict[str, Any] = {
            "task": "kitchen",
            "model": "tiny-net",
            "method": spec.partition("[")[0],
            "spec": spec,
            "params": {},
            "seed": 0,
            "task_version": 3,
            "task_fingerprint": self.task.fingerprint(METRICS_VERSION),
            "pairs": evaluation.counts,
            "scores": evaluation.records,
        }
        result = Result(**{**fields, **changes})
        items = pack(*splits) if result.status == "ok" else None
        return write(result, items, folder or self.results)


@pytest.fixture
def kitchen(
    tmp_path: Path, offers: list[tuple[Info, Any]], monkeypatch: pytest.MonkeyPatch
) -> Kitchen:
    """The task ``kitchen``, offered by the made-up plugin; results land where they are read."""
    made = Kitchen(tmp_path / "kitchen", tmp_path / "results")
    offers.append((TaskInfo("kitchen", "A kitchen"), lambda: made.folder / "task.toml"))
    net = next(i for i, (info, _) in enumerate(offers) if info.name == "tiny-net")
    seeded = ModelInfo("tiny-net", "two layers", params=(Param("seed", 0, "weights", minimum=0),))
    offers[net] = (seeded, object)
    monkeypatch.setenv("SEDBENCH_RESULTS", str(made.results))
    return made
