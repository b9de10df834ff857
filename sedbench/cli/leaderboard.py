"""``sedbench leaderboard``: add results to a board, check it, and build its pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sedbench.cli.errors import say
from sedbench.cli.options import COUNT
from sedbench.cli.streams import reserved_stdout, write_json
from sedbench.errors import UnknownNameError

if TYPE_CHECKING:
    from sedbench.leaderboard.claims import Known
    from sedbench.leaderboard.problem import Problem

_FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("leaderboard"),
    show_default=True,
    metavar="DIR",
    help="The board: the folder that holds its results.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
_JOBS = click.option("--jobs", type=COUNT, metavar="J", help="Processes.  [default: one a core]")


class _Group(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise UnknownNameError.of("command", args[0], self.commands)
        return super().resolve_command(ctx, args)


@click.group("leaderboard", cls=_Group, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Add results to a board, check it, build its pages.

    \b
      sedbench leaderboard add sedbench-results/TASK
      sedbench leaderboard check
      sedbench leaderboard build --check
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("add")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--replace",
    is_flag=True,
    help="Replace a result of the same cell; the new one says which one it supersedes.",
)
@_FOLDER
@_JSON
def add(results: tuple[Path, ...], replace: bool, folder: Path, as_json: bool) -> int:
    """Copy results and their items onto a board.

    \b
      sedbench leaderboard add sedbench-results/TASK/MODEL/METHOD/NAME.json
      sedbench leaderboard add sedbench-results --folder path/to/leaderboard

    RESULTS are result files or folders of them. All of them are checked first, as `check`
    does, and then all are written or none.
    """  # noqa: D301
    from sedbench.cli.progress import Bars

    with Bars() as bars, reserved_stdout():
        from sedbench.leaderboard.adding import add as put

        done = put(results, folder, _known(), replace=replace, progress=bars)
    if as_json:
        write_json({**asdict(done), "ok": not done.problems})
    else:
        for what in ("added", "replaced", "unchanged"):
            for name in getattr(done, what):
                click.echo(f"{what}: {name}")
    return _refused(done.problems, "nothing was added")


@command.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--base",
    metavar="REF",
    help="A git commit: a result that differs from its own has to say that it supersedes it.",
)
@click.option(
    "--changed",
    is_flag=True,
    help="With --base: work out again only the figures of results that changed.",
)
@_FOLDER
@_JOBS
@_JSON
def check(paths: tuple[Path, ...], folder: Path, as_json: bool, **options: Any) -> int:
    """Check a board, or some of its results.

    \b
      sedbench leaderboard check
      sedbench leaderboard check leaderboard/results/TASK
      sedbench leaderboard check --base origin/main --changed

    Every figure and interval is worked out again from the items; no model is run. It takes a
    few seconds a result. The exit code is 1 where anything has to be refused.
    """  # noqa: D301
    from sedbench.cli.progress import Bars

    with Bars() as bars, reserved_stdout():
        from sedbench.leaderboard.checking import check as look
        from sedbench.workers import default_jobs

        report = look(
            folder,
            _known(),
            paths=paths,
            base=options["base"],
            changed_only=options["changed"],
            jobs=options["jobs"] or default_jobs(),
            progress=bars,
        )
    if as_json:
        write_json({**asdict(report), "ok": report.ok})
    else:
        for name, reason in sorted(report.stale.items()):
            click.echo(f"not ranked: {name}: {reason}")
        click.echo(
            f"{report.checked} results checked, figures of {report.recomputed} worked out again, "
            f"{len(report.problems)} refused values"
        )
    return _refused(report.problems, "the board is not as it should be")


@command.command("build")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail on any difference.")
@_FOLDER
@_JOBS
@_JSON
def build(only_check: bool, folder: Path, jobs: int | None, as_json: bool) -> int:
    """Write leaderboard.json, README.md and index.html from a board's results.

    \b
      sedbench leaderboard build
      sedbench leaderboard build --check

    The same results give the same bytes. Nothing is built from files that were damaged, or
    changed without saying so; `check` is more thorough.
    """  # noqa: D301
    from sedbench.cli.progress import Bars

    with Bars() as bars, reserved_stdout():
        from sedbench.leaderboard.building import build as make
        from sedbench.workers import default_jobs

        built = make(
            folder,
            _known(),
            write=not only_check,
            jobs=jobs or default_jobs(),
            progress=bars,
        )
    if as_json:
        write_json({**asdict(built), "ok": not built.problems})
    elif not built.problems:
        verb = "would change" if only_check else "written"
        for name in built.changed:
            click.echo(f"{verb}: {folder / name}")
        click.echo(f"{built.boards} boards, {built.ranked} ranked rows of {built.results} results")
    if built.problems:
        return _refused(built.problems, "nothing was built")
    if only_check and built.changed:
        say(f"error: {', '.join(built.changed)} are not what the results give")
        say("hint: sedbench leaderboard build")
        return 1
    return 0


def _refused(problems: Sequence[Problem], outcome: str) -> int:
    if not problems:
        return 0
    for problem in problems:
        say(f"error: {problem}")
    for hint in dict.fromkeys(p.hint for p in problems if p.hint):
        say(f"hint: {hint}")
    say(f"{outcome}: {len(problems)} problem{'s' if len(problems) > 1 else ''}")
    return 1


def _known() -> Known:
    """Tell what sedbench itself ships: no code of anyone else's decides about a board."""
    from functools import cache

    from sedbench import spec as specs
    from sedbench.info import MethodInfo
    from sedbench.leaderboard.claims import Known
    from sedbench.lookup import find_task
    from sedbench.registry import built_in
    from sedbench.tasks import TaskSpec

    shipped = built_in()

    def task(name: str) -> TaskSpec | None:
        return find_task(name, shipped) if name in shipped.entries["tasks"] else None

    def method(name: str) -> MethodInfo | None:
        entry = shipped.entries["methods"].get(name)
        return entry.info if entry is not None and isinstance(entry.info, MethodInfo) else None

    def weights(learnt_from: str, model: str) -> dict[str, str]:
        from sedbench.cli import describe

        chosen = specs.parse(model)
        entry = shipped.entries["models"].get(chosen.name)
        if entry is None:
            return {}
        seed = specs.resolve(chosen, entry.info).get("seed", 0)
        return {
            each.card["variant"] + ("" if (fold := each.card.get("fold")) is None else f"-f{fold}"):
            each.card["sha256"]
            for each in describe.weights(entry, shipped)
            if each.origin == "shipped"
            and (each.card["task"], each.card["seed"]) == (learnt_from, seed)
        }  # fmt: skip

    cached: Callable[[str], Any] = cache(task)
    return Known(cached, method, cache(weights))
