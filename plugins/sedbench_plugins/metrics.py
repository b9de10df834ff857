"""The built-in metrics, offered through the hook that anyone's metrics come by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sedbench import hookimpl, metrics
from sedbench.hookspecs import Register

# The function per pair, on aggregates, on event lists and score tables, or on what a model
# answered, behind each id.
_FUNCTIONS = {
    "iou": "iou",
    "f1": "frame_f1",
    "f1_pooled": "frame_f1",
    "pg": "pointing_hit",
    "pg_corrected": "chance_corrected",
    "auc": "roc_auc",
    "ap": "average_precision",
    "discrimination": "discrimination_auc",
    "segment_f1": "segment_based",
    "segment_er": "segment_based",
    "segment_f1_100ms": "segment_based",
    "segment_er_100ms": "segment_based",
    "event_f1": "event_based",
    "intersection_f1": "intersection_based",
    "psds1": "psds",
    "psds2": "psds",
    "onset_error": "boundary_errors",
    "offset_error": "boundary_errors",
    "rma": "relevance_mass",
    "rra": "relevance_rank",
    "insertion": "insertion",
    "deletion": "deletion",
    "comprehensiveness": "comprehensiveness",
    "sufficiency": "sufficiency",
    "randomisation": "rank_correlation",
}

# What an id fixes of its function's parameters.
_FIXED: dict[str, dict[str, Any]] = {
    "segment_f1_100ms": {"resolution": 0.1},
    "segment_er_100ms": {"resolution": 0.1},
    "psds2": {"scenario": metrics.PSDS2},
}


def _function(name: str, fixed: dict[str, Any]) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(metrics, name)
    return partial(function, **fixed) if fixed else function


@hookimpl
def sedbench_register_metrics(register: Register) -> None:
    """Register every metric of the protocol, and those that stand alone."""
    for info in (*metrics.METRICS, *metrics.STANDALONE_METRICS):
        register(info, partial(_function, _FUNCTIONS[info.name], _FIXED.get(info.name, {})))
