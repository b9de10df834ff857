"""``sedbench report``: from results on disk to one page and to figures."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from sedbench.data.soundbank import Recording
from sedbench.types import SoundbankInfo

TASK = ("--task", "kitchen", "--jobs", "1")
ENDINGS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}
VOID = {"meta", "input", "br", "link", "img", "use", "path"}


class MadeBank:
    """Noise; the louder half of the kitchen's recordings has an author."""

    name = "made-bank"

    def recordings(self):
        events = [f"foreground/{label}/{i}" for label in ("Dishes", "Kettle") for i in range(7)]
        return [
            Recording(
                name, name.split("/")[0], name.split("/")[1], "test", 6.0, f"author {i % 7}",
                licence="CC0" if i % 2 else "", author="A. <Body>" if i % 2 else "",
            )
            for i, name in enumerate(["background/hum/a", *events])
        ]  # fmt: skip

    def audio(self, recording_id, sample_rate):
        rng = np.random.default_rng(len(recording_id) + ord(recording_id[-1]))
        return (0.2 * rng.standard_normal(6 * sample_rate)).astype(np.float32)

    def fingerprint(self):
        return "0" * 64


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr("sedbench.stats.RESAMPLES", 200)


@pytest.fixture
def silent(kitchen):
    """Results of three methods; the kitchen's sounds are not here."""
    kitchen.measured("softest", 0.3)
    kitchen.measured(
        "loudest", 3.0, noise=1, provenance={"command": "sedbench run", "weights": {"a": "f00d"}}
    )
    kitchen.measured("loudest[mode=max]", 2.0, noise=2, kind="baseline")
    return kitchen


@pytest.fixture
def sounding(silent, offers):
    """The same, and the sounds are here."""
    at = next(i for i, (info, _) in enumerate(offers) if info.name == "made-bank")
    offers[at] = (SoundbankInfo("made-bank", "noise", licence="CC0"), MadeBank)
    return silent


class Page(HTMLParser):
    """Elements in order, and the text; fails where they do not nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data

    def of(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


def written(cli, tmp_path, *args, name="report.html"):
    few = () if "--clips" in args else ("--clips", "1")
    answer = cli("report", *args, *few, *TASK, "--html", tmp_path / name)
    assert answer.code == 0, answer.err
    return (tmp_path / name).read_text(encoding="utf-8"), answer


def test_one_page_with_everything_in_it(cli, sounding, tmp_path):
    text, answer = written(cli, tmp_path, "softest", "loudest", "loudest[mode=max]")
    assert answer.out == f"{tmp_path / 'report.html'}\n"
    page = Page(text)
    places = {attrs["id"] for _, attrs in page.found if "id" in attrs}
    parts = {"board", "apart", "classes", "breakdown", "threshold", "clips", "provenance"}
    assert parts <= places
    links = [attrs["href"] for attrs in page.of("a")]
    assert links and all(link.removeprefix("#") in places for link in links)
    ids = [attrs["id"] for _, attrs in page.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    # Nothing is asked of anyone: whatever is shown or heard stands in the page.
    for tag, attrs in page.found:
        for key in ("src", "href", "xlink:href", "data", "srcset"):
            assert attrs.get(key, "#").startswith(("#", "data:")), (tag, attrs)
    assert not page.of("link") and not page.of("iframe") and "@import" not in text
    outside = re.sub(r"\"(?:data:[^\"]*|http://www.w3.org/[^\"]*)\"", "", text)
    assert "http" not in outside.replace("http-equiv", "")
    assert "{" not in re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.S)


def test_what_it_says(cli, sounding, tmp_path):
    text, _ = written(cli, tmp_path, "softest", "loudest", "loudest[mode=max]")
    page = Page(text)
    for said in (
        *("softest", "loudest[mode=max]", "18 pairs, 18 clips, 7 source groups"),
        *("Dishes9 pairs7 groups", "Kettle9 pairs7 groups", "By polyphony", "By SNR"),
        *("paired, two-sided bootstrap", "adjusted for all pairs", "200 bootstrap replicates"),
        *("sedbench run", "f00d", "task_fingerprint"),
        "over loudest and softest, each",  # the baseline has no say in which clips are hard
    ):
        assert said in page.text.replace("\n", " "), said
    assert "A. <Body>, CC0" in page.text and "<Body>" not in text
    figures = page.of("svg")
    assert len(figures) == 2 + 2 + 2 and all(f["role"] == "img" for f in figures)
    assert all(len(figure["aria-label"]) > 20 for figure in figures)


def test_clips_can_be_heard(cli, sounding, tmp_path):
    text, _ = written(cli, tmp_path, "softest", "loudest", "--clips", "2")
    page = Page(text)
    assert [a["id"] for a in page.of("article")] == ["worst-1", "worst-2", "best-1", "best-2"]
    players = page.of("audio")
    assert len(players) == 4 and all("controls" in p and p["aria-label"] for p in players)
    kind, _, content = players[0]["src"].partition(";base64,")
    assert kind == "data:audio/mpeg"
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
    assert rate == 16000 and abs(len(samples) / rate - 4.0) < 0.1
    assert 0.001 < np.abs(samples).max() <= 1
    assert 'href="data:image/png' in text.replace("\n", "")  # the spectrogram


def test_worst_and_best_are_what_the_rule_says(cli, sounding, tmp_path):
    text, _ = written(cli, tmp_path, "softest", "loudest", "--clips", "3")
    told = re.findall(r"<h3>(Worst|Best) (\d): (test-\d+)</h3>.*?Mean IoU (\.\d+)", text, re.S)
    assert len(told) == len({clip for _, _, clip, _ in told}) == 6
    worst = [float(score) for kind, _, _, score in told if kind == "Worst"]
    best = [float(score) for kind, _, _, score in told if kind == "Best"]
    assert worst == sorted(worst) and best == sorted(best, reverse=True)
    assert max(worst) <= min(best)


def test_the_same_results_give_the_same_bytes(cli, sounding, tmp_path):
    folders = []
    for name in ("one", "two"):
        to = [str(part) for ending in ENDINGS for part in (f"--{ending}", tmp_path / name)]
        answer = cli("report", "softest", "loudest", "--clips", "0", *TASK, *to)
        assert answer.code == 0, answer.err
        folders.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert folders[0] == folders[1]
    stems = {"board", "classes", "ranks", "sensitivity"}
    assert set(folders[0]) == {f"{stem}.{ending}" for stem in stems for ending in ENDINGS}
    for name, content in folders[0].items():
        assert content.startswith(ENDINGS[name.rpartition(".")[2]]), name
    # 300 dots an inch, and as wide as a journal's column.
    assert int.from_bytes(folders[0]["board.png"][16:20], "big") == int(88 / 25.4 * 300)
    drawn = ET.fromstring(folders[0]["ranks.svg"])
    assert "text" in {element.tag.rpartition("}")[2] for element in drawn.iter()}


def test_the_order_of_names_changes_nothing(cli, sounding, tmp_path):
    one, _ = written(cli, tmp_path, "softest", "loudest")
    two, _ = written(cli, tmp_path, "loudest", "softest")
    assert one == two


def test_without_the_sounds_it_is_made_and_says_so(cli, silent, tmp_path):
    text, answer = written(cli, tmp_path, "softest", "loudest")
    page = Page(text)
    assert "without waveforms and sound" in answer.err
    assert "Without waveforms and sound: the task’s sounds could not be had" in page.text
    assert not page.of("audio") and len(page.of("article")) == 2
    assert "data:image" not in text and "Log-mel" not in page.text
    assert str(tmp_path) not in text  # it may be passed on


def test_sounds_of_another_clip_are_refused(cli, sounding, tmp_path, monkeypatch):
    table = sounding.table()
    table.truths["extent"][:, :] ^= True
    monkeypatch.setattr(sounding, "table", lambda: table)
    sounding.measured("softest", 0.3)
    sounding.measured("loudest", 1.0, noise=3)
    text, answer = written(cli, tmp_path, "softest", "loudest")
    assert "has another truth than the one measured" in answer.err
    assert "<audio" not in text


def test_clips_and_players_can_be_left_out(cli, sounding, tmp_path):
    text, answer = written(cli, tmp_path, "softest", "loudest", "--clips", "0")
    assert "<article" not in text and 'href="#clips"' not in text and "without" not in answer.err
    to = tmp_path / "figures"
    text, answer = written(cli, tmp_path, "softest", "loudest", "--no-audio", "--png", to)
    assert "<audio" not in text and "data:image/png" in text
    assert {path.name for path in to.glob("clip-*")} == {"clip-worst-1.png", "clip-best-1.png"}
    assert answer.out.splitlines() == sorted(answer.out.splitlines(), key=lambda x: ".html" in x)


def test_one_method_alone(cli, silent, tmp_path):
    text, _ = written(cli, tmp_path, "loudest")
    assert 'href="#apart"' not in text and "1 method side by side" in text
    assert "over loudest, each" in Page(text).text


def test_by_the_file_of_a_result(cli, silent, tmp_path):
    path = next((silent.results / "kitchen").glob("*/softest/*.json"))
    answer = cli("report", path, "loudest", "--jobs", "1", "--html", tmp_path / "r.html")
    assert answer.code == 0, answer.err
    assert "softest" in (tmp_path / "r.html").read_text()


def test_one_measurement_is_listed_once(cli, silent, tmp_path):
    path = next((silent.results / "kitchen").glob("*/softest/*.json"))
    html = tmp_path / "report.html"
    answer = cli("report", "softest", path, "loudest", "--html", html, "--clips", "0", *TASK)
    assert answer.code == 0, answer.err
    assert f"note: one measurement each, shown once: {path} and softest\n" in answer.err
    names = re.findall(r"<tr data-row[^>]*>.*?<code>(.*?)</code>", html.read_text("utf-8"))
    assert names == ["loudest", "softest"]


def test_bounds_are_shown_and_not_ranked(cli, silent, tmp_path):
    silent.measured("softest", 9.0, supervision="oracle", kind="baseline")
    text, _ = written(cli, tmp_path, "softest", "loudest", "loudest[mode=max]", "--clips", "0")
    assert "a bound, not a competitor" in text
    bars = re.search(r"<h3>In words</h3>(.*?)</ul>", text)[1]
    assert "softest" not in bars


def test_a_class_with_few_groups_is_marked(cli, kitchen, tmp_path):
    missed = tuple(i for i in range(18) if i % 2 and i > 3)
    for spec, noise in (("softest", 0), ("loudest", 1)):
        kitchen.measured(spec, 2.0, noise=noise, missed=missed)
    text, _ = written(cli, tmp_path, "softest", "loudest", "--clips", "0")
    assert "Kettle †" in Page(text).text and "Dishes †" not in Page(text).text
    assert "fewer than 3 source groups" in Page(text).text


def test_limited_results_say_so(cli, kitchen, tmp_path):
    paths = [kitchen.measured(spec, 2.0, noise=i, limited=18) for i, spec in
             enumerate(("softest", "loudest"))]  # fmt: skip
    text, _ = written(cli, tmp_path, *paths, "--clips", "0")
    assert "Limited: the first 18 test clips only" in text
    assert "limited to 18 clips" in text and 'class="ranked"' not in text
    whole = kitchen.measured("softest", 2.0)
    answer = cli("report", whole, paths[1], *TASK, "--html", tmp_path / "x.html")
    assert answer.code == 2 and "all clips" in answer.err and "--limit" in answer.err


def test_results_of_another_state_of_the_task(cli, sounding, tmp_path):
    paths = [sounding.measured(spec, 2.0, noise=i, task_fingerprint="0" * 64) for i, spec in
             enumerate(("softest", "loudest"))]  # fmt: skip
    text, answer = written(cli, tmp_path, *paths)
    assert "measured before the task changed" in text and "<audio" not in text
    assert "the task has changed since" in answer.err


def test_a_report_is_about_one_task_and_one_model(cli, silent, tmp_path):
    html = ("--html", tmp_path / "r.html")
    first = next((silent.results / "kitchen").glob("*/softest/*.json"))
    other = silent.measured("loudest", 1.0, model="tiny-net[seed=1]")
    answer = cli("report", first, other, *TASK, *html)
    assert answer.code == 2
    assert (
        "softest is on kitchen with tiny-net, loudest on kitchen with tiny-net[seed=1]"
        in answer.err
    )
    assert "a report for each model" in answer.err and "--seeds" in answer.err
    elsewhere = silent.measured("loudest", 1.0, task="garden")
    answer = cli("report", first, elsewhere, *TASK, *html)
    assert answer.code == 2 and "a report for each task" in answer.err
    assert not (tmp_path / "r.html").exists()


def test_results_about_other_pairs_are_refused(cli, silent, tmp_path):
    silent.measured("softest", 0.3, missed=(3, 5))
    answer = cli("report", "softest", "loudest", *TASK, "--html", tmp_path / "r.html")
    assert answer.code == 4 and "not scored on the same pairs: " in answer.err


def test_what_is_missing_is_said(cli, silent, tmp_path):
    html = ("--html", tmp_path / "r.html")
    answer = cli("report", "loudest[width=5]", *TASK, *html)
    assert answer.code == 4 and "sedbench run -m" in answer.err
    answer = cli("report", "nowhere/at-all.json", *TASK, *html)
    assert answer.code == 4 and "there is no result nowhere/at-all.json" in answer.err
    next((silent.results / "kitchen").glob("*/softest/*.npz")).unlink()
    answer = cli("report", "softest", *TASK, *html)
    assert answer.code == 4 and "items file" in answer.err and "is gone" in answer.err
    answer = cli("report", "loudst", *TASK, *html)
    assert answer.code == 2 and "did you mean 'loudest'" in answer.err


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ((), 5, "no result was named"),
        (("loudest",), 2, "nothing to write"),
        (("loudest", "--html", "page.txt"), 2, "ends in .html"),
        (("loudest", "--html", "x.html", "--clips", "-1"), 2, "--clips"),
    ],
)
def test_usage(cli, silent, args, code, said):
    answer = cli("report", *args, *TASK)
    assert answer.code == code and said in answer.err


def test_a_folder_that_cannot_be_written(cli, silent, tmp_path):
    (tmp_path / "file").write_text("here")
    answer = cli("report", "loudest", *TASK, "--clips", "0", "--html", tmp_path / "file" / "r.html")
    assert answer.code == 4 and "cannot write" in answer.err


def test_writing_again_replaces_the_page_whole(cli, silent, tmp_path):
    (tmp_path / "report.html").write_text("old")
    text, _ = written(cli, tmp_path, "loudest", "--clips", "0")
    assert text.startswith("<!doctype html>") and text.endswith("</html>\n")
    assert [path.name for path in tmp_path.glob("*.html*")] == ["report.html"]
