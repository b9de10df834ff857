"""``sedbench leaderboard`` and ``sedbench schema``, on the real board's smallest results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sedbench import results, schema
from sedbench.leaderboard.documents import digest

ROOT = Path(__file__).parents[2]
REAL = ROOT / "leaderboard" / "results" / "ami-speech"
METHODS = ("energy", "always-on")


@pytest.fixture(scope="module")
def found() -> list[Path]:
    """Result files of a task of 22 pairs."""
    paths = [path for method in METHODS for path in sorted(REAL.glob(f"*/{method}/*.json"))[:1]]
    assert len(paths) == len(METHODS)
    return paths


@pytest.fixture
def board(found: list[Path], tmp_path: Path) -> Path:
    """A board that holds just these."""
    folder = tmp_path / "leaderboard"
    for path in found:
        for each in (path, results.items_path(path)):
            target = folder / "results" / each.relative_to(REAL.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(each, target)
    return folder


@pytest.fixture
def run(process: Any) -> Any:
    """The real command line: no plugin but the built-in ones decides about a board."""
    return process


def one(board: Path, method: str = "energy") -> Path:
    (path,) = board.glob(f"results/*/*/{method}/*.json")
    return path


def test_a_result_of_the_board_passes_with_every_figure_worked_out_again(board, run):
    answer = run("leaderboard", "check", "--folder", str(board), "--json", "--jobs", "1")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert (told["ok"], told["checked"], told["problems"]) == (True, 2, [])
    assert told["recomputed"] == 2 - len(told["stale"])


def test_an_edited_score_is_refused_whatever_its_digest(board, run):
    path = one(board)
    document = json.loads(path.read_text())
    document["scores"][0]["value"] -= 0.01
    path.write_bytes(results.dumps({**document, "digest": digest(document)}))
    answer = run("leaderboard", "check", str(path), "--folder", str(board))
    assert answer.code == 1
    name = path.relative_to(board / "results").as_posix()
    assert f"error: {name}: scores[0].value: is " in answer.err
    assert "recomputed: " in answer.err and "hint: " in answer.err
    assert answer.out == "1 results checked, figures of 1 worked out again, 1 refused values\n"


def test_what_was_added_stands_on_the_page(found, run, tmp_path):
    folder = tmp_path / "mine" / "leaderboard"
    line = ("leaderboard", "add", *map(str, found), "--folder", str(folder))
    answer = run(*line)
    assert answer.code == 0, answer.err
    assert [text.partition(": ")[0] for text in answer.out.splitlines()] == ["added"] * 2
    assert run(*line).out.count("unchanged: ") == 2
    build = ("leaderboard", "build", "--folder", str(folder), "--jobs", "1")
    assert run(*build, "--check").code == 1
    assert not (folder / "index.html").exists()
    answer = run(*build)
    assert answer.code == 0, answer.err
    assert answer.out.count("written: ") == 3
    answer = run(*build, "--check", "--json")
    assert answer.code == 0 and json.loads(answer.out)["changed"] == []
    assert "energy" in (folder / "index.html").read_text(encoding="utf-8")
    (folder / "README.md").write_text("mine")
    answer = run(*build, "--check")
    assert answer.code == 1 and "README.md" in answer.err


def test_add_refuses_what_check_refuses(found, run, tmp_path):
    bad = tmp_path / found[0].name
    document = json.loads(found[0].read_text())
    document["supervision"] = "strong"
    document["digest"] = digest(document)  # whoever edits can do that too
    bad.write_bytes(results.dumps(document))
    shutil.copy(results.items_path(found[0]), tmp_path)
    answer = run("leaderboard", "add", str(bad), "--folder", str(tmp_path / "b"), "--json")
    assert answer.code == 1
    told = json.loads(answer.out)
    assert told["ok"] is False and told["added"] == []
    assert [p["field"] for p in told["problems"]] == ["supervision"]
    assert not (tmp_path / "b" / "results").exists()


def test_light_mistakes(cli, tmp_path):
    assert cli("leaderboard", "chek").code == 2
    assert "did you mean 'check'" in cli("leaderboard", "chek").err
    assert cli("leaderboard", "add").code == 2
    answer = cli("leaderboard", "check", "--folder", tmp_path / "none")
    assert answer.code == 4 and "--folder" in answer.err
    answer = cli("leaderboard", "check", tmp_path / "x", "--folder", ROOT / "leaderboard")
    assert answer.code == 4
    assert cli("leaderboard").out.count("sedbench leaderboard ") >= 3


def test_the_schema_that_ships_is_printed(cli):
    answer = cli("schema", "result")
    assert answer.code == 0
    printed = json.loads(answer.out)
    assert printed == schema.result_schema()
    jsonschema.Draft202012Validator.check_schema(printed)
    assert cli("schema", "nothing").code == 2


def test_a_result_of_the_board_holds_against_the_printed_schema(cli, found):
    printed = json.loads(cli("schema", "result").out)
    for path in found:
        jsonschema.validate(json.loads(path.read_text()), printed)
