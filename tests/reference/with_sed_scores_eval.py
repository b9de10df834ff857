"""Figures of sed_scores_eval for the cases on stdin that have scores, as JSON on stdout.

It runs in the environment "events".
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from sed_scores_eval import intersection_based
from sed_scores_eval.base_modules.scores import create_score_dataframe

# name -> dtc, gtc, cttc, alpha_ct, alpha_st, max_efpr
PSDS = {
    "psds1": (0.7, 0.7, None, 0.0, 1.0, 100.0),
    "psds2": (0.1, 0.1, 0.3, 0.5, 1.0, 100.0),
    "psds_lenient": (0.43, 0.47, 0.37, 1.0, 0.0, 2000.0),
}
CRITERIA = {"intersection_70": (0.7, 0.7), "intersection_10": (0.1, 0.1)}
THRESHOLD = 0.5


def main() -> None:
    cases = json.load(sys.stdin)
    figures = {name: measure(case) for name, case in cases.items() if case["scores"]}
    json.dump(figures, sys.stdout, allow_nan=False)


def measure(case: dict[str, Any]) -> dict[str, float]:
    """Every figure of one case."""
    scores = {
        clip: create_score_dataframe(
            np.array(table["values"]), np.array(table["edges"]), case["classes"]
        )
        for clip, table in case["scores"].items()
    }
    truth = {clip: [tuple(event) for event in events] for clip, events in case["truth"].items()}
    found: dict[str, float] = {}
    for name, (dtc, gtc, cttc, alpha_ct, alpha_st, limit) in PSDS.items():
        value, by_class, *_ = intersection_based.psds(
            scores,
            truth,
            case["durations"],
            dtc_threshold=dtc,
            gtc_threshold=gtc,
            cttc_threshold=cttc,
            alpha_ct=alpha_ct,
            alpha_st=alpha_st,
            max_efpr=limit,
        )
        found[name] = float(value)
        found |= {f"{name}.{label}": float(each) for label, each in by_class.items()}
    for name, (dtc, gtc) in CRITERIA.items():
        f1, *_ = intersection_based.fscore(
            scores, truth, THRESHOLD, dtc_threshold=dtc, gtc_threshold=gtc
        )
        found |= {f"{name}.f1.{label}": float(each) for label, each in f1.items()}
    return found


if __name__ == "__main__":
    main()
