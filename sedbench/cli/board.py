"""The shipped board of a task, which needs neither its audio nor a model to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sedbench.results import Result
    from sedbench.tasks import TaskSpec


def shipped(task: TaskSpec) -> list[Result]:
    """List the shipped results of a task and its own model that hold for it as it is now."""
    from sedbench import leaderboard
    from sedbench.metrics.catalogue import METRICS_VERSION

    current = task.fingerprint(METRICS_VERSION)
    return [
        result
        for result in leaderboard.shipped(task.name, task.model)
        if not leaderboard.is_stale(result, current)
    ]


def brief(result: Result) -> dict[str, Any]:
    """Say one row in plain values: the headline IoU and its interval."""
    from sedbench.report.columns import record

    found = record(result, "iou", policy="chosen") or {}
    return {
        "method": result.spec,
        "supervision": result.supervision,
        "seed": result.seed,
        "iou": found.get("value"),
        "ci_low": found.get("ci_low"),
        "ci_high": found.get("ci_high"),
    }


def show_board(task: TaskSpec) -> None:
    """Print the table of the shipped results, where there are any."""
    from sedbench.cli.streams import out
    from sedbench.report.table import render

    found = shipped(task)
    if found:
        console = out()
        console.print(f"\nthe board that ships, model {task.model}")
        render([], found, task.published, console, note=task.published_note)
