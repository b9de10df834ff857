"""Tasks that ship without indices: what they listen to cannot be had by whoever ships them.

Such a task is a file with splits that have no sha256 yet. Its clips are drawn on the machine
that has its recordings, in a copy of the task's folder:

    <data folder>/tasks/<name>/task.toml    test.csv    ...

The draw follows from the file's recipe (its seed) and the soundbank alone. Whoever has the
same recordings therefore gets the same indices, and a task of the same fingerprint. From
then on the task is read from there, as long as what ships still asks the same.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from sedbench.files import data_root, write_atomic
from sedbench.taskfile import load_task
from sedbench.tasks import TaskSpec


def drawn_folder(name: str) -> Path:
    """Where the clips of a task that ships without indices are drawn."""
    return data_root() / "tasks" / name


def drawn(task: TaskSpec) -> TaskSpec:
    """A task as it was drawn here, or, where it was not or need not be, as it ships."""
    path = drawn_folder(task.name) / task.path.name
    if task.frozen or not path.is_file():
        return task
    here = load_task(path)
    if _question(here) != _question(task):
        return task
    return replace(
        task,
        path=here.path,
        splits=here.splits,
        bank_fingerprint=here.bank_fingerprint,
        canonical=here.canonical,
    )


def place(task: TaskSpec) -> Path:
    """The file that the clips of a task are to be frozen in.

    Its own, or, of one that ships without indices, a copy's: made anew where there is none or
    where it asks something else than what ships now.

    Raises
    ------
    DataError
        The data folder cannot be written.
    """
    folder = drawn_folder(task.name)
    if task.frozen or task.path.parent == folder:
        return task.path
    shutil.rmtree(folder, ignore_errors=True)
    home = task.path.parent
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            write_atomic(folder / path.relative_to(home), path.read_bytes())
    return folder / task.path.name


def _question(task: TaskSpec) -> dict[str, Any]:
    """What decides a score, but for what drawing adds."""
    found: dict[str, Any] = json.loads(task.canonical)
    found.pop("bank", None)
    return found
