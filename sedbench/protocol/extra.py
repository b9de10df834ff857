"""Metrics of plugins, on the pairs of a result: shown beside the protocol's own, never ranked.

A metric of a third party is a function of what it asks for by the names of its parameters
(:func:`inputs`), one value a pair. Here it is called, its values are checked, and they are averaged
with an interval. It decides nothing: no threshold is chosen by it, no row ranked, and neither the
version of the protocol's metrics nor a result's identity knows of it.

Conventions
-----------
- The pairs are those of the localisation view, under the task's primary truth, without smoothing;
  masks are those at the ``chosen`` threshold, or the method's own.
- The mean weighs pairs alike. NaN is *undefined* and left out; every other value lies in the range
  that the metric declares.
- The interval is the crossed bootstrap of :mod:`sedbench.stats`, drawn as for the protocol's own
  metrics, with the threshold held fixed: the metric is not asked at the thresholds that other
  validation clips would have chosen.
- Whatever is wrong with a metric is the ``reason`` of its record, never an error of the run.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.metrics.pointing import active_share, pointing_hit
from sedbench.protocol.pairs import DECISION, Scored, Views
from sedbench.protocol.thresholds import masks
from sedbench.stats import RESAMPLES, Resampling, blocks, percentile_interval
from sedbench.types import BoolArray, MetricInfo

PER_PAIR = ("scores", "masks")
"""What a metric with a value a pair is computed from; others are listed only."""

_EXACT = 2.0**36  # as for the protocol's own: sums of such values have the same bits everywhere
_NEAR = 1e-9  # a range is one of averages; rounding may touch its ends


@dataclass(frozen=True)
class ExtraMetric:
    """A metric that a plugin registered.

    Attributes
    ----------
    info : MetricInfo
    factory : callable
        Returns the function, given the metric's parameters.
    distribution, version : str
        Of the package that brought it.
    """

    info: MetricInfo
    factory: Callable[..., Any]
    distribution: str = ""
    version: str = ""


class Unusable(Exception):  # noqa: N818 - what it says of a metric
    """A metric cannot be used, or its values cannot; the message says why."""


def build(info: MetricInfo, factory: Callable[..., Any]) -> Callable[..., Any]:
    """Make the function of a metric, with the defaults of its parameters.

    Raises
    ------
    Unusable
        The factory returns something else.
    """
    made = factory(**{each.name: each.default for each in info.params})
    if not callable(made):
        raise Unusable(f"the factory returns a {type(made).__name__}, which is no function")
    function: Callable[..., Any] = made
    return function


def ask(function: Callable[..., Any], given: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Hand a function what it asks for by the names of its parameters.

    Parameters
    ----------
    function : callable
    given : mapping
        Everything that there is to ask for, see :func:`inputs`.

    Raises
    ------
    Unusable
        It asks for something else.
    """
    wanted = inspect.signature(function).parameters
    for name, parameter in wanted.items():
        if name not in given and parameter.default is inspect.Parameter.empty:
            raise Unusable(f"it asks for {name!r}; there are {', '.join(given)}")
    found = function(**{name: given[name] for name in wanted if name in given})
    return np.asarray(found, np.float64)


def counts(mask: BoolArray, truth: BoolArray) -> dict[str, NDArray[Any]]:
    """True positives, false positives and false negatives of each pair, each (pairs,)."""
    return {
        "tp": (mask & truth).sum(1),
        "fp": (mask & ~truth).sum(1),
        "fn": (~mask & truth).sum(1),
    }


def inputs(
    test: Scored, thresholds: Mapping[str, Any], kept: BoolArray, primary: str
) -> dict[str, NDArray[Any]]:
    """Everything that a metric can ask for, read-only, by name.

    Parameters
    ----------
    test : Scored
    thresholds : mapping
        As a result holds them; not looked at where the method brings its own mask.
    kept : ndarray, shape (pairs of the split,), bool
        The pairs that are measured.
    primary : str
        The truth.

    Returns
    -------
    dict
        ``scores``, ``mask``, ``truth``, ``others`` (frames of other classes), ``valid`` (frames
        that count), each (pairs, frames); ``tp``, ``fp``, ``fn`` (frames), ``hit`` and ``share``
        (pointing hit, share of active frames), each (pairs,).
    """
    table = test.table
    scores, truth = test.scores[kept], table.truths[primary][kept]
    mask = _mask(test, thresholds)[kept]
    given = {
        "scores": scores,
        "mask": mask,
        "truth": truth,
        "others": table.others[primary][kept],
        "valid": np.ones_like(truth),
        **counts(mask, truth),
        "hit": pointing_hit(scores, truth),
        "share": active_share(truth),
    }
    for array in given.values():  # one metric's mistake must not reach the next one's values
        array.setflags(write=False)
    return given


def _mask(test: Scored, thresholds: Mapping[str, Any]) -> BoolArray:
    """Predicted frames of every pair at the chosen threshold of its rotation."""
    if test.mask is not None:
        return test.mask
    mask = np.zeros(test.scores.shape, bool)
    clips = np.zeros(len(test.table.clip_ids), np.int64) if test.fold is None else test.fold
    for fold in test.folds:
        told = thresholds["folds"][str(fold)] if "folds" in thresholds else thresholds
        policy = told["none"]["chosen"]
        pairs = clips[test.table.clip] == fold
        mask[pairs] = masks(test.scores[pairs], policy, [told["none"][policy]])[:, 0]
    return mask


def measure_extra(
    metrics: Sequence[ExtraMetric],
    test: Scored,
    thresholds: Mapping[str, Any],
    *,
    primary: str,
    decision: float = DECISION,
    resamples: int = RESAMPLES,
) -> dict[str, dict[str, Any]]:
    """Measure a method on the test split by the metrics of plugins.

    Parameters
    ----------
    metrics : sequence of ExtraMetric
    test : Scored
    thresholds : mapping
        As a result holds them (``Evaluation.thresholds``).
    primary : str
        The task's primary truth.
    decision : float
        Clip probability above which a class is detected.
    resamples : int
        Bootstrap replicates; 0 for no intervals.

    Returns
    -------
    dict
        By name: what the metric is (``distribution``, ``version``, ``over``, ``unit``, ``low``,
        ``high``, ``higher_is_better``), its figure (``value``, ``ci_low``, ``ci_high``,
        ``n_pairs``, ``n_clips``, ``n_groups``), and ``reason``: why there is none, else empty.
    """
    kept = Views(test, decision).localisation
    values = np.full((len(test.table), len(metrics)), np.nan)
    reasons = []
    given = inputs(test, thresholds, kept, primary)
    for column, metric in enumerate(metrics):
        found, reason = _values(metric, given, int(kept.sum()))
        values[kept, column] = found
        reasons.append(reason)
    value, low, high = _averaged(test, values, resamples)
    records = {}
    for column, metric in enumerate(metrics):
        support = _support(test, np.isfinite(values[:, column]))
        known = support["n_clips"] > 1
        records[metric.info.name] = _record(
            metric,
            reason=reasons[column],
            value=_plain(value[column]),
            ci_low=_plain(low[column]) if known else None,
            ci_high=_plain(high[column]) if known else None,
            **support,
        )
    return records


def unmeasured(metrics: Sequence[ExtraMetric], reason: str) -> dict[str, dict[str, Any]]:
    """Records without figures, where there is nothing to ask the metrics about."""
    return {metric.info.name: _record(metric, reason=reason) for metric in metrics}


def _values(
    metric: ExtraMetric, given: Mapping[str, NDArray[Any]], pairs: int
) -> tuple[NDArray[np.float64], str]:
    """Its values and no reason, or NaN and the reason."""
    none = np.full(pairs, np.nan)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = _checked(metric, given, pairs)
    except KeyboardInterrupt:
        raise
    except Unusable as error:
        return none, str(error)
    except BaseException as error:  # a plugin may raise anything, SystemExit included
        first = (str(error).strip() or "no message").splitlines()[0]
        return none, f"it raised {type(error).__name__}: {first}"
    if not np.isfinite(found).any():
        return none, f"it is undefined for each of the {pairs} pairs"
    return found, ""


def _checked(
    metric: ExtraMetric, given: Mapping[str, NDArray[Any]], pairs: int
) -> NDArray[np.float64]:
    info = metric.info
    if info.over not in PER_PAIR:
        raise Unusable(f"a metric over the {info.over} has no value a pair")
    found = ask(build(info, metric.factory), given)
    if found.shape != (pairs,):
        raise Unusable(f"its values have shape {found.shape} for {pairs} pairs")
    if np.isinf(found).any():
        raise Unusable("it is infinite somewhere; undefined is NaN")
    known = found[np.isfinite(found)]
    if np.any((known < info.low - _NEAR) | (known > info.high + _NEAR)):
        raise Unusable(
            f"values from {known.min():g} to {known.max():g}, and its range is {info.low:g} to "
            f"{info.high:g}"
        )
    return found


def _averaged(
    test: Scored, values: NDArray[np.float64], resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, lower and upper end of each column, shape (metrics,) each."""
    table = test.table
    defined = np.isfinite(values).astype(np.float64)
    exact = np.rint(np.where(defined > 0, values, 0.0) * _EXACT) / _EXACT
    resampling = Resampling(
        table.soundscapes[table.clip], table.groups, len(np.unique(table.soundscapes))
    )

    def means(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights @ defined
        none = np.full(total.shape, np.nan)
        return np.asarray(np.divide(weights @ exact, total, out=none, where=total > 0))

    drawn = [
        means(resampling.weights(first, count))
        for first, count in blocks(resamples, max(len(table), 1))
    ]
    replicates = np.concatenate(drawn) if drawn else np.zeros((0, values.shape[1]))
    low, high = percentile_interval(replicates.T)
    return means(resampling.ones())[0], low, high


def _support(test: Scored, used: BoolArray) -> dict[str, int]:
    """Pairs, clips and source groups behind a figure."""
    table = test.table
    at = np.flatnonzero(used).tolist()
    return {
        "n_pairs": len(at),
        "n_clips": len(np.unique(table.soundscapes[table.clip[at]])),
        "n_groups": len({name for i in at for name in table.groups[i]}),
    }


def _record(metric: ExtraMetric, **found: Any) -> dict[str, Any]:
    info = metric.info
    figure = {"value": None, "ci_low": None, "ci_high": None}
    return {
        "distribution": metric.distribution,
        "version": metric.version,
        "over": info.over,
        "unit": info.unit,
        "low": _plain(info.low),
        "high": _plain(info.high),
        "higher_is_better": bool(info.higher_is_better),
        **figure,
        **dict.fromkeys(("n_pairs", "n_clips", "n_groups"), 0),
        **found,
    }


def _plain(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
