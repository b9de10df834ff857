"""Sections of a report's page: who can be told apart, tables by kind of pair, the threshold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from sedbench.protocol.evaluate import MIN_GROUPS
from sedbench.report.breakdowns import Breakdown
from sedbench.report.columns import number
from sedbench.report.drawings import BANDS, CURVES, Drawing, told
from sedbench.report.gathered import Gathered
from sedbench.report.inline import inline
from sedbench.report.sensitivity import HEADS, cells

Drawings = Mapping[str, Drawing]
Palette = Mapping[str, str]

_FEW = "†"
_HEADS = {
    "polyphony": ("By polyphony", "the most classes at once in a frame of the pair"),
    "duration": ("By duration", "how long the class sounds in the clip"),
    "snr": ("By SNR", "of the loudest event of the class, above the background"),
    "condition": ("By condition", "what the clip was rendered under, the same thresholds for all"),
}


def notes(gathered: Gathered) -> list[str]:
    """What a reader has to know before anything else."""
    results = [contender.result for contender in gathered.contenders]
    found = []
    if gathered.stale:
        found.append(
            "Doubt: some of these results were measured before the task changed. Run the methods "
            "again to compare."
        )
    limited = results[0].limited
    if limited is not None:
        found.append(f"Limited: the first {limited} test clips only. Shown, and not ranked.")
    return found


def figure(drawing: Drawing, palette: Palette, caption: str) -> str:
    """A figure with its caption; ``caption`` is HTML."""
    return f"<figure>{inline(drawing, palette)}<figcaption>{caption}</figcaption></figure>"


def placings(gathered: Gathered, drawings: Drawings, palette: Palette) -> str:
    """The critical-difference diagram, and its bars in words."""
    if gathered.placings is None:
        return ""
    caption = (
        f"Dots: mean rank of each method over {gathered.resamples:,} bootstrap replicates of "
        "clips and source groups (1 is the best); grey lines: where 95 % of its ranks lie. "
        "Blue bars join methods of which no two can be told apart: a paired, two-sided bootstrap "
        "test of the difference in mean IoU, at 5 %, adjusted for all pairs of methods (step-down, "
        "the largest studentised difference). Of two without a common bar, the two or a pair "
        "between them were told apart. "
        "The number before a name is its rank on the board."
    )
    said = "".join(f"<li>{escape(line)}</li>" for line in told(gathered, gathered.placings))
    return (
        f'<div class="beside">{figure(drawings["ranks"], palette, caption)}'
        f"<div><h3>In words</h3><ul>{said}</ul>"
        '<p class="dim">Not told apart is not alike: more clips might tell them apart. '
        "<code>sedbench compare</code> says how large a difference would have been found.</p>"
        "</div></div>"
    )


def classes(gathered: Gathered) -> str:
    """The heat map of methods and classes."""
    found = next((each for each in gathered.breakdowns if each.by == "class"), None)
    if found is None or not found.names:
        return ""
    return (
        "<p>Mean IoU of each method on each class, with its 95 % interval beneath; the stronger "
        "the blue, the higher. Thresholds are those that were chosen for all pairs.</p>"
        + heat(gathered, found, "Mean IoU by class")
    )


def breakdowns(gathered: Gathered) -> str:
    """The same for pairs of other kinds."""
    parts = []
    for found in gathered.breakdowns:
        if found.by != "class" and found.names:
            head, about = _HEADS[found.by]
            parts.append(f"<h3>{head}</h3><p>Mean IoU; {about}.</p>")
            parts.append(heat(gathered, found, f"Mean IoU {head[0].lower()}{head[1:]}"))
    return "\n".join(parts)


def heat(gathered: Gathered, found: Breakdown, title: str) -> str:
    """A table whose cells are the bluer, the higher their figure."""
    heads = [_head("method", kind="method", first="ascending")]
    for k, name in enumerate(found.names):
        mark = "" if found.ranked(k) else f" {_FEW}"
        size = f"{_count(found.pairs[k], 'pair')}<br>{_count(found.groups[k], 'group')}"
        said = f'{escape(name.replace("_", " "))}{mark}<br><span class="small">{size}</span>'
        heads.append(_head(said, kind="" if found.ranked(k) else "few"))
    rows = [
        f'<tr data-at="{m}">{_name(name)}'
        + "".join(_heat_cell(found, m, k) for k in range(len(found.names)))
        + "</tr>"
        for m, name in enumerate(gathered.names)
    ]
    table = scroll(title, heads, rows, kind="heat")
    if all(found.ranked(k) for k in range(len(found.names))):
        return table
    few = f"fewer than {MIN_GROUPS} source groups: shown, and nobody is ranked by it"
    return f'{table}<p class="dim">{_FEW} {few}.</p>'


def _heat_cell(found: Breakdown, m: int, k: int) -> str:
    value, low, high = (float(part[m, k]) for part in (found.value, found.low, found.high))
    if not math.isfinite(value):
        return '<td data-value="">-</td>'
    kind = "" if found.ranked(k) else " few"
    ends = f"[{number(low)} {number(high)}]" if math.isfinite(low) and math.isfinite(high) else ""
    shade = round(100 * min(max(value, 0.0), 1.0))
    return (
        f'<td class="shade{kind}" style="--v:{shade}%" data-value="{value!r}">{number(value)}'
        f'<br><span class="small">{ends}</span></td>'
    )


def threshold(gathered: Gathered, drawings: Drawings, palette: Palette) -> str:
    """The curves of sensitivity, and their table."""
    count = len(gathered.curves)
    bands = " Shaded: 95 % intervals." if count <= BANDS else ""
    if count > CURVES:
        bands = f" The first {CURVES} of {count} methods; the table has all."
    caption = (
        "IoU (solid) and F1 (dashed) where the threshold is a percentile of the clip’s frame "
        f"scores, as in the study.{bands} Dots: what validation chose."
    )
    heads = [_head("method", kind="method", first="ascending")]
    heads += [_head(escape(head).replace("\n", "<br>")) for head in HEADS]
    rows = [
        f'<tr data-at="{m}">{_name(name)}'
        + "".join(f'<td data-value="{_sorted(text)}">{escape(text)}</td>' for text in cells(curve))
        + "</tr>"
        for m, (name, curve) in enumerate(gathered.curves.items())
    ]
    table = scroll("What the threshold decides", heads, rows)
    note = (
        '<p class="dim">The best threshold was found on the test pairs themselves, so nobody could '
        "have chosen it. Other policies: <code>sedbench sensitivity --policy relative</code>.</p>"
    )
    drawn = figure(drawings["sensitivity"], palette, caption)
    return f'<div class="beside">{drawn}<div>{table}{note}</div></div>'


def _sorted(text: str) -> str:
    """What a cell is sorted by: its number, or the first of two."""
    first = text.partition(" ")[0]
    return first if first.lstrip("-").replace(".", "", 1).isdigit() else ""


def _head(said: str, kind: str = "", first: str = "descending") -> str:
    name = f' class="{kind}"' if kind else ""
    return (
        f'<th scope="col"{name} aria-sort="none" data-first="{first}">'
        f'<button type="button">{said}</button></th>'
    )


def _name(name: str) -> str:
    told = escape(name)
    return f'<th scope="row" class="method" data-value="{told}"><code>{told}</code></th>'


def scroll(title: str, heads: Sequence[str], rows: Iterable[str], kind: str = "") -> str:
    """A table that scrolls by itself where the screen is narrow."""
    name = f' class="{kind}"' if kind else ""
    body = "\n".join(rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}">'
        f"<table{name}><thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        "</div>"
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
