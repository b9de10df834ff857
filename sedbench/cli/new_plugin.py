"""``sedbench new-plugin``: a complete package that works before a line of it is changed."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from sedbench.cli.errors import say
from sedbench.cli.options import Word

KINDS = ("method", "detector", "model", "soundbank", "task", "metric")


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--kind",
    type=Word(KINDS),
    default="method",
    show_default=True,
    metavar="|".join(KINDS[:3]) + "|...",
    help=f"What it offers: {', '.join(KINDS)}.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The package's folder.  [default: ./NAME]",
)
def command(name: str, kind: str, to: Path | None) -> int:
    """Write a plugin of your own: an installable package that works already.

    \b
      sedbench new-plugin my-method
      pip install -e my-method
      sedbench test my-method
      sedbench run -m my-method

    It holds one module of about sixty lines, tests with the contract suite, a licence and a
    workflow for CI. Change the module; the tests say what broke.
    """  # noqa: D301
    from sedbench import scaffold

    folder = to if to is not None else Path(name)
    for path in scaffold.create(name, kind, folder):
        click.echo(str(path))
    say(f"next: pip install -e {shlex.quote(str(folder))} && sedbench test {name}")
    return 0
