"""Which results of a board are ranked, why the others are not, and who shares a rank.

A table is one task and one model: pairs differ from model to model, so nothing is ranked across
them. Ranked is what can be compared: complete, of the task and the method as they are now, and
about the same pairs as the rest. Everything else is shown with the reason.

Ranks go by the headline, the mean IoU over the pairs of the localisation view at the thresholds
chosen on validation. Methods that cannot be told apart share a rank
(:func:`sedbench.ranks.ranks`): paired differences in every replicate of the crossed bootstrap,
adjusted for all pairs of the table, 5 %.

A *control* is no competitor: it shows what a figure means, for instance that an answer does not
depend on what the model learnt, or how high a score can be. Its ``kind`` or ``supervision`` says
so, or the board's own ``board.toml``::

    [[control]]
    spec = "name[param=value]"
    reason = "what it is there for"

The same file may say which tasks are shown first, before the others by name: ``order = ["task"]``.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sedbench.comparison import twins
from sedbench.errors import DataError
from sedbench.leaderboard.claims import Known, stale
from sedbench.leaderboard.entries import Entry
from sedbench.progress import Progress, Quiet
from sedbench.protocol.moments import LOCALISATION
from sedbench.protocol.pairs import Views
from sedbench.protocol.records import Row
from sedbench.protocol.replicates import measure
from sedbench.ranks import ranks
from sedbench.report.columns import record
from sedbench.results import Result, read_items
from sedbench.stats import RESAMPLES
from sedbench.workers import run_jobs

SETTINGS = "board.toml"
ORACLE = "a bound, not a competitor: it is told the truth"
_CONTROL = "control"
_ORDER = "order"
_ABSENT = "absent"


@dataclass(frozen=True)
class Settings:
    """What a board says beyond its results' own files.

    Attributes
    ----------
    controls : dict of str to str
        Canonical spec to reason.
    order : tuple of str
        Tasks that are shown first.
    absent : dict of str to str
        Tasks that ship and have no table, to the reason.
    """

    controls: dict[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """Where a result stands in its table.

    Attributes
    ----------
    rank : int or None
    reason : str
        Why it has none; empty where it has one.
    """

    rank: int | None
    reason: str = ""


@dataclass(frozen=True)
class Job:
    """A result whose replicates are wanted."""

    path: Path
    result: Result
    decision: float
    resamples: int = RESAMPLES


@dataclass(frozen=True, eq=False)
class Drawn:
    """The headline of a result in every replicate.

    Attributes
    ----------
    replicates : ndarray, shape (replicates,)
    pairs : str
        A hash of which pairs were scored: rows can be compared where it is the same.
    scores : str
        A hash of the frame scores.
    """

    replicates: NDArray[np.float64]
    pairs: str
    scores: str


def settings(board: Path) -> Settings:
    """Read the board's own ``board.toml``.

    Raises
    ------
    DataError
        ``board.toml`` has another form.
    """
    path = board / SETTINGS
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", "mend it, or bring it back") from error
    found: dict[str, str] = {}
    for row in held.get("control", []):
        if set(row) != {"spec", "reason"} or not all(isinstance(v, str) for v in row.values()):
            raise DataError(f"{path}: a control has a spec and a reason, not {row}")
        found[row["spec"]] = row["reason"]
    if strange := set(held) - {_CONTROL, _ORDER, _ABSENT}:
        raise DataError(f"{path}: unknown key {sorted(strange)[0]!r}")
    order = held.get(_ORDER, [])
    if not isinstance(order, list) or not all(isinstance(name, str) for name in order):
        raise DataError(f"{path}: order is a list of tasks' names, not {order!r}")
    absent = held.get(_ABSENT, {})
    if not isinstance(absent, dict) or not all(isinstance(why, str) for why in absent.values()):
        raise DataError(f"{path}: absent gives tasks a reason, not {absent!r}")
    return Settings(found, tuple(order), absent)


def replicates(job: Job) -> Drawn:
    """Work out the headline of one result in every replicate."""
    validation, test = read_items(job.path, job.result)
    primary = job.result.scores[0]["truth"]
    measured = measure(
        validation, test, primary=primary, decision=job.decision, smoothings=("none",)
    )
    wanted = Row("iou", "chosen", LOCALISATION, "pairs", "all", primary, "none")
    assert wanted in measured.todo.rows
    figures = measured.only([wanted]).replicates(job.resamples)[0, 0]
    kept = Views(test, job.decision).localisation
    return Drawn(figures, _hash(kept), _hash(test.scores, test.mask))


def _hash(*arrays: NDArray[np.generic] | None) -> str:
    name = hashlib.sha256()
    for array in arrays:
        if array is not None:
            name.update(np.ascontiguousarray(array).tobytes())
    return name.hexdigest()


def headline(result: Result) -> float:
    """The figure that ranks go by; NaN where it is undefined."""
    found = record(result, "iou")
    return math.nan if found is None or found["value"] is None else float(found["value"])


def standings(
    entries: Sequence[Entry],
    known: Known,
    aside: Mapping[str, str],
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    resamples: int = RESAMPLES,
) -> dict[str, Standing]:
    """Rank the results of a board.

    Parameters
    ----------
    entries : sequence of Entry
    known : Known
    aside : mapping of str to str
        Controls: spec to reason.
    jobs : int
        Worker processes.
    progress : Progress, optional
    resamples : int
        Bootstrap replicates.

    Returns
    -------
    dict of str to Standing
        By the entries' names.
    """
    shown = progress if progress is not None else Quiet()
    found: dict[str, Standing] = {}
    tables: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        reason = _why_not(entry.result, known, aside)
        if reason:
            found[entry.name] = Standing(None, reason)
        else:
            tables.setdefault((entry.result.task, entry.result.model), []).append(entry)
    todo = [entry for table in tables.values() for entry in table]
    shown.start("rank", len(todo))
    drawn: dict[str, Drawn] = {}
    work = [Job(e.path, e.result, _decision(e, known), resamples) for e in todo]
    for entry, answer in zip(todo, run_jobs(replicates, work, jobs), strict=True):
        drawn[entry.name] = answer
        shown.advance()
    shown.finish()
    for table in tables.values():
        found |= _ranked(table, drawn)
    return found


def _decision(entry: Entry, known: Known) -> float:
    task = known.task(entry.result.task)
    assert task is not None  # or it would not be ranked
    return task.threshold


def _why_not(result: Result, known: Known, aside: Mapping[str, str]) -> str:
    """Why a result is not ranked, whatever the others are; empty where it may be."""
    scored, expected = result.pairs.get("scored"), result.pairs.get("expected")
    control = "a control, not a competitor"
    reasons = (
        (result.status != "ok", f"{result.status.replace('_', ' ')}: {result.reason}"),
        (known.task(result.task) is None, "its task does not ship with sedbench"),
        (reason := stale(result, known), reason),
        (result.limited is not None, f"limited to {result.limited} clips"),
        (scored != expected, f"{scored} of {expected} pairs scored"),
        (result.supervision == "oracle", ORACLE),
        (result.spec in aside, f"{control}: {aside.get(result.spec)}"),
        (math.isnan(headline(result)), "its IoU is undefined"),
    )
    return next((reason for so, reason in reasons if so), "")


def _ranked(table: Sequence[Entry], drawn: Mapping[str, Drawn]) -> dict[str, Standing]:
    """Rank one table; its pairs are those of most of its rows."""
    counted = Counter(drawn[entry.name].pairs for entry in table).most_common()
    # Of two halves neither is the board's: the order of names decides, so that it is one order.
    most = min(pairs for pairs, n in counted if n == counted[0][1])
    found: dict[str, Standing] = {}
    rows = []
    for entry in sorted(table, key=lambda each: each.name):
        if drawn[entry.name].pairs == most:
            rows.append(entry)
        else:
            found[entry.name] = Standing(None, "about other pairs than the rest of the table")
    same = twins([e.result.equals for e in rows], [drawn[e.name].scores for e in rows])
    placed = ranks(
        [headline(entry.result) for entry in rows],
        np.stack([drawn[entry.name].replicates for entry in rows]),
        same,
    )
    found |= {e.name: Standing(rank) for e, rank in zip(rows, placed, strict=True)}
    return found
