"""Run a few methods again on the first clips of a task, and compare them with the board.

    python .ci/smoke.py [--task domestic] [--clips 24] [METHOD ...]

Each method is run by the installed ``sedbench`` on the first test clips. The board's own items of
the same method are cut to the same clips, and both are scored with the thresholds that the board
records. Every headline figure has to agree within :data:`BAND`. And from the board's own items the
metrics of today have to give the figures that it records: to :data:`SAME`.

The band leaves room for another processor: about thirty pairs are compared, and one pair whose clip
probability falls on the other side of one half moves a mean by up to .03. What it is to find is a
method, a renderer or a metric that changed without anybody raising a version.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sedbench import leaderboard, results
from sedbench.protocol import Scored, evaluate
from sedbench.results import Result

BAND = 0.03
SAME = 1e-9
METHODS = ("random", "energy", "ig")
COMPARED = ("iou", "f1", "pg", "auc", "ap")


def measured(task: str, method: str, clips: int, folder: Path) -> tuple[Path, Result]:
    """Run a method on the first clips; its result file and what that says."""
    line = ["sedbench", "run", "-m", method, "-t", task, "--limit", str(clips)]
    subprocess.run([*line, "--output", str(folder)], check=True, stdout=subprocess.DEVNULL)
    (path,) = folder.rglob("*.json")
    return path, results.read(path, "measured")


def first(scored: Scored, clips: int) -> Scored:
    """The answer on the first clips alone."""
    return scored.subset(np.arange(len(scored.table.clip_ids)) < clips)


def figures(test: Scored, thresholds: dict[str, Any], truth: str) -> dict[str, float]:
    """The headline figures at given thresholds."""
    return headlines(evaluate(thresholds, test, primary=truth, resamples=0).records, truth)


def headlines(records: Sequence[Mapping[str, Any]], truth: str) -> dict[str, float]:
    """The headline figures among those of a result."""
    wanted = {"view": "localisation", "average": "pairs", "stratum": "all", "truth": truth,
              "smoothing": "none"}  # fmt: skip
    return {
        record["metric"]: record["value"]
        for record in records
        if wanted.items() <= record.items()
        and record["policy"] in ("chosen", None)
        and record["metric"] in COMPARED
        and record["value"] is not None
    }


def differences(here: dict[str, float], there: dict[str, float], band: float = BAND) -> list[str]:
    """Say which figures do not agree."""
    found = [f"{name} is there on one side only" for name in sorted(here.keys() ^ there.keys())]
    for name in sorted(here.keys() & there.keys()):
        if abs(here[name] - there[name]) > band:
            found.append(f"{name} is {here[name]:.6g} here and {there[name]:.6g} on the board")
    return found


def compare(path: Path, own: Result, clips: int) -> list[str]:
    """Compare one run with the board's row of the same cell."""
    method = own.spec
    board = leaderboard.board_folder()
    held = leaderboard.find(own.task, own.model, method, own.seed)
    if board is None or held is None:
        return [f"{method}: the board holds no such row"]
    if leaderboard.is_stale(held, own.task_fingerprint):
        return [f"{method}: the board's row is stale"]
    there = results.result_path(board, own.task, own.model, method, held.seed)
    truth = held.scores[0]["truth"]
    sides = [
        figures(first(results.read_items(where, what)[1], clips), dict(held.thresholds), truth)
        for where, what in ((path, own), (there, held))
    ]
    shown = ", ".join(f"{k} {v:.3f}" for k, v in sides[0].items())
    print(f"{method}: {shown}", flush=True)
    whole = figures(results.read_items(there, held)[1], dict(held.thresholds), truth)
    recorded = headlines(held.scores, truth)
    return [
        *(f"{method}: {text}" for text in differences(sides[0], sides[1])),
        *(f"{method}, all clips: {text}" for text in differences(whole, recorded, SAME)),
    ]


def main(args: list[str]) -> int:
    """Compare all of them; 1 where one does not agree."""
    parser = argparse.ArgumentParser(description="compare a short run with the board")
    parser.add_argument("methods", nargs="*", default=METHODS)
    parser.add_argument("--task", default="domestic")
    parser.add_argument("--clips", type=int, default=24)
    given = parser.parse_args(args)
    problems: list[str] = []
    for method in given.methods:
        with tempfile.TemporaryDirectory() as folder:
            path, own = measured(given.task, method, given.clips, Path(folder))
            problems += compare(path, own, given.clips)
    for problem in problems:
        print(f"not so: {problem}", file=sys.stderr)
    if not problems:
        print(f"{len(given.methods)} methods agree with the board within {BAND}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
