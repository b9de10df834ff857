"""Print the IoU of results on the validation clips, at the thresholds that were chosen on them.

    python tests/tools/validation_iou.py RESULT.json...

For choosing between trainings without a look at the test clips. The thresholds flatter it, alike
for all: compare such figures with each other and with nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sedbench.contenders import Contender, primary_truth, read_contender
from sedbench.protocol.records import Row
from sedbench.protocol.replicates import measure
from sedbench.protocol.smoothing import SMOOTHINGS
from sedbench.stats import percentile_interval


def validation_iou(contender: Contender) -> tuple[float, float, float]:
    """Mean IoU over validation pairs, and the ends of its 95 % interval."""
    split, truth = contender.validation, primary_truth(contender.result)
    measured = measure(split, split, primary=truth, smoothings=SMOOTHINGS[:1])
    headline = Row("iou", "chosen", "localisation", "pairs", "all", truth, "none")
    low, high = percentile_interval(measured.only([headline]).replicates()[0])
    value = measured.only([headline]).within()[0, 0]
    return float(value), float(low[0]), float(high[0])


def main(paths: list[str]) -> None:
    """Print a line a result."""
    for path in paths:
        contender = read_contender(Path(path), path)
        value, low, high = validation_iou(contender)
        result = contender.result
        print(f"{value:.3f} [{low:.3f} {high:.3f}]  {result.model}  {result.spec}  {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
