"""One clip as the study's second figure has it: what sounds, what is true, what each method says.

From the top: waveform, log-mel spectrogram, then for each class that was scored a bar of truth and
a strip a method. A strip holds the frame scores from 0 to their maximum (from their minimum where
they go below 0), the threshold as a dashed line, and beneath the curve a thick line where the
method's decision is *active*; on the right stands the IoU. Thin lines through the strips are the
true on- and offsets.

Everything is in one axes, in seconds and millimetres, so that forty strips cost what four do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sedbench.report.columns import number
from sedbench.report.drawings import Drawing, wrapped
from sedbench.report.extremes import Shown
from sedbench.report.gathered import Gathered
from sedbench.report.plotting import COLUMN
from sedbench.report.sounds import RANGE_DB, Sound, envelope, log_mel
from sedbench.types import BoolArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT, RIGHT = 27.0, 9.0
"""Millimetres on the left and the right of the time axis, of ``COLUMN``."""

_TOP, _BOTTOM = 1.0, 8.5
_WAVE, _MEL, _TRUTH, _STRIP, _GAP = 9.0, 15.0, 3.2, 5.6, 1.0
_BAR = 0.9  # height of the line that says where a decision is active
_NAME = 17  # characters on a line
_INK, _FAINT = "#000000", "#7f7f7f"


@dataclass(frozen=True, eq=False)
class Strip:
    """One method on one pair."""

    name: str
    colour: str
    scores: NDArray[np.float64]
    mask: BoolArray
    level: float
    overlap: float


def intervals(active: BoolArray, edges: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Where frames are active, as (onset, offset) in seconds."""
    steps = np.diff(np.concatenate([[0], active.astype(np.int8), [0]]))
    ends = zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True)
    return [(float(edges[on]), float(edges[off])) for on, off in ends]


def strips(gathered: Gathered, pair: int, palette: Mapping[str, str]) -> list[Strip]:
    """What each method says of a pair, in the order of the board."""
    found = []
    told = zip(gathered.names, gathered.contenders, gathered.decisions, strict=True)
    for name, contender, decisions in told:
        scores = np.where(contender.test.scored[pair], contender.test.scores[pair], 0.0)
        found.append(
            Strip(
                name=name,
                colour=palette[name],
                scores=np.asarray(scores, np.float64),
                mask=decisions.mask[pair],
                level=float(decisions.level[pair]),
                overlap=float(decisions.overlap[pair]),
            )
        )
    return found


def clip_drawing(
    gathered: Gathered, shown: Shown, palette: Mapping[str, str], sound: Sound | None
) -> Drawing:
    """Draw a clip; without its sound, only what the results hold."""
    table = gathered.contenders[0].test.table
    edges = table.grid.edges
    truths = table.truths[gathered.truth]
    blocks = [
        (table.classes[table.label[pair]], truths[pair], strips(gathered, pair, palette))
        for pair in shown.pairs
    ]
    high = (_WAVE + _MEL + 2 * _GAP) if sound is not None else 0.0
    high += sum(_TRUTH + _GAP + len(held) * (_STRIP + _GAP) + _GAP for _, _, held in blocks)
    whole = _TOP + high + _BOTTOM

    def paint(figure: Figure) -> None:
        place = (LEFT / COLUMN, _BOTTOM / whole, (COLUMN - LEFT - RIGHT) / COLUMN, high / whole)
        axes = figure.add_axes(place)
        axes.set(xlim=(edges[0], edges[-1]), ylim=(high, 0), xlabel="time (s)", yticks=[])
        axes.spines["left"].set_visible(False)
        y = _sound(axes, sound, float(edges[-1])) if sound is not None else 0.0
        for label, truth, held in blocks:
            y = _block(axes, label, truth, held, edges, y)

    said = [f"{label}: true {spoken(intervals(truth, edges))}" for label, truth, _ in blocks]
    alt = f"Clip {shown.id}. {'; '.join(said)}. Frame scores of {len(gathered.names)} methods; "
    alt += "the table beneath has their decisions."
    return Drawing(f"clip-{shown.slug}", COLUMN, whole, paint, alt, layout=None)


def spoken(stretches: Sequence[tuple[float, float]]) -> str:
    """``1.2–3.4, 5.0–5.3 s``, or ``never``."""
    return (
        ", ".join(f"{on:.1f}–{off:.1f}" for on, off in stretches) + " s" if stretches else "never"
    )


def _sound(axes: Any, sound: Sound, duration: float) -> float:
    low, high = envelope(sound)
    time = np.linspace(0, duration, low.size)
    middle = _WAVE / 2
    axes.fill_between(
        time, middle - low * middle * 0.96, middle - high * middle * 0.96,
        color=_FAINT, linewidth=0.3,
    )  # fmt: skip
    _label(axes, middle, "waveform")
    top = _WAVE + _GAP
    axes.imshow(
        log_mel(sound), cmap="magma", vmin=-RANGE_DB, vmax=0, aspect="auto", origin="lower",
        extent=(0, duration, top + _MEL, top), interpolation="none", zorder=0,
    )  # fmt: skip
    _label(axes, top + _MEL / 2, "log-mel")
    axes.set(xlim=(0, duration))  # an image sets limits of its own
    axes.set_ylim(axes.get_ylim()[0], 0)
    return top + _MEL + _GAP


def _block(  # noqa: PLR0917 - what is drawn, and where
    axes: Any,
    label: str,
    truth: BoolArray,
    held: Sequence[Strip],
    edges: NDArray[np.float64],
    top: float,
) -> float:
    y = top + _GAP
    stretches = intervals(truth, edges)
    lengths = [(on, off - on) for on, off in stretches]
    axes.broken_barh(lengths, (y, _TRUTH), color=_INK, linewidth=0)
    _label(axes, y + _TRUTH / 2, fill(label.replace("_", " "), _NAME), weight="bold")
    axes.text(
        1.02, y + _TRUTH / 2, "IoU", transform=axes.get_yaxis_transform(), size=7, va="center"
    )
    y += _TRUTH + _GAP
    bottom = y + len(held) * (_STRIP + _GAP) - _GAP
    for at in sorted({time for stretch in stretches for time in stretch}):
        axes.plot([at, at], [y, bottom], color=_INK, linewidth=0.4, linestyle=(0, (2, 2)))
    for strip in held:
        _strip(axes, strip, edges, y)
        y += _STRIP + _GAP
    return y


def _strip(axes: Any, strip: Strip, edges: NDArray[np.float64], top: float) -> None:
    floor = top + _STRIP - _BAR - 0.2  # of the curve; the decision lies beneath it
    low = min(0.0, float(strip.scores.min()))
    span = float(strip.scores.max()) - low or 1.0
    height = floor - top

    def up(score: Any) -> Any:
        return floor - (score - low) / span * height

    time = np.repeat(edges, 2)[1:-1]
    curve = np.repeat(up(strip.scores), 2)
    axes.fill_between(time, curve, floor, color=strip.colour, alpha=0.25, linewidth=0)
    axes.plot(time, curve, color=strip.colour, linewidth=0.7)
    if np.isfinite(strip.level) and low <= strip.level <= low + span:
        level = [up(strip.level)] * 2
        axes.plot(edges[[0, -1]], level, color=_FAINT, linewidth=0.5, linestyle=(0, (3, 2)))
    active = [(on, off - on) for on, off in intervals(strip.mask, edges)]
    axes.broken_barh(active, (top + _STRIP - _BAR, _BAR), color=strip.colour, linewidth=0)
    _label(axes, top + _STRIP / 2, wrapped(strip.name, _NAME, 2))
    axes.text(
        1.02, top + _STRIP / 2, number(strip.overlap), transform=axes.get_yaxis_transform(),
        size=7, va="center",
    )  # fmt: skip


def _label(axes: Any, y: float, text: str, **more: Any) -> None:
    axes.text(
        -0.02, y, text, transform=axes.get_yaxis_transform(), ha="right", va="center",
        size=7, parse_math=False, linespacing=1.0, **more,
    )  # fmt: skip
