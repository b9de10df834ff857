"""Active share and overlap of a task's soundscapes beside DESED's real annotations.

    python tests/comparison/desed_statistics.py TASK_TOML [SPLIT ...]

*Active share*: of a (clip, class) pair, the share of the clip in which the class is active.
*Overlap*: of the time in which any event is active, the share in which more than one is.
The annotations are the DESED public evaluation set (Turpault et al., DCASE 2019), found
through ``SEDBENCH_SHARED`` (default ``../shared``).
"""

from __future__ import annotations

import csv
import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sedbench.taskfile import load_task

STEP = 0.01
DURATION = 10.0
Clips = dict[str, list[tuple[float, float, str]]]


def desed() -> Clips:
    """The events of DESED's public evaluation set by file."""
    shared = Path(os.environ.get("SEDBENCH_SHARED", "../shared"))
    clips: Clips = defaultdict(list)
    with (shared / "annotations/desed/public_eval.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["event_label"]:
                times = float(row["onset"]), min(float(row["offset"]), DURATION)
                clips[row["filename"]].append((*times, row["event_label"]))
    return clips


def of_task(path: str, splits: Iterable[str]) -> Clips:
    """The events of a task's splits by clip."""
    task = load_task(path)
    return {
        s.id: [(e.event_time, e.event_time + e.event_duration, e.label) for e in s.events]
        for split in splits
        for s in task.clips(split)  # type: ignore[arg-type]
    }


def describe(name: str, clips: Clips) -> dict[str, float]:
    """Print and return the statistics of annotated clips."""
    time = np.arange(0, DURATION, STEP) + STEP / 2
    shares: dict[str, list[float]] = defaultdict(list)
    active = overlapping = 0
    for events in clips.values():
        now = np.zeros(time.size, int)
        by_class: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(time.size, bool))
        for onset, offset, label in events:
            heard = (time >= onset) & (time < offset)
            now += heard
            by_class[label] |= heard
        for label, heard in by_class.items():
            shares[label].append(float(heard.mean()))
        active += int((now > 0).sum())
        overlapping += int((now > 1).sum())
    every = [share for values in shares.values() for share in values]
    means = {label: float(np.mean(values)) for label, values in shares.items()}
    result = {
        "clips": len(clips),
        "events_per_clip": sum(map(len, clips.values())) / len(clips),
        "pairs": len(every),
        "active_share": float(np.mean(every)),
        "lowest_class_share": min(means.values()),
        "highest_class_share": max(means.values()),
        "overlap": overlapping / active,
    }
    print(f"{name:12s} " + "  ".join(f"{key} {value:.3g}" for key, value in result.items()))
    print(13 * " " + "  ".join(f"{label} {mean:.2f}" for label, mean in sorted(means.items())))
    return result


if __name__ == "__main__":
    describe("DESED", desed())
    task_toml, *chosen = sys.argv[1:]
    for one in chosen or load_task(task_toml).splits:
        describe(one, of_task(task_toml, [one]))
