"""The section of a report's page that shows clips, and lets one hear them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

import numpy as np

from sedbench.report.clip_drawing import LEFT, RIGHT, intervals, spoken
from sedbench.report.columns import number
from sedbench.report.drawings import Drawing
from sedbench.report.extremes import Shown, rule
from sedbench.report.gathered import Gathered
from sedbench.report.plotting import COLUMN
from sedbench.report.sections import figure, scroll
from sedbench.report.sounds import BANDS, RANGE_DB, Sound, data_uri


@dataclass(frozen=True, eq=False)
class Clips:
    """The clips that are shown.

    Attributes
    ----------
    shown : tuple of Shown
    sounds : mapping of str to Sound
        By the clips' ids; empty where they are not here, or not wanted.
    why : str
        Why there is no sound; empty where there is.
    players : bool
        Whether the page holds the sound itself.
    """

    shown: tuple[Shown, ...] = ()
    sounds: Mapping[str, Sound] = field(default_factory=dict)
    why: str = ""
    players: bool = True


def clips(
    gathered: Gathered, drawings: Mapping[str, Drawing], palette: Mapping[str, str], held: Clips
) -> str:
    """Write the section; empty where no clip is shown."""
    if not held.shown:
        return ""
    told = [f"<p>{escape(rule(gathered))}</p>", f'<p class="dim">{_legend(held)}</p>']
    if held.why:
        told.append(f'<p class="notice" role="note">{escape(held.why)}</p>')
    told.append('<div class="clips">')
    told += [_clip(gathered, each, drawings, palette, held) for each in held.shown]
    return "\n".join([*told, "</div>"])


def _legend(held: Clips) -> str:
    top = f"Log-mel: {BANDS} bands, {RANGE_DB:.0f} dB. " if held.sounds else ""
    return (
        f"{top}Solid bar: where the class truly sounds; dotted: its on- and offsets. A strip a "
        "method: frame scores from 0 to their maximum in the clip, the chosen threshold (dashed) "
        "where it lies among them, and beneath, thick, what is decided to be active; on the right "
        "the pair’s IoU. Only pairs that the classifier detects are scored."
    )


def _clip(
    gathered: Gathered,
    shown: Shown,
    drawings: Mapping[str, Drawing],
    palette: Mapping[str, str],
    held: Clips,
) -> str:
    drawing = drawings[f"clip-{shown.slug}"]
    drawn = figure(drawing, palette, _about(shown))
    # Where time is in the drawing, for the line that follows the sound.
    left, wide = LEFT / COLUMN, (COLUMN - LEFT - RIGHT) / COLUMN
    duration = float(gathered.task.duration)
    stage = (
        f'<div class="stage" data-left="{left:.5f}" data-width="{wide:.5f}" '
        f'data-duration="{duration!r}">'
    )
    drawn = drawn.replace("<figure>", f"<figure>{stage}", 1)
    drawn = drawn.replace("</svg>", '</svg><div class="playhead" hidden></div></div>', 1)
    parts = [
        f'<article class="clip" id="{shown.slug}" data-clip="{escape(shown.id)}">',
        f"<h3>{escape(shown.title)}</h3>",
        drawn,
    ]
    sound = held.sounds.get(shown.id)
    if sound is not None and held.players:
        parts.append(
            f'<audio controls preload="metadata" aria-label="Clip {escape(shown.id)}" '
            f'src="{data_uri(sound)}"></audio>'
        )
    parts.append(_numbers(gathered, shown))
    if sound is not None and sound.credits:
        names = "".join(f"<li>{escape(each)}</li>" for each in sound.credits)
        parts.append(f"<details><summary>Recordings in it</summary><ul>{names}</ul></details>")
    return "\n".join([*parts, "</article>"])


def _about(shown: Shown) -> str:
    told = f"Mean IoU {number(shown.score)}."
    if shown.missed:
        told += f" Sounds, and is not detected by the classifier: {', '.join(shown.missed)}."
    if shown.false_alarms:
        told += f" Detected, and does not sound: {', '.join(shown.false_alarms)}."
    return escape(told)


def _numbers(gathered: Gathered, shown: Shown) -> str:
    """The drawing in numbers, for those who cannot see it."""
    table = gathered.contenders[0].test.table
    edges = table.grid.edges
    rows = []
    for pair in shown.pairs:
        label = table.classes[table.label[pair]]
        truth = spoken(intervals(table.truths[gathered.truth][pair], edges))
        rows.append(_row(label, "truth", truth, ""))
        for name, decisions in zip(gathered.names, gathered.decisions, strict=True):
            overlap = float(decisions.overlap[pair])
            told = number(overlap) if np.isfinite(overlap) else "-"
            rows.append(_row(label, name, spoken(intervals(decisions.mask[pair], edges)), told))
    heads = [
        f'<th scope="col" class="{kind}">{head}</th>'
        for head, kind in (("class", "word"), ("by", "word"), ("active", "word"), ("IoU", ""))
    ]
    title = f"{shown.id} in numbers"
    return f"<details><summary>In numbers</summary>{scroll(title, heads, rows)}</details>"


def _row(label: str, name: str, active: str, overlap: str) -> str:
    return (
        f'<tr><td class="word">{escape(label)}</td><td class="word">{escape(name)}</td>'
        f'<td class="why">{escape(active)}</td><td>{overlap}</td></tr>'
    )
