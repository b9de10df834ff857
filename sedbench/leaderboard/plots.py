"""Two drawings of a table, as SVG that stands in the page itself.

:func:`intervals` shows the IoU of each row with its rank, name and interval, :func:`cost` the IoU
against what an answer takes. A letter stands for each row in both, in the order of the table, so
that a point needs no name beside it; ranks would not do, since rows that cannot be told apart share
one. Both carry the number of their row, by which the page hides them. Colours come from the page,
which has a dark and a light set; told about time is also said by the form of the marks.

Coordinates are in units of about a pixel on a narrow screen, where the drawing fills the width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from sedbench.leaderboard.markdown import label, passes
from sedbench.report.columns import number, with_interval

WIDTH = 380.0
_ROW, _TOP, _BOTTOM = 18.0, 8.0, 34.0
_NAMES, _RIGHT = 242.0, 18.0  # room for ranks, names and letters on the left of the intervals
_LETTER = 20.0  # of which for the letter, between name and interval
_LEFT, _HEIGHT = 40.0, 300.0  # of the drawing of cost
_RADIUS = 7.5
_LONGEST = 30  # characters of a name

Row = Mapping[str, Any]


def intervals(rows: Sequence[Row], title: str) -> str:
    """Draw the IoU of each row with its interval.

    Parameters
    ----------
    rows : sequence of mapping
        Ranked rows, in their order.
    title : str
        What the drawing shows, for those who cannot see it.
    """
    height = _TOP + _ROW * len(rows) + _BOTTOM
    low, high = _range(rows)

    def across(value: float) -> float:
        return _NAMES + (value - low) / (high - low) * (WIDTH - _NAMES - _RIGHT)

    floor = _TOP + _ROW * len(rows)
    parts = [_line(across(t), _TOP, across(t), floor) for t in _ticks(low, high)]
    parts += [_text(across(t), floor + 15, number(t), "middle") for t in _ticks(low, high)]
    parts.append(_text(across((low + high) / 2), floor + 30, "IoU, 95 % interval", "middle"))
    for i, row in enumerate(rows):
        y = _TOP + _ROW * (i + 0.5)
        figure = row["figures"]["iou"]
        drawn = [
            _text(16, y + 4, str(row["rank"]), "end", "rank"),
            _text(_NAMES - 8 - _LETTER, y + 4, _short(label(row, rows)), "end", ""),
            _text(_NAMES - 8 - _LETTER / 2 + 1, y + 4, letter(i), "middle", "scale letter"),
        ]
        if figure["ci_low"] is not None:
            x1, x2 = across(figure["ci_low"]), across(figure["ci_high"])
            drawn.append(_line(x1, y, x2, y, "interval"))
        drawn.append(_mark(across(figure["value"]), y, row["supervision"], 5.0))
        parts.append(_group(row, rows, i, drawn))
    return _svg(height, title, parts)


def cost(rows: Sequence[Row], title: str) -> str:
    """Draw the IoU of each row against its passes a pair, on a logarithmic axis.

    Parameters
    ----------
    rows, title
        See :func:`intervals`.
    """
    low, high = _range(rows, ("value",))
    most = max([_passes(row) for row in rows] + [10.0])
    decades = max(1, math.ceil(math.log10(most)))
    free = _LEFT + 24  # what needs no network stands on the left of the axis
    start, end = free + 26, WIDTH - _RIGHT
    floor = _HEIGHT - _BOTTOM

    def across(value: float) -> float:
        if value <= 0:
            return free
        return start + max(math.log10(value), 0.0) / decades * (end - start)

    def up(value: float) -> float:
        return floor - (value - low) / (high - low) * (floor - _TOP)

    parts = [_line(_LEFT, up(t), end, up(t)) for t in _ticks(low, high)]
    parts += [_text(_LEFT - 5, up(t) + 4, number(t), "end") for t in _ticks(low, high)]
    for power in range(decades + 1):
        parts.append(_text(across(10.0**power), floor + 15, f"{10**power}", "middle"))
    parts.append(_text(free, floor + 15, "none", "middle"))
    parts.append(
        _text((start + end) / 2, floor + 30, "passes a pair (forward and backward)", "middle")
    )
    placed: list[tuple[float, float]] = []
    for i, row in enumerate(rows):
        x, y = _aside(across(_passes(row)), up(row["figures"]["iou"]["value"]), placed)
        placed.append((x, y))
        drawn = [
            _mark(x, y, row["supervision"], _RADIUS),
            _text(x, y + 3.2, letter(i), "", "number"),
        ]
        parts.append(_group(row, rows, i, drawn))
    return _svg(_HEIGHT, title, parts)  # fmt: skip


def letter(place: int) -> str:
    """What stands for a row: a to z, then aa, ab and so on.

    Parameters
    ----------
    place : int
        From 0.
    """
    told = ""
    place += 1
    while place:
        place, last = divmod(place - 1, 26)
        told = chr(ord("a") + last) + told
    return told


def _passes(row: Row) -> float:
    return float(row["cost"]["passes_per_pair"] or 0.0)


def _aside(x: float, y: float, placed: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Move a point a little, where it would cover another: mostly sideways, and not far."""

    def room(here: tuple[float, float]) -> float:
        free = min((math.hypot(here[0] - a, here[1] - b) for a, b in placed), default=math.inf)
        return min(free, 2 * _RADIUS - 1)

    # Sorted by distance, so that of places with the same room the nearest one is taken.
    places = sorted(
        ((x + dx, y + dy) for dx in range(-21, 22, 3) for dy in range(-6, 7, 3)),
        key=lambda here: (abs(here[0] - x) + abs(here[1] - y), here),
    )
    inside = [here for here in places if here[0] - _RADIUS > _LEFT and here[0] + _RADIUS < WIDTH]
    return max(inside, key=room)


def _range(
    rows: Sequence[Row], parts: Sequence[str] = ("value", "ci_low", "ci_high")
) -> tuple[float, float]:
    """The IoU that is drawn: what there is, in whole tenths."""
    figures = (row["figures"]["iou"] for row in rows)
    ends = [figure[part] for figure in figures for part in parts if figure[part] is not None]
    low = math.floor(min(ends) * 10 + 1e-9) / 10
    high = math.ceil(max(ends) * 10 - 1e-9) / 10
    return (low, high) if high > low else (max(low - 0.1, 0.0), high + 0.1)


def _ticks(low: float, high: float) -> Iterator[float]:
    first, last = round(low * 10), round(high * 10)
    step = 1 if last - first <= 6 else 2
    return (tenth / 10 for tenth in range(first, last + 1, step))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _group(row: Row, rows: Sequence[Row], place: int, parts: Sequence[str]) -> str:
    told = f"{label(row, rows)}: rank {row['rank']}, IoU {with_interval(row['figures']['iou'])}, "
    told += f"{passes(row)} passes a pair, told about time: {row['supervision']}"
    return f'<g data-row="{place}"><title>{escape(told)}</title>{"".join(parts)}</g>'


def _mark(x: float, y: float, supervision: str, radius: float) -> str:
    kind = supervision if supervision in ("weak", "strong") else "none"
    if kind == "weak":
        r = radius
        side = f'<rect x="{_n(x - r)}" y="{_n(y - r)}" width="{_n(2 * r)}" height="{_n(2 * r)}"'
        return f'{side} class="mark {kind}"/>'
    if kind == "strong":
        r = radius * 1.3
        corners = ((x, y - r), (x + r, y), (x, y + r), (x - r, y))
        points = " ".join(f"{_n(a)},{_n(b)}" for a, b in corners)
        return f'<polygon points="{points}" class="mark {kind}"/>'
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="mark {kind}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> str:
    places = f'x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"'
    return f'<line {places} class="{kind}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "scale") -> str:
    told = f' class="{kind}"' if kind else ""
    told += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{_n(x)}" y="{_n(y)}"{told}>{escape(text)}</text>'


def _n(value: float) -> str:
    return f"{value:.1f}"


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {_n(WIDTH)} {_n(height)}"'
    return f'<svg {box} role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
