"""``sedbench soundscapes``: draw and freeze a task's clips, or render them ahead of time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sedbench.cli.options import COUNT, JOBS, SEED, Word
from sedbench.cli.streams import installed, reserved_stdout
from sedbench.errors import UsageError
from sedbench.types import SPLITS

if TYPE_CHECKING:
    from sedbench.registry import Entry
    from sedbench.tasks import TaskSpec
    from sedbench.types import Split

_SPLIT = click.option(
    "--split",
    "splits",
    multiple=True,
    type=Word(SPLITS),
    metavar="|".join(SPLITS),
    help="Only this split; give it again for more.  [default: all of the task's]",
)


class _Group(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            from sedbench.errors import UnknownNameError

            raise UnknownNameError.of("command", args[0], self.commands)
        return super().resolve_command(ctx, args)


@click.group("soundscapes", cls=_Group, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Draw a task's soundscapes, render them, or say what sounds in them.

    \b
      sedbench soundscapes render --task TASK
      sedbench soundscapes generate path/to/task.toml
      sedbench soundscapes truth --task TASK truth.tsv
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("generate")
@click.argument("task")
@_SPLIT
@click.option("--count", type=COUNT, metavar="N", help="Clips a split.  [default: the task's]")
@click.option("--seed", type=SEED, metavar="S", help="Of the draw.  [default: the recipe's]")
def generate(task: str, splits: tuple[Split, ...], count: int | None, seed: int | None) -> int:
    """Draw soundscapes with Scaper and freeze them in the task's folder.

    \b
      sedbench soundscapes generate path/to/task.toml
      sedbench soundscapes generate TASK --split test

    TASK is a task's file or name. Another draw makes another task: raise its version. A task
    that ships without soundscapes is drawn in the data folder.
    """  # noqa: D301
    from sedbench.cli.errors import say
    from sedbench.cli.progress import Bars

    spec, entry = _task(task, own=True)
    wanted = _wanted(spec, splits)
    with Bars() as bars, reserved_stdout():
        from sedbench.data.drawn import place
        from sedbench.data.generate import generate as freeze
        from sedbench.lookup import is_file

        bank = entry.factory()
        bank.recordings()  # what is not here is said before anything is written
        path = spec.path if is_file(task) else place(spec)
        bars.start(f"draw {spec.name}", len(wanted))
        done = freeze(
            path,
            bank,
            wanted,
            count=count,
            seed=seed,
            report=lambda _: bars.advance(),
        )
    unused = dict(getattr(bank, "left_out", ()))
    for frozen in done:
        unused |= dict(frozen.left_out)
        draw = "another draw than before" if frozen.changed else "the same draw as before"
        click.echo(f"{frozen.split}: {frozen.clips} clips, {draw}, sha256 {frozen.sha256}")
    if path != spec.path:
        click.echo(f"frozen in {path.parent}")
    if unused:
        say(f"note: {len(unused)} file{'s were' if len(unused) > 1 else ' was'} left out")
        for file, reason in sorted(unused.items()):
            say(f"  {file}: {reason}")
    return 0


@command.command("render")
@click.option("-t", "--task", required=True, metavar="TASK", help="A task's name or file.")
@_SPLIT
@click.option("--limit", type=COUNT, metavar="N", help="Only the first N clips of each split.")
@JOBS
def render(task: str, splits: tuple[Split, ...], limit: int | None, jobs: int | None) -> int:
    """Render a task's soundscapes into the cache, ahead of time.

    \b
      sedbench soundscapes render --task TASK --split test

    Clips that are there already are not rendered again; a run renders what it needs by itself.
    """  # noqa: D301
    from sedbench.cli.progress import Bars

    spec, bank = _task(task)
    with Bars() as bars, reserved_stdout():
        from sedbench.data.cache import iter_rendered

        spec.check_drawn(*_wanted(spec, splits))
        counts: list[str] = []
        for split in _wanted(spec, splits):
            clips = len(spec.clips(split)[:limit])
            bars.start(f"render {spec.name} {split}", clips)
            rendered = iter_rendered(
                spec, split, bank.factory, limit=limit, jobs=jobs or os.cpu_count() or 1
            )
            for _ in rendered:
                bars.advance()
            counts.append(f"{split}: {clips} clips ready")
    click.echo("\n".join(counts))
    return 0


@command.command("truth")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-t", "--task", required=True, metavar="TASK", help="A task's name or file.")
@click.option(
    "--split",
    type=Word(SPLITS),
    default="test",
    show_default=True,
    metavar="|".join(SPLITS),
    help="Of which clips.",
)
def truth(file: Path, task: str, split: Split) -> int:
    """Write when what sounds in a task's clips, for `sedbench evaluate`.

    \b
      sedbench soundscapes truth --task TASK truth.tsv
      sedbench evaluate my-scores/ --truth truth.tsv

    FILE is a TSV of filename, onset, offset, event_label. A table of durations lands beside it.
    `sedbench run --save-scores tsv` writes both by itself.
    """  # noqa: D301
    spec, bank = _task(task)
    _wanted(spec, (split,))
    with reserved_stdout():
        from sedbench.data.truth import true_events
        from sedbench.score_files import recording_name, write_truth

        spec.check_drawn(split)
        told = true_events(spec, split, bank.factory, name=recording_name)
        lasts = write_truth(file, told)
    events = sum(len(each.events) for each in told)
    click.echo(f"{file}: {len(told)} clips, {events} events; durations in {lasts.name}")
    return 0


def _task(name: str, *, own: bool = False) -> tuple[TaskSpec, Entry]:
    """Find a task by name or by file, and its soundbank; ``own``: a file whatever its name is."""
    from sedbench import lookup

    registry = installed()
    if own and lookup.is_file(name):
        spec = lookup.read_task(name)
    else:
        spec = lookup.find_task(name, registry)
    return spec, lookup.find_bank(spec, registry)


def _wanted(spec: TaskSpec, splits: Sequence[Split]) -> tuple[Split, ...]:
    has: tuple[Split, ...] = tuple(s for s in SPLITS if s in spec.splits)
    for split in splits:
        if split not in has:
            raise UsageError(f"task {spec.name!r} has no {split} split", f"it has {', '.join(has)}")
    return tuple(splits) or has
