"""Windows of annotated recordings as a frozen index."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sedbench.data.cutting import cut
from sedbench.data.excerpts import read_excerpts, write_excerpts
from sedbench.data.recordings import AnnotatedBank
from sedbench.data.soundbank import Recording
from sedbench.data.soundscape import Excerpt
from sedbench.errors import DataError, HashMismatchError, MissingDataError


class Meetings(AnnotatedBank):
    """Recordings of given lengths, with their folds; no file behind them."""

    def __init__(
        self, lengths: dict[str, float], folds: dict[str, int], begin: float = 0.0
    ) -> None:
        self.name, self.lengths, self.dealt, self.begin = "meetings", lengths, folds, begin

    def recordings(self) -> list[Recording]:
        return [
            Recording(name, "recording", "", "test", length, name)
            for name, length in sorted(self.lengths.items())
        ]

    def folds(self) -> dict[str, int]:
        return self.dealt

    def regions(self, recording_id: str) -> tuple[tuple[float, float], ...]:
        return ((self.begin, self.lengths[recording_id]),)


def task(folds: int = 0, hop: float = 10.0) -> Any:
    return SimpleNamespace(folds=folds, hop=hop, duration=10.0)


def test_windows_follow_each_other_and_folds_lie_together() -> None:
    bank = Meetings({"a": 25.0, "b": 20.0, "c": 20.5}, {"a": 1, "b": 0, "c": 2})
    found = cut(task(3), bank, "test")
    assert [(e.id, e.recording, e.start) for e in found] == [
        ("test-0000", "b", 0.0),
        ("test-0001", "b", 10.0),
        ("test-0002", "a", 0.0),
        ("test-0003", "a", 10.0),
        ("test-0004", "c", 0.0),
        ("test-0005", "c", 10.0),
    ]


def test_a_short_recording_gives_one_window_and_a_shorter_one_none() -> None:
    found = cut(task(), Meetings({"a": 9.5, "b": 4.9, "c": 10.0}, {}), "test")
    assert [(e.recording, e.start) for e in found] == [("a", 0.0), ("c", 0.0)]
    overlapping = cut(task(hop=5.0), Meetings({"c": 20.0}, {}), "test")
    assert [e.start for e in overlapping] == [0.0, 5.0, 10.0]


def test_no_window_begins_before_its_stretch() -> None:
    found = cut(task(), Meetings({"a": 40.0}, {}, begin=12.34562), "test")
    assert [e.start for e in found] == [12.3457, 22.3457]


@pytest.mark.parametrize(
    ("lengths", "folds", "message"),
    [
        ({"a": 20.0, "b": 10.0, "c": 10.0}, {"a": 0, "b": 1, "c": 2}, "2, 1, 1 windows"),
        ({"a": 10.0, "b": 10.0}, {"a": 0, "b": 1}, "1, 1, 0 windows"),
        ({"a": 10.0, "b": 10.0, "c": 10.0}, {"a": 0, "b": 1}, "'c' .*none of 3 folds"),
        ({"a": 2.0}, {"a": 0}, "no window"),
    ],
)
def test_what_cannot_be_dealt_is_said(
    lengths: dict[str, float], folds: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        cut(task(3), Meetings(lengths, folds), "test")


def test_isolated_sounds_cannot_be_cut() -> None:
    with pytest.raises(DataError, match="no annotated recordings"):
        cut(task(), SimpleNamespace(name="sounds"), "test")  # type: ignore[arg-type]


TWO = (
    Excerpt("test-0000", "test", "a/b.flac", 0.0, 10.0),
    Excerpt("test-0001", "test", "a/b.flac", 7.5, 10.0),
)


def test_an_index_is_written_in_one_way(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    digest = write_excerpts(path, TWO)
    assert read_excerpts(path, digest) == TWO
    before = path.read_bytes()
    assert write_excerpts(path, read_excerpts(path)) == digest and path.read_bytes() == before
    with pytest.raises(HashMismatchError, match=r"test\.csv"):
        read_excerpts(path, "0" * 64)
    with pytest.raises(MissingDataError, match="missing"):
        read_excerpts(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clip,", "klip,", "line 1: expected the columns"),
        ("test-0001", "test-0000", "line 3: the clip 'test-0000' stands twice"),
        ("test-0001", "other-1", "line 3: the clip id"),
        ("7.5000", "-1.0", "line 3: .*cannot be"),
        ("7.5000", "nan", "line 3: 'nan' is not finite"),
        ("7.5000", "late", "line 3: 'late' is not a number"),
        ("7.5000,", "", "line 3: expected 4 columns, got 3"),
        ("test-0001,a/b.flac", "test-0001,", "line 3: the recording is empty"),
    ],
)
def test_a_row_that_cannot_be_names_file_and_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "test.csv"
    write_excerpts(path, TWO)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        read_excerpts(path)
