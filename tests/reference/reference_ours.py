"""sedbench's figures for the cases, under the names that the references' figures have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sedbench.metrics import (
    Criteria,
    EventTable,
    Scenario,
    ScoreTable,
    Tally,
    detect,
    event_based,
    event_table,
    intersection_based,
    pointing_hit,
    psds,
    psds_of_decisions,
    relevance_mass,
    relevance_rank,
    roc_auc,
    score_set,
    segment_based,
)
from sedbench.types import Event

SCENARIOS = {
    "psds1": Scenario(Criteria(0.7, 0.7), 0.0, 1.0, 100.0),
    "psds2": Scenario(Criteria(0.1, 0.1, 0.3), 0.5, 1.0, 100.0),
    "psds_lenient": Scenario(Criteria(0.43, 0.47, 0.37), 1.0, 0.0, 2000.0),
}


def table(case: dict[str, Any], events: dict[str, list[Any]]) -> EventTable:
    """A case's events over its clips and classes."""
    lists = {clip: [Event(*event) for event in found] for clip, found in events.items()}
    return event_table(lists, sorted(case["truth"]), case["classes"])


def like_sed_eval(case: dict[str, Any]) -> dict[str, float | None]:
    truth = table(case, case["truth"])
    claimed = table(case, case["decisions"][len(case["decisions"]) // 2])
    found: dict[str, float | None] = {}
    for name, resolution in {"segment_1s": 1.0, "segment_100ms": 0.1}.items():
        result = segment_based(truth, claimed, resolution, case["durations"])
        found |= _rates(name, result.tally)
        found[f"{name}.er"] = result.error_rate
        for label, rate in zip(truth.classes, result.class_error_rate, strict=True):
            if not math.isnan(rate):
                found[f"{name}.er.{label}"] = float(rate)
    found |= _rates("event", event_based(truth, claimed))
    found |= _rates("event_onset", event_based(truth, claimed, offsets=False))
    found |= _rates("event_wide", event_based(truth, claimed, 0.5, 0.5))
    return found


def like_sed_scores_eval(case: dict[str, Any]) -> dict[str, float]:
    scores = score_set(
        {
            clip: ScoreTable(
                tuple(case["classes"]), np.array(each["values"]), np.array(each["edges"])
            )
            for clip, each in case["scores"].items()
        }
    )
    truth = table(case, case["truth"])
    found: dict[str, float] = {}
    seconds = sum(case["durations"].values())
    for name, scenario in SCENARIOS.items():
        result = psds(scores, truth, scenario, seconds)
        found[name] = result.value
        for label, value in zip(result.classes, result.class_values, strict=True):
            found[f"{name}.{label}"] = float(value)
    decided = detect(scores, 0.5)
    for name, share in {"intersection_70": 0.7, "intersection_10": 0.1}.items():
        tally = intersection_based(truth, decided, Criteria(share, share)).tally
        found |= {f"{name}.f1.{k}": float(v) for k, v in zip(truth.classes, tally.f1, strict=True)}
        found[f"{name}.f1.macro_average"] = tally.macro.f1
        found[f"{name}.f1.micro_average"] = tally.micro.f1
    return found


def like_psds_eval(case: dict[str, Any]) -> dict[str, float]:
    truth = table(case, case["truth"])
    points = [table(case, point) for point in case["decisions"]]
    found: dict[str, float] = {}
    for name, scenario in SCENARIOS.items():
        seconds = sum(case["durations"].values())
        found[name] = psds_of_decisions(points, truth, seconds, scenario).value
        tally = intersection_based(truth, points[len(points) // 2], scenario.criteria).tally
        found[f"{name}.macro_f1"] = tally.macro.f1
        for label, value in zip(truth.classes, tally.f1, strict=True):
            found[f"{name}.f1.{label}"] = float(value)
    return found


def like_quantus(case: dict[str, Any]) -> dict[str, list[float | None]]:
    scores, masks = np.array(case["scores"], float), np.array(case["masks"], bool)
    functions = {
        "pg": pointing_hit,
        "rma": relevance_mass,
        "rra": relevance_rank,
        "auc": roc_auc,
    }
    return {
        key: [None if math.isnan(value) else float(value) for value in function(scores, masks)]
        for key, function in functions.items()
    }


def _rates(name: str, tally: Tally) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for average in ("micro", "macro"):
        rates = getattr(tally, average)
        for key, value in {
            "precision": rates.precision,
            "recall": rates.recall,
            "f_measure": rates.f1,
        }.items():
            found[f"{name}.{average}.{key}"] = None if math.isnan(value) else value
    for label, value in zip(tally.classes, tally.f1, strict=True):
        found[f"{name}.f1.{label}"] = None if math.isnan(value) else float(value)
    return found
