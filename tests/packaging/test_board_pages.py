"""The board's pages, as they are committed, say what ``leaderboard.json`` says.

That ``leaderboard.json`` is what the results give takes minutes: ``sedbench leaderboard build
--check``. Results that were added since are in order, since pages are built after a merge.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sedbench.leaderboard.documents import digest, read_document
from sedbench.leaderboard.markdown import readme
from sedbench.leaderboard.page import page
from sedbench.leaderboard.ranking import settings
from sedbench.registry import built_in

BOARD = Path(__file__).parents[2] / "leaderboard"
RESULTS = BOARD / "results"


@pytest.fixture(scope="module")
def held():
    return json.loads((BOARD / "leaderboard.json").read_text(encoding="utf-8"))


def test_the_readme_is_written_from_it(held):
    assert (BOARD / "README.md").read_text(encoding="utf-8") == readme(held)


def test_the_page_is_written_from_it(held):
    assert (BOARD / "index.html").read_text(encoding="utf-8") == page(held)


def test_every_result_that_it_names_is_there_unless_one_superseded_it(held):
    assert len(held["digests"]) > 200
    for name, recorded in held["digests"].items():
        document = read_document(RESULTS / name)
        assert recorded in (digest(document), document.get("supersedes")), name


def test_every_task_that_ships_has_a_table_or_a_reason(held):
    absent = settings(BOARD).absent
    tables = {path.name for path in RESULTS.iterdir() if path.is_dir()}
    assert set(built_in().names("tasks")) == tables | set(absent)
    assert not tables & set(absent)


def test_its_files_are_there(held):
    for board in held["boards"]:
        for row in (*board["rows"], *board["unranked"]):
            assert (BOARD / row["result"]).is_file()
            assert row["items"] is None or (BOARD / row["items"]).is_file()
