"""Ask methods again while the classifier's layers become random, and see what is left.

What names the same frames whatever the classifier has learnt does not explain it: it finds edges,
or loudness. Each method is asked about the pairs that the *trained* classifier detects, first of
that classifier and then at every stage of
:mod:`sedbench.models.partly_random`. What is measured is the rank correlation of its frame scores
with those of the trained classifier, pair by pair.

A method that draws random numbers draws the same ones at every stage, so that what changes is the
classifier alone. How much it varies by itself is told apart: the same correlation when it is asked
*again* of the trained classifier with other draws.

References
----------
J. Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sedbench import answers
from sedbench.answers import Chunk
from sedbench.data.cache import BankFactory, pair_table
from sedbench.data.render import Rendered
from sedbench.errors import MissingDataError, NotApplicable, NothingSelectedError
from sedbench.metrics.rank_correlation import rank_correlation
from sedbench.progress import Progress, Quiet
from sedbench.protocol.means import Means, means, resampling_of
from sedbench.refs import MethodRef, ModelRef
from sedbench.stats import RESAMPLES
from sedbench.streamed import Batch, answered, batches
from sedbench.tasks import TaskSpec
from sedbench.types import BoolArray, FloatArray, FrameGrid, Query

if TYPE_CHECKING:
    from sedbench.models.partly_random import Stage
    from sedbench.models.store import ModelHandle

NEAR = 0.9
"""A correlation that stays above this is no sign of the model."""

FAR = 0.3
"""At most this much, whatever its sign, is as good as none, if the interval says so too."""

Verdict = Literal["blind", "partly", "follows", "undefined", "not applicable"]


@dataclass(frozen=True)
class Row:
    """A method through all stages.

    Attributes
    ----------
    spec : str
    again : Means or None
        Asked again of the trained classifier with other draws; None where it draws nothing.
    stages : Means or None
        A column a stage; None where it does not apply.
    n_pairs : int
        Asked about; those without an order at a stage are left out there.
    reason : str
        Why it does not apply, else empty.
    """

    spec: str
    again: Means | None
    stages: Means | None
    n_pairs: int
    reason: str = ""

    @property
    def verdict(self) -> Verdict:
        """What the stage says at which least is left of the method's order."""
        if self.stages is None:
            return "not applicable"
        enough = self.stages.defined * 2 >= self.n_pairs
        if not enough.any():
            return "undefined"
        size = np.where(enough, np.abs(self.stages.value), np.inf)
        least = int(np.argmin(size))
        low, high = float(self.stages.low[least]), float(self.stages.high[least])
        if low >= NEAR:
            return "blind"
        gone = max(abs(low), abs(high)) <= FAR or low <= 0 <= high
        return "follows" if gone and size[least] <= FAR else "partly"


@dataclass(frozen=True)
class Randomised:
    """Methods through all stages.

    Attributes
    ----------
    stages : tuple of Stage
    independent : bool
        One stage random at a time, the others trained; else a cascade.
    rows : tuple of Row
    n_pairs, n_clips, n_groups : int
    """

    stages: tuple[Stage, ...]
    independent: bool
    rows: tuple[Row, ...]
    n_pairs: int
    n_clips: int
    n_groups: int


@dataclass(frozen=True)
class _Job:
    """A few clips and what is asked about them, on their way to a worker."""

    model: ModelRef
    methods: tuple[MethodRef, ...]
    clip_ids: tuple[str, ...]
    waveforms: NDArray[np.float32]
    pairs: NDArray[np.int64]
    truth: BoolArray
    grid: FrameGrid
    threshold: float
    modules: tuple[tuple[str, ...], ...]
    weights_seed: int
    seed: int


@dataclass(frozen=True)
class _Said:
    """Which of the pairs are detected, and of each method the correlations or a reason.

    The first column is that of being asked again.
    """

    kept: BoolArray
    found: tuple[NDArray[np.float64] | str, ...]


def randomise(
    methods: Sequence[MethodRef],
    task: TaskSpec,
    bank: BankFactory,
    models: Sequence[ModelRef],
    *,
    weights_seed: int = 0,
    seed: int = 0,
    most: int,
    independent: bool = False,
    limit: int | None = None,
    jobs: int = 1,
    resamples: int = RESAMPLES,
    progress: Progress | None = None,
) -> Randomised:
    """Ask methods while a classifier's layers become random.

    Parameters
    ----------
    methods : sequence of MethodRef
    task : TaskSpec
    bank : callable
        Returns the task's soundbank.
    models : sequence of ModelRef
        The explained classifier of each rotation.
    weights_seed, seed : int
        Of the random weights, and of stochastic methods.
    most : int
        Stages at most.
    independent : bool
        Replace one stage at a time instead of more and more.
    limit : int, optional
        Only the first so many test clips.
    jobs : int
        Processes. The figures do not depend on it.
    resamples : int
        Of the intervals.
    progress : Progress, optional

    Raises
    ------
    NothingSelectedError
        The classifier detects no pair.
    SedbenchError
        A method failed.
    """
    from sedbench.models.partly_random import Randomiser, stages

    shown = progress or Quiet()
    if file := models[0].missing():
        raise MissingDataError(f"{models[0].name!r} needs {file}", models[0].fetch)
    samples = int(task.duration * task.sample_rate)
    plan = stages(Randomiser(models[0].handle(), weights_seed).trained(), samples, most)
    modules = [stage.modules for stage in plan]
    if not independent:
        modules = [sum(modules[: count + 1], ()) for count in range(len(modules))]
    stream = batches(task, bank, models, shown, size=answers.CHUNK, limit=limit, jobs=jobs)
    clips: list[Rendered] = []
    work = _jobs(stream, clips, task, tuple(methods), tuple(modules), (weights_seed, seed))
    said: list[_Said] = []
    shown.start("ask again with random layers", min(limit or 10**9, task.count("test")))
    for job, answer in answered(_ask, work, jobs):
        said.append(answer)
        shown.advance(len(job.clip_ids))
    shown.finish()
    table = pair_table(clips, task.classes, task.grid)
    kept = np.concatenate([each.kept for each in said]) if said else np.zeros(0, bool)
    if not kept.any():
        raise NothingSelectedError(
            f"no pair of {len(clips)} clips is detected by {models[0].canonical}",
            "leave --limit out, or raise it",
        )
    resampling = resampling_of(table, kept)
    rows = []
    for number, method in enumerate(methods):
        parts = [each.found[number] for each in said]
        reasons = [part for part in parts if isinstance(part, str)]
        if reasons:
            rows.append(Row(method.spec, None, None, int(kept.sum()), reasons[0]))
            continue
        values = np.concatenate([part for part in parts if not isinstance(part, str)])
        again = means(values[:, :1], resampling, resamples) if method.seeded else None
        found = means(values[:, 1:], resampling, resamples)
        rows.append(Row(method.spec, again, found, int(kept.sum())))
    at = np.flatnonzero(kept)
    return Randomised(
        plan,
        independent,
        tuple(rows),
        len(at),
        len(np.unique(table.soundscapes[table.clip[at]])),
        len({name for row in at for name in table.groups[row]}),
    )


def _jobs(  # noqa: PLR0917 - all of it goes into every job
    stream: Iterator[Batch],
    clips: list[Rendered],
    task: TaskSpec,
    methods: tuple[MethodRef, ...],
    modules: tuple[tuple[str, ...], ...],
    seeds: tuple[int, int],
) -> Iterator[_Job]:
    """One job a batch; the clips are noted, without their samples."""
    for batch in stream:
        table = pair_table(batch.clips, task.classes, task.grid)
        clips += [replace(clip, waveform=np.zeros(0, np.float32)) for clip in batch.clips]
        yield _Job(
            batch.model,
            methods,
            table.clip_ids,
            np.stack([clip.waveform for clip in batch.clips]),
            np.stack([table.clip, table.label], axis=1),
            table.truths[task.truth],
            task.grid,
            task.threshold,
            modules,
            *seeds,
        )


@dataclass(frozen=True)
class _Shown:
    """Stands where a method's chunk has its model."""

    made: ModelHandle
    device: str

    def handle(self) -> ModelHandle:
        return self.made


def _ask(job: _Job) -> _Said:
    """Ask every method at every stage; runs in a worker."""
    import torch

    from sedbench.models.contract import probabilities
    from sedbench.models.partly_random import Randomiser

    trained = job.model.handle()
    with torch.no_grad():
        detected = probabilities(trained.classifier(), job.waveforms, job.model.device)
    kept = np.asarray(detected[job.pairs[:, 0], job.pairs[:, 1]] > job.threshold)
    shape = (int(kept.sum()), 1 + len(job.modules))
    found: list[NDArray[np.float64] | str] = [np.full(shape, np.nan) for _ in job.methods]
    if not kept.any():
        return _Said(kept, tuple(found))
    first = [_scores(job, method, trained, kept) for method in job.methods]

    def compare(number: int, column: int, scores: FloatArray | str) -> None:
        original, into = first[number], found[number]
        if isinstance(original, str) or isinstance(scores, str):
            found[number] = original if isinstance(original, str) else str(scores)
        elif not isinstance(into, str):
            into[:, column] = rank_correlation(scores, original)

    for number, method in enumerate(job.methods):
        if method.seeded:
            other = replace(job, seed=job.seed + 1)
            compare(number, 0, _scores(other, method, trained, kept))
    randomiser = Randomiser(trained, job.weights_seed)
    for column, modules in enumerate(job.modules, start=1):
        handle = randomiser.without(modules)
        for number, method in enumerate(job.methods):
            compare(number, column, _scores(job, method, handle, kept))
    return _Said(kept, tuple(found))


def _scores(job: _Job, method: MethodRef, model: ModelHandle, kept: BoolArray) -> FloatArray | str:
    """Frame scores of the detected pairs, as a run would score them; or why there are none."""
    query = Query(
        job.clip_ids,
        job.waveforms,
        job.model.sample_rate,
        job.pairs[kept],
        job.model.classes,
        job.grid,
        job.seed,
        job.truth[kept] if "truth" in method.info.needs else None,
    )
    stand_in: Any = _Shown(model, job.model.device)
    try:
        parts = answers.answer(Chunk(method, cast("ModelRef", stand_in), query, 0, ""))
    except NotApplicable as error:
        return error.message
    return cast("FloatArray", parts["scores"])
