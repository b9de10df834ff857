"""A new plugin works before a line of it is changed: written, loaded from its folder, checked, run.

The slow test installs each kind into an environment of its own, as a user would.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from sedbench.cli import main
from sedbench.cli.from_path import load
from sedbench.errors import UsageError
from sedbench.scaffold import KINDS, create
from sedbench.testing import contract

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "plugins" / "sedbench-example"
METHODS = ("method", "detector")


@pytest.fixture(autouse=True)
def modules_as_before():
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("my_", "sedbench_example")):
            del sys.modules[name]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_a_whole_package(kind, tmp_path):
    written = create("my-thing", kind, tmp_path / "my-thing")
    names = {str(path.relative_to(tmp_path / "my-thing")) for path in written}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        ".github/workflows/tests.yml",
        ".gitignore",
        "src/my_thing/__init__.py",
        "tests/test_contract.py",
        "tests/test_my_thing.py",
    } <= names
    for path in written:
        text = path.read_text()
        assert text.endswith("\n") and "@NAME@" not in text and "@MODULE@" not in text, path
        if path.suffix == ".py":
            ast.parse(text)
            assert max(map(len, text.splitlines())) <= 100
    module = tmp_path / "my-thing" / "src" / "my_thing" / "__init__.py"
    assert len(module.read_text().splitlines()) <= 85, "one module that can be read at once"
    project = tomllib.loads((tmp_path / "my-thing" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["sedbench"] == {"my_thing": "my_thing"}


@pytest.mark.parametrize("kind", KINDS)
def test_its_readme_has_what_to_type(kind, tmp_path):
    create("my-thing", kind, tmp_path / "my-thing")
    text = (tmp_path / "my-thing" / "README.md").read_text()
    for line in ("sedbench test @NAME@", *KINDS[kind].run):
        assert f"\n    {line.replace('@NAME@', 'my-thing')}\n" in text
    assert ("`extra_metrics`" in text) == (kind == "metric")
    assert "\n\n\n" not in text and "@" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_listed_and_keeps_its_contract(kind, tmp_path):
    create("my-thing", kind, tmp_path / "my-thing")
    registry, distribution = load(tmp_path / "my-thing")
    assert distribution == "my-thing" and registry.broken == []
    [(found, entry)] = [
        (each, entries["my-thing"])
        for each, entries in registry.entries.items()
        if "my-thing" in entries
    ]
    assert found == ("methods" if kind in METHODS else f"{kind}s")
    checked = contract(entry.info, entry.factory)
    failed = {o.check: o.reason for o in checked.outcomes() if o.status == "fail"}
    assert not failed
    assert sum(o.status == "pass" for o in checked.outcomes()) >= 5


def test_their_own_tests_pass(tmp_path):
    # In one process: each would spend most of its time on importing torch.
    for kind in KINDS:
        create(f"my-{kind}", kind, tmp_path / f"my-{kind}")
    sources = [str(tmp_path / f"my-{kind}" / "src") for kind in KINDS]
    files = [f"my-{kind}/tests/test_my_{kind}.py" for kind in KINDS]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", os.devnull, "--rootdir", str(tmp_path), *files),
        ],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sources, *_paths()])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def _paths() -> list[str]:
    return [str(ROOT), str(ROOT / "plugins"), str(ROOT / "tasks")]


@pytest.mark.parametrize("name", ["My-Method", "1", "1st", "a/b", "../x", "", "a b", "ünder"])
def test_a_name_that_cannot_be_one_is_refused_before_anything_is_written(name, tmp_path):
    with pytest.raises(UsageError) as caught:
        create(name, "method", tmp_path / "new")
    assert caught.value.hint and not (tmp_path / "new").exists()


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(UsageError, match="not empty"):
        create("mine", "method", tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    (tmp_path / "file").write_text("keep")
    with pytest.raises(UsageError, match="not empty"):
        create("mine", "method", tmp_path / "file")


def test_names_with_hyphens_become_modules_and_classes(tmp_path):
    create("my-own-method", "method", tmp_path / "x")
    text = (tmp_path / "x" / "src" / "my_own_method" / "__init__.py").read_text()
    assert "class MyOwnMethod:" in text and 'name="my-own-method"' in text


def test_the_example_keeps_its_contract_read_from_its_folder(capsys):
    assert main(["test", str(EXAMPLE), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    [tested] = document["tests"]
    assert document["passed"] and tested["passed"]
    assert (tested["name"], tested["distribution"]) == ("spectral-flux", "sedbench-example")


def _environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SEDBENCH_", "PYTHON"))}
    own = {name: str(folder / name.lower()) for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME")}
    return {**kept, **own, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _in(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(
        list(map(str, command)),
        check=False,
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with sedbench in it, and what that needs."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "env", with_pip=True)
    pip = folder / "env" / "bin" / "pip"
    _in(folder, pip, "install", "-q", "-c", ROOT / "constraints.txt", f"{ROOT}[test]")
    return folder


# A model is trained and a soundbank drawn from before anything can be run on them.
SMALL = """
name = "small"
version = 1
title = "Small"
summary = "a few clips"
licence = "CC0"
reason = "To run what was written."
model = "{model}"
soundbank = "{bank}"
sample_rate = 16000
duration = 4.0
classes = ["{first}", "{second}"]

[truth]
primary = "extent"

[soundscapes]
seed = 1
event_counts = [1]
event_duration = ["const", 0.8]
event_time = ["uniform", 0.0, 3.0]
snr = ["const", 20.0]
ref_db = ["const", -50.0]
backgrounds = ["{background}"]
"""
SPLITS = {"train": 40, "validation": 12, "test": 12}
TASKS = {
    "model": {
        "model": "my-model", "bank": "procedural", "background": "room_hum",
        "first": "Alarm_bell_ringing", "second": "Vacuum_cleaner",
    },
    "soundbank": {
        "model": "logmel-cnn", "bank": "my-soundbank", "background": "hum",
        "first": "Beep", "second": "Hiss",
    },
}  # fmt: skip
ON_A_SMALL_TASK = [
    ("soundscapes", "generate", "small/task.toml"),
    ("train", "classifier", "-t", "small/task.toml"),
    ("run", "-m", "energy", "-t", "small/task.toml", "--json"),
]
RUNS = {
    "method": [("run", "-m", "my-method", "--limit", "8")],
    "detector": [("run", "-m", "my-detector", "--limit", "8")],
    "model": [("show", "my-model"), *ON_A_SMALL_TASK],
    "soundbank": [("show", "my-soundbank"), *ON_A_SMALL_TASK],
    "task": [
        ("soundscapes", "generate", "my-task"),
        ("run", "-m", "energy", "-t", "my-task", "--limit", "4"),
    ],
    "metric": [("show", "my-metric"), ("run", "-m", "energy", "--limit", "8", "--json")],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_installs_tests_and_runs_untouched(kind, fresh):
    name, bin_ = f"my-{kind}", fresh / "env" / "bin"
    shutil.rmtree(fresh / name, ignore_errors=True)
    _in(fresh, bin_ / "sedbench", "new-plugin", name, "--kind", kind)
    _in(fresh, bin_ / "pip", "install", "-q", "-e", name)
    if kind in TASKS:
        shutil.rmtree(fresh / "small", ignore_errors=True)
        (fresh / "small").mkdir()
        text = SMALL.format(**TASKS[kind])
        for split, clips in SPLITS.items():
            text += f'\n[splits.{split}]\nindex = "{split}.csv"\nclips = {clips}\n'
        (fresh / "small" / "task.toml").write_text(text)
    try:
        assert name in _in(fresh, bin_ / "sedbench", "list")
        _in(fresh, bin_ / "sedbench", "test", name)
        _in(fresh / name, bin_ / "python", "-m", "pytest", "-q")
        said = [_in(fresh, bin_ / "sedbench", *line) for line in RUNS[kind]]
        if kind == "metric":
            [result] = json.loads(said[-1])["results"]
            figure = result["extra_metrics"][name]
            assert figure["value"] is not None and figure["distribution"] == name, figure
    finally:
        _in(fresh, bin_ / "pip", "uninstall", "-q", "-y", name)


@pytest.mark.slow
def test_the_example_installs_tests_and_runs(fresh):
    bin_ = fresh / "env" / "bin"
    shutil.copytree(EXAMPLE, fresh / "example", dirs_exist_ok=True)
    _in(fresh, bin_ / "pip", "install", "-q", "./example")
    assert "spectral-flux" in _in(fresh, bin_ / "sedbench", "list", "methods")
    _in(fresh, bin_ / "sedbench", "test", "sedbench-example")
    table = _in(fresh, bin_ / "sedbench", "run", "-m", "spectral-flux", "--limit", "8", "--json")
    [result] = json.loads(table)["results"]
    assert (result["method"], result["status"]) == ("spectral-flux", "ok")
