"""Which code decides an answer: the definitions that a factory uses, followed as they are written.

A factory's own definition is read, then whatever of the same import package it names, and so on:
functions, classes and constants, wherever they stand, with imports inside functions and relative
ones. What a module does besides defining things counts with every definition taken from it.
Not followed is what is imported from elsewhere, which has a version, and what is looked
up by name when the program runs; that has to be named (:func:`named`).

Nothing is imported: files are parsed. Comments and docstrings are left out, so that correcting a
sentence makes no result stale; so does code beside it that the factory does not use.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sedbench.files import sha256

UNKNOWN = "unknown"


def code_of(factory: Callable[..., Any]) -> str:
    """Sha256 over the code that a factory uses.

    Parameters
    ----------
    factory : callable
        A function, a class, or a ``functools.partial`` of one. One that is not defined at the
        top of its module stands for all of that module.

    Returns
    -------
    str
        ``"unknown"`` where there is no source file.
    """
    plain = inspect.unwrap(getattr(factory, "func", factory))
    module = inspect.getmodule(plain)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return UNKNOWN
    name = getattr(plain, "__qualname__", type(plain).__qualname__).partition(".")[0]
    return _hash(module.__name__, Path(file), name)


def named(place: str) -> str:
    """Sha256 over the code that a name uses.

    Parameters
    ----------
    place : str
        ``package.module:name``.

    Raises
    ------
    LookupError
        There is no such module or name.
    """
    module, _, name = place.partition(":")
    found = importlib.util.find_spec(module.partition(".")[0])
    if found is None or found.origin is None:
        raise LookupError(f"there is no package for {place}")
    root = Path(found.origin)
    file = root if "." not in module else _source(root.parent, module)
    if file is None or not _read(file).defines(name):
        raise LookupError(f"{place} names nothing")
    return _hash(module, file, name)


def module_code(module: str, file: Path) -> str:
    """Sha256 over all that a module defines, and what that uses."""
    return _hash(module, file, "")


def forget() -> None:
    """Read every file again when next asked."""
    _hash.cache_clear()
    _read.cache_clear()


@lru_cache
def _hash(module: str, file: Path, name: str) -> str:
    walk = _Walk(module, file)
    if _read(file).defines(name):
        walk.take(module, file, name)
    else:
        walk.take_all(module, file)
    return sha256("\0".join(walk.told()).encode())


@dataclass(frozen=True)
class _Module:
    """A file's top level: what defines which name, what comes from elsewhere, and the rest."""

    defined: dict[str, list[ast.stmt]]
    imported: dict[str, ast.Import | ast.ImportFrom]
    rest: list[ast.stmt]

    def defines(self, name: str) -> bool:
        """Whether a name is defined here."""
        return name in self.defined


class _Walk:
    """Definitions found so far, by the place that they stand in."""

    def __init__(self, module: str, file: Path) -> None:
        self.root, dot, _ = module.partition(".")
        depth = len(module.split(".")) - (1 if file.name == "__init__.py" else 2)
        # A module by itself, and one of the framework, is followed no further than its own end.
        alone = not (dot or file.name == "__init__.py") or self.root == __package__
        self.home = None if alone else file.parents[depth]
        self.seen: set[tuple[str, str]] = set()
        self.found: dict[tuple[str, str, int], str] = {}

    def told(self) -> list[str]:
        """Everything found, in an order that moving definitions about does not change."""
        return [
            f"{module.removeprefix(self.root)}\0{name}\0{told}"
            for (module, name, _), told in sorted(self.found.items())
        ]

    def take(self, module: str, file: Path, name: str) -> None:
        """Take a name of a module, and what it uses."""
        if (module, name) in self.seen:
            return
        self.seen.add((module, name))
        here = _read(file)
        self._once(module, file)
        for at, statement in enumerate(here.defined.get(name, ())):
            self._statement(module, file, (name, at), statement)
        if name in here.imported:
            self._import(module, file, here.imported[name], name)

    def take_all(self, module: str, file: Path) -> None:
        """Take all that a module defines."""
        here = _read(file)
        self._once(module, file)
        for name in (*here.defined, *here.imported):
            self.take(module, file, name)

    def _once(self, module: str, file: Path) -> None:
        if (module, "") not in self.seen:
            self.seen.add((module, ""))
            for at, statement in enumerate(_read(file).rest):
                self._statement(module, file, ("", at), statement)

    def _statement(
        self, module: str, file: Path, key: tuple[str, int], statement: ast.stmt
    ) -> None:
        self.found[module, *key] = ast.dump(statement)
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                self.take(module, file, node.id)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    self._follow(module, file, node, alias)

    def _import(
        self, module: str, file: Path, node: ast.Import | ast.ImportFrom, name: str
    ) -> None:
        for alias in node.names:
            if _bound(alias, node) == name:
                source = getattr(node, "module", None) or ""
                told = f"{'.' * getattr(node, 'level', 0)}{source} {alias.name} {name}"
                self.found[module, f"import {name}", 0] = told
                self._follow(module, file, node, alias)

    def _follow(
        self, module: str, file: Path, node: ast.Import | ast.ImportFrom, alias: ast.alias
    ) -> None:
        if self.home is None:
            return
        if isinstance(node, ast.Import):
            target, name = alias.name, ""
        else:
            target, name = _absolute(module, file, node), alias.name
        if target.partition(".")[0] != self.root:
            return
        if name and (inner := _source(self.home, f"{target}.{name}")) is not None:
            self.take_all(f"{target}.{name}", inner)
        elif (source := _source(self.home, target)) is not None:
            if name and name != "*":
                self.take(target, source, name)
            else:
                self.take_all(target, source)


@lru_cache(maxsize=512)
def _read(file: Path) -> _Module:
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # a docstring is not code
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    module, own = _Module({}, {}, []), _own(file, tree)
    for statement in tree.body:
        names = list(_names(statement))
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                module.imported[_bound(alias, statement)] = statement
        elif names:
            for name in names:
                module.defined.setdefault(name, []).append(statement)
            if _decorated(statement, own):
                module.rest.append(statement)
        elif not _for_types(statement):
            module.rest.append(statement)
    return module


def _names(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement at the top of a module defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


def _own(file: Path, tree: ast.Module) -> set[str]:
    """Names that a module defines, or takes from its own package."""
    found = {name for statement in tree.body for name in _names(statement)}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            root = (node.module or "").partition(".")[0]
            if node.level or root in file.parts:
                found.update(_bound(alias, node) for alias in node.names)
    return found


def _decorated(statement: ast.stmt, own: set[str]) -> bool:
    # Such a decorator may put a function where a name that is looked up finds it.
    decorators = getattr(statement, "decorator_list", ())
    used = (node for each in decorators for node in ast.walk(each))
    return any(isinstance(node, ast.Name) and node.id in own for node in used)


def _bound(alias: ast.alias, node: ast.Import | ast.ImportFrom) -> str:
    if alias.asname:
        return alias.asname
    return alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name


def _absolute(module: str, file: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    drop = node.level - (1 if file.name == "__init__.py" else 0)
    return ".".join([*parts[: len(parts) - drop], *([node.module] if node.module else [])])


def _source(home: Path, module: str) -> Path | None:
    # By its place: asking Python for a module imports the packages above it.
    path = home.joinpath(*module.split(".")[1:])
    places = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((place for place in places if place.is_file()), None)


def _is_text(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _for_types(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.If):
        return False
    test = statement.test
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"
