"""The tables of poolings in ``docs/models.md`` are what ``sedbench compare`` says of the board."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
TABLES = re.findall(r"<!-- poolings (\S+) -->\n(.*?)<!-- /poolings -->", PAGE, re.S)


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tests" / "tools" / "pooling_table.py"
    spec = importlib.util.spec_from_file_location("pooling_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_one_for_each_of_the_two_tasks():
    assert [task for task, _ in TABLES] == ["domestic", "domestic-real"]


@pytest.mark.parametrize(("task", "shown"), TABLES, ids=[task for task, _ in TABLES])
def test_a_table_is_what_the_board_gives(tool, task, shown):
    assert shown.strip() == tool.table(task)
