"""The board's page in a real browser: sorting, filtering, keys, colours, a phone."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

Browser = Any  # of conftest.py
NAMES = "[...document.querySelectorAll('.board[data-task=kitchen] .ranked tbody tr')]"
SHOWN = f"{NAMES}.filter(r => !r.hidden).map(r => r.querySelector('.method code').textContent)"
SPECS = ["listener", "gradient", "product[steps=9]", "half", "louder"]


@pytest.fixture
def opened(browser: Browser, written: Path) -> Browser:
    browser.open(written)
    return browser


def set_field(browser: Browser, selector: str, value: str) -> None:
    browser.run(f"""(() => {{
        const field = document.querySelector({selector!r});
        field.value = {value!r};
        field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
    }})()""")


def head(title: str) -> str:
    """The button of a column of the first ranked table."""
    return (
        "[...document.querySelectorAll('.board[data-task=kitchen] .ranked th button')]"
        f".find(b => b.textContent.startsWith({title!r}))"
    )


def test_no_complaint_and_no_request_but_for_the_page_itself(opened, written):
    opened.run(f"{head('AUC')}.click()")
    set_field(opened, "#find", "listener")
    assert opened.complaints() == []
    assert opened.requests() == [written.as_uri()]


def test_a_request_would_be_refused_and_seen(browser, written, tmp_path):
    # That the two lists above are empty means something.
    text = written.read_text(encoding="utf-8")
    text = text.replace("</main>", '<img src="x.png"><script>console.log(1); y()</script></main>')
    other = tmp_path / "other.html"
    other.write_text(text, encoding="utf-8")
    browser.open(other)
    kinds = {e["method"] for e in browser.complaints()}
    assert {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"} <= kinds


def test_sorted_by_rank_at_first(opened):
    assert opened.run(SHOWN) == SPECS
    assert opened.run(f"{head('rank')}.closest('th').getAttribute('aria-sort')") == "ascending"


def test_a_click_sorts_and_another_turns_it_round(opened):
    opened.run(f"{head('passes')}.click()")
    by_cost = ["louder", "listener", "gradient", "half", "product[steps=9]"]
    assert opened.run(SHOWN) == by_cost
    opened.run(f"{head('passes')}.click()")
    assert opened.run(SHOWN) == ["product[steps=9]", "gradient", "half", "listener", "louder"]
    opened.run(f"{head('IoU')}.click()")  # of a score the best comes first
    assert opened.run(SHOWN)[0] == "listener"
    states = "[...document.querySelector('.ranked thead tr').children].map(t => t.ariaSort)"
    assert opened.run(states).count("none") == len(opened.run(states)) - 1


def test_what_is_unknown_comes_last_either_way(opened):
    rest = "[...document.querySelectorAll('.rest tbody tr')].map(r => r.dataset.at)"
    button = head("IoU").replace(".ranked", ".rest")
    for _ in range(2):
        opened.run(f"{button}.click()")
        assert opened.run(rest) == ["0", "1"]


def test_words_are_sorted_as_words(opened):
    opened.run(f"{head('method')}.click()")
    assert opened.run(SHOWN) == sorted(SPECS)


def test_filtering_by_text_hides_rows_and_their_marks(opened):
    set_field(opened, "#find", "PRODUCT")
    assert opened.run(SHOWN) == ["product[steps=9]"]
    marks = "[...document.querySelectorAll('.board[data-task=kitchen] svg g')]"
    visible = f"{marks}.filter(g => getComputedStyle(g).display !== 'none').length"
    assert opened.run(visible) == 2  # one in each drawing
    assert opened.run("document.querySelector('.board[data-task=street]').hidden") is True
    assert opened.run("document.getElementById('count').textContent") == "1 row"
    set_field(opened, "#find", "nothing like it")
    assert opened.run("document.getElementById('count').textContent") == "0 rows"
    set_field(opened, "#find", "")
    assert opened.run(SHOWN) == SPECS


def test_filtering_by_task_model_and_supervision(opened):
    for field, value, hidden in (("task", "street", "kitchen"), ("model", "net", "street")):
        set_field(opened, f"[data-field={field}]", value)
        assert opened.run(f"document.querySelector('.board[data-task={hidden}]').hidden") is True
        set_field(opened, f"[data-field={field}]", "")
    set_field(opened, "[data-field=supervision]", "weak")
    assert opened.run(SHOWN) == ["half"]


def test_rows_that_are_not_ranked_can_be_left_out(opened):
    opened.run("document.getElementById('unranked').click()")
    assert opened.run("document.querySelector('.rest').hidden") is True
    assert opened.run("document.getElementById('count').textContent") == "7 rows"


def test_it_can_be_used_with_the_keyboard_alone(opened):
    reached = []
    for _ in range(12):
        opened.press("Tab", 9)
        reached.append(
            opened.run("document.activeElement.id || document.activeElement.dataset.field"
                       " || document.activeElement.textContent.trim()")
        )  # fmt: skip
    for wanted in ("find", "task", "model", "supervision", "unranked", "theme"):
        assert wanted in reached, reached
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert opened.run(outline) != "none"
    opened.run(f"{head('passes')}.focus()")
    opened.press("Enter", 13)
    assert opened.run(SHOWN)[0] == "louder"
    opened.press(" ", 32)
    assert opened.run(SHOWN)[0] == "product[steps=9]"


def brightness(browser: Browser) -> float:
    colour = browser.run("getComputedStyle(document.documentElement).backgroundColor")
    return sum(int(n) for n in colour[colour.index("(") + 1 : -1].split(",")[:3]) / 765


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_and_light(scheme, browser, written):
    browser.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    try:
        browser.open(written)
        assert (brightness(browser) > 0.5) is (scheme == "light")
        browser.run("document.getElementById('theme').click()")
        assert (brightness(browser) > 0.5) is (scheme == "dark")
        browser.run("document.getElementById('theme').click()")
        assert (brightness(browser) > 0.5) is (scheme == "light")
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])


def test_readable_at_the_width_of_a_phone(browser, written):
    browser.open(written, width=360, height=740)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    sizes = "[...document.querySelectorAll('p, th, td, label, svg text:not(.number)')]"
    heights = browser.run(f"{sizes}.map(e => e.getBoundingClientRect().height).filter(h => h > 0)")
    assert min(heights) >= 10
    assert browser.run("document.querySelector('#find').getBoundingClientRect().height") >= 32
    # A table is wider than the screen, and scrolls by itself while the method stays in sight.
    browser.run("document.querySelector('.ranked .scroll').scrollLeft = 200")
    left = "document.querySelector('.ranked tbody .method').getBoundingClientRect().left"
    assert 0 <= browser.run(left) < 40


def test_without_a_script_the_page_is_whole(browser, written):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(written)
        tree = browser.call("DOM.getDocument", depth=-1)
        rows = browser.call(
            "DOM.querySelectorAll", nodeId=tree["root"]["nodeId"], selector="tr[data-row]"
        )
        assert len(rows["nodeIds"]) == 9
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("width", [360, 1200])
def test_a_picture_of_it(width, browser, written, tmp_path):
    browser.open(written, width=width)
    picture = base64.b64decode(browser.call("Page.captureScreenshot")["data"])
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
    folder = Path(os.environ.get("SEDBENCH_SCREENSHOTS") or tmp_path)  # to look at
    (folder / f"board-{width}.png").write_bytes(picture)
