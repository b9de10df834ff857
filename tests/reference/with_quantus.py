"""Figures of Quantus for the scores and masks on stdin, as JSON on stdout.

It runs in the environment "quantus".
"""

from __future__ import annotations

import json
import math
import sys
import warnings

import numpy as np
from quantus import AUC, PointingGame, RelevanceMassAccuracy, RelevanceRankAccuracy

METRICS = {
    "pg": PointingGame,
    "rma": RelevanceMassAccuracy,
    "rra": RelevanceRankAccuracy,
    "auc": AUC,
}


def main() -> None:
    warnings.simplefilter("ignore")
    cases = json.load(sys.stdin)
    figures = {}
    for name, case in cases.items():
        scores, masks = np.array(case["scores"], float), np.array(case["masks"], bool)
        figures[name] = {
            key: [
                None if math.isnan(value) else float(value)
                for value in metric(disable_warnings=True).evaluate_batch(
                    a_batch=scores.copy(), s_batch=masks.copy()
                )
            ]
            for key, metric in METRICS.items()
        }
    json.dump(figures, sys.stdout, allow_nan=False)


if __name__ == "__main__":
    main()
