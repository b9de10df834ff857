"""Figures of sed_eval for the cases on stdin, as JSON on stdout.

It runs in the environment "events".
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import sed_eval

# name -> collar, share of the length, whether offsets count
EVENTS = {
    "event": (0.2, 0.2, True),
    "event_onset": (0.2, 0.2, False),
    "event_wide": (0.5, 0.5, True),
}
SEGMENTS = {"segment_1s": 1.0, "segment_100ms": 0.1}


def main() -> None:
    cases = json.load(sys.stdin)
    figures = {}
    for name, case in cases.items():
        lists = {kind: _lists(case[kind]) for kind in ("truth",)}
        claimed = _lists(case["decisions"][len(case["decisions"]) // 2])
        figures[name] = measure(case["classes"], case["durations"], lists["truth"], claimed)
    json.dump(figures, sys.stdout, allow_nan=False)


def measure(classes: Any, durations: Any, truth: Any, claimed: Any) -> dict[str, Any]:
    """Every figure of one case."""
    found: dict[str, Any] = {}
    for name, resolution in SEGMENTS.items():
        metric = sed_eval.sound_event.SegmentBasedMetrics(list(classes), resolution)
        metric.empty_system_output_handling = "zero_score"
        for clip, events in truth.items():
            length = durations[clip] if durations else None
            metric.evaluate(events, claimed[clip], evaluated_length_seconds=length)
        found |= _rates(name, metric, classes)
        overall = metric.results_overall_metrics()["error_rate"]
        found[f"{name}.er"] = overall["error_rate"]
        for label in classes:
            rate = metric.class_wise_error_rate(label)["error_rate"]
            if metric.class_wise_count(label)["Nref"]:
                found[f"{name}.er.{label}"] = rate
    for name, (collar, share, offsets) in EVENTS.items():
        metric = sed_eval.sound_event.EventBasedMetrics(
            list(classes),
            evaluate_offset=offsets,
            t_collar=collar,
            percentage_of_length=share,
            empty_system_output_handling="zero_score",
        )
        for clip, events in truth.items():
            metric.evaluate(events, claimed[clip])
        found |= _rates(name, metric, classes)
    return found


def _rates(name: str, metric: Any, classes: list[str]) -> dict[str, Any]:
    tables = {
        "micro": metric.results_overall_metrics(),
        "macro": metric.results_class_wise_average_metrics(),
    }
    found = {}
    for average, results in tables.items():
        for rate in ("precision", "recall", "f_measure"):
            found[f"{name}.{average}.{rate}"] = _number(results["f_measure"][rate])
    for label in classes:
        found[f"{name}.f1.{label}"] = _number(metric.class_wise_f_measure(label)["f_measure"])
    return found


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _lists(events: dict[str, list[Any]]) -> dict[str, list[dict[str, Any]]]:
    return {
        clip: [
            {"file": clip, "onset": onset, "offset": offset, "event_label": label}
            for onset, offset, label in found
        ]
        for clip, found in events.items()
    }


if __name__ == "__main__":
    main()
