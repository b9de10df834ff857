"""Fetching: verified, resumable, never a wrong file in place."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sedbench.data.fetch import fetch_folder
from sedbench.errors import DataError, HashMismatchError, MissingDataError

FILES = {f"foreground/Dog/{name}.wav": name.encode() * 100 for name in "abc"}


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    lines = ["file,role,class,split,group,sha256,duration"]
    for i, (file, data) in enumerate(FILES.items()):
        path = tmp_path / "mirror" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        lines.append(f"{file},foreground,Dog,train,g{i},{hashlib.sha256(data).hexdigest()},1.0")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "mirror"


@pytest.fixture
def manifest(mirror: Path) -> Path:
    return mirror.parent / "manifest.csv"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_everything_is_brought_and_then_kept(mirror: Path, manifest: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    dest = tmp_path / "data"
    first = fetch_folder(manifest, mirror, dest, progress=lambda i, n: seen.append((i, n)))
    assert first.ok and len(first.copied) == 3 and seen == [(1, 3), (2, 3), (3, 3)]
    assert contents(dest) == FILES
    again = fetch_folder(manifest, mirror, dest)
    assert again.ok and len(again.kept) == 3 and not again.copied
    assert str(again).endswith("0 copied, 3 kept, 0 wrong, 0 missing")


def test_an_interrupted_fetch_goes_on(mirror: Path, manifest: Path, tmp_path: Path) -> None:
    dest = tmp_path / "data"

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_folder(manifest, mirror, dest, progress=interrupt)
    assert len(contents(dest)) == 2
    report = fetch_folder(manifest, mirror, dest)
    assert (len(report.kept), len(report.copied)) == (2, 1) and contents(dest) == FILES


def test_a_wrong_file_in_place_is_replaced(mirror: Path, manifest: Path, tmp_path: Path) -> None:
    dest = tmp_path / "data"
    fetch_folder(manifest, mirror, dest)
    (dest / "foreground/Dog/b.wav").write_bytes(b"changed")
    check = fetch_folder(manifest, None, dest, check=True)
    assert check.wrong == ["foreground/Dog/b.wav"] and not check.ok
    assert (dest / "foreground/Dog/b.wav").read_bytes() == b"changed"  # check writes nothing
    assert fetch_folder(manifest, mirror, dest).copied == ["foreground/Dog/b.wav"]
    assert contents(dest) == FILES


def test_a_wrong_mirror_does_not_get_in_and_does_not_stop_the_others(
    mirror: Path, manifest: Path, tmp_path: Path
) -> None:
    (mirror / "foreground/Dog/a.wav").write_bytes(b"other")
    (mirror / "foreground/Dog/b.wav").unlink()
    dest = tmp_path / "data"
    report = fetch_folder(manifest, mirror, dest)
    assert report.wrong == ["foreground/Dog/a.wav"]
    assert report.missing == ["foreground/Dog/b.wav"]
    assert list(contents(dest)) == ["foreground/Dog/c.wav"]  # and no temporary file
    with pytest.raises(HashMismatchError, match=r"1 wrong, 1 missing .*a.wav") as caught:
        report.raise_unless_ok("try another mirror")
    assert caught.value.exit_code == 4 and caught.value.hint == "try another mirror"


def test_check_of_nothing_reports_everything_missing(
    mirror: Path, manifest: Path, tmp_path: Path
) -> None:
    report = fetch_folder(manifest, None, tmp_path / "data", check=True)
    assert len(report.missing) == 3 and not (tmp_path / "data").exists()
    with pytest.raises(MissingDataError):
        report.raise_unless_ok("fetch it")


def test_without_a_mirror_it_says_what_to_do(mirror: Path, manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="3 recordings belong in") as caught:
        fetch_folder(manifest, None, tmp_path / "data")
    assert "--from DIR" in caught.value.hint
    with pytest.raises(MissingDataError, match="is no folder") as caught:
        fetch_folder(manifest, tmp_path / "nowhere", tmp_path / "data")
    assert "--from DIR" in caught.value.hint


@pytest.mark.parametrize("path", ["../evil.wav", "foreground/../../evil.wav", "/evil.wav"])
def test_no_path_leaves_the_folder(mirror: Path, manifest: Path, tmp_path: Path, path: str) -> None:
    text = manifest.read_text()
    manifest.write_text(text.replace("foreground/Dog/a.wav", path, 1))
    with pytest.raises(DataError, match="line 2: the file"):
        fetch_folder(manifest, mirror, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_written(mirror: Path, manifest: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(DataError, match="cannot write") as caught:
        fetch_folder(manifest, mirror, blocked / "data")
    assert "SEDBENCH_DATA" in caught.value.hint
