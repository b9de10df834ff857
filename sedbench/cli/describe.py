"""What is installed, as plain JSON values: the common ground of ``list`` and ``show``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench.registry import KINDS, BrokenPlugin, Entry, Kind, Plugin, Registry
from sedbench.types import MethodInfo, Param

if TYPE_CHECKING:
    from sedbench.models.weights import Weights


def entry(kind: Kind, found: Entry) -> dict[str, Any]:
    """Metadata of one registered thing, and who offers it."""
    values = {
        f.name: plain(value)
        for f in fields(found.info)
        if not callable(value := getattr(found.info, f.name))  # what fetches it
    }
    return {
        "name": values.pop("name"),
        "type": kind[:-1],
        **values,
        "plugin": found.plugin,
        "distribution": found.distribution,
        "distribution_version": found.version,
    }


def plugin(found: Plugin | BrokenPlugin) -> dict[str, Any]:
    """One plugin, or one that is broken, with why."""
    broken = isinstance(found, BrokenPlugin)
    values = {f.name: plain(getattr(found, f.name)) for f in fields(found)}
    return {"name": values.pop("name"), "status": "broken" if broken else "ok", **values}


def everything(
    registry: Registry, kind: str | None = None, broken_only: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """One list a kind, each sorted by name; ``plugins`` comes last.

    Parameters
    ----------
    registry : Registry
    kind : str, optional
        Only this kind.
    broken_only : bool
        Only plugins, and of those only the broken ones.
    """
    lists: dict[str, list[dict[str, Any]]] = {}
    if not broken_only:
        for each in KINDS:
            if kind in (None, each):
                lists[each] = [entry(each, registry.get(each, n)) for n in registry.names(each)]
    if kind in (None, "plugins"):
        sound = [] if broken_only else registry.plugins
        both = [*map(plugin, sound), *map(plugin, registry.broken)]
        lists["plugins"] = sorted(both, key=lambda p: (p["name"], p["distribution"]))
    return lists


def weights(owner: Entry, registry: Registry) -> list[Weights]:
    """Every weight file of a model by task, or of a method that learns by model and task.

    Nothing is built to find them.

    Raises
    ------
    DataError
        A card beside a weight file cannot be read.
    """
    from sedbench.models.learned import home
    from sedbench.models.weights import local_root

    info = owner.info
    if not isinstance(info, MethodInfo):
        return _of_tasks(info.name, getattr(info, "weights", None), registry)
    models = set(registry.names("models")) | _folders(info.weights, local_root(info.name))
    return [each for model in sorted(models) for each in _of_tasks(*home(info, model), registry)]


def _of_tasks(owner: str, shipped: Path | None, registry: Registry) -> list[Weights]:
    from sedbench.models.weights import available, local_root

    tasks = set(registry.names("tasks")) | _folders(shipped, local_root(owner))
    return [found for task in sorted(tasks) for found in available(owner, shipped, task)]


def _folders(*roots: Path | None) -> set[str]:
    known = [root for root in roots if root is not None and root.is_dir()]
    return {folder.name for root in known for folder in root.iterdir() if folder.is_dir()}


def plain(value: Any) -> Any:
    """Turn sets, tuples, paths and dataclasses into what JSON can hold."""
    if isinstance(value, Param):
        return {
            "name": value.name,
            "type": type(value.default).__name__,
            **{f.name: plain(getattr(value, f.name)) for f in fields(value) if f.name != "name"},
        }
    if isinstance(value, frozenset | set):
        return sorted(plain(v) for v in value)
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    endless = isinstance(value, float) and math.isinf(value)  # a range without an upper end
    return None if endless else str(value) if isinstance(value, Path) else value
