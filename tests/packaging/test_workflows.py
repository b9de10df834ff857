"""What runs on GitHub: actions pinned, tokens that only read, and steps that run here as well."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from sedbench import results
from sedbench.leaderboard.documents import digest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NAMES = {"tests", "submission", "smoke", "board"}
WRITES = {"board"}  # commits the pages that it built, on main alone


@cache
def workflow(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return {("on" if key is True else key): value for key, value in found.items()}


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in workflow(path)["jobs"].values():
        yield from job["steps"]


def test_the_workflows_are_there():
    assert {workflow(path)["name"] for path in FILES} == NAMES
    assert {path.stem for path in FILES} == NAMES


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_actions_are_pinned_and_few(path):
    used = [step["uses"] for step in steps(path) if "uses" in step]
    for name in used:
        assert re.fullmatch(r"actions/(checkout|setup-python)@[0-9a-f]{40}", name), name
    lines = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert all(re.search(r" # v\d+\.\d+\.\d+$", line) for line in lines)


def test_one_action_has_one_pin():
    pins = {step["uses"] for path in FILES for step in steps(path) if "uses" in step}
    assert len(pins) == len({name.partition("@")[0] for name in pins})


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_token_reads_unless_it_has_to_write(path):
    found = workflow(path)
    assert found["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in found["on"]
    own = [job["permissions"] for job in found["jobs"].values() if "permissions" in job]
    assert own == ([{"contents": "write"}] if path.stem in WRITES else [])
    if path.stem in WRITES:
        assert found["on"].keys() == {"push"} and found["on"]["push"]["branches"] == ["main"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_no_text_of_a_stranger_reaches_a_shell(path):
    assert not [step["run"] for step in steps(path) if "${{" in step.get("run", "")]
    kept = [s for s in steps(path) if s.get("uses", "").startswith("actions/checkout")]
    for step in kept:
        assert path.stem in WRITES or step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_step_is_a_script_of_the_repository_or_an_installation(path):
    for step in steps(path):
        if "run" in step:
            line = step["run"]
            script = re.fullmatch(r"(?:bash|python) (?:base/)?(\.ci/\S+)( [\w^ -]+)?", line)
            if script:
                assert (ROOT / script[1]).is_file(), line
            else:
                assert re.match(r"pip install -c |sudo apt-get update && sudo apt-get ", line)


def test_a_submission_is_judged_by_the_base_alone():
    (path,) = [p for p in FILES if p.stem == "submission"]
    assert set(workflow(path)["on"]) == {"pull_request"}
    lines = [step["run"] for step in steps(path) if "run" in step]
    assert not [line for line in lines if "submitted/" in line]
    assert [line for line in lines if line.startswith("pip")] == [
        "pip install -c base/constraints.txt ./base"
    ]
    base, submitted = (s["with"] for s in steps(path) if "checkout" in s.get("uses", ""))
    assert "base.sha" in base["ref"] and base["path"] == "base"
    assert submitted["path"] == "submitted" and submitted["fetch-depth"] == 2


# The scripts themselves.


def git(folder: Path, *words: str) -> None:
    name = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", str(folder), *name, *words], check=True, capture_output=True)


def script(name: str, *args: str | Path, folder: Path | None = None) -> tuple[int, str]:
    """Run one, with the sedbench of this environment on the path."""
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    program = sys.executable if name.endswith(".py") else "bash"
    done = subprocess.run(
        [program, str((folder or ROOT) / ".ci" / name), *map(str, args)],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A submission: a repository with a small board, and one commit on top of the base."""
    folder = tmp_path / "submitted"
    source = ROOT / "leaderboard" / "results"
    for path in sorted(source.glob("ami-speech/*/energy/*")):
        target = folder / "leaderboard" / "results" / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "build_board", folder / ".ci")
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "base")
    # What would be picked up if the submission's own code were ever on the path.
    (folder / "sedbench.py").write_text("raise SystemExit('submitted code ran')")
    (folder / "leaderboard" / "sedbench.py").write_text("raise SystemExit('submitted code ran')")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "submission")
    return folder


def result(folder: Path) -> Path:
    (found,) = folder.glob("leaderboard/results/*/*/*/*.json")
    return found


def test_an_honest_submission_passes_and_an_edited_one_does_not(checkout):
    code, said = script("check_submission", checkout)
    assert code == 0, said
    path = result(checkout)
    document = json.loads(path.read_text())
    document["scores"][0]["value"] -= 0.01
    path.write_bytes(results.dumps({**document, "digest": digest(document)}))
    git(checkout, "commit", "-a", "-q", "-m", "edited")
    code, said = script("check_submission", checkout)
    assert code == 1
    assert "scores[0].value" in said and "supersedes" in said
    assert "submitted code ran" not in said


def test_a_submission_is_not_judged_by_its_own_program(checkout, monkeypatch):
    own = checkout / "bin" / "sedbench"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\nexit 0\n")
    own.chmod(0o755)
    environ = {**os.environ, "PATH": f"{own.parent}:{os.environ['PATH']}"}
    line = ["bash", str(ROOT / ".ci" / "check_submission"), str(checkout)]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "judged by itself" in done.stderr


def test_the_board_is_built_committed_and_pushed_once(checkout, tmp_path):
    away = tmp_path / "away.git"
    git(tmp_path, "clone", "-q", "--bare", str(checkout), str(away))
    git(checkout, "remote", "add", "origin", str(away))
    git(checkout, "fetch", "-q", "origin")
    git(checkout, "branch", "-q", "--set-upstream-to=origin/main")
    (checkout / "notes.txt").write_text("nobody's business")
    for expected in ("The board's pages, built from its results", "they should be"):
        code, said = script("build_board", "--push", folder=checkout)
        assert code == 0, said
        assert expected in said
    listed = subprocess.run(
        ["git", "-C", str(away), "ls-tree", "-r", "--name-only", "main"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    pages = {f"leaderboard/{name}" for name in ("leaderboard.json", "README.md", "index.html")}
    assert pages <= set(listed) and "notes.txt" not in listed


def test_pages_are_built_anew_where_somebody_else_pushed(checkout, tmp_path):
    away, other = tmp_path / "away.git", tmp_path / "other"
    git(tmp_path, "clone", "-q", "--bare", str(checkout), str(away))
    git(checkout, "remote", "add", "origin", str(away))
    git(checkout, "fetch", "-q", "origin")
    git(checkout, "branch", "-q", "--set-upstream-to=origin/main")
    git(tmp_path, "clone", "-q", str(away), str(other))
    (other / "more.txt").write_text("in between")
    git(other, "add", "more.txt")
    git(other, "commit", "-q", "-m", "in between")
    git(other, "push", "-q")
    code, said = script("build_board", "--push", folder=checkout)
    assert code == 0, said
    assert "somebody else pushed" in said and "are pushed" in said
    listed = subprocess.run(
        ["git", "-C", str(away), "ls-tree", "-r", "--name-only", "main"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert {"more.txt", "leaderboard/leaderboard.json"} <= set(listed)


def test_a_short_run_agrees_with_the_board(tmp_path, monkeypatch):
    monkeypatch.setenv("SEDBENCH_CACHE", str(tmp_path / "cache"))
    code, said = script("smoke.py", "energy", "random", "--clips", "8")
    assert code == 0, said
    assert "2 methods agree with the board" in said


def test_what_a_short_run_would_find():
    import importlib.util

    spec = importlib.util.spec_from_file_location("smoke", ROOT / ".ci" / "smoke.py")
    assert spec is not None and spec.loader is not None
    smoke = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(smoke)
    same = {"iou": 0.5, "auc": 0.9}
    assert smoke.differences(same, {"iou": 0.5 + smoke.BAND - 1e-6, "auc": 0.9}) == []
    assert len(smoke.differences(same, {"iou": 0.5 + smoke.BAND + 1e-6, "auc": 0.9})) == 1
    assert len(smoke.differences(same, {"iou": 0.5})) == 1
    path = next(ROOT.glob("leaderboard/results/domestic/logmel-cnn-3*/energy/*.json"))
    held = results.read(path, "shipped")
    _, test = results.read_items(path, held)
    truth = held.scores[0]["truth"]
    honest = smoke.figures(smoke.first(test, 24), dict(held.thresholds), truth)
    assert set(honest) == set(smoke.COMPARED)
    from dataclasses import replace

    late = replace(test, scores=test.scores[:, ::-1].copy())
    moved = smoke.figures(smoke.first(late, 24), dict(held.thresholds), truth)
    assert smoke.differences(honest, moved)
    recorded = smoke.headlines(held.scores, truth)
    whole = smoke.figures(test, dict(held.thresholds), truth)
    assert smoke.differences(whole, recorded, smoke.SAME) == []
    assert smoke.differences(whole, {**recorded, "ap": recorded["ap"] + 1e-6}, smoke.SAME)
