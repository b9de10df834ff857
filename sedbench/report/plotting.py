"""The look of every figure: at publication size, in colours that most eyes can tell apart.

Figures are made with matplotlib's objects alone, never with ``pyplot``: no window, no global
state, and nothing is imported until a figure is drawn. The same figure gives the same bytes with
one version of matplotlib.

References
----------
M. Okabe and K. Ito, "Color universal design", 2008 (the first colours).
"""

from __future__ import annotations

import colorsys
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sedbench.errors import UsageError
from sedbench.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#8C564B",
    "#7F7F7F",
    "#6A3D9A",
)
"""One a curve; those of Okabe and Ito without the yellow, which paper swallows, and three more."""

DPI = 300
_MM = 25.4  # millimetres an inch
_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "svg.hashsalt": "sedbench",  # ids in the file that do not change from run to run
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # fonts that a publisher accepts
}


def colours(n: int) -> list[str]:
    """Give ``n`` colours, no two alike; beyond :data:`COLOURS` hues, dark and light in turn."""
    if n <= len(COLOURS):
        return list(COLOURS[:n])
    hues = (colorsys.hls_to_rgb(i / n, (0.32, 0.56)[i % 2], 0.75) for i in range(n))
    return ["#" + "".join(f"{round(255 * part):02x}" for part in hue) for hue in hues]


COLUMN = 88.0
"""Width of a journal's column in millimetres."""


@contextmanager
def drawing(
    width: float, height: float, *, layout: Literal["constrained"] | None = "constrained"
) -> Iterator[Figure]:
    """An empty figure in the house style, to be drawn and saved inside.

    Parameters
    ----------
    width, height : float
        Millimetres; a column of a journal is :data:`COLUMN` wide, a page 180.
    layout : {"constrained", None}
        None where every axes is put in its place by hand.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width / _MM, height / _MM), layout=layout)


def check_format(path: Path) -> str:
    """The format that a file's ending asks for.

    Raises
    ------
    UsageError
        It is none that figures are saved in.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise UsageError(
            f"cannot save a figure as {path.name!r}", f"end it in .{', .'.join(FORMATS)}"
        )
    return ending


def save(figure: Figure, path: Path) -> None:
    """Write a figure by atomic rename, in the format that the ending asks for.

    Raises
    ------
    UsageError
        There is no such format.
    DataError
        The file cannot be written.
    """
    write_atomic(path, encoded(figure, check_format(path)))


def encoded(figure: Figure, ending: str) -> bytes:
    """A figure as the content of a file; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        Within :func:`drawing`: its settings decide the bytes.
    ending : {"png", "svg", "pdf"}
    """
    # The date would make every file another one.
    dated = {"svg": "Date", "pdf": "CreationDate"}.get(ending)
    out = io.BytesIO()
    figure.savefig(out, format=ending, dpi=DPI, metadata={dated: None} if dated else None)
    return out.getvalue()
