"""The built-in metrics, offered through the hook that anyone's metrics come by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sedbench import hookimpl, metrics
from sedbench.hookspecs import Register

# The function per pair, or on aggregates, behind each id.
_FUNCTIONS = {
    "iou": "iou",
    "f1": "frame_f1",
    "f1_pooled": "frame_f1",
    "pg": "pointing_hit",
    "pg_corrected": "chance_corrected",
    "auc": "roc_auc",
    "ap": "average_precision",
    "discrimination": "discrimination_auc",
}


def _function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(metrics, name)
    return function


@hookimpl
def sedbench_register_metrics(register: Register) -> None:
    """Register every metric of the protocol."""
    for info in metrics.METRICS:
        register(info, partial(_function, _FUNCTIONS[info.name]))
