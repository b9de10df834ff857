"""Faithfulness of some pairs apart, as a table a content and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from sedbench.protocol.faithfulness import Reading
from sedbench.protocol.faithfulness_parts import Part
from sedbench.report.columns import folded, number
from sedbench.report.comparison import signed, support

_MEASURES = ("insertion", "deletion")
_BETTER = {"insertion": "higher", "deletion": "lower"}
_NAME = 24  # cells of the method column before a name folds
_HEADS = {"snr": "SNR"}


def parts_table(
    parts: Sequence[Part], content: int, names: Sequence[str], order: Sequence[int], by: str
) -> Table:
    """All parts under one content.

    Parameters
    ----------
    parts : sequence of Part
    content : int
        Its number among the readings of a part.
    names : sequence of str
        Methods.
    order : sequence of int
        Of the methods, as over all pairs.
    by : str
        What the parts are.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(_HEADS.get(by, by), overflow="fold")
    table.add_column("method", overflow="fold")
    for measure in _MEASURES:
        table.add_column(f"{measure}\n{_BETTER[measure]}", justify="right")
        table.add_column("gain on chance\n[95 %]", justify="right", no_wrap=True)
    for part in parts:
        reading = part.readings[content]
        for m in order:
            cells = [support(part.name, part.n_pairs, part.n_groups) if m == order[0] else ""]
            cells.append(folded(names[m], _NAME))
            for measure in _MEASURES:
                found = reading.methods[m][measure]
                gain = signed(found.gain)
                if part.bounded:
                    gain += f" [{signed(found.gain_low)} {signed(found.gain_high)}]"
                cells += [number(found.value), gain]
            table.add_row(*map(Text, cells))
        chance = [number(reading.chance[measure].value) for measure in _MEASURES]
        table.add_row("", "chance", chance[0], "", chance[1], "", style="dim", end_section=True)
    return table


def about_parts(parts: Sequence[Part], by: str) -> list[str]:
    """What stands beneath the tables."""
    said = (
        f"By {_HEADS.get(by, by)}: values, and chance, of the part's own pairs; methods are "
        "compared over all pairs alone."
    )
    if not all(part.bounded for part in parts):
        said += " Without brackets: too few clips or source groups."
    return [said]


def parts_payload(parts: Sequence[Part], names: Sequence[str]) -> list[dict[str, Any]]:
    """The parts for ``--json``, in one unit: full precision, no ends where there are none."""
    return [
        {
            "name": part.name,
            "n_pairs": part.n_pairs,
            "n_clips": part.n_clips,
            "n_groups": part.n_groups,
            "readings": [_reading(reading, names, part.bounded) for reading in part.readings],
        }
        for part in parts
    ]


def _reading(reading: Reading, names: Sequence[str], bounded: bool) -> dict[str, Any]:
    methods = [
        {
            "name": name,
            **{
                measure: {
                    "value": figure.value,
                    "ci_low": figure.low if bounded else None,
                    "ci_high": figure.high if bounded else None,
                    "gain": figure.gain,
                    "gain_ci_low": figure.gain_low if bounded else None,
                    "gain_ci_high": figure.gain_high if bounded else None,
                }
                for measure, figure in figures.items()
            },
        }
        for name, figures in zip(names, reading.methods, strict=True)
    ]
    return {
        "content": reading.content,
        "unit": reading.unit,
        "whole": reading.whole,
        "empty": reading.empty,
        "chance": {measure: chance.value for measure, chance in reading.chance.items()},
        "methods": methods,
    }
