"""The frozen index: written in one way, read exactly, errors with file and line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sedbench.data.index import DECIMALS, dumps_index, loads_index, read_index, write_index
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError, HashMismatchError, MissingDataError

GRID = 10**DECIMALS
names = st.text("aZ09é_-. ,;#\"'/", min_size=1, max_size=12)
levels = st.integers(-90 * GRID, 40 * GRID).map(lambda i: i / GRID)


@st.composite
def placements(draw: st.DrawFn) -> Placement:
    onset = draw(st.integers(0, 10 * GRID - 1))
    length = draw(st.integers(1, 10 * GRID - onset))
    start = draw(st.integers(0, 100 * GRID))
    return Placement(
        draw(names), draw(names), start / GRID, onset / GRID, length / GRID, draw(levels)
    )


@st.composite
def splits(draw: st.DrawFn) -> tuple[Soundscape, ...]:
    split = draw(st.sampled_from(["train", "validation", "test", "development"]))
    count = draw(st.integers(0, 4))
    return tuple(
        Soundscape(
            f"{split}-{i:04d}",
            split,
            10.0,
            draw(levels),
            draw(placements()),
            tuple(sorted(draw(st.lists(placements(), max_size=3)), key=lambda p: p.event_time)),
        )
        for i in range(count)
    )


@settings(deadline=None, max_examples=60)
@given(splits())
def test_round_trip_is_exact(soundscapes: tuple[Soundscape, ...]) -> None:
    text = dumps_index(soundscapes)
    assert loads_index(text) == soundscapes
    assert dumps_index(loads_index(text)) == text


def soundscape() -> Soundscape:
    return Soundscape(
        "test-0000",
        "test",
        10.0,
        -52.5,
        Placement("rain", "background/rain/a", 0.0, 0.0, 10.0, 0.0),
        (Placement("Dog", "foreground/Dog/b", 0.25, 3.1, 0.9, 12.5),),
    )


def test_the_text_is_this_text() -> None:
    assert dumps_index([soundscape()]) == (
        "clip,duration,ref_db,role,label,source_file,source_time,event_time,event_duration,snr\n"
        "test-0000,10.0000,-52.5000,background,rain,background/rain/a,"
        "0.0000,0.0000,10.0000,0.0000\n"
        "test-0000,10.0000,-52.5000,foreground,Dog,foreground/Dog/b,"
        "0.2500,3.1000,0.9000,12.5000\n"
    )


def test_negative_zero_is_zero() -> None:
    event = Placement("Dog", "b", 0.0, 0.0, 1.0, -0.00001)
    one = soundscape()
    text = dumps_index([Soundscape(one.id, "test", 10.0, -0.0, one.background, (event,))])
    assert "-0.0000" not in text


def test_write_returns_the_hash_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    sha256 = write_index(path, [soundscape()])
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_index(path, sha256) == (soundscape(),)
    assert [p.name for p in tmp_path.iterdir()] == ["test.csv"]


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    sha256 = write_index(path, [soundscape()])
    path.write_text(path.read_text().replace("3.1000", "3.2000"))
    with pytest.raises(HashMismatchError, match=r"test\.csv") as caught:
        read_index(path, sha256)
    assert caught.value.exit_code == 4 and caught.value.hint


def test_an_absent_file_is_missing_data(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="absent"):
        read_index(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("clip,duration", "clip,length", 1, "columns"),
        (",12.5000\n", "\n", 3, "10 columns, got 9"),
        ("3.1000", "soon", 3, "'soon' is not a number"),
        ("3.1000", "nan", 3, "not finite"),
        ("3.1000", "-3.1000", 3, "negative"),
        ("3.1000", "9.9000", 3, "ends after"),
        ("0.9000", "0.0000", 3, "no length"),
        ("foreground,Dog", "middle,Dog", 3, "middle"),
        (
            "test-0000,10.0000,-52.5000,foreground",
            "test-0001,10.0000,-52.5000,foreground",
            3,
            "begin",
        ),
        ("-52.5000,foreground", "-51.5000,foreground", 3, "ref_db"),
        (
            "test-0000,10.0000,-52.5000,background",
            "probe-0000,10.0000,-52.5000,background",
            2,
            "id",
        ),
    ],
)
def test_an_error_names_file_and_line(old: str, new: str, line: int, what: str) -> None:
    text = dumps_index([soundscape()])
    assert old in text
    with pytest.raises(DataError, match=rf"some\.csv, line {line}: .*{what}"):
        loads_index(text.replace(old, new, 1), "some.csv")


def test_a_clip_that_stands_twice_is_refused() -> None:
    text = dumps_index([soundscape()])
    with pytest.raises(DataError, match=r"line 4: .*twice"):
        loads_index(text + "".join(text.splitlines(keepends=True)[1:]))


def test_events_out_of_order_are_refused() -> None:
    one = soundscape()
    early = Placement("Dog", "c", 0.0, 1.0, 0.5, 3.0)
    text = dumps_index(
        [Soundscape(one.id, "test", 10.0, -52.5, one.background, (*one.events, early))]
    )
    with pytest.raises(DataError, match=r"line 4: .*order"):
        loads_index(text)
