"""``leaderboard.json``, ``README.md`` and ``index.html`` from the results, byte for byte.

The three hold no time of building and no order that a file system decided: the same results give
the same bytes, so that a difference is an edit by hand or a result that nobody built from.
Nothing is built from results that are damaged, or that changed without saying which one they
supersede; otherwise building would write a careless edit's digest over the old one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sedbench.files import write_atomic
from sedbench.leaderboard import history
from sedbench.leaderboard.checking import check
from sedbench.leaderboard.claims import Known
from sedbench.leaderboard.entries import Entry, results_folder, walk
from sedbench.leaderboard.markdown import readme
from sedbench.leaderboard.page import page
from sedbench.leaderboard.problem import Problem
from sedbench.leaderboard.ranking import settings, standings
from sedbench.leaderboard.rows import boards
from sedbench.progress import Progress
from sedbench.stats import RESAMPLES

VERSION = 1
"""Of the form of ``leaderboard.json``."""


@dataclass(frozen=True)
class Built:
    """What building came to.

    Attributes
    ----------
    boards, ranked, results : int
        Tables, ranked rows, and results.
    changed : tuple of str
        Files that were not what the results give.
    problems : tuple of Problem
        Why nothing was built, where there are any.
    """

    boards: int = 0
    ranked: int = 0
    results: int = 0
    changed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def build(
    board: Path,
    known: Known,
    *,
    write: bool = True,
    jobs: int = 1,
    progress: Progress | None = None,
    resamples: int = RESAMPLES,
) -> Built:
    """Build a board's pages.

    Parameters
    ----------
    board : Path
        The folder that holds ``results``.
    known : Known
    write : bool
        Without, only compare.
    jobs : int
        Worker processes.
    progress : Progress, optional
    resamples : int
        Bootstrap replicates that ranks go by.

    Raises
    ------
    DataError
        There is no board, or it cannot be written.
    """
    report = check(board, known, figures=False, jobs=jobs, progress=progress)
    if report.problems:
        return Built(problems=report.problems)
    entries, _ = walk(results_folder(board))
    own = settings(board)
    placed = standings(
        entries, known, own.controls, jobs=jobs, progress=progress, resamples=resamples
    )
    held: dict[str, Any] = {
        "schema_version": VERSION,
        "about": "written by `sedbench leaderboard build`; edits are overwritten",
        "boards": [
            {**table, "without": without(table, entries)}
            for table in boards(entries, placed, known, own.order)
        ],
        "absent": [{"task": task, "why": why} for task, why in sorted(own.absent.items())],
        "published": published(entries, known),
        "digests": {entry.name: entry.digest for entry in entries},
    }
    pages = {
        history.INDEX: json.dumps(held, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "README.md": readme(held),
        "index.html": page(held),
    }
    changed = [name for name, text in pages.items() if _differs(board / name, text.encode())]
    if write:
        for name in changed:
            write_atomic(board / name, pages[name].encode())
    ranked = sum(standing.rank is not None for standing in placed.values())
    return Built(len(held["boards"]), ranked, len(entries), tuple(changed))


def _differs(path: Path, content: bytes) -> bool:
    return not path.is_file() or path.read_bytes() != content


def without(table: Mapping[str, Any], entries: Sequence[Entry]) -> list[str]:
    """Methods that other tables have, and this one has not."""
    here = {row["method"] for row in (*table["rows"], *table["unranked"])}
    return sorted({entry.result.method for entry in entries} - here)


def published(entries: list[Entry], known: Known) -> list[dict[str, Any]]:
    """Figures that others reported on their own data, a table a task that cites them."""
    found = []
    for name in sorted({entry.result.task for entry in entries}):
        task = known.task(name)
        if task is not None and task.published:
            rows = [
                {"method": row.method, "iou": row.iou, "f1": row.f1, "pg": row.pg}
                for row in task.published
            ]
            found.append({"task": name, "note": task.published_note, "rows": rows})
    return found
