"""``sedbench run``: methods on a task, beside its reference rows."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sedbench.cli.errors import report
from sedbench.cli.options import COUNT, DEVICE, JOBS, JSON, SEED, Seconds, Word
from sedbench.cli.streams import installed, out, reserved_stdout, show, write_json
from sedbench.errors import NothingSelectedError

if TYPE_CHECKING:
    from sedbench.api import PlannedCell, Results

EVERYTHING = "all"


@click.command("run")
@click.option(
    "-m",
    "--method",
    "methods",
    multiple=True,
    metavar="NAME[PARAM=VALUE,...]",
    help="A method, detector or baseline; give it again for more, or 'all'.",
)
@click.option(
    "-t",
    "--task",
    metavar="TASK",
    help="What to listen to, a name or a file; the default task unless given.",
)
@click.option(
    "--model",
    metavar="NAME[PARAM=VALUE,...]",
    help="The classifier to explain, or my_pkg.module:build.  [default: the task's]",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="For stochastic methods.")
@DEVICE
@click.option(
    "--limit",
    type=COUNT,
    metavar="N",
    help="Only the first N test clips (and validation clips): shown, never ranked.",
)
@JOBS
@click.option(
    "--overwrite",
    type=Word(("never", "missing", "stale", "always")),
    default="stale",
    show_default=True,
    metavar="never|missing|stale|always",
    help="Which stored results are computed again.",
)
@click.option("--recalibrate", is_flag=True, help="Choose thresholds on validation again.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed, and stop.")
@JSON
@click.option(
    "--timeout",
    type=Seconds(),
    metavar="SECONDS",
    help="Give up on a method where a batch of eight clips takes longer.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where results are kept.  [default: SEDBENCH_RESULTS, or ./sedbench-results]",
)
@click.option(
    "--save-scores",
    type=Word(("tsv", "none")),
    default="none",
    show_default=True,
    metavar="tsv|none",
    help="Also write 100 ms scores of every test clip and class, for PSDS and event F1.",
)
@click.option(
    "--scores-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where those go, a folder a method.  [default: ./sedbench-scores]",
)
def command(methods: tuple[str, ...], dry_run: bool, as_json: bool, **options: Any) -> int:
    """Run methods on a task and print the table.

    \b
      sedbench run -m NAME
      sedbench run -m NAME -m 'OTHER[param=value]' -t TASK --json
      sedbench run -m all --dry-run

    A method that was run before, and that nothing has changed since, is not run again. An
    interrupted run goes on where it stopped. `sedbench list` shows the names, `sedbench show
    NAME` the parameters.

    --save-scores tsv writes a table a clip, as sed_scores_eval reads it. A detector's scores are
    its frame probabilities. An attribution's or a baseline's are the classifier's clip probability
    times the frame score as a share of the clip's largest, and 0 for a class that the classifier
    does not detect: only so can scores be compared across clips.
    """  # noqa: D301
    chosen = _chosen(methods)
    options["command"] = _line(chosen, options)
    with reserved_stdout():
        from sedbench import api
    if dry_run:
        with reserved_stdout():
            cells = api.plan(chosen, **options)
        _show_plan(cells, as_json)
        return 0
    from sedbench.cli.progress import Bars

    with Bars() as progress, reserved_stdout():
        results = api.run(chosen, progress=progress, **options)
    _show_results(results, as_json)
    return _code(results)


def _chosen(methods: Sequence[str]) -> list[str]:
    names = [m.strip() for m in methods if m.strip()]
    chosen: list[str] = []
    for name in names:
        chosen += installed().names("methods") if name == EVERYTHING else [name]
    if not chosen:
        raise NothingSelectedError(
            "no method is installed" if EVERYTHING in names else "no method was chosen",
            "choose with --method NAME or --method all; `sedbench list methods` has the names",
        )
    return list(dict.fromkeys(chosen))


def _line(chosen: Sequence[str], options: Mapping[str, Any]) -> str:
    # What a result records, so that it can be had again: everything that decides a figure,
    # and no folder of this machine.
    words = ["sedbench", "run"]
    for method in chosen:
        words += ["-m", method]
    from sedbench.lookup import label_of

    if options["task"] is not None:
        words += ["--task", label_of(options["task"])]
    for name in ("model", "seed", "limit"):
        if options[name] is not None:
            words += [f"--{name}", str(options[name])]
    return shlex.join(words + ["--recalibrate"] * options["recalibrate"])


def _show_plan(cells: Sequence[PlannedCell], as_json: bool) -> None:
    from sedbench.cli.describe import plain

    rows = [plain(cell) for cell in cells]
    if as_json:
        write_json({"cells": rows})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in rows[0] if rows else ():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if v is None else str(v)) for v in row.values()))
    show(table)


def _show_results(results: Results, as_json: bool) -> None:
    if as_json:
        from sedbench.results import payload

        write_json(payload(results))
        return
    from sedbench.report.table import render

    render(
        results,
        results.reference,
        results.task.published,
        out(),
        note=results.task.published_note,
    )


def _code(results: Results) -> int:
    failed = [r for r in results if r.status in ("failed", "timeout")]
    for result in failed:
        report(f"{result.spec} on {result.task}: {result.status}: {result.reason}")
    return 1 if failed else 0
