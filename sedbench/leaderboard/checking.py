"""Everything that a board's results have to hold, checked for all of them or for some.

In order, and each of them for every file: it is strict JSON of the schema's form and lies where
its content says; its digest is that of its content; what it claims can be; nothing changed that
does not say so; its items are the recorded ones, hold the task's frozen clips, and give its
figures again. The last is most of the time, and runs in worker processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sedbench.errors import MissingDataError, SedbenchError
from sedbench.leaderboard import claims, history
from sedbench.leaderboard.claims import Known, is_current, stale
from sedbench.leaderboard.documents import DIGEST
from sedbench.leaderboard.entries import (
    Entry,
    duplicates,
    read_entry,
    results_folder,
    walk,
)
from sedbench.leaderboard.evidence import Found, Job, examine
from sedbench.leaderboard.problem import Problem
from sedbench.metrics.catalogue import METRICS_VERSION
from sedbench.progress import Progress, Quiet
from sedbench.workers import run_jobs

if TYPE_CHECKING:
    from sedbench.results import Result
    from sedbench.tasks import TaskSpec

_HINTS = {
    "items": "an items file is written together with its result: add both again",
    "scores": "figures follow from the items: sedbench run writes them, nobody else",
}


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes
    ----------
    checked : int
        Results.
    recomputed : int
        Those of which every figure was worked out again.
    problems : tuple of Problem
    stale : mapping of str to str
        Results that are kept and not ranked, with the reason.
    """

    checked: int
    recomputed: int
    problems: tuple[Problem, ...]
    stale: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing has to be refused."""
        return not self.problems


def check(
    board: Path,
    known: Known,
    *,
    paths: Sequence[Path] = (),
    base: str | None = None,
    changed_only: bool = False,
    figures: bool = True,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Check a board, or some of its results.

    Parameters
    ----------
    board : Path
        The folder that holds ``results``.
    known : Known
    paths : sequence of Path
        Only these files, or what lies below these folders.
    base : str, optional
        A git commit whose board no result may silently differ from.
    changed_only : bool
        Work out again only the figures of results that ``base`` does not hold as they are.
    figures : bool
        Work out figures at all; without, only the items' clips and truths are looked at.
    jobs : int
        Worker processes.
    progress : Progress, optional

    Raises
    ------
    MissingDataError
        There is no such board, or no result at a path.
    """
    folder = results_folder(board)
    if not folder.is_dir():
        raise MissingDataError(f"there is no board in {board}", "name its folder with --folder")
    entries, problems = walk(folder)
    chosen = _chosen(entries, problems, paths, folder)
    problems = [p for p in problems if not paths or p.file in chosen]
    records = [record for record in (history.recorded(board),) if record is not None]
    if base is not None:
        records.append(history.committed(board, base))
    for record in records:
        moved = history.changes(entries, record, whole=not paths)
        problems += [p for p in moved if not paths or p.file in chosen]
    problems += [p for p in duplicates(entries) if not paths or p.file in chosen]
    mine = [entry for entry in entries if not paths or entry.name in chosen]
    same = records[-1].digests if base is not None and changed_only else {}
    wanted = {e.name for e in mine if figures and same.get(e.name) != e.digest}
    beside = _beside(mine, entries)
    found, recomputed = _examined([*mine, *beside], known, wanted, jobs, progress or Quiet())
    for entry in mine:
        problems += _of_one(entry, known, found.get(entry.name))
        # The last record is the one that a submission cannot have written itself.
        if records and records[-1].digests.get(entry.name) != entry.digest:
            problems += _on_trust(entry, known)
    problems += [p for p in _shared_truth(entries, found) if not paths or p.file in chosen]
    aside = {e.name: reason for e in mine if (reason := stale(e.result, known))}
    ordered = sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.field, p.message))
    return Report(len(mine), recomputed, tuple(ordered), aside)


def check_new(
    path: Path, folder: Path, others: Sequence[Entry], known: Known
) -> tuple[Entry | None, list[Problem]]:
    """Check a result that is not on the board yet, wherever it lies.

    Parameters
    ----------
    path : Path
        A result file, its items beside it.
    folder : Path
        Of all results of the board.
    others : sequence of Entry
        What the board holds.
    known : Known

    Returns
    -------
    Entry or None, list of Problem
        The entry under the name that it would have; there is none where it cannot be read.
    """
    entry, problem = read_entry(path, folder, inside=False)
    if entry is None:
        return None, [problem]
    held, others = others, [e for e in others if e.name != entry.name]
    beside = [e for e in others if e.result.task == entry.result.task]
    found, _ = _examined([entry, *beside], known, {entry.name}, 1, Quiet())
    problems = _of_one(entry, known, found.get(entry.name))
    if all((e.name, e.digest) != (entry.name, entry.digest) for e in held):
        problems += _on_trust(entry, known)
    problems += [p for p in duplicates([*others, entry]) if p.file == entry.name]
    problems += [p for p in _shared_truth([entry, *beside], found) if p.file == entry.name]
    return entry, problems


def _chosen(
    entries: Sequence[Entry], problems: Sequence[Problem], paths: Sequence[Path], folder: Path
) -> set[str]:
    """Names on the board at or below some paths; of an items file that of its result."""
    files = {
        name: folder.resolve() / name
        for name in (*(e.name for e in entries), *(p.file for p in problems))
    }
    chosen: set[str] = set()
    for path in paths:
        place = path.resolve()
        if place.name.endswith(".items.npz"):
            place = place.with_name(place.name.removesuffix(".items.npz") + ".json")
        inside = {n for n, file in files.items() if file == place or place in file.parents}
        if not inside:
            raise MissingDataError(
                f"{path} is no result of the board in {folder.parent}",
                "name files or folders below its results, or another board with --folder",
            )
        chosen |= inside
    return chosen


def _beside(mine: Sequence[Entry], entries: Sequence[Entry]) -> list[Entry]:
    """The other results of the same tasks: their items have to tell the same truth."""
    names, tasks = {e.name for e in mine}, {e.result.task for e in mine}
    return [e for e in entries if e.result.task in tasks and e.name not in names]


def _examined(
    entries: Sequence[Entry], known: Known, wanted: set[str], jobs: int, progress: Progress
) -> tuple[dict[str, Found], int]:
    todo: list[tuple[str, Job]] = []
    for entry in entries:
        result, task = entry.result, known.task(entry.result.task)
        if result.status != "ok" or result.items is None or task is None:
            continue
        again = entry.name in wanted and _able(result, task)
        todo.append((entry.name, Job(entry.path, result, task, is_current(result, task), again)))
    todo.sort(key=lambda each: not each[1].recompute)
    progress.start("check items", len(todo))
    found: dict[str, Found] = {}
    answers = run_jobs(examine, [job for _, job in todo], jobs)
    for (name, _), answer in zip(todo, answers, strict=True):
        found[name] = answer
        progress.advance()
    progress.finish()
    return found, sum(job.recompute for _, job in todo)


def _able(result: Result, task: TaskSpec) -> bool:
    """Whether the metrics of today can work out a result's figures; those of others are stale."""
    return result.provenance.get("metrics_version") == METRICS_VERSION or is_current(result, task)


def _on_trust(entry: Entry, known: Known) -> Iterator[Problem]:
    """A result that no record holds and whose figures nobody can work out again."""
    result, task = entry.result, known.task(entry.result.task)
    if result.status == "ok" and task is not None and not _able(result, task):
        version = result.provenance.get("metrics_version")
        yield Problem(
            entry.name, "provenance.metrics_version",
            f"is {version!r}, and {METRICS_VERSION!r} here: its figures cannot be worked out again",
            "measure it again with this sedbench: old metrics stay where a record holds them",
        )  # fmt: skip


def _of_one(entry: Entry, known: Known, found: Found | None) -> list[Problem]:
    """What is wrong with one file, but for what others say of it."""
    faults: list[tuple[str, str]] = []
    said = entry.document.get(DIGEST)
    if said is not None and said != entry.digest:
        faults.append((DIGEST, f"is {said}, of this content {entry.digest}: something was edited"))
    result = entry.result
    if result.items is not None and result.items["file"] != Path(entry.name).stem + ".items.npz":
        faults.append(("items.file", f"is {result.items['file']!r}, not the file beside it"))
        found = None
    try:
        faults += claims.faults(result, known)
    except SedbenchError as error:
        faults.append(("", error.message))
    if found is not None:
        faults += found.faults
    return [
        Problem(entry.name, place, message, _HINTS.get(place.partition("[")[0], ""))
        for place, message in faults
    ]


def _shared_truth(entries: Sequence[Entry], found: dict[str, Found]) -> Iterator[Problem]:
    """Results of one task whose items disagree on what is true: the fewer are at fault."""
    tasks: dict[tuple[str, str], dict[str, str]] = {}
    for entry in entries:
        answer, result = found.get(entry.name), entry.result
        if answer is not None and answer.truth and result.limited is None:
            key = (result.task, result.task_fingerprint)
            tasks.setdefault(key, {})[entry.name] = answer.truth
    for truths in tasks.values():
        counted = Counter(truths.values()).most_common()
        if len(counted) < 2:
            continue
        most = counted[0][1]
        right = {truth for truth, n in counted if n == most}
        for name, truth in truths.items():
            if len(right) > 1 or truth not in right:
                yield Problem(
                    name, "items", "their truth is not that of the task's other results",
                    "the same recordings give the same truth: fetch them again and measure",
                )  # fmt: skip
