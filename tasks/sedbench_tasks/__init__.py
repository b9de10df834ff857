"""The built-in tasks: folders that hold a ``task.toml`` and frozen soundscape indexes."""

from __future__ import annotations

import tomllib
from functools import partial
from pathlib import Path

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import TaskInfo

_HERE = Path(__file__).parent
_DEFAULT = "domestic"  # needs no download


def _path(folder: str) -> Path:
    return _HERE / folder / "task.toml"


@hookimpl
def sedbench_register_tasks(register: Register) -> None:
    """Register every folder here that holds a task."""
    for path in sorted(_HERE.glob("*/task.toml")):
        with path.open("rb") as file:
            task = tomllib.load(file)
        info = TaskInfo(
            name=task["name"],
            summary=task["title"],
            reference=task["citation"],
            default=task["name"] == _DEFAULT,
        )
        register(info, partial(_path, path.parent.name))
