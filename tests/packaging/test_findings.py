"""The tables of ``docs/findings.md`` are those that the shipped results give."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
TABLES = re.findall(r"<!-- board (\S+) (\S+) -->\n(.*?)<!-- /board -->", PAGE, re.S)


def tool():
    path = ROOT / "tests" / "tools" / "board_table.py"
    spec = importlib.util.spec_from_file_location("board_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_tables():
    assert len(TABLES) >= 3


@pytest.mark.parametrize(("task", "model", "shown"), TABLES, ids=[t[0] for t in TABLES])
def test_a_table_is_what_the_board_gives(task, model, shown):
    assert shown.strip() == tool().table(task, model).strip()
