"""``sedbench cache``: what is kept so that it need not be made again, and how to be rid of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from sedbench.cli.options import JSON, Word
from sedbench.cli.streams import show, write_json
from sedbench.errors import DataError
from sedbench.files import cache_root

KINDS = {
    "soundscapes": "rendered clips",
    "features": "embeddings of a frozen trunk, and spectrograms to train on",
    "answers": "frame scores of methods, by clip",
    "masked": "what a frozen trunk says of masked clips, for further methods and heads",
    "training": "checkpoints: an interrupted training starts anew without them",
}
"""Folder to what is kept there. Nothing else below the cache folder is ever removed."""


@dataclass(frozen=True)
class Kept:
    """One kind of what is kept.

    Attributes
    ----------
    kind, what : str
    files, bytes : int
    """

    kind: str
    what: str
    files: int
    bytes: int


@click.command("cache")
@click.option(
    "--clear",
    "cleared",
    multiple=True,
    type=Word((*KINDS, "all")),
    metavar="KIND",
    help="Remove what is kept of this kind, or of all kinds. May be given several times.",
)
@JSON
def command(cleared: tuple[str, ...], as_json: bool) -> int:
    """Show what is kept so that it need not be made again, and remove it.

    \b
      sedbench cache
      sedbench cache --clear masked
      sedbench cache --clear all

    Whatever is removed is made again when it is needed: with time, never with other figures.
    Fetched recordings, weights and results are not kept here. Nothing that runs should be using
    what is removed.
    """  # noqa: D301
    root = cache_root()
    before = kept(root)
    if cleared:
        _clear(root, KINDS if "all" in cleared else cleared)
    after = kept(root) if cleared else before
    freed = sum(each.bytes for each in before) - sum(each.bytes for each in after)
    if as_json:
        told = {"schema_version": 1, "folder": str(root), "kinds": [asdict(k) for k in after]}
        write_json(told | ({"freed_bytes": freed} if cleared else {}))
        return 0
    _print(root, after)
    if cleared:
        click.echo(f"freed: {size(freed)}")
    return 0


def kept(root: Path) -> list[Kept]:
    """Count what is kept below a cache folder, kind by kind."""
    found = []
    for kind, what in KINDS.items():
        sizes = [
            (Path(folder) / name).lstat().st_size
            for folder, _, names in os.walk(root / kind)
            for name in names
        ]
        found.append(Kept(kind, what, len(sizes), sum(sizes)))
    return found


def size(count: int) -> str:
    """Bytes in the largest unit that leaves a whole number before the point."""
    value, units = float(count), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] in ("B", "kB") else f"{value:.1f} {units[0]}"


def _clear(root: Path, kinds: Sequence[str] | dict[str, str]) -> None:
    for kind in kinds:
        folder = root / kind
        try:
            if folder.is_symlink():  # what it points to is somebody else's
                folder.unlink()
            elif folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise DataError(
                f"cannot remove all of {folder}: {error.strerror or error}",
                "end whatever is using it, or remove the folder by hand",
            ) from error


def _print(root: Path, rows: Sequence[Kept]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("kind", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("files", justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    for row in rows:
        table.add_row(row.kind, size(row.bytes), str(row.files), row.what)
    total = sum(row.bytes for row in rows)
    table.add_row("all", size(total), str(sum(row.files for row in rows)), str(root))
    show(table)
