"""What sedbench and the reference implementations are both asked to measure.

A *case* is a plain JSON value::

    classes     names
    durations   seconds by clip, or null: every clip ends with its last event
    truth       [onset, offset, label] by clip
    decisions   the same, one such mapping an operating point
    scores      {edges, values} by clip, values one row a frame; or null

``synthetic`` makes small cases that are committed with the golden figures. ``shared`` makes cases
from the annotations in the shared folder, which are not committed: real ground truth, real system
outputs, and for PSDS scores that are drawn around a real ground truth.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sedbench.stats import random_uint64

Case = dict[str, Any]
Events = dict[str, list[list[Any]]]


class Draw:
    """Uniform numbers in [0, 1), the same on every machine and NumPy."""

    def __init__(self, seed: int) -> None:
        self._seed, self._next = seed, 0

    def __call__(self, *shape: int) -> np.ndarray:
        count = int(np.prod(shape, dtype=int))
        numbers = random_uint64(self._seed, 6, self._next, count)
        self._next += count
        return ((numbers >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def one(self) -> float:
        return float(self(1)[0])


def synthetic() -> dict[str, Case]:
    """Small cases that hold what is awkward: silence, misses, false alarms, crowds, ties."""
    return {"frames": _frames(), "crowd": _crowd()}


def _frames() -> Case:
    """Scores of clips of different lengths, with equal scores, and what thresholds decide."""
    draw, classes = Draw(1), ["Bell", "Dog", "Speech", "Water"]
    truth: Events = {}
    scores, durations = {}, {}
    for number in range(14):
        clip = f"clip-{number:02d}"
        hop, frames = (0.064, 60) if number % 2 else (0.1, 40)
        edges = [round(i * hop, 6) for i in range(frames + 1)]
        durations[clip] = edges[-1]
        # One clip is silent; one class is rare.
        events = [] if number == 5 else spread(draw, classes, edges[-1], rare="Bell")
        truth[clip] = events
        values = np.round(made_scores(draw, events, classes, np.array(edges)), 2)
        if number == 7:
            values[:] = 0.25  # the same everywhere
        scores[clip] = {"edges": edges, "values": values.tolist()}
    points = [decide(scores, classes, level / 10) for level in range(1, 10)]
    return _case(classes, durations, truth, points, scores)


def _crowd() -> Case:
    """Many short events within each other's collars: which to match takes some thought."""
    draw, classes = Draw(2), ["A", "B", "C", "Never predicted"]
    truth: Events = {}
    decided: Events = {}
    for number in range(10):
        clip = f"crowd-{number}"
        for lists, count in ((truth, 16), (decided, 15)):
            events = []
            for _ in range(count):
                onset = round(3 * draw.one(), 3)
                length = round(0.03 + 0.4 * draw.one(), 3)
                label = classes[int(3 * draw.one())]
                events.append([onset, round(onset + length, 3), label])
            lists[clip] = sorted(events)
        truth[clip].append([3.5, 4.0, "Never predicted"])
    truth["missed"], decided["missed"] = [[0.5, 1.25, "A"]], []
    truth["silent"], decided["silent"] = [], [[0.25, 0.75, "B"]]
    durations = dict.fromkeys(truth, 5.0)
    return _case(classes, durations, truth, [decided], None)


def shared(folder: Path) -> dict[str, Case]:
    """Cases from the annotations that the reference implementations test themselves with."""
    cases = {}
    sound = folder / "sed_eval" / "sound_event"
    for name, (reference, output) in {
        "street": ("street_fold1_reference.txt", "street_fold1_detected.txt"),
        "office": ("office_snr0_high_v2.txt", "office_snr0_high_v2_detected.txt"),
        "office-noisy": ("office_snr0_med_v2.txt", "office_snr0_med_v2_detected.txt"),
    }.items():
        truth, decided = _plain(sound / reference), _plain(sound / output)
        cases[name] = _case(_labels([truth, decided]), None, truth, [decided], None)
    dcase = folder / "psds_eval" / "dcase2019"
    truth = _some(_table(dcase / "dcase2019t4_gt.csv"))
    durations = {
        row["filename"]: float(row["duration"])
        for row in _rows(dcase / "dcase2019t4_meta.csv")
        if row["filename"] in truth
    }
    points = [
        {clip: found for clip, found in _table(path).items() if clip in truth}
        for path in (dcase / f"baseline_{level / 10:.1f}.csv" for level in range(1, 11))
    ]
    # A few clips are annotated twice; psds_eval refuses events that overlap.
    truth, points = _merged(truth), [_merged(point) for point in points]
    cases["dcase2019"] = _case(_labels([truth]), durations, truth, points, None)
    cases["desed"] = _desed(_some(_table(folder / "desed" / "public_eval.tsv")))
    return cases


def _desed(truth: Events) -> Case:
    """Scores of a made-up detector around the ground truth of DESED's public evaluation set."""
    draw, classes = Draw(3), _labels([truth])
    durations = {clip: max(10.0, *(e[1] for e in events)) for clip, events in truth.items()}
    scores = {}
    for clip in sorted(truth):
        edges = np.append(np.round(np.arange(0, durations[clip], 0.064), 6), durations[clip])
        values = np.round(made_scores(draw, truth[clip], classes, edges), 3)
        scores[clip] = {"edges": edges.tolist(), "values": values.tolist()}
    return _case(classes, durations, truth, [decide(scores, classes, 0.5)], scores)


def made_scores(draw: Draw, events: list[list[Any]], classes: list[str], edges: Any) -> np.ndarray:
    """Scores in [0, 1]: high in events, somewhat in those of the next class, and noise."""
    frames = len(edges) - 1
    active = np.zeros((frames, len(classes)))
    for onset, offset, label in events:
        late, long = 0.3 * (draw(2) - 0.5)  # s by which its boundaries are missed
        inside = np.minimum(edges[1:], offset + long) - np.maximum(edges[:-1], onset + late)
        share = np.clip(inside / np.diff(edges), 0, 1)
        column = classes.index(label)
        active[:, column] = np.maximum(active[:, column], (0.4 + 0.6 * draw.one()) * share)
    noise = draw(frames + 4, len(classes))
    smooth = sum(noise[i : i + frames] for i in range(5)) / 5
    return np.clip(0.6 * active + 0.2 * np.roll(active, 1, 1) + 0.7 * (smooth - 0.3), 0, 1)


def spread(draw: Draw, classes: list[str], end: float, rare: str) -> list[list[Any]]:
    """Events of each class that neither overlap nor touch."""
    events = []
    for label in classes:
        time = 0.0
        while draw.one() < (0.25 if label == rare else 0.6):
            onset = round(time + 0.05 + draw.one() * end / 3, 3)
            offset = round(onset + 0.06 + draw.one() * end / 3, 3)
            if offset > end:
                break
            events.append([onset, offset, label])
            time = offset
    return sorted(events)


def decide(scores: dict[str, Any], classes: list[str], threshold: float) -> Events:
    """Runs of frames above a threshold, one frame at a time."""
    events: Events = {}
    for clip, table in scores.items():
        found, edges = [], table["edges"]
        for column, label in enumerate(classes):
            begun = None
            for frame, row in enumerate([*table["values"], None]):
                above = row is not None and row[column] > threshold
                if above and begun is None:
                    begun = edges[frame]
                elif not above and begun is not None:
                    found.append([begun, edges[frame], label])
                    begun = None
        events[clip] = sorted(found)
    return events


def _case(
    classes: list[str],
    durations: dict[str, float] | None,
    truth: Events,
    decisions: list[Events],
    scores: dict[str, Any] | None,
) -> Case:
    clips = sorted({*truth, *(clip for point in decisions for clip in point), *(durations or {})})
    return {
        "classes": classes,
        "durations": durations,
        "truth": {clip: truth.get(clip, []) for clip in clips},
        "decisions": [{clip: point.get(clip, []) for clip in clips} for point in decisions],
        "scores": scores,
    }


def _labels(lists: Iterable[Events]) -> list[str]:
    return sorted({event[2] for each in lists for found in each.values() for event in found})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _table(path: Path) -> Events:
    """A table with a header: filename, onset, offset, event_label in any order."""
    events: Events = defaultdict(list)
    for row in _rows(path):
        # A row without times is a clip in which nothing sounds.
        onset, offset = float(row["onset"] or 0), float(row["offset"] or 0)
        events.setdefault(row["filename"], [])
        if offset > onset:  # psds_eval drops what has no length
            events[row["filename"]].append([onset, offset, row["event_label"]])
    return {clip: sorted(found) for clip, found in events.items()}


def _merged(events: Events) -> Events:
    """Join events of one class that overlap or touch."""
    joined: Events = {}
    for clip, found in events.items():
        last: dict[str, list[Any]] = {}
        joined[clip] = []
        for onset, offset, label in sorted(found):
            if label in last and onset <= last[label][1]:
                last[label][1] = max(last[label][1], offset)
            else:
                last[label] = [onset, offset, label]
                joined[clip].append(last[label])
    return joined


def _some(events: Events) -> Events:
    """Every fifth clip: the references take minutes for all of them."""
    return {clip: events[clip] for clip in sorted(events)[::5]}


def _plain(path: Path) -> Events:
    """A list without a header: [file, [scene,]] onset, offset, label."""
    events: Events = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        *front, onset, offset, label = line.split("\t")
        found = events[front[0] if front else "recording"]
        if float(offset) > float(onset):  # one of them has no length; sed_eval would count it
            found.append([float(onset), float(offset), label])
    return dict(events)
