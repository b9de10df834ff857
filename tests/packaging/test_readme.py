"""What the README tells people to type works, or is at least what the program understands."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import numpy as np
import pytest

from sedbench import errors
from sedbench.cli import cli
from sedbench.lookup import find_method, find_task
from sedbench.registry import registry
from sedbench.types import FrameGrid, Query

ROOT = Path(__file__).parents[2]
RUN = "pip install -c constraints.txt . && sedbench run --method ig"
TEST = 'pip install -c constraints.txt ".[test]" && pytest'
WORK = 'pip install -c constraints.txt -e ".[dev]"'
SCREEN = 30  # lines


@cache
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", readme(), re.M | re.S)[1]


def table(title: str) -> list[list[str]]:
    rows = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1:]]


def typed() -> list[str]:
    """Every line of an indented block that starts sedbench."""
    found = [line.strip() for line in readme().splitlines() if line.startswith("    ")]
    return [line for line in found if line.startswith("sedbench ")]


@pytest.mark.parametrize("line", [RUN, TEST, WORK])
def test_the_first_screen_holds_the_lines_to_type(line):
    first = readme().splitlines()[:SCREEN]
    assert first.count(f"    {line}") == 1


def test_ci_takes_its_commands_from_here():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    patterns = re.findall(r"from_readme '([^']+)'", script)
    matched = [
        [line.strip() for line in readme().splitlines() if re.search(pattern, line)]
        for pattern in patterns
    ]
    assert matched == [[TEST], [RUN]]


def test_the_versions_of_torch_are_the_pinned_ones():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for name in ("torch", "torchvision"):
        assert set(re.findall(rf"\b{name}==[\d.]*\d", readme())) == {
            line for line in pins if line.startswith(f"{name}==")
        }


@pytest.mark.parametrize("line", typed())
def test_sedbench_understands_what_is_typed(line):
    command: click.Command = cli
    words = shlex.split(line, comments=True)
    name, args = words[0], words[1:]
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), args[0])
        assert found is not None, args[0]
        command, name, args = found, args[0], args[1:]
    if ">" in args:
        args = args[: args.index(">")]
    params = command.make_context(name, args).params
    for method in params.get("methods", ()):
        if method != "all" and method != "louder[power=1]":
            find_method(method)
    if params.get("task"):
        find_task(params["task"])


def test_there_are_lines_to_check():
    assert len(typed()) >= 8


def test_exit_codes_are_those_of_the_errors():
    codes = {int(row[0]) for row in table("Exit codes")}
    kinds = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.SedbenchError)
    }
    assert codes == kinds | {0, 130}


def test_environment_variables_are_those_that_are_read():
    described = {row[0].strip("`") for row in table("Environment variables")}
    read = {
        name
        for path in (ROOT / "sedbench").rglob("*.py")
        for name in re.findall(r"\bSEDBENCH_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }
    assert described == read | {"SEDBENCH_SHARED"}


def test_no_method_that_it_speaks_of_is_unknown():
    spoken = {"ig", "always-on", "random", "energy", "fw-ws", "fw-ss"}
    assert all(f"`{name}`" in readme() or f"--method {name}" in readme() for name in spoken)
    assert spoken <= set(registry().names("methods"))


@pytest.fixture
def plugin(tmp_path):
    """The README's plugin, as a package that looks installed."""
    blocks = re.findall(r"```python\n(.*?)```", section("Adding a method"), re.S)
    (declaration,) = re.findall(r"```toml\n(.*?)```", section("Adding a method"), re.S)
    name, module = re.search(r'^(\w+) = "(\w+)"$', declaration, re.M).groups()
    (tmp_path / f"{module}.py").write_text(blocks[0], encoding="utf-8")
    info = tmp_path / "louder-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: louder\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[sedbench]\n{name} = {module}\n")
    return tmp_path


def test_the_plugin_is_listed(plugin, tmp_path):
    found = subprocess.run(
        [sys.executable, "-m", "sedbench", "list", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{plugin}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        timeout=60,
    )
    lists = json.loads(found.stdout)
    (method,) = [m for m in lists["methods"] if m["name"] == "louder"]
    assert method["distribution"] == "louder"
    assert [p["status"] for p in lists["plugins"]] == ["ok"] * len(lists["plugins"])


def test_the_plugin_finds_what_is_loud(plugin):
    spec = importlib.util.spec_from_file_location("louder", plugin / "louder.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    wave = np.zeros((2, 1000), np.float32)
    wave[1, 300:400] = 0.5
    query = Query(
        clip_ids=("a", "b"),
        waveforms=wave,
        sample_rate=100,
        pairs=np.array([[0, 0], [1, 0], [1, 1]]),
        classes=("x", "y"),
        grid=FrameGrid(10.0, 1.0),
    )
    answer = module.Louder(power=2.0).answer(query, None)
    expected = np.zeros((3, 10))
    expected[1:, 3] = 0.25
    np.testing.assert_allclose(answer.scores.values, expected)
