"""A report's page in a real browser: sound, keys, colours, a phone, and no network."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sedbench.contenders import Contender
from sedbench.metrics.catalogue import METRICS_VERSION
from sedbench.progress import Quiet
from sedbench.protocol import Scored, evaluate, quantise
from sedbench.report.gathered import gather
from sedbench.report.sounds import Sound
from sedbench.report.writing import Wanted, write
from sedbench.results import Result
from sedbench.types import FrameGrid, PairTable

Browser = Any  # of conftest.py
FRAMES, CLIPS, RATE = 40, 12, 8000
HEADS = "[...document.querySelectorAll('#classes thead button')]"
ROWS = "[...document.querySelectorAll('#classes tbody .method')].map(e => e.textContent)"
METHODS = {"strong": 4.0, "middling": 1.5, "a-method[with=a-rather-long,name=indeed]": 0.5}


class Task:
    """As much of one as a report asks for."""

    name, title, version, fetch = "kitchen", "In the kitchen", 1, ""
    summary, published, threshold, duration = "pots & pans", (), 0.5, FRAMES / 10

    def fingerprint(self, version: str) -> str:
        return f"f{METRICS_VERSION}"


def table() -> PairTable:
    clip = np.arange(CLIPS)
    onset = 3 + clip[:, None]
    frame = np.arange(FRAMES)
    truth = (frame >= onset) & (frame < onset + 12)
    return PairTable(
        clip_ids=tuple(f"test-{i:04d}" for i in range(CLIPS)),
        classes=("Bell", "Running_water"),
        clip=clip,
        label=clip % 2,
        groups=tuple((f"g{i % 7}",) for i in range(CLIPS)),
        truths={"extent": truth, "activity": truth},
        others={"extent": np.zeros_like(truth), "activity": np.zeros_like(truth)},
        grid=FrameGrid(FRAMES / 10),
    )


def contender(spec: str, strength: float, number: int) -> Contender:
    pairs, parts = table(), []
    for split in range(2):
        rng = np.random.default_rng([number, split])
        values = np.exp(rng.normal(size=(CLIPS, FRAMES)) + strength * pairs.truths["extent"])
        detected = np.full((CLIPS, 2), 0.9)
        parts.append(Scored(pairs, quantise(values), np.ones(CLIPS, bool), detected))
    found = evaluate(*parts, resamples=50)
    result = Result(
        "kitchen", "net", spec.partition("[")[0], spec, {}, 0,
        task_fingerprint=f"f{METRICS_VERSION}", pairs=found.counts, scores=found.records,
        thresholds=found.thresholds,
        cost={"forward_per_pair": 1.0 + number, "backward_per_pair": 0.0},
        provenance={"command": "sedbench run -m <x>", "started": "2026-01-01T00:00:00+00:00"},
    )  # fmt: skip
    return Contender(result, *parts)


def render(wanted: Any, _: PairTable) -> dict[str, Sound]:
    at = np.arange(4 * RATE) / RATE
    tone = (0.4 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    return {name: Sound(tone, RATE, ("a: <b>, CC0",)) for name in wanted}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page on disk."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    told = [contender(spec, each, i) for i, (spec, each) in enumerate(METHODS.items())]
    task: Any = Task()
    found = gather(told, task, resamples=100, progress=Quiet())
    write(found, Wanted(path, clips=1), render, pytest.fail, Quiet())
    return path


@pytest.fixture
def opened(browser: Browser, report: Path) -> Browser:
    browser.open(report)
    return browser


def wait_until(browser: Browser, condition: str) -> None:
    limit = time.monotonic() + 60
    while not browser.run(condition):
        assert time.monotonic() < limit, condition
        time.sleep(0.1)


def test_no_complaint_and_no_request_but_for_the_page_itself(opened, report):
    wait_until(opened, "[...document.querySelectorAll('audio')].every(a => a.readyState > 0)")
    opened.run(f"{HEADS}[1].click()")
    opened.run("document.querySelector('#clips summary').click()")
    assert opened.complaints() == []
    asked = [url for url in opened.requests() if not url.startswith("data:")]
    assert asked == [report.as_uri()]


def test_the_sounds_are_there_and_play(opened):
    wait_until(opened, "[...document.querySelectorAll('audio')].every(a => a.readyState > 0)")
    lengths = opened.run("[...document.querySelectorAll('audio')].map(a => a.duration)")
    assert len(lengths) == 2 and all(abs(length - 4) < 0.1 for length in lengths)
    assert opened.run("[...document.querySelectorAll('audio')].every(a => !a.error)")
    # By the keyboard, as a person would: a script may not begin to play.
    opened.run("document.querySelector('audio').focus()")
    opened.press(" ", 32)
    wait_until(opened, "document.querySelector('audio').currentTime > 0.1")
    opened.run("document.querySelector('audio').pause()")
    assert opened.run("document.querySelector('.playhead').hidden") is False


def test_a_click_in_the_drawing_moves_the_sound_and_the_line(opened):
    wait_until(opened, "document.querySelector('audio').readyState > 0")
    moved = opened.run("""(() => {
        const stage = document.querySelector(".stage");
        stage.scrollIntoView();
        const box = stage.getBoundingClientRect();
        const part = Number(stage.dataset.left) + Number(stage.dataset.width) / 2;
        stage.dispatchEvent(new MouseEvent("click", {clientX: box.left + part * box.width}));
        return document.querySelector("audio").currentTime;
    })()""")
    assert abs(moved - 2.0) < 0.05
    wait_until(opened, "!document.querySelector('.playhead').hidden")
    line, axis = opened.run("""(() => {
        const line = document.querySelector(".playhead").getBoundingClientRect();
        const image = document.querySelector(".stage image").getBoundingClientRect();
        return [line.left, (image.left + image.right) / 2];
    })()""")
    assert abs(line - axis) < 4  # time in the drawing is time in the sound


def test_tables_are_sorted_by_a_click(opened):
    first = opened.run(ROWS)
    assert first[0] == "strong"
    value = "[...document.querySelectorAll('#classes tbody tr')]"
    value += ".map(r => Number(r.children[2].dataset.value))"
    opened.run(f"{HEADS}[2].click()")
    assert opened.run(value) == sorted(opened.run(value), reverse=True)
    opened.run(f"{HEADS}[2].click()")
    assert opened.run(value) == sorted(opened.run(value))
    opened.run(f"{HEADS}[0].click()")
    assert opened.run(ROWS) == sorted(first)


def test_the_keyboard_reaches_everything(opened):
    wanted = {"A", "INPUT", "BUTTON", "DIV", "SUMMARY", "AUDIO"}
    reached = set()
    for _ in range(120):
        opened.press("Tab", 9)
        reached.add(opened.run("document.activeElement.tagName"))
        if wanted <= reached:
            break
    assert wanted <= reached
    assert opened.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    opened.run("document.querySelector('#provenance summary').focus()")
    opened.press("Enter", 13)
    assert opened.run("document.querySelector('#provenance details').open") is True


def brightness(browser: Browser, selector: str, kind: str) -> float:
    found = browser.run(f"getComputedStyle(document.querySelector({selector!r})).{kind}")
    return sum(int(n) for n in found[found.index("(") + 1 : -1].split(",")[:3]) / 765


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_and_light_figures_too(scheme, browser, report):
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.call("Emulation.setEmulatedMedia", features=[feature])
    try:
        browser.open(report)
        for bright in (scheme == "light", scheme == "dark"):
            assert (brightness(browser, "html", "backgroundColor") > 0.5) is bright
            assert (brightness(browser, "svg.figure text", "fill") < 0.5) is bright
            assert (brightness(browser, "svg.figure path", "fill") > 0.5) is bright  # its ground
            browser.run("document.getElementById('theme').click()")
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])


def test_readable_at_the_width_of_a_phone(browser, report):
    browser.open(report, width=375, height=740)
    assert browser.run("document.documentElement.scrollWidth") <= 375
    heights = browser.run(
        "[...document.querySelectorAll('p, th, td, label, svg text:not(.number)')]"
        ".map(e => e.getBoundingClientRect().height).filter(h => h > 0)"
    )
    assert min(heights) >= 9.5
    wide = "[...document.querySelectorAll('audio, svg, .stage')]"
    assert browser.run(f"Math.max(...{wide}.map(e => e.getBoundingClientRect().right))") <= 375
    targets = "[...document.querySelectorAll('nav a, #clips summary')]"
    assert browser.run(f"Math.min(...{targets}.map(e => e.getBoundingClientRect().height))") >= 30


def test_what_is_shown_is_also_told(opened):
    assert opened.run("[...document.querySelectorAll('svg')].every(s => s.ariaLabel.length > 9)")
    assert opened.run("[...document.querySelectorAll('audio')].every(a => a.ariaLabel)")
    assert opened.run("[...document.querySelectorAll('.scroll')].every(s => s.ariaLabel)")
    said = opened.run("document.querySelector('#clips details').textContent")
    assert "truth" in said and "strong" in said and " s" in said


@pytest.mark.parametrize("width", [375, 1200])
def test_a_picture_of_it(width, browser, report, tmp_path):
    browser.open(report, width=width)
    picture = base64.b64decode(browser.call("Page.captureScreenshot")["data"])
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
    folder = Path(os.environ.get("SEDBENCH_SCREENSHOTS") or tmp_path)  # to look at
    (folder / f"report-{width}.png").write_bytes(picture)
