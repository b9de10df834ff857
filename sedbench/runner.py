"""Evaluate methods on one task and model: the only place that knows the order of the steps.

    test clips -> classifier's clip probabilities -> pairs that count
    for each method: frame scores on test -> and on validation, unless they ship or are
    cached -> the protocol -> one result with its items

The runner is handed what it needs (:class:`Work`); it looks nothing up by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sedbench import answers as answering
from sedbench import items as item_files
from sedbench import results as result_files
from sedbench.answers import Answers, MethodRef, ModelRef
from sedbench.data.cache import BankFactory, RenderedSplit, render_split
from sedbench.data.render import RENDERER_VERSION
from sedbench.errors import DataError, MissingDataError, NotApplicable, SedbenchError
from sedbench.files import fingerprint, sha256
from sedbench.metrics import METRICS_VERSION
from sedbench.models.scoring import clip_scores
from sedbench.protocol import Scored, evaluate
from sedbench.results import Result
from sedbench.tasks import TaskSpec
from sedbench.types import Answer, FrameScores, MethodInfo, Query, Split
from sedbench.workers import JobTimeout

Overwrite = Literal["never", "missing", "stale", "always"]
STUDY_PERCENTILE = 56.0  # where the study found its threshold: a fixed column for every row


class Progress(Protocol):
    """How far it is; the command line draws it."""

    def start(self, stage: str, total: int) -> None:
        """Begin a stage of ``total`` steps."""

    def advance(self, n: int = 1) -> None:
        """Go on by ``n`` steps."""

    def finish(self) -> None:
        """End the stage."""

    def note(self, text: str) -> None:
        """Say something once."""


class Quiet:
    """A progress that shows nothing."""

    def start(self, stage: str, total: int) -> None:
        """Do nothing."""

    def advance(self, n: int = 1) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Work:
    """Everything a run needs, looked up and checked.

    Attributes
    ----------
    task : TaskSpec
    bank : callable
        Returns the task's soundbank.
    model : ModelRef
    methods : tuple of MethodRef
    output : Path
        Folder of results.
    shipped : callable
        ``(spec, seed) -> (path, result) or None``: a shipped result of this task and model.
    seed, limit, jobs, overwrite, recalibrate, timeout
        As on the command line.
    provenance : mapping
        What is the same for every result: command, versions, commit.
    """

    task: TaskSpec
    bank: BankFactory
    model: ModelRef
    methods: tuple[MethodRef, ...]
    output: Path
    shipped: Callable[[str, int], tuple[Path, Result] | None]
    seed: int = 0
    limit: int | None = None
    jobs: int = 1
    overwrite: Overwrite = "stale"
    recalibrate: bool = False
    timeout: float | None = None
    provenance: Mapping[str, Any] | None = None

    def identity(self, method: MethodRef) -> str:
        """Name what a result depends on: another identity makes a stored one stale."""
        return fingerprint(
            [
                self.task.fingerprint(METRICS_VERSION),
                RENDERER_VERSION,
                self.model.canonical,
                self.model.weights_of(method.info),
                method.spec,
                method.info.version,
                method.code(),
                self.seed if method.info.stochastic else None,
            ]
        )

    def path(self, method: MethodRef) -> Path:
        """Where the method's result lies."""
        return result_files.result_path(
            self.output, self.task.name, self.model.canonical, method.spec, self.seed, self.limit
        )


def stored(work: Work, method: MethodRef) -> Result | None:
    """Read the result of an earlier run that need not be computed again, or None."""
    path = work.path(method)
    if work.overwrite == "always" or work.recalibrate or not path.exists():
        return None
    try:
        result = result_files.read(path, "stored")
    except DataError:
        if work.overwrite == "never":
            raise
        return None
    if work.overwrite == "never":
        return result
    if result.status != "ok":
        return None
    if work.overwrite == "stale" and result.provenance.get("identity") != work.identity(method):
        return None
    return result


def run(work: Work, progress: Progress | None = None) -> list[Result]:
    """One result a method, in order; those of earlier runs are taken where they hold.

    Raises
    ------
    DataError
        The task's audio or the classifier's weights are missing or damaged, or a folder
        cannot be written. What a single method gets wrong is its result's status.
    """
    shown = progress if progress is not None else Quiet()
    found: dict[str, Result] = {}
    for method in work.methods:
        earlier = stored(work, method)
        if earlier is not None:
            found[method.spec] = earlier
    if len(found) < len(work.methods):
        splits = Splits(work, shown)
        for method in work.methods:
            if method.spec not in found:
                found[method.spec] = _cell(work, splits, method, shown)
    return [found[method.spec] for method in work.methods]


class _ClipDecisions:
    """The classifier's own clip probabilities, asked for like any detector's."""

    def answer(self, query: Query, model: Any) -> Answer:
        import torch

        from sedbench.models.contract import probabilities

        with torch.no_grad():
            values = probabilities(model.classifier(), query.waveforms, model.device)
        empty = FrameScores(np.zeros((0, query.grid.n_frames), np.float32), query.grid.edges)
        return Answer(empty, query.grid.frame, decisions=values)


_CLASSIFIER = MethodRef(
    MethodInfo(name="clip-decisions", summary="", kind="detector"),
    "clip-decisions",
    {},
    _ClipDecisions,
)


class Splits:
    """Rendered clips and the classifier's decisions, each made once, when first needed."""

    def __init__(self, work: Work, progress: Progress) -> None:
        self._work = work
        self._progress = progress
        self._rendered: dict[Split, RenderedSplit] = {}
        self._detected: dict[Split, NDArray[np.float32]] = {}

    def rendered(self, split: Split) -> RenderedSplit:
        """Render the clips of a split, at most ``limit``."""
        if split not in self._rendered:
            work = self._work
            total = min(work.task.splits[split].clips, work.limit or 10**9)
            self._progress.start(f"render {split} clips", total)
            self._rendered[split] = render_split(
                work.task,
                split,
                work.bank,
                limit=work.limit,
                jobs=work.jobs,
                progress=lambda *_: self._progress.advance(),
            )
            self._progress.finish()
        return self._rendered[split]

    def detected(self, split: Split) -> NDArray[np.float32]:
        """Ask the explained classifier for clip probabilities, shape (clips, classes)."""
        if split not in self._detected:
            clips = self.rendered(split)
            self._progress.start(f"classify {split} clips", len(clips.clip_ids))
            got = self._ask(_CLASSIFIER, split, np.zeros((0, 2), np.int64), None)
            self._progress.finish()
            assert got.own is not None
            self._detected[split] = got.own
        return self._detected[split]

    def scored(self, method: MethodRef, split: Split) -> tuple[Scored, Answers]:
        """Ask a method for its answers on a split.

        Attributions are asked for the pairs that the classifier detects, which are the
        only ones they are scored on; what is cheap is asked for all.
        """
        clips, detected = self.rendered(split), self.detected(split)
        table, task = clips.pairs, self._work.task
        asked = np.ones(len(table), bool)
        if method.info.kind == "attribution":
            asked = detected[table.clip, table.label] > task.threshold
        pairs = np.stack([table.clip, table.label], axis=1)[asked]
        self._progress.start(f"{method.spec} on {split}", len(clips.clip_ids))
        got = self._ask(method, split, pairs, table.truths[task.truth][asked])
        self._progress.finish()
        scores = np.zeros((len(table), table.grid.n_frames), np.float32)
        scores[asked] = got.scores
        mask = None
        if got.mask is not None:
            mask = np.zeros(scores.shape, bool)
            mask[asked] = got.mask
        return Scored(table, scores, asked, detected, mask, got.own), got

    @cached_property
    def _audio(self) -> str:
        # What decides a clip's samples and truth. A task need not record its bank's fingerprint.
        work = self._work
        return fingerprint([work.task.fingerprint(), work.bank().fingerprint(), RENDERER_VERSION])

    def _ask(
        self, method: MethodRef, split: Split, pairs: NDArray[np.int64], truth: Any
    ) -> Answers:
        work, clips = self._work, self.rendered(split)
        return answering.ask(
            method,
            work.model,
            clip_ids=clips.clip_ids,
            waveforms=clips.waveforms,
            pairs=pairs,
            grid=work.task.grid,
            truth=truth,
            seed=work.seed,
            data=self._audio,
            jobs=work.jobs,
            timeout=work.timeout,
            fresh=work.overwrite == "always",
            advance=self._progress.advance,
        )


def _cell(work: Work, splits: Splits, method: MethodRef, progress: Progress) -> Result:
    info, started = method.info, datetime.now(UTC)
    base = Result(
        task=work.task.name,
        model=work.model.canonical,
        method=info.name,
        spec=method.spec,
        params=dict(method.params),
        seed=work.seed,
        task_version=work.task.version,
        task_fingerprint=work.task.fingerprint(METRICS_VERSION),
        kind=info.kind,
        supervision=info.supervision,
        limited=work.limit,
        provenance={
            **(work.provenance or {}),
            "identity": work.identity(method),
            "method_version": info.version,
            "method_code": method.code(),
            "metrics_version": METRICS_VERSION,
            "weights": dict(work.model.weights),
            "device": work.model.device,
            "started": started.isoformat(timespec="seconds"),
        },
    )
    splits.detected("test")  # what fails here fails for every method
    try:
        result, items = _measure(work, splits, method, base)
    except NotApplicable as error:
        result, items = replace(base, status="not_applicable", reason=error.message), None
    except JobTimeout as error:
        result, items = replace(base, status="timeout", reason=error.message), None
    except MissingDataError as error:
        result, items = replace(base, status="failed", reason=_reason(error)), None
    except DataError:
        raise
    except Exception as error:
        result, items = replace(base, status="failed", reason=_reason(error)), None
    if result.status != "ok":
        progress.finish()
        progress.note(f"{method.spec}: {result.status}: {result.reason}")
    path = result_files.write(result, items, work.output)
    if items is None:
        return result
    recorded = {"file": result_files.items_path(path).name, "sha256": sha256(items)}
    return replace(result, items=recorded)


def _reason(error: Exception) -> str:
    if isinstance(error, SedbenchError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    return f"{type(error).__name__}: {error}"


def _measure(work: Work, splits: Splits, method: MethodRef, base: Result) -> tuple[Result, bytes]:
    clock = time.perf_counter()
    test, got = splits.scored(method, "test")
    validation = _validation(work, splits, method)
    evaluation = evaluate(
        validation,
        test,
        primary=work.task.truth,
        decision=work.task.threshold,
        fixed_percentile=STUDY_PERCENTILE,
    )
    labels = np.zeros(test.detected.shape, bool)
    labels[test.table.clip, test.table.label] = True
    pairs = max(int(test.scored.sum()), 1)
    result = replace(
        base,
        pairs={
            **evaluation.counts,
            "complete": evaluation.complete,
            "classes_ranked": evaluation.ranked,
        },
        scores=evaluation.records,
        thresholds=evaluation.thresholds,
        classifier=clip_scores(test.detected, labels, work.task.threshold),
        cost={
            "forward": got.forward,
            "backward": got.backward,
            "seconds": got.seconds,
            "forward_per_pair": got.forward / pairs,
            "backward_per_pair": got.backward / pairs,
            "seconds_per_pair": got.seconds / pairs,
            "wall_seconds": time.perf_counter() - clock,
        },
        diagnostics={name: _spread(values) for name, values in got.diagnostics.items()},
        resolution=got.resolution,
    )
    return result, item_files.pack(validation, test)


def _validation(work: Work, splits: Splits, method: MethodRef) -> Scored:
    # Thresholds come from validation scores. Those of a shipped result that depends on the
    # same task, weights and code are the ones that would be computed here.
    if not work.recalibrate:
        shipped = work.shipped(method.spec, work.seed)
        if shipped is not None:
            path, result = shipped
            if result.provenance.get("identity") == work.identity(method):
                return result_files.read_items(path, result)[0]
    return splits.scored(method, "validation")[0]


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    if not len(values):
        return {}
    return {
        "median": float(np.median(values)),
        "p90": float(np.percentile(values, 90)),
        "max": float(values.max()),
    }
