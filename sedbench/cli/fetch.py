"""``sedbench fetch``: bring a soundbank's recordings here and verify every hash.

Which soundbanks there are, and whether they need anything, their plugins say. A soundbank
that lies in a folder under a manifest is brought from a mirror of that folder; any other
brings itself, with a method ``bring(source, check, progress)`` that returns a
:class:`sedbench.data.fetch.FetchReport`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sedbench.cli.streams import installed, reserved_stdout
from sedbench.errors import UnknownNameError, UsageError
from sedbench.registry import Entry, Registry

if TYPE_CHECKING:
    from sedbench.data.fetch import FetchReport
    from sedbench.types import SoundbankInfo


@click.command("fetch")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder that holds the recordings, laid out as foreground/<label>/<file>.",
)
@click.option("--check", is_flag=True, help="Only verify what is here; nothing is written.")
def command(name: str, source: Path | None, check: bool) -> int:
    """Bring a soundbank's recordings here and verify them.

    \b
      sedbench list soundbanks
      sedbench fetch NAME --from DIR
      sedbench fetch NAME --check

    NAME is a soundbank, or a task: then its soundbank is meant. A fetch that was interrupted
    goes on where it stopped.
    """  # noqa: D301
    from sedbench.cli.progress import Bars

    entry = _find(installed(), name)
    info: SoundbankInfo = entry.info  # type: ignore[assignment]
    if not info.fetch:
        click.echo(f"{info.name} needs no fetching: its recordings are made where they are used")
        return 0
    if check and source is not None:
        raise UsageError("--check verifies what is here, and --from brings files", "give one")
    with Bars() as bars, reserved_stdout():
        bank = entry.factory()
        seen = 0

        def progress(done: int, total: int) -> None:
            nonlocal seen
            if not seen:
                bars.start(f"{'check' if check else 'fetch'} {info.name}", total)
            bars.advance(done - seen)
            seen = done

        report = _bring(bank, info, source, check, progress)
    report.raise_unless_ok(info.fetch)
    click.echo(f"{info.name} is complete in {report}")
    return 0


def _find(registry: Registry, name: str) -> Entry:
    if name not in registry.entries["soundbanks"] and name in registry.entries["tasks"]:
        from sedbench.tasks import load_task

        name = load_task(registry.get("tasks", name).factory()).soundbank
    try:
        return registry.get("soundbanks", name)
    except UnknownNameError:
        known = (*registry.names("soundbanks"), *registry.names("tasks"))
        raise UnknownNameError.of("soundbank", name, known) from None


def _bring(
    bank: Any,
    info: SoundbankInfo,
    source: Path | None,
    check: bool,
    progress: Callable[[int, int], None],
) -> FetchReport:
    from sedbench.data.fetch import fetch_folder
    from sedbench.data.folder import FolderSoundbank

    if hasattr(bank, "bring"):
        report: FetchReport = bank.bring(source=source, check=check, progress=progress)
        return report
    if isinstance(bank, FolderSoundbank) and bank.manifest is not None:
        return fetch_folder(bank.manifest, source, bank.root, check, progress)
    raise UsageError(f"soundbank {info.name!r} has to be fetched by hand", info.fetch)
