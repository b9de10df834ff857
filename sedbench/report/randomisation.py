"""What is left of methods' answers as a classifier becomes random: a table, and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from sedbench.protocol.means import Means
from sedbench.randomisation import FAR, NEAR, Randomised, Row
from sedbench.report.columns import folded, number

SCHEMA_VERSION = 1
"""Of the JSON document."""

_NAME = 18  # cells of the method column before a name folds
_NONE = "-"
_WORDS = {
    "blind": "does not look at the model",
    "partly": "looks at the model in part",
    "follows": "follows the model",
    "undefined": "cannot be said: mostly constant",
}


def words(row: Row) -> str:
    """The verdict on a method in plain words."""
    if row.reason:
        return f"does not apply: {row.reason}"
    return _WORDS[row.verdict]


def tables(found: Randomised, head: Mapping[str, Any]) -> Group:
    """The table, the verdicts, and what stands beneath them.

    Parameters
    ----------
    found : Randomised
    head : mapping
        What was measured, see :func:`payload`.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method", no_wrap=True)
    drawn = any(row.again is not None for row in found.rows)
    if drawn:
        table.add_column("asked\nagain", justify="right")
    for stage in found.stages:
        table.add_column(stage.name.replace(".", ".\n"), justify="right")
    for row in found.rows:
        cells = [folded(row.spec, _NAME)]
        if drawn:
            cells.append("" if row.again is None else _cell(row.again, 0, row.n_pairs))
        for column in range(len(found.stages)):
            cells.append(_NONE if row.stages is None else _cell(row.stages, column, row.n_pairs))
        table.add_row(*map(Text, cells))
    return Group(
        table,
        "",
        *_verdicts(found),
        "",
        *(Text(line, style="dim") for line in _caption(found, head, drawn)),
    )


def _verdicts(found: Randomised) -> list[Text]:
    """A line a verdict, with the methods that it is about."""
    said: dict[str, list[str]] = {}
    for row in found.rows:
        said.setdefault(words(row), []).append(row.spec)
    lines = []
    for verdict, names in said.items():
        line = Text(f"{verdict[0].upper()}{verdict[1:]}: ", style="bold")
        lines.append(line.append(", ".join(names), style="not bold"))
    return lines


def _cell(found: Means, column: int, pairs: int) -> str:
    """Mean, interval, and how many pairs have none, each on a line of its own."""
    value = float(found.value[column])
    if not math.isfinite(value):
        return f"{_NONE}\n\n{pairs} const."
    ends = f"[{number(float(found.low[column]))} {number(float(found.high[column]))}]"
    lines = [number(value), ends if math.isfinite(float(found.low[column])) else ""]
    if missing := pairs - int(found.defined[column]):
        lines.append(f"{missing} const.")
    return "\n".join(lines)


def _caption(found: Randomised, head: Mapping[str, Any], drawn: bool) -> list[str]:
    how = "one of them at a time" if found.independent else "down to the one named, output first"
    lines = [
        f"{head['task']}@{head['task_version']}, model {head['model']}: {found.n_pairs} pairs, "
        f"{found.n_clips} clips, {found.n_groups} source groups. Weights drawn with seed "
        f"{head['seed']}.",
        "Rank correlation of frame scores with those of the trained classifier, mean over pairs, "
        f"where layers are random, {how}. Brackets: 95 % bootstrap over clips and source groups "
        "crossed.",
        f"Does not look at the model: at least {number(NEAR)} everywhere, by the whole interval. "
        f"Follows it: somewhere at most {number(FAR)} from zero, and the interval holds zero or "
        "is no further from it.",
    ]
    several = [stage for stage in found.stages if len(stage.layers) > 1]
    if several:
        named = "; ".join(f"{stage.name}: {', '.join(stage.layers)}" for stage in several)
        lines.append(f"Put together: {named}.")
    if drawn:
        lines.append("asked again: of the trained classifier, with other random draws.")
    missing = any(
        part is not None and (part.defined < row.n_pairs).any()
        for row in found.rows
        for part in (row.stages, row.again)
    )
    if missing:
        lines.append(
            "const.: pairs whose scores are constant there, which have no order; left out."
        )
    if head["limited"] is not None:
        lines.append(f"Limited to the first {head['limited']} test clips.")
    return lines


def payload(found: Randomised, head: Mapping[str, Any]) -> dict[str, Any]:
    """What ``--json`` prints: full precision, None where undefined.

    Parameters
    ----------
    found : Randomised
    head : mapping
        ``task``, ``task_version``, ``model``, ``seed``, ``limited``.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        **head,
        "independent": found.independent,
        "n_pairs": found.n_pairs,
        "n_clips": found.n_clips,
        "n_groups": found.n_groups,
        "stages": [
            {"name": stage.name, "layers": list(stage.layers), "modules": list(stage.modules)}
            for stage in found.stages
        ],
        "methods": [
            {
                "name": row.spec,
                "verdict": row.verdict,
                "words": words(row),
                "reason": row.reason or None,
                "again": None if row.again is None else _column(row.again, 0, row.n_pairs),
                "stages": []
                if row.stages is None
                else [_column(row.stages, i, row.n_pairs) for i in range(len(found.stages))],
            }
            for row in found.rows
        ],
    }


def _column(found: Means, column: int, pairs: int) -> dict[str, Any]:
    return {
        "value": _plain(found.value[column]),
        "ci_low": _plain(found.low[column]),
        "ci_high": _plain(found.high[column]),
        "undefined": pairs - int(found.defined[column]),
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
