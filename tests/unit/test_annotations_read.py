"""Reading annotations: what each format says, and what is wrong in it with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sedbench.data.annotations import Annotation, merge, read, read_uem, write_uem
from sedbench.errors import DataError, MissingDataError, UnknownNameError, UsageError
from sedbench.types import Event

HEADER = "filename\tonset\toffset\tevent_label\n"


def put(folder: Path, text: str | bytes, name: str = "a.tsv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def events(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(e.onset, e.offset, e.label) for e in annotation.events]


def jams(**changes: Any) -> dict[str, Any]:
    """A JAMS document of two dogs, as other programs write it."""
    data = [
        {"time": 1.0, "duration": 0.5, "value": "Dog", "confidence": None},
        {"time": 4.0, "duration": 1.0, "value": "Dog", "confidence": 1.0},
    ]
    about = {"title": "yard.wav", "duration": 10.0}
    return {
        "annotations": [
            {"namespace": "tag_open", "data": []},
            {"namespace": "segment_open", "data": data},
        ],
        "file_metadata": about,
        "sandbox": {},
        **changes,
    }


def test_merging_joins_what_overlaps_or_touches_within_a_class() -> None:
    given = [
        Event(3.0, 4.0, "Dog"),
        Event(0.0, 2.0, "Dog"),
        Event(1.0, 1.5, "Dog"),  # inside another
        Event(2.0, 2.5, "Dog"),  # touches
        Event(2.6, 2.7, "Dog"),  # does not
        Event(1.0, 3.5, "Cat"),
    ]
    assert merge(given) == (
        Event(0.0, 2.5, "Dog"),
        Event(1.0, 3.5, "Cat"),
        Event(2.6, 2.7, "Dog"),
        Event(3.0, 4.0, "Dog"),
    )
    # 0.1 + 0.2 is a little more than 0.3, in whichever of the two it stands
    assert len(merge([Event(0.0, 0.3, "x"), Event(0.1 + 0.2, 1.0, "x")])) == 1


def test_an_annotation_is_what_it_says() -> None:
    one = Annotation("a", (Event(1.0, 2.0, "Dog"), Event(0.0, 1.5, "Dog")), 2.0)
    assert one.events == (Event(0.0, 2.0, "Dog"),)
    with pytest.raises(ValueError, match="past the recording's 1 s"):
        Annotation("a", one.events, 1.0)
    with pytest.raises(ValueError, match="duration nan"):
        Annotation("a", (), float("nan"))


def test_a_table_of_many_recordings(tmp_path: Path) -> None:
    text = HEADER + "b.wav\t1.5\t2\tDog\na.wav\t\t\t\nb.wav\t0\t1.6\tDog\nb.wav\t1\t2\tCat\n"
    found = read(put(tmp_path, text))
    assert [a.file for a in found] == ["a.wav", "b.wav"]
    assert events(found["a.wav"]) == []
    assert events(found["b.wav"]) == [(0.0, 2.0, "Dog"), (1.0, 2.0, "Cat")]
    assert (found.merged, found.trimmed, found.dropped) == (1, 0, 0)
    with pytest.raises(KeyError):
        found["c.wav"]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + HEADER + "a.wav\t0\t1\tDog\n",
        (HEADER + "a.wav\t0\t1\tDog\n").replace("\n", "\r\n") + "\r\n\r\n  \r\n",
        (HEADER + "a.wav\t0\t1\tDog\n").replace("\n", "\r"),
        "a.wav\t0\t1\tDog",  # no header, and no end of the last line
        "event_label\tconfidence\tonset\toffset\tfilename\nDog\t0.3\t0\t1.0\ta.wav\n",
        HEADER + " a.wav \t+0.0\t1e0\t Dog\n",
        "\n" + HEADER + "\na.wav\t.0\t1.\tDog\n",
    ],
)
def test_spellings_of_the_same_table(tmp_path: Path, text: str) -> None:
    found = read(put(tmp_path, text))
    assert [(a.file, events(a)) for a in found] == [("a.wav", [(0.0, 1.0, "Dog")])]


def test_tables_in_which_nothing_sounds(tmp_path: Path) -> None:
    assert len(read(put(tmp_path, HEADER))) == 0
    for row in ("a.wav\t\t\t", "a.wav"):  # the second, where an editor has been at it
        (only,) = read(put(tmp_path, HEADER + row + "\n"))
        assert only == Annotation("a.wav", ())
    found = read(put(tmp_path, HEADER), files=["x", "y"], durations={"x": 3.0})
    assert list(found) == [Annotation("x", (), 3.0), Annotation("y", ())]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("a.wav\t1,5\t2\tDog", r"line 3: the onset '1,5' has a decimal comma"),
        ("a.wav\tnan\t2\tDog", "line 3: the onset 'nan' is not finite"),
        ("a.wav\t1\tinf\tDog", "line 3: the offset 'inf' is not finite"),
        ("a.wav\t1\t1e999\tDog", "line 3: the offset '1e999' is not finite"),
        ("a.wav\t1\t1_0\tDog", "line 3: the offset '1_0' is not a number"),
        ("a.wav\t1\t٣\tDog", "line 3: the offset .* is not a number"),
        ("a.wav\t-1\t2\tDog", "line 3: the onset -1 s is negative"),
        ("a.wav\t2\t2\tDog", "line 3: the event ends at 2 s"),
        ("a.wav\t2\t1\tDog", "line 3: the event ends at 1 s"),
        ("a.wav\t1\t2\t", "line 3: the label is empty"),
        ("a.wav\t\t2\tDog", "line 3: the onset '' is not a number"),
        ("\t1\t2\tDog", "line 3: the name of the recording is empty"),
        ("\t\t\t", "line 3: the name of the recording is empty"),
        ("a.wav\t1\t2\tDog\tbig", "line 3: 5 fields under 4 columns"),
        ("b.wav\t\t\t", r"line 3: nothing sounds in 'b\.wav' here, but an event is in line 2"),
        ("a.wav\t1\t12\tDog", r"line 3: the event 'Dog' \(1 to 12 s\) ends after 'a\.wav'"),
        ("a.wav\t1\t2\tDgo", "line 3: unknown label 'Dgo'"),
        ("aa.wav\t1\t2\tDog", r"line 3: unknown recording 'aa\.wav'"),
    ],
)
def test_a_row_that_cannot_be_names_file_and_line(tmp_path: Path, row: str, what: str) -> None:
    path = put(tmp_path, HEADER + "b.wav\t0\t1\tDog\n" + row + "\n")
    with pytest.raises(DataError, match=what) as caught:
        read(
            path,
            labels=["Dog", "Cat"],
            files=["a.wav", "b.wav"],
            durations={"a.wav": 10.0},
        )
    assert str(path) in str(caught.value) and caught.value.exit_code == 4


def test_hints_say_what_to_do(tmp_path: Path) -> None:
    def hint(text: str, **options: Any) -> str:
        with pytest.raises(DataError) as caught:
            read(put(tmp_path, text), **options)
        return caught.value.hint

    assert "'Dog'" in hint(HEADER + "a\t0\t1\tDgo\n", labels=["Dog", "Cat"])
    assert "did you mean 'a.wav'" in hint(HEADER + "a.wv\t0\t1\tDog\n", files=["a.wav"])
    assert "1.5" in hint(HEADER + "a\t1,5\t2\tDog\n")
    assert 'clip="trim"' in hint(HEADER + "a\t0\t2\tDog\n", durations={"a": 1.0})
    assert "not by commas" in hint(HEADER.replace("\t", ",") + "a,0,1,Dog\n")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "line 1: the header is missing"),
        ("file\tfrom\tto\tlabel\na\t0\t1\tDog\n", "line 1: expected the columns filename onset"),
        ("filename\tonset\tevent_label\n", "line 1: expected the columns"),
        (HEADER.strip() + "\tonset\n", "line 1: the column 'onset' stands twice"),
        (HEADER.encode() + b"a\t0\t1\tD\xf6g\n", "line 2: byte 0xf6 is not UTF-8"),
        (HEADER.encode("utf-16"), "line 1: byte 0xff is not UTF-8"),
        (HEADER + "a\0\t0\t1\tDog\n", "line 2: a NUL byte"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, text: str | bytes, what: str) -> None:
    with pytest.raises(DataError, match=what):
        read(put(tmp_path, text))


def test_no_file_and_no_such_format(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"absent\.tsv is missing"):
        read(tmp_path / "absent.tsv")
    with pytest.raises(DataError, match="cannot read"):
        read(tmp_path)
    path = put(tmp_path, HEADER)
    with pytest.raises(UnknownNameError, match="unknown annotation format 'rtm'") as caught:
        read(path, "rtm")
    assert "rttm" in caught.value.hint
    with pytest.raises(UsageError, match="clip='cut'"):
        read(path, clip="cut")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="format of these annotations cannot be told"):
        read(put(tmp_path, "something else\n", "a.xyz"))


def test_what_lies_past_the_end_is_trimmed_when_asked_and_counted(tmp_path: Path) -> None:
    rows = "a\t1\t12\tDog\na\t11\t12\tCat\na\t9\t10.0005\tDog\nb\t1\t99\tDog\n"
    path = put(tmp_path, HEADER + rows)
    found = read(path, durations={"a": 10.0}, clip="trim")
    assert events(found["a"]) == [(1.0, 10.0, "Dog")] and found["a"].duration == 10.0
    assert events(found["b"]) == [(1.0, 99.0, "Dog")] and found["b"].duration is None
    assert (found.trimmed, found.dropped, found.merged) == (1, 1, 1)


def test_the_rounding_of_three_decimals_is_no_overrun(tmp_path: Path) -> None:
    path = put(tmp_path, HEADER + "a\t1\t10.0005\tDog\n")
    found = read(path, durations={"a": 10.0})
    assert events(found["a"]) == [(1.0, 10.0, "Dog")] and found.trimmed == 0
    with pytest.raises(DataError, match="line 2: the event"):
        read(path, durations={"a": 9.9999})


def test_turns_of_speakers_or_their_union(tmp_path: Path) -> None:
    text = (
        ";; two meetings\n"
        "SPKR-INFO m1 1 <NA> <NA> <NA> unknown ann <NA> <NA>\n"
        "SPEAKER m1 1 0.1 0.2 <NA> <NA> ann <NA> <NA>\n"
        "SPEAKER  m1\t2 0.3 1.7 <NA> <NA> bob <NA>\n"
        "SPEAKER m2 1 5 1 <NA> <NA> ann <NA> <NA>\n\n"
    )
    path = put(tmp_path, text, "turns.rttm")
    union = read(path)
    assert events(union["m1"]) == [(0.1, 2.0, "Speech")] and union.merged == 1
    assert events(union["m2"]) == [(5.0, 6.0, "Speech")]
    named = read(path, speaker_label=None)
    assert events(named["m1"]) == [(0.1, 0.3, "ann"), (0.3, 2.0, "bob")]
    assert events(read(path, speaker_label="talk", labels=["talk"])["m2"]) == [(5.0, 6.0, "talk")]
    assert len(read(path, files=["m1", "m2", "m3"])) == 3


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("SPEKER m 1 0 1 <NA> <NA> ann <NA> <NA>", "line 2: unknown type 'SPEKER'"),
        ("SPEAKER m 1 0 1 <NA> <NA> ann", "line 2: a turn has 9 or 10 fields, this one 8"),
        ("SPEAKER m 1 0 0 <NA> <NA> ann <NA> <NA>", "line 2: the duration 0 s is not positive"),
        ("SPEAKER m 1 -1 2 <NA> <NA> ann <NA> <NA>", "line 2: the onset -1 s is negative"),
        ("SPEAKER m 1 0,5 2 <NA> <NA> ann <NA> <NA>", "line 2: the onset '0,5' has a decimal"),
        ("SPEAKER m 1 0 2 <NA> <NA> <NA> <NA> <NA>", "line 2: the speaker has no name"),
    ],
)
def test_turns_that_cannot_be(tmp_path: Path, line: str, what: str) -> None:
    good = "SPEAKER m 1 0 1 <NA> <NA> ann <NA> <NA>\n"
    with pytest.raises(DataError, match=rf"turns\.rttm, {what}"):
        read(put(tmp_path, good + line + "\n", "turns.rttm"), speaker_label=None)


def test_annotated_stretches(tmp_path: Path) -> None:
    path = put(tmp_path, ";; c\nm2 1 0 5\nm1 NA 4 6\nm1 1 0.000 5.000\n", "a.uem")
    assert read_uem(path) == {"m1": ((0.0, 6.0),), "m2": ((0.0, 5.0),)}
    write_uem(tmp_path / "b.uem", {"m2": [(0, 5)], "m1": [(0, 1), (2, 3.25)]})
    assert (
        tmp_path / "b.uem"
    ).read_text() == "m1 1 0.000 1.000\nm1 1 2.000 3.250\nm2 1 0.000 5.000\n"
    for line, what in [("m 1 0", "4 fields"), ("m 1 2 1", "ends at 1 s"), ("m 1 x 1", "'x'")]:
        with pytest.raises(DataError, match=rf"a\.uem, line 1: .*{what}"):
            read_uem(put(tmp_path, line, "a.uem"))


def test_label_tracks_with_and_without_frequencies(tmp_path: Path) -> None:
    text = "1.0\t2.5\tDog barks\n\\\t200.0\t4000.0\n0.0\t1.0\tCat\n"
    (track,) = read(put(tmp_path, text, "yard.txt"))
    assert (track.file, events(track)) == ("yard", [(0.0, 1.0, "Cat"), (1.0, 2.5, "Dog barks")])
    (track,) = read(put(tmp_path, text, "yard.txt"), recording="yard.wav")
    assert track.file == "yard.wav"
    (track,) = read(put(tmp_path, "", "quiet.txt"))
    assert track == Annotation("quiet", ())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1.0\t2.0\n", "line 1: expected onset, offset and label"),
        ("1.0 2.0 Dog\n", "line 1: expected onset, offset and label"),
        ("0\t1\tDog\n1.0\t1.0\tDog\n", "line 2: the event ends at 1 s"),
        ("0\t1\tDog\n\n1,0\t1,5\tDog\n", "line 3: the onset '1,0' has a decimal comma"),
        ("0\t1\t \n", "line 1: the label is empty"),
        ("\\\t200\t4000\n", "line 1: a frequency range without a label"),
    ],
)
def test_label_tracks_that_cannot_be(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(DataError, match=rf"yard\.txt, {what}"):
        read(put(tmp_path, text, "yard.txt"))


def test_jams_of_three_namespaces(tmp_path: Path) -> None:
    (found,) = read(put(tmp_path, json.dumps(jams()), "x.jams"))
    assert found.file == "yard.wav" and found.duration == 10.0
    assert events(found) == [(1.0, 1.5, "Dog"), (4.0, 5.0, "Dog")]
    data = [
        {"time": 0.0, "duration": 10.0, "value": {"label": "rain", "role": "background"}},
        {"time": 0.1, "duration": 0.2, "value": {"label": "Dog", "role": "foreground"}},
    ]
    for namespace in ("scaper", "sound_event"):
        document = jams(annotations=[{"namespace": namespace, "data": data}])
        document["file_metadata"]["title"] = ""
        (found,) = read(put(tmp_path, json.dumps(document), "x.jams"), labels=["Dog"])
        assert found == Annotation("x", (Event(0.1, 0.3, "Dog"),), 10.0)


def test_jams_errors_name_the_line(tmp_path: Path) -> None:
    document = jams()
    observation = document["annotations"][1]["data"][1]
    for change, what in [
        ({"time": -1.0}, "the onset -1 s is negative"),
        ({"time": "4"}, "the time '4' is not a number"),
        ({"time": float("nan")}, "the time nan is not finite"),
        ({"duration": True}, "the duration True is not a number"),
        ({"duration": None}, "the duration None is not a number"),
        ({"duration": 0}, "the event ends at 4 s"),
        ({"duration": 7.0}, "ends after 'yard.wav'"),
        ({"value": 3}, "the observation has the label 3"),
        ({"value": "Dgo"}, "unknown label 'Dgo'"),
    ]:
        kept = dict(observation)
        observation.update(change)
        text = json.dumps(document, indent=1)
        observation.update(kept)
        # Second of its list; found without the reader's help: the last line before its "time".
        at = [i for i, line in enumerate(text.splitlines(), 1) if '"time"' in line][1] - 1
        with pytest.raises(DataError, match=rf"x\.jams, line {at}: .*{what}"):
            read(put(tmp_path, text, "x.jams"), labels=["Dog"])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"annotations": [}\n', "line 1: not JSON"),
        ('{"annotations":\n [],,}\n', "line 2: not JSON"),
        ("[]", "line 1: expected a JSON object"),
        ('{"annotations": []}', "line 1: expected the table 'file_metadata'"),
        (json.dumps(jams(annotations=[])), "expected one annotation .* got 0"),
        (json.dumps(jams(annotations=jams()["annotations"] * 2)), "got 2"),
        (json.dumps(jams(annotations=[{"namespace": "scaper", "data": {}}])), "is no list"),
        (json.dumps(jams(annotations=[{"namespace": "scaper", "data": [1]}])), "not a table"),
        (json.dumps(jams(file_metadata={"title": 3})), "the title 3 is not a name"),
        (json.dumps(jams(file_metadata={"duration": 0})), "the duration 0 s is not positive"),
        ('{"annotations": ' * 100_000, "nested too deeply"),
    ],
)
def test_files_that_are_no_jams(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(DataError, match=rf"x\.jams, .*{what}"):
        read(put(tmp_path, text, "x.jams"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.dat", HEADER + "x\t0\t1\tSpeech\n"),
        ("a.txt", HEADER + "x\t0\t1\tSpeech\n"),
        ("a.txt", "x\t0\t1\tSpeech\n"),
        ("a.txt", "SPEAKER x 1 0 1 <NA> <NA> ann <NA> <NA>\n"),
        ("x.txt", "0\t1\tSpeech\n"),
        ("x.lab", "0\t1\tSpeech\n"),
        (
            "x.json",
            json.dumps(
                jams(
                    annotations=[
                        {
                            "namespace": "segment_open",
                            "data": [{"time": 0, "duration": 1, "value": "Speech"}],
                        }
                    ],
                    file_metadata={},
                )
            ),
        ),
    ],
)
def test_the_format_is_told_by_the_first_line(tmp_path: Path, name: str, text: str) -> None:
    (found,) = read(put(tmp_path, text, name))
    assert found == Annotation("x", (Event(0.0, 1.0, "Speech"),))
