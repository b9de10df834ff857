"""Archives: what is wanted comes out, and nothing else, whatever the archive says."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sedbench.data import unpack as module
from sedbench.data.unpack import unpack
from sedbench.errors import DataError

Members = Sequence[tuple[str, bytes]]


def everything(member: str) -> str | None:
    return member


def make_zip(path: Path, members: Members) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo("x")
            info.compress_type = zipfile.ZIP_DEFLATED
            info.filename = info.orig_filename = name  # as it is, whatever this platform likes
            archive.writestr(info, content)
    return path


def make_tar(path: Path, members: Members, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


MAKERS: list[tuple[str, Callable[[Path, Members], Path]]] = [
    ("a.zip", make_zip),
    ("a.tar", lambda p, m: make_tar(p, m, "w")),
    ("a.tar.gz", make_tar),
    ("a.tar.xz", lambda p, m: make_tar(p, m, "w:xz")),
]
each_format = pytest.mark.parametrize(("name", "make"), MAKERS, ids=[n for n, _ in MAKERS])


def found(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def refused(archive: Path, dest: Path, match: str, want=everything, **options) -> None:
    before = found(dest.parent)
    with pytest.raises(DataError, match=match) as caught:
        unpack(archive, dest, want, **options)
    assert str(archive) in caught.value.message and caught.value.hint
    assert found(dest.parent) == before  # neither beside it nor in it


@each_format
def test_what_is_wanted_comes_out(name, make, tmp_path):
    members = [("./top/a.wav", b"a" * 1000), ("top/b.txt", b"b"), ("top/sub/c.wav", b"")]
    archive, told = make(tmp_path / name, members), []
    written = unpack(
        archive,
        tmp_path / "out",
        lambda m: m.removeprefix("top/") if m.endswith(".wav") else None,
        progress=lambda done, total: told.append(done),
    )
    assert found(tmp_path / "out") == {"a.wav": b"a" * 1000, "sub/c.wav": b""}
    assert written == [tmp_path / "out/a.wav", tmp_path / "out/sub/c.wav"] and told == [1000]


@each_format
@pytest.mark.parametrize(
    "evil",
    [
        "../evil",
        "a/../../evil",
        "/evil",
        "a/b/../../../evil",
        r"..\evil",
        r"C:\evil",
        "C:evil",
        "a\\b",
    ],
)
def test_no_member_leaves_the_folder(name, make, evil, tmp_path):
    archive = make(tmp_path / name, [("good", b"g"), (evil, b"e")])
    refused(archive, tmp_path / "out", "leaves its folder")
    refused(archive, tmp_path / "out", "leaves its folder", want=lambda m: None)


@pytest.mark.parametrize("target", ["../evil", "/evil", "a/../../evil", "C:evil", "a\0b"])
def test_no_target_leaves_the_folder(target, tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("good", b"g")])
    refused(archive, tmp_path / "out", "outside of its folder", want=lambda m: target)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_a_tar_gives_no_links_and_devices(kind, tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("evil")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
        # A file that would be written through the link.
        inner = tarfile.TarInfo("evil/file")
        inner.size = 1
        archive.addfile(inner, io.BytesIO(b"x"))
    refused(path, tmp_path / "out", "is a link, a device or a pipe")
    # Nobody asked for it: then it is no harm, and nothing is made of it.
    unpack(path, tmp_path / "out", lambda m: m if m == "evil/file" else None)
    assert found(tmp_path / "out") == {"evil/file": b"x"}
    assert not (tmp_path / "out/evil").is_symlink()


def test_a_zip_gives_no_links(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("evil")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", tmp_path / "out", "is a link")


def test_a_link_that_is_there_already_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").symlink_to(tmp_path / "elsewhere")
    refused(make_zip(tmp_path / "a.zip", [("a/b", b"x")]), tmp_path / "out", "follow a link")


@each_format
@pytest.mark.parametrize(
    "pair",
    [
        ("a/b", "a/b"),
        ("a/b", "A/B"),
        ("caf\u00e9", "cafe\u0301"),
        ("straße", "STRASSE"),
        ("a", "a/b"),
        ("a/b", "A"),
    ],
)
def test_two_members_with_one_place(name, make, pair, tmp_path):
    with pytest.warns() if name == "a.zip" and pair[0] == pair[1] else _nothing():
        archive = make(tmp_path / name, [(pair[0], b"1"), (pair[1], b"2")])
    refused(archive, tmp_path / "out", "would take the place of")


def _nothing():
    import contextlib

    return contextlib.nullcontext()


def test_bombs(tmp_path, monkeypatch):
    bomb = make_zip(tmp_path / "a.zip", [("zeros", bytes(3_000_000))])
    monkeypatch.setattr(module, "ALLOWANCE", 1000)
    assert bomb.stat().st_size < 10_000
    refused(bomb, tmp_path / "out", "one too many")
    tar = make_tar(tmp_path / "a.tar.gz", [("zeros", bytes(3_000_000))])
    refused(tar, tmp_path / "out", "one too many", want=lambda m: None)
    assert unpack(bomb, tmp_path / "out", everything, limit=3_000_000)
    many = make_tar(tmp_path / "many.tar", [(str(i), b"") for i in range(20)], "w")
    monkeypatch.setattr(module, "MEMBERS", 10)
    refused(many, tmp_path / "more", "one too many")


def test_a_zip_that_understates_its_size(tmp_path):
    content = bytes(3_000_000)
    path = make_zip(tmp_path / "a.zip", [("zeros", content)])
    raw = path.read_bytes().replace(len(content).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(raw)
    refused(path, tmp_path / "out", "damaged|more than it says")


@each_format
def test_an_archive_that_was_cut_short(name, make, tmp_path):
    whole = make(tmp_path / name, [(f"{i}.wav", bytes(range(256)) * 8) for i in range(8)])
    raw = whole.read_bytes()
    data = 8 * (512 + 2048)  # of the plain tar; what follows is padding that says the end
    for length in (
        0,
        1,
        len(raw) // 3,
        len(raw) - 30,
        *((data, data - 2048, 600) if name == "a.tar" else ()),
    ):
        if name == "a.tar" and length > data + 512:
            continue
        whole.write_bytes(raw[:length])
        refused(whole, tmp_path / "out", "cannot be read|its end is missing")


def test_what_is_no_archive_or_is_locked(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"<html>sign in first</html>" * 100)
    refused(tmp_path / "a.zip", tmp_path / "out", "cannot be read")
    path = make_zip(tmp_path / "b.zip", [("a", b"x")])
    raw = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + offset] |= 1  # encrypted
    path.write_bytes(raw)
    refused(path, tmp_path / "out", "encrypted")


def test_an_interrupted_unpacking_leaves_nothing(tmp_path):
    archive = make_tar(tmp_path / "a.tar.gz", [("a", b"1"), ("b", b"2")])

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(archive, tmp_path / "out", everything, progress=interrupt)
    assert found(tmp_path / "out") == {}


def test_a_folder_that_cannot_be_written(tmp_path):
    archive = make_zip(tmp_path / "a.zip", [("a", b"1")])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        unpack(archive, tmp_path / "file" / "out", everything)


names = st.text(st.sampled_from("ab./\\: é"), min_size=1, max_size=8)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(names, min_size=1, max_size=4, unique=True), st.booleans())
def test_whatever_members_are_called_nothing_is_outside(tmp_path_factory, members, as_zip):
    root = tmp_path_factory.mktemp("any")
    make = make_zip if as_zip else make_tar
    archive = make(root / "archive", [(name, b"x") for name in members])
    try:
        unpack(archive, root / "out", everything)
    except DataError:
        assert set(found(root)) == {"archive"}
    assert all(path == "archive" or path.startswith("out/") for path in found(root))
