"""``sedbench env``: versions and hardware, to put into a bug report."""

from __future__ import annotations

from typing import Any

import click

from sedbench.cli.options import JSON
from sedbench.cli.streams import reserved_stdout, show, write_json


@click.command("env")
@JSON
def command(as_json: bool) -> int:
    """Print versions and hardware.

    \b
      sedbench env
      sedbench env --json > env.json
    """  # noqa: D301
    with reserved_stdout():
        from sedbench.environment import environment

        facts = environment()
    if as_json:
        write_json(facts)
        return 0
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(key.replace("_", " "), Text(_text(value)))
    show(table)
    return 0


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name} {_text(each)}" for name, each in value.items())
    return "" if value is None else str(value)
