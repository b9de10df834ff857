"""The built-in soundbanks that are fetched, on stand-ins of their archives' layouts."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sedbench.data.download import Remote
from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench_plugins import domestic_real, esc50
from sedbench_plugins.desed import public_eval, soundbank
from sedbench_plugins.domestic_real import rebuild

SHARED = Path(os.environ.get("SEDBENCH_SHARED", Path(__file__).parents[3] / "shared"))
shared = pytest.mark.skipif(
    not (SHARED / "soundbank").is_dir(), reason="the shared recordings are not here"
)


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "soundbanks"


def wav(seconds: float = 0.5, rate: int = 8000, seed: int = 0) -> bytes:
    out = io.BytesIO()
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate))
    soundfile.write(out, samples, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


# --- ESC-50

META = """filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
1-100032-B-0.wav,1,0,dog,True,100032,B
5-9032-A-0.wav,5,0,dog,True,9032,A
1-17367-A-10.wav,1,10,rain,True,17367,A
"""
LICENCE = """# ESC-50
- [1-100032-A.ogg]: clip derived from rose (1).wav (http://x.org/nfrae/100032/) by nfrae [CC0]
- [1-100032-B.ogg]: clip derived from rose (1).wav (http://x.org/nfrae/100032/) by nfrae [CC0]
- [5-9032-A.ogg]:  clip derived from Dog bark2.wav (http://x.org/people/M/9032/) by NFrae [CC-BY]
"""


@pytest.fixture
def esc(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "ESC-50-master.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ESC-50-master/meta/esc50.csv", META)
        archive.writestr("ESC-50-master/LICENSE", LICENCE)
        archive.writestr("ESC-50-master/esc50.gif", b"big")
        for i, line in enumerate(META.splitlines()[1:]):
            archive.writestr(f"ESC-50-master/audio/{line.split(',')[0]}", wav(seed=i))
    content = path.read_bytes()
    pinned = dataclasses.replace(
        esc50.REMOTE, sha256=hashlib.sha256(content).hexdigest(), size=len(content)
    )
    monkeypatch.setattr(esc50, "REMOTE", pinned)
    return path


def test_esc50_becomes_a_soundbank(esc, data):
    bank = esc50.build()
    with pytest.raises(MissingDataError) as caught:
        bank.recordings()
    assert caught.value.hint == "sedbench fetch esc50"
    report = bank.bring(esc)
    assert len(report.copied) == 4 and report.notes == []
    ids = [r.id for r in bank.recordings()]
    assert ids == sorted(ids) and "foreground/rain/1-17367-A-10.wav" in ids
    by_id = {r.id: r for r in bank.recordings()}
    dog = by_id["foreground/dog/1-100032-A-0.wav"]
    assert (dog.author, dog.licence, dog.group) == ("nfrae", "CC0", "a:nfrae")
    assert by_id["foreground/dog/5-9032-A-0.wav"].group == "a:nfrae"  # one author, two folds
    assert by_id["foreground/rain/1-17367-A-10.wav"].group == "r:17367"
    assert bank.audio(dog.id, 8000).shape == (4000,) and dog.duration == 0.5
    assert bank.bring(check=True).ok and bank.fingerprint() == esc50.build().fingerprint()
    assert [p.name for p in data.iterdir()] == ["esc50"]


def test_esc50_is_verified_replaced_and_kept(esc, data):
    bank = esc50.build()
    bank.bring(esc.parent)  # the folder that holds it
    assert len(bank.bring(None).kept) == 4  # all is right: nobody is asked
    victim = data / "esc50/foreground/dog/5-9032-A-0.wav"
    victim.write_bytes(wav(seed=9))
    assert bank.bring(check=True).wrong == ["foreground/dog/5-9032-A-0.wav"]
    with pytest.raises(HashMismatchError):
        bank.audio("foreground/dog/5-9032-A-0.wav", 8000)
    assert len(bank.bring(esc).copied) == 4 and bank.bring(check=True).ok


def test_another_archive_leaves_what_is_there(esc, data, tmp_path):
    bank = esc50.build()
    bank.bring(esc)
    before = bank.fingerprint()
    (data / "esc50/foreground/dog/5-9032-A-0.wav").unlink()
    esc.write_bytes(esc.read_bytes()[:-100])
    with pytest.raises(HashMismatchError):
        bank.bring(esc)
    assert esc50.build().fingerprint() == before and [p.name for p in data.iterdir()] == ["esc50"]
    unpacked = tmp_path / "ESC-50-master"
    unpacked.mkdir()
    with pytest.raises(MissingDataError, match=r"has no ESC-50-master\.zip") as caught:
        bank.bring(unpacked)
    assert "name the archive itself" in caught.value.hint


def test_esc50_as_published_is_pinned():
    assert esc50.REMOTE.pinned and esc50.REMOTE.size == 645_695_005


# --- DESED's soundbank

HEAD = "filename\tid\tdataset\tdownload\tlicense\tname\tusername\n"
ROOT = "/data/somebody/soundbank"  # the tables hold paths of their author's machine


def desed_members() -> dict[str, bytes]:
    paths = [
        "audio/train/soundbank/foreground/Speech/11_0.wav",
        "audio/train/soundbank/foreground/Speech/._11_0.wav",
        "audio/train/soundbank/foreground/Frying_nOn_nOff/12_0.wav",
        "audio/train/soundbank/foreground/Frying/13_0.wav",
        "audio/eval/soundbank/foreground/Speech/11_0.wav",
        "audio/eval/soundbank/foreground/Cat/14_1.wav",
        "audio/eval/soundbank/foreground_on_off/Cat/14_1.wav",
        "audio/eval/soundbank/background/freesound/20.wav",
        "audio/eval/soundbank/background_long/Frying/21.wav",
    ]
    licences = HEAD + "".join(
        f"{ROOT}/{n}.wav\t{n[:2]}\tfreesound\t\tCC0\tx.wav\t{author}\n"
        for n, author in (("11_0", "Ann"), ("12_0", "Bob"), ("13_0", "ann"))
    )
    return {
        **{p: wav(seed=i) for i, p in enumerate(paths)},
        "license_training.tsv": licences.encode(),
        "license_eval.tsv": (HEAD + f"{ROOT}/14_1.wav\t14\tfreesound\t\tCC-BY\tx\tAnn\n").encode(),
        "README.md": b"hello",
    }


@pytest.mark.parametrize("how", ["archive", "folder", "unpacked"])
def test_the_desed_soundbank(how, tmp_path, data):
    place = tmp_path / "mirror"
    place.mkdir()
    if how == "unpacked":
        for name, content in desed_members().items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
    else:
        made = tar(place / soundbank.NAME, desed_members())
        place = made if how == "archive" else place
    bank = soundbank.build()
    report = bank.bring(place)
    assert len(report.copied) == 6 and len(report.notes) == 1 and "hash" in report.notes[0]
    by_id = {r.id: r for r in bank.recordings()}
    assert set(by_id) == {
        "foreground/Speech/train-11_0.wav",
        "foreground/Frying/train-12_0.wav",
        "foreground/Frying/train-13_0.wav",
        "foreground/Speech/eval-11_0.wav",
        "foreground/Cat/eval-14_1.wav",
        "background/home/eval-freesound-20.wav",
    }
    # Ann is in the evaluation part: whatever she recorded is for testing.
    assert {r.split for r in by_id.values() if r.group == "a:ann"} == {"test"}
    assert by_id["foreground/Frying/train-13_0.wav"].split == "test"
    # The only frying that is left over is needed to choose thresholds on.
    assert by_id["foreground/Frying/train-12_0.wav"].split == "validation"
    assert by_id["foreground/Frying/train-12_0.wav"].licence == "CC0"
    assert bank.audio("foreground/Cat/eval-14_1.wav", 16000).shape == (8000,)
    assert bank.bring(check=True).ok and [p.name for p in data.iterdir()] == ["desed-soundbank"]


def test_desed_backgrounds_are_in_every_split_and_no_author_in_two():
    def row(role: str, label: str, split: str, group: str) -> dict[str, object]:
        return {"role": role, "class": label, "split": split, "group": group}

    rows = [row("background", "home", "eval", f"a:{i}") for i in range(12)]
    rows += [row("foreground", "Cat", part, f"a:{i}") for i in (3, 40, 41) for part in ("train",)]
    rows += [row("foreground", "Cat", "eval", f"a:{i}") for i in (5, 50)]
    rows += [row("foreground", "Dog", "train", f"a:{i}") for i in (5, 41, 60, 61)]
    splits = soundbank._splits(rows)
    assert splits["a:5"] == splits["a:50"] == "test"  # as foreground, so as background
    of_home = Counter(splits[f"a:{i}"] for i in range(12))
    assert of_home["test"] == 2 and of_home["validation"] >= 2 and of_home["train"] >= 6
    assert {splits[f"a:{i}"] for i in (3, 40, 41)} == {"train", "validation"}


def test_an_archive_without_its_files_is_said_so(tmp_path):
    made = tar(tmp_path / soundbank.NAME, {"README.md": b"x"})
    with pytest.raises(DataError, match="none of the files"):
        soundbank.build().bring(made)
    evil = tar(
        tmp_path / "evil.tar.gz", {"../audio/train/soundbank/foreground/Speech/1_0.wav": wav()}
    )
    with pytest.raises(DataError, match="leaves its folder"):
        soundbank.build().bring(evil)
    assert not (tmp_path / "data/soundbanks/desed-soundbank").exists()


def test_a_zenodo_md5_is_compared(site, monkeypatch, tmp_path):
    import json

    content = tar(tmp_path / "x.tar.gz", desed_members()).read_bytes()
    site.files["/files/bank.tar.gz"] = content
    remote = Remote(
        soundbank.NAME, f"{site.url}/files/bank.tar.gz", record=f"{site.url}/api/records/1"
    )
    monkeypatch.setattr(soundbank, "REMOTE", remote)
    for md5, right in (("0" * 32, False), (hashlib.md5(content).hexdigest(), True)):
        record = {"files": [{"key": "bank.tar.gz", "checksum": f"md5:{md5}"}]}
        site.files["/api/records/1"] = json.dumps(record).encode()
        if right:
            assert soundbank.build().bring().ok
        else:
            with pytest.raises(HashMismatchError, match="md5"):
                soundbank.build().bring()


# --- DESED's public evaluation set


def test_the_public_evaluation_set(tmp_path, data):
    clips = {
        f"{video}_30.000_40.000.wav": wav(1.0, seed=i) for i, video in enumerate(("-a_b", "c"))
    }
    first, second = clips
    table = (
        f"filename\tonset\toffset\tevent_label\n{first}\t0.1\t0.5\tDog\n{first}\t0.4\t1.2\tDog\n"
    )
    members = {f"audio/eval/public/{name}": content for name, content in clips.items()}
    members["metadata/eval/public.tsv"] = (table + f"{second}\t0.000\t0.2\tCat\n").encode()
    members["license_public_eval.tsv"] = (
        f"filename\tuploader\tuploader_id\tlicense\n{first}\tAnn\tUC1\tCC-BY\n".encode()
    )
    members["audio/eval/public/.ipynb_checkpoints/x.wav"] = b"no sound"
    bank = public_eval.build()
    with pytest.raises(MissingDataError) as caught:
        bank.recordings()
    assert caught.value.hint == "sedbench fetch desed-public-eval"
    bank = public_eval.build()
    assert bank.bring(tar(tmp_path / public_eval.NAME, members)).ok
    assert [r.id for r in bank.recordings()] == [f"recordings/{first}", f"recordings/{second}"]
    groups = {r.id: (r.group, r.split, r.role) for r in bank.recordings()}
    assert groups[f"recordings/{first}"] == ("u:UC1", "test", "recording")
    assert groups[f"recordings/{second}"] == ("v:c", "test", "recording")
    found = Counter(public_eval.split_of(f"u:{i}") for i in range(1000))
    assert found["validation"] + found["test"] == 1000 and 260 < found["validation"] < 340
    (event,) = bank.events(f"recordings/{first}")  # merged, and trimmed to the clip
    assert (event.label, event.onset, event.offset) == ("Dog", 0.1, 1.0)
    assert bank.audio(f"recordings/{first}", 16000).shape == (16000,)
    assert public_eval.build().bring(check=True).ok
    (data / "desed-public-eval/annotations/public.tsv").write_text("changed")
    assert public_eval.build().bring(check=True).wrong == ["annotations/public.tsv"]


# --- domestic-real, made again from its originals


def test_every_recording_says_where_it_comes_from():
    bank, known = domestic_real.build(), rebuild.pieces()
    durations = {r.id: r.duration for r in bank.recordings()}
    assert set(known) == set(durations)
    for piece in known.values():
        assert piece.origin in rebuild.ORIGINS or piece.origin == rebuild.PACKAGE
        assert piece.start >= 0 and abs(piece.frames / rebuild.RATE - durations[piece.file]) < 0.006
        assert piece.gain > 0


def piece(start: int, frames: int) -> rebuild.Piece:
    return rebuild.Piece(
        "foreground/Dog/a.flac", "marc-moreaux/kitchen20", "a.wav", start, frames, 1
    )


@pytest.mark.parametrize(("peak", "level"), [(0.01, 0.05), (0.4, 0.4), (1.0, 0.99)])
def test_a_cut_is_levelled_and_faded(peak, level):
    samples = np.full(5000, peak)
    made = rebuild.rebuilt(samples, piece(1000, 2000))
    assert made is not None
    cut, rate = soundfile.read(io.BytesIO(made))
    assert rate == 16000 and len(cut) == 2000 and cut[0] == cut[-1] == 0
    assert np.abs(cut[128:-128] - level).max() < 1e-4
    assert np.abs(cut[:128] - level * np.linspace(0, 1, 128)).max() < 1e-4
    assert rebuild.rebuilt(samples, piece(4000, 2000)) is None


def test_an_original_is_averaged_and_resampled(tmp_path):
    rate, seconds = 44100, 0.5
    time = np.arange(round(rate * seconds)) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, np.zeros_like(tone)], 1), rate, "FLOAT")
    made = rebuild.mono(tmp_path / "a.wav")
    assert len(made) == 8000
    expected = 0.25 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
    assert np.abs(made - expected)[200:-200].max() < 1e-3
    (tmp_path / "b.wav").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        rebuild.mono(tmp_path / "b.wav")


@pytest.fixture
def small(site, tmp_path, monkeypatch) -> Path:
    """A manifest of four recordings from three originals: one changed, one gone."""
    monkeypatch.setattr(rebuild, "RAW", site.url + "/{repository}/{commit}/{path}")
    made, lines = {}, ["file,role,class,split,group,sha256,duration"]
    for name, path, start in (
        ("a", "one one.wav", 0),
        ("b", "one one.wav", 4000),
        ("c", "changed.wav", 0),
        ("d", "gone.wav", 0),
    ):
        each = rebuild.Piece(f"foreground/Dog/{name}.flac", "librosa/data", path, start, 4000, 1.0)
        made[each.file] = each
        original = wav(1.0, 8000, seed=len(path))
        (tmp_path / "original.wav").write_bytes(original)
        content = rebuild.rebuilt(rebuild.mono(tmp_path / "original.wav"), each)
        assert content is not None
        sha = hashlib.sha256(content).hexdigest()
        lines.append(f"{each.file},foreground,Dog,train,g,{sha},0.25")
        site.files[f"/librosa/data/HEAD/{path}"] = original
    site.files["/librosa/data/HEAD/changed.wav"] = wav(1.0, 8000, seed=99)
    del site.files["/librosa/data/HEAD/gone.wav"]
    monkeypatch.setattr(rebuild, "pieces", lambda: made)
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "manifest.csv"


def test_recordings_are_made_from_their_originals_and_judged(small, site, tmp_path):
    dest, told = tmp_path / "bank", []
    report = rebuild.bring(small, dest, lambda done, total: told.append((done, total)))
    assert report.copied == ["foreground/Dog/a.flac", "foreground/Dog/b.flac"]
    assert report.wrong == ["foreground/Dog/c.flac"]
    assert report.missing == ["foreground/Dog/d.flac"]
    assert told[0] == (0, 4) and told[-1] == (4, 4)
    assert len(site.asked) == 3  # an original of two recordings is brought once
    assert any("c.flac" in n and "refused" in n for n in report.notes)
    assert any("d.flac" in n for n in report.notes)
    here = sorted(p.name for p in tmp_path.rglob("*.flac"))
    assert here == ["a.flac", "b.flac"] and not list(tmp_path.glob(".original*"))
    again = rebuild.bring(small, dest)
    assert len(again.kept) == 2 and len(site.asked) == 5  # only what is not there yet


def test_originals_that_cannot_be_reached(small, tmp_path, monkeypatch):
    monkeypatch.setattr(rebuild, "RAW", "http://originals.invalid/{repository}/{commit}/{path}")
    with pytest.raises(MissingDataError, match="offline") as caught:
        rebuild.bring(small, tmp_path / "bank")
    assert "--from DIR" in caught.value.hint


@shared
def test_the_shared_mirror_is_the_soundbank(data):
    report = domestic_real.build().bring(SHARED / "soundbank")
    assert report.ok and len(report.copied) == 1102
    assert domestic_real.build().bring(check=True).ok


@shared
def test_meetings_are_made_again_bit_for_bit():
    checked = 0
    sha = {r.id: r.sha256 for r in domestic_real.build().recordings()}
    for group in rebuild.by_original(list(rebuild.pieces().values())):
        if group[0].origin != "pyannote/pyannote-audio":
            continue
        samples = rebuild.mono(SHARED / "annotations/ami" / f"{Path(group[0].path).stem}.flac")
        for each in group:
            made = rebuild.rebuilt(samples, each)
            assert made is not None
            want, _ = soundfile.read(SHARED / "soundbank" / each.file, dtype="int16")
            got, _ = soundfile.read(io.BytesIO(made), dtype="int16")
            assert np.array_equal(got, want), each.file
            checked += hashlib.sha256(made).hexdigest() == sha[each.file]
    assert checked in (0, 49)  # all or, where another FLAC encoder is installed, none
