"""A plugin that is not installed: a module, or the folder of a package, read from where it lies.

Of a folder with a ``pyproject.toml`` the entry points of the group ``sedbench`` are loaded, as
pip would install them; the module that each of them names is looked for in the folder and in its
``src``. ``sys.path`` stays as it is.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sedbench.errors import UsageError
from sedbench.modules import load_module
from sedbench.registry import GROUP, Registry, Source, build, installed_sources


def is_path(text: str) -> bool:
    """Whether something is named by where it lies: with a separator, or ``.py``, or ``.``."""
    return text.endswith(".py") or "/" in text or "\\" in text or text in (".", "..")


def load(path: Path) -> tuple[Registry, str]:
    """Load the plugins of a path beside those that are installed.

    Parameters
    ----------
    path : Path
        A module, the folder of a package, or a folder with a ``pyproject.toml``.

    Returns
    -------
    Registry
        Of what is installed and of these; an installed one of the same distribution is left out.
    str
        The distribution that the path stands for.

    Raises
    ------
    UsageError
        There is no plugin there.
    """
    own = list(_sources(path.expanduser()))
    name = own[0].distribution
    others = [s for s in installed_sources() if _same(s.distribution) != _same(name)]
    return build([*others, *own]), name


def _same(distribution: str) -> str:
    return distribution.lower().replace("_", "-")


def _sources(path: Path) -> Iterator[Source]:
    if not path.exists():
        raise UsageError(f"there is no {path}", "name a module, or the folder of a package")
    project = path / "pyproject.toml"
    if path.is_file() or not project.is_file():
        place = path / "__init__.py" if path.is_dir() else path
        if place.suffix != ".py" or not place.is_file():
            raise UsageError(
                f"{path} is no plugin",
                "it is a module, a folder with __init__.py, or one with pyproject.toml",
            )
        name = path.stem if path.is_file() else path.resolve().name
        yield Source(name, name, "not installed", partial(load_module, name, place))
        return
    try:
        table = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {project}: {error}") from error
    points: dict[str, str] = table.get("entry-points", {}).get(GROUP, {})
    if not points:
        raise UsageError(
            f"{project} names no plugin", f"it wants a table [project.entry-points.{GROUP}]"
        )
    for name, target in sorted(points.items()):
        yield Source(
            name,
            str(table.get("name", path.resolve().name)),
            str(table.get("version", "not installed")),
            partial(_entry_point, path, target),
        )


def _entry_point(folder: Path, target: str) -> Any:
    module, _, attribute = target.partition(":")
    root, *parts = module.split(".")
    for place in (folder / "src", folder):
        for file in (place / root / "__init__.py", place / f"{root}.py"):
            if file.is_file():
                found: Any = load_module(root, file)
                for depth in range(len(parts)):
                    found = importlib.import_module(".".join((root, *parts[: depth + 1])))
                for name in attribute.split(".") if attribute else ():
                    found = getattr(found, name)
                return found
    raise ModuleNotFoundError(f"there is no module {root!r} in {folder} or {folder / 'src'}")
