"""Running the reference implementations, each in its environment, and comparing figures."""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from sedbench.environment import environment

HERE = Path(__file__).parent
# The driver of each implementation, and the environment that it runs in.
TOOLS = {
    "sed_eval": "events",
    "sed_scores_eval": "events",
    "psds_eval": "psds",
    "quantus": "quantus",
}


def figures(tool: str, cases: dict[str, Any], environments: Path) -> dict[str, Any]:
    """What an implementation says of the cases."""
    answer = run(environments / TOOLS[tool], [str(HERE / f"with_{tool}.py")], json.dumps(cases))
    found: dict[str, Any] = json.loads(answer)
    return found


def run(environment: Path, args: list[str], text: str = "", **variables: str) -> str:
    """Run Python in an environment; nothing of this process's own setting gets in."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(
        [str(environment / "bin" / "python"), *args],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "MPLBACKEND": "agg", **variables},
    )
    assert done.returncode == 0, f"{args} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def measured_speed(environments: Path) -> dict[str, Any]:
    """Run speed.py where both sides can be imported."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "speed.json"
        run(
            environments / TOOLS["sed_eval"],
            [
                *("-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"),
                f"--rootdir={HERE}",
                str(HERE / "speed.py"),
                # Seconds of this process: what else the machine does is no part of a ratio.
                "--benchmark-timer=time.process_time",
                f"--benchmark-json={out}",
            ],
            PYTHONPATH=str(HERE.parents[1]),
            OMP_NUM_THREADS="1",
        )
        found = json.loads(out.read_text(encoding="utf-8"))["benchmarks"]
    cpu = environment()["cpu"]
    return {
        "machine": f"{cpu['model']}, one thread",
        "what": "1,000 clips of 10 s, ten classes, 157 frames; processor time, medians",
        "times_faster": {
            each["extra_info"]["reference"]: round(each["extra_info"]["ratio"], 1) for each in found
        },
    }


def differences(theirs: dict[str, Any], ours: dict[str, Any], within: float = 1e-9) -> list[str]:
    """Every figure of theirs that ours lacks, or that differs by more."""
    found = []
    for key, value in theirs.items():
        mine = ours.get(key, math.inf)
        missing = value is None or mine is None
        if not (value is mine if missing else abs(value - mine) <= within):
            found.append(f"{key}: theirs {value}, ours {mine}")
    return found
