"""``sedbench list``: everything that is installed, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sedbench.cli.options import JSON, Word
from sedbench.cli.streams import installed, show, write_json
from sedbench.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

# kind -> the columns beside the name: (heading, key in the description)
_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "methods": (("kind", "kind"), ("supervision", "supervision"), ("summary", "summary")),
    "models": (("variants", "variants"), ("summary", "summary")),
    "tasks": (("summary", "summary"),),
    "soundbanks": (("licence", "licence"), ("summary", "summary")),
    "metrics": (("over", "over"), ("unit", "unit"), ("summary", "summary")),
    "plugins": (("distribution", "distribution"), ("version", "version"), ("offers", "offers")),
}
_BROKEN = (
    ("distribution", "distribution"),
    ("version", "version"),
    ("phase", "phase"),
    ("error", "error"),
    ("hint", "hint"),
)


@click.command("list")
@click.argument("kind", required=False, type=Word(tuple(_COLUMNS)))
@JSON
@click.option("--broken", is_flag=True, help="Only plugins that did not load, with the reason.")
def command(kind: str | None, as_json: bool, broken: bool) -> int:
    """List what is installed.

    \b
      sedbench list                    everything
      sedbench list methods
      sedbench list --broken           plugins that did not load
      sedbench list tasks --json

    KIND is methods, models, tasks, soundbanks, metrics or plugins.
    """  # noqa: D301
    if broken and kind not in (None, "plugins"):
        raise UsageError(f"--broken lists plugins, not {kind}", "sedbench list --broken")
    from sedbench.cli.describe import everything

    lists = everything(installed(), kind, broken_only=broken)
    if as_json:
        write_json(lists)
        return 0
    tables: list[Table] = []
    for each, rows in lists.items():
        sound = [row for row in rows if row.get("status") != "broken"]
        if not broken:
            tables.append(_table(each, sound, _COLUMNS[each]))
        failed = [row for row in rows if row.get("status") == "broken"]
        if failed or broken:
            tables.append(_table("broken plugins", failed, _BROKEN))
    for number, table in enumerate(tables):
        show(*([""] if number else []), table)
    return 0


def _table(title: str, rows: list[dict[str, Any]], columns: tuple[tuple[str, str], ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("name", no_wrap=True, style="bold")
    for heading, _ in columns:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(Text(row["name"]), *(Text(_text(row[key])) for _, key in columns))
    if not rows:
        table.add_row(Text("none", style="dim"))
    return table


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
