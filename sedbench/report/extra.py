"""Figures of plugins' metrics, in a table of their own beneath the board: shown, never ranked.

Rows stand in the order of the table above, so that nothing is sorted by a metric that nobody
checks. A metric that has no figure is left out of the table, and the reason stands beneath it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sedbench.report.columns import GAP, label, number
from sedbench.results import Result

_TITLE = (
    "Metrics of plugins, shown and never ranked: means over the same pairs, truth: {}; brackets "
    "with the threshold held fixed."
)
_NONE = "-"


def extra(shown: Sequence[tuple[Result, str]], width: int) -> list[RenderableType]:
    """Tables of the figures, as many as the width asks for, and what stands beneath them.

    Parameters
    ----------
    shown : sequence of (Result, str)
        In the order they are shown in, with the reason where a row is not ranked.
    width : int
        Of the console, in cells.

    Returns
    -------
    list
        Empty where no row has such a figure.
    """
    rows = [row for row, _ in shown]
    kinds = _kinds(rows)
    if not kinds:
        return []
    known = [n for n in kinds if any(_figure(row, n) != _NONE for row in rows)]
    parts: list[RenderableType] = [Text(_TITLE.format(rows[0].scores[0]["truth"]))]
    for names in _fitting(rows, known, kinds, width):
        parts += [_table(shown, names, kinds), ""]
    lines = [_about(name, kinds[name]) for name in known]
    lines += [f"Doubt: {line}" for line in _reasons(rows)]
    return [*parts, *(Text(t, style="yellow" if t.startswith("Doubt") else "dim") for t in lines)]


def _kinds(rows: Sequence[Result]) -> dict[str, Mapping[str, Any]]:
    """Every metric there is, by name, with a record that says what it is."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        for name, each in row.extra_metrics.items():
            found.setdefault(name, each)
    return dict(sorted(found.items()))


def _figure(row: Result, name: str) -> str:
    found = row.extra_metrics.get(name)
    if found is None or found["value"] is None:
        return _NONE
    small = found["high"] is not None and found["low"] is not None
    small = small and found["low"] >= -1 and found["high"] <= 1

    def text(value: float) -> str:
        return number(value) if small else f"{value:.4g}"

    if found["ci_low"] is None or found["ci_high"] is None:
        return text(found["value"])
    return f"{text(found['value'])} [{text(found['ci_low'])} {text(found['ci_high'])}]"


def _head(name: str, kind: Mapping[str, Any]) -> str:
    return f"{name}\n{kind['unit']}" if kind["unit"] else name


def _fitting(
    rows: Sequence[Result],
    names: Sequence[str],
    kinds: Mapping[str, Mapping[str, Any]],
    width: int,
) -> Iterator[list[str]]:
    """Cut the metrics into tables that fit, one at least in each."""
    longest = max(cell_len(label(row, rows)) for row in rows)
    room = width - min(longest, width // 3) - GAP
    taken: list[str] = []
    left = room
    for name in names:
        lines = [*_head(name, kinds[name]).split("\n"), *(_figure(row, name) for row in rows)]
        need = max(map(cell_len, lines)) + GAP
        if taken and need > left:
            yield taken
            taken, left = [], room
        taken.append(name)
        left -= need
    if taken:
        yield taken


def _table(
    shown: Sequence[tuple[Result, str]],
    names: Sequence[str],
    kinds: Mapping[str, Mapping[str, Any]],
) -> Table:
    rows = [row for row, _ in shown]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method", overflow="fold")
    for name in names:
        table.add_column(_head(name, kinds[name]), justify="right", no_wrap=True)
    for row, reason in shown:
        style = "dim" if row.origin == "shipped" else "bold"
        called = label(row, rows) + (f" ({reason})" if reason else "")
        cells = (Text(_figure(row, name)) for name in names)
        table.add_row(Text(called), *cells, style=style)
    return table


def _about(name: str, kind: Mapping[str, Any]) -> str:
    better = "higher" if kind["higher_is_better"] else "lower"
    at = "" if kind["over"] == "scores" else ", at the threshold chosen on validation"
    return f"{name}: {better} is better{at}; {kind['distribution']} {kind['version']}."


def _reasons(rows: Sequence[Result]) -> list[str]:
    found: dict[str, list[str]] = {}
    for row in rows:
        for name, each in row.extra_metrics.items():
            if each["reason"]:
                said = f"{name} of {each['distribution']} {each['version']}: {each['reason']}"
                found.setdefault(said, []).append(row.spec)
    return [
        said if len(specs) == len(rows) else f"{said} ({', '.join(dict.fromkeys(specs))})"
        for said, specs in found.items()
    ]
