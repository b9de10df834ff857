"""Everything that a report says of some results, worked out once: plain values, no drawing.

In: results of one task and one model with their items. Out: a :class:`Gathered`, with the methods
from the best to the worst, and those without a rank behind them. Figures are the headline's (IoU,
policy ``chosen``, localisation view, mean over pairs, the task's primary truth, no smoothing), the
same that ``sedbench compare`` and a board show. One pass of the bootstrap a method serves ranks,
intervals and every stratum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.contenders import (
    Contender,
    check_same_pairs,
    identical,
    names,
    primary_truth,
)
from sedbench.errors import NothingSelectedError, UsageError
from sedbench.leaderboard import is_stale
from sedbench.leaderboard.ranking import ORACLE, Standing, headline
from sedbench.leaderboard.rows import board
from sedbench.metrics.catalogue import METRICS_VERSION
from sedbench.progress import Progress
from sedbench.protocol.decisions import Decisions
from sedbench.protocol.sensitivity import Sensitivity
from sedbench.protocol.strata import Levels
from sedbench.ranks import ranks, told_apart
from sedbench.report.breakdowns import Breakdown, Job, breakdowns, figures, kinds
from sedbench.report.placings import Placings, placings
from sedbench.results import Result
from sedbench.tasks import TaskSpec
from sedbench.workers import run_jobs


@dataclass(frozen=True, eq=False)
class Gathered:
    """What a report says, methods from the best to the worst, unranked ones last.

    Attributes
    ----------
    task : TaskSpec
    contenders : tuple of Contender
    names : tuple of str
    standings : tuple of Standing
    board : mapping
        The table in plain values, as :func:`sedbench.leaderboard.rows.board` gives it.
    placings : Placings or None
        Of the ranked methods; None with fewer than two.
    breakdowns : tuple of Breakdown
        By class first.
    curves : mapping of str to Sensitivity
        By the methods' names.
    decisions : tuple of Decisions
    stale : bool
        Whether something was measured on another state of the task.
    resamples : int
    """

    task: TaskSpec
    contenders: tuple[Contender, ...]
    names: tuple[str, ...]
    standings: tuple[Standing, ...]
    board: Mapping[str, Any]
    placings: Placings | None
    breakdowns: tuple[Breakdown, ...]
    curves: Mapping[str, Sensitivity]
    decisions: tuple[Decisions, ...]
    stale: bool
    resamples: int

    @property
    def truth(self) -> str:
        """The truth that everything is held against."""
        return primary_truth(self.contenders[0].result)


def check_one_cell(contenders: Sequence[Contender]) -> None:
    """See that results are about one task and one model, and that no two are of one cell.

    Raises
    ------
    UsageError
        They are not; the hint says what to do instead.
    """
    first = contenders[0].result
    for other in (contender.result for contender in contenders):
        both = f"{first.spec} is on {first.task} with {first.model}, "
        both += f"{other.spec} on {other.task} with {other.model}"
        if other.task != first.task:
            raise UsageError(f"a report is about one task: {both}", "write a report for each task")
        if other.model != first.model:
            raise UsageError(
                f"a report is about one model, since others detect other classes: {both}",
                "write a report for each model; `sedbench compare --seeds` looks across seeds",
            )
        if other.limited != first.limited:
            limits = [str(r.limited or "all") for r in (first, other)]
            raise UsageError(
                f"{first.spec} was measured on {limits[0]} clips, {other.spec} on {limits[1]}",
                "write a report for each --limit",
            )


def gather(
    contenders: Sequence[Contender],
    task: TaskSpec,
    *,
    levels: Callable[[], Levels] | None = None,
    resamples: int,
    jobs: int = 1,
    progress: Progress,
) -> Gathered:
    """Work out everything that a report says.

    Parameters
    ----------
    contenders : sequence of Contender
        At least one.
    task : TaskSpec
        Theirs, as it is installed.
    levels : callable, optional
        Gives the SNR of the loudest event of each (clip, class); None where nobody knows.
    resamples : int
        Bootstrap replicates.
    jobs : int
        Processes; the figures are the same whatever their number.
    progress : Progress

    Raises
    ------
    UsageError
        The results are of different tasks, models or limits.
    DataError
        They are not about the same pairs.
    """
    if not contenders:
        raise NothingSelectedError("no result was named", "sedbench report NAME OTHER --html FILE")
    check_one_cell(contenders)
    check_same_pairs(contenders, task.threshold)
    called = dict(zip(map(id, contenders), names(contenders), strict=True))
    ordered = tuple(
        sorted(
            contenders,
            key=lambda c: (bool(_why_not(c.result, task)), _worst_last(c.result), called[id(c)]),
        )
    )
    told = tuple(called[id(contender)] for contender in ordered)
    cuts = kinds(ordered[0], levels)
    progress.start("resample", len(ordered))
    found = []
    todo = [Job(contender, cuts, task.threshold, resamples) for contender in ordered]
    for done in run_jobs(figures, todo, jobs):
        found.append(done)
        progress.advance()
    progress.finish()
    drawn = np.stack([each.replicates for each in found])
    standings = _standings(ordered, drawn, task)
    return Gathered(
        task=task,
        contenders=ordered,
        names=told,
        standings=standings,
        board=board(
            [(c.result, standing, {}) for c, standing in zip(ordered, standings, strict=True)],
            lambda _: task,
        ),
        placings=_placings(ordered, standings, drawn),
        breakdowns=tuple(breakdowns(cuts, found)),
        curves={name: each.curve for name, each in zip(told, found, strict=True)},
        decisions=tuple(each.decisions for each in found),
        stale=any(_stale(contender.result, task) for contender in ordered),
        resamples=resamples,
    )


def _standings(
    ordered: Sequence[Contender], drawn: NDArray[np.float64], task: TaskSpec
) -> tuple[Standing, ...]:
    reasons = [_why_not(contender.result, task) for contender in ordered]
    kept = [i for i, reason in enumerate(reasons) if not reason]
    found = [Standing(None, reason) for reason in reasons]
    placed = ranks(
        [headline(ordered[i].result) for i in kept],
        drawn[kept],
        identical([[ordered[i]] for i in kept]),
    )
    for i, rank in zip(kept, placed, strict=True):
        found[i] = Standing(rank)
    return tuple(found)


def _placings(
    ordered: Sequence[Contender], standings: Sequence[Standing], drawn: NDArray[np.float64]
) -> Placings | None:
    kept = [i for i, standing in enumerate(standings) if standing.rank is not None]
    if len(kept) < 2:
        return None
    same = identical([[ordered[i]] for i in kept])
    values = [headline(ordered[i].result) for i in kept]
    return placings(kept, drawn[kept], same, told_apart(values, drawn[kept], same))


def _worst_last(result: Result) -> float:
    value = headline(result)
    return math.inf if math.isnan(value) else -value


def _stale(result: Result, task: TaskSpec) -> bool:
    return is_stale(result, task.fingerprint(METRICS_VERSION))


def _why_not(result: Result, task: TaskSpec) -> str:
    """Why a result has no rank here; empty where it has one."""
    scored, expected = result.pairs.get("scored"), result.pairs.get("expected")
    reasons = (
        (_stale(result, task), "stale: measured before the task changed"),
        (result.limited is not None, f"limited to {result.limited} clips"),
        (scored != expected, f"{scored} of {expected} pairs scored"),
        (result.supervision == "oracle", ORACLE),
        (result.kind == "control", "a control, not a competitor"),
        (math.isnan(headline(result)), "its IoU is undefined"),
    )
    return next((reason for so, reason in reasons if so), "")
