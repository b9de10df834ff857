"""``sedbench sensitivity``: what a method's threshold decides, as a figure or a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sedbench.cli.options import METHOD_SEED, MODEL, RESULTS, TASK, Word
from sedbench.cli.streams import installed, out, reserved_stdout, write_json
from sedbench.errors import MissingDataError, NothingSelectedError, UsageError

if TYPE_CHECKING:
    from sedbench.cli.stored import Place
    from sedbench.contenders import Contender
    from sedbench.registry import Registry

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("sensitivity")
@click.argument("methods", nargs=-1, metavar="[METHOD...]")
@TASK
@MODEL
@METHOD_SEED
@click.option(
    "--policy",
    type=Word(("percentile", "relative", "absolute")),
    default="percentile",
    show_default=True,
    metavar="percentile|relative|absolute",
    help="What the threshold is.",
)
@click.option("--truth", metavar="TRUTH", help="extent or activity.  [default: the task's]")
@click.option("--png", type=FILE, metavar="FILE", help="Draw the figure into a PNG file.")
@click.option("--svg", type=FILE, metavar="FILE", help="Draw the figure into an SVG file.")
@click.option("--pdf", type=FILE, metavar="FILE", help="Draw the figure into a PDF file.")
@RESULTS
@click.option("--json", "as_json", is_flag=True, help="Print the curves as one JSON object.")
def command(
    methods: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> int:
    """Show IoU and F1 against the threshold.

    \b
      sedbench sensitivity NAME OTHER --png figure.png
      sedbench sensitivity NAME --policy relative

    A METHOD is a name, the file of a result, or 'all'; the task's reference rows unless given.
    Without a file a small table says where the best threshold lies and what a near miss costs.
    Nothing is run and no model is loaded.
    """  # noqa: D301
    paths = {ending: options[ending] for ending in ("png", "svg", "pdf") if options[ending]}
    for ending, path in paths.items():
        if path.suffix.lower() != f".{ending}":
            raise UsageError(f"--{ending} takes a file that ends in .{ending}, got {path.name!r}")
    from sedbench.cli.stored import find_all, place_of

    with reserved_stdout():
        known = installed()
        place = place_of(
            methods,
            options["task"],
            options["model"],
            known,
            seed=options["seed"],
            folder=options["folder"],
        )
        found = find_all(methods, place, known) if methods else _reference(place, known)
        curves, head, about = _curves(found, place, options["policy"], options["truth"])
    from sedbench.report.sensitivity import draw, payload, tables

    if paths:
        with reserved_stdout():
            draw(curves, list(paths.values()), f"{head['task']}, {head['model']}")
        click.echo(f"wrote {', '.join(map(str, paths.values()))}", err=True)
    if as_json:
        write_json(payload(curves, head))
    elif not paths:
        out().print(tables(curves, about))
    return 0


def _reference(place: Place, known: Registry) -> list[Contender]:
    """The task's reference rows that were measured, but for those that were told the answer."""
    from sedbench.cli.stored import find

    found = []
    for text in place.task.reference:
        try:
            contender = find(text, place, known)
        except MissingDataError:
            continue
        if contender.result.supervision != "oracle":
            found.append(contender)
    if not found:
        raise NothingSelectedError(
            f"none of the reference rows of {place.task.name} was measured with {place.model}",
            "name a method, or `sedbench run` one",
        )
    return found


def _curves(
    found: list[Contender], place: Place, policy: str, truth: str | None
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """A curve a method, what they are about, and the same in a sentence."""
    from sedbench.contenders import check_same_pairs, names, primary_truth
    from sedbench.protocol.sensitivity import sensitivity
    from sedbench.stats import RESAMPLES

    check_same_pairs(found, place.task.threshold)
    first = found[0].result
    primary = primary_truth(first)
    curves = {
        name: sensitivity(
            each.validation,
            each.test,
            policy,
            primary=primary,
            truth=truth,
            decision=place.task.threshold,
            resamples=RESAMPLES,
        )
        for name, each in zip(names(found), found, strict=True)
    }
    size = {key: first.pairs.get(key) for key in ("scored", "clips", "groups")}
    head = {
        "task": first.task,
        "task_version": first.task_version,
        "model": first.model,
        "policy": policy,
        "truth": truth or primary,
        "limited": first.limited,
        "n_pairs": size["scored"],
        "n_clips": size["clips"],
        "n_groups": size["groups"],
    }
    about = (
        f"{first.task}@{first.task_version}, model {first.model}, truth: {head['truth']}. Means "
        f"over {size['scored']} pairs, {size['clips']} clips, {size['groups']} source groups."
    )
    return curves, head, about
