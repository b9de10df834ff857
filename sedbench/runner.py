"""Evaluate methods on one task and model: the only place that knows the order of the steps.

    test clips -> classifier's clip probabilities -> pairs that count
    for each method: frame scores on test -> and on validation, unless they ship or are
    cached -> the protocol -> one result with its items -> tables of its scores, where asked for
    for each result: metrics of plugins, from its items

The runner is handed what it needs (:class:`~sedbench.work.Work`); it looks nothing up by name.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sedbench import items as item_files
from sedbench import results as result_files
from sedbench import score_files, sources
from sedbench.data.truth import true_events
from sedbench.errors import DataError, MissingDataError, NotApplicable, SedbenchError
from sedbench.extra import keep, with_extra
from sedbench.files import sha256
from sedbench.metrics import METRICS_VERSION
from sedbench.models.scoring import clip_scores
from sedbench.progress import Progress, Quiet
from sedbench.protocol import Scored, evaluate
from sedbench.protocol.extra import ExtraMetric
from sedbench.refs import MethodRef
from sedbench.results import Result
from sedbench.splits import Splits
from sedbench.work import Work, stored
from sedbench.workers import JobTimeout

STUDY_PERCENTILE = 56.0  # where the study found its threshold: a fixed column for every row


def run(
    work: Work, progress: Progress | None = None, metrics: Sequence[ExtraMetric] = ()
) -> list[Result]:
    """One result a method, in order; those of earlier runs are taken where they hold.

    Parameters
    ----------
    work : Work
    progress : Progress, optional
    metrics : sequence of ExtraMetric
        Metrics of plugins: each result is measured by them too, from its items.

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
    if len(found) < len(work.methods) or work.scores is not None:
        if file := work.model.missing():  # said before any clip is rendered
            raise MissingDataError(
                f"{work.model.name!r} needs {file}, which has not been fetched", work.model.fetch
            )
        splits, truth = Splits(work, shown), None
        for method in work.methods:
            if method.spec not in found:
                found[method.spec] = _cell(work, splits, method, shown)
            if work.scores is not None and found[method.spec].status == "ok":
                truth = truth or _save_truth(work, work.scores)
                _save_scores(work, splits, method, work.scores, truth, shown)
    results = [found[method.spec] for method in work.methods]
    return _measured_by(metrics, work, results, shown) if metrics else results


def _measured_by(
    metrics: Sequence[ExtraMetric], work: Work, results: Sequence[Result], progress: Progress
) -> list[Result]:
    more: list[Result] = []
    progress.start("metrics of plugins", len(results))
    for method, result in zip(work.methods, results, strict=True):
        path = work.path(method)
        more.append(with_extra(result, path, metrics, work.task.threshold))
        keep(more[-1], result, path)
        progress.advance()
    progress.finish()
    return more


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
            "metrics_code": sources.code_of(evaluate),
            "weights": _weights(work, method),
            "pretrained": dict(work.model.pretrained),
            "detectors": work.model.detectors,
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


def _weights(work: Work, method: MethodRef) -> dict[str, str]:
    named: dict[str, str] = {}
    for model in work.models:
        ending = "" if model.fold is None else f"-f{model.fold}"
        named |= {f"{variant}{ending}": digest for variant, digest in model.weights}
        if digest := dict(method.learned).get(model.fold):
            named[f"{method.variant}{ending}"] = digest
    return named


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
            "cpu_seconds": got.cpu_seconds,
            "cpu_seconds_per_pair": None if got.cpu_seconds is None else got.cpu_seconds / pairs,
            "peak_memory": got.peak_memory,
            "wall_seconds": time.perf_counter() - clock,
        },
        diagnostics={name: _spread(values) for name, values in got.diagnostics.items()},
        resolution=got.resolution or None,  # where no pair was asked about
        equals=got.equals,
    )
    return result, item_files.pack(validation, test)


def _validation(work: Work, splits: Splits, method: MethodRef) -> Scored:
    # Thresholds come from validation scores. Those of a shipped result that depends on the
    # same task, weights and code are the ones that would be computed here.
    if not work.recalibrate:
        shipped = work.shipped(method.spec, work.seed if method.seeded else 0)
        if shipped is not None:
            path, result = shipped
            if result.provenance.get("identity") == work.identity(method):
                return result_files.read_items(path, result)[0]
    return splits.scored(method, "validation")[0]


def _save_truth(work: Work, root: Path) -> Path:
    task, path = work.task, score_files.truth_file(root, work.task.name, work.limit)
    ids = [clip.id for clip in task.clips("test")[: work.limit]]
    told = true_events(task, "test", work.bank, only=ids, name=score_files.recording_name)
    score_files.write_truth(path, told)
    return path


def _save_scores(  # noqa: PLR0917 - what is saved, and where
    work: Work, splits: Splits, method: MethodRef, root: Path, truth: Path, progress: Progress
) -> None:
    folder = score_files.score_folder(
        root, work.task.name, work.model.canonical, method.spec, work.seed, work.limit
    )
    try:
        found = splits.every_class(method, "test")
    except DataError:
        raise
    except Exception as error:
        raise SedbenchError(
            f"the scores of {method.spec} were not saved: {_reason(error)}",
            "its result was; leave the method out, or run without --save-scores",
        ) from error
    values = found.scores
    if method.info.kind != "detector":
        values = score_files.end_to_end(found, work.task.threshold)
    progress.start(f"save scores of {method.spec}", len(found.clip_ids))
    score_files.write(folder, found, values, progress.advance)
    progress.finish()
    progress.note(f"{method.spec}: scores of {len(found.clip_ids)} clips in {folder}")
    line = f"sedbench evaluate {shlex.quote(str(folder))} --truth {shlex.quote(str(truth))}"
    progress.note(f"scored alone: {line}")


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    if not len(values):
        return {}
    return {
        "median": float(np.median(values)),
        "p90": float(np.percentile(values, 90)),
        "max": float(values.max()),
    }
