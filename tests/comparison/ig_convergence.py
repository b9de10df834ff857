"""How far IG's attributions are from adding up, against the number of steps.

    python tests/comparison/ig_convergence.py domestic

Relative completeness error ``|sum of attributions - (f(x) - f(baseline))| / |f(x) - f(baseline)|``
of the pairs that the classifier detects in the first eight validation clips: median and largest,
for each input and baseline.
"""

from __future__ import annotations

import sys

import numpy as np

from sedbench import api
from sedbench.lookup import find_method
from sedbench.progress import Quiet
from sedbench.splits import Splits

STEPS = (5, 10, 20, 50, 100, 200)
SETTINGS = (("logmel", "silence"), ("logmel", "mean"), ("waveform", "silence"))


def main(task: str) -> None:
    """Print one row a setting."""
    work = api.prepare(["ig"], task, limit=8)
    splits = Splits(work, Quiet())
    print(f"{'input':9s} {'baseline':9s}" + "".join(f"{n:>19d}" for n in STEPS))
    for source, baseline in SETTINGS:
        row = f"{source:9s} {baseline:9s}"
        for steps in STEPS:
            method = find_method(f"ig[steps={steps},input={source},baseline={baseline}]")
            errors = splits.scored(method, "validation")[1].diagnostics["completeness_error"]
            row += f"  {np.median(errors):.1e} ({errors.max():.0e})"
        print(row)


if __name__ == "__main__":
    main(sys.argv[1])
