"""Figures of psds_eval for the cases on stdin, from operating points, as JSON on stdout.

It runs in the environment "psds". psds_eval refuses events of one class that overlap, and needs
durations: cases with the one or without the other are left out.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import pandas as pd
from psds_eval import PSDSEval

# name -> dtc, gtc, cttc, alpha_ct, alpha_st, max_efpr
PSDS = {
    "psds1": (0.7, 0.7, 0.3, 0.0, 1.0, 100.0),
    "psds2": (0.1, 0.1, 0.3, 0.5, 1.0, 100.0),
    "psds_lenient": (0.43, 0.47, 0.37, 1.0, 0.0, 2000.0),
}
COLUMNS = ["filename", "onset", "offset", "event_label"]


def main() -> None:
    warnings.simplefilter("ignore")
    cases = json.load(sys.stdin)
    figures = {
        name: measure(case)
        for name, case in cases.items()
        if case["durations"] and not overlapping(case)
    }
    json.dump(figures, sys.stdout, allow_nan=False)


def measure(case: dict[str, Any]) -> dict[str, float]:
    """Every figure of one case."""
    clips = pd.DataFrame(case["durations"].items(), columns=["filename", "duration"])
    truth, points = _frame(case["truth"]), [_frame(point) for point in case["decisions"]]
    found: dict[str, float] = {}
    for name, (dtc, gtc, cttc, alpha_ct, alpha_st, limit) in PSDS.items():
        metric = PSDSEval(dtc, gtc, cttc, ground_truth=truth, metadata=clips)
        for point in points:
            metric.add_operating_point(point)
        found[name] = float(metric.psds(alpha_ct, alpha_st, limit).value)
        average, by_class = metric.compute_macro_f_score(points[len(points) // 2])
        # A class of which nothing is found is 0/0 here, and drops out of the average.
        defined = {label: float(each) for label, each in by_class.items() if each == each}
        found |= {f"{name}.f1.{label}": each for label, each in defined.items()}
        if len(defined) == len(by_class):
            found[f"{name}.macro_f1"] = float(average)
    return found


def overlapping(case: dict[str, Any]) -> bool:
    """Whether events of one class overlap anywhere."""
    for events in (case["truth"], *case["decisions"]):
        for found in events.values():
            last: dict[str, float] = {}
            for onset, offset, label in sorted(found):
                if onset < last.get(label, 0.0):
                    return True
                last[label] = max(offset, last.get(label, 0.0))
    return False


def _frame(events: dict[str, list[Any]]) -> pd.DataFrame:
    rows = [[clip, *event] for clip, found in events.items() for event in found]
    return pd.DataFrame(rows, columns=COLUMNS)


if __name__ == "__main__":
    main()
