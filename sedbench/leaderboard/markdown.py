"""The board as Markdown: a table a task and model, readable where the repository is browsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from sedbench.report.columns import number, with_interval

_HEADS = (
    *("rank", "method", "told about time", "threshold", "IoU [95 %]", "percentile", "smoothed"),
    *("AUC [95 %]", "discr. AUC", "PG corr.", "end-to-end", "passes a pair", "files"),
)


WITHOUT = "No row here, since they were not measured or do not apply:"


def readme(held: Mapping[str, Any]) -> str:
    """Write the board's README.

    Parameters
    ----------
    held : mapping
        What ``leaderboard.json`` holds.
    """
    assets = files("sedbench") / "leaderboard" / "assets"
    parts = [(assets / "readme.md").read_text(encoding="utf-8")]
    parts += [_contents(held["boards"])]
    parts += [_board(board) for board in held["boards"]]
    if held.get("absent"):
        parts.append("## Tasks without a table\n")
        parts += [f"- `{each['task']}`: {each['why']}" for each in held["absent"]]
        parts.append("")
    if held["published"]:
        parts.append("## Reported by others\n\nOn other sounds: never compare them row by row.\n")
    parts += [_published(table) for table in held["published"]]
    return "\n".join(parts)


def facts(board: Mapping[str, Any]) -> str:
    """One line on what a table's figures are means over."""
    if board["pairs"] is None:
        return "Nothing is ranked yet."
    told = [
        f"task version {board['task_version']}",
        f"{board['pairs']} pairs, {board['clips']} clips, {board['groups']} source groups",
        f"truth: {board['truth']}",
    ]
    if "micro_f1" in board["classifier"]:
        told.append(f"the classifier's clip micro F1 {number(board['classifier']['micro_f1'])}")
    if board["detectors"]:
        told.append(f"detectors: {board['detectors']}")
    if board["unranked_classes"]:
        told.append(f"too few source groups to rank: {', '.join(board['unranked_classes'])}")
    return "; ".join(told) + "."


def place(board: Mapping[str, Any]) -> str:
    """What a table is called in a link: letters, digits and hyphens, no two alike."""
    told = f"{board['task']} {board['model']}"
    return "".join(c if c.isalnum() else "-" for c in told.lower()).strip("-")


def leaders(board: Mapping[str, Any]) -> tuple[Mapping[str, Any], int]:
    """Return the first row of a table that has ranked ones, and how many more share its rank."""
    rows = board["rows"]
    return rows[0], sum(row["rank"] == rows[0]["rank"] for row in rows) - 1


def label(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """A row's name: its spec, with the seed where rows differ in nothing else."""
    seeds = {each["seed"] for each in rows if each["spec"] == row["spec"]}
    return f"{row['spec']} (seed {row['seed']})" if len(seeds) > 1 else str(row["spec"])


def passes(row: Mapping[str, Any]) -> str:
    """Forward and backward passes a pair, as many digits as mean something."""
    value = row["cost"]["passes_per_pair"]
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _contents(boards: Sequence[Mapping[str, Any]]) -> str:
    heads = ("task", "explained", "pairs", "rows", "first", "IoU [95 %]", "share its rank")
    cells = []
    for board in boards:
        link = f"[`{board['task']}`](#{place(board)})"
        counted = [link, f"`{board['model']}`", str(board["pairs"] or "-"), str(len(board["rows"]))]
        if board["rows"]:
            row, more = leaders(board)
            cells.append([*counted, _name(row, board["rows"]), _iou(row), str(more)])
        else:
            cells.append([*counted, "-", "-", "-"])
    return "\n".join([*_table(heads, cells), ""])


def _board(board: Mapping[str, Any]) -> str:
    title = f"{board['title']}: `{board['task']}`, `{board['model']}`"
    lines = [f'<a id="{place(board)}"></a>', "", f"## {title}", "", facts(board), ""]
    if board["rows"]:
        lines += _table(_HEADS, [_cells(row, board["rows"]) for row in board["rows"]])
    for what in sorted({row["equals"] for row in board["rows"]} - {""}):
        names = [f"`{row['spec']}`" for row in board["rows"] if row["equals"] == what]
        lines += ["", f"`=` identical by construction ({what}): {', '.join(names)}."]
    if board["unranked"]:
        lines += ["", "Not ranked:", ""]
        heads = ("method", "IoU [95 %]", "why", "files")
        rest = board["unranked"]
        rows = [[_name(r, rest), _iou(r), _escaped(r["reason"]), _files(r)] for r in rest]
        lines += _table(heads, rows)
    if board.get("without"):
        lines += ["", f"{WITHOUT} {', '.join(f'`{name}`' for name in board['without'])}."]
    return "\n".join([*lines, ""])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def _name(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    return f"`{label(row, rows)}`" + (" =" if row["equals"] else "")


def _iou(row: Mapping[str, Any]) -> str:
    return with_interval(row["figures"]["iou"])


def _plain(row: Mapping[str, Any], name: str) -> str:
    figure = row["figures"][name]
    return number(figure["value"] if figure else None)


def _cells(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        str(row["rank"]),
        _name(row, rows),
        row["supervision"],
        row["policy"],
        _iou(row),
        _plain(row, "iou_percentile"),
        _plain(row, "iou_smoothed"),
        with_interval(row["figures"]["auc"]),
        _plain(row, "discrimination"),
        _plain(row, "pg_corrected"),
        _plain(row, "iou_end_to_end"),
        passes(row),
        _files(row),
    ]


def _files(row: Mapping[str, Any]) -> str:
    links = [f"[result]({row['result']})"]
    if row["items"]:
        links.append(f"[items]({row['items']})")
    return " ".join(links)


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _published(table: Mapping[str, Any]) -> str:
    rows = [
        [row["method"], number(row["iou"]), number(row["f1"]), f"{row['pg']:.1f}"]
        for row in table["rows"]
    ]
    lines = [f"Beside `{table['task']}`, {table['note']}:", ""]
    return "\n".join([*lines, *_table(("method", "IoU", "F1", "PG %"), rows), ""])
