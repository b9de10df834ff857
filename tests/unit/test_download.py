"""One file from somewhere: verified, resumed, and clear about what went wrong."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from sedbench.data import download
from sedbench.data.download import CHUNK, Remote, UnreachableError, from_index, obtain, place
from sedbench.errors import DataError, HashMismatchError, MissingDataError, UsageError

BODY = bytes(range(256)) * 4000  # 1.02 MB: four chunks
SHA = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()


@pytest.fixture
def remote(site) -> Remote:
    site.files["/data/bank.bin"] = BODY
    return Remote("bank.bin", f"{site.url}/data/bank.bin", SHA, len(BODY))


@pytest.fixture
def dest(tmp_path) -> Path:
    return tmp_path / "dest"


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def part_of(dest: Path) -> Path:
    return dest / f".bank.bin.{SHA[:12]}.part"


def test_it_comes_whole_with_progress_and_is_not_brought_twice(site, remote, dest):
    seen = []
    path = obtain(remote, dest, progress=lambda done, total: seen.append((done, total)))
    assert path == dest / "bank.bin" and path.read_bytes() == BODY
    assert left(dest) == ["bank.bin"]
    assert seen[0] == (0, len(BODY)) and seen[-1] == (len(BODY), len(BODY))
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    obtain(remote, dest)
    assert len(site.asked) == 1


def test_a_progress_that_counts_files_is_told_bytes_apart(remote, dest):
    class Meter:
        def __init__(self) -> None:
            self.told: list[int] = []

        def __call__(self, done: int, total: int) -> None:
            raise AssertionError("files")

        def bytes(self, done: int, total: int) -> None:
            self.told.append(done)

    meter = Meter()
    obtain(remote, dest, progress=meter)
    assert meter.told[-1] == len(BODY)


def test_a_broken_connection_is_taken_up_where_it_broke(site, remote, dest):
    site.cuts = [300_000, 200_000]
    assert obtain(remote, dest).read_bytes() == BODY
    first, *later = [r.removeprefix("bytes=").removesuffix("-") for _, r in site.asked]
    assert first == "" and len(later) == 2
    for offset, end in zip(map(int, later), (300_000, 500_000), strict=True):
        assert end - 2 * CHUNK < offset <= end  # no more than what was under way is lost


def test_an_interrupted_download_goes_on_in_the_next_process(site, remote, dest):
    def interrupt(done: int, total: int) -> None:
        if done >= 500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        obtain(remote, dest, progress=interrupt)
    begun = part_of(dest).stat().st_size
    assert begun >= 500_000 and left(dest) == [part_of(dest).name]
    assert obtain(remote, dest).read_bytes() == BODY
    assert site.asked[-1][1] == f"bytes={begun}-" and left(dest) == ["bank.bin"]


@pytest.mark.parametrize("ranges", ["ignore", "other"])
def test_a_server_that_knows_no_ranges_begins_anew(site, remote, dest, ranges):
    site.ranges, site.cuts = ranges, [300_000]
    assert obtain(remote, dest).read_bytes() == BODY
    assert len(site.asked) == (2 if ranges == "ignore" else 3)


def test_a_complete_part_needs_no_server(site, remote, dest):
    dest.mkdir()
    part_of(dest).write_bytes(BODY)
    assert obtain(remote, dest).read_bytes() == BODY and site.asked == []


@pytest.mark.parametrize("rubbish", [b"x" * 1000, b"x" * (len(BODY) + 5)])
def test_a_wrong_part_is_thrown_away_before_the_source_is_blamed(site, dest, rubbish):
    site.files["/bank.bin"] = BODY
    remote = Remote("bank.bin", f"{site.url}/bank.bin", SHA)
    dest.mkdir()
    part_of(dest).write_bytes(rubbish)
    assert obtain(remote, dest).read_bytes() == BODY and left(dest) == ["bank.bin"]


def test_a_server_that_is_busy_is_asked_again(site, remote, dest):
    site.codes = [503, 503, 429]
    assert obtain(remote, dest).read_bytes() == BODY and len(site.asked) == 4


def test_a_server_that_stays_down_is_unreachable(site, remote, dest):
    site.codes = [503] * 20
    with pytest.raises(UnreachableError, match="HTTP 503") as caught:
        obtain(remote, dest)
    assert caught.value.exit_code == 4 and "--from" in caught.value.hint
    assert left(dest) == []


def test_a_server_that_always_breaks_off_at_one_place_ends(site, remote, dest):
    site.ranges, site.cuts = "ignore", [1000] * 50
    with pytest.raises(UnreachableError, match="broke"):
        obtain(remote, dest)
    assert len(site.asked) < 8


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_file_that_is_not_there_is_said_at_once(site, remote, dest, code):
    site.codes = [code]
    with pytest.raises(MissingDataError, match=f"HTTP {code}") as caught:
        obtain(remote, dest)
    assert not isinstance(caught.value, UnreachableError)
    assert len(site.asked) == 1 and "--from" in caught.value.hint


def test_offline_says_so(dest, monkeypatch):
    from sedbench.data import transfer

    monkeypatch.setattr(transfer, "PAUSE", 0.0)
    nobody = Remote("bank.bin", "http://bank.invalid/bank.bin?token=secret", SHA)
    with pytest.raises(UnreachableError, match=r"bank\.invalid") as caught:
        obtain(nobody, dest)
    assert "offline" in caught.value.message and "secret" not in caught.value.message
    assert caught.value.exit_code == 4
    refused = Remote("bank.bin", "http://127.0.0.1:9/bank.bin", SHA)
    with pytest.raises(UnreachableError):
        obtain(refused, dest)


def test_another_file_is_refused_and_not_kept(site, remote, dest):
    site.files["/data/bank.bin"] = b"x" + BODY[1:]
    with pytest.raises(HashMismatchError, match="sha256") as caught:
        obtain(remote, dest)
    assert caught.value.exit_code == 4 and SHA[:16] in caught.value.message
    assert left(dest) == []


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"x"])
def test_another_size_is_refused_without_waiting_for_the_end(site, remote, dest, body, lengths):
    site.files["/data/bank.bin"], site.lengths = body, lengths
    with pytest.raises((HashMismatchError, UnreachableError)):
        obtain(remote, dest)
    assert not (dest / "bank.bin").exists()


def test_an_md5_is_enough_where_nothing_better_is_published(site, remote, dest):
    assert obtain(Remote("bank.bin", remote.url, md5=MD5), dest).read_bytes() == BODY
    with pytest.raises(HashMismatchError, match="md5"):
        obtain(Remote("other.bin", remote.url, md5="0" * 32), dest)


def test_a_record_is_asked_for_the_md5(site, dest):
    import json

    site.files["/bank.bin"] = BODY
    url, record = f"{site.url}/bank.bin", f"{site.url}/record"

    def published(md5: str) -> bytes:
        return json.dumps({"files": [{"key": "bank.bin", "checksum": f"md5:{md5}"}]}).encode()

    site.files["/record"] = published(MD5)
    remote = Remote("bank.bin", url, record=record)
    assert not remote.pinned and obtain(remote, dest).read_bytes() == BODY
    site.files["/record"] = published("0" * 32)
    with pytest.raises(HashMismatchError, match="md5"):
        obtain(remote, dest)
    site.files["/record"] = b"no json"
    assert obtain(remote, dest).read_bytes() == BODY


def test_mirrors_of_every_kind(site, remote, dest, tmp_path):
    mirror = tmp_path / "a mirror"
    mirror.mkdir()
    (mirror / "bank.bin").write_bytes(BODY)
    nowhere = Remote("bank.bin", "http://bank.invalid/bank.bin", SHA)
    for source in (
        mirror,
        str(mirror),
        mirror / "bank.bin",
        (mirror / "bank.bin").as_uri(),
        mirror.as_uri(),
        remote.url,
        f"{site.url}/data",
        f"{site.url}/data/",
    ):
        assert obtain(nowhere, dest, source).read_bytes() == BODY, source
        shutil.rmtree(dest)
    renamed = mirror / "copy of it.bin"
    renamed.write_bytes(BODY)
    assert obtain(nowhere, dest, renamed).read_bytes() == BODY


def test_a_mirror_without_the_file_says_so(dest, tmp_path):
    remote = Remote("bank.bin", "http://bank.invalid/bank.bin", SHA)
    with pytest.raises(MissingDataError, match=r"has no bank\.bin"):
        obtain(remote, dest, tmp_path)
    with pytest.raises(MissingDataError, match="there is no"):
        obtain(remote, dest, tmp_path / "nowhere")
    with pytest.raises(MissingDataError, match="no public address"):
        obtain(Remote("bank.bin", "", SHA), dest)
    short = tmp_path / "bank.bin"
    short.write_bytes(BODY[:1000])
    with pytest.raises(HashMismatchError, match=r"1000 of 5 bytes"):
        obtain(Remote("bank.bin", "", SHA, 5), dest, short)
    assert not dest.exists() or left(dest) == []


@pytest.mark.parametrize("source", ["ftp://a/b", "file://elsewhere/x", "https:", "data:text,x"])
def test_other_addresses_are_refused(source, dest):
    with pytest.raises(UsageError):
        obtain(Remote("bank.bin", "", SHA), dest, source)


def test_what_a_person_names_is_a_path_or_a_url():
    assert place(None) is None
    assert place("~/x") == Path("~/x").expanduser()
    assert place(r"C:\data") == Path(r"C:\data")
    assert place("https://example.org/x") == "https://example.org/x"


@pytest.mark.parametrize(
    "name", ["../bank.bin", "/bank.bin", "a/../../b", r"..\b", "C:/b", "a\0b", ""]
)
def test_no_name_leaves_its_folder(name):
    with pytest.raises(DataError, match="leaves its folder"):
        Remote(name, "http://example.org/x", SHA)


def test_a_hash_that_is_none_is_refused():
    with pytest.raises(DataError, match="is no sha256"):
        Remote("bank.bin", "", "ABC")


def test_no_space_is_said_before_anything_comes(site, remote, dest, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 1000))
    with pytest.raises(DataError, match="has room for") as caught:
        obtain(remote, dest)
    assert "SEDBENCH_DATA" in caught.value.hint and site.asked == []


def test_a_disk_that_fills_up_on_the_way(remote, dest, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "transfer", full)
    with pytest.raises(DataError, match="No space left") as caught:
        obtain(remote, dest)
    assert not isinstance(caught.value, MissingDataError)


def test_a_folder_that_cannot_be_written(remote, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        obtain(remote, tmp_path / "file" / "dest")
    if os.name == "posix" and os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(DataError, match="cannot write"):
            obtain(remote, tmp_path / "locked")


def test_two_fetches_at_once_do_not_write_one_file(remote, dest):
    fcntl = pytest.importorskip("fcntl")
    dest.mkdir()
    with part_of(dest).with_suffix(".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another process"):
            obtain(remote, dest)
    assert obtain(remote, dest).read_bytes() == BODY and left(dest) == ["bank.bin"]


@pytest.fixture
def wheelhouse(tmp_path, monkeypatch) -> Path:
    """A package index of one wheel, on this disk."""
    pytest.importorskip("pip")
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights/data.bin", BODY[:1000])
        info = "tiny_weights-1.0.dist-info"
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder / "tiny_weights-1.0-py3-none-any.whl"


def test_a_wheel_comes_from_the_index_that_pip_is_set_to(wheelhouse, dest, monkeypatch):
    sha = hashlib.sha256(wheelhouse.read_bytes()).hexdigest()
    path = from_index("tiny-weights==1.0", wheelhouse.name, sha, dest)
    assert path.read_bytes() == wheelhouse.read_bytes() and left(dest) == [wheelhouse.name]
    monkeypatch.setattr(subprocess, "run", None)  # it is there: pip is not asked again
    assert from_index("tiny-weights==1.0", wheelhouse.name, sha, dest) == path


def test_a_wheel_that_is_another_or_not_there(wheelhouse, dest, monkeypatch):
    with pytest.raises(HashMismatchError, match="package index"):
        from_index("tiny-weights==1.0", wheelhouse.name, "0" * 64, dest)
    assert left(dest) == []
    with pytest.raises(MissingDataError, match=r"pip cannot bring tiny-weights==2\.0") as caught:
        from_index("tiny-weights==2.0", wheelhouse.name, SHA, dest)
    assert "--from" in caught.value.hint

    said = subprocess.CompletedProcess([], 1, "", "ERROR: https://me:secret@host/simple failed")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: said)
    with pytest.raises(MissingDataError) as caught:
        from_index("tiny-weights==1.0", wheelhouse.name, SHA, dest)
    assert "secret" not in caught.value.message
    assert sys.executable  # what is asked is this Python's pip
