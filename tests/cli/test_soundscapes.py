"""``sedbench soundscapes``: draw and freeze, render into the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sedbench.data.index import read_index
from sedbench.data.soundbank import Recording
from sedbench.types import SoundbankInfo, TaskInfo

TASK = """
name = "kitchen"
version = 1
title = "A kitchen"
summary = "One sound"
licence = "CC0"
reason = "A test."
model = "tiny-net"
soundbank = "beeps"
sample_rate = 16000
duration = 2.0
classes = ["Beep"]

[truth]
primary = "extent"

[soundscapes]
seed = 5
event_counts = [1]
event_duration = ["const", 0.5]
event_time = ["uniform", 0.0, 1.5]
snr = ["const", 6.0]
ref_db = ["const", -40.0]
backgrounds = ["hum"]

[splits.test]
index = "test.csv"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
clips = 3
"""


class Beeps:
    """Two recordings: a tone and noise."""

    name = "beeps"

    def recordings(self):
        return (
            Recording("background/hum/b.wav", "background", "hum", "test", 3.0, "b"),
            Recording("foreground/Beep/a.wav", "foreground", "Beep", "test", 1.0, "a"),
        )

    def audio(self, recording_id, sample_rate):
        if "hum" in recording_id:
            noise = np.random.default_rng(1).standard_normal(3 * sample_rate)
            return (0.1 * noise).astype(np.float32)
        time = np.arange(sample_rate) / sample_rate
        return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)

    def fingerprint(self):
        return "beeps-1"


@pytest.fixture
def task(tmp_path, offers) -> Path:
    """A task whose soundscapes are not drawn yet."""
    path = tmp_path / "kitchen" / "task.toml"
    path.parent.mkdir()
    path.write_text(TASK)
    offers.append((SoundbankInfo("beeps", "a tone"), Beeps))
    offers.append((TaskInfo("kitchen", "A kitchen"), lambda: path))
    return path


def test_draw_then_render(cli, task, tmp_path, monkeypatch):
    drawn = cli("soundscapes", "generate", task)
    assert drawn.code == 0
    assert drawn.out.startswith("test: 3 clips, another draw than before, sha256 ")
    sha256 = drawn.out.split()[-1]
    assert sha256 in task.read_text()
    assert len(read_index(task.with_name("test.csv"), sha256)) == 3
    assert "the same draw as before" in cli("soundscapes", "generate", "kitchen").out

    rendered = cli("soundscapes", "render", "--task", "kitchen", "--limit", "2", "--jobs", "1")
    assert (rendered.code, rendered.out) == (0, "test: 2 clips ready\n")
    assert rendered.err.startswith("render kitchen test: 2 of 2 in ")
    assert len(list((tmp_path / "cache").rglob("*.flac"))) == 2


def test_rendering_needs_the_index(cli, task):
    answer = cli("soundscapes", "render", "--task", "kitchen")
    assert (answer.code, answer.out) == (4, "") and "test.csv" in answer.err


def test_the_truth_goes_to_a_file_that_evaluate_takes(cli, task, tmp_path):
    assert cli("soundscapes", "generate", task).code == 0
    path = tmp_path / "truth.tsv"
    answer = cli("soundscapes", "truth", "--task", "kitchen", path)
    assert answer == (0, f"{path}: 3 clips, 3 events; durations in truth.durations.tsv\n", "")
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    assert rows[0] == ["filename", "onset", "offset", "event_label"]
    assert [row[0] for row in rows[1:]] == [f"test-000{i}.wav" for i in range(3)]
    assert all(float(row[2]) - float(row[1]) == pytest.approx(0.5) for row in rows[1:])
    scored = cli("evaluate", path, "--truth", path, "--json")  # events, scored against themselves
    assert scored.code == 0 and '"predicted": 3' in scored.out


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("generate", "kitchn"), 2, "unknown task 'kitchn'"),
        (("generate", "no/such.toml"), 2, "there is no task file no/such.toml"),
        (("generate", "kitchen", "--count", "0"), 2, "--count must be at least 1, got 0"),
        (("generate", "kitchen", "--split", "tets"), 2, "unknown value of --split: 'tets'"),
        (("generate", "kitchen", "--split", "train"), 2, "task 'kitchen' has no train split"),
        (("render",), 2, "missing option"),
        (("truth", "--task", "kitchen", "--split", "train", "t.tsv"), 2, "task 'kitchen' has no"),
    ],
)
def test_bad_input(args, code, message, cli, task):
    before = task.read_text()
    answer = cli("soundscapes", *args)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(f"error: {message}") and answer.err.count("\n") == 2
    assert task.read_text() == before and not task.with_name("test.csv").exists()


def test_without_arguments_it_prints_its_help(cli):
    answer = cli("soundscapes")
    assert answer.code == 0 and "generate" in answer.out and "render" in answer.out
