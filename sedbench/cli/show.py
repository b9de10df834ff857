"""``sedbench show NAME``: everything about one method, model, task, soundbank or metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sedbench.cli import describe
from sedbench.cli.options import JSON, Word
from sedbench.cli.streams import installed, reserved_stdout, show, write_json
from sedbench.errors import UnknownNameError
from sedbench.registry import KINDS, Entry, Kind, Registry

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sedbench.models.weights import Weights
    from sedbench.tasks import TaskSpec

# What the heading and the parameter table say already.
_ELSEWHERE = (
    *("name", "type", "summary", "params", "distribution_version", "weights", "board", "heard"),
    "parts",  # which code a result hashes: of use to machines
)


@click.command("show")
@click.argument("name")
@click.option(
    "--kind",
    type=Word((*KINDS, "plugins")),
    help="Where one name means several things: which of them.",
)
@click.option("--card", is_flag=True, help="The model cards of a model's weights instead.")
@JSON
def command(name: str, kind: str | None, card: bool, as_json: bool) -> int:
    """Show everything about one name.

    \b
      sedbench list                    the names
      sedbench show NAME               whatever has that name
      sedbench show path/task.toml     a task of your own
      sedbench show NAME --kind tasks --json
      sedbench show MODEL --card       what its weights were trained on, and how
      sedbench show 'MODEL[seed=1]' --card

    A method's parameters are given as NAME[param=value,...], in quotes. A task's page ends
    with the board that ships, which needs no audio.
    """  # noqa: D301
    if card:
        return _show_cards(name.strip(), kind, as_json)
    with reserved_stdout():
        found = _find(installed(), name.strip(), kind)
    if as_json:
        write_json({f"{each['type']}s": each for each in found})
        return 0
    for number, each in enumerate(found):
        show(*([""] if number else []), *_page(each))
        if each.get("board"):
            _show_board(each["name"])
    return 0


def _show_cards(name: str, kind: str | None, as_json: bool) -> int:
    from sedbench.cli.card import cards, pages

    with reserved_stdout():
        _find(installed(), name, kind)  # which says what is unknown or broken
        found = cards(installed(), name, kind)
    if as_json:
        write_json({"cards": found})
    else:
        show(*pages(found))
    return 0


def _show_board(task: str) -> None:
    from sedbench.cli.board import show_board
    from sedbench.lookup import find_task

    show_board(find_task(task, installed()))


def _find(registry: Registry, name: str, kind: str | None) -> list[dict[str, Any]]:
    from sedbench.lookup import find_task, is_file

    if kind in (None, "tasks") and is_file(name):
        own = find_task(name, registry)
        return [{"name": own.name, "type": "task", **_task(own)}]
    name = name.partition("[")[0].strip()
    found = [
        _describe(each, registry.get(each, name), registry)
        for each in KINDS
        if kind in (None, each) and name in registry.entries[each]
    ]
    if kind in (None, "plugins"):
        found += [
            {"type": "plugin", **describe.plugin(p)} for p in registry.plugins if p.name == name
        ]
    if found:
        return found
    # A broken plugin explains itself before "unknown name" does.
    for each in KINDS:
        if kind in (None, "plugins", each):
            try:
                registry.get(each, name)
            except UnknownNameError:
                continue
    known = {n for each in KINDS if kind in (None, each) for n in registry.names(each)}
    if kind in (None, "plugins"):
        known |= {p.name for p in registry.plugins}
    raise UnknownNameError.of(kind[:-1] if kind else "name", name, known)


def _describe(kind: Kind, entry: Entry, registry: Registry) -> dict[str, Any]:
    described = describe.entry(kind, entry)
    if kind == "tasks":
        from sedbench.lookup import find_task

        described |= _task(find_task(entry.info.name, registry))
        bank = registry.entries["soundbanks"].get(described["soundbank"])
        described |= _heard(bank, described["classes"])
    elif kind == "soundbanks":
        described |= _heard(entry, [])
    elif kind == "models" or described.get("learns"):
        described["weights"] = [_card(found) for found in describe.weights(entry, registry)]
    return described


def _heard(bank: Entry | None, classes: list[str]) -> dict[str, Any]:
    from sedbench.cli.heard import heard

    path = getattr(bank.info, "heard", None) if bank is not None else None
    return {"heard": heard(path, classes) if path is not None else None}


def _task(task: TaskSpec) -> dict[str, Any]:
    from sedbench.cli.board import brief, shipped
    from sedbench.metrics.catalogue import METRICS_VERSION

    conditions = list(task.conditions.labels) if task.conditions else []
    return {
        "title": task.title,
        "summary": task.summary,
        "reason": task.reason,
        "version": task.version,
        "licence": task.licence,
        "citation": task.citation,
        "model": task.model,
        "soundbank": task.soundbank,
        "sample_rate": task.sample_rate,
        "duration": task.duration,
        "frame": task.frame,
        "classes": list(task.classes),
        "truth": task.truth,
        "folds": task.folds,
        "conditions": conditions,
        "trained_on": task.trained_on,
        "splits": {name: split.clips for name, split in task.splits.items()},
        "to_draw": "" if task.frozen else task.drawing,
        "reference_methods": list(task.reference),
        "fingerprint": task.fingerprint(METRICS_VERSION),
        "board": [brief(result) for result in shipped(task)],
    }


def _card(found: Weights) -> dict[str, Any]:
    card = {key: found.card.get(key) for key in ("model", "task", "variant", "seed", "fold")}
    return {
        **card,
        "origin": found.origin,
        "validation": found.card.get("validation"),
        "sha256": found.sha256,
    }


def _page(described: dict[str, Any]) -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    page: list[RenderableType] = [
        Text.assemble((described["name"], "bold"), f"  ({described['type']})"),
    ]
    if described.get("summary"):
        page.append(Text(described["summary"]))
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(no_wrap=True, style="dim")
    facts.add_column(overflow="fold")
    told = {"citation"} if described.get("citation") == described.get("reference") else set()
    for key, value in described.items():
        if key not in {*_ELSEWHERE, *told} and value not in ("", [], {}, None):
            facts.add_row(key.replace("_", " "), Text(_text(value)))
    page.append(facts)
    if described.get("params"):
        page.append(_params(described["params"]))
        first = described["params"][0]
        page.append(Text(f"for instance '{described['name']}[{first['name']}={_some(first)}]'"))
    if described.get("heard"):
        from sedbench.cli.heard import heard_table

        page.append(heard_table(described["heard"]))
    if described.get("weights"):
        page.append(_cards(described["weights"], described["type"] == "method"))
    elif described["type"] == "model" and described.get("trains", True):
        page.append(Text(f"no weights yet: sedbench train --model {described['name']} --help"))
    elif described.get("learns"):
        page.append(Text(f"no weights yet: sedbench train {described['name']} --help"))
    return page


def _params(params: list[dict[str, Any]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="parameters", title_justify="left", box=None, pad_edge=False)
    for heading in ("name", "default", "values", "meaning"):
        table.add_column(heading, overflow="fold")
    for param in params:
        cells = (param["name"], _text(param["default"]), _values(param), param["help"])
        table.add_row(*map(Text, cells))
    return table


def _values(param: dict[str, Any]) -> str:
    if param["choices"]:
        return " | ".join(_text(choice) for choice in param["choices"])
    low, high = param["minimum"], param["maximum"]
    kinds = {"int": "whole number", "float": "number", "bool": "true | false", "str": "text"}
    kind = kinds.get(param["type"], param["type"])
    if low is not None and high is not None:
        return f"{kind}, {_bound(low)} to {_bound(high)}"
    if low is not None:
        return f"{kind}, at least {_bound(low)}"
    return f"{kind}, at most {_bound(high)}" if high is not None else kind


def _bound(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _some(param: dict[str, Any]) -> str:
    others = [c for c in param["choices"] if c != param["default"]]
    return _text(others[0] if others else param["default"])


def _cards(rows: list[dict[str, Any]], by_model: bool) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="weights", title_justify="left", box=None, pad_edge=False)
    in_folds = any(row["fold"] is not None for row in rows)
    headings = [
        *(["model"] if by_model else []),
        *("task", "variant", "seed"),
        *(["fold"] if in_folds else []),
        *("origin", "validation"),
    ]
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_text(row[key])) for key in headings))
    return table


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        texts = [_text(each) for each in value]
        return ("\n" if any(text.endswith(".") for text in texts) else ", ").join(texts)
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
