"""Figures of plugins' metrics, worked out from a result's items and kept in its file.

A result's items hold the frame scores and the truth of every pair, so a metric that is installed
after a result was measured needs no method to run again: the items are read, the metric is asked,
and the figure stands in the result's file under ``extra_metrics``, beside nothing that is ranked.
Figures of a metric that is not installed any more stay there, with the package and version that
they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sedbench import files, results, schema
from sedbench.errors import SedbenchError
from sedbench.protocol.extra import ExtraMetric, measure_extra, unmeasured
from sedbench.results import Result
from sedbench.stats import RESAMPLES


def with_extra(
    result: Result,
    path: Path,
    metrics: Sequence[ExtraMetric],
    decision: float,
    *,
    resamples: int = RESAMPLES,
) -> Result:
    """A result with the figures of plugins' metrics; nothing is written.

    Parameters
    ----------
    result : Result
    path : Path
        Of its file, beside which its items lie.
    metrics : sequence of ExtraMetric
    decision : float
        Clip probability above which a class is detected.
    resamples : int
        Bootstrap replicates of the intervals.
    """
    if result.status != "ok" or not metrics:
        return result
    try:
        test = results.read_items(path, result)[1]
        found = measure_extra(
            metrics,
            test,
            result.thresholds,
            primary=result.scores[0]["truth"],
            decision=decision,
            resamples=resamples,
        )
    except (SedbenchError, LookupError) as error:  # of an old result that was asked to be kept
        reason = error.message if isinstance(error, SedbenchError) else f"{error} is missing"
        found = unmeasured(metrics, f"the result cannot be measured again: {reason}")
        return replace(result, extra_metrics={**found, **result.extra_metrics})
    return replace(result, extra_metrics={**result.extra_metrics, **found})


def keep(result: Result, before: Result, path: Path) -> None:
    """Write a result's file again where its extra figures are other ones than before.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    if result.extra_metrics == before.extra_metrics:
        return
    document = results.to_json(result)
    schema.validate(document, f"the result of {result.spec}", "report it: the result was not kept")
    files.write_atomic(path, results.dumps(document))
