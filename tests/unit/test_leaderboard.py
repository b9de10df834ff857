from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sedbench import leaderboard, results
from sedbench.errors import DataError
from sedbench.results import Result

RECORD = {
    **dict.fromkeys(("metric", "policy", "view", "average", "stratum", "truth", "smoothing"), "x"),
    **dict.fromkeys(("value", "ci_low", "ci_high"), 0.5),
    **dict.fromkeys(("n_pairs", "n_clips", "n_groups"), 1),
}
ONE = Result("kitchen", "net", "guess", "guess", {}, 0, scores=(RECORD,), task_fingerprint="aa")


@pytest.fixture
def board(tmp_path: Path) -> Path:
    for change in (
        {},
        {"seed": 1},
        {"spec": "camera[x=1]", "method": "camera", "task_fingerprint": "bb"},
        {"model": "net[seed=2]"},
        {"task": "street"},
    ):
        results.write(replace(ONE, **change), b"items", tmp_path)
    return tmp_path


def test_the_rows_of_one_task_and_model_stale_ones_too(board):
    found = leaderboard.shipped("kitchen", "net", folder=board)
    assert [(r.spec, r.seed) for r in found] == [("camera[x=1]", 0), ("guess", 0), ("guess", 1)]
    assert {r.origin for r in found} == {"shipped"}
    assert [leaderboard.is_stale(r, "aa") for r in found] == [True, False, False]


def test_one_cell(board):
    found = leaderboard.find("kitchen", "net", "guess", 1, folder=board)
    assert found is not None
    assert (found.seed, found.origin) == (1, "shipped")
    assert leaderboard.find("kitchen", "net", "guess", 2, folder=board) is None
    assert leaderboard.find("kitchen", "other", "guess", 0, folder=board) is None


def test_nothing_shipped_is_no_error(tmp_path, monkeypatch):
    assert leaderboard.shipped("kitchen", "net", folder=tmp_path / "none") == []
    monkeypatch.setattr(leaderboard, "_PACKAGE", tmp_path / "site" / "sedbench")
    assert leaderboard.board_folder() is None
    assert leaderboard.shipped("kitchen", "net") == []
    assert leaderboard.find("kitchen", "net", "guess", 0) is None


def test_the_package_comes_before_the_checkout(tmp_path, monkeypatch):
    package = tmp_path / "sedbench"
    monkeypatch.setattr(leaderboard, "_PACKAGE", package)
    (tmp_path / "leaderboard" / "results").mkdir(parents=True)
    assert leaderboard.board_folder() == tmp_path / "leaderboard" / "results"
    (package / "board").mkdir(parents=True)
    assert leaderboard.board_folder() == package / "board"


def test_a_file_in_the_wrong_place_is_found_out(board):
    path = results.result_path(board, "kitchen", "net", "guess", 0)
    path.rename(results.result_path(board, "kitchen", "net", "guess", 7))
    with pytest.raises(DataError, match="another cell"):
        leaderboard.find("kitchen", "net", "guess", 7, folder=board)


def test_a_damaged_shipped_file_says_to_reinstall(board):
    results.result_path(board, "kitchen", "net", "guess", 0).write_text("{")
    with pytest.raises(DataError) as caught:
        leaderboard.shipped("kitchen", "net", folder=board)
    assert "reinstall" in caught.value.hint
