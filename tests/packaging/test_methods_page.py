"""``docs/methods.md`` says of every method and model what happens when they meet."""

from __future__ import annotations

import importlib.util
import re
import sys
import warnings
from pathlib import Path

import pytest

from sedbench.registry import built_in

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
# What answers in a moment, and has everything that does not apply but for a few reasons.
QUICK = ("Class activation", "Relevance", "Detectors")


def tool():
    path = ROOT / "tests" / "tools" / "method_matrix.py"
    spec = importlib.util.spec_from_file_location("method_matrix", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for it
    spec.loader.exec_module(module)
    return module


def told() -> dict[tuple[str, str], str]:
    """What the page says of each method and model: ``yes``, or the reason."""
    reasons = dict(re.findall(r"^(\d+)\. (.*)$", PAGE, re.M))
    found, models = {}, []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| method"):
            models = [cell.strip("`") for cell in cells[1:]]
        elif line.startswith("| `"):
            for model, cell in zip(models, cells[1:], strict=True):
                found[cells[0].strip("`"), model] = reasons.get(cell.strip("()"), cell)
    return found


def test_every_method_meets_every_model():
    methods = {name.partition("[")[0] for name, _ in told()}
    assert methods == set(built_in().names("methods"))
    assert {model for _, model in told()} == set(built_in().names("models"))
    assert all(cell == "yes" or " " in cell for cell in told().values())


def test_it_is_what_happens():
    module = tool()
    handles = module.models()
    said = told()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _, found in module.rows(handles, *QUICK):
            for row in found:
                expected = tuple(said[row.name, model] for model in handles)
                assert row.cells == expected, row.name


@pytest.mark.slow
def test_the_page_is_what_the_tool_writes():
    assert tool().page() == PAGE
