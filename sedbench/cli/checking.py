"""``sedbench test``: the contract of a plugin's products, as a table of what passes and fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sedbench import spec
from sedbench.cli.from_path import is_path, load
from sedbench.cli.options import JSON, Word
from sedbench.cli.streams import installed, out, reserved_stdout, write_json
from sedbench.errors import NothingSelectedError, UnknownNameError, UsageError
from sedbench.registry import KINDS, BrokenPlugin, Entry, Kind, Plugin, Registry

if TYPE_CHECKING:
    from rich.console import Console

    from sedbench.testing import Contract

_MARKS = {"pass": "pass", "fail": "FAIL", "skip": "skip"}


@click.command("test")
@click.argument("name", metavar="NAME|PATH")
@click.option("--kind", type=Word(tuple(KINDS)), help="Only products of this kind.")
@click.option(
    "--model",
    metavar="NAME",
    help="Check a method on this model, with random weights, instead of the planted one.",
)
@click.option(
    "--classes",
    metavar="A,B,...",
    help="Classes to build models with, where they know only classes of their own.",
)
@click.option("--full", is_flag=True, help="Leave a method's large whole numbers as declared.")
@JSON
def command(name: str, kind: Kind | None, as_json: bool, **options: Any) -> int:
    """Run the contract suite on a plugin, built in or not.

    \b
      sedbench test my-method          what is installed: a method, a plugin ...
      sedbench test 'my-method[steps=20]'
      sedbench test ./my-method        not installed: a package, or a module
      sedbench test my-method --json

    Methods run on a planted model of two layers, so that nothing has to be fetched or trained.
    Whole numbers above eight (steps, masks) are lowered for it, unless they are given.

    \b
    Exit codes: 0 all checks pass, or are skipped with a reason; 1 one fails;
    2 unknown name; 3 the plugin does not load; 5 nothing to check.
    """  # noqa: D301
    with reserved_stdout():
        contracts = list(_contracts(name.strip(), kind, options))
    console = None if as_json else out()
    failed = 0
    described = []
    for number, (entry, contract) in enumerate(contracts):
        if console is not None and number:
            console.print()
        with reserved_stdout():
            outcomes = contract.outcomes()
        failed += sum(each.status == "fail" for each in outcomes)
        described.append(_described(entry, contract))
        if console is not None:
            _show(console, contract)
    if as_json:
        write_json({"passed": not failed, "tests": described})
    return 1 if failed else 0


def _contracts(
    name: str, kind: Kind | None, options: dict[str, Any]
) -> Iterator[tuple[Entry, Contract]]:
    registry, entries, given = _find(name, kind)
    from sedbench.testing import contract

    for each, entry in entries:
        mine: dict[str, Any] = {}
        if each == "methods":
            if given or options["full"]:
                mine["params"] = spec.resolve(spec.Spec(entry.info.name, given), entry.info)
            if options["model"]:
                mine["model"] = _model(options["model"], options["classes"], registry)
        elif given:
            raise UsageError(f"only a method is tested with parameters, not a {each[:-1]}")
        if each == "models" and options["classes"]:
            mine["classes"] = _words(options["classes"])
        yield entry, contract(entry.info, entry.factory, **mine)


def _find(
    name: str, kind: Kind | None
) -> tuple[Registry, list[tuple[Kind, Entry]], tuple[tuple[str, str], ...]]:
    if is_path(name) or (Path(name).is_dir() and not _known(name)):
        registry, distribution = load(Path(name))
        for broken in registry.broken:
            if broken.distribution == distribution:
                registry.get("methods", broken.name)  # says why it did not load
        found = _offered(registry, kind, lambda e: e.distribution == distribution)
        return registry, _some(found, name), ()
    parsed, registry = spec.parse(name), installed()
    kinds: list[Kind] = [each for each in KINDS if kind in (None, each)]
    exact: list[tuple[Kind, Entry]] = [
        (each, registry.entries[each][parsed.name])
        for each in kinds
        if parsed.name in registry.entries[each]
    ]
    if exact:
        return registry, exact, parsed.given
    loaded = registry.plugins
    if name in {p.name for p in loaded} | {p.distribution for p in loaded}:
        found = _offered(registry, kind, lambda e: name in (e.plugin, e.distribution))
        return registry, _some(found, name), ()
    for each in kinds:  # a broken plugin explains itself before "unknown name" does
        try:
            registry.get(each, parsed.name)
        except UnknownNameError:
            continue
    known = {n for each in kinds for n in registry.names(each)} | {p.name for p in registry.plugins}
    raise UnknownNameError.of("name", parsed.name, known)


def _known(name: str) -> bool:
    registry = installed()
    names = {n for each in KINDS for n in registry.names(each)}
    plugins: list[Plugin | BrokenPlugin] = [*registry.plugins, *registry.broken]
    return name in names | {p.name for p in plugins} | {p.distribution for p in plugins}


def _offered(
    registry: Registry, kind: Kind | None, wanted: Callable[[Entry], bool]
) -> list[tuple[Kind, Entry]]:
    return [
        (each, entry)
        for each in KINDS
        if kind in (None, each)
        for _, entry in sorted(registry.entries[each].items())
        if wanted(entry)
    ]


def _some(found: list[tuple[Kind, Entry]], name: str) -> list[tuple[Kind, Entry]]:
    if not found:
        raise NothingSelectedError(f"{name} offers nothing of that kind", "leave --kind out")
    return found


def _model(name: str, classes: str | None, registry: Registry) -> Callable[[], Any]:
    entry = registry.get("models", name)
    from sedbench.testing.untrained import untrained

    words = _words(classes) if classes else ()
    return lambda: untrained(entry.info, entry.factory, words)  # type: ignore[arg-type]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _described(entry: Entry, contract: Contract) -> dict[str, Any]:
    return {
        "kind": contract.kind,
        "name": contract.name,
        "note": contract.note,
        "distribution": entry.distribution,
        "version": entry.version,
        "passed": not contract.failed,
        "checks": [
            {
                "check": each.check,
                "about": contract.about(each.check),
                "status": each.status,
                "reason": each.reason,
                "seconds": round(each.seconds, 4),
            }
            for each in contract.outcomes()
        ],
    }


def _show(console: Console, contract: Contract) -> None:
    from rich.table import Table
    from rich.text import Text

    note = f"  {contract.note}" if contract.note else ""
    console.print(Text.assemble((contract.title, "bold"), (note, "dim")))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    outcomes = contract.outcomes()
    styles = {"pass": "green", "fail": "bold red", "skip": "dim"}
    for each in outcomes:
        table.add_row(
            Text(_MARKS[each.status], style=styles[each.status]),
            Text(each.check),
            Text(each.reason or contract.about(each.check), style="" if each.reason else "dim"),
        )
    console.print(table)
    counted = (
        (sum(o.status == status for o in outcomes), word)
        for status, word in (("pass", "passed"), ("fail", "failed"), ("skip", "skipped"))
    )
    console.print(", ".join(f"{number} {word}" for number, word in counted if number))
