"""Faithfulness as tables, one a content, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sedbench.protocol.contrasts import Contrast
from sedbench.protocol.faithfulness import MEASURES, Chance, Figure, Reading
from sedbench.protocol.faithfulness_parts import Part
from sedbench.protocol.means import Means
from sedbench.report.columns import folded, number
from sedbench.report.comparison import difference_payload, in_words, signed
from sedbench.report.contrasts import contrast_table
from sedbench.report.faithfulness_parts import about_parts, parts_table

SCHEMA_VERSION = 1
"""Of the JSON document."""

_NAME = 24  # cells of the method column before a name folds
_NONE = "-"
_BETTER = {
    "insertion": "higher",
    "deletion": "lower",
    "comprehensiveness": "higher",
    "sufficiency": "lower",
}
_SHORT = {"comprehensiveness": "compr.", "sufficiency": "suff."}
_GAINS = ("insertion", "deletion")
_SAID = {
    "silence": "silence where masked",
    "mean": "the mean frame where masked",
    "noise": "noise where masked",
}


def tables(
    readings: Sequence[Reading],
    names: Sequence[str],
    head: Mapping[str, Any],
    *,
    by_share: bool = False,
    parts: Sequence[Part] = (),
    by: str = "",
) -> Group:
    """A table a content, and what stands beneath them.

    Parameters
    ----------
    readings : sequence of Reading
        Of one unit, one a content.
    names : sequence of str
        Methods.
    head : mapping
        What was measured, see :func:`payload`.
    by_share : bool
        Comprehensiveness and sufficiency at each share instead of the areas.
    parts : sequence of Part
        Some pairs apart, in the same unit.
    by : str
        What the parts are.
    """
    shown: list[RenderableType] = []
    compared = len(names) > 1 and not by_share
    for content, reading in enumerate(readings):
        title = (
            f"{_SAID[reading.content]}: mean {reading.unit} {_figure(reading.whole)} of the whole "
            f"clip, {_figure(reading.empty)} with all of it masked"
        )
        made = _shares(reading, names, head["shares"]) if by_share else _areas(reading, names)
        shown += [Text(title, style="bold"), made, ""]
        if compared:
            shown += [_differences(reading, names), ""]
        if parts:
            shown += [parts_table(parts, content, names, _order(reading), by), ""]
    lines = _what(readings[0], head)
    if by_share:
        lines.append(
            f"chance: the mean of {head['draws']} random orders a clip, on the same pairs."
        )
    else:
        lines.append(_about_chance(head))
    if compared:
        lines += _about_differences(readings, names)
    if parts:
        lines += about_parts(parts, by)
    lines += _exceptions(readings, names, head, gains=not by_share)
    return Group(*shown, *(Text(line, style="dim") for line in lines))


def _figure(value: float) -> str:
    return number(value) if math.isfinite(value) else _NONE


def _interval(form: Any, value: float, low: float, high: float) -> str:
    if not math.isfinite(low + high):
        return str(form(value))
    return f"{form(value)} [{form(low)} {form(high)}]"


def _new_table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method", overflow="fold")
    return table


def _areas(reading: Reading, names: Sequence[str]) -> Table:
    table = _new_table()
    for measure in MEASURES:
        table.add_column(f"{_SHORT.get(measure, measure)}\n{_BETTER[measure]}", justify="right")
        if measure in _GAINS:
            table.add_column("gain on chance\n[95 %]", justify="right", no_wrap=True)
    order = _order(reading)
    for m in order:
        cells = [folded(names[m], _NAME)]
        for measure in MEASURES:
            found = reading.methods[m][measure]
            cells.append(_figure(found.value))
            if measure in _GAINS:
                cells.append(_interval(signed, found.gain, found.gain_low, found.gain_high))
        table.add_row(*map(Text, cells), end_section=m == order[-1])
    cells = ["chance: a random order"]
    for measure in MEASURES:
        chance = reading.chance[measure]
        cells.append(_figure(chance.value))
        if measure in _GAINS:
            cells.append("" if math.isnan(chance.scatter) else f"± {chance.scatter:.3f}")
    table.add_row(*map(Text, cells), style="dim")
    return table


def _order(reading: Reading) -> list[int]:
    """Methods from the best to the worst."""
    total = [sum(figures[measure].gain for measure in _GAINS) for figures in reading.methods]
    return sorted(range(len(total)), key=lambda m: -total[m])


def _differences(reading: Reading, names: Sequence[str]) -> Table:
    rows = [(names[m], reading.against[m]) for m in _order(reading) if m]
    heads = {measure: _SHORT.get(measure, measure) for measure in MEASURES}
    return contrast_table(names[0], rows, heads)


def _about_differences(readings: Sequence[Reading], names: Sequence[str]) -> list[str]:
    lines = [
        f"difference to {names[0]}: on the same pairs, turned so that more is better; p: "
        "two-sided, adjusted for all comparisons of a table by Holm's method. found 4 times in 5: "
        "how large a true difference has to be for that, before p is adjusted; undecided is not "
        "alike."
    ]
    if any(
        contrasts and contrasts[measure].verdict == "identical"
        for contrasts in readings[0].against
        for measure in MEASURES
    ):
        lines.append("identical: by construction, or in every frame score; not tested.")
    return lines


def _shares(reading: Reading, names: Sequence[str], shares: Sequence[float]) -> Table:
    table = _new_table()
    table.add_column("")
    for share in shares:
        table.add_column(f"{share * 100:.3g} %", justify="right")
    table.add_column("mean", justify="right")
    rows = [*zip(names, reading.curves, strict=True), ("chance", reading.chance_curve)]
    for name, curve in rows:
        half = len(curve.value) // 2
        for measure, part in (("compr.", curve.value[:half]), ("suff.", curve.value[half:])):
            cells = [folded(name, _NAME) if measure == "compr." else "", measure]
            cells += [number(float(value)) for value in (*part, part.mean())]
            table.add_row(*map(Text, cells), end_section=measure == "suff.")
    return table


def _what(first: Reading, head: Mapping[str, Any]) -> list[str]:
    shares = ", ".join(f"{100 * share:.3g}" for share in head["shares"])
    return [
        f"{head['task']}@{head['task_version']}, model {head['model']}: {head['n_pairs']} pairs, "
        f"{head['n_clips']} clips, {head['n_groups']} source groups. In {_plural(first.unit)} of "
        f"the pair's class; masked in its {head['domain']}, {shares} % of the frames.",
        "insertion, deletion: areas under the answer as the top frames are shown, or masked. "
        "compr., suff.: what the answer loses without the top frames, or with them alone.",
    ]


def _about_chance(head: Mapping[str, Any]) -> str:
    return (
        f"chance: {head['draws']} random orders a clip, on the same pairs; ± is how much their "
        "mean over all pairs varies. gain: how much better, more is better; brackets: 95 % "
        "bootstrap over clips and source groups crossed."
    )


def _exceptions(
    readings: Sequence[Reading], names: Sequence[str], head: Mapping[str, Any], *, gains: bool
) -> list[str]:
    lines = []
    for reading in readings if gains else ():
        tied = [
            f"{name} ({', '.join(same)})"
            for name, figures in zip(names, reading.methods, strict=True)
            if (same := [m for m in _GAINS if _tied(figures[m])])
        ]
        if tied:
            where = f" ({reading.content})" if len(readings) > 1 else ""
            lines.append(f"Cannot be told from chance{where}: {', '.join(tied)}.")
    for content, reason in head["left_out"].items():
        lines.append(f"Left out, {content}: {reason}.")
    if head["limited"] is not None:
        lines.append(f"Limited to the first {head['limited']} test clips.")
    return lines


def _tied(figure: Figure) -> bool:
    return bool(figure.gain_low <= 0 <= figure.gain_high)


def _plural(unit: str) -> str:
    return "probabilities" if unit == "probability" else "logits"


def payload(
    readings: Sequence[Reading], names: Sequence[str], head: Mapping[str, Any]
) -> dict[str, Any]:
    """What ``--json`` prints: full precision, None where undefined.

    Parameters
    ----------
    readings : sequence of Reading
        Of all contents and units.
    names : sequence of str
        Methods.
    head : mapping
        ``task``, ``task_version``, ``model``, ``domain``, ``shares``, ``draws``, ``seed``,
        ``n_pairs``, ``n_clips``, ``n_groups``, ``limited``, ``left_out``, ``passes``,
        ``resamples``.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        **head,
        "readings": [_reading(r, names) for r in readings],
    }


def _reading(reading: Reading, names: Sequence[str]) -> dict[str, Any]:
    return {
        "content": reading.content,
        "unit": reading.unit,
        "whole": _plain(reading.whole),
        "empty": _plain(reading.empty),
        "chance": {
            **{measure: _chance(reading.chance[measure]) for measure in MEASURES},
            "by_share": _by_share(reading.chance_curve),
        },
        "methods": [
            {
                "name": name,
                **{m: _method(figures[m], against.get(m)) for m in MEASURES},
                "by_share": _by_share(curve),
            }
            for name, figures, against, curve in zip(
                names, reading.methods, reading.against, reading.curves, strict=True
            )
        ],
    }


def _method(figure: Figure, against: Contrast | None) -> dict[str, Any]:
    return {
        "value": _plain(figure.value),
        "ci_low": _plain(figure.low),
        "ci_high": _plain(figure.high),
        "gain": _plain(figure.gain),
        "gain_ci_low": _plain(figure.gain_low),
        "gain_ci_high": _plain(figure.gain_high),
        "difference": against and difference_payload(against.difference, against.adjusted_p),
        "verdict": against and against.verdict,
        "words": in_words(against.difference, against.verdict) if against else "the first",
    }


def _chance(chance: Chance) -> dict[str, Any]:
    return {
        "value": _plain(chance.value),
        "ci_low": _plain(chance.low),
        "ci_high": _plain(chance.high),
        "sd_of_mean": _plain(chance.scatter),
        "sd_of_pair": _plain(chance.scatter_pair),
    }


def _by_share(curve: Means) -> dict[str, Any]:
    half = len(curve.value) // 2
    return {
        name: {
            "value": [_plain(v) for v in curve.value[part]],
            "ci_low": [_plain(v) for v in curve.low[part]],
            "ci_high": [_plain(v) for v in curve.high[part]],
        }
        for name, part in (("comprehensiveness", slice(half)), ("sufficiency", slice(half, None)))
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
