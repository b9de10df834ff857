"""A folder as a soundbank: with a manifest, without one, and with files that are wrong."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sedbench.data.dealing import deal, original
from sedbench.data.folder import FolderSoundbank, is_inside, read_manifest, sha256_of, split_of
from sedbench.data.soundbank import Soundbank
from sedbench.errors import DataError, HashMismatchError, MissingDataError

RATE = 16000
ABOUT = ("CC0", "Ann", "", "https://example.org")
COLUMNS = [
    "file",
    "role",
    "class",
    "split",
    "group",
    "sha256",
    "duration",
    "licence",
    "author",
    "title",
    "source",
]


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def put(root: Path, file: str, samples: np.ndarray, rate: int = RATE) -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), samples, rate)
    return path


def bank(folder: Path, **changes: str) -> FolderSoundbank:
    """Three recordings with a manifest; ``changes`` are made to its second row."""
    root = folder / "audio"
    rows = []
    for file, split in [
        ("background/rain/a.flac", "train"),
        ("foreground/Dog/b.wav", "train"),
        ("foreground/Dog/c.flac", "test"),
    ]:
        path = put(root, file, tone(1.0))
        role, label, name = file.split("/")
        rows.append(
            dict(
                zip(
                    COLUMNS,
                    (file, role, label, split, f"a:{name}", sha256_of(path), "1.0", *ABOUT),
                    strict=True,
                )
            )
        )
    rows[1] |= changes
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return FolderSoundbank("toy", root, manifest, fetch="sedbench fetch toy --from DIR")


def test_a_manifest_is_a_soundbank(tmp_path: Path) -> None:
    toy = bank(tmp_path)
    assert isinstance(toy, Soundbank)
    ids = [r.id for r in toy.recordings()]
    assert ids == ["background/rain/a.flac", "foreground/Dog/b.wav", "foreground/Dog/c.flac"]
    dog = toy.recordings()[1]
    assert (dog.role, dog.label, dog.split, dog.group) == ("foreground", "Dog", "train", "a:b.wav")
    assert (dog.licence, dog.author, dog.source) == ("CC0", "Ann", "https://example.org")
    audio = toy.audio("foreground/Dog/c.flac", RATE)
    assert audio.dtype == np.float32
    np.testing.assert_allclose(audio, tone(1.0), atol=1e-4)


def test_listing_needs_no_audio_and_hearing_says_how_to_fetch_it(tmp_path: Path) -> None:
    toy = bank(tmp_path)
    fingerprint = toy.fingerprint()
    absent = FolderSoundbank("toy", tmp_path / "absent", toy.manifest, fetch=toy.fetch)
    assert absent.fingerprint() == fingerprint and len(absent.recordings()) == 3
    with pytest.raises(MissingDataError, match="absent is missing") as caught:
        absent.audio("foreground/Dog/b.wav", RATE)
    assert caught.value.hint == "sedbench fetch toy --from DIR" and caught.value.exit_code == 4


def test_the_fingerprint_follows_content_split_and_group(tmp_path: Path) -> None:
    prints = {
        bank(tmp_path / "a").fingerprint(),
        bank(tmp_path / "b", split="validation").fingerprint(),
        bank(tmp_path / "c", group="a:other").fingerprint(),
        bank(tmp_path / "d", sha256="0" * 64).fingerprint(),
    }
    assert len(prints) == 4
    assert bank(tmp_path / "e", licence="CC-BY").fingerprint() in prints  # hears no difference


def test_another_file_is_refused_when_it_is_heard(tmp_path: Path) -> None:
    toy = bank(tmp_path)
    put(toy.root, "foreground/Dog/b.wav", tone(1.0, hertz=441))
    with pytest.raises(HashMismatchError, match=r"b\.wav has sha256"):
        toy.audio("foreground/Dog/b.wav", RATE)
    toy.audio("foreground/Dog/c.flac", RATE)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"file": "../Dog/b.wav"}, r"manifest\.csv, line 3: the file '../Dog/b\.wav'"),
        ({"file": "foreground/Dog/../b.wav"}, "line 3: the file"),
        ({"file": "/foreground/Dog/b.wav"}, "line 3: the file"),
        ({"file": "foreground/Cat/b.wav"}, "line 3: the file .* is not foreground/Dog/"),
        ({"file": "foreground/Dog/c:b.wav"}, "line 3: the file"),
        ({"role": "middle"}, "line 3: the role"),
        ({"split": "validate"}, "line 3: .*'validate'"),
        ({"duration": "long"}, "line 3: the duration 'long'"),
        ({"duration": "nan"}, "line 3: the duration 'nan'"),
        ({"sha256": "abc"}, "line 3: .*sha256"),
        ({"group": ""}, "line 3: the group"),
        ({"group": "a:c.flac"}, "line 4: the group 'a:c.flac' is in two splits"),
    ],
)
def test_a_manifest_error_names_file_and_line(
    tmp_path: Path, change: dict[str, str], what: str
) -> None:
    with pytest.raises(DataError, match=what):
        bank(tmp_path, **change).recordings()


def test_a_manifest_without_a_column(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("file,role,class\n")
    with pytest.raises(DataError, match="line 1: the column 'split' is missing"):
        read_manifest(tmp_path / "m.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(tmp_path / "absent.csv")


@pytest.mark.parametrize("file", ["", "/a", "../a", "a/../b", "a\\b", "c:a", "a\0b"])
def test_paths_that_leave_the_folder(file: str) -> None:
    assert not is_inside(file)
    assert is_inside("foreground/Dog/b.wav")


def test_any_rate_and_channels_are_read(tmp_path: Path) -> None:
    stereo = np.stack([tone(1.0, 44100), np.zeros(44100)], axis=1)
    put(tmp_path, "foreground/Dog/x.wav", stereo, 44100)
    put(tmp_path, "foreground/Dog/y.ogg", tone(1.0, 22050), 22050)
    toy = FolderSoundbank("toy", tmp_path)
    half = toy.audio("foreground/Dog/x.wav", RATE)
    assert half.shape == (RATE,)
    np.testing.assert_allclose(half[800:-800], tone(1.0)[800:-800] / 2, atol=2e-3)
    assert abs(toy.audio("foreground/Dog/y.ogg", RATE).size - RATE) <= 1


def test_a_walked_folder_splits_by_group(tmp_path: Path) -> None:
    for take in range(3):
        for name in ("kitchen", "yard", "hall", "attic", "cellar", "porch"):
            put(tmp_path, f"foreground/Dog/{name}-{take}.wav", tone(0.5))
    put(tmp_path, "foreground/Cat/kitchen-9.wav", tone(0.5))  # of the same original
    put(tmp_path, "background/rain/long.flac", tone(2.0))
    found = FolderSoundbank("toy", tmp_path).recordings()
    assert len(found) == 20
    homes: dict[str, set[str]] = {}
    for r in found:
        homes.setdefault(r.group, set()).add(r.split)
    assert len(homes) == 7 and all(len(splits) == 1 for splits in homes.values())
    dogs = {r.group: r.split for r in found if r.label == "Dog"}
    assert sorted(dogs.values()) == ["test", "train", "train", "train", "train", "validation"]
    assert [r.duration for r in found if r.role == "background"] == [2.0]


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    put(tmp_path, "foreground/Dog/a.WAV", tone(0.5))
    put(tmp_path, "foreground/b.wav", tone(0.5))
    put(tmp_path, "foreground/Dog/deep/c.wav", tone(0.5))
    for name in ("foreground/Dog/notes.txt", "background/d.mp3", "foreground/Dog/.DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("not audio")
    toy = FolderSoundbank("toy", tmp_path)
    assert [r.id for r in toy.recordings()] == ["foreground/Dog/a.WAV"]
    assert toy.left_out == (
        ("background/d.mp3", "no WAV, FLAC or OGG"),
        ("foreground/Dog/deep/c.wav", "not in foreground/<label>/"),
        ("foreground/Dog/notes.txt", "no WAV, FLAC or OGG"),
        ("foreground/b.wav", "not in foreground/<label>/"),
    )
    (tmp_path / "foreground/Dog/e.flac").write_text("not audio")
    with pytest.raises(DataError, match=r"e\.flac cannot be read as audio"):
        FolderSoundbank("toy", tmp_path).recordings()


def own(folder: Path, *lines: str) -> FolderSoundbank:
    """Four recordings of two labels, with a manifest of one's own."""
    for file in ("Dog/a", "Dog/b", "Dog/c", "Cat/a"):
        put(folder, f"foreground/{file}.wav", tone(0.5))
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return FolderSoundbank("toy", folder)


def test_a_manifest_of_ones_own_may_say_little(tmp_path: Path) -> None:
    toy = own(
        tmp_path,
        "file,author,split,mood",
        "foreground/Dog/a.wav,Ann,train,good",
        "foreground/Dog/b.wav,,,",
        "foreground/Cat/a.wav,ANN,,",
    )
    told = {r.id: (r.group, r.split, r.author) for r in toy.recordings()}
    assert told["foreground/Cat/a.wav"] == ("a:ann", "train", "ANN")  # Ann's are not torn apart
    assert told["foreground/Dog/b.wav"] == ("b", "test", "")
    assert toy.left_out == (("foreground/Dog/c.wav", "not in manifest.csv"),)
    assert toy.recordings()[0].duration == 0.5


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["name"], "line 1: the column 'file' is missing"),
        (
            ["file", "foreground/Dog/z.wav"],
            r"line 2: there is no recording 'foreground/Dog/z\.wav'",
        ),
        (["file", "../x.wav"], "line 2: there is no recording"),
        (["file", "foreground/Dog/a.wav", "foreground/Dog/a.wav"], "line 3: .* stands twice"),
        (["file,split", "foreground/Dog/a.wav,tset"], "line 2: the split 'tset' is unknown"),
        (["file,fold", "foreground/Dog/a.wav,x"], "line 2: the fold 'x'"),
        (["file,sha256", "foreground/Dog/a.wav,12"], "line 2: the sha256"),
        (
            ["file,group,split", "foreground/Dog/a.wav,g,train", "foreground/Dog/b.wav,g,test"],
            "the group 'g' is in two splits",
        ),
        (
            ["file,group,fold", "foreground/Dog/a.wav,g,0", "foreground/Dog/b.wav,g,1"],
            "the group 'g' is in two folds",
        ),
    ],
)
def test_a_manifest_of_ones_own_that_cannot_be(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=rf"manifest\.csv.*{message}"):
        own(tmp_path, *lines).recordings()


def test_a_recorded_hash_holds_for_ones_own_too(tmp_path: Path) -> None:
    toy = own(tmp_path, "file,sha256", f"foreground/Dog/a.wav,{'0' * 64}")
    with pytest.raises(HashMismatchError, match=r"a\.wav has sha256"):
        toy.audio("foreground/Dog/a.wav", RATE)


@given(st.dictionaries(st.sampled_from("ABCD"), st.sets(st.integers(0, 20), min_size=1)))
def test_every_group_is_dealt_once_and_every_label_is_tested(members: dict[str, set[int]]) -> None:
    names = {label: [f"g{i}" for i in groups] for label, groups in members.items()}
    splits = deal(names)
    assert set(splits) == {name for groups in names.values() for name in groups}
    assert splits == deal({label: groups[::-1] for label, groups in reversed(names.items())})
    if members:  # the label that chooses first has it all, as far as it has groups
        first = min(names, key=lambda label: (len(names[label]), label))
        kinds = {splits[name] for name in names[first]}
        assert len(kinds) == min(len(names[first]), 3)
    kept = deal(names, settled={"g3": "train", "g4": "development"})
    assert (kept["g3"], kept["g4"]) == ("train", "development")


def test_of_many_groups_each_split_has_its_share() -> None:
    splits = list(deal({"A": [f"g{i}" for i in range(200)]}).values())
    assert {s: splits.count(s) for s in splits} == {"train": 140, "validation": 30, "test": 30}


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        *[("kitchen-3", "kitchen"), ("kitchen", "kitchen"), ("dog12", "dog"), ("a b 2", "a b")],
        *[("17", "17"), ("1203_2", "1203"), ("-1", "-1"), ("2024-01", "2024")],
    ],
)
def test_the_original_that_a_name_speaks_of(stem: str, name: str) -> None:
    assert original(stem) == name


def test_the_split_rule_is_this_rule() -> None:
    shares = [split_of(f"group {i}") for i in range(2000)]
    assert 0.65 < shares.count("train") / 2000 < 0.75
    assert 0.12 < shares.count("test") / 2000 < 0.18
    # sha256("a") begins with ca97...: .791 of the range, between .70 and .85.
    assert split_of("a") == "validation"


def test_a_walked_folder_is_fingerprinted_by_content(tmp_path: Path) -> None:
    put(tmp_path, "foreground/Dog/x.wav", tone(0.5))
    before = FolderSoundbank("toy", tmp_path).fingerprint()
    assert before == FolderSoundbank("toy", tmp_path).fingerprint()
    put(tmp_path, "foreground/Dog/x.wav", tone(0.5, hertz=500))
    assert FolderSoundbank("toy", tmp_path).fingerprint() != before


def test_an_empty_folder_and_an_absent_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recording lies in") as caught:
        FolderSoundbank("toy", tmp_path).recordings()
    assert "foreground/<label>/" in caught.value.hint
    with pytest.raises(MissingDataError, match="is missing"):
        FolderSoundbank("toy", tmp_path / "absent").recordings()


@pytest.mark.parametrize(
    ("samples", "what"), [(np.zeros(0), "is empty"), (np.array([0.0, np.nan]), "not finite")]
)
def test_a_file_without_sound_is_named(tmp_path: Path, samples: np.ndarray, what: str) -> None:
    toy = bank(tmp_path)
    path = toy.root / "foreground/Dog/b.wav"
    soundfile.write(str(path), samples, RATE, subtype="FLOAT")
    again = bank_of(toy, path)
    with pytest.raises(DataError, match=rf"b\.wav .*{what}"):
        again.audio("foreground/Dog/b.wav", RATE)


def bank_of(toy: FolderSoundbank, path: Path) -> FolderSoundbank:
    """The same bank with a manifest that records ``path`` as it is now."""
    assert toy.manifest is not None
    text = toy.manifest.read_text()
    rows = [line.split(",") for line in text.splitlines()]
    rows[2][5] = sha256_of(path)
    toy.manifest.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return FolderSoundbank("toy", toy.root, toy.manifest)


def test_a_file_that_is_no_audio_is_named(tmp_path: Path) -> None:
    toy = bank(tmp_path)
    path = toy.root / "foreground/Dog/b.wav"
    path.write_bytes(b"not audio at all")
    with pytest.raises(DataError, match=r"b\.wav cannot be read as audio"):
        bank_of(toy, path).audio("foreground/Dog/b.wav", RATE)


def test_an_unknown_recording(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no recording 'foreground/Dog/z.wav'"):
        bank(tmp_path).audio("foreground/Dog/z.wav", RATE)
