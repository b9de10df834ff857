"""Threshold sensitivity as a figure, a small table and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sedbench.protocol.sensitivity import REACH, Band, Sensitivity
from sedbench.report.columns import folded, number
from sedbench.report.plotting import colours, drawing, save

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

LOSS = 0.05
"""IoU that may be lost for a threshold still to count as good."""

HEADS = (
    *("best\nat", "IoU\nthere", "F1\nthere", f"lost within\n±{REACH}"),
    *(f"loses < {number(LOSS)}\nover", "validation\nchose", "IoU\nthere"),
)
"""Of the table, beside the method."""

_AXES = {
    "percentile": "percentile of the clip's frame scores",
    "relative": "percentage of the clip's largest score",
    "absolute": "percentile of the validation scores",
}
_WIDTH, _HEIGHT = 140.0, 75.0  # millimetres
_MOST = 24  # lines of the legend that the height takes
_NAME = 40


def draw(curves: Mapping[str, Sensitivity], paths: Sequence[Path], title: str = "") -> None:
    """Draw IoU (solid) and F1 (dashed) against the threshold, and save the figure.

    Parameters
    ----------
    curves : mapping of str to Sensitivity
        A curve a method, all of one policy.
    paths : sequence of Path
        Files to write; the ending says the format.
    title : str
        What was measured.
    """
    height = max(_HEIGHT, 20 + _HEIGHT * len(curves) / _MOST)
    with drawing(_WIDTH, height) as figure:
        axes = paint(figure, curves, dict(zip(curves, colours(len(curves)), strict=True)))
        if title:
            axes.set_title(title, loc="left")
        figure.legend(loc="outside right upper")
        for path in paths:
            save(figure, path)


def paint(
    figure: Figure, curves: Mapping[str, Sensitivity], palette: Mapping[str, str], *,
    bands: bool = True,
) -> Any:  # fmt: skip
    """Draw the curves, without a legend.

    Parameters
    ----------
    figure : Figure
        An empty one.
    curves : mapping of str to Sensitivity
        A curve a method, all of one policy.
    palette : mapping of str to str
        A colour a method.
    bands : bool
        Draw the intervals, too.

    Returns
    -------
    Axes
    """
    policy = next(iter(curves.values())).policy
    axes = figure.add_subplot()
    for name, curve in curves.items():
        colour = palette[name]
        for band, line, shade in ((curve.iou, "-", 0.16), (curve.f1, "--", 0.05)):
            if bands:
                axes.fill_between(
                    curve.at, band.low, band.high, color=colour, alpha=shade, linewidth=0
                )
            axes.plot(
                curve.at,
                band.value,
                line,
                color=colour,
                label=name if band is curve.iou else None,
            )
        marks = [round(at) - 1 for at in dict.fromkeys(curve.chosen)]
        axes.plot(curve.at[marks], curve.iou.value[marks], "o", color=colour, markersize=3.5)
    axes.set(
        xlim=(0, 100),
        ylim=(0, 1),
        xlabel=f"threshold ({_AXES[policy]})",
        ylabel="IoU (solid), F1 (dashed)",
    )
    if any(curve.chosen for curve in curves.values()):
        axes.plot([], [], "o", color="0.4", markersize=3.5, label="chosen on\nvalidation")
    return axes


def tables(curves: Mapping[str, Sensitivity], about: str) -> Group:
    """The small table for a terminal, and what stands beneath it.

    Parameters
    ----------
    curves : mapping of str to Sensitivity
    about : str
        Task, model and what stands behind the means.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method", overflow="fold")
    for head in HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    for name, curve in sorted(curves.items(), key=lambda item: -item[1].iou.value[item[1].best]):
        table.add_row(*map(Text, (folded(name, _NAME), *cells(curve))))
    policy = next(iter(curves.values())).policy
    lines = [
        about,
        f"Policy {policy}: the threshold is a {_AXES[policy]}, 1 to 99; no smoothing. "
        "The best threshold was found on the test pairs themselves, so nobody could have chosen "
        "it; results report the value at what validation chose.",
        "A figure with bands: --png FILE, --svg FILE or --pdf FILE.",
    ]
    parts: list[RenderableType] = [table, ""]
    return Group(*parts, *(Text(line, style="dim") for line in lines))


def cells(curve: Sensitivity) -> tuple[str, ...]:
    """What the table says of a curve, beneath :data:`HEADS`."""
    best = curve.best
    if not curve.chosen:
        own = (number(curve.iou.value[best]), number(curve.f1.value[best]))
        return ("own mask", *own, "-", "-", "-", "-")
    places = sorted({round(at) for at in curve.chosen})
    told = [curve.iou.value[at - 1] for at in places]
    return (
        f"{curve.at[best]:.0f}",
        number(curve.iou.value[best]),
        number(curve.f1.value[best]),
        number(curve.lost()),
        str(curve.width(LOSS)),
        _ends([str(at) for at in places]),
        _ends([number(value) for value in sorted(told)]),
    )


def _ends(texts: Sequence[str]) -> str:
    """One value, or the first and the last of the rotations'."""
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"


def payload(curves: Mapping[str, Sensitivity], head: Mapping[str, Any]) -> dict[str, Any]:
    """What ``--json`` prints: full precision, None where undefined."""
    return {
        "schema_version": 1,
        **head,
        "methods": [
            {
                "name": name,
                "at": curve.at.tolist(),
                "iou": _band(curve.iou),
                "f1": _band(curve.f1),
                "best_at": float(curve.at[curve.best]),
                "best_iou": float(curve.iou.value[curve.best]),
                f"lost_within_{REACH}": curve.lost(),
                "width": curve.width(LOSS),
                "chosen_on_validation": list(curve.chosen),
            }
            for name, curve in curves.items()
        ],
    }


def _band(band: Band) -> dict[str, list[float | None]]:
    def plain(values: NDArray[Any]) -> list[float | None]:
        return [value if math.isfinite(value) else None for value in values.tolist()]

    return {"value": plain(band.value), "ci_low": plain(band.low), "ci_high": plain(band.high)}
