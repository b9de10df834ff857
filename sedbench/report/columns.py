"""The columns of a result table: what each says of a result, and which fit a console's width.

A figure is the headline's unless its column says otherwise: policy ``chosen``, view
``localisation``, mean over pairs, the task's primary truth, no smoothing. Scores have two
decimals and no leading zero, intervals follow in brackets: ``.47 [.43 .51]``.

A number is never wrapped or cut. Columns are taken in the order of :func:`columns` while they
fit, and shown in the order of ``place``; the method's own name is the one thing that may fold.
Where room is left, columns get their interval too, in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from sedbench.results import Result

GAP = 2
"""Cells between two columns."""

EQUAL = "="
"""Marks rows that are identical by construction."""

_NONE = "-"
_NARROWEST, _WIDEST = 14, 44  # of the method column, in cells
_SHARE = 5  # a long name may have this part of the console before further columns come
_ORIGINS = {"measured": "this run", "stored": "stored", "shipped": "shipped"}
_DEFAULTS = {"policy": "chosen", "view": "localisation"}
_FIXED = "percentile@"


def record(result: Result, metric: str, **wanted: Any) -> Mapping[str, Any] | None:
    """The headline record of a metric, or None.

    Parameters
    ----------
    result : Result
    metric : str
    **wanted
        Fields that differ from the headline's, such as ``policy`` or ``view``.

    Notes
    -----
    The first record of a result has the task's primary truth.
    """
    if not result.scores:
        return None
    fields = {
        **_DEFAULTS,
        "average": "pairs",
        "stratum": "all",
        "truth": result.scores[0]["truth"],
        "smoothing": "none",
        **wanted,
    }
    for found in result.scores:
        # Metrics without a threshold have no policy.
        if found["metric"] == metric and all(
            found[key] == value or (key == "policy" and found[key] is None)
            for key, value in fields.items()
        ):
            return found
    return None


def number(value: float | None) -> str:
    """A score with two decimals and no leading zero: ``.47``, ``-.03``, ``1.00``."""
    if value is None:
        return _NONE
    text = f"{value:.2f}"
    if float(text) == 0:
        return ".00"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def with_interval(found: Mapping[str, Any] | None) -> str:
    """A score and its interval: ``.47 [.43 .51]``."""
    if found is None or found["value"] is None:
        return _NONE
    if found["ci_low"] is None or found["ci_high"] is None:
        return number(found["value"])
    return f"{number(found['value'])} [{number(found['ci_low'])} {number(found['ci_high'])}]"


def seconds(value: float | None) -> str:
    """Seconds with as many decimals as mean something: ``0.4``, ``12``, ``340``."""
    if value is None:
        return _NONE
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def megabytes(value: float | None) -> str:
    """Bytes as whole megabytes."""
    return _NONE if value is None else f"{value / 1e6:.0f}"


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Attributes
    ----------
    head : str
        One or two lines.
    place : int
        Where it stands, from the left.
    cell : callable
        What it says of a result.
    wide : callable, optional
        The same with its interval.
    text : bool
        Left-aligned words, not numbers.
    about : str
        What the caption says of it where it is shown.
    """

    head: str
    place: int
    cell: Callable[[Result], str]
    wide: Callable[[Result], str] | None = None
    text: bool = False
    about: str = ""

    def width(self, rows: Sequence[Result], *, wide: bool = False) -> int:
        """Cells that the column takes, its gap included."""
        cell = self.wide if wide and self.wide else self.cell
        lines = [*self.head.split("\n"), *(cell(row) for row in rows)]
        return max(map(cell_len, lines)) + GAP


def _score(head: str, place: int, metric: str, about: str = "", **wanted: str) -> Column:
    def cell(result: Result) -> str:
        found = record(result, metric, **wanted)
        return number(found["value"] if found else None)

    def wide(result: Result) -> str:
        return with_interval(record(result, metric, **wanted))

    return Column(head, place, cell, wide, about=about)


def _pairs(result: Result) -> str:
    expected = result.pairs.get("expected")
    return f"{result.pairs.get('scored', 0)}/{_NONE if expected is None else expected}"


HEADLINE = Column(
    "IoU\n[95 %]",
    30,
    lambda result: with_interval(record(result, "iou")),
    about="IoU, F1: threshold policy chosen on validation",
)
END_TO_END = _score(
    "IoU\nend-to-end",
    130,
    "iou",
    "end-to-end: all true pairs and false alarms, a missed class scores 0",
    view="end-to-end",
)
_ORACLE = _score("IoU\noracle", 60, "iou", "oracle: each pair's best threshold", policy="oracle")
COLUMNS: tuple[Column, ...] = (
    HEADLINE,
    Column(
        "super-\nvision",
        10,
        lambda result: result.supervision,
        text=True,
        about="supervision: what the row was told about time (weak: clip labels, strong: frames)",
    ),
    Column("origin", 20, lambda result: _ORIGINS[result.origin], text=True),
    _score("AUC", 100, "auc", "AUC, AP: threshold-free"),
    _score("AP", 110, "ap"),
    Column("pairs", 140, _pairs, about="pairs: scored/expected"),
    _score("PG\ncorr.", 90, "pg_corrected", "PG corr.: pointing game above chance"),
    _score("IoU\npct.", 40, "iou", "pct.: the study's policy, a percentile", policy="percentile"),
    _score("F1", 70, "f1"),
    _score("discr.\nAUC", 120, "discrimination", "discr.: target against other sounds"),
    _ORACLE,
    Column("s", 150, lambda result: seconds(result.cost.get("seconds")), about="s: computing time"),
    _score("PG", 80, "pg"),
    _score("IoU\nrel.", 50, "iou", "rel.: a share of the maximum", policy="relative"),
    END_TO_END,
    Column(
        "CPU\ns",
        160,
        lambda result: seconds(result.cost.get("cpu_seconds")),
        about="CPU s: of the processor, all workers together",
    ),
    Column(
        "peak\nMB",
        170,
        lambda result: megabytes(result.cost.get("peak_memory")),
        about="peak MB: memory of the largest worker, libraries included",
    ),
)
"""From the one that is always shown to the first that a narrow console drops."""


def columns(rows: Sequence[Result]) -> list[Column]:
    """:data:`COLUMNS`, and one for each percentile that results have and nobody chose."""
    found = {r["policy"] for row in rows for r in row.scores if r["policy"] is not None}
    fixed = [
        _score(
            f"IoU\n{name.removeprefix('percentile')}",
            45,
            "iou",
            f"{name.removeprefix('percentile')}: that percentile for every row, chosen by nobody",
            policy=name,
        )
        for name in sorted(found)
        if name.startswith(_FIXED)
    ]
    at = COLUMNS.index(_ORACLE)
    return [*COLUMNS[:at], *fixed, *COLUMNS[at:]]


def fitting(
    rows: Sequence[Result], width: int, keep: Sequence[Column] = ()
) -> list[tuple[Column, bool]]:
    """Choose the columns that fit beside the method, and which of them get an interval.

    Parameters
    ----------
    rows : sequence of Result
    width : int
        Of the console, in cells.
    keep : sequence of Column
        Columns to take before all others.

    Returns
    -------
    list of (Column, bool)
        From left to right; True where the interval is shown.
    """
    longest = max(max((cell_len(label(row, rows)) for row in rows), default=0), _NARROWEST)
    least = min(longest, max(_NARROWEST, width // _SHARE))
    order = [HEADLINE, *keep, *(c for c in columns(rows) if c is not HEADLINE and c not in keep)]
    room = width - GAP - least
    taken: list[Column] = []
    for column in order:
        if taken and column.width(rows) > room:
            break
        taken.append(column)
        room -= column.width(rows)
    # The method's full name comes before intervals of further columns.
    room -= max(min(longest, _WIDEST) - least, 0)
    wide: list[Column] = []
    for column in taken:
        more = column.width(rows, wide=True) - column.width(rows)
        if column.wide is not None and more <= room:
            wide.append(column)
            room -= more
    return sorted(((c, c in wide) for c in taken), key=lambda each: each[0].place)


def label(result: Result, rows: Sequence[Result]) -> str:
    """The method's canonical spec, with the seed where rows differ in nothing else.

    A row that equals others by construction has :data:`EQUAL` behind its name.
    """
    seeds = {row.seed for row in rows if row.spec == result.spec}
    name = f"{result.spec} (seed {result.seed})" if len(seeds) > 1 else result.spec
    alike = sum(row.equals == result.equals for row in rows)
    return f"{name} {EQUAL}" if result.equals and alike > 1 else name


def folded(name: str, width: int) -> str:
    """A canonical spec on as many lines as it needs, broken behind brackets and commas."""
    lines = [""]
    for piece in re.split(r"(?<=[\[,])|(?= \()", name):
        if lines[-1] and cell_len(lines[-1] + piece) > width:
            lines.append(" ")
        lines[-1] += piece
    return "\n".join(lines)
