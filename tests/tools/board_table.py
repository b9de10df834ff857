"""Print the board of one task and model as the table that the docs show.

    python tests/tools/board_table.py domestic-real yamnet-head

Reads ``leaderboard/results`` alone; nothing is computed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sedbench import leaderboard
from sedbench.leaderboard.markdown import passes
from sedbench.report.columns import number, record, with_interval
from sedbench.results import Result

BOARD = Path(__file__).parents[2] / "leaderboard" / "results"
HEADS = (
    "method",
    "told about time",
    "IoU [95 %]",
    "IoU, percentile",
    "IoU, smoothed",
    "AUC [95 %]",
    "discr. AUC",
    "passes a pair",
)


def rows(task: str, model: str) -> list[list[str]]:
    """The table's cells, the highest IoU first."""
    found = [r for r in leaderboard.shipped(task, model, folder=BOARD) if r.status == "ok"]
    return [_cells(result) for result in sorted(found, key=_order)]


def _order(result: Result) -> tuple[float, str]:
    headline = record(result, "iou")
    value = headline["value"] if headline else None
    return (-(value or 0.0), result.spec)


def _value(result: Result, metric: str, **wanted: Any) -> str:
    found = record(result, metric, **wanted)
    return number(found["value"] if found else None)


def _cells(result: Result) -> list[str]:
    cost = result.cost
    needed = cost["forward_per_pair"] + cost["backward_per_pair"]
    return [
        f"`{result.spec}`",
        result.supervision,
        with_interval(record(result, "iou")),
        _value(result, "iou", policy="percentile"),
        _value(result, "iou", smoothing="chosen"),
        with_interval(record(result, "auc")),
        _value(result, "discrimination"),
        passes({"cost": {"passes_per_pair": needed}}) if needed else "–",
    ]


def table(task: str, model: str) -> str:
    """The table as Markdown."""
    lines = [HEADS, ["---"] * len(HEADS), *rows(task, model)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    print(table(sys.argv[1], sys.argv[2]))
