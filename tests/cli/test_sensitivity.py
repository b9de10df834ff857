"""``sedbench sensitivity``: a small table, curves as JSON, and the figure."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

from sedbench.report.plotting import colours

TASK = ("--task", "kitchen")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr("sedbench.stats.RESAMPLES", 300)


@pytest.fixture
def three(kitchen):
    kitchen.measured("softest", 0.3)
    kitchen.measured("loudest", 3.0, noise=1)
    kitchen.measured("loudest[mode=max]", 2.0, noise=2)
    return kitchen


def test_the_table_says_where_the_best_threshold_lies(cli, three):
    answer = cli("sensitivity", "softest", "loudest", *TASK)
    assert (answer.code, answer.err) == (0, "")
    rows = [line.split() for line in answer.out.splitlines() if line.startswith(("soft", "loud"))]
    assert [row[0] for row in rows] == ["loudest", "softest"]  # the best first
    assert all(len(row) == 8 for row in rows)
    assert "18 pairs, 18 clips, 7 source groups" in answer.out
    assert "found on the test pairs themselves" in answer.out


def test_curves_as_json(cli, three):
    document = json.loads(
        cli("sensitivity", "loudest", "--policy", "relative", *TASK, "--json").out
    )
    assert (document["policy"], document["truth"], document["n_pairs"]) == (
        "relative",
        "extent",
        18,
    )
    [curve] = document["methods"]
    assert curve["at"] == list(range(1, 100))
    for band in (curve["iou"], curve["f1"]):
        for low, value, high in zip(band["ci_low"], band["value"], band["ci_high"], strict=True):
            assert 0 <= low <= value + 1e-9 and value <= high + 1e-9 <= 1 + 1e-6
    assert curve["best_iou"] == max(curve["iou"]["value"])
    assert len(curve["chosen_on_validation"]) == 1


def test_reference_rows_unless_methods_are_named(cli, three):
    document = json.loads(cli("sensitivity", *TASK, "--json").out)
    assert [m["name"] for m in document["methods"]] == ["softest", "loudest[mode=max]"]
    document = json.loads(cli("sensitivity", "all", *TASK, "--json").out)
    assert len(document["methods"]) == 3


def test_a_row_that_was_told_the_answer_is_no_reference(cli, three):
    three.measured("softest", 9.0, supervision="oracle")
    document = json.loads(cli("sensitivity", *TASK, "--json").out)
    assert [m["name"] for m in document["methods"]] == ["loudest[mode=max]"]


def test_the_figure_in_every_format(cli, three, tmp_path):
    files = {ending: tmp_path / f"figure.{ending}" for ending in ("png", "svg", "pdf")}
    given = [part for ending, path in files.items() for part in (f"--{ending}", path)]
    answer = cli("sensitivity", "softest", "loudest", *TASK, *given)
    assert answer.code == 0 and answer.out == "" and "wrote" in answer.err
    assert files["png"].read_bytes().startswith(PNG)
    assert files["pdf"].read_bytes().startswith(b"%PDF")
    text = files["svg"].read_text()
    words = " ".join(ET.fromstring(text).itertext())
    for expected in ("softest", "loudest", "IoU (solid), F1 (dashed)", "percentile", "kitchen"):
        assert expected in words
    assert "stroke-dasharray" in text
    width = float(re.search(r'width="([\d.]+)pt"', text)[1])
    assert width == pytest.approx(140 / 25.4 * 72, abs=1)
    again = {ending: path.read_bytes() for ending, path in files.items()}
    cli("sensitivity", "softest", "loudest", *TASK, *given)
    assert {ending: path.read_bytes() for ending, path in files.items()} == again


def test_a_file_of_another_ending_is_refused(cli, three, tmp_path):
    answer = cli("sensitivity", "softest", *TASK, "--png", tmp_path / "figure.jpg")
    assert answer.code == 2 and ".png" in answer.err
    assert not list(tmp_path.glob("figure*"))
    answer = cli("sensitivity", "softest", *TASK, "--png", tmp_path / "no" / "such" / "x.png")
    assert answer.code in (0, 4)


def test_nothing_to_draw(cli, kitchen):
    answer = cli("sensitivity", *TASK)
    assert answer.code == 5 and "reference rows" in answer.err
    assert cli("sensitivity", "softst", *TASK).code == 2
    assert cli("sensitivity", "softest", *TASK).code == 4


def test_other_pairs_are_refused(cli, three):
    three.measured("loudest", 3.0, missed=(0,))
    answer = cli("sensitivity", "softest", "loudest", *TASK)
    assert answer.code == 4 and "18 and 17" in answer.err


def test_every_curve_has_a_colour_of_its_own():
    for n in (1, 10, 11, 40):
        found = colours(n)
        assert len(set(found)) == n
        assert all(re.fullmatch("#[0-9a-fA-F]{6}", colour) for colour in found)
