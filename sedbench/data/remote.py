"""A file that is somewhere else: what is known of it, and where a person says that it is.

A *source* is what follows ``--from``: a folder that holds the file, the file itself, or an
``http``, ``https`` or ``file`` URL of either. Without a source a file comes from its own
address.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from sedbench.data.folder import is_inside
from sedbench.data.transfer import ELSEWHERE, shown
from sedbench.errors import DataError, MissingDataError, UsageError

_HEX = {"sha256": re.compile(r"[0-9a-f]{64}\Z"), "md5": re.compile(r"[0-9a-f]{32}\Z")}
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)  # two letters: "C:" is a drive


@dataclass(frozen=True)
class Remote:
    """One file that is somewhere else.

    Attributes
    ----------
    name : str
        Its name here, relative to the folder that it is brought to, forward slashes.
    url : str
        Its public address; empty where it has none.
    sha256 : str
        Hexadecimal; empty where nobody has recorded it.
    size : int or None
        Bytes.
    md5 : str
        As its publisher gives it; used where there is no sha256.
    record : str
        Address of a Zenodo record (JSON) that gives the file's md5. Asked only where the
        file comes from its own address and no hash is recorded.
    """

    name: str
    url: str
    sha256: str = ""
    size: int | None = None
    md5: str = ""
    record: str = ""

    def __post_init__(self) -> None:
        if not is_inside(self.name):
            raise DataError(f"the name {self.name!r} leaves its folder")
        for kind, pattern in _HEX.items():
            value = getattr(self, kind)
            if value and not pattern.match(value):
                raise DataError(f"{self.name}: {value!r} is no {kind}")

    @property
    def pinned(self) -> bool:
        """Whether a hash of it is recorded."""
        return bool(self.sha256 or self.md5)


def verified(path: Path, remote: Remote) -> bool:
    """Whether a file is there and has the recorded hash; False where none is recorded."""
    return path.is_file() and remote.pinned and has_hash(path, (remote.sha256, remote.md5))


def locate(remote: Remote, source: str | Path | None) -> Path | str:
    """Where to take a file from: a file of this machine, or a URL.

    Raises
    ------
    MissingDataError
        There is no such file or folder here, or the file has no public address.
    UsageError
        The address is of another kind than ``http``, ``https`` and ``file``.
    """
    where = place(source)
    if where is None:
        if not remote.url:
            raise MissingDataError(f"{remote.name} has no public address", ELSEWHERE)
        return remote.url
    if isinstance(where, Path):
        return _here(remote, where)
    parts = urlsplit(where)
    last = unquote(parts.path.rpartition("/")[2])
    suffix = PurePosixPath(remote.name).suffix
    if last and (last == PurePosixPath(remote.name).name or last.endswith(suffix or last)):
        return where
    folder = parts.path.rstrip("/") + "/" + quote(remote.name)
    return parts._replace(path=folder).geturl()


def place(source: str | Path | None) -> Path | str | None:
    """What a person named as a source: a path of this machine, or an ``http(s)`` URL.

    Raises
    ------
    UsageError
        It is an address of another kind.
    """
    text = str(source)
    if source is None:
        return None
    if isinstance(source, Path) or not _ADDRESS.match(text):
        return Path(source).expanduser()
    parts = urlsplit(text)
    if parts.scheme.lower() == "file" and parts.netloc in ("", "localhost"):
        return Path(url2pathname(parts.path))
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        raise UsageError(
            f"{shown(text)} is no address that files can be brought from",
            "give a folder, a file, or a URL that begins with http:, https: or file:",
        )
    return text


def _here(remote: Remote, path: Path) -> Path:
    found = path / remote.name if path.is_dir() else path
    if not found.is_file():
        what = f"{path} has no {remote.name}" if path.is_dir() else f"there is no {path}"
        raise MissingDataError(what, "name a folder that has it, the file itself, or a URL: --from")
    return found


def has_hash(path: Path, wanted: tuple[str, str]) -> bool:
    """Whether a file has a hash: the sha256, or where that is empty, the md5."""
    sha256, md5 = wanted
    return digest(path, "sha256" if sha256 else "md5") == (sha256 or md5)


def digest(path: Path, kind: str) -> str:
    """The hash of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()
