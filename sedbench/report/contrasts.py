"""Methods against the first of them in several measures, as a table of two lines a method.

The first line has the difference and its interval, the second its adjusted p and the verdict. The
last row says how large a difference would have been found: "undecided" is not "alike".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from sedbench.protocol.contrasts import Contrast
from sedbench.report.columns import folded
from sedbench.report.comparison import needed, probability, signed

_WIDEST = 24  # cells of the method column before a name folds


def contrast_table(
    first: str,
    rows: Sequence[tuple[str, Mapping[str, Contrast]]],
    heads: Mapping[str, str],
    level: str = "[95 %]",
) -> Table:
    """Differences to the first method.

    Parameters
    ----------
    first : str
        Its name.
    rows : sequence of (str, mapping of str to Contrast)
        The others, each with its contrasts by measure.
    heads : mapping of str to str
        What to call each measure, in the order of the columns.
    level : str
        What the brackets are.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(f"difference to\n{folded(first, _WIDEST)}", overflow="fold")
    for head in heads.values():
        table.add_column(f"{head}\n{level}", justify="right", no_wrap=True)
    for number, (name, contrasts) in enumerate(rows, 1):
        cells = [Text(folded(name, _WIDEST)), *(_cell(contrasts[measure]) for measure in heads)]
        table.add_row(*cells, end_section=number == len(rows))
    found = [_found([contrasts[measure] for _, contrasts in rows]) for measure in heads]
    table.add_row("found 4 times in 5", *found, style="dim")
    return table


def _cell(contrast: Contrast) -> Text:
    difference = contrast.difference
    value = signed(difference.value)
    if math.isfinite(difference.low + difference.high):
        value += f" [{signed(difference.low)} {signed(difference.high)}]"
    told = contrast.verdict in ("better", "worse")
    p = contrast.adjusted_p
    said = f"p {probability(p)} {contrast.verdict}" if math.isfinite(p) else contrast.verdict
    return Text(f"{value}\n{said}", style="bold" if told else "")


def _found(contrasts: Sequence[Contrast]) -> str:
    """The differences that would be found, from the smallest to the largest."""
    tested = [each.difference.detectable for each in contrasts if each.verdict != "identical"]
    known = [value for value in tested if math.isfinite(value)]
    ends = [needed(value) for value in (min(known), max(known))] if known else []
    return " to ".join(dict.fromkeys(ends)) or "-"
