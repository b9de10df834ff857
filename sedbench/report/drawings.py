"""Figures of a report: the board, the heat map of classes, and who can be told from whom.

Each is a :class:`Drawing`: what it is called, how large it is, what it shows in words, and how to
paint it. One painting serves a publication (PNG, SVG, PDF) and the page
(:mod:`sedbench.report.inline`). Most are as wide as a journal's column, which is also what a phone
shows at a size that can be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sedbench.protocol.evaluate import MIN_GROUPS
from sedbench.report.breakdowns import Breakdown
from sedbench.report.columns import number, with_interval
from sedbench.report.gathered import Gathered
from sedbench.report.placings import Placings
from sedbench.report.plotting import COLOURS, COLUMN, colours, drawing, encoded
from sedbench.report.sensitivity import paint as curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = {"weak": "s", "strong": "D", "oracle": "*"}
"""Told about time, as the form of a mark; a circle where nothing was told."""

_ROW = 4.4  # millimetres a line of a table
_FOOT = 13.0
_NAME = 22  # characters of a method's name on a line
_CELL = 9.0

BANDS = 6
"""Curves that are drawn with intervals, at most: those of many would cover the curves."""

CURVES = len(COLOURS)
"""Curves that are drawn, at most."""


@dataclass(frozen=True)
class Drawing:
    """A figure that is still to be painted.

    Attributes
    ----------
    name : str
        Of its file, without an ending.
    width, height : float
        Millimetres.
    paint : callable
        Draws into an empty figure of that size.
    alt : str
        What it shows, for those who cannot see it.
    layout : {"constrained", None}
        See :func:`sedbench.report.plotting.drawing`.
    """

    name: str
    width: float
    height: float
    paint: Callable[[Figure], None]
    alt: str
    layout: Literal["constrained"] | None = "constrained"

    def encoded(self, ending: str) -> bytes:
        """The content of a file.

        Parameters
        ----------
        ending : {"png", "svg", "pdf"}
        """
        with drawing(self.width, self.height, layout=self.layout) as figure:
            self.paint(figure)
            return encoded(figure, ending)


def palette(gathered: Gathered) -> dict[str, str]:
    """A colour a method, the same in every figure."""
    n = len(gathered.names)
    # The best stand side by side, in colours that can be told apart.
    return dict(zip(gathered.names, [*COLOURS, *colours(n)[len(COLOURS) :]][:n], strict=True))


def wrapped(name: str, width: int = _NAME, most: int = 3) -> str:
    """A method's name on lines of a width, broken behind brackets, commas, ``=`` and ``-``."""
    found = [""]
    for piece in re.split(r"(?<=[\[,=-])|(?= \()", name):
        if found[-1] and len(found[-1] + piece) > width:
            found.append("")
        found[-1] += piece
    if len(found) > most:
        found[most - 1 :] = [f"{found[most - 1][: width - 1]}…"]
    return "\n".join(found)


def lines(name: str) -> int:
    """Lines that a method's name takes."""
    return wrapped(name).count("\n") + 1


def board_drawing(gathered: Gathered) -> Drawing:
    """The IoU of each method with its interval."""
    rows = [*gathered.board["rows"], *gathered.board["unranked"]]
    named = [
        f"{'–' if row['rank'] is None else row['rank']}  {name}"
        for row, name in zip(rows, gathered.names, strict=True)
    ]
    known = [(row, row["figures"]["iou"]) for row in rows]
    tall = sum(map(lines, named))

    def paint(figure: Figure) -> None:
        axes = _listing(figure, named)
        for y, (row, figures) in zip(_places(named), known, strict=True):
            if figures is None:
                continue
            colour = "#000000" if row["rank"] is not None else "#7f7f7f"
            if figures["ci_low"] is not None:
                axes.plot([figures["ci_low"], figures["ci_high"]], [y, y], color=colour, lw=1)
            mark = MARKS.get(row["supervision"], "o")
            axes.plot(figures["value"], y, mark, color=colour, markersize=4, clip_on=False)
        axes.set(xlabel="IoU, 95 % interval", xlim=(0, 1))

    said = [
        f"{name} {with_interval(f)}" for name, (_, f) in zip(gathered.names, known, strict=True)
    ]
    alt = f"IoU with 95 % intervals: {', '.join(said)}."
    return Drawing("board", COLUMN, _FOOT + _ROW * tall, paint, alt)


def classes_drawing(gathered: Gathered, found: Breakdown) -> Drawing:
    """Mean IoU of each method on each class; few source groups are hatched."""
    heads = [
        f"{name} ({pairs}){'' if found.ranked(k) else ' *'}"
        for k, (name, pairs) in enumerate(zip(found.names, found.pairs, strict=True))
    ]
    tall = sum(map(lines, gathered.names))
    # A head leans over what is beside it, and over the edge at the right.
    longest = max(map(len, heads), default=0)
    width = max(COLUMN, 40 + _CELL * len(heads) + 0.9 * longest)

    def paint(figure: Figure) -> None:
        axes = _listing(figure, gathered.names, grid=False)
        tops = _places(gathered.names)
        sizes = [lines(name) / 2 for name in gathered.names]
        for m, (y, half) in enumerate(zip(tops, sizes, strict=True)):
            for k in range(len(heads)):
                _cell(axes, k, (y, half), float(found.value[m, k]), found.ranked(k))
        axes.set(xlim=(0, len(heads)), xlabel="")
        axes.xaxis.set_ticks_position("top")
        axes.set_xticks(np.arange(len(heads)) + 0.5, heads, rotation=40, ha="left", size=6)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)

    few = [name for k, name in enumerate(found.names) if not found.ranked(k)]
    alt = f"Mean IoU of {len(gathered.names)} methods on {len(found.names)} classes."
    alt += f" Fewer than {MIN_GROUPS} source groups: {', '.join(few)}." if few else ""
    return Drawing("classes", width, 6 + 0.95 * longest + _ROW * tall, paint, alt)


def _cell(axes: Any, k: int, lines: tuple[float, float], value: float, ranked: bool) -> None:
    from matplotlib.patches import Rectangle

    y, half = lines  # the middle of the row, and half its height
    if not np.isfinite(value):
        axes.text(k + 0.5, y, "-", ha="center", va="center", size=6)
        return
    shade = [1 + value * (end - 1) for end in (0.0, 0.447, 0.698)]  # white to blue
    hatch = None if ranked else "////"
    axes.add_patch(
        Rectangle((k, y - half), 1, 2 * half, facecolor=shade, edgecolor="white", hatch=hatch)
    )
    ink = "white" if value > 0.55 else "black"
    axes.text(k + 0.5, y, number(value), ha="center", va="center", size=6, color=ink)


def placings_drawing(gathered: Gathered, found: Placings) -> Drawing:
    """The critical-difference diagram, upright: a method a line, bars beside them."""
    named = [
        f"{gathered.standings[m].rank}  {gathered.names[m]}" for m in found.rows
    ]  # fmt: skip
    tall = sum(map(lines, named))
    columns = _columns(found.bars)
    room = max(columns, default=-1) + 1

    def paint(figure: Figure) -> None:
        axes = _listing(figure, named)
        places = _places(named)
        for y, mean, low, high in zip(places, found.mean, found.low, found.high, strict=True):
            axes.plot([low, high], [y, y], color="#7f7f7f", lw=1)
            axes.plot(mean, y, "o", color="#000000", markersize=3.5)
        last = found.distinct
        step = 0.045 * (last - 0.5) * 1.3
        for column, (first, end) in zip(columns, found.bars, strict=True):
            x = last + 0.5 + step * (column + 1)
            axes.plot(
                [x, x], [places[first] - 0.3, places[end] + 0.3],
                color="#0072b2", lw=2.6, solid_capstyle="butt",
            )  # fmt: skip
        axes.set(xlim=(0.5, last + 0.5 + step * (room + 0.5)), xlabel="rank in the bootstrap")
        axes.set_xticks(range(1, last + 1, -(-last // 9)))
        axes.spines["bottom"].set_bounds(1, last)

    alt = "Rank of each method in the bootstrap, and bars that join methods that cannot be told "
    alt += "apart. " + " ".join(told(gathered, found))
    return Drawing("ranks", COLUMN, _FOOT + _ROW * tall, paint, alt)


def told(gathered: Gathered, found: Placings) -> list[str]:
    """The bars in words."""
    names = [gathered.names[m] for m in found.rows]
    if not found.bars:
        return ["Every two methods are told apart."]
    return [f"Not told apart: {', '.join(names[first : last + 1])}." for first, last in found.bars]


def _columns(bars: Sequence[tuple[int, int]]) -> list[int]:
    """Where each bar stands, from the left, so that no two touch."""
    free: list[int] = []  # the last place that each column covers
    found = []
    for first, last in bars:
        column = next((c for c, end in enumerate(free) if end < first), len(free))
        free[column : column + 1] = [last]
        found.append(column)
    return found


def _places(names: Sequence[str]) -> list[float]:
    """The middle of each name's lines, counted in lines from the top."""
    sizes = [lines(name) for name in names]
    ends = np.cumsum(sizes)
    return [float(end - size / 2) for end, size in zip(ends, sizes, strict=True)]


def _listing(figure: Figure, names: Sequence[str], *, grid: bool = True) -> Any:
    """An axes with a line a name, the first one at the top."""
    axes = figure.add_subplot()
    places = _places(names)
    axes.set_yticks(places, [wrapped(name) for name in names], size=7.5)
    axes.set_ylim(sum(map(lines, names)), 0)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if grid:
        axes.grid(axis="x", color="#d0d0d0", linewidth=0.5)
        axes.set_axisbelow(True)
    return axes


def sensitivity_drawing(gathered: Gathered, palette: Mapping[str, str]) -> Drawing:
    """IoU and F1 against the threshold."""
    drawn = {wrapped(name, most=9): name for name in gathered.names[:CURVES]}

    def paint(figure: Figure) -> None:
        curves(
            figure,
            {label: gathered.curves[name] for label, name in drawn.items()},
            {label: palette[name] for label, name in drawn.items()},
            bands=len(drawn) <= BANDS,
        )
        figure.legend(loc="outside lower center", ncols=2, fontsize=7, handlelength=1.4)

    alt = "IoU and F1 against the percentile that is the threshold, one curve a method; the table "
    alt += "beside it has the best threshold and the one that validation chose."
    legend = 3.8 * ((sum(label.count("\n") + 1 for label in drawn) + 3) // 2)
    return Drawing("sensitivity", COLUMN, 66 + legend, paint, alt)
