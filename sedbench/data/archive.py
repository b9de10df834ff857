"""A soundbank whose publisher gives it as one archive, with a layout of its own.

``sedbench fetch`` brings the archive, takes out what is wanted, arranges it as
:mod:`sedbench.data.folder` has it, and writes a manifest beside it with the sha256 of every
file. All of this happens in a folder beside the soundbank's, which takes its place when it is
whole. The archive is removed then; from there on the manifest says what is right, and the
soundbank is a :class:`~sedbench.data.folder.FolderSoundbank` like any other.

A plugin says which archive it is (:class:`~sedbench.data.download.Remote`), which members it
wants and where they go, and how the files become recordings.
"""

from __future__ import annotations

import contextlib
import csv
import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sedbench.data.download import Remote, locate, obtain, place, verified
from sedbench.data.fetch import FetchReport, Progress, fetch_files
from sedbench.data.folder import FolderSoundbank, is_inside, read_manifest, sha256_of
from sedbench.data.soundbank import Recording
from sedbench.data.unpack import unpack
from sedbench.errors import DataError, MissingDataError
from sedbench.files import write_atomic

MANIFEST = "manifest.csv"
COLUMNS = (
    *("file", "role", "class", "split", "group", "sha256", "duration"),
    *("kind", "fold", "licence", "author", "source"),
)


@dataclass(frozen=True)
class Published:
    """An archive as its publisher gives it.

    Attributes
    ----------
    remote : Remote
    want : callable
        Where a member goes, or None; see :func:`sedbench.data.unpack.unpack`.
    arrange : callable
        Given the folder with what was unpacked: put every file into its place, and return
        the manifest's rows, ``{column: value}`` with at least ``file``. The sha256 is added.
    """

    remote: Remote
    want: Callable[[str], str | None]
    arrange: Callable[[Path], Sequence[Mapping[str, object]]]


def bring(
    published: Published,
    root: Path,
    source: str | Path | None,
    check: bool,
    progress: Progress | None,
) -> FetchReport:
    """Bring an archive's files into ``root``, or verify what is there.

    Parameters
    ----------
    published : Published
    root : Path
        The soundbank's folder; it is replaced as a whole.
    source : str or Path or None
        Instead of the archive's own address: a folder that holds the archive, the archive,
        or a URL. Where no hash of the archive is recorded, also a folder into which it has
        been unpacked.
    check : bool
        Verify only; nothing is written.
    progress : callable or None
        Called with (files, in all), and with bytes as :func:`sedbench.data.download.obtain`
        does.

    Returns
    -------
    FetchReport

    Raises
    ------
    MissingDataError, HashMismatchError, DataError
        As :func:`sedbench.data.download.obtain` and :func:`sedbench.data.unpack.unpack` do.
    """
    root = root.resolve()
    if (root / MANIFEST).is_file():
        report = fetch_files(_recorded(root), None, root, True, progress)
        if check or report.ok:
            return report
    elif check:
        raise MissingDataError(f"{root} has not been fetched", "leave out --check")
    beside = root.parent / f".{root.name}-incoming"
    try:
        rows, notes = _renew(published, root, beside, source, progress)
    except OSError as error:
        raise DataError(
            f"cannot write {error.filename or root}: {error.strerror or error}",
            "make room, or set SEDBENCH_DATA to a folder that can be written",
        ) from error
    finally:
        shutil.rmtree(beside / "files", ignore_errors=True)
        with contextlib.suppress(OSError):
            beside.rmdir()  # unless a part of the archive is there, for the next time
    return FetchReport(root, copied=[str(row["file"]) for row in rows], notes=notes)


def _renew(
    published: Published,
    root: Path,
    beside: Path,
    source: str | Path | None,
    progress: Progress | None,
) -> tuple[Sequence[Mapping[str, object]], list[str]]:
    """Make the folder anew beside the old one; return its rows, and what should be known."""
    staging = beside / "files"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    notes = _collect(published, beside, staging, place(source), progress)
    rows = published.arrange(staging)
    if not rows:
        raise DataError(
            f"{published.remote.name} holds none of the files that are expected in it",
            "its layout has changed, or it is another archive",
        )
    _write(staging / MANIFEST, rows)
    _exchange(staging, root, beside)
    shutil.rmtree(beside, ignore_errors=True)
    return rows, notes


def _collect(
    published: Published,
    beside: Path,
    staging: Path,
    source: str | Path | None,
    progress: Progress | None,
) -> list[str]:
    """Fill ``staging`` with what is wanted; return what should be known of where it is from."""
    remote = published.remote
    if isinstance(source, Path) and source.is_dir() and not (source / remote.name).is_file():
        return _copy(published, source, staging)
    origin = locate(remote, source)
    if isinstance(origin, Path) and (verified(origin, remote) or not remote.pinned):
        archive = origin  # read where it lies
    else:
        archive = obtain(remote, beside, source, progress)
    tell: Progress | None = getattr(progress, "bytes", progress)
    unpack(archive, staging, published.want, progress=tell)
    if remote.pinned:
        return []
    return [
        f"nobody has recorded a hash of {remote.name} for sedbench; "
        f"the one that was used has sha256 {sha256_of(archive)}"
    ]


def _copy(published: Published, source: Path, staging: Path) -> list[str]:
    """Take the files of an archive that somebody has unpacked already."""
    if published.remote.pinned:
        raise MissingDataError(
            f"{source} has no {published.remote.name}",
            "the archive's hash is recorded, not those of its files: name the archive itself",
        )
    for path in sorted(source.rglob("*")):
        member = path.relative_to(source).as_posix()
        target = None if path.is_symlink() or not path.is_file() else published.want(member)
        if target is not None:
            if not is_inside(target):
                raise DataError(f"{path} would go to {target!r}, outside of its folder")
            (staging / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, staging / target)
    return [f"the files of {source} were taken as they are: no hash of them is recorded"]


def _write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    out = io.StringIO()
    columns = [c for c in COLUMNS if c == "sha256" or c in rows[0]]
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in sorted(rows, key=lambda row: str(row["file"])):
        writer.writerow({**row, "sha256": sha256_of(path.parent / str(row["file"]))})
    write_atomic(path, out.getvalue().encode())


def _exchange(staging: Path, root: Path, beside: Path) -> None:
    """Put the new folder in the old one's place; the old one goes with what is beside."""
    shutil.rmtree(beside / "replaced", ignore_errors=True)
    if root.exists():
        root.replace(beside / "replaced")
    root.parent.mkdir(parents=True, exist_ok=True)
    staging.replace(root)


def _recorded(root: Path) -> list[Remote]:
    """The files of a manifest that :func:`bring` wrote."""
    try:
        rows = list(csv.DictReader(io.StringIO((root / MANIFEST).read_text(encoding="utf-8"))))
        return [Remote(row["file"], "", row["sha256"]) for row in rows]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise DataError(
            f"{root / MANIFEST} cannot be read: {error}", "remove the folder and fetch it again"
        ) from error


class ArchiveSoundbank(FolderSoundbank):
    """A soundbank that comes as an archive.

    Parameters
    ----------
    name : str
    root : Path
        Where it belongs.
    published : Published
        ``arrange`` gives rows with all columns of :mod:`sedbench.data.folder`'s manifest.
    fetch : str
        What to type when it is not there.
    """

    def __init__(self, name: str, root: Path, published: Published, fetch: str) -> None:
        super().__init__(name, root, root / MANIFEST, fetch)
        self.published = published

    @cached_property
    def _recordings(self) -> dict[str, Recording]:
        if not (self.root / MANIFEST).is_file():
            raise self._missing(self.root)
        return {r.id: r for r in read_manifest(self.root / MANIFEST)}

    def bring(
        self,
        source: str | Path | None = None,
        check: bool = False,
        progress: Progress | None = None,
    ) -> FetchReport:
        """Fetch or verify it: see :func:`bring`."""
        self.__dict__.pop("_recordings", None)
        return bring(self.published, self.root, source, check, progress)
