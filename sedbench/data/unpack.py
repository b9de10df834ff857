"""Taking files out of an archive that is not trusted.

    unpack(Path("bank.tar.gz"), dest, want=lambda m: m if m.endswith(".wav") else None)

Zip, and tar with any compression that Python knows. What may come out is a regular file under
``dest`` and nothing else. These end with an error that names archive and member, before
anything of that member is written: an absolute path, ``..``, a drive letter, a backslash; a
link, a device or a pipe that was asked for; two members with one target (also when only
letter case or Unicode form differ, since some disks cannot tell those apart); a file where
another needs a folder; and more bytes or members than an archive of sounds can hold. An
archive that is damaged or cut short is an error too, and whatever this call wrote is removed.

References
----------
Python documentation, ``tarfile``, "Extraction filters" (PEP 706), for what can go wrong.
"""

from __future__ import annotations

import lzma
import os
import re
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from sedbench.data.folder import is_inside
from sedbench.errors import DataError

Progress = Callable[[int, int], None]

CHUNK = 1 << 18
RATIO = 100  # sounds shrink by far less
ALLOWANCE = 64 << 20
MEMBERS = 200_000
BLOCK = 512  # of a tar

_DRIVE = re.compile(r"[A-Za-z]:")
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


class _Member(Protocol):
    """One entry, whatever the archive's format."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def regular(self) -> bool: ...
    @property
    def folder(self) -> bool: ...

    def open(self) -> IO[bytes]: ...


def unpack(
    archive: Path,
    dest: Path,
    want: Callable[[str], str | None],
    limit: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Take out the files that are wanted.

    Parameters
    ----------
    archive : Path
    dest : Path
        Made if need be.
    want : callable
        Given a member's path (forward slashes, no leading ``./``): where it goes, relative to
        ``dest``, or None to leave it.
    limit : int, optional
        Bytes that all members together may have; by default a hundred times the archive's
        size and 64 MiB.
    progress : callable, optional
        Called with (bytes written, 0).

    Returns
    -------
    list of Path
        What was written, in the archive's order.

    Raises
    ------
    DataError
        See above; nothing of this call is left in ``dest`` then.
    """
    budget = limit if limit is not None else RATIO * archive.stat().st_size + ALLOWANCE
    job = _Job(archive, dest, want, budget, progress or (lambda done, total: None))
    try:
        with _damage(archive), _members(archive) as members:
            for member in members:
                job.take(member)
    except BaseException:
        for path in job.written:
            path.unlink(missing_ok=True)
        raise
    return job.written


@dataclass
class _Job:
    archive: Path
    dest: Path
    want: Callable[[str], str | None]
    budget: int
    tell: Progress
    written: list[Path] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # folded target -> member
    folders: dict[str, str] = field(default_factory=dict)
    count: int = 0
    declared: int = 0
    bytes: int = 0

    def refuse(self, member: str, why: str) -> DataError:
        return DataError(
            f"{self.archive}: the member {member!r} {why}",
            "this archive is not what it should be; get it from its publisher",
        )

    def take(self, member: _Member) -> None:
        name = member.name.removeprefix("./")
        self.count += 1
        self.declared += max(member.size, 0)
        if self.count > MEMBERS or self.declared > self.budget:
            raise self.refuse(name, f"is one too many: the limit is {self.budget} bytes")
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or _DRIVE.match(name) or "\\" in name:
            raise self.refuse(name, "leaves its folder")
        if member.folder or (target := self.want(name)) is None:
            return
        if not member.regular:
            raise self.refuse(name, "is a link, a device or a pipe")
        if not is_inside(target):
            raise self.refuse(name, f"would go to {target!r}, outside of its folder")
        self.claim(name, target)
        self.write(member, name, self.dest / PurePosixPath(target))

    def claim(self, name: str, target: str) -> None:
        folded = [_fold(part) for part in PurePosixPath(target).parts]
        whole = "/".join(folded)
        above = ["/".join(folded[:i]) for i in range(1, len(folded))]
        rivals = [self.files.get(whole), self.folders.get(whole), *map(self.files.get, above)]
        if rival := next((r for r in rivals if r is not None), None):
            raise self.refuse(name, f"would take the place of {rival!r}")
        self.files[whole] = name
        self.folders.update(dict.fromkeys(above, name))

    def write(self, member: _Member, name: str, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.parent.resolve().is_relative_to(self.dest.resolve()):
                raise self.refuse(name, f"would follow a link out of {self.dest}")
            handle, temporary = tempfile.mkstemp(prefix=".unpack-", dir=path.parent)
        except OSError as error:
            raise self.failed(path, error) from error
        try:
            with os.fdopen(handle, "wb") as out, member.open() as source:
                while chunk := source.read(CHUNK):
                    self.bytes += len(chunk)
                    if self.bytes > self.budget:
                        raise self.refuse(name, "holds more than it says")
                    try:
                        out.write(chunk)
                    except OSError as error:
                        raise self.failed(path, error) from error
                    self.tell(self.bytes, 0)
            os.chmod(temporary, 0o644)  # noqa: PTH101 - mkstemp gives a string
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
        self.written.append(path)

    def failed(self, path: Path, error: OSError) -> DataError:
        return DataError(
            f"cannot write {path}: {error.strerror or error}",
            "make room, or set SEDBENCH_DATA to a folder that can be written",
        )


def _fold(part: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold())


@contextmanager
def _damage(archive: Path) -> Iterator[None]:
    """Turn what the readers say of a broken archive into one error."""
    try:
        yield
    except (*_DAMAGED, RuntimeError, NotImplementedError, OSError, UnicodeError) as error:
        raise DataError(
            f"{archive} cannot be read: it is damaged, cut short or encrypted ({error})",
            "remove it and fetch it again",
        ) from error


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield (_Zipped(file, info) for info in file.infolist())
    else:
        with tarfile.open(archive, "r:*") as file:
            yield _tarred(file)


@dataclass
class _Zipped:
    file: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def name(self) -> str:
        # zipfile cuts names at a NUL and turns the platform's separator; the raw name is kept.
        return self.info.orig_filename

    @property
    def size(self) -> int:
        return self.info.file_size

    @property
    def folder(self) -> bool:
        return self.info.is_dir()

    @property
    def regular(self) -> bool:
        kind = stat.S_IFMT(self.info.external_attr >> 16)
        return kind in (0, stat.S_IFREG)  # no Unix mode: written elsewhere, a plain file

    def open(self) -> IO[bytes]:
        return self.file.open(self.info)


@dataclass
class _Tarred:
    file: tarfile.TarFile
    info: tarfile.TarInfo

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def size(self) -> int:
        return self.info.size

    @property
    def folder(self) -> bool:
        return self.info.isdir()

    @property
    def regular(self) -> bool:
        return self.info.isreg()

    def open(self) -> IO[bytes]:
        found = self.file.extractfile(self.info)
        if found is None:
            raise tarfile.ReadError(f"{self.info.name} holds nothing")
        return found


def _tarred(file: tarfile.TarFile) -> Iterator[_Tarred]:
    for info in file:
        yield _Tarred(file, info)
    # A tar that was cut within a header would end here as if it were whole: look for its end.
    source = file.fileobj
    if source is None:
        raise tarfile.ReadError("nothing to read")
    source.seek(file.offset)
    if source.read(BLOCK) != bytes(BLOCK):
        raise tarfile.ReadError("its end is missing")
    # And to the last byte, since compression has its checksum there.
    for _ in range(ALLOWANCE // CHUNK + 1):
        if not source.read(CHUNK):
            return
    raise tarfile.ReadError("more follows after its end")
