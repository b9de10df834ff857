"""The house keeps its shape: who may import whom, no names of plugins, no module too long.

The rules are those of ``ARCHITECTURE.md``. Imports are read from the syntax tree, late ones
inside functions included; those under ``if TYPE_CHECKING`` are annotations and do not count.

Names: no string and no identifier in ``sedbench/`` names a shipped method, model, soundbank
or task. The docstring of a *module* may hold one as an example; nothing else may.
"""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import sedbench
from sedbench.registry import Registry, Source, build

ROOT = Path(__file__).parents[2]
ROOMS = {
    "sedbench": ROOT / "sedbench",
    "sedbench_plugins": ROOT / "plugins" / "sedbench_plugins",
    "sedbench_tasks": ROOT / "tasks" / "sedbench_tasks",
}
LONGEST = 350  # lines a module

# From the ground up; a module imports from its own floor and those below. A room stands for
# every module in it.
FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(floor.split())
    for floor in (
        "errors info types",
        "comparison files hookspecs methods modules progress ranks scaffold schema sources spec "
        "stats usage workers",
        "data environment metrics models protocol refs registry taskfile tasks",
        "answers contenders extra items results score_files testing",
        "examples faithfulness leaderboard lookup randomisation report runner splits streamed "
        "teacher trainer versus work",
        "api learn",
        "cli __main__",
    )
)
# Words that are names of shipped methods, and words of the field or of English as well: they
# may occur in prose, but never as a whole string or as a spec.
ORDINARY = {"random", "energy", "control", "oracle", "rise"}
# Of those, what the protocol itself calls so: a threshold policy and a kind of supervision.
TERMS = {"oracle"}


@cache
def modules() -> dict[str, Path]:
    """Every module of the repository's packages, by its import name."""
    found = {}
    for room, folder in ROOMS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = (room, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(name: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def nodes(name: str) -> Iterator[ast.AST]:
    """Every node of a module that is not under ``if TYPE_CHECKING``."""
    queue: list[ast.AST] = [tree(name)]
    while queue:
        node = queue.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            queue += node.orelse
        else:
            queue += ast.iter_child_nodes(node)


@cache
def imports(name: str) -> frozenset[str]:
    """What a module imports, submodules by their full name."""
    found = set()
    for node in nodes(name):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{name}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in modules() else node.module)
    return frozenset(found)


def inside(name: str) -> set[str]:
    """What a module imports from the framework itself, the bare package left out."""
    return {i for i in imports(name) if i.startswith("sedbench.")}


def framework() -> list[str]:
    """Modules of the framework, its surface ``sedbench/__init__.py`` left out."""
    return [name for name in modules() if name.startswith("sedbench.")]


def room(name: str) -> str:
    """``sedbench.data.cache`` -> ``data``."""
    return name.split(".")[1]


def floor(name: str) -> int:
    """The floor that a module of the framework is on."""
    found = [level for level, rooms in enumerate(FLOORS) if room(name) in rooms]
    assert found, f"{name} is on no floor: add it to FLOORS, and to ARCHITECTURE.md"
    return found[0]


def test_there_is_something_to_check():
    assert {"sedbench.runner", "sedbench.cli", "sedbench_plugins", "sedbench_tasks"} <= set(
        modules()
    )
    assert "sedbench.data.index" in imports("sedbench.tasks")
    for level in FLOORS:
        for each in level:
            assert f"sedbench.{each}" in modules(), f"{each} is on a floor and nowhere else"


@pytest.mark.parametrize("name", framework())
def test_nothing_looks_up(name):
    above = {i for i in inside(name) if floor(i) > floor(name)}
    assert not above, f"{name} imports from a floor above: {sorted(above)}"


def test_no_cycles():
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for each in sorted(imports(name) & modules().keys() - {"sedbench"}):
                visit(each, (*path, name))
            done.add(name)

    for name in modules():
        if name != "sedbench":
            visit(name, ())


def test_the_package_itself_imports_next_to_nothing():
    # Whoever imports any part of it pays for this; `api` comes only when it is asked for.
    top = {node.module for node in tree("sedbench").body if isinstance(node, ast.ImportFrom)} - {
        "__future__",
        "typing",
    }
    assert top <= {"sedbench.hookspecs"}


def test_the_registry_imports_contracts_alone():
    allowed = {f"sedbench.{each}" for each in ("hookspecs", "spec", "types", "errors")}
    assert inside("sedbench.registry") <= allowed


@pytest.mark.parametrize("name", framework())
def test_only_who_looks_names_up_knows_the_registry(name):
    if room(name) in ("lookup", "api", "learn", "cli"):
        return
    found = inside(name) & {"sedbench.registry", "sedbench.lookup"}
    assert not found, f"{name} is handed what it needs; it must not import {sorted(found)}"


@pytest.mark.parametrize("name", framework())
def test_the_framework_imports_no_plugin(name):
    found = {i for i in imports(name) if i.split(".")[0] in ("sedbench_plugins", "sedbench_tasks")}
    assert not found, f"{name} imports {sorted(found)}"


@pytest.mark.parametrize("name", [n for n in modules() if not n.startswith("sedbench.")])
def test_plugins_import_the_public_surface_alone(name):
    # The surface is what the docstring of the package says it is.
    assert sedbench.__doc__ is not None
    public = set(re.findall(r":mod:`(sedbench[\w.]*)`", sedbench.__doc__))
    assert len(public) > 3
    for each in inside(name) if name != "sedbench" else ():
        assert any(each == p or each.startswith(f"{p}.") for p in public), (
            f"{name} imports {each}, which is not public: {sorted(public)}"
        )


@pytest.mark.parametrize("name", modules())
def test_nothing_is_unpickled_or_evaluated(name):
    assert not imports(name) & {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
    called = {
        node.func.id
        for node in nodes(name)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"eval", "exec"}


@pytest.mark.parametrize("name", modules())
def test_no_module_is_too_long(name):
    lines = len(modules()[name].read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{name} has {lines} lines: split it by concept"


@cache
def shipped() -> Registry:
    """What the built-in plugins offer, from the checkout's own entry points."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        points = tomllib.load(file)["project"]["entry-points"]["sedbench"]
    registry = build(
        Source(name, "sedbench", "checkout", lambda target=target: importlib.import_module(target))
        for name, target in sorted(points.items())
    )
    assert registry.broken == []
    return registry


def names() -> set[str]:
    """Every shipped method, model, soundbank and task; metrics are the protocol's own."""
    kinds = ("methods", "models", "soundbanks", "tasks")
    found = {name for kind in kinds for name in shipped().names(kind)}
    assert len(found) > 8
    return found


def strings(name: str) -> Iterator[tuple[int, str]]:
    """Every string of a module but its own docstring, with its line."""
    first = tree(name).body[0]
    docstring = first.value if isinstance(first, ast.Expr) else None
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node is not docstring:
            yield node.lineno, node.value


def identifiers(name: str) -> Iterator[tuple[int, str]]:
    """Everything that a module itself names: variables, functions, classes, arguments."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def bare(text: str) -> str:
    """``LogmelCnn`` and ``logmel-cnn`` are the same name."""
    return re.sub(r"[-_.]", "", text.lower())


def names_in(text: str, known: set[str]) -> set[str]:
    """Which of these names a string holds."""
    found = set()
    for name in known:
        if name in ORDINARY:
            said = (text == name and name not in TERMS) or re.search(rf"\b{name}\[", text)
        else:
            said = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)
        if said:
            found.add(name)
    return found


@pytest.mark.parametrize("name", ["sedbench", *framework()])
def test_the_framework_knows_no_method_model_soundbank_or_task_by_name(name):
    known = names()
    found = [
        f"{modules()[name].name}:{line}: {', '.join(sorted(said))}"
        for line, text in strings(name)
        if (said := names_in(text, known))
    ]
    short = {bare(each): each for each in known if each not in ORDINARY}
    found += [
        f"{modules()[name].name}:{line}: {identifier}"
        for line, identifier in identifiers(name)
        if bare(identifier) in short
    ]
    assert not found, "\n".join(found)


def test_the_search_for_names_finds_them():
    known = {"tiny-net", "ab", "random", "oracle"}
    for text in ("tiny-net", "run ab here", "ab[x=1]", "random", "random[x=1]", "oracle[x=1]"):
        assert names_in(text, known), text
    for text in ("tiny-nets", "abc", "a random draw", "oracle", "an oracle", "x-tiny-net"):
        assert not names_in(text, known), text
