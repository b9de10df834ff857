"""``sedbench compare``: methods against the first of them, from results that are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sedbench.cli.errors import report, say
from sedbench.cli.options import BY, JSON, METHOD_SEED, RESULTS, TASK, Numbers, Word
from sedbench.cli.streams import installed, out, reserved_stdout, write_json
from sedbench.errors import NothingSelectedError, UsageError

if TYPE_CHECKING:
    from sedbench.contenders import Contender
    from sedbench.tasks import TaskSpec
    from sedbench.versus import Comparison


@click.command("compare")
@click.argument("methods", nargs=-1, metavar="METHOD...")
@TASK
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME[PARAM=VALUE,...]",
    help="The classifier explained; again for more: means over them, and how they differ.",
)
@click.option(
    "--seeds",
    type=Numbers(),
    metavar="S,S,...",
    help="Several seeds of the model, for instance 0,1,2.",
)
@METHOD_SEED
@click.option("--metric", default="iou", show_default=True, metavar="ID", help="What to compare.")
@click.option(
    "--policy",
    default="chosen",
    show_default=True,
    metavar="POLICY",
    help="chosen, percentile, relative, absolute, oracle, or percentile@N.",
)
@click.option(
    "--view",
    type=Word(("localisation", "end-to-end")),
    default="localisation",
    show_default=True,
    metavar="localisation|end-to-end",
    help="Which pairs count.",
)
@click.option(
    "--average",
    type=Word(("pairs", "classes")),
    default="pairs",
    show_default=True,
    metavar="pairs|classes",
    help="What weighs alike.",
)
@click.option("--truth", metavar="TRUTH", help="extent or activity.  [default: the task's]")
@click.option(
    "--smoothing",
    type=Word(("none", "chosen")),
    default="none",
    show_default=True,
    metavar="none|chosen",
    help="Frame scores as they are, or with the filter that validation chose.",
)
@click.option(
    "--by",
    type=Word(BY),
    metavar="|".join(BY),
    help="Some pairs apart as well; fewer than 3 source groups: shown, not ranked.",
)
@click.option(
    "--fail-if-worse-than",
    "rival",
    metavar="METHOD",
    help="Compare with this one; exit code 1 if any other is worse.",
)
@RESULTS
@JSON
def command(  # noqa: PLR0917 - one option each
    methods: tuple[str, ...],
    task: str | None,
    models: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    seed: int,
    rival: str | None,
    folder: Path | None,
    by: str | None,
    as_json: bool,
    **figure: str,
) -> int:
    """Compare methods with the first of them.

    \b
      sedbench compare NAME OTHER 'OTHER[param=value]'
      sedbench compare NAME all --by class
      sedbench compare mine.json NAME --metric auc --json
      sedbench compare NAME OTHER --metric rma
      sedbench compare NAME --fail-if-worse-than OTHER

    A METHOD is a name, the file of a result, or 'all'. Results are looked for among your own,
    then on the board that ships; nothing is run and no model is loaded.
    """  # noqa: D301
    _check_metric(figure["metric"])
    chosen = [*([rival] if rival else []), *methods]
    with reserved_stdout():
        from sedbench import versus
        from sedbench.cli.stored import strata_of
        from sedbench.stats import RESAMPLES

        contenders, task_spec = _contenders(chosen, task, models, seeds, seed, folder)
        _check(contenders, by, figure["view"])
        found = versus.compare(
            contenders,
            _wanted(contenders[0][0], figure),
            strata=strata_of(
                contenders[0][0].test.table, by, _truth(contenders[0][0], figure), task_spec
            ),
            decision=task_spec.threshold,
            resamples=RESAMPLES,
        )
    from sedbench.report.comparison import payload, tables

    if found.row.policy is None and _typed("policy"):
        say(
            f"note: --policy {figure['policy']} was not needed: {found.row.metric} has no threshold"
        )
    if as_json:
        write_json(payload(found, by or ""))
    else:
        out().print(tables(found, by or ""))
    return _gate(found) if rival else 0


def _contenders(  # noqa: PLR0917
    chosen: list[str],
    task: str | None,
    models: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    seed: int,
    folder: Path | None,
) -> tuple[list[list[Contender]], TaskSpec]:
    """A list of methods, each a list of models, and the task they are about."""
    from sedbench.cli.stored import canonical_model, find_all, is_path, place_of

    if not chosen:
        raise NothingSelectedError(
            "no method was named", "sedbench compare NAME OTHER; `sedbench list methods` has names"
        )
    known = installed()
    place = place_of(chosen, task, models[0] if models else None, known, seed=seed, folder=folder)
    names = list(
        dict.fromkeys(
            canonical_model(model, known, each)
            for model in models or [place.model]
            for each in (seeds or [None])
        )
    )
    if len(names) > 1 and any(map(is_path, chosen)):
        raise UsageError(
            "a result that is named by its file is of one model",
            "leave --seeds and further --model out, or name methods",
        )
    from dataclasses import replace

    found = [find_all(chosen, replace(place, model=name), known) for name in names]
    specs = [[each.result.spec for each in of_model] for of_model in found]
    for name, of_model in zip(names, specs, strict=True):
        if of_model != specs[0]:  # 'all' may mean more with one model than with another
            missing = set(specs[0]) ^ set(of_model)
            raise UsageError(
                f"{names[0]} and {name} do not have results of the same methods: "
                f"{', '.join(sorted(missing))}",
                "name the methods instead of 'all'",
            )
    return [list(of_method) for of_method in zip(*found, strict=True)], place.task


def _check_metric(name: str) -> None:
    """Say where a metric is that no result holds: it wants the classifier, or whole events."""
    from sedbench.metrics.standalone import STANDALONE_METRICS

    over = {metric.name: metric.over for metric in STANDALONE_METRICS}.get(name)
    if over == "model":
        verb = "randomisation" if name == "randomisation" else "faithfulness"
        raise UsageError(
            f"{name} is not read from results: the classifier is asked again",
            f"sedbench {verb} NAME OTHER",
        )
    if over == "corpus":
        raise UsageError(
            f"{name} is not about pairs: it scores a detector's events over all clips",
            "sedbench evaluate DIR --truth FILE, with what `sedbench run --save-scores tsv` wrote",
        )


def _typed(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is click.core.ParameterSource.COMMANDLINE


def _check(contenders: list[list[Contender]], by: str | None, view: str) -> None:
    if len(contenders) < 2:
        raise NothingSelectedError(
            f"there is nothing to compare {contenders[0][0].result.spec} with", "name another one"
        )
    if by and view != "localisation":
        raise UsageError(
            f"--by {by} goes with the localisation view alone: a false alarm belongs to no "
            "true event",
            "leave --view out",
        )


def _wanted(first: Contender, figure: dict[str, str]) -> Any:
    from sedbench.protocol.records import Row

    return Row(stratum="all", **{**figure, "truth": _truth(first, figure)})


def _truth(first: Contender, figure: dict[str, str]) -> str:
    from sedbench.contenders import primary_truth

    return figure["truth"] or primary_truth(first.result)


def _gate(found: Comparison) -> int:
    """The exit code of ``--fail-if-worse-than``: what cannot be said does not pass either."""
    code = 0
    first, *others = found.names
    for name, standing in zip(others, found.overall.standings[1:], strict=True):
        if standing.verdict == "worse":
            code = report(f"{name} is worse than {first}")
        elif standing.verdict in (None, "undefined"):
            code = report(f"whether {name} is worse than {first} cannot be said")
    return code
