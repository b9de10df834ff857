"""``constraints.txt`` pins everything that an install brings, and nothing twice or elsewhere."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]


@cache
def lines() -> tuple[str, ...]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def pinned() -> dict[str, Version]:
    parts = (line.split("==") for line in lines())
    return {canonicalize_name(name): Version(version) for name, version in parts}


@cache
def declared() -> tuple[Requirement, ...]:
    """What ``.[dev]`` asks for directly, the extra of its own name unfolded."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    texts = [text for group in groups for text in group]
    return tuple(r for r in map(Requirement, texts) if r.name != "sedbench")


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras))


def brought() -> set[str]:
    """Everything that is installed because ``.[dev]`` asks for it, directly or not."""
    found: dict[str, frozenset[str]] = {}
    queue = [(r, frozenset[str]()) for r in declared()]
    while queue:
        requirement, extras = queue.pop()
        name = canonicalize_name(requirement.name)
        wanted = frozenset(requirement.extras) | found.get(name, frozenset())
        if not applies(requirement, extras) or (name in found and wanted == found[name]):
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of an extra that is not installed here
        found[name] = wanted
        queue += [(Requirement(text), wanted) for text in needs]
    return set(found)


def test_every_line_is_one_exact_version():
    assert lines()
    for line in lines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line), line
    assert len(pinned()) == len(lines())


def test_what_pyproject_asks_for_is_pinned_to_a_version_that_it_accepts():
    for requirement in declared():
        version = pinned()[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} and {version}"


def test_what_that_brings_is_pinned_too():
    found = brought()
    assert {"torch", "torchvision", "numba", "jams", "iniconfig"} <= found
    # A CUDA build of torch asks for its own libraries, each in one exact version.
    own = re.compile(r"nvidia-|cuda-|triton")
    assert sorted(n for n in found - pinned().keys() if not own.match(n)) == []


def test_torch_and_torchvision_are_of_one_release():
    needs = map(Requirement, importlib.metadata.requires("torchvision") or [])
    (torch,) = [r for r in needs if r.name == "torch"]
    assert torch.specifier.contains(pinned()["torch"])
    assert pinned()["torchvision"] == Version(
        importlib.metadata.version("torchvision").split("+")[0]
    )
