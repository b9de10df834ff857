"""A folder of recordings as a soundbank, in Scaper's layout.

    <root>/foreground/<label>/<name>.flac        <root>/background/<label>/<name>.wav

A *manifest* (CSV, UTF-8) says what is in it: ``file`` (relative, forward slashes), ``role``,
``class``, ``split``, ``group``, ``sha256``, ``duration`` (s), ``licence``, ``author``,
``title``, ``source``, and for tasks in folds ``fold`` (0, 1, ...); further columns are
ignored. The recording's id is its ``file``. A manifest is checked when it is read and a file's
hash when its audio is first read, so that listing a soundbank costs nothing and a wrong file is
never heard.

Without one the folder is walked, and says itself what is in it: :mod:`sedbench.data.walk`.

WAV, FLAC and OGG of any rate are read; channels are averaged and the rate is converted by
soxr (HQ).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sedbench.data.soundbank import Recording
from sedbench.data.walk import ROLES, LeftOut, walk
from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.types import SPLITS, Split

COLUMNS = ("file", "role", "class", "split", "group", "sha256", "duration")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_SHARES: tuple[tuple[float, Split], ...] = ((0.70, "train"), (0.85, "validation"), (1.0, "test"))


def split_of(group: str) -> Split:
    """A split for a group by the sha256 of its name alone: .70 train, .15 validation, .15 test."""
    number = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    return next(split for share, split in _SHARES if number < share)


def read_manifest(path: Path) -> tuple[Recording, ...]:
    """Read and check a manifest.

    Returns
    -------
    tuple of Recording
        Sorted by id.

    Raises
    ------
    DataError
        The manifest is absent or a row cannot be; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the manifest {path} cannot be read: {error}") from error
    rows = csv.DictReader(io.StringIO(text))
    if absent := [c for c in COLUMNS if c not in (rows.fieldnames or ())]:
        raise DataError(f"{path}, line 1: the column {absent[0]!r} is missing")
    found: dict[str, Recording] = {}
    homes: dict[str, tuple[Split, int | None]] = {}
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        recording = _recording(row, where)
        if recording.id in found:
            raise DataError(f"{where}: {recording.id!r} stands twice")
        split, fold = homes.setdefault(recording.group, (recording.split, recording.fold))
        if (split, fold) != (recording.split, recording.fold):
            what = "splits" if split != recording.split else "folds"
            raise DataError(
                f"{where}: the group {recording.group!r} is in two {what}",
                f"all recordings of a group belong in one of the {what}",
            )
        found[recording.id] = recording
    return tuple(found[key] for key in sorted(found))


def _recording(row: dict[str, str | None], where: str) -> Recording:
    def text(key: str) -> str:
        return (row.get(key) or "").strip()

    file, label, group, sha256 = text("file"), text("class"), text("group"), text("sha256")
    role = next((r for r in ROLES if r == text("role")), None)
    split = next((s for s in SPLITS if s == text("split")), None)
    if role is None or split is None:
        raise DataError(
            f"{where}: the role or split {text('role')!r}, {text('split')!r} is unknown"
        )
    parts = PurePosixPath(file).parts
    if len(parts) != 3 or parts[:2] != (role, label) or not is_inside(file):
        raise DataError(f"{where}: the file {file!r} is not {role}/{label or '<label>'}/<name>")
    try:
        duration = float(text("duration"))
    except ValueError:
        duration = -1.0
    if not 0 < duration < float("inf"):
        raise DataError(f"{where}: the duration {text('duration')!r} is not positive")
    fold = text("fold")
    if fold and not (fold.isascii() and fold.isdigit()):
        raise DataError(f"{where}: the fold {fold!r} is not 0, 1, ...")
    if not group or not _SHA256.match(sha256):
        raise DataError(f"{where}: the group is empty or the sha256 is not 64 hexadecimal digits")
    return Recording(
        id=file,
        role=role,
        label=label,
        split=split,
        duration=duration,
        group=group,
        licence=text("licence"),
        author=text("author"),
        source=text("source"),
        sha256=sha256,
        fold=int(fold) if fold else None,
    )


def is_inside(file: str) -> bool:
    """Whether a manifest's path stays in its folder on every platform."""
    path = PurePosixPath(file)
    return bool(path.parts) and not (
        path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file or "\0" in file
    )


def sha256_of(path: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FolderSoundbank:
    """A soundbank in a folder.

    Parameters
    ----------
    name : str
        The soundbank's name.
    root : Path
        The folder that holds ``foreground`` and ``background``. It need not exist before
        audio is asked for, where there is a manifest.
    manifest : Path, optional
        Without it the folder is walked.
    fetch : str, optional
        What to type when the folder is missing.
    """

    def __init__(
        self, name: str, root: Path, manifest: Path | None = None, fetch: str = ""
    ) -> None:
        self.name, self.root, self.manifest, self.fetch = name, root, manifest, fetch
        self._verified: set[str] = set()

    @cached_property
    def _recordings(self) -> dict[str, Recording]:
        found = read_manifest(self.manifest) if self.manifest else self._walked[0]
        return {recording.id: recording for recording in found}

    @cached_property
    def left_out(self) -> LeftOut:
        """Files of a walked folder that are no recordings, each with the reason."""
        return () if self.manifest else self._walked[1]

    def recordings(self) -> Sequence[Recording]:
        """Every recording, sorted by id; with a manifest no audio is touched."""
        return tuple(self._recordings.values())

    def fingerprint(self) -> str:
        """Hexadecimal sha256 over every recording's id, hash, role, split and group."""
        digest = hashlib.sha256()
        for r in self._recordings.values():
            content = r.sha256 or sha256_of(self.root / r.id)
            fold = () if r.fold is None else (str(r.fold),)
            parts = (r.id, content, r.role, r.split, r.group, *fold, "\n")
            digest.update("\0".join(parts).encode())
        return digest.hexdigest()

    def audio(self, recording_id: str, sample_rate: int) -> NDArray[np.float32]:
        """The whole recording, mono, shape (samples,), in [-1, 1].

        Raises
        ------
        MissingDataError
            The folder or the file is absent.
        HashMismatchError
            The file is not the one that the manifest records.
        DataError
            The id is unknown, or the file is unreadable, empty or holds NaN.
        """
        if recording_id not in self._recordings:
            raise DataError(f"soundbank {self.name!r} has no recording {recording_id!r}")
        path = self.root / recording_id
        self._verify(self._recordings[recording_id], path)
        return read_audio(path, sample_rate)

    def _missing(self, what: Path) -> MissingDataError:
        return MissingDataError(
            f"soundbank {self.name!r}: {what} is missing", self.fetch or "check the folder's path"
        )

    def _verify(self, recording: Recording, path: Path) -> None:
        if recording.id in self._verified:
            return
        if not self.root.is_dir():
            raise self._missing(self.root)
        if not path.is_file():
            raise self._missing(path)
        if recording.sha256 and (found := sha256_of(path)) != recording.sha256:
            raise HashMismatchError(
                f"{path} has sha256 {found[:16]}..., the manifest records "
                f"{recording.sha256[:16]}...",
                self.fetch or "restore the file",
            )
        self._verified.add(recording.id)

    @cached_property
    def _walked(self) -> tuple[tuple[Recording, ...], LeftOut]:
        if not self.root.is_dir():
            raise self._missing(self.root)
        found, left_out = walk(self.root)
        if not found:
            raise DataError(
                f"soundbank {self.name!r}: no recording lies in {self.root}",
                "expected foreground/<label>/ and background/<label>/ with WAV, FLAC or OGG files",
            )
        return found, left_out


@dataclass(frozen=True)
class FolderFactory:
    """What builds the soundbank of a walked folder; travels to workers.

    Attributes
    ----------
    name : str
        The soundbank's name.
    root : Path
        Absolute.
    """

    name: str
    root: Path

    def __call__(self) -> FolderSoundbank:
        """Build the soundbank; nothing is read before it is asked for."""
        return FolderSoundbank(self.name, self.root)


def read_audio(path: Path, sample_rate: int) -> NDArray[np.float32]:
    """Read an audio file as mono at ``sample_rate`` Hz, shape (samples,), float32.

    Raises
    ------
    DataError
        The file is unreadable, empty, or holds a value that is not finite.
    """
    import soundfile

    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(f"{path} cannot be read as audio: {error}") from error
    if samples.shape[0] == 0:
        raise DataError(f"{path} is empty", "take the file out or restore it")
    if not np.isfinite(samples).all():
        raise DataError(f"{path} holds values that are not finite", "restore the file")
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    if rate != sample_rate:
        import soxr

        mono = soxr.resample(mono, rate, sample_rate)
    return np.ascontiguousarray(mono, dtype=np.float32)
