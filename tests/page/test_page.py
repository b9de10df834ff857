"""The two pages as text: complete, escaped, self-contained."""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

from sedbench.leaderboard.markdown import readme
from sedbench.leaderboard.page import page
from sedbench.leaderboard.plots import cost, intervals, letter

VOID = {"meta", "input", "br", "link", "img"}


class Outline(HTMLParser):
    """Elements in order; fails where they do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Outline()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser.found


def test_the_page_is_whole_and_asks_for_nothing(held):
    text = page(held)
    found = outline(text)
    assert not [tag for tag, _ in found if tag in ("img", "link", "iframe", "object")]
    assert not [a for tag, a in found if tag == "script" and "src" in a]
    assert "http" not in text.replace("http-equiv", "")
    links = {a["href"] for tag, a in found if tag == "a"}
    rows = [r for b in held["boards"] for r in (*b["rows"], *b["unranked"])]
    files = {r[k] for r in rows for k in ("result", "items") if r[k]}
    within = {link[1:] for link in links if link.startswith("#")}
    assert within == {a["id"] for tag, a in found if tag == "section" and "id" in a}
    assert links - {f"#{place}" for place in within} == {*files, "results", "leaderboard.json"}
    assert "{" not in re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.S)


def test_text_is_text(held):
    text = page(held)
    assert "<b>x</b>" not in text and "&lt;b&gt;x&lt;/b&gt;" in text
    assert "pots &amp; pans &lt;loud&gt;" in text
    markdown = readme(held)
    assert "&lt;b>x" in markdown and "\\| y" in markdown


def test_every_row_stands_on_both_pages_with_its_figures(held):
    html, markdown = page(held), readme(held)
    for board in held["boards"]:
        for row in (*board["rows"], *board["unranked"]):
            assert f"{row['spec']}" in html and f"`{row['spec']}" in markdown
    assert ".71" in html and ".71 [.66 .75]" in markdown
    assert "reported on its data" in html and "reported on its data" in markdown
    assert "listener (seed 1)" in html and "listener (seed 1)" in markdown


def test_rows_that_are_identical_by_construction_are_marked(held):
    markdown = readme(held)
    assert "| `gradient` = |" in markdown and "| `half` |" in markdown
    assert "`=` identical by construction (a sum): `gradient`, `product[steps=9]`." in markdown
    assert "identical by construction (a sum)" in page(held)


def test_tables_have_as_many_cells_as_heads(held):
    lines = readme(held).splitlines()
    for i, line in enumerate(lines):
        if line.startswith("| ---"):
            width = line.count("|")
            for other in (lines[i - 1], *lines[i + 1 :]):
                if not other.startswith("|"):
                    break
                assert len(re.findall(r"(?<!\\)\|", other)) == width, other


def test_a_board_without_ranked_rows(held):
    bare = copy.deepcopy(held)
    bare["boards"][0] |= {"rows": [], "pairs": None, "unranked_classes": []}
    assert "Nothing is ranked yet." in page(bare)
    assert "Nothing is ranked yet." in readme(bare)
    bare |= {"boards": [], "published": []}
    outline(page(bare))
    assert readme(bare).startswith("# The board")


def svg(text: str) -> ET.Element:
    return ET.fromstring(text)


def test_intervals_lie_where_their_figures_do(held):
    rows = held["boards"][0]["rows"]
    drawn = svg(intervals(rows, "a title"))
    assert drawn.get("aria-label") == "a title"
    groups = drawn.findall("g")
    assert [g.get("data-row") for g in groups] == [str(i) for i in range(len(rows))]
    middles = []
    for group, row in zip(groups, rows, strict=True):
        bar = group.find("line")
        assert bar is not None
        low, high = float(bar.get("x1") or 0), float(bar.get("x2") or 0)
        middles.append((row["figures"]["iou"]["value"], (5 * high + 4 * low) / 9))
        told = group.find("title")
        assert told is not None and row["spec"] in (told.text or "")
    # Linear in the figure: 0.05 below it to 0.04 above.
    (v1, x1), (v2, x2) = middles[0], middles[-1]
    for value, x in middles:
        assert abs(x - (x2 + (value - v2) * (x1 - x2) / (v1 - v2))) < 0.5


def words(text: str, kind: str) -> list[str | None]:
    found = svg(text).iterfind("g/text")
    return [each.text for each in found if kind in (each.get("class") or "").split()]


def test_the_number_beside_a_name_is_the_rank_and_a_letter_finds_the_point(held):
    rows = held["boards"][0]["rows"]
    drawn = intervals(rows, "")
    assert words(drawn, "rank") == [str(row["rank"]) for row in rows] == ["1", "2", "2", "2", "5"]
    # Rows that share a rank are told apart in the other drawing.
    assert words(drawn, "letter") == words(cost(rows, ""), "number") == list("abcde")
    many = [letter(i) for i in range(800)]
    assert (
        len(set(many)) == 800
        and many[25:28] == ["z", "aa", "ab"]
        and many[701:703] == ["zz", "aaa"]
    )


def marks(text: str) -> list[ET.Element]:
    return [g[1] for g in svg(text).findall("g")]


def test_supervision_is_told_by_form_and_not_by_colour_alone(held):
    forms = [mark.tag for mark in marks(intervals(held["boards"][0]["rows"], ""))]
    assert len(set(forms)) >= 1
    drawn = cost(held["boards"][0]["rows"], "")
    assert [m.tag for m in marks(drawn)] == ["polygon", "circle", "circle", "rect", "circle"]


def place(mark: ET.Element) -> tuple[float, float]:
    if mark.tag == "circle":
        return float(mark.get("cx") or 0), float(mark.get("cy") or 0)
    if mark.tag == "rect":
        half = float(mark.get("width") or 0) / 2
        return float(mark.get("x") or 0) + half, float(mark.get("y") or 0) + half
    points = [tuple(map(float, p.split(","))) for p in (mark.get("points") or "").split()]
    return points[0][0], points[1][1]


def test_points_of_the_drawing_of_cost_do_not_cover_each_other(held):
    row = held["boards"][0]["rows"][1]
    many: list[dict[str, Any]] = [copy.deepcopy(row) for _ in range(12)]
    places = [place(mark) for mark in marks(cost(many, ""))]
    for x, y in places:  # and none is moved far from where it belongs
        assert abs(x - places[0][0]) <= 21 and abs(y - places[0][1]) <= 6
    places = places[:3]
    for i, (x, y) in enumerate(places):
        assert 0 < x < 380
        for a, b in places[:i]:
            assert (x - a) ** 2 + (y - b) ** 2 > 13.9**2


def test_what_costs_more_lies_further_right(held):
    rows = held["boards"][0]["rows"]
    places = [place(mark)[0] for mark in marks(cost(rows, ""))]
    order = sorted(range(len(rows)), key=lambda i: rows[i]["cost"]["passes_per_pair"])
    assert order[0] == 4 and order[-1] == 2  # nothing, and fifty-one
    assert places[4] == min(places) and places[2] == max(places)


def test_an_undefined_interval_is_left_out(held):
    row = copy.deepcopy(held["boards"][0]["rows"][0])
    row["figures"]["iou"] |= {"ci_low": None, "ci_high": None}
    (group,) = svg(intervals([row], "")).findall("g")
    assert group.find("line") is None
