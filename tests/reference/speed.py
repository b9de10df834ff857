"""Speed against sed_eval and sed_scores_eval, as ratios that are measured in one process.

It runs in the environment "events", with the checkout on the path::

    pytest speed.py --benchmark-timer=time.process_time --benchmark-json FILE

1,000 clips of 10 s, ten classes, scores every 64 ms. Both sides start from what a user has in hand:
lists of events, or score tables, and end with the figures. The ratios lie in ``extra_info``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import reference_inputs
import sed_eval
from sed_scores_eval import intersection_based
from sed_scores_eval.base_modules.scores import create_score_dataframe

from sedbench.metrics import (
    PSDS1,
    PSDS2,
    ScoreTable,
    detect,
    event_based,
    event_table,
    event_tables,
    psds,
    score_set,
    segment_based,
)
from sedbench.types import Event

CLIPS, SECONDS = 1000, 10.0
CLASSES = [f"class {k}" for k in range(10)]


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    """Truth, scores, and what a threshold of 0.5 decides."""
    draw = reference_inputs.Draw(9)
    edges = np.append(np.round(np.arange(0, SECONDS, 0.064), 6), SECONDS)
    truth, tables = {}, {}
    for number in range(CLIPS):
        # About three events of the ten classes, as in domestic clips.
        some = [CLASSES[int(10 * draw.one())] for _ in range(3)]
        events = reference_inputs.spread(draw, sorted(set(some)), SECONDS, rare="")
        name = f"clip-{number:04d}"
        truth[name] = [Event(*event) for event in events]
        values = reference_inputs.made_scores(draw, events, CLASSES, edges)
        tables[name] = ScoreTable(tuple(CLASSES), values, edges)
    assert {e.label for found in truth.values() for e in found} == set(CLASSES)
    decided = detect(score_set(tables), 0.5)
    lists: dict[str, list[Event]] = {name: [] for name in truth}
    for clip, label, onset, offset in zip(
        decided.clip, decided.label, decided.onset, decided.offset, strict=True
    ):
        lists[decided.clips[clip]].append(Event(float(onset), float(offset), CLASSES[label]))
    return {"truth": truth, "tables": tables, "decided": lists}


def test_events_and_segments(benchmark: Any, world: dict[str, Any]) -> None:
    durations = dict.fromkeys(world["truth"], SECONDS)

    def ours() -> list[float]:
        truth, claimed = event_tables(world["truth"], world["decided"], CLASSES)
        return [
            segment_based(truth, claimed, 1.0, durations).tally.micro.f1,
            segment_based(truth, claimed, 0.1, durations).tally.micro.f1,
            event_based(truth, claimed).micro.f1,
        ]

    plain = [
        {
            clip: [
                {"file": clip, "onset": e.onset, "offset": e.offset, "event_label": e.label}
                for e in events
            ]
            for clip, events in world[kind].items()
        }
        for kind in ("truth", "decided")
    ]
    begun = time.process_time()
    metrics = [
        sed_eval.sound_event.SegmentBasedMetrics(CLASSES, 1.0),
        sed_eval.sound_event.SegmentBasedMetrics(CLASSES, 0.1),
        sed_eval.sound_event.EventBasedMetrics(CLASSES, t_collar=0.2, percentage_of_length=0.2),
    ]
    for clip, events in plain[0].items():
        for metric in metrics[:2]:
            metric.evaluate(events, plain[1][clip], evaluated_length_seconds=SECONDS)
        metrics[2].evaluate(events, plain[1][clip])
    theirs = [m.results_overall_metrics()["f_measure"]["f_measure"] for m in metrics]
    taken = time.process_time() - begun
    assert np.allclose(benchmark(ours), theirs, atol=1e-9)
    benchmark.extra_info |= {"reference": "sed_eval", "ratio": taken / benchmark.stats.stats.median}


def test_psds(benchmark: Any, world: dict[str, Any]) -> None:
    def ours() -> list[float]:
        scores = score_set(world["tables"])
        truth = event_table(world["truth"], scores.clips, scores.classes)
        return [psds(scores, truth, scenario).value for scenario in (PSDS1, PSDS2)]

    frames = {
        clip: create_score_dataframe(table.values, table.edges, CLASSES)
        for clip, table in world["tables"].items()
    }
    truth = {
        c: [(e.onset, e.offset, e.label) for e in found] for c, found in world["truth"].items()
    }
    durations = dict.fromkeys(truth, SECONDS)
    common = {"alpha_st": 1.0, "max_efpr": 100.0}
    begun = time.process_time()
    theirs = [
        intersection_based.psds(
            frames, truth, durations, dtc_threshold=0.7, gtc_threshold=0.7, **common
        )[0],
        intersection_based.psds(
            frames, truth, durations,
            dtc_threshold=0.1, gtc_threshold=0.1, cttc_threshold=0.3, alpha_ct=0.5, **common,
        )[0],
    ]  # fmt: skip
    taken = time.process_time() - begun
    assert np.allclose(benchmark.pedantic(ours, rounds=3), theirs, atol=1e-9)
    benchmark.extra_info |= {
        "reference": "sed_scores_eval",
        "ratio": taken / benchmark.stats.stats.median,
    }
