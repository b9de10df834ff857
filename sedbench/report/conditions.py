"""The curve over a task's conditions: one column a condition, one row a method.

The pairs of a condition are those that the classifier detects under it, so their number falls
where sounds are hard to name; it stands in the column's head.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from sedbench.report.columns import label, record, with_interval
from sedbench.results import Result

_PREFIX = "condition:"


def conditions_of(rows: Sequence[Result]) -> dict[str, int]:
    """The conditions of results, in their order, with the pairs behind each."""
    found: dict[str, int] = {}
    for row in rows:
        for each in row.scores:
            if each["metric"] == "iou" and each["stratum"].startswith(_PREFIX):
                found.setdefault(each["stratum"].removeprefix(_PREFIX), each["n_pairs"])
    return found


def curve(rows: Sequence[Result]) -> Table | None:
    """IoU at the chosen thresholds under each condition; None where there are none.

    Parameters
    ----------
    rows : sequence of Result
        In the order they are shown in.
    """
    conditions = conditions_of(rows)
    if not conditions:
        return None
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0),
        title="IoU by condition, the same thresholds for all", title_justify="left",
        title_style="",
    )  # fmt: skip
    table.add_column("method", overflow="fold")
    for name, pairs in conditions.items():
        table.add_column(f"{name}\n{pairs} pairs", justify="right", no_wrap=True)
    for row in rows:
        cells = (
            with_interval(record(row, "iou", stratum=f"{_PREFIX}{name}")) for name in conditions
        )
        style = "dim" if row.origin == "shipped" else "bold"
        table.add_row(Text(label(row, rows)), *map(Text, cells), style=style)
    return table
