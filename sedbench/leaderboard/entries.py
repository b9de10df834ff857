"""The files of a board: results, their items, and what belongs to neither.

    <board>/results/<task>/<model>/<method>/<spec and seed>.json
    <board>/results/<task>/<model>/<method>/<spec and seed>.items.npz

A result lies where its content says. So each cell has one place, and two results of one cell
cannot be told apart by anything but lying somewhere else, which is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sedbench.errors import DataError, SedbenchError
from sedbench.leaderboard.documents import digest, read_document
from sedbench.leaderboard.problem import Problem, shown
from sedbench.results import Result, items_path, of_valid, result_path

RESULTS = "results"
"""Folder of the results within a board."""

_README = "README.md"


@dataclass(frozen=True, eq=False)
class Entry:
    """A result on a board, or on its way there.

    Attributes
    ----------
    path : Path
        Where it lies.
    name : str
        Where it lies on the board or would, ``<task>/<model>/<method>/<name>.json``.
    document : dict
        The parsed file.
    """

    path: Path
    name: str
    document: dict[str, Any]

    @cached_property
    def result(self) -> Result:
        """What the file says."""
        return of_valid(self.document, "shipped")

    @cached_property
    def digest(self) -> str:
        """Of the canonical form."""
        return digest(self.document)

    @property
    def items(self) -> Path:
        """Where its items lie."""
        return items_path(self.path)


def results_folder(board: Path) -> Path:
    """Where a board keeps its results."""
    return board / RESULTS


def name_of(document: dict[str, Any]) -> str:
    """Where a result belongs on a board.

    Raises
    ------
    DataError
        Its method's spec cannot be part of a path.
    """
    method = document["spec"].partition("[")[0]
    if method != document["method"]:
        raise DataError(f"spec {document['spec']!r} is not of the method {document['method']!r}")
    root = Path(RESULTS)
    place = result_path(
        root, document["task"], document["model"], document["spec"],
        int(document["seed"]), document["limited"],
    )  # fmt: skip
    return place.relative_to(root).as_posix()


def read_entry(path: Path, folder: Path, *, inside: bool = True) -> tuple[Entry | None, Problem]:
    """Read one result file.

    Parameters
    ----------
    path, folder : Path
        The file, and the folder of all results.
    inside : bool
        Whether it has to lie where its content says.

    Returns
    -------
    Entry or None, Problem
        The problem counts where there is no entry.
    """
    name = shown(path, folder)
    try:
        document = read_document(path)
        place = name_of(document)
    except SedbenchError as error:
        text = error.message.removeprefix(f"{path} ").removeprefix("is not a result: ")
        field, text = _split(text)
        return None, Problem(name, field, text, error.hint)
    if inside and place != name:
        wrong = Problem(
            name, "task, model, spec, seed, limited", f"its content belongs to {place}",
            "a result lies where its content says: sedbench leaderboard add puts it there",
        )  # fmt: skip
        return None, wrong
    return Entry(path, name if inside else place, document), Problem(name, "", "")


def _split(text: str) -> tuple[str, str]:
    """``$.seed: -1 is ...`` -> the field and what is wrong with it."""
    if text.startswith("$"):
        place, _, rest = text.partition(": ")
        return place.lstrip("$").lstrip("."), rest
    if text.startswith("spec "):
        return "spec", text
    return "", text


def walk(folder: Path) -> tuple[list[Entry], list[Problem]]:
    """Every result of a board by name, and a problem for each file that is none.

    Parameters
    ----------
    folder : Path
        Of all results.
    """
    entries: list[Entry] = []
    problems: list[Problem] = []
    files = _files(folder)
    known: set[Path] = set()
    for path in files:
        if path.suffix == ".json" and not path.name.startswith("."):
            entry, problem = read_entry(path, folder)
            known |= {path, items_path(path)}
            if entry is None:
                problems.append(problem)
            else:
                entries.append(entry)
    strangers = (path for path in files if path not in known and path != folder / _README)
    problems += [
        Problem(
            shown(path, folder), "", "belongs to no result",
            "remove it, or bring back the result that it belongs to",
        )
        for path in strangers
    ]  # fmt: skip
    linked = [path for path in files if path.is_symlink()]
    problems += [Problem(shown(path, folder), "", "is a link, not a file") for path in linked]
    return entries, problems


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def duplicates(entries: Iterable[Entry]) -> Iterator[Problem]:
    """Results that are one measurement under several names.

    The identity in a result's provenance names everything that it depends on. A method that no
    seed changes has one for every seed.
    """
    first: dict[tuple[str, str, Any], Entry] = {}
    for entry in entries:
        result = entry.result
        identity = result.provenance.get("identity")
        if not identity or result.status != "ok":
            continue
        key = (result.task, str(identity), result.limited)
        twin = first.setdefault(key, entry)
        if twin is not entry:
            yield Problem(
                entry.name, "provenance.identity", f"is that of {twin.name}: a duplicate",
                "keep one of the two",
            )  # fmt: skip
