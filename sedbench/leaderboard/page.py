"""The board as one page: it works from disk, asks no network for anything, and needs no script.

The tables are written out whole, sorted by rank; the script that stands in the page sorts and
filters them. Every cell says what it is sorted by in ``data-value``, so that a figure is sorted
by its full precision and not by the two decimals that are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

from sedbench.leaderboard.markdown import WITHOUT, facts, label, leaders, passes, place
from sedbench.leaderboard.plots import cost, intervals
from sedbench.report.columns import megabytes, number, with_interval

Row = Mapping[str, Any]
_SUPERVISIONS = ("none", "weak", "strong", "oracle")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    head : str
    shown : callable
        What a cell shows, as HTML.
    value : callable
        What it is sorted by; None where unknown.
    first : {"ascending", "descending"}
        How it is sorted at first.
    kind : str
        Class of its cells.
    """

    head: str
    shown: Callable[[Row], str]
    value: Callable[[Row], Any]
    first: str = "descending"
    kind: str = ""


def _figure(head: str, name: str, *, interval: bool = False) -> Column:
    def shown(row: Row) -> str:
        figure = row["figures"].get(name)
        if not interval:
            return number(figure["value"] if figure else None)
        value, _, brackets = with_interval(figure).partition(" ")
        return f'{value} <span class="small">{brackets}</span>' if brackets else value

    def value(row: Row) -> float | None:
        figure = row["figures"].get(name)
        return figure["value"] if figure else None

    return Column(head, shown, value)


def _cost(head: str, name: str, shown: Callable[[float | None], str]) -> Column:
    return Column(head, lambda r: shown(r["cost"][name]), lambda r: r["cost"][name], "ascending")


def _word(head: str, name: str) -> Column:
    return Column(head, lambda r: escape(r[name]), lambda r: r[name], "ascending", "word")


_IOU = _figure("IoU [95 %]", "iou", interval=True)
_RANKED = (  # and the links to files
    Column("rank", lambda r: str(r["rank"]), lambda r: r["rank"], "ascending"),
    _IOU,
    _word("told about time", "supervision"),
    _word("threshold", "policy"),
    _figure("per&shy;centile", "iou_percentile"),
    _figure("smoothed", "iou_smoothed"),
    _figure("AUC [95 %]", "auc", interval=True),
    _figure("AP", "ap"),
    _figure("discr. AUC", "discrimination"),
    _figure("PG corr.", "pg_corrected"),
    _figure("end-to-end", "iou_end_to_end"),
    Column("passes", passes, lambda r: r["cost"]["passes_per_pair"], "ascending"),
    _cost("s a pair", "seconds_per_pair", lambda v: "-" if v is None else f"{v:.2f}"),
    _cost("CPU s a pair", "cpu_seconds_per_pair", lambda v: "-" if v is None else f"{v:.2f}"),
    _cost("peak MB", "peak_memory", megabytes),
)
_WHY = Column("why", lambda r: escape(r["reason"]), lambda r: r["reason"], "ascending", "why")


def page(held: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    held : mapping
        What ``leaderboard.json`` holds.
    """
    assets = files("sedbench") / "leaderboard" / "assets"
    text = (assets / "page.html").read_text(encoding="utf-8")
    parts = {
        "css": (assets / "board.css").read_text(encoding="utf-8"),
        "js": (assets / "board.js").read_text(encoding="utf-8"),
        "choices": _choices(held["boards"]),
        "contents": _contents(held["boards"]),
        "boards": "\n".join([*map(section, held["boards"]), *_absent(held.get("absent", ()))]),
        "published": _published(held["published"]),
    }
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part, 1)
    return text


def _choices(boards: Sequence[Row]) -> str:
    offered = {
        "task": sorted({board["task"] for board in boards}),
        "model": sorted({board["model"] for board in boards}),
        "supervision": [
            name
            for name in _SUPERVISIONS
            if any(r["supervision"] == name for b in boards for r in (*b["rows"], *b["unranked"]))
        ],
    }
    heads = {"task": "Task", "model": "Explained model", "supervision": "Told about time"}
    return "\n".join(
        f'<label>{heads[field]} <select data-field="{field}"><option value="">all</option>'
        + "".join(f"<option>{escape(name)}</option>" for name in names)
        + "</select></label>"
        for field, names in offered.items()
    )


def _contents(boards: Sequence[Row]) -> str:
    told = [
        f'<tr><td class="word"><a href="#{place(board)}">{escape(board["title"])}</a></td>'
        f'<td class="word"><code>{escape(board["task"])}</code></td>'
        f'<td class="word"><code>{escape(board["model"])}</code></td>'
        f"<td>{board['pairs'] or '-'}</td><td>{len(board['rows'])}</td>{_first(board)}</tr>"
        for board in boards
    ]
    heads = ("table", "task", "explained", "pairs", "rows", "first", "IoU [95 %]", "share its rank")
    words = ("table", "task", "explained", "first")
    top = "".join(
        f'<th scope="col"{" class=word" if head in words else ""}>{head}</th>' for head in heads
    )
    body = "\n".join(told)
    return f"<table><thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


def _first(board: Row) -> str:
    if not board["rows"]:
        return "<td>-</td>" * 3
    row, more = leaders(board)
    name = f'<td class="word"><code>{escape(label(row, board["rows"]))}</code></td>'
    return f"{name}<td>{with_interval(row['figures']['iou'])}</td><td>{more}</td>"


def section(board: Row) -> str:
    """One table of a board with its drawings.

    Parameters
    ----------
    board : mapping
        One of the ``boards`` that ``leaderboard.json`` holds. Rows without files have no column
        of links.
    """
    rows, rest = board["rows"], board["unranked"]
    name = f"{board['task']} {board['model']}"
    told = [
        f'<section class="board" data-task="{escape(board["task"])}" '
        f'data-model="{escape(board["model"])}" id="{place(board)}">',
        f"<h2>{escape(board['title'])} <code>{escape(board['task'])}</code>, "
        f"explained: <code>{escape(board['model'])}</code></h2>",
        f"<p>{escape(board['summary'])}</p>" if board["summary"] else "",
        f'<p class="dim">{escape(facts(board))}</p>',
    ]
    if rows:
        told += [
            '<div class="plots">',
            f"<figure>{intervals(rows, f'IoU of each method on {name}')}"
            "<figcaption>IoU of each row. The number is its rank: rows of the same rank cannot "
            "be told apart. Circle: told nothing about time; square: clip labels; diamond: frame "
            "labels.</figcaption></figure>",
            f"<figure>{cost(rows, f'IoU against passes a pair on {name}')}"
            "<figcaption>Quality against cost; letters are those behind the names of the other "
            "drawing. Points that would cover each other are moved a little.</figcaption></figure>",
            "</div>",
            f'<div class="ranked">{_table(f"Ranked rows, {name}", _RANKED, rows, 0)}</div>',
        ]
    for what in sorted({row["equals"] for row in rows} - {""}):
        names = ", ".join(f"<code>{escape(r['spec'])}</code>" for r in rows if r["equals"] == what)
        told.append(f'<p class="dim">= identical by construction ({escape(what)}): {names}</p>')
    if rest:
        table = _table(f"Rows that are not ranked, {name}", (_IOU, _WHY), rest, len(rows))
        told.append(f'<div class="rest"><h3>Not ranked</h3>{table}</div>')
    if board.get("without"):
        names = ", ".join(f"<code>{escape(name)}</code>" for name in board["without"])
        told.append(f'<p class="dim">{WITHOUT} {names}.</p>')
    return "\n".join([*filter(None, told), "</section>"])


def _table(title: str, columns: Sequence[Column], rows: Sequence[Row], first: int) -> str:
    method = Column(
        "method", lambda r: _method(r, rows), lambda r: label(r, rows), "ascending", "method"
    )
    linked = Column("files", _links, lambda r: r["measured"], kind="word")
    at = next(i for i, column in enumerate(columns) if column is _IOU)
    whole = [*columns[:at], method, *columns[at:], *([linked] if "result" in rows[0] else [])]
    heads = "".join(
        f'<th scope="col" aria-sort="{_sorted(column)}" data-first="{column.first}" '
        f'class="{column.kind}"><button type="button">{column.head}</button></th>'
        for column in whole
    )
    body = "\n".join(
        f'<tr data-row="{first + i}" data-at="{i}" data-supervision="{row["supervision"]}" '
        f'data-text="{escape(_searched(row))}">{"".join(_cell(c, row) for c in whole)}</tr>'
        for i, row in enumerate(rows)
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}">'
        f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _sorted(column: Column) -> str:
    return "ascending" if column.head == "rank" else "none"


def _cell(column: Column, row: Row) -> str:
    value = column.value(row)
    told = "" if value is None else escape(str(value))
    name = f' class="{column.kind}"' if column.kind else ""
    tag, scope = ("th", ' scope="row"') if column.kind == "method" else ("td", "")
    return f'<{tag}{scope}{name} data-value="{told}">{column.shown(row)}</{tag}>'


def _searched(row: Row) -> str:
    return f"{row['spec']} {row['kind']} {row['equals']}".lower()


def _method(row: Row, rows: Sequence[Row]) -> str:
    return f"<code>{escape(label(row, rows))}</code>" + (" =" if row["equals"] else "")


def _links(row: Row) -> str:
    told = f'<a href="{escape(row["result"])}">result</a>'
    return told + (f' <a href="{escape(row["items"])}">items</a>' if row["items"] else "")


def _absent(tasks: Sequence[Row]) -> list[str]:
    if not tasks:
        return []
    told = "\n".join(
        f"<li><code>{escape(each['task'])}</code>: {escape(each['why'])}</li>" for each in tasks
    )
    return [f"<section><h2>Tasks without a table</h2>\n<ul>\n{told}\n</ul></section>"]


def _published(tables: Sequence[Row]) -> str:
    if not tables:
        return ""
    told = [
        '<section class="board">',
        "<h2>Reported by others</h2>",
        "<p>On other sounds: never compare them row by row with the tables above.</p>",
    ]
    for table in tables:
        heads = "".join(f'<th scope="col">{head}</th>' for head in ("IoU", "F1", "PG %"))
        body = "\n".join(
            f'<tr><th scope="row" class="method">{escape(row["method"])}</th>'
            f"<td>{number(row['iou'])}</td><td>{number(row['f1'])}</td><td>{row['pg']:.1f}</td></tr>"
            for row in table["rows"]
        )
        told.append(
            f"<h3>Beside <code>{escape(table['task'])}</code>, {escape(table['note'])}</h3>"
            f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table["note"])}">'
            f'<table><thead><tr><th scope="col" class="method">method</th>{heads}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody></table></div>"
        )
    return "\n".join([*told, "</section>"])
