"""The test clips of a task, a few at a time, each with the model of its rotation.

For what asks about clips after a run: no more of them are in memory than workers are busy with,
however many a task has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from sedbench.data.cache import BankFactory, iter_rendered
from sedbench.data.render import Rendered
from sedbench.progress import Progress
from sedbench.refs import ModelRef
from sedbench.tasks import TaskSpec
from sedbench.types import Split
from sedbench.workers import run_jobs

Job = TypeVar("Job")
Out = TypeVar("Out")

_AHEAD = 4  # jobs a worker that are in memory at a time


@dataclass(frozen=True)
class Batch:
    """Neighbouring clips of one rotation.

    Attributes
    ----------
    model : ModelRef
    clips : tuple of Rendered
    """

    model: ModelRef
    clips: tuple[Rendered, ...]


def batches(
    task: TaskSpec,
    bank: BankFactory,
    models: Sequence[ModelRef],
    progress: Progress,
    *,
    size: int,
    limit: int | None = None,
    jobs: int = 1,
) -> Iterator[Batch]:
    """The test clips of a task, rotation by rotation, in the index's order.

    Parameters
    ----------
    task : TaskSpec
    bank : callable
        Returns the task's soundbank.
    models : sequence of ModelRef
        One a rotation.
    progress : Progress
        Told about clips that are rendered.
    size : int
        Clips of a batch, at most.
    limit : int, optional
        Only the first so many clips.
    jobs : int
        Processes that render.
    """
    blocks: list[tuple[ModelRef, Split, int | None, int]] = []
    left = 10**9 if limit is None else limit
    for turn, model in zip(task.rotations, models, strict=True):
        for source, fold in turn.blocks("test"):
            count = min(left, task.count(source, fold))
            left -= count
            if count:
                blocks.append((model, source, fold, count))
    # All are rendered first: workers that render and workers that compute are the same ones.
    progress.start("render test clips", sum(count for *_, count in blocks))
    for _, source, fold, count in blocks:
        for _ in iter_rendered(task, source, bank, fold=fold, limit=count, jobs=jobs):
            progress.advance()
    progress.finish()
    for model, source, fold, count in blocks:
        clips = iter_rendered(task, source, bank, fold=fold, limit=count)
        while batch := tuple(islice(clips, size)):
            yield Batch(model, batch)


def answered(
    function: Callable[[Job], Out], jobs: Iterable[Job], workers: int
) -> Iterator[tuple[Job, Out]]:
    """Each job with its answer, in order; only a few are in memory at a time.

    Parameters
    ----------
    function : callable
        At module level.
    jobs : iterable
    workers : int
    """
    waiting = iter(jobs)
    while window := list(islice(waiting, _AHEAD * max(workers, 1))):
        yield from zip(window, run_jobs(function, window, workers), strict=True)
