"""Bringing a soundbank's recordings to this machine, and making sure that they are right.

A soundbank ships as a manifest; its audio comes from a *mirror*: a folder with the same
layout, an archive of such a folder, or a URL of either. Every file is brought under another
name, its sha256 is compared with the manifest's, and only then it gets its own name: what
lies in the folder is always right. A fetch that was interrupted goes on where it stopped,
since files that are right are kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from sedbench.data.download import Remote, UnreachableError, locate, obtain, place, verified
from sedbench.data.folder import read_manifest
from sedbench.data.unpack import unpack
from sedbench.errors import DataError, HashMismatchError, MissingDataError

Progress = Callable[[int, int], None]
Outcome = Literal["copied", "wrong", "missing"]

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass
class FetchReport:
    """What was found and done, as recording ids.

    Attributes
    ----------
    copied : list of str
        Brought now.
    kept : list of str
        There already, and right.
    wrong : list of str
        With ``check``: in the folder, but not the file that the manifest records.
        Otherwise: the same of the mirror.
    missing : list of str
        Not there.
    notes : list of str
        What whoever fetches should know, a sentence each.
    """

    dest: Path
    copied: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every recording of the manifest is there and right."""
        return not self.wrong and not self.missing

    def __str__(self) -> str:
        return (
            f"{self.dest}: {len(self.copied)} copied, {len(self.kept)} kept, "
            f"{len(self.wrong)} wrong, {len(self.missing)} missing"
        )

    def add(self, outcome: Outcome, name: str) -> None:
        """List a file."""
        getattr(self, outcome).append(name)

    def raise_unless_ok(self, hint: str) -> None:
        """Turn what is wrong or missing into the error of the command line.

        Raises
        ------
        HashMismatchError
            A file is not the recorded one.
        MissingDataError
            A file is absent.
        """
        if self.wrong:
            raise HashMismatchError(f"{self} (the first wrong one: {self.wrong[0]})", hint)
        if self.missing:
            raise MissingDataError(f"{self} (the first missing one: {self.missing[0]})", hint)


def fetch_folder(
    manifest: Path,
    source: str | Path | None,
    dest: Path,
    check: bool = False,
    progress: Progress | None = None,
) -> FetchReport:
    """Bring every recording of a manifest from a mirror, or verify what is there.

    Parameters
    ----------
    manifest : Path
        See :mod:`sedbench.data.folder`; a path that leaves the folder is refused there.
    source : str or Path or None
        The mirror: see :func:`fetch_files`.
    dest : Path
        The soundbank's folder.
    check : bool, optional
        Verify only; nothing is written.
    progress : callable, optional
        Called with (files done, files in all).

    Returns
    -------
    FetchReport
        A file that the mirror lacks or has wrong does not stop the others.

    Raises
    ------
    MissingDataError
        No mirror was named, or it is no folder, or cannot be reached.
    DataError
        ``dest`` cannot be written.
    """
    files = [Remote(r.id, "", r.sha256) for r in read_manifest(manifest)]
    return fetch_files(files, source, dest, check, progress)


def fetch_files(
    files: Sequence[Remote],
    source: str | Path | None,
    dest: Path,
    check: bool = False,
    progress: Progress | None = None,
) -> FetchReport:
    """Bring files with recorded hashes from a mirror, or verify what is there.

    Parameters
    ----------
    files : sequence of Remote
    source : str or Path or None
        A folder or an archive that has them under the same names, or a URL of either. Not
        needed with ``check``, or where every file is there already.
    dest, check, progress
        As for :func:`fetch_folder`.

    Returns
    -------
    FetchReport

    Raises
    ------
    MissingDataError, DataError
        As for :func:`fetch_folder`.
    """
    source = None if check else place(source)
    if source is not None and _is_archive(source):
        return _from_archive(files, source, dest, progress)
    report = FetchReport(dest)
    if isinstance(source, Path) and not source.is_dir():
        raise MissingDataError(
            f"the mirror {source} is no folder",
            "name the folder that holds foreground/ and background/: --from DIR",
        )
    for done, remote in enumerate(files, 1):
        if verified(dest / remote.name, remote):
            report.kept.append(remote.name)
        elif check:
            report.add("wrong" if (dest / remote.name).is_file() else "missing", remote.name)
        elif source is None:
            raise MissingDataError(
                f"{len(files)} recordings belong in {dest}, and {remote.name} is not there",
                "name a folder that has them: --from DIR (its layout: foreground/<label>/<file>)",
            )
        else:
            report.add(_bring(remote, dest, source), remote.name)
        if progress is not None:
            progress(done, len(files))
    return report


def _bring(remote: Remote, dest: Path, source: str | Path) -> Outcome:
    """Bring one file and say which of the report's lists it belongs to."""
    try:
        obtain(remote, dest, source)
    except UnreachableError:
        raise  # the other files would not come either
    except MissingDataError:
        return "missing"
    except HashMismatchError:
        return "wrong"
    return "copied"


def _is_archive(source: str | Path) -> bool:
    name = str(source).partition("?")[0].lower()
    return name.endswith(ARCHIVES) and not Path(source).is_dir()


def _from_archive(
    files: Sequence[Remote], source: str | Path, dest: Path, progress: Progress | None
) -> FetchReport:
    """Take the files out of an archive, under whatever folder they are in there.

    Nobody recorded the archive's own hash, and nobody needs it: each file is verified.
    """
    names = {remote.name for remote in files}
    depth = {len(PurePosixPath(name).parts) for name in names}

    def want(member: str) -> str | None:
        parts = PurePosixPath(member).parts
        tails = ("/".join(parts[-n:]) for n in depth if n <= len(parts))
        return next((tail for tail in tails if tail in names), None)

    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=dest.parent) as name:
            folder = Path(name)
            last = str(source).partition("?")[0].replace("\\", "/").rpartition("/")[2]
            archive = Remote(last, str(source))
            origin = locate(archive, source)
            here = isinstance(origin, Path)
            path = Path(origin) if here else obtain(archive, folder, None, progress)
            unpack(path, folder / "files", want)
            return fetch_files(files, folder / "files", dest, False, progress)
    except OSError as error:
        raise DataError(
            f"cannot write {dest.parent}: {error.strerror or error}",
            "make room, or set SEDBENCH_DATA to a folder that can be written",
        ) from error
