"""The report as one page: it works from disk, asks no network for anything, and needs no script.

Its board is the leaderboard's (:mod:`sedbench.leaderboard.page`), with the same style and the same
script; the other sections are in :mod:`sedbench.report.sections`, the clips in
:mod:`sedbench.report.clips` and what results say of themselves in
:mod:`sedbench.report.provenance`. Figures, sounds and everything else stand in the page itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files

from sedbench import __version__
from sedbench.leaderboard.page import section
from sedbench.report.clips import Clips, clips
from sedbench.report.drawings import Drawing
from sedbench.report.gathered import Gathered
from sedbench.report.inline import rules
from sedbench.report.provenance import provenance
from sedbench.report.sections import breakdowns, classes, notes, placings, threshold

_MOST = 12  # names in the first sentence


def page(
    gathered: Gathered,
    drawings: Mapping[str, Drawing],
    palette: Mapping[str, str],
    shown: Clips,
) -> str:
    """Write the page.

    Parameters
    ----------
    gathered : Gathered
    drawings : mapping of str to Drawing
        By their names.
    palette : mapping of str to str
        Name of a method to its colour.
    shown : Clips
    """
    shared, own = files("sedbench") / "leaderboard" / "assets", files("sedbench.report") / "assets"
    parts = [
        ("board", "The board", _board(gathered)),
        ("apart", "Who can be told apart", placings(gathered, drawings, palette)),
        ("classes", "By class", classes(gathered)),
        ("breakdown", "By kind of pair", breakdowns(gathered)),
        ("threshold", "What the threshold decides", threshold(gathered, drawings, palette)),
        ("clips", "The worst and the best clips", clips(gathered, drawings, palette, shown)),
        ("provenance", "Where the figures come from", provenance(gathered)),
    ]
    kept = [part for part in parts if part[2]]
    told = {
        "title": escape(f"{gathered.board['title']}: {gathered.board['model']}"),
        "css": _text(shared, "board.css") + _text(own, "report.css") + rules(palette.values()),
        "head": _head(gathered),
        "links": "\n".join(f'<li><a href="#{at}">{head}</a></li>' for at, head, _ in kept),
        "sections": "\n".join(_section(*part) for part in kept),
        "version": escape(__version__),
        "js": _text(shared, "board.js") + _text(own, "report.js"),
    }
    text = _text(own, "report.html")
    # Names are replaced where the template has them, and nowhere in what has been put there.
    pieces: list[str] = []
    for name, part in told.items():
        before, mark, text = text.partition(f"{{{name}}}")
        assert mark, name
        pieces += [before, part]
    return "".join([*pieces, text])


def _text(folder: object, name: str) -> str:
    found: str = (folder / name).read_text(encoding="utf-8")  # type: ignore[operator]
    return found


def _head(gathered: Gathered) -> str:
    names = [f"<code>{escape(name)}</code>" for name in gathered.names]
    count = len(names)
    told = [
        "<h1>WHEN does a sound happen?</h1>",
        f"<p>{count} method{'s' if count > 1 else ''} side by side: {', '.join(names[:_MOST])}"
        f"{f' and {count - _MOST} more' if count > _MOST else ''}.</p>",
        *(f'<p class="notice" role="note">{escape(note)}</p>' for note in notes(gathered)),
    ]
    return "\n".join(filter(None, told))


def _board(gathered: Gathered) -> str:
    return section(gathered.board)


def _section(at: str, head: str, body: str) -> str:
    # The leaderboard's own section has its heading, and its line above.
    if at == "board":
        return f'<div id="{at}">{body}</div>'
    return f'<section class="board" id="{at}"><h2>{head}</h2>\n{body}\n</section>'
