"""The truth of a task's clips as events: what the frames say, in the files that others read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedbench import runner, score_files
from sedbench.cli import main
from sedbench.data.annotations import Annotation, read
from sedbench.data.cache import iter_rendered
from sedbench.data.render import covered
from sedbench.data.score_tables import read_durations
from sedbench.data.soundscape import Excerpt, Soundscape
from sedbench.data.truth import _stretches, true_events
from sedbench.errors import DataError
from sedbench.taskfile import load_task
from sedbench.types import Event
from sedbench_plugins.baselines import ORACLE, Oracle

World = Any  # of conftest.py


def framed(task: Any, told: Annotation) -> np.ndarray:
    """Frames in which events cover at least half, by class."""
    spans = [
        [(event.onset, event.offset) for event in told.events if event.label == label]
        for label in task.classes
    ]
    return np.array([covered(each, task.grid) for each in spans])


@pytest.mark.parametrize("truth", ["extent", "activity"])
def test_the_events_are_those_of_the_frames(world: World, truth: Any) -> None:
    task = replace(load_task(world.task), truth=truth)
    told = true_events(task, "test", world.bank)
    assert [each.file for each in told] == [f"test-{i:04d}" for i in range(12)]
    for each, clip in zip(told, iter_rendered(task, "test", world.bank), strict=True):
        assert each.duration == 1.0
        np.testing.assert_array_equal(framed(task, each), getattr(clip, truth), each.file)


def test_extents_are_exact_and_need_no_sounds(world: World) -> None:
    def silent() -> Any:
        raise AssertionError("the soundbank was asked")

    task = load_task(world.task)
    told = true_events(task, "test", silent, only=["test-0004"], name=lambda clip: f"{clip}.wav")
    (clip,) = [clip for clip in task.clips("test") if clip.id == "test-0004"]
    assert isinstance(clip, Soundscape)
    assert [each.file for each in told] == ["test-0004.wav"]
    expected = sorted((e.event_time, e.event_time + e.event_duration, e.label) for e in clip.events)
    assert [(e.onset, e.offset, e.label) for e in told[0].events] == expected


class Meeting:
    """A recording in which somebody spoke."""

    name = "meeting"

    def events(self, recording_id: str) -> tuple[Event, ...]:
        assert recording_id == "room.wav"
        return (Event(1.0, 4.0, "Low"), Event(5.0, 5.5, "High"), Event(5.2, 9.0, "Chair"))

    def regions(self, recording_id: str) -> Any:
        raise NotImplementedError

    def recordings(self) -> Any:
        raise NotImplementedError

    def audio(self, recording_id: str, sample_rate: int) -> Any:
        raise NotImplementedError

    def fingerprint(self) -> str:
        raise NotImplementedError


class Cut:
    """As much of a task as its truth needs."""

    truth, classes, soundbank = "extent", ("Low", "High"), "meeting"

    def clips(self, split: str) -> tuple[Excerpt, ...]:
        return tuple(Excerpt(f"test-{i:04d}", "test", "room.wav", 2.0 * i, 2.0) for i in range(4))


def test_windows_of_recordings_are_cut_from_their_annotation() -> None:
    task: Any = Cut()
    told = true_events(task, "test", Meeting)
    assert [each.events for each in told] == [
        (Event(1.0, 2.0, "Low"),),
        (Event(0.0, 2.0, "Low"),),
        (Event(1.0, 1.5, "High"),),  # the chair is no class of the task
        (),
    ]
    with pytest.raises(DataError, match="no annotated recordings"):
        true_events(task, "test", object)  # type: ignore[arg-type]


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_stretches_are_the_runs(row: list[bool]) -> None:
    again = np.zeros(len(row), bool)
    found = list(_stretches(np.array(row)))
    for first, end in found:
        assert not again[max(first - 1, 0) : end].any()  # runs neither overlap nor touch
        again[first:end] = True
    assert again.tolist() == row


def test_files_read_back_silent_clips_too(tmp_path: Path) -> None:
    names = [score_files.recording_name(clip) for clip in ("test-0", "a/b.c", "quiet")]
    told = [Annotation(names[0], (Event(0.125, 1.0, "Dog"),), 2.0)]
    told += [Annotation(names[1], (Event(0.5, 0.75, "Cat"),), 2.5), Annotation(names[2], (), 1.0)]
    path = score_files.truth_file(tmp_path, "yard")
    assert path == tmp_path / "yard" / "ground_truth.tsv"
    assert score_files.write_truth(path, told) == tmp_path / "yard" / "durations.tsv"
    assert {each.file: each.events for each in read(path)} == {a.file: a.events for a in told}
    assert read_durations(path.with_name("durations.tsv")) == {
        **{"test-0": 2.0, "a%2Fb.c": 2.5, "quiet": 1.0}  # as the score tables are called
    }
    own = score_files.write_truth(tmp_path / "mine.tsv", told)
    assert own == tmp_path / "mine.durations.tsv"
    assert score_files.truth_file(tmp_path, "yard", 5) != path


def test_what_a_run_saves_is_what_evaluate_takes(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    info = replace(ORACLE, name="seer", kind="detector")
    seer = replace(world.method(Oracle, "seer"), info=info)
    scores = world.folder / "scores"
    runner.run(world.work(seer, scores=scores, limit=7))
    (folder,) = (scores / "tones").glob("*/seer/*")
    truth = scores / "tones" / "ground_truth-limit-7.tsv"
    lasts = truth.with_name("durations-limit-7.tsv")
    capsys.readouterr()
    line = ["evaluate", str(folder), "--truth", str(truth), "--durations", str(lasts), "--json"]
    assert main(line) == 0
    document = json.loads(capsys.readouterr().out)
    (figure,) = [each for each in document["figures"] if each["metric"] == "event_f1"]
    # Frames of 100 ms are within a collar of 200 ms, whatever the times are.
    assert document["clips"] == 7 and figure["micro"] == 1.0
    assert document["events"]["true"] == document["events"]["predicted"] > 0
