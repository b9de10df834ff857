"""What ships, by the checkout's own entry points: a plugin is tested as soon as it is declared."""

from __future__ import annotations

import importlib
import tomllib
from functools import cache
from pathlib import Path

import pytest

from sedbench.registry import Entry, Kind, Source, build

ROOT = Path(__file__).parents[2]


@cache
def shipped(kind: Kind) -> list[Entry]:
    """Every built-in product of a kind, sorted by name."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]["sedbench"]
    registry = build(
        Source(name, "sedbench", "checkout", lambda target=target: importlib.import_module(target))
        for name, target in sorted(points.items())
    )
    assert registry.broken == []
    return [registry.get(kind, name) for name in registry.names(kind)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``built_in`` is every product of the kind that the test's module says."""
    if "built_in" in metafunc.fixturenames:
        entries = shipped(metafunc.module.KIND)
        metafunc.parametrize("built_in", entries, ids=[entry.info.name for entry in entries])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it is asked for."""
    if "slow" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; run with -m slow"))
