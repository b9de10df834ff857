"""Measure the event patterns of real annotations for ``domestic-real-natural``.

    python tests/tools/patterns.py

Reads the annotations of DESED's public evaluation set (found through ``SEDBENCH_SHARED``,
default ``../shared``) and writes ``patterns.json``: how often which classes are together in
a clip, how many events of a class a clip holds, and quantiles of durations, gaps and places.
No file name and no annotation is in it. What each number means, and how soundscapes are
drawn from it, is told in :mod:`sedbench.data.patterns`.

Only classes that the soundbank ``domestic-real`` has are measured; clips without them, and
events of other classes in the clips, are left out and counted.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter, defaultdict
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np

OUT = Path(__file__).parents[2] / "tasks/sedbench_tasks/domestic_real_natural/patterns.json"
CLASSES = ("Alarm_bell_ringing", "Dishes", "Dog", "Frying", "Running_water", "Speech")
DURATION = 10.0
QUANTILES = 21
# Clips with so many events of the class share quantiles; a range with fewer events than
# LEAST takes those of all its class's clips with several events.
RANGES = ((1, 1), (2, 2), (3, 4), (5, 999))
LEAST = 20
Times = list[tuple[float, float]]
Clips = dict[str, dict[str, Times]]


def annotations(path: Path) -> Clips:
    """The events of each clip by class, overlapping ones of a class merged."""
    found: Clips = defaultdict(lambda: defaultdict(list))
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            clip = found[row["filename"]]
            if row["event_label"]:
                times = float(row["onset"]), min(float(row["offset"]), DURATION)
                clip[row["event_label"]].append(times)
    return {n: {c: merged(times) for c, times in clip.items()} for n, clip in found.items()}


def merged(times: Times) -> Times:
    """The union of intervals, in order."""
    out: Times = []
    for onset, offset in sorted(times):
        if out and onset <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], offset))
        else:
            out.append((onset, offset))
    return out


def quantiles(values: list[float]) -> list[float]:
    """Evenly spaced quantiles from the least to the greatest, to the millisecond."""
    points = np.linspace(0, 1, QUANTILES)
    return [round(float(v), 3) for v in np.quantile(values, points)] if values else []


def measures(clips: list[Times]) -> dict[str, list[float]]:
    """Quantiles over clips with about the same number of events."""
    leads = []
    for times in clips:
        if (slack := DURATION - (times[-1][1] - times[0][0])) >= 0.1:
            leads.append(times[0][0] / slack)
    return {
        "durations": quantiles([b - a for times in clips for a, b in times]),
        "gaps": quantiles([q[0] - p[1] for times in clips for p, q in pairwise(times)]),
        "leads": quantiles([min(lead, 1.0) for lead in leads]),
    }


def of_class(clips: list[Times]) -> dict[str, Any]:
    """The pattern of one class, from the clips that hold it."""
    several = [times for times in clips if len(times) > 1]
    counts = Counter(len(times) for times in clips)
    if sum(map(len, several)) < LEAST:  # too few to say anything of their gaps
        counts = Counter({1: len(clips)})
    ranges = []
    for low, high in RANGES:
        if not any(low <= n <= high for n in counts):
            continue
        inside = [times for times in clips if low <= len(times) <= high]
        if sum(map(len, inside)) < LEAST:
            inside = several
        ranges.append({"from": low, **measures(inside)})
    return {
        "clips": len(clips),
        "events": {str(n): counts[n] for n in sorted(counts)},
        "ranges": ranges,
        "onsets": quantiles([a for times in clips for a, _ in times]),
        "durations": quantiles([b - a for times in clips for a, b in times]),
        "active_share": round(
            float(np.mean([sum(b - a for a, b in times) for times in clips])) / DURATION, 3
        ),
    }


def main() -> None:
    """Measure and write."""
    shared = Path(os.environ.get("SEDBENCH_SHARED", "../shared"))
    path = shared / "annotations/desed/public_eval.tsv"
    clips = annotations(path)
    used = [{c: clip[c] for c in CLASSES if c in clip} for clip in clips.values()]
    used = [clip for clip in used if clip]
    together = Counter(tuple(sorted(clip)) for clip in used)
    pairs = Counter(pair for clip in used for pair in combinations(sorted(clip), 2))
    text = {
        "source": "DESED public evaluation set (Turpault et al., DCASE 2019), CC-BY 4.0; "
        "statistics of its annotations by tests/tools/patterns.py",
        "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "annotated_clips": len(clips),
        "clips": len(used),
        "events_of_other_classes_left_out": sum(
            len(times)
            for clip in clips.values()
            for c, times in clip.items()
            if c not in CLASSES and any(k in CLASSES for k in clip)
        ),
        "duration": DURATION,
        "classes_in_a_clip": dict(sorted((str(n), k) for n, k in Counter(map(len, used)).items())),
        "pairs_of_classes": {"+".join(p): n for p, n in sorted(pairs.items())},
        "combinations": {
            "+".join(c): n for c, n in sorted(together.items(), key=lambda x: (-x[1], x[0]))
        },
        "classes": {c: of_class([clip[c] for clip in used if c in clip]) for c in CLASSES},
    }
    lines = json.dumps(text, indent=1)
    # One list a line: quantiles are read along, not down.
    compact = "\n".join(_rows(lines.splitlines())) + "\n"
    assert json.loads(compact) == text
    OUT.write_text(compact, encoding="utf-8", newline="\n")
    print(f"{OUT}: {len(used)} of {len(clips)} clips, sha256", end=" ")
    print(hashlib.sha256(compact.encode()).hexdigest())


def _rows(lines: list[str]) -> list[str]:
    out: list[str] = []
    numbers: list[str] = []
    for line in lines:
        if line.endswith(": ["):
            numbers = [line]
        elif numbers:
            numbers.append(line.strip())
            if line.strip() in ("]", "],"):
                out.append(numbers[0] + " ".join(numbers[1:-1]) + numbers[-1])
                numbers = []
            elif line.strip() == "{":  # a list of tables stays as it is
                out += [numbers[0], line]
                numbers = []
        else:
            out.append(line)
    return out


if __name__ == "__main__":
    main()
