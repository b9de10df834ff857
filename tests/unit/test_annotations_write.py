"""Writing annotations: what was written reads back the same, or is refused."""

from __future__ import annotations

import json
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sedbench.data.annotations import Annotation, read, write
from sedbench.errors import DataError, UnknownNameError, UsageError
from sedbench.types import Event

DURATION = 100.0
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
LABELS = st.sampled_from(["Dog", "Cat", "Running_water", "Säge", "<b>", ";;"])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Anything from two microseconds on, on no grid."""
    onset = draw(st.floats(0, DURATION - 1, allow_subnormal=False))
    length = draw(st.floats(2e-6, 1.0))
    return Event(onset, onset + length, draw(LABELS))


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    return Annotation(draw(NAMES), tuple(draw(st.lists(events(), max_size=6))), DURATION)


SETS = st.lists(annotations(), min_size=1, max_size=4, unique_by=lambda a: a.file)


def assert_same(before: Annotation, after: Annotation) -> None:
    """The same events to a microsecond; two that are closer than that may have become one."""
    for label in {e.label for e in before.events}:
        spans = [(e.onset, e.offset) for e in before.events if e.label == label]
        assume(all(right[0] - left[1] > 2e-6 for left, right in pairwise(spans)))
        found = [(e.onset, e.offset) for e in after.events if e.label == label]
        assert len(found) == len(spans)
        for was, now in zip(spans, found, strict=True):
            assert now == pytest.approx(was, abs=1e-6)
    assert {e.label for e in before.events} == {e.label for e in after.events}
    assert before.file == after.file and before.duration == after.duration


@settings(max_examples=60, deadline=None)
@given(SETS)
def test_a_table_reads_back(given_: list[Annotation]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tsv"
        write(path, given_)
        found = read(path, durations={a.file: DURATION for a in given_})
        assert len(found) == len(given_) and found.trimmed == found.dropped == 0
        for before in given_:
            assert_same(before, found[before.file])
        text = path.read_bytes()
        write(path, found)
        assert path.read_bytes() == text  # read and written again it is the same file


@settings(max_examples=60, deadline=None)
@given(SETS)
def test_turns_read_back_with_the_stretches_that_name_silent_recordings(
    given_: list[Annotation],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, uem = Path(folder) / "a.rttm", Path(folder) / "a.uem"
        write(path, given_, uem=uem)
        found = read(
            path,
            speaker_label=None,
            files=[a.file for a in given_],
            durations={a.file: DURATION for a in given_},
        )
        for before in given_:
            assert_same(before, found[before.file])
        assert uem.read_text().count(" 1 0.000 100.000\n") == len(given_)


@settings(max_examples=60, deadline=None)
@given(annotations())
def test_files_of_one_recording_read_back(one: Annotation) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "a.jams", one)
        (found,) = read(Path(folder) / "a.jams")
        assert_same(one, found)
        write(Path(folder) / "a.txt", one)
        (found,) = read(Path(folder) / "a.txt", recording=one.file, durations={one.file: DURATION})
        assert_same(one, found)


@settings(max_examples=100, deadline=None)
@given(file=st.text(max_size=6), label=st.text(max_size=6))
def test_any_name_reads_back_or_is_refused(file: str, label: str) -> None:
    one = Annotation(file, (Event(1.0, 2.0, label),), DURATION)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.tsv", "a.rttm", "a.txt", "a.jams"):
            path = Path(folder) / name
            try:
                write(path, one)
            except DataError:
                assert not path.exists()
                continue
            recording = file if name == "a.txt" and file else None
            (found,) = read(path, speaker_label=None, recording=recording)
            assert found.events == one.events
            assert found.file == (file or "a")


def test_the_spelling(tmp_path: Path) -> None:
    given_ = [
        Annotation("b", (Event(0.25, 1.123456, "Dog"), Event(0.0, 3.0, "Cat")), 4.0),
        Annotation("a", (), 4.0),
    ]
    write(tmp_path / "x.tsv", given_)
    assert (tmp_path / "x.tsv").read_text() == (
        "filename\tonset\toffset\tevent_label\n"
        "a\t\t\t\nb\t0.000\t3.000\tCat\nb\t0.250\t1.123456\tDog\n"
    )
    write(tmp_path / "x.rttm", given_[0])
    assert (tmp_path / "x.rttm").read_text() == (
        "SPEAKER b 1 0.000 3.000 <NA> <NA> Cat <NA> <NA>\n"
        "SPEAKER b 1 0.250 0.873456 <NA> <NA> Dog <NA> <NA>\n"
    )
    write(tmp_path / "x.txt", given_[0], "audacity")
    assert (tmp_path / "x.txt").read_text() == "0.000\t3.000\tCat\n0.250\t1.123456\tDog\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.rttm", "x.tsv", "x.txt"]


def test_the_ends_of_what_was_rounded_up_fit(tmp_path: Path) -> None:
    end = 1.2345678
    one = Annotation("a", (Event(0.1, end, "Dog"),), end)
    for name in ("x.jams", "x.tsv", "x.rttm", "x.txt"):
        write(tmp_path / name, one)
        (found,) = read(tmp_path / name, durations={"a": end}, speaker_label="Dog", recording="a")
        assert found.events[0].offset == pytest.approx(end, abs=1e-6)
    (found,) = read(tmp_path / "x.jams")
    assert found.duration == pytest.approx(end, abs=1e-6)


def test_the_jams_package_accepts_what_is_written(tmp_path: Path) -> None:
    schema = pytest.importorskip("jams.schema")
    import jsonschema

    write(tmp_path / "x.jams", Annotation("x.wav", (Event(0.1, 0.3, "Dog"),), 10.0))
    document = json.loads((tmp_path / "x.jams").read_text())
    jsonschema.Draft4Validator(schema.JAMS_SCHEMA).validate(document)
    namespaced = schema.namespace_array(document["annotations"][0]["namespace"])
    jsonschema.Draft4Validator(namespaced).validate(document["annotations"][0]["data"])
    assert document["annotations"][0]["data"] == [
        {"time": 0.1, "duration": 0.2, "value": "Dog", "confidence": None}
    ]


def test_what_a_format_has_no_room_for_is_refused(tmp_path: Path) -> None:
    dog = (Event(0.0, 1.0, "Dog"),)
    two = [Annotation("a", dog), Annotation("b", dog)]
    for name, given_, what in [
        ("x.txt", two, "one recording, not 2"),
        ("x.jams", two, "one recording, not 2"),
        ("x.jams", two[:1], "asks for the duration of 'a'"),
        ("x.rttm", [Annotation("a", ())], "cannot say that nothing sounds in 'a'"),
        ("x.rttm", [Annotation("a b", dog)], "recording 'a b' cannot be written"),
        ("x.rttm", [Annotation("a", (Event(0, 1, "<NA>"),))], "<NA>"),
        ("x.tsv", [Annotation("a\tb", dog)], "cannot be written"),
        ("x.tsv", [Annotation("a", (Event(0, 1, "D\n"),))], "the label .* cannot be written"),
        ("x.tsv", [Annotation("a", (Event(1, 1 + 1e-8, "D"),))], "shorter than a microsecond"),
    ]:
        with pytest.raises(DataError, match=what):
            write(tmp_path / name, given_)
    with pytest.raises(DataError, match="UEM file needs the duration of 'a'"):
        write(tmp_path / "x.rttm", two, uem=tmp_path / "x.uem")
    with pytest.raises(UsageError, match="belongs to RTTM"):
        write(tmp_path / "x.tsv", two, uem=tmp_path / "x.uem")
    with pytest.raises(UsageError, match="'a' stands twice"):
        write(tmp_path / "x.tsv", [two[0], two[0]])
    with pytest.raises(UnknownNameError, match=r"annotation format '\.xyz'"):
        write(tmp_path / "x.xyz", two)
    assert list(tmp_path.iterdir()) == []  # a refusal leaves nothing behind


def test_a_file_that_was_there_stays_when_the_new_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    write(path, Annotation("a", ()))
    before = path.read_bytes()
    with pytest.raises(DataError):
        write(path, Annotation("a", (Event(0, 1, "\t"),)))
    assert path.read_bytes() == before
