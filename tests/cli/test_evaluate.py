"""``sedbench evaluate``: a detector's figures, and what cannot drop out silently."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sedbench.data.score_tables import write_scores
from sedbench.metrics import ScoreTable

HEADER = "filename\tonset\toffset\tevent_label\n"
TRUTH = HEADER + "a.wav\t1.0\t3.0\tDog\nb.wav\t0.0\t2.0\tCat\nc.wav\t\t\t\n"
IDS = [
    *("segment_f1", "segment_er", "segment_f1_100ms", "segment_er_100ms", "event_f1"),
    *("intersection_f1", "psds1", "psds2", "onset_error", "offset_error"),
]


def scored(folder: Path, clip: str, dog: list[float], cat: list[float]) -> None:
    values = np.array([dog, cat]).T
    write_scores(folder / f"{clip}.tsv", ScoreTable(("Dog", "Cat"), values, np.arange(5.0)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Scores that are right of every clip, and the truth beside them."""
    scores = tmp_path / "scores"
    scored(scores, "a", [0.1, 0.9, 0.8, 0.1], [0.2] * 4)
    scored(scores, "b", [0.1] * 4, [0.9, 0.9, 0.3, 0.2])
    scored(scores, "c", [0.1] * 4, [0.2] * 4)
    (tmp_path / "truth.tsv").write_text(TRUTH)
    return tmp_path


def figures(text: str) -> dict[str, dict[str, object]]:
    return {figure["metric"]: figure for figure in json.loads(text)["figures"]}


def test_scores_have_every_figure(cli, folder):
    answer = cli("evaluate", f"{folder}/scores", "--truth", f"{folder}/truth.tsv", "--json")
    assert (answer.code, answer.err) == (0, "")
    found = figures(answer.out)
    assert list(found) == IDS
    assert {found[i]["macro"] for i in IDS if i.startswith("psds") or i.endswith("f1")} == {1.0}
    assert found["segment_er"]["micro"] == found["onset_error"]["micro"] == 0.0
    assert found["psds2"]["classes"] == {"Dog": 1.0, "Cat": 1.0}
    assert found["onset_error"]["unit"] == "s" and not found["onset_error"]["higher_is_better"]
    document = json.loads(answer.out)
    assert document["clips"] == 3 and document["events"] == {"true": 2, "predicted": 2}


def test_the_threshold_decides_but_not_about_psds(cli, folder):
    high = ("evaluate", f"{folder}/scores", "--truth", f"{folder}/truth.tsv", "--threshold", "0.85")
    found = figures(cli(*high, "--json").out)
    assert found["event_f1"]["classes"] == {"Dog": 0.0, "Cat": 1.0}
    assert found["psds1"]["macro"] == 1.0
    table = cli(*high)
    assert table.code == 0
    assert "3 clips, 2 true events, 2 predicted at a threshold of 0.85" in table.out
    assert all(each in table.out for each in IDS)


def test_decisions_have_no_psds(cli, folder):
    (folder / "events.tsv").write_text(HEADER + "a.wav\t1.1\t3.0\tDog\nc.wav\t0\t1\tBird\n")
    answer = cli("evaluate", f"{folder}/events.tsv", "--truth", f"{folder}/truth.tsv", "--json")
    found = figures(answer.out)
    assert list(found) == [i for i in IDS if not i.startswith("psds")]
    assert found["event_f1"]["classes"] == {"Bird": None, "Cat": 0.0, "Dog": 1.0}
    assert found["event_f1"]["micro"] == 0.5 and found["event_f1"]["macro"] == 0.5
    notes = " ".join(json.loads(answer.out)["notes"])
    assert "no PSDS" in notes and "no true event of Bird" in notes


def test_overlapping_events_are_joined_and_counted(cli, folder):
    (folder / "truth.tsv").write_text(TRUTH + "a.wav\t2.0\t3.0\tDog\n")
    answer = cli("evaluate", f"{folder}/scores", "--truth", f"{folder}/truth.tsv")
    assert answer.code == 0 and "truth.tsv: 1 events of one class overlapped" in answer.out


def test_durations_say_which_clips_there_are(cli, folder):
    (folder / "truth.tsv").write_text(HEADER + "a.wav\t1.0\t3.0\tDog\nb.wav\t0.0\t2.0\tCat\n")
    line = ("evaluate", f"{folder}/scores", "--truth", f"{folder}/truth.tsv")
    answer = cli(*line)
    assert answer.code == 4 and "holds 'c', and 0 more clips, unknown to" in answer.err
    (folder / "clips.tsv").write_text("filename\tduration\na.wav\t4\nb.wav\t4\nc.wav\t4\n")
    assert cli(*line, "--durations", f"{folder}/clips.tsv").code == 0
    (folder / "clips.tsv").write_text("filename\tduration\na.wav\t4\n")
    answer = cli(*line, "--durations", f"{folder}/clips.tsv")
    assert answer.code == 4 and "truth.tsv holds 'b'" in answer.err


def test_a_clip_without_scores_is_an_error(cli, folder):
    (folder / "scores" / "b.tsv").unlink()
    answer = cli("evaluate", f"{folder}/scores", "--truth", f"{folder}/truth.tsv")
    assert answer.code == 4 and "has no scores of 'b'" in answer.err


def test_a_true_class_without_scores_is_an_error(cli, folder):
    (folder / "truth.tsv").write_text(TRUTH + "c.wav\t0\t1\tBird\n".replace("c.wav", "a.wav"))
    answer = cli("evaluate", f"{folder}/scores", "--truth", f"{folder}/truth.tsv")
    assert answer.code == 4 and "no scores of a true class: unknown class 'Bird'" in answer.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--threshold", "nan"), "--threshold takes a finite number"),
        (("--slack", "0.05"), "--slack is at least 0"),
    ],
)
def test_values_that_cannot_be(cli, folder, more, message):
    answer = cli("evaluate", f"{folder}/scores", "--truth", f"{folder}/truth.tsv", *more)
    assert answer.code == 2 and message in answer.err


def test_what_is_not_there_is_named(cli, folder):
    answer = cli("evaluate", f"{folder}/none", "--truth", f"{folder}/truth.tsv")
    assert answer.code == 4 and f"{folder}/none" in answer.err
    answer = cli("evaluate", f"{folder}/scores", "--truth", f"{folder}/none.tsv")
    assert answer.code == 4 and f"{folder}/none.tsv" in answer.err
