"""Bringing a soundbank's recordings to this machine, and making sure that they are right.

A soundbank ships as a manifest; its audio comes from a *mirror*, a folder with the same
layout. Every file is copied under another name, its sha256 is compared with the manifest's,
and only then it gets its own name: what lies in the folder is always right. A fetch that
was interrupted goes on where it stopped, since files that are right are kept.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sedbench.data.folder import read_manifest, sha256_of
from sedbench.errors import DataError, HashMismatchError, MissingDataError

Progress = Callable[[int, int], None]


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
    """

    dest: Path
    copied: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every recording of the manifest is there and right."""
        return not self.wrong and not self.missing

    def __str__(self) -> str:
        return (
            f"{self.dest}: {len(self.copied)} copied, {len(self.kept)} kept, "
            f"{len(self.wrong)} wrong, {len(self.missing)} missing"
        )

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
    source: Path | None,
    dest: Path,
    check: bool = False,
    progress: Progress | None = None,
) -> FetchReport:
    """Bring every recording of a manifest from a mirror folder, or verify what is there.

    Parameters
    ----------
    manifest : Path
        See :mod:`sedbench.data.folder`; a path that leaves the folder is refused there.
    source : Path or None
        The mirror. Not needed with ``check``, or where every file is there already.
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
        No mirror was named, or it is no folder.
    DataError
        ``dest`` cannot be written.
    """
    recordings = read_manifest(manifest)
    report = FetchReport(dest)
    if not check and source is not None and not source.is_dir():
        raise MissingDataError(
            f"the mirror {source} is no folder",
            "name the folder that holds foreground/ and background/: --from DIR",
        )
    for done, recording in enumerate(recordings, 1):
        target = dest / recording.id
        state = _state(target, recording.sha256)
        if state == "right":
            report.kept.append(recording.id)
        elif check:
            (report.wrong if state == "wrong" else report.missing).append(recording.id)
        elif source is None:
            raise MissingDataError(
                f"{len(recordings)} recordings belong in {dest}, and {recording.id} is not there",
                "name a folder that has them: --from DIR (its layout: foreground/<label>/<file>)",
            )
        else:
            _list(report, _bring(source / recording.id, target, recording.sha256), recording.id)
        if progress is not None:
            progress(done, len(recordings))
    return report


def _list(report: FetchReport, outcome: str, recording: str) -> None:
    getattr(report, outcome).append(recording)


def _state(path: Path, sha256: str) -> str:
    if not path.is_file():
        return "missing"
    return "right" if sha256_of(path) == sha256 else "wrong"


def _bring(origin: Path, target: Path, sha256: str) -> str:
    """Copy one file and return the report's list that it belongs to."""
    if not origin.is_file():
        return "missing"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".fetch-", dir=target.parent)
        os.close(handle)
        try:
            shutil.copyfile(origin, name)
            if sha256_of(Path(name)) != sha256:
                return "wrong"
            Path(name).chmod(0o644)  # mkstemp makes files that only their owner may read
            Path(name).replace(target)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot copy {origin} to {target.parent}: {error.strerror or error}",
            "make room, or set SEDBENCH_DATA to a folder that can be written",
        ) from error
    return "copied"
