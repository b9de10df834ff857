"""Print how the poolings of ``fw-ws`` did on a task, over several trainings, as the docs show it.

    python tests/tools/pooling_table.py domestic
    python tests/tools/pooling_table.py domestic-real

Asks ``sedbench compare`` about the results that ship, with and without the filter that validation
chose; nothing is run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import Any

from sedbench.report.columns import number
from sedbench.report.comparison import probability, signed
from sedbench_plugins.poolings import POOLINGS

SEEDS = "0,1,2"
HEADS = (
    "pooling",
    "IoU [95 %]",
    "lowest and highest training",
    "difference to linear [95 %]",
    "p, Holm",
    "verdict",
    "IoU, smoothed",
)


def spec(pooling: str) -> str:
    """Name a pooling's row on the board."""
    return "fw-ws" if pooling == "linear" else f"fw-ws[pooling={pooling}]"


def compared(task: str, smoothing: str) -> list[dict[str, Any]]:
    """What ``sedbench compare`` says of each pooling against the first."""
    command = [sys.executable, "-m", "sedbench", "compare", *map(spec, POOLINGS), "--task", task]
    command += ["--seeds", SEEDS, "--smoothing", smoothing, "--json"]
    with tempfile.TemporaryDirectory() as empty:  # of the results that ship, not of one's own
        command += ["--results", empty]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    rows: list[dict[str, Any]] = json.loads(done.stdout)["overall"]["rows"]
    return rows


def table(task: str) -> str:
    """The table as Markdown, the highest IoU first."""
    plain, smoothed = compared(task, "none"), compared(task, "chosen")
    rows = [_cells(*each) for each in zip(POOLINGS, plain, smoothed, strict=True)]
    order = sorted(range(len(rows)), key=lambda i: -plain[i]["value"])
    lines = [HEADS, ["---"] * len(HEADS), *(rows[i] for i in order)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(pooling: str, row: dict[str, Any], smoothed: dict[str, Any]) -> list[str]:
    own = row["over_models"]
    told = [
        f"`{pooling}`",
        f"{number(row['value'])} [{number(row['ci_low'])} {number(row['ci_high'])}]",
        f"{number(own['min'])}, {number(own['max'])}",
    ]
    if (difference := row["difference"]) is None:
        told += ["", "", "the first"]
    else:
        ends = f"[{signed(difference['ci_low'])} {signed(difference['ci_high'])}]"
        told += [
            f"{signed(difference['value'])} {ends}",
            probability(difference["p_adjusted"]),
            row["words"],
        ]
    return [*told, number(smoothed["value"])]


if __name__ == "__main__":
    print(table(sys.argv[1]))
