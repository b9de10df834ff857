"""The results that ship with sedbench, to compare with, offline, from the first run on.

They lie in the wheel (``sedbench/board``) or, in a checkout, in ``leaderboard/results``, in the
layout of :mod:`sedbench.results`. A shipped result counts for exactly one task fingerprint: when
the task has changed since, the result is *stale*. It may be shown as such, never ranked.

Here is what every run needs. What keeps the board itself honest lies beside it::

    documents   a result file read strictly, its canonical form and digest
    problem     what is wrong with a file, and where
    entries     the files of a board, and whether they lie where their content says
    claims      what a result says of its task, method, cost and provenance
    evidence    items against the task's frozen clips; figures recomputed from items
    history     what was recorded before: a changed result names the one it supersedes
    checking    all of that, for a board or some of its files
    adding      a checked result and its items copied into a board
    ranking     which rows are ranked, why others are not, ties
    rows        a row of the board in plain values
    building    leaderboard.json, README.md and index.html from the results
    markdown, page, plots   the two pages and their drawings
"""

from __future__ import annotations

from pathlib import Path

from sedbench.errors import DataError
from sedbench.results import Result, read, result_path
from sedbench.spec import slug

_PACKAGE = Path(__file__).parents[1]


def board_folder() -> Path | None:
    """The folder of shipped results: the installed package's, else the checkout's, else None."""
    for folder in (_PACKAGE / "board", _PACKAGE.parent / "leaderboard" / "results"):
        if folder.is_dir():
            return folder
    return None


def shipped(task: str, model: str, *, folder: Path | None = None) -> list[Result]:
    """Every shipped result of a task and a model, sorted by spec and seed, stale ones too.

    Parameters
    ----------
    task : str
    model : str
        Canonical.
    folder : Path, optional
        Another folder than :func:`board_folder`.

    Raises
    ------
    DataError
        A shipped file is damaged, or does not lie where its content says.
    """
    root = folder if folder is not None else board_folder()
    if root is None:
        return []
    found = [_read(path, root) for path in sorted((root / task / slug(model)).glob("*/*.json"))]
    return sorted(found, key=lambda result: (result.spec, result.seed))


def find(
    task: str, model: str, spec: str, seed: int, *, folder: Path | None = None
) -> Result | None:
    """The shipped result of one cell, or None.

    Parameters
    ----------
    task : str
    model, spec : str
        Canonical.
    seed : int
    folder : Path, optional
        Another folder than :func:`board_folder`.
    """
    root = folder if folder is not None else board_folder()
    if root is None:
        return None
    path = result_path(root, task, model, spec, seed)
    return _read(path, root) if path.is_file() else None


def is_stale(result: Result, fingerprint: str) -> bool:
    """Whether a result was measured on another state of its task.

    Parameters
    ----------
    result : Result
    fingerprint : str
        The task's current fingerprint.
    """
    return result.task_fingerprint != fingerprint


def _read(path: Path, root: Path) -> Result:
    result = read(path, "shipped")
    expected = result_path(
        root, result.task, result.model, result.spec, result.seed, result.limited
    )
    if path != expected:
        raise DataError(
            f"{path} holds the result of another cell, {result.task} {result.model} {result.spec} "
            f"seed {result.seed}",
            "it came with sedbench: pip install --force-reinstall sedbench",
        )
    return result
