"""A comparison as a table in words, and as JSON.

The verdict says what the adjusted p says, and where nothing is certain, how large a difference
would have had to be: "cannot be told apart" is not "alike".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sedbench.comparison import Difference, Spread
from sedbench.protocol.evaluate import MIN_GROUPS
from sedbench.report.columns import EQUAL, folded, number
from sedbench.versus import Comparison, Group, Standing

SCHEMA_VERSION = 1
"""Of the JSON document."""

METRIC_HEADS = {
    "iou": "IoU",
    "f1": "F1",
    "f1_pooled": "F1 pooled",
    "pg": "PG",
    "pg_corrected": "PG corr.",
    "auc": "AUC",
    "ap": "AP",
    "discrimination": "discr. AUC",
    "rma": "RMA",
    "rra": "RRA",
}
"""Metrics as a table's head has them."""

_WORDS = {
    "better": "better",
    "worse": "worse",
    "identical": "identical by construction",
    "undefined": "undefined",
}
_HEADS = {"snr": "SNR"}
_NONE = "-"
_NAME = 30  # cells of the method column before a name folds


def signed(value: float) -> str:
    """A difference with its sign: ``+.03``, ``-.12``, ``.00``."""
    if not math.isfinite(value):
        return _NONE
    text = number(value)
    return f"+{text}" if float(text) > 0 else text


def probability(p: float) -> str:
    """A p value with three decimals: ``.012``, ``<.001``, ``1``."""
    if not math.isfinite(p):
        return _NONE
    if p < 0.001:
        return "<.001"
    return "1" if p > 0.9995 else f"{p:.3f}"[1:]


def needed(detectable: float) -> str:
    """A detectable difference, rounded up: what is shown would be enough."""
    return number(math.ceil(detectable * 100 - 1e-9) / 100)


def words(standing: Standing, ranked: bool = True) -> str:
    """The verdict on a method in words.

    Parameters
    ----------
    standing : Standing
    ranked : bool
        Whether there were source groups enough.
    """
    if standing.difference is None:
        return "the first"
    if not ranked:
        return f"shown, not ranked: fewer than {MIN_GROUPS} source groups"
    return in_words(standing.difference, standing.verdict)


def in_words(difference: Difference, verdict: str | None) -> str:
    """The verdict on a difference in words."""
    if verdict == "undecided":
        far = needed(difference.detectable)
        return f"cannot be told apart (would need a difference of {far})"
    return _WORDS[str(verdict)]


def tables(found: Comparison, by: str = "") -> Lines:
    """The table, one for the strata, and what stands beneath them, ready to be printed.

    Parameters
    ----------
    found : Comparison
    by : str
        What the strata are.
    """
    parts: list[RenderableType] = [_table(found, [found.overall]), ""]
    if found.strata:
        parts += [_table(found, found.strata, by), ""]
    parts += [Text(line, style="dim") for line in _caption(found, by)]
    return Lines(*parts)


def _table(found: Comparison, groups: Sequence[Group], by: str = "") -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    if by:
        table.add_column(_HEADS.get(by, by), overflow="fold")
    table.add_column("method", overflow="fold")
    head = METRIC_HEADS.get(found.row.metric, found.row.metric)
    told = len({result.supervision for result in found.results}) > 1
    several = len(found.models) > 1
    if told:
        table.add_column("super-\nvision")
    for name in (f"{head}\n[95 %]", "difference\n[95 %]", "p\nHolm"):
        table.add_column(name, justify="right", no_wrap=True)
    if several:
        for name in (head, "difference"):
            title = f"{name} over\n{len(found.models)} models"
            table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    # The first row first, the others from the best to the worst of all pairs.
    others = sorted(range(1, len(found.names)), key=lambda m: -found.overall.standings[m].value)
    order = [0, *others]
    for group in groups:
        for m in order:
            standing = group.standings[m]
            cells = [
                folded(_name(found, m), _NAME),
                *([found.results[m].supervision] if told else []),
                _interval(number, standing.value, standing.low, standing.high),
                _difference(standing.difference),
                probability(standing.adjusted_p),
            ]
            if several:
                cells += [
                    _range(number, standing.over_models),
                    _range(signed, standing.difference_over_models),
                ]
            cells.append(words(standing, group.ranked))
            lead = [support(group.name, group.n_pairs, group.n_groups) if m == 0 else ""]
            last = group is not groups[-1] and m == order[-1]
            style = "bold" if standing.verdict in ("better", "worse") else ""
            table.add_row(
                *map(Text, [*(lead if by else []), *cells]), style=style, end_section=last
            )
    return table


def _name(found: Comparison, method: int) -> str:
    """The name of a method, marked where it is identical to another one."""
    alike = found.identical_to.count(found.identical_to[method]) > 1
    return f"{found.names[method]} {EQUAL}" if alike else found.names[method]


def support(name: str, n_pairs: int, n_groups: int) -> str:
    """What a stratum is called, and how much of it there is."""
    return f"{name}\n{_count(n_pairs, 'pair')}, {_count(n_groups, 'group')}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _interval(form: Any, value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return _NONE
    if not (math.isfinite(low) and math.isfinite(high)):
        return str(form(value))
    return f"{form(value)} [{form(low)} {form(high)}]"


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return ""
    return _interval(signed, difference.value, difference.low, difference.high)


def _range(form: Any, over: Spread | None) -> str:
    if over is None or not math.isfinite(over.mean):
        return "" if over is None else _NONE
    return f"{form(over.low)} to {form(over.high)}"


def _caption(found: Comparison, by: str) -> list[str]:
    first, row = found.results[0], found.row
    size = found.overall
    pairs = " and ".join(dict.fromkeys(map(str, found.pairs)))
    lines = [
        f"{first.task}@{first.task_version}, model {', '.join(found.models)}: {pairs} pairs, "
        f"{size.n_clips} clips, {size.n_groups} source groups.",
        f"{METRIC_HEADS.get(row.metric, row.metric)}, "
        + (f"policy {row.policy}, " if row.policy else "")
        + f"{row.view}, mean over {row.average}, truth: {row.truth}, "
        + ("no smoothing." if row.smoothing == "none" else "smoothing chosen on validation."),
        f"Brackets: 95 % bootstrap over clips and source groups crossed, {found.resamples:,} "
        "resamples, the same for every row. The difference is to the first row, on the same "
        "pairs. p: two-sided, adjusted for all comparisons of the table.",
    ]
    if any(s.verdict == "undecided" for g in (size, *found.strata) for s in g.standings):
        lines.append(
            "Cannot be told apart is not alike: a difference as large as the one named would be "
            "found four times in five."
        )
    alike = [m for m in range(len(found.names)) if _name(found, m) != found.names[m]]
    if alike:
        lines.append(
            f"{EQUAL} identical by construction, or in every frame score; counted once: "
            f"{', '.join(found.names[m] for m in alike)}."
        )
    if len(found.models) > 1:
        lines.append(
            "Figures are means over the models, intervals and p are about clips; how the models "
            "differ stands apart, from the smallest value to the largest."
        )
    if by:
        lines.append(
            f"By {_HEADS.get(by, by)}: thresholds are chosen for all pairs, p is adjusted over all "
            "strata."
        )
    if first.limited is not None:
        lines.append(f"Limited to the first {first.limited} test clips: shown, never ranked.")
    return lines


def payload(found: Comparison, by: str = "") -> dict[str, Any]:
    """What ``--json`` prints: full precision, None where undefined."""
    first, row = found.results[0], found.row
    return {
        "schema_version": SCHEMA_VERSION,
        "task": first.task,
        "task_version": first.task_version,
        "task_fingerprint": first.task_fingerprint,
        "models": list(found.models),
        "metric": row.metric,
        "policy": row.policy,
        "view": row.view,
        "average": row.average,
        "truth": row.truth,
        "smoothing": row.smoothing,
        "limited": first.limited,
        "resamples": found.resamples,
        "pairs": list(found.pairs),
        "overall": _group(found, found.overall),
        "by": by or None,
        "strata": [_group(found, group) for group in found.strata],
    }


def _group(found: Comparison, group: Group) -> dict[str, Any]:
    rows = zip(found.results, found.names, found.identical_to, group.standings, strict=True)
    return {
        "stratum": group.name,
        "n_pairs": group.n_pairs,
        "n_clips": group.n_clips,
        "n_groups": group.n_groups,
        "ranked": group.ranked,
        "rows": [
            {
                "name": name,
                "method": result.spec,
                "seed": result.seed,
                "kind": result.kind,
                "supervision": result.supervision,
                "origin": result.origin,
                "identical_to": found.names[same],
                **_standing(standing, group.ranked),
            }
            for result, name, same, standing in rows
        ],
    }


def _standing(standing: Standing, ranked: bool) -> dict[str, Any]:
    difference = standing.difference
    return {
        "value": _plain(standing.value),
        "ci_low": _plain(standing.low),
        "ci_high": _plain(standing.high),
        "difference": None
        if difference is None
        else difference_payload(difference, standing.adjusted_p),
        "verdict": standing.verdict,
        "words": words(standing, ranked),
        "of_models": [_plain(value) for value in standing.of_models],
        "over_models": _spread(standing.over_models),
        "difference_over_models": _spread(standing.difference_over_models),
    }


def difference_payload(difference: Difference, adjusted_p: float) -> dict[str, float | None]:
    """A difference as ``--json`` has it: full precision, None where undefined."""
    return {
        "value": _plain(difference.value),
        "ci_low": _plain(difference.low),
        "ci_high": _plain(difference.high),
        "p": _plain(difference.p),
        "p_adjusted": _plain(adjusted_p),
        "sd": _plain(difference.sd),
        "detectable": _plain(difference.detectable),
    }


def _spread(over: Spread | None) -> dict[str, Any] | None:
    if over is None:
        return None
    return {
        "mean": _plain(over.mean),
        "min": _plain(over.low),
        "max": _plain(over.high),
        "sd": _plain(over.sd),
        "models": over.seeds,
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
