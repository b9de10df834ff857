"""What the pages tell people to type runs as it stands, but for what :data:`NOT_RUN` lists.

One process runs all of it, since each would spend most of its time on importing. Three things are
not as they stand: a run is limited to two clips, its intervals to a few resamples, and ``pip
install`` makes an entry point visible without installing anything. Whatever is not run is still
understood by the command line.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sedbench.cli import cli

ROOT = Path(__file__).parents[2]
EXAMPLE = "plugins/sedbench-example/README.md"
LAST = "docs/plugins.md"  # what plugins bring would be part of every later line
PAGES = (
    "README.md",
    *(p for path in sorted((ROOT / "docs").glob("*.md")) if (p := f"docs/{path.name}") != LAST),
    EXAMPLE,
    LAST,
)
VERBS = ("sedbench", "pip", "python", "git")

NOT_RUN: tuple[tuple[str, str], ...] = (
    (r"^pip install -c|^python -m build", "CI installs, tests and builds so: .ci/run"),
    (r"^python tests/", "minutes each: run by hand before the page's figures are changed"),
    (r"^git ", "changes a repository"),
    (
        r"\b(NAME|DIR|FILE|PATH|mymethod)\b|\bmine(/| |$)",
        "stands for something of the reader's own",
    ),
    (r"^sedbench fetch ", "downloads: tests/cli/test_fetch.py has a server of its own"),
    (r"^sedbench train ", "trains for minutes: tests/unit/test_own_task.py trains on 16 clips"),
    (r"^sedbench run .*-m lmac", "wants the weights that the lines before it train"),
    (r"^sedbench leaderboard ", "wants whole results: tests/unit/test_leaderboard_check.py"),
    (r"^sedbench run .*-t (domestic-real|desed)", "wants recordings that are not shipped"),
    (r"-m all\b|compare ig all", "every method that there is: many minutes"),
    (r"^sedbench (faithfulness|randomisation) ", "asks a network again and again: minutes"),
    (r"^sedbench soundscapes ", "wants recordings that are not shipped"),
    (
        r"^sedbench (compare .*(-|saliency|window|fw-ws)|sensitivity)",
        "resamples whole boards, seconds each: tests/cli/test_compare.py and test_sensitivity.py "
        "have each option on a small one",
    ),
    (r"^sedbench report ", "resamples whole boards and draws them: tests/cli/test_report.py"),
)

CHILD = """
import importlib, json, os, shlex, sys, tomllib
from functools import partial
from pathlib import Path

from sedbench import registry, runner
from sedbench.cli import main

runner.evaluate = partial(runner.evaluate, resamples=50)
root, folder = map(Path, sys.argv[1:])
said = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in (1, 2):
    os.dup2(said, number)


def install(package):
    here = root / package if (root / package).is_dir() else folder / package
    project = tomllib.loads((here / "pyproject.toml").read_text())["project"]
    info = folder / "site" / (project["name"].replace("-", "_") + "-1.dist-info")
    info.mkdir(parents=True)
    points = project["entry-points"]["sedbench"]
    lines = [f"{point} = {module}" for point, module in points.items()]
    (info / "entry_points.txt").write_text("\\n".join(["[sedbench]", *lines, ""]))
    name = project["name"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1\\n")
    paths = [str(folder / "site"), str(here / "src")]
    sys.path[:0] = paths
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
    importlib.invalidate_caches()
    registry.registry.cache_clear()
    return 0


codes = []
for kind, text in json.loads((folder / "todo.json").read_text()):
    before = os.path.getsize(folder / "said.txt")
    try:
        if kind == "python":
            exec(compile(text, "a page", "exec"), {"__name__": "page"})
            code = 0
        elif text.startswith("pip install -e "):
            code = install(text.removeprefix("pip install -e "))
        else:
            code = main(shlex.split(text)[1:])
    except BaseException as error:
        code = f"{type(error).__name__}: {error}"
    sys.stdout.flush()
    with open(folder / "said.txt", encoding="utf-8") as file:
        file.seek(before)
        codes.append([code, file.read()])
    (folder / "codes.json").write_text(json.dumps(codes))
"""


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def typed(page: str) -> list[str]:
    """Lines to type: indented, or in a block of bash; without their comments."""
    text = read(page).replace("\\\n", " ")
    lines = [line[4:] for line in text.splitlines() if re.match(r" {4}\S", line)]
    for block in re.findall(r"```bash\n(.*?)```", text, re.S):
        lines += block.splitlines()
    found = []
    for line in lines:
        # A comment stands behind a hash, or behind a gap.
        bare = re.split(r" {2,}(?=[^\s\-'\[]|#)|\s#", re.sub(r"(?<=\S) {2,}(?=-)", " ", line))[0]
        found += [part.strip() for part in bare.split("&&") if part.split()[0] in VERBS]
    return found


def reason(line: str) -> str | None:
    return next((why for pattern, why in NOT_RUN if re.search(pattern, line)), None)


LINES = list(dict.fromkeys(line for page in PAGES for line in typed(page)))
RUN = [line for line in LINES if reason(line) is None]
PYTHON = {
    # What is executed of a page, and what is changed in it.
    "README.md": (0, ('model="logmel-cnn")', 'model="logmel-cnn", limit=2)')),
    "docs/metrics.md": (0, None),
}


def block(page: str) -> str:
    at, change = PYTHON[page]
    text = re.findall(r"```python\n(.*?)```", read(page), re.S)[at]
    if change is not None:
        assert text.count(change[0]) == 1
        text = text.replace(*change)
    return text


def as_run(line: str) -> str:
    line = line.partition(" > ")[0]
    return (
        f"{line} --limit 2" if line.startswith("sedbench run ") and "--limit" not in line else line
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int | str, str]]:
    """Exit code and output of every line and block that is run."""
    folder = tmp_path_factory.mktemp("reader")
    # What the pages speak of: a network of one's own, a detector's scores and their truth.
    (network,) = re.findall(r"```python\n([^`]*def build[^`]*)```", read(LAST))
    (folder / "my_pkg").mkdir()
    for name in ("mine.py", "my_pkg/module.py"):
        (folder / name).write_text(network)
    (folder / "scores").mkdir()
    (folder / "scores" / "yard.tsv").write_text("onset\toffset\tDog\n0\t1.5\t0.1\n1.5\t3\t0.9\n")
    events = "filename\tonset\toffset\tevent_label\nyard.wav\t1.0\t2.5\tDog\n"
    for name in ("truth.tsv", "events.tsv"):
        (folder / name).write_text(events)
    todo = [("python", block(page)) for page in PYTHON]
    todo += [("line", as_run(line)) for line in RUN]
    (folder / "todo.json").write_text(json.dumps(todo))
    keep = {k: v for k, v in os.environ.items() if not k.startswith("SEDBENCH_")}
    for name in ("CACHE", "DATA", "RESULTS"):
        keep[f"SEDBENCH_{name}"] = str(folder / name.lower())
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(ROOT), str(folder)],
        cwd=folder, env=keep | {"COLUMNS": "120"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    codes = json.loads((folder / "codes.json").read_text())
    assert len(codes) == len(todo), f"{ended.stderr}\n{codes[-1:]}"
    names = [*PYTHON, *RUN]
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return {name: (code, said) for name, (code, said) in zip(names, codes, strict=True)}


@pytest.mark.parametrize("line", [*PYTHON, *RUN])
def test_it_runs(line, done):
    code, said = done[line]
    assert code == 0, said


def test_a_plugins_metric_stands_beneath_the_board(done):
    code, said = done["sedbench run -m energy -m random"]
    assert code == 0
    table = said.partition("Metrics of plugins, shown and never ranked")[2]
    assert "my-metric" in table and "oracle" in table and "Doubt" not in table


def test_what_is_said_of_not_running_is_said_of_something():
    for pattern, why in NOT_RUN:
        mine = [line for line in LINES if reason(line) == why]
        assert any(re.search(pattern, line) for line in mine), pattern
        for named in re.findall(r"tests/\S+\.py", why):
            assert (ROOT / named).is_file(), named


def test_most_of_the_plugin_page_is_run():
    wanted = {
        "sedbench new-plugin my-method", "pip install -e my-method", "sedbench test my-method",
        "sedbench run -m my-method", "sedbench list plugins --broken",
        "sedbench run -m ig --model ./mine.py:build", "sedbench run -m energy -m random",
        "sedbench run -m ig --model my_pkg.module:build",
    }  # fmt: skip
    assert wanted <= set(RUN)
    assert set(typed(LAST)) <= {*RUN, *(each for each in LINES if reason(each))}


def test_every_block_of_python_is_run_somewhere():
    # Those of the plugin page in test_plugin_docs.py, and the README's plugin in test_readme.py.
    found = {page: len(re.findall(r"^```python$", read(page), re.M)) for page in PAGES}
    assert {page: n for page, n in found.items() if n and page != LAST} == {
        "README.md": 2,
        "docs/metrics.md": 1,
    }


@pytest.mark.parametrize("line", [each for each in LINES if each.startswith("sedbench ")])
def test_it_is_understood(line):
    command: click.Command = cli
    args = shlex.split(line.partition(" > ")[0])
    name = args.pop(0)
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), args[0])
        assert found is not None, args[0]
        command, name = found, args.pop(0)
    command.make_context(name, args)
