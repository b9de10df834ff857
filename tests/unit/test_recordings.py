"""Annotated recordings: a bank of them, windows cut from them, and the meetings' own bank."""

from __future__ import annotations

import csv
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sedbench.data.folder import sha256_of
from sedbench.data.recordings import AnnotatedBank, Window, excerpt, windows
from sedbench.data.soundbank import Recording, Soundbank
from sedbench.data.windows import AnnotatedSoundbank
from sedbench.errors import DataError, HashMismatchError, MissingDataError, UsageError
from sedbench.types import Event, FrameGrid
from sedbench_plugins import ami

RATE = 8000
GRID = FrameGrid(2.0)
COLUMNS = ["kind", "file", "sha256", "duration", "group", "split", "fold", "licence"]
TURNS = """\
SPEAKER yard 1 0.5 1.0 <NA> <NA> ann <NA> <NA>
SPEAKER yard 1 1.2 1.8 <NA> <NA> bob <NA> <NA>
SPEAKER hall 1 1.93 0.04 <NA> <NA> ann <NA> <NA>
SPEAKER hall 1 3.0 0.3 <NA> <NA> bob <NA> <NA>
"""
REGIONS = "yard 1 0 6\nhall 1 0 4\n"
Row = dict[str, str]


def tone(seconds: float, hertz: float = 440.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def row(root: Path, kind: str, file: str, **more: str) -> Row:
    return {"kind": kind, "file": file, "sha256": sha256_of(root / file), **more}


def make(folder: Path, turns: str = TURNS, regions: str | None = REGIONS) -> list[Row]:
    """Two recordings of 6 s, turns and annotated stretches; the rows of their manifest."""
    root = folder / "files"
    (root / "audio").mkdir(parents=True)
    rows = []
    for name, hertz, group in (("hall", 300.0, "g1"), ("yard", 500.0, "g2")):
        soundfile.write(str(root / "audio" / f"{name}.flac"), tone(6.0, hertz), RATE)
        rows.append(row(root, "recording", f"audio/{name}.flac", duration="6.0", group=group))
    (root / "turns.rttm").write_text(turns)
    rows.append(row(root, "annotations", "turns.rttm"))
    if regions is not None:
        (root / "all.uem").write_text(regions)
        rows.append(row(root, "regions", "all.uem"))
    return rows


def bank(folder: Path, rows: list[Row], **options: Any) -> AnnotatedBank:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return AnnotatedBank("toy", folder / "files", path, fetch="sedbench fetch toy", **options)


@pytest.fixture
def toy(tmp_path: Path) -> AnnotatedBank:
    return bank(tmp_path, make(tmp_path))


def test_annotated_recordings_are_a_soundbank(toy: AnnotatedBank) -> None:
    assert isinstance(toy, Soundbank) and isinstance(toy, AnnotatedSoundbank)
    hall, yard = toy.recordings()
    assert (hall.id, hall.role, hall.label, hall.split) == (
        "audio/hall.flac", "recording", "", "test",
    )  # fmt: skip
    assert (yard.group, yard.duration) == ("g2", 6.0) and toy.recording(yard.id) is yard
    audio = toy.audio(yard.id, RATE)
    np.testing.assert_allclose(audio, tone(6.0, 500.0), atol=1e-4)
    assert toy.audio(yard.id, RATE // 2).shape == (6 * RATE // 2,)


def test_events_are_merged_and_within_the_recording(toy: AnnotatedBank) -> None:
    assert toy.events("audio/yard.flac") == (Event(0.5, 3.0, "Speech"),)
    assert [e.onset for e in toy.events("audio/hall.flac")] == [1.93, 3.0]
    assert toy.regions("audio/hall.flac") == ((0.0, 4.0),)
    assert toy.annotations.merged == 1
    for ask in (toy.events, toy.regions, partial(toy.audio, sample_rate=RATE)):
        with pytest.raises(DataError, match="'toy' has no recording 'hall'"):
            ask("hall")


def test_what_no_annotation_names_has_no_events(tmp_path: Path) -> None:
    toy = bank(tmp_path, make(tmp_path, TURNS.replace("hall", "yard"), regions=None))
    assert toy.events("audio/hall.flac") == ()
    assert toy.regions("audio/hall.flac") == ((0.0, 6.0),)


def test_how_annotations_are_read_is_up_to_the_bank(tmp_path: Path) -> None:
    rows = make(tmp_path, TURNS + "SPEAKER yard 1 5 9 <NA> <NA> bob <NA> <NA>\n")
    with pytest.raises(DataError, match=r"turns\.rttm, line 5: .* ends after 'yard'"):
        bank(tmp_path, rows).events("audio/yard.flac")
    trimmed = bank(tmp_path, rows, clip="trim", speaker_label=None)
    assert trimmed.events("audio/yard.flac")[-1] == Event(5.0, 6.0, "bob")
    assert trimmed.annotations.trimmed == 1
    with pytest.raises(DataError, match=r"line 1: unknown label 'Speech'"):
        bank(tmp_path, rows, labels=["Dog"]).events("audio/yard.flac")


@pytest.mark.parametrize(
    "table",
    [
        "filename\tonset\toffset\tevent_label\naudio/yard.flac\t0\t1\tSpeech\n",
        "filename\tonset\toffset\tevent_label\nyard.flac\t0\t1\tSpeech\n",
        "filename\tonset\toffset\tevent_label\naudio/yard\t0\t1\tSpeech\n",
    ],
)
def test_a_recording_answers_to_several_names(tmp_path: Path, table: str) -> None:
    rows = make(tmp_path)[:2]
    (tmp_path / "files" / "a.tsv").write_text(table)
    toy = bank(tmp_path, [*rows, row(tmp_path / "files", "annotations", "a.tsv")])
    assert toy.events("audio/yard.flac") == (Event(0.0, 1.0, "Speech"),)


def test_label_tracks_are_named_like_their_recordings(tmp_path: Path) -> None:
    rows = make(tmp_path)[:2]
    root = tmp_path / "files"
    for name, text in (("yard", "0\t1\tDog\n"), ("hall", "")):
        (root / f"{name}.txt").write_text(text)
        rows.append(row(root, "annotations", f"{name}.txt"))
    toy = bank(tmp_path, rows)
    assert toy.events("audio/yard.flac") == (Event(0.0, 1.0, "Dog"),)
    assert toy.events("audio/hall.flac") == ()


def test_annotations_of_nothing_and_annotations_of_two(tmp_path: Path) -> None:
    rows = make(tmp_path, TURNS + "SPEAKER yrd 1 0 1 <NA> <NA> bob <NA> <NA>\n")
    with pytest.raises(DataError, match=r"line 5: unknown recording 'yrd'") as caught:
        bank(tmp_path, rows).events("audio/yard.flac")
    assert "'yard'" in caught.value.hint
    rows = make(tmp_path / "2")
    again = tmp_path / "2" / "files" / "again.rttm"
    again.write_text(TURNS)
    rows.append(row(again.parent, "annotations", again.name))
    with pytest.raises(DataError, match=r"'audio/hall\.flac' is annotated twice"):
        bank(tmp_path / "2", rows).events("audio/yard.flac")
    for i, (regions, what) in enumerate(
        [("yard 1 0 7\n", "ends at 7 s, past"), ("yrd 1 0 1\n", "unknown recording 'yrd'")]
    ):
        rows = make(tmp_path / f"r{i}", regions=regions)
        with pytest.raises(DataError, match=what):
            bank(tmp_path / f"r{i}", rows).regions("audio/yard.flac")


def test_two_recordings_of_one_name_answer_to_their_paths_alone(tmp_path: Path) -> None:
    rows = make(tmp_path)
    other = tmp_path / "files" / "more"
    other.mkdir()
    soundfile.write(str(other / "yard.flac"), tone(1.0), RATE)
    rows.append(row(tmp_path / "files", "recording", "more/yard.flac", duration="1", group="g3"))
    with pytest.raises(DataError, match=r"turns\.rttm, line 1: unknown recording 'yard'"):
        bank(tmp_path, rows).events("more/yard.flac")


def test_wrong_and_missing_files(tmp_path: Path, toy: AnnotatedBank) -> None:
    with (toy.root / "turns.rttm").open("a") as file:
        file.write("\n")
    with pytest.raises(HashMismatchError, match=r"turns\.rttm has sha256"):
        toy.events("audio/yard.flac")
    toy.audio("audio/yard.flac", RATE)  # is right all the same
    (toy.root / "audio" / "hall.flac").unlink()
    with pytest.raises(MissingDataError, match=r"hall\.flac is missing") as caught:
        toy.audio("audio/hall.flac", RATE)
    assert caught.value.hint == "sedbench fetch toy"
    absent = AnnotatedBank("toy", tmp_path / "absent", toy.manifest)
    assert len(absent.recordings()) == 2 and absent.fingerprint() == toy.fingerprint()
    with pytest.raises(MissingDataError, match="absent is missing"):
        absent.events("audio/yard.flac")


def test_the_fingerprint_follows_audio_annotations_groups_and_reading(tmp_path: Path) -> None:
    rows = make(tmp_path)

    def changed(i: int, **changes: str) -> str:
        return bank(tmp_path, [{**r, **changes} if k == i else r for k, r in enumerate(rows)])\
            .fingerprint()  # fmt: skip

    prints = [
        bank(tmp_path, rows).fingerprint(),
        *(changed(i, sha256="0" * 64) for i in range(4)),
        changed(0, group="g9"),
        changed(0, fold="1"),
        changed(0, split="validation"),
        bank(tmp_path, rows, clip="trim").fingerprint(),
        bank(tmp_path, rows, speaker_label=None).fingerprint(),
        bank(tmp_path, rows, labels=["Speech"]).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert changed(0, licence="CC0") == prints[0]  # hears no difference


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"kind": "sound"}, "line 2: the kind 'sound' is unknown"),
        ({"file": "../hall.flac"}, "line 2: the file"),
        ({"file": ""}, "line 2: the file"),
        ({"sha256": "abc"}, "line 2: the sha256 'abc'"),
        ({"duration": "nan"}, "line 2: the duration 'nan'"),
        ({"duration": "long"}, "line 2: the duration 'long'"),
        ({"group": ""}, "line 2: the group is empty"),
        ({"split": "tests"}, "line 2: the split 'tests'"),
        ({"fold": "-1"}, "line 2: the fold '-1'"),
        ({"file": "audio/yard.flac"}, "line 3: 'audio/yard.flac' stands twice"),
        ({"group": "g2", "fold": "1"}, "line 3: the group 'g2' is in two splits or folds"),
    ],
)
def test_a_manifest_that_cannot_be(tmp_path: Path, change: Row, what: str) -> None:
    rows = make(tmp_path)
    with pytest.raises(DataError, match=rf"manifest\.csv, {what}"):
        bank(tmp_path, [rows[0] | change, *rows[1:]]).recordings()


def test_no_manifest_and_half_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        AnnotatedBank("toy", tmp_path, tmp_path / "no.csv").recordings()
    (tmp_path / "half.csv").write_text("file,duration\n")
    with pytest.raises(DataError, match=r"half\.csv, line 1: the column 'sha256' is missing"):
        AnnotatedBank("toy", tmp_path, tmp_path / "half.csv").recordings()


def test_a_bank_is_brought_from_a_mirror_and_verified(tmp_path: Path, toy: AnnotatedBank) -> None:
    here = AnnotatedBank("toy", tmp_path / "here", toy.manifest, fetch="sedbench fetch toy")
    assert len(here.bring(None, check=True).missing) == 4 and not here.root.exists()
    with pytest.raises(MissingDataError, match="4 files belong in"):
        here.bring(None)
    with pytest.raises(MissingDataError, match="is no folder"):
        here.bring(toy.root / "all.uem")
    seen: list[tuple[int, int]] = []
    report = here.bring(toy.root, progress=lambda i, n: seen.append((i, n)))
    assert report.ok and len(report.copied) == 4 and seen == [(i, 4) for i in (1, 2, 3, 4)]
    assert here.events("audio/yard.flac") == toy.events("audio/yard.flac")
    assert len(here.bring(None).kept) == 4
    (here.root / "turns.rttm").write_text("changed")
    assert here.bring(None, check=True).wrong == ["turns.rttm"]
    assert here.bring(toy.root.as_uri()).copied == ["turns.rttm"]
    (here.root / "turns.rttm").unlink()
    (here.root / "all.uem").unlink()
    (toy.root / "turns.rttm").write_text("changed")
    (toy.root / "all.uem").unlink()
    report = here.bring(str(toy.root))
    assert (report.wrong, report.missing) == (["turns.rttm"], ["all.uem"])
    assert not (here.root / "turns.rttm").exists()


def test_windows_are_whole_and_equally_far_apart() -> None:
    assert windows(30, 10, 10) == (Window(0, 10), Window(10, 10), Window(20, 10))
    assert [w.start for w in windows(10, 4, 3)] == [0, 3, 6] and windows(10, 4, 3)[-1].end == 10
    assert [w.start for w in windows(1, 0.3, 0.1)] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert windows(9.99, 10, 10) == ()
    for bad in [(0, 1, 1), (1, -1, 1), (1, 1, 0), (float("nan"), 1, 1), (float("inf"), 1, 1)]:
        with pytest.raises(UsageError, match="need a positive"):
            windows(*bad)


@given(st.floats(0.1, 100), st.floats(0.1, 10), st.floats(0.1, 10))
def test_as_many_windows_as_fit(duration: float, length: float, hop: float) -> None:
    found = windows(duration, length, hop)
    assert all(w.end <= duration + 1e-6 for w in found)
    following = len(found) * hop + length
    assert following > duration - 1e-6


def cut(toy: Soundbank, start: float, file: str = "audio/yard.flac", **options: Any) -> Any:
    return excerpt(toy, file, start, 2.0, ("Speech", "Dog"), GRID, RATE, **options)


def test_a_window_has_the_recordings_sound_and_truth(toy: AnnotatedBank) -> None:
    clip = cut(toy, 2.0)
    assert clip.clip_id == "audio/yard.flac@2" and clip.waveform.dtype == np.float32
    np.testing.assert_allclose(clip.waveform, tone(6.0, 500.0)[2 * RATE : 4 * RATE], atol=1e-4)
    np.testing.assert_array_equal(clip.waveform * 32768, np.rint(clip.waveform * 32768))
    expected = np.zeros((2, 20), np.bool_)
    expected[0, :10] = True  # the event goes on until 3.0 s
    np.testing.assert_array_equal(clip.extent, expected)
    np.testing.assert_array_equal(clip.activity, expected)
    assert clip.groups == (("g2",), ())
    assert cut(toy, 2.0, clip_id="test-0000").clip_id == "test-0000"


def test_a_frame_is_active_when_half_of_it_is_covered(toy: AnnotatedBank) -> None:
    # 0.5 to 3.0 s, seen from 0.46 s: the first frame is covered by .06 s, from 0.44 s by .04 s.
    assert cut(toy, 0.46).extent[0, 0] and not cut(toy, 0.44).extent[0, 0]
    assert cut(toy, 0.44).extent[0, 1:].all()


def test_a_trace_of_an_event_is_no_pair(toy: AnnotatedBank) -> None:
    # hall: 40 ms from 1.93 s on, less than half a frame.
    clip = cut(toy, 0.0, "audio/hall.flac")
    assert not clip.extent.any() and clip.groups == ((), ())
    assert cut(toy, 1.5, "audio/hall.flac").groups == (("g1",), ())


def test_windows_that_cannot_be(toy: AnnotatedBank, tmp_path: Path) -> None:
    for start in (-0.5, 4.5, 6.0, float("nan")):
        with pytest.raises(DataError, match="is not inside the recording, which lasts 6 s"):
            cut(toy, start)
    with pytest.raises(DataError, match=r"annotated throughout \(annotated: 0 to 4 s\)"):
        cut(toy, 2.5, "audio/hall.flac")
    with pytest.raises(DataError, match="has no recording 'yard'"):
        cut(toy, 0.0, "yard")
    with pytest.raises(UsageError, match="does not fit a grid of 1 s"):
        excerpt(toy, "audio/yard.flac", 0, 2.0, ("Speech",), FrameGrid(1.0), RATE)
    rows = make(tmp_path / "u", regions="hall 1 0 4\n")
    with pytest.raises(DataError, match="annotated: nothing"):
        cut(bank(tmp_path / "u", rows), 0.0)

    class Isolated:
        name = "sounds"

        def recordings(self) -> tuple[Recording, ...]:
            return ()

        def audio(self, recording_id: str, sample_rate: int) -> np.ndarray:
            raise AssertionError

        def fingerprint(self) -> str:
            return ""

    with pytest.raises(UsageError, match="'sounds' holds isolated sounds"):
        cut(Isolated(), 0.0)


def test_the_last_window_may_be_padded(toy: AnnotatedBank) -> None:
    clip = cut(toy, 5.0, pad=True)
    assert clip.waveform.shape == (2 * RATE,) and not clip.waveform[RATE:].any()
    assert clip.waveform[:RATE].any() and not clip.extent.any()


def test_a_short_annotated_stretch_is_followed_by_silence(tmp_path: Path) -> None:
    rows = make(tmp_path, regions="yard 1 1.00004 2.5\nyard 1 3.0 6.0\n")
    toy = bank(tmp_path, rows)
    clip = cut(toy, 1.0001, pad=True)  # 1.5 s of it; the event goes on, but nobody vouches for it
    heard = round(1.4999 * RATE)
    assert clip.waveform[:heard].any() and not clip.waveform[heard:].any()
    assert clip.extent[0, :15].all() and not clip.extent[0, 15:].any()
    with pytest.raises(DataError, match="not annotated throughout"):
        cut(toy, 1.0001)
    with pytest.raises(DataError, match="not annotated throughout"):
        cut(toy, 1.5, pad=True)


def test_a_recording_shorter_than_its_manifest_says(tmp_path: Path) -> None:
    rows = make(tmp_path, regions=None)
    rows[1] |= {"duration": "7.0"}
    toy = bank(tmp_path, rows)
    with pytest.raises(DataError, match=r"ends 0\.5 s before the window from 4\.5 to 6\.5 s"):
        cut(toy, 4.5)


SHARED = Path(os.environ.get("SEDBENCH_SHARED", "../shared")) / "annotations" / "ami"


def test_the_meetings_are_listed_without_their_audio() -> None:
    meetings = ami.build()
    assert len(meetings.recordings()) == 12
    assert {r.licence for r in meetings.recordings()} == {"CC-BY 4.0"}
    assert sum(r.duration for r in meetings.recordings()) == 360.0
    folds = meetings.folds()
    assert sorted(folds.values()) == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no meetings in {SHARED}: set SEDBENCH_SHARED")
def test_the_meetings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path))
    meetings = ami.build()
    report = meetings.bring(SHARED)
    assert report.ok and len(report.copied) == 16
    spoken = sum(e.offset - e.onset for r in meetings.recordings() for e in meetings.events(r.id))
    assert spoken == pytest.approx(220.097, abs=1e-3)
    # Whoever shares a speaker is in one group.
    meetings_by_speaker = AnnotatedBank(
        "named", meetings.root, meetings.manifest, speaker_label=None
    )
    homes: dict[str, set[str]] = {}
    for recording in meetings.recordings():
        for event in meetings_by_speaker.events(recording.id):
            homes.setdefault(event.label, set()).add(recording.group)
    assert len(homes) == 23 and all(len(groups) == 1 for groups in homes.values())
    grid = FrameGrid(10.0)
    clips = [
        excerpt(meetings, r.id, w.start, w.duration, ("Speech",), grid, 16000)
        for r in meetings.recordings()
        for w in windows(r.duration, 10, 10)
    ]
    assert len(clips) == 36
    active = np.array([c.extent.mean() for c in clips])
    assert active.mean() == pytest.approx(spoken / 360, abs=0.005)
    assert [c.groups[0] for c in clips[:3]] == [("ami:f",)] * 3
