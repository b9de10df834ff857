"""The table that a run prints: measured rows, shipped rows beside them, and what to doubt.

Every row is a pure function of a :class:`~sedbench.results.Result`; nothing is measured here.

Sections
--------
1. Rows that can be compared, sorted by IoU: complete, not limited, of the task as it is now.
   Measured, stored and shipped ones are merged and marked in the column ``origin``; a shipped
   row gives way to a measured one of the same method and seed.
2. Rows that are shown and not ranked, with the reason: limited, incomplete or stale. Where
   the task has conditions, the curve over them follows (:mod:`sedbench.report.conditions`), and
   beneath the caption what metrics of plugins say (:mod:`sedbench.report.extra`).
3. Rows without figures, with the reason: failed, timed out, not applicable.
4. Published figures, in a table of their own.

How columns are chosen for a width is in :mod:`sedbench.report.columns`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sedbench.leaderboard import is_stale
from sedbench.report.columns import (
    END_TO_END,
    EQUAL,
    GAP,
    Column,
    columns,
    fitting,
    folded,
    label,
    number,
    record,
    with_interval,
)
from sedbench.report.conditions import curve
from sedbench.report.extra import extra
from sedbench.results import Result

_STUDY = "The study's own figures (arXiv 2605.23293), on its data: not comparable row by row"


class Published(Protocol):
    """A row of figures that somebody reported on their own data."""

    @property
    def method(self) -> str:
        """As the authors call it."""

    @property
    def iou(self) -> float:
        """In [0, 1]."""

    @property
    def f1(self) -> float:
        """In [0, 1]."""

    @property
    def pg(self) -> float:
        """In per cent."""


@dataclass(frozen=True)
class Sections:
    """Results sorted into the table's sections.

    Attributes
    ----------
    ranked : tuple of Result
        Sorted by IoU, the highest first.
    unranked : tuple of (Result, str)
        With the reason in a word or two.
    without : tuple of Result
        Failed, timed out or not applicable.
    """

    ranked: tuple[Result, ...]
    unranked: tuple[tuple[Result, str], ...]
    without: tuple[Result, ...]


def sections(results: Sequence[Result], reference: Sequence[Result]) -> Sections:
    """Sort results of one task and model into sections.

    Parameters
    ----------
    results : sequence of Result
        Of this run, measured or stored.
    reference : sequence of Result
        Shipped ones. One of another task fingerprint than the run's is stale.
    """
    here = {(r.spec, r.seed) for r in results if r.status == "ok" and not _why_unranked(r, "")}
    beside = [r for r in reference if r.status == "ok" and (r.spec, r.seed) not in here]
    current = results[0].task_fingerprint if results else ""
    ranked, unranked = [], []
    for result in (*(r for r in results if r.status == "ok"), *beside):
        reason = _why_unranked(result, current)
        if reason:
            unranked.append((result, reason))
        else:
            ranked.append(result)
    return Sections(
        tuple(sorted(ranked, key=_by_iou)),
        tuple(sorted(unranked, key=lambda pair: _by_iou(pair[0]))),
        tuple(r for r in results if r.status != "ok"),
    )


def _by_iou(result: Result) -> tuple[float, str, int]:
    found = record(result, "iou")
    value = found["value"] if found else None
    return (math.inf if value is None else -value, result.spec, result.seed)


def _why_unranked(result: Result, current: str) -> str:
    if current and is_stale(result, current):
        return "stale"
    if result.limited is not None:
        return f"{result.limited} clips"
    if result.pairs.get("scored") != result.pairs.get("expected"):
        return "incomplete"
    return ""


def render(
    results: Sequence[Result],
    reference: Sequence[Result],
    published: Sequence[Published],
    console: Console,
    *,
    note: str = "",
    end_to_end: bool = False,
) -> None:
    """Print the tables of a run; see :func:`tables`."""
    console.print(
        tables(results, reference, published, console.width, note=note, end_to_end=end_to_end)
    )


def tables(
    results: Sequence[Result],
    reference: Sequence[Result],
    published: Sequence[Published],
    width: int,
    *,
    note: str = "",
    end_to_end: bool = False,
) -> Group:
    """The tables of a run and what stands beneath them, ready to be printed.

    Parameters
    ----------
    results : sequence of Result
        Of this run: one task and one model.
    reference : sequence of Result
        Shipped results of the same task and model.
    published : sequence of Published
        Figures that others reported on their own data.
    width : int
        Of the console, in cells; it decides the columns.
    note : str
        What the published figures are and why they cannot be compared.
    end_to_end : bool
        Keep the column ``IoU end-to-end`` whatever the width.
    """
    found = sections(results, reference)
    shown = [*found.ranked, *(result for result, _ in found.unranked)]
    fit = fitting(shown, width, (END_TO_END,) if end_to_end else ())
    parts: list[RenderableType] = []
    if shown:
        parts += [_main_table(found, shown, fit, width), ""]
        by_condition = curve(shown)
        if by_condition is not None:
            parts += [by_condition, ""]
    parts += [
        Text(line, style="yellow" if line.startswith("Doubt") else "dim")
        for line in _caption(found, results, reference, [column for column, _ in fit])
    ]
    if beside := extra([*((r, "") for r in found.ranked), *found.unranked], width):
        parts += ["", *beside]
    if found.without:
        parts += ["", _without(found.without)]
    if published:
        parts += ["", Text(_STUDY), _published(published)]
        if note:
            parts += ["", Text(note, style="dim")]
    return Group(*parts)


def _bare() -> Table:
    # One cell of padding, and one blank where other boxes have their line: columns.GAP.
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))


def _main_table(
    found: Sections, shown: Sequence[Result], fit: Sequence[tuple[Column, bool]], width: int
) -> Table:
    table = _bare()
    table.add_column("method", overflow="fold")
    for column, _ in fit:
        table.add_column(column.head, justify="left" if column.text else "right", no_wrap=True)
    room = width - sum(column.width(shown, wide=wide) for column, wide in fit) - GAP

    def add(result: Result, reason: str, last: bool) -> None:
        style = "dim" if result.origin == "shipped" else "bold"
        name = Text(folded(label(result, shown), room))
        if reason:
            name.append(f"\n({reason})", style="italic")
        cells = [(c.wide if wide and c.wide else c.cell)(result) for c, wide in fit]
        table.add_row(name, *map(Text, cells), style=style, end_section=last)

    for result in found.ranked:
        add(result, "", last=result is found.ranked[-1])
    for result, reason in found.unranked:
        add(result, reason, last=False)
    return table


def _without(rows: Sequence[Result]) -> Table:
    table = _bare()
    table.add_column("method", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for result in rows:
        style = "" if result.status == "not_applicable" else "red"
        status = result.status.replace("_", " ")
        table.add_row(Text(label(result, rows)), Text(status, style=style), Text(result.reason))
    return table


def _published(rows: Sequence[Published]) -> Table:
    table = _bare()
    table.add_column("method", overflow="fold")
    for head in ("IoU", "F1", "PG %"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(Text(row.method), number(row.iou), number(row.f1), f"{row.pg:.1f}")
    return table


def _caption(
    found: Sections,
    results: Sequence[Result],
    reference: Sequence[Result],
    fit: Sequence[Column],
) -> list[str]:
    shown = [*found.ranked, *(result for result, _ in found.unranked)]
    if not (results or shown):
        return []
    first = next((r for r in (*results, *shown) if r.scores), (*results, *shown)[0])
    lines = [f"{first.task}@{first.task_version}, model {first.model}{_classifier(first)}."]
    if first.scores:
        lines[0] += " " + _support(first)
        known = columns(shown)
        about = [column.about for column in known if column.about and column in fit]
        lines += [
            f"Means over pairs, truth: {first.scores[0]['truth']}, no smoothing. Brackets: 95 % "
            f"bootstrap over clips and source groups crossed, the choice of thresholds included.",
            "; ".join(about) + ".",
        ]
        if len(fit) < len(known):
            lines[-1] += " A wider terminal shows more; --json everything."
    told = {str(r.provenance["detectors"]) for r in shown if r.provenance.get("detectors")}
    if told and any(r.kind == "detector" for r in shown):
        lines.append(f"Detectors beside attributions: {', '.join(sorted(told))}.")
    lines += _twins(shown)
    limited = sorted({r.limited for r, _ in found.unranked if r.limited is not None})
    if limited:
        lines.append(
            f"Limited: the first {', '.join(map(str, limited))} test clips only. Shown, never "
            f"ranked, and not to be compared with rows on all clips."
        )
    return lines + _doubts(found, results, reference)


def _twins(rows: Sequence[Result]) -> list[str]:
    names: dict[str, list[str]] = {}
    for row in rows:
        if label(row, rows).endswith(f" {EQUAL}"):
            names.setdefault(row.equals, []).append(row.spec)
    return [
        f"{EQUAL} identical by construction ({what}): {', '.join(sorted(set(specs)))}."
        for what, specs in sorted(names.items())
    ]


def _classifier(result: Result) -> str:
    value = result.classifier.get("micro_f1")
    return "" if value is None else f" (clip micro F1 {number(value)} on test)"


def _support(result: Result) -> str:
    pairs = result.pairs
    counted = [
        f"{pairs[key]} {noun}"
        for key, noun in (("scored", "pairs"), ("clips", "clips"), ("groups", "source groups"))
        if pairs.get(key) is not None
    ]
    return f"Scored on {', '.join(counted)}."


def _doubts(found: Sections, results: Sequence[Result], reference: Sequence[Result]) -> list[str]:
    doubts = []
    stale = [r for r, reason in found.unranked if reason.startswith("stale")]
    if stale:
        doubts.append(
            f"Doubt: {len(stale)} row{'s were' if len(stale) > 1 else ' was'} measured before the "
            f"task changed; run the methods again to compare."
        )
    shipped = {(r.spec, r.seed): r for r in reference if r.status == "ok"}
    for result in found.ranked:
        twin = shipped.get((result.spec, result.seed))
        if result.origin == "shipped" or twin is None:
            continue
        if is_stale(twin, result.task_fingerprint):
            continue
        mine, theirs = (with_interval(record(r, "iou")).partition(" ")[0] for r in (result, twin))
        if mine != theirs:
            doubts.append(f"Doubt: {result.spec} has IoU {mine} here, {theirs} as shipped.")
    sizes = {r.pairs.get("expected") for r in found.ranked}
    if len(sizes) > 1:
        doubts.append("Doubt: ranked rows do not have the same number of pairs.")
    return doubts
