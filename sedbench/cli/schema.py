"""``sedbench schema``: the JSON Schema of a file that sedbench writes."""

from __future__ import annotations

import click

from sedbench.cli.options import Word
from sedbench.cli.streams import write_json


@click.command("schema")
@click.argument("what", type=Word(("result",)), metavar="result")
def command(what: str) -> int:
    """Print the JSON Schema of a result file.

    \b
      sedbench schema result
      sedbench schema result > result.schema.json

    Any tool for JSON Schema, draft 2020-12, can check a result with it.
    """  # noqa: D301
    from sedbench.schema import result_schema

    write_json(result_schema())
    return 0
