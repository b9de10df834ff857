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

import pytest

import sedbench
from sedbench import hookimpl, registry
from sedbench.cli import main
from sedbench.types import (
    Info,
    MethodInfo,
    MetricInfo,
    ModelInfo,
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
