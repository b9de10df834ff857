"""``sedbench doctor``: is everything here that a run needs, and if not, what to type.

A check answers ``ok``, ``note`` (something optional is absent) or ``fail``; with a ``fail``
the exit code is 1. No check imports what it looks for: versions come from the metadata of
what pip installed.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from sedbench.cli.options import JSON
from sedbench.cli.streams import installed, reserved_stdout, show, write_json
from sedbench.data.paths import soundbank_folder
from sedbench.environment import requirements
from sedbench.errors import SedbenchError
from sedbench.files import cache_root, data_root, sha256
from sedbench.registry import Entry, Registry

_ROOM = 500 * 2**20  # bytes: a task's rendered clips, answers and weights


@dataclass(frozen=True)
class Check:
    """One answer.

    Attributes
    ----------
    what : str
    status : {"ok", "note", "fail"}
    found : str
    hint : str
        What to type, where something is not ok.
    """

    what: str
    status: Literal["ok", "note", "fail"]
    found: str
    hint: str = ""


@click.command("doctor")
@JSON
def command(as_json: bool) -> int:
    """Check this installation, and say how to mend it.

    \b
      sedbench doctor
    """  # noqa: D301
    with reserved_stdout():
        checks = list(examine(installed()))
    if as_json:
        write_json({"checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    return 1 if any(check.status == "fail" for check in checks) else 0


def examine(registry: Registry) -> Iterator[Check]:
    """Every check, in the order in which one would mend things."""
    yield _python()
    yield _packages()
    yield _sox()
    yield _folder("cache", cache_root(), "SEDBENCH_CACHE")
    yield _folder("data", data_root(), "SEDBENCH_DATA")
    yield from _plugins(registry)
    yield from _tasks(registry)
    yield from _soundbanks(registry)
    yield from _weights(registry)


def _python() -> Check:
    version = platform.python_version()
    wanted = sys.version_info[:2] == (3, 11)
    return Check(
        "python",
        "ok" if wanted else "fail",
        version,
        "" if wanted else "sedbench needs Python 3.11: make a virtual environment with it",
    )


def _packages() -> Check:
    found = requirements()
    wrong = [each for each in found if not each.ok]
    if not found:
        return Check("packages", "fail", "sedbench is not installed", "pip install sedbench")
    if not wrong:
        return Check("packages", "ok", f"{len(found)} required packages are here and fit")
    texts = [f"{each.name} {each.found or 'is missing'} (needs {each.wanted})" for each in wrong]
    wanted = " ".join(f"'{each.name}{each.wanted}'" for each in wrong)
    return Check("packages", "fail", ", ".join(texts), f"pip install {wanted}")


def _sox() -> Check:
    if path := shutil.which("sox"):
        return Check("sox", "ok", path)
    return Check(
        "sox", "note", "not here, and not needed: only the comparison with Scaper's audio uses it"
    )


def _folder(what: str, folder: Path, variable: str) -> Check:
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    hint = f"set {variable} to a folder that can be written"
    try:
        if not nearest.is_dir():
            raise NotADirectoryError(0, "not a folder")
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".sedbench-"):
            free = shutil.disk_usage(nearest).free
    except OSError as error:
        return Check(what, "fail", f"{folder}: {error.strerror or error}", hint)
    if free < _ROOM:
        return Check(
            what, "fail", f"{folder}: {free / 2**20:.0f} MiB free", f"make room, or {hint}"
        )
    return Check(what, "ok", f"{folder} ({free / 2**30:.1f} GiB free)")


def _plugins(registry: Registry) -> Iterator[Check]:
    if registry.plugins:
        yield Check("plugins", "ok", ", ".join(p.name for p in registry.plugins))
    else:
        yield Check("plugins", "fail", "none is installed", "pip install sedbench again")
    for broken in registry.broken:
        yield Check(
            f"plugin {broken.name}",
            "fail",
            f"{broken.distribution} {broken.version}, {broken.phase}: {broken.error}",
            broken.hint,
        )


def _tasks(registry: Registry) -> Iterator[Check]:
    from sedbench.lookup import find_task

    for name in registry.names("tasks"):
        try:
            task = find_task(name, registry)
            if not task.frozen:
                yield Check(f"task {name}", "note", "its clips were never drawn", task.drawing)
                continue
            for split in task.splits:
                task.clips(split)  # type: ignore[arg-type]
        except SedbenchError as error:
            yield Check(f"task {name}", "fail", error.message, error.hint)
        except Exception as error:
            yield Check(
                f"task {name}",
                "fail",
                f"{type(error).__name__}: {error}",
                "report it to its authors",
            )
        else:
            clips = sum(split.clips for split in task.splits.values())
            yield Check(f"task {name}", "ok", f"version {task.version}, {clips} clips, as frozen")


def _soundbanks(registry: Registry) -> Iterator[Check]:
    for name in registry.names("soundbanks"):
        fetch = getattr(registry.get("soundbanks", name).info, "fetch", "")
        if not fetch:
            yield Check(f"soundbank {name}", "ok", "needs no fetching")
        elif _has_files(soundbank_folder(name)):
            yield Check(
                f"soundbank {name}", "ok", f"is here; verify it: sedbench fetch {name} --check"
            )
        else:
            yield Check(f"soundbank {name}", "note", "has not been fetched", fetch)


def _weights(registry: Registry) -> Iterator[Check]:
    from sedbench.cli.describe import weights

    for name in registry.names("models"):
        what = f"weights {name}"
        entry = registry.get("models", name)
        yield from _pretrained(entry)
        if not getattr(entry.info, "trains", True):
            continue
        try:
            found = weights(entry, registry)
            wrong = [w.path for w in found if sha256(w.path.read_bytes()) != w.sha256]
        except SedbenchError as error:
            yield Check(what, "fail", error.message, error.hint)
            continue
        if wrong:
            yield Check(
                what,
                "fail",
                f"{wrong[0]} is not the file that its card records",
                "delete it and train again, or reinstall its package if it was shipped",
            )
        elif found:
            yield Check(what, "ok", f"{len(found)} files, as recorded")
        else:
            yield Check(what, "note", "none yet", f"sedbench train --model {name} --help")


def _pretrained(model: Entry) -> Iterator[Check]:
    """Whether what a model needs has been fetched; its hash is compared when it is read."""
    fetch = getattr(model.info, "fetch", "")
    files = {file for file, _ in getattr(model.info, "pretrained", ())}
    if not fetch:
        return
    here = {path.name for path in (data_root() / "models").glob("*/*") if path.is_file()}
    what = f"pretrained {model.info.name}"
    if files and files <= here:
        asset = fetch.split()[-1]
        yield Check(what, "ok", f"is here; verify it: sedbench fetch {asset} --check")
    else:
        yield Check(what, "note", "has not been fetched", fetch)


def _has_files(folder: Path) -> bool:
    try:
        return any(files for _, _, files in os.walk(folder))
    except OSError:
        return False


def _print(checks: list[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "note": "yellow", "fail": "bold red"}
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        text = Text(check.found)
        if check.hint:
            text.append(f"\n-> {check.hint}")
        table.add_row(Text(check.status, style=styles[check.status]), Text(check.what), text)
    show(table)
