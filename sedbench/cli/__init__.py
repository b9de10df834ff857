"""The command line: ``sedbench VERB ...``.

    __init__.py    the verbs, each imported when it is used
    errors.py      what went wrong -> one message on stderr and an exit code
    streams.py     stdout is for the answer, stderr for everything else
    options.py     options that verbs share, and types of their values
    progress.py    the runner's progress, drawn by rich
    stored.py      results by name or by path
    run.py  compare.py  sensitivity.py  listing.py  show.py  fetch.py  train.py  soundscapes.py
    faithfulness.py  randomisation.py
    leaderboard.py  schema.py  new_plugin.py  checking.py (test, with from_path.py)
    evaluate.py  completion.py  cache.py  doctor.py  env.py  report.py

This module imports click and nothing heavier, so that ``sedbench --help`` answers at once.
No plugin can add a verb: a plugin must not be able to break the command line.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

import click

from sedbench.cli import errors

# verb -> (module, summary); the summary stands here so that help imports no verb.
VERBS = {
    "run": ("run", "Run methods on a task and print the table."),
    "compare": ("compare", "Say which methods are better, and which cannot be told apart."),
    "sensitivity": ("sensitivity", "Show what a method's threshold decides."),
    "faithfulness": ("faithfulness", "Mask the frames that methods find; ask the classifier."),
    "randomisation": ("randomisation", "Make the classifier random; ask methods again."),
    "report": ("report", "Write results as one page, and as figures to print."),
    "list": ("listing", "List methods, models, tasks, soundbanks, metrics and plugins."),
    "show": ("show", "Show everything about one name."),
    "evaluate": ("evaluate", "Score a detector alone: segments, events, PSDS."),
    "fetch": ("fetch", "Bring recordings or weights here and verify them."),
    "train": ("train", "Train a classifier or a framewise detector."),
    "soundscapes": ("soundscapes", "Draw a task's soundscapes, or render them."),
    "leaderboard": ("leaderboard", "Add results to a board, check it, build its pages."),
    "new-plugin": ("new_plugin", "Write a plugin of your own, which works already."),
    "test": ("checking", "Run the contract suite on a plugin, built in or not."),
    "schema": ("schema", "Print the JSON Schema of a result."),
    "completion": ("completion", "Print what makes a shell complete verbs and names."),
    "cache": ("cache", "Show what is kept so that it need not be made again."),
    "doctor": ("doctor", "Check this installation, and say how to mend it."),
    "env": ("env", "Print versions and hardware, for a bug report."),
}


_COMPLETE = "_SEDBENCH_COMPLETE"  # set by a shell that asks what a word may become


class LazyGroup(click.Group):
    """A group whose verbs are modules of this package, imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Verbs in the order in which a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"sedbench.cli.{VERBS[cmd_name][0]}")
        command: click.Command = module.command
        if _COMPLETE in os.environ:
            from sedbench.cli.completion import teach

            return teach(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one was probably meant."""
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            from sedbench.errors import UnknownNameError

            raise UnknownNameError.of("command", name, VERBS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])


def _version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from sedbench import __version__

        click.echo(f"sedbench {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Measure how well a method finds WHEN a sound happens.

    \b
      sedbench list methods            what can be run
      sedbench run --method NAME       run it, beside baselines and detectors
      sedbench run --method all --json > results.json

    \b
    Exit codes: 0 all done; 1 a cell failed; 2 usage or unknown name;
    3 a requested plugin is broken; 4 data missing or not as recorded;
    5 nothing selected; 130 interrupted.
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    args : sequence of str, optional
        Without the program's name; those of this process by default.

    Returns
    -------
    int
        The exit code.
    """
    if args is None and os.environ.get(_COMPLETE):
        from sedbench.cli.completion import answer

        return answer(cli, os.environ[_COMPLETE])
    return errors.guarded(cli, args)
