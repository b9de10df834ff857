"""Results on their way onto a board: all of them, or none."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sedbench import files, results
from sedbench.errors import DataError, MissingDataError
from sedbench.leaderboard import evidence
from sedbench.leaderboard.adding import Added, add
from sedbench.leaderboard.checking import check
from sedbench.leaderboard.claims import Known
from sedbench.leaderboard.documents import digest
from sedbench.leaderboard.evidence import recompute
from sedbench.taskfile import load_task

World = Any  # of conftest.py


@pytest.fixture(autouse=True)
def few_resamples(measured_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    few = partial(recompute, resamples=measured_world.resamples)
    monkeypatch.setattr(evidence, "recompute", few)


@pytest.fixture(scope="module")
def known(measured_world: World) -> Known:
    return Known({"tones": load_task(measured_world.task)}.get, measured_world.infos.get)


@pytest.fixture
def run(measured_world: World, tmp_path: Path) -> Path:
    """The folder of a run's results, a copy that a test may spoil."""
    return shutil.copytree(measured_world.folder / "results", tmp_path / "run")


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return tmp_path / "leaderboard"


def one(folder: Path, method: str = "random") -> Path:
    (found,) = folder.rglob(f"{method}/*.json")
    return found


def everything(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def edited(path: Path, **changes: Any) -> None:
    path.write_bytes(results.dumps({**json.loads(path.read_text()), **changes}))


def test_a_result_lands_where_its_content_says_with_a_digest(run, board, known, tmp_path):
    source = one(run)
    away = tmp_path / "anywhere"
    away.mkdir()
    for path in (source, results.items_path(source)):
        shutil.move(path, away)
    done = add([away / source.name], board, known)
    name = source.relative_to(run).as_posix()
    assert done == Added(added=(name,))
    landed = board / "results" / name
    document = json.loads(landed.read_text())
    assert document.pop("digest") == digest(document)
    assert document == json.loads((away / source.name).read_text())
    items = (away / results.items_path(source).name).read_bytes()
    assert results.items_path(landed).read_bytes() == items
    assert len(everything(board)) == 2
    assert check(board, known).ok


def test_a_folder_is_every_result_in_it(run, board, known):
    done = add([run], board, known)
    assert len(done.added) == 6 and not done.problems
    again = add([run], board, known)
    assert sorted(again.unchanged) == sorted(done.added) and not again.added


def test_one_bad_result_keeps_all_out(run, board, known):
    path = one(run, "always-on")
    edited(path, seed=3)
    document = json.loads(one(run).read_text())
    document["scores"][5]["value"] = 0.123
    one(run).write_bytes(results.dumps(document))
    done = add([run], board, known)
    assert not done.added and not everything(board)
    fields = {p.file.split("/")[2]: p.field for p in done.problems}
    assert fields == {"always-on": "items.file", "random": "scores[5].value"}


def test_what_check_refuses_is_not_added(run, board, known):
    path = one(run)
    whole = everything(path.parent)
    for spoil in (
        lambda: path.write_text("{"),
        lambda: results.items_path(path).unlink(),
        lambda: results.items_path(path).write_bytes(b"x"),
        lambda: edited(path, kind="detector"),
        lambda: edited(path, task="kitchen"),
    ):
        spoil()
        done = add([path], board, known)
        assert done.problems and done.problems[0].file.endswith(".json")
        assert not everything(board)
        for name, content in whole.items():
            (path.parent / name).write_bytes(content)
    assert add([path], board, known).added


def test_another_result_of_the_same_cell_needs_a_word(run, board, known):
    path = one(run)
    add([path], board, known)
    before = everything(board)
    held = digest(json.loads((board / "results" / path.relative_to(run)).read_text()))
    edited(path, diagnostics={"spread": {"median": 1.0}})
    done = add([path], board, known)
    assert "--replace" in done.problems[0].hint
    assert everything(board) == before
    done = add([path], board, known, replace=True)
    assert done.replaced == (path.relative_to(run).as_posix(),)
    document = json.loads((board / "results" / path.relative_to(run)).read_text())
    assert document["supersedes"] == held
    assert check(board, known).ok
    assert add([path], board, known).unchanged  # what it supersedes is not what it says


def test_what_was_recorded_is_what_is_superseded(run, board, known):
    path = one(run)
    add([path], board, known)
    name = path.relative_to(run).as_posix()
    recorded = digest(json.loads((board / "results" / name).read_text()))
    (board / "leaderboard.json").write_text(json.dumps({"digests": {name: recorded}}))
    for median in (1.0, 2.0):  # replaced twice between two builds
        edited(path, diagnostics={"spread": {"median": median}})
        assert add([path], board, known, replace=True).replaced
    assert json.loads((board / "results" / name).read_text())["supersedes"] == recorded
    assert check(board, known).ok


def test_a_failed_result_takes_the_items_of_the_one_it_replaces_away(run, board, known):
    path = one(run)
    add([path], board, known)
    edited(
        path, status="failed", reason="it burst", scores=[], items=None, thresholds={},
        classifier={}, pairs={"expected": None, "scored": 0},
    )  # fmt: skip
    assert add([path], board, known, replace=True).replaced
    assert [Path(n).suffix for n in everything(board)] == [".json"]


def test_two_results_of_one_cell_at_once(run, board, known, tmp_path):
    other = shutil.copytree(run, tmp_path / "second")
    done = add([one(run), one(other)], board, known)
    assert "second result" in done.problems[0].message
    assert not everything(board)


def test_one_measurement_under_two_names_at_once(run, board, known, tmp_path):
    source = one(run, "always-on")
    other = tmp_path / "other" / source.name
    other.parent.mkdir()
    shutil.copy(results.items_path(source), results.items_path(other))
    document = {**json.loads(source.read_text()), "seed": 3}
    name = (
        results.result_path(
            run, document["task"], document["model"], document["spec"], 3, document["limited"]
        )
        .with_suffix(".items.npz")
        .name
    )
    document["items"]["file"] = name
    other.write_bytes(results.dumps(document))
    results.items_path(other).rename(other.with_name(name))
    other = other.rename(other.with_name(name.replace(".items.npz", ".json")))
    done = add([source, other], board, known)
    assert not done.added and not everything(board)
    assert any("duplicate" in problem.message for problem in done.problems), done.problems


def test_figures_that_nobody_can_work_out_again_are_not_added(run, board, known):
    path = one(run)
    document = json.loads(path.read_text())
    document["task_fingerprint"] = "ab" * 32
    document["provenance"]["metrics_version"] = "0"
    path.write_bytes(results.dumps(document))
    done = add([path], board, known)
    assert [p.field for p in done.problems] == ["provenance.metrics_version"]
    assert not everything(board)


def test_a_disc_that_fails_leaves_nothing_half_written(run, board, known, monkeypatch):
    add([one(run)], board, known)
    before = everything(board)
    edited(one(run), diagnostics={"spread": {"median": 1.0}})
    written = []

    def fails(path: Path, content: bytes) -> None:
        if written:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        path.write_bytes(content)

    monkeypatch.setattr(files, "write_atomic", fails)
    with pytest.raises(DataError, match="No space left"):
        add([one(run)], board, known, replace=True)
    assert everything(board) == before


def test_what_is_not_there(run, board, known, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "none.json", tmp_path / "empty"):
        with pytest.raises(MissingDataError, match="result"):
            add([path], board, known)
