"""The calls that everybody uses: :func:`run`, :func:`plan` and :func:`train`.

Names are looked up here; the runner and the trainer are handed what was found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, overload

from sedbench import leaderboard, runner
from sedbench.environment import commit_state, environment
from sedbench.errors import NothingSelectedError, UsageError
from sedbench.extra import with_extra
from sedbench.lookup import (
    check_params,
    extra_metrics,
    find_bank,
    find_method,
    find_models,
    find_task,
    with_learned,
)
from sedbench.progress import Progress
from sedbench.protocol.extra import ExtraMetric
from sedbench.refs import MethodRef
from sedbench.registry import registry
from sedbench.results import Result, result_path
from sedbench.tasks import TaskSpec
from sedbench.work import Overwrite, SaveScores, Work, stored
from sedbench.workers import default_jobs

if TYPE_CHECKING:
    import pandas


class Results(Sequence[Result]):
    """The results of one run, in the order of the methods.

    Attributes
    ----------
    task : TaskSpec
    reference : tuple of Result
        Shipped results of the task's reference methods for the same model, to compare with.
    """

    def __init__(
        self, results: Sequence[Result], task: TaskSpec, reference: Sequence[Result] = ()
    ) -> None:
        self._results = tuple(results)
        self.task = task
        self.reference = tuple(reference)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Result]: ...
    def __getitem__(self, index: int | slice) -> Result | Sequence[Result]:
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self._results)

    @property
    def ok(self) -> bool:
        """Whether no cell failed or ran out of time."""
        return all(r.status in ("ok", "not_applicable") for r in self._results)

    def to_frame(self) -> pandas.DataFrame:
        """One row a score record; a result without scores has one row of its own.

        Returns
        -------
        pandas.DataFrame
            Columns ``task, model, method, spec, seed, status, reason`` and those of a record.
        """
        import pandas

        rows: list[dict[str, Any]] = []
        for result in self._results:
            head = {
                "task": result.task,
                "model": result.model,
                "method": result.method,
                "spec": result.spec,
                "seed": result.seed,
                "status": result.status,
                "reason": result.reason,
            }
            rows.extend({**head, **record} for record in result.scores or ({},))
        return pandas.DataFrame(rows)


@dataclass(frozen=True)
class PlannedCell:
    """What a run would do about one method.

    Attributes
    ----------
    task, model, method : str
    seed : int
    state : {"stored", "to run"}
    clips : int
        Test clips.
    calibration : {"shipped", "on validation"}
        Where thresholds come from.
    output : str
        The result file.
    """

    task: str
    model: str
    method: str
    seed: int
    state: str
    clips: int
    calibration: str
    output: str


def results_root(output: Path | None = None) -> Path:
    """Where results go: ``output``, else ``SEDBENCH_RESULTS``, else ``./sedbench-results``."""
    if output is not None:
        return Path(output)
    return Path(os.environ.get("SEDBENCH_RESULTS") or "sedbench-results")


def run(
    methods: Sequence[str],
    task: str | None = None,
    model: str | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    limit: int | None = None,
    jobs: int | None = None,
    overwrite: Overwrite = "stale",
    recalibrate: bool = False,
    timeout: float | None = None,
    output: Path | None = None,
    save_scores: SaveScores = "none",
    scores_dir: Path | None = None,
    progress: Progress | None = None,
    command: str = "sedbench.run",
) -> Results:
    """Evaluate methods on a task.

    Parameters
    ----------
    methods : sequence of str
        ``name`` or ``name[param=value,...]``.
    task : str, optional
        A name, or a task's file; the default task unless given.
    model : str, optional
        ``name`` or ``name[seed=1]``; the task's own unless given.
    seed : int
        Seeds stochastic methods.
    device : {"auto", "cpu", "cuda"}
    limit : int, optional
        Only the first so many test clips: shown, never ranked.
    jobs : int, optional
        Processes; one a processor unless given. The bits do not depend on it.
    overwrite : {"never", "missing", "stale", "always"}
        Which stored results are computed again: none; those that are not ok; also those
        that were measured on another state of task, weights or code; all.
    recalibrate : bool
        Choose thresholds on validation even where they ship.
    timeout : float, optional
        Seconds that a batch of eight clips may take.
    output : Path, optional
        Folder of results.
    save_scores : {"none", "tsv"}
        Also write the frame scores of every test clip and class, as tables that
        ``sed_scores_eval`` reads; see :mod:`sedbench.score_files`.
    scores_dir : Path, optional
        Where to; ``./sedbench-scores`` unless given.
    progress : Progress, optional
    command : str
        Recorded in the results.

    Returns
    -------
    Results

    Raises
    ------
    SedbenchError
        Nothing could be started: a name or value that cannot be, data that is missing. A
        method that fails gives a result with status ``failed`` instead.

    Examples
    --------
    >>> import sedbench
    >>> results = sedbench.run(["random", "energy"], limit=8)  # doctest: +SKIP
    >>> results.to_frame().query("metric == 'iou' and policy == 'chosen'")  # doctest: +SKIP
    """
    work = prepare(
        methods, task, model, seed=seed, device=device, limit=limit, jobs=jobs,
        overwrite=overwrite, recalibrate=recalibrate, timeout=timeout, output=output,
        save_scores=save_scores, scores_dir=scores_dir, command=command,
    )  # fmt: skip
    metrics = extra_metrics()
    found = runner.run(work, progress, metrics)
    return Results(found, work.task, _reference(work, metrics))


def plan(methods: Sequence[str], task: str | None = None, model: str | None = None,
         **options: Any) -> list[PlannedCell]:  # fmt: skip
    """Tell what :func:`run` would do with the same arguments; nothing is computed or written."""
    work = prepare(methods, task, model, **options)
    cells = []
    for method in work.methods:
        shipped = work.shipped(method.spec, work.seed if method.seeded else 0)
        known = shipped[1].provenance.get("identity") if shipped is not None else None
        matches = known == work.identity(method)
        cells.append(
            PlannedCell(
                work.task.name,
                work.model.canonical,
                method.spec,
                work.seed,
                "to run" if stored(work, method) is None else "stored",
                min(work.limit or 10**9, work.task.count("test")),
                "shipped" if matches and not work.recalibrate else "on validation",
                str(work.path(method)),
            )
        )
    return cells


def prepare(
    methods: Sequence[str],
    task: str | None = None,
    model: str | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    limit: int | None = None,
    jobs: int | None = None,
    overwrite: Overwrite = "stale",
    recalibrate: bool = False,
    timeout: float | None = None,
    output: Path | None = None,
    save_scores: SaveScores = "none",
    scores_dir: Path | None = None,
    command: str = "sedbench.run",
) -> Work:
    """Look everything up and check it, before anything is computed."""
    for name, value, least in (("seed", seed, 0), ("limit", limit, 1), ("jobs", jobs, 1)):
        if value is not None and value < least:
            raise UsageError(f"{name} must be at least {least}, got {value}")
    if overwrite not in (known_ways := get_args(Overwrite)):
        raise UsageError(f"overwrite cannot be {overwrite!r}", f"one of: {', '.join(known_ways)}")
    if timeout is not None and not timeout > 0:
        raise UsageError(f"timeout must be more than 0 seconds, got {timeout}")
    if save_scores not in (known_forms := get_args(SaveScores)):
        raise UsageError(
            f"save_scores cannot be {save_scores!r}", f"one of: {', '.join(known_forms)}"
        )
    if scores_dir is not None and save_scores == "none":
        raise UsageError(f"nothing was asked to be saved in {scores_dir}", "add --save-scores tsv")
    if not methods:
        raise NothingSelectedError("no method was chosen", "sedbench list methods has the names")
    known = registry()
    task_spec = find_task(task, known)
    chosen: dict[str, MethodRef] = {}
    for text in methods:
        method = find_method(text, known)
        check_params(method)
        chosen[method.spec] = method
    task_spec.check_drawn("test", "validation")
    models = find_models(model or task_spec.model, task_spec, known, device=device)
    canonical = models[0].canonical
    board = leaderboard.board_folder()

    def shipped(method: str, of_seed: int) -> tuple[Path, Result] | None:
        if board is None:
            return None
        found = leaderboard.find(task_spec.name, canonical, method, of_seed)
        if found is None:
            return None
        return result_path(board, task_spec.name, canonical, method, of_seed), found

    return Work(
        task=task_spec,
        bank=find_bank(task_spec, known).factory,
        models=models,
        methods=tuple(with_learned(method, models) for method in chosen.values()),
        output=results_root(output),
        shipped=shipped,
        seed=seed,
        limit=limit,
        jobs=jobs or default_jobs(),
        overwrite=overwrite,
        recalibrate=recalibrate,
        timeout=timeout,
        provenance={"command": command, "environment": environment(), "commit": commit_state()},
        scores=None if save_scores == "none" else Path(scores_dir or "sedbench-scores"),
    )


def _reference(work: Work, metrics: Sequence[ExtraMetric]) -> list[Result]:
    # Beside the measured rows, by the same metrics: what ships has its items with it.
    found = (work.shipped(find_method(text).spec, 0) for text in work.task.reference)
    decision = work.task.threshold
    return [with_extra(each[1], each[0], metrics, decision) for each in found if each is not None]
