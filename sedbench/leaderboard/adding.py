"""A result and its items copied onto a board: checked first, and then all of them or none.

What ``check`` would refuse never gets there. A result that is there already is left alone where it
says the same; where it says something else, it is replaced only on request, and the new one names
the digest of the one that it supersedes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sedbench import files
from sedbench.errors import DataError, MissingDataError
from sedbench.leaderboard import history
from sedbench.leaderboard.checking import check_new
from sedbench.leaderboard.claims import Known
from sedbench.leaderboard.documents import DIGEST, SUPERSEDES, digest, read_document
from sedbench.leaderboard.entries import Entry, results_folder, walk
from sedbench.leaderboard.problem import Problem
from sedbench.progress import Progress, Quiet
from sedbench.results import dumps, items_path


@dataclass(frozen=True)
class Added:
    """What became of the results that were to be added.

    Attributes
    ----------
    added, replaced, unchanged : tuple of str
        Names on the board.
    problems : tuple of Problem
        Why nothing was added, where there are any.
    """

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass
class _Plan:
    files: list[tuple[Path, bytes]] = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def add(
    paths: Sequence[Path],
    board: Path,
    known: Known,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> Added:
    """Add results to a board.

    Parameters
    ----------
    paths : sequence of Path
        Result files, or folders of them.
    board : Path
        The folder that holds ``results``; made where it is not there.
    known : Known
    replace : bool
        Replace a result of the same cell that says something else.
    progress : Progress, optional

    Returns
    -------
    Added
        With problems nothing was written at all.

    Raises
    ------
    MissingDataError
        There is no result at a path.
    DataError
        The board cannot be written.
    """
    shown = progress if progress is not None else Quiet()
    todo = _results(paths)
    shown.start("check results", len(todo))
    plan = _Plan()
    record = history.recorded(board)
    folder = results_folder(board)
    held = walk(folder)[0] if folder.is_dir() else []
    for path in todo:
        entry, problems = check_new(path, folder, held, known)
        plan.problems += problems
        if entry is not None and not problems:
            _place(entry, board, record, replace, plan)
            # The next one has to agree with this one too.
            held = [*(e for e in held if e.name != entry.name), entry]
        shown.advance()
    shown.finish()
    if not plan.problems:
        _write(plan)
        return Added(tuple(plan.added), tuple(plan.replaced), tuple(plan.unchanged))
    return Added(problems=tuple(plan.problems))


def _results(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*.json") if not p.name.startswith("."))
            if not inside:
                raise MissingDataError(f"{path} holds no results", "run a method first")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise MissingDataError(f"there is no result {path}", "run the method first")
    return list(dict.fromkeys(found))


def _place(
    entry: Entry, board: Path, record: history.Record | None, replace: bool, plan: _Plan
) -> None:
    target = results_folder(board) / entry.name
    if target in {path for path, _ in plan.files}:
        plan.problems.append(
            Problem(entry.name, "", f"{entry.path} is a second result of one cell", "choose one")
        )
        return
    # Digest and predecessor belong to the board, not to the run. What a plugin's metrics said stays
    # behind: the board holds what it can work out again, without anybody's code.
    left = (DIGEST, SUPERSEDES, "extra_metrics")
    document = {k: v for k, v in entry.document.items() if k not in left}
    if target.exists():
        held = read_document(target)
        if _content(held) == _content(document):
            plan.unchanged.append(entry.name)
            return
        if not replace:
            plan.problems.append(
                Problem(
                    entry.name, "", "the board holds another result of this cell",
                    "--replace puts this one in its place and says which one it supersedes",
                )
            )  # fmt: skip
            return
        before = record.digests.get(entry.name) if record is not None else None
        document[SUPERSEDES] = before or digest(held)
        plan.replaced.append(entry.name)
    else:
        if SUPERSEDES in entry.document:
            document[SUPERSEDES] = entry.document[SUPERSEDES]
        plan.added.append(entry.name)
    document[DIGEST] = digest(document)
    if entry.result.items is not None:
        plan.files.append((items_path(target), entry.items.read_bytes()))
    elif items_path(target).exists():
        plan.gone.append(items_path(target))
    plan.files.append((target, dumps(document)))


def _content(document: dict[str, Any]) -> str:
    return digest({k: v for k, v in document.items() if k != SUPERSEDES})


def _write(plan: _Plan) -> None:
    """Write everything under other names, then rename; a result comes after its items."""
    staged: list[tuple[Path, Path]] = []
    try:
        for path, content in plan.files:
            new = path.with_name(f".{path.name}.{os.getpid()}")
            staged.append((new, path))
            files.write_atomic(new, content)
        for _, path in staged:  # so that no result ever stands beside another one's items
            if path.suffix == ".json":
                path.unlink(missing_ok=True)
        for path in plan.gone:
            path.unlink()
        for new, path in staged:
            new.replace(path)
    except OSError as error:
        raise DataError(
            f"cannot write {error.filename or 'the board'}: {error.strerror or error}",
            "make room, or name another board with --folder",
        ) from error
    finally:
        for new, _ in staged:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
