"""``sedbench fetch``: bring recordings or pretrained weights here and verify every hash.

Which soundbanks and models there are, and whether they need anything, their plugins say. A
soundbank that lies in a folder under a manifest is brought from a mirror of that folder. Any
other brings itself, and so does what a model's ``source`` returns: a method
``bring(source, check, progress)`` that returns a :class:`sedbench.data.fetch.FetchReport`.
``source`` is what follows ``--from``, a text, or None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sedbench.cli.streams import installed, reserved_stdout
from sedbench.errors import DataError, MissingDataError, UnknownNameError, UsageError
from sedbench.info import ModelInfo
from sedbench.registry import Entry, Registry

if TYPE_CHECKING:
    from sedbench.cli.progress import Bars
    from sedbench.data.fetch import FetchReport


@click.command("fetch")
@click.argument("name")
@click.option(
    "--from",
    "source",
    metavar="DIR_OR_FILE_OR_URL",
    help="Take the files from here: a folder, a file or archive, or a URL of either.",
)
@click.option("--check", is_flag=True, help="Only verify what is here; nothing is written.")
def command(name: str, source: str | None, check: bool) -> int:
    """Bring recordings or weights here and verify them.

    \b
      sedbench fetch NAME              from where they are published
      sedbench fetch NAME --from DIR   or from a folder, a file or a URL
      sedbench fetch NAME --check      verify what is here

    NAME is a soundbank, a model, or a task: then its soundbank is meant, and what its model
    needs is brought from where that is published. A fetch that was interrupted goes on where it
    stopped. Everything is compared with a recorded hash.
    """  # noqa: D301
    from sedbench.cli.errors import say
    from sedbench.cli.progress import Bars

    registry = installed()
    entry = _find(registry, name)
    fetch = getattr(entry.info, "fetch", "")
    if not fetch:
        _see(entry)
        click.echo(f"{entry.info.name} needs no fetching: it is here, or made where it is used")
        return 0
    if check and source is not None:
        raise UsageError("--check verifies what is here, and --from brings files", "give one")
    if source is not None and not source.strip():
        raise UsageError("--from names nothing", "give a folder, a file or a URL")
    with Bars() as bars, reserved_stdout():
        meter = Meter(bars, entry.info.name, "check" if check else "fetch")
        report = _bring(entry, source, check, meter)
    for note in report.notes:
        say(f"note: {note}")
    report.raise_unless_ok(fetch)
    click.echo(f"{entry.info.name} is complete in {report}")
    if (model := _model_of(registry, name)) is not None:
        _also(model, name, check)
    return 0


def _model_of(registry: Registry, name: str) -> Entry | None:
    """The model of the task of that name, if it has to be fetched."""
    if name not in registry.entries["tasks"]:
        return None
    from sedbench.taskfile import load_task

    task = load_task(registry.get("tasks", name).factory())
    found = registry.entries["models"].get(task.model.partition("[")[0])
    return found if found is not None and getattr(found.info, "source", None) else None


def _also(model: Entry, task: str, check: bool) -> None:
    """Bring what a task's model needs; where that fails, the soundbank is still here."""
    from sedbench.cli.errors import say
    from sedbench.cli.progress import Bars

    fetch = getattr(model.info, "fetch", "")
    try:
        with Bars() as bars, reserved_stdout():
            report = _bring(model, None, check, Meter(bars, model.info.name, "fetch"))
        report.raise_unless_ok(fetch)
    except DataError as error:
        if check:
            raise
        say(f"note: task {task!r} is scored with {model.info.name!r}, which is not here yet")
        say(f"  {error.message}")
        say(f"  {fetch}")
    else:
        click.echo(f"{model.info.name} is complete in {report}")


class Meter:
    """The progress of a fetch: called with files done and in all; ``bytes`` with bytes."""

    def __init__(self, bars: Bars, name: str, verb: str) -> None:
        self._bars, self._name, self._verb = bars, name, verb
        self._stage: tuple[str, int] | None = None
        self._seen = 0

    def __call__(self, done: int, total: int) -> None:
        """Say how many files are done."""
        self._tell("", done, total)

    def bytes(self, done: int, total: int) -> None:
        """Say how many bytes of one file are here; 0 in all where nobody knows."""
        self._tell("B", done, total)

    def _tell(self, unit: str, done: int, total: int) -> None:
        if self._stage != (unit, total) or done < self._seen:
            self._bars.start(f"{self._verb} {self._name}", total, unit)
            self._stage, self._seen = (unit, total), 0
        self._bars.advance(done - self._seen)
        self._seen = done


def _find(registry: Registry, name: str) -> Entry:
    from sedbench.lookup import find_bank, find_task, is_file

    if is_file(name):
        return find_bank(find_task(name, registry), registry)
    banks, models = registry.entries["soundbanks"], registry.entries["models"]
    if name not in banks and name not in models and name in registry.entries["tasks"]:
        name = find_task(name, registry).soundbank
    known = {n for kind in ("soundbanks", "models", "tasks") for n in registry.names(kind)}
    if name in banks and name in models:
        raise UsageError(f"{name!r} is a soundbank and a model", "rename one of the two plugins")
    try:
        return registry.get("models" if name in models else "soundbanks", name)
    except UnknownNameError:
        raise UnknownNameError.of("soundbank or model", name, known) from None


def _see(entry: Entry) -> None:
    """See that a folder of one's own is there; nobody can bring it."""
    from sedbench.data.folder import FolderFactory

    if isinstance(entry.factory, FolderFactory) and not entry.factory.root.is_dir():
        raise MissingDataError(f"there is no folder {entry.factory.root}", "check the task's file")


def _bring(entry: Entry, source: str | None, check: bool, meter: Meter) -> FetchReport:
    from sedbench.data.fetch import fetch_folder
    from sedbench.data.folder import FolderSoundbank

    maker = entry.info.source if isinstance(entry.info, ModelInfo) else entry.factory
    bank: Any = maker() if maker is not None else None
    if hasattr(bank, "bring"):
        report: FetchReport = bank.bring(source=source, check=check, progress=meter)
        return report
    if isinstance(bank, FolderSoundbank) and bank.manifest is not None:
        return fetch_folder(bank.manifest, source, bank.root, check, meter)
    hint = getattr(entry.info, "fetch", "")
    raise UsageError(f"{entry.info.name!r} has to be fetched by hand", hint)
