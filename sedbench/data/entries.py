"""One rendered clip on disk: a FLAC file of 16 bits and a JSON file with its truths.

The FLAC holds a rendered clip exactly. The JSON holds the truths, the source groups, the
FLAC's sha256 and a hash of itself, and is renamed into place last: an entry is there when
its JSON is. An entry that does not verify is removed, so that it is made again.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sedbench.data.render import Rendered
from sedbench.errors import DataError
from sedbench.files import write_atomic
from sedbench.types import BoolArray


def entry_paths(folder: Path, key: str) -> tuple[Path, Path]:
    """Name the FLAC and the JSON file of an entry."""
    home = folder / key[:2]
    return home / f"{key}.flac", home / f"{key}.json"


def _pack(truth: BoolArray) -> list[str]:
    return ["".join("1" if active else "0" for active in row) for row in truth]


def _unpack(rows: Any, shape: tuple[int, int]) -> BoolArray:
    truth = np.array([[c == "1" for c in row] for row in rows], np.bool_).reshape(-1, shape[1])
    if truth.shape != shape:
        raise ValueError(f"a truth of shape {truth.shape} instead of {shape}")
    return truth


def _digest(entry: Mapping[str, Any]) -> str:
    text = json.dumps({k: v for k, v in entry.items() if k != "self"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def store(folder: Path, key: str, clip: Rendered, sample_rate: int) -> None:
    """Write one entry by atomic renames.

    Raises
    ------
    DataError
        The folder is full, read-only or no folder.
    """
    import soundfile

    audio, truth = entry_paths(folder, key)
    buffer = io.BytesIO()
    levels = (clip.waveform.astype(np.float64) * 32768).astype(np.int16)
    soundfile.write(buffer, levels, sample_rate, format="FLAC", subtype="PCM_16")
    entry: dict[str, Any] = {
        "clip": clip.clip_id,
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "extent": _pack(clip.extent),
        "activity": _pack(clip.activity),
        "groups": [list(g) for g in clip.groups],
    }
    entry["self"] = _digest(entry)
    write_atomic(audio, buffer.getvalue())
    write_atomic(truth, json.dumps(entry, indent=1).encode())


def load(folder: Path, key: str, sample_rate: int, shape: tuple[int, int]) -> Rendered | None:
    """Read one entry; None where it is absent or, having been removed, was corrupt.

    Parameters
    ----------
    folder : Path
    key : str
    sample_rate : int
        Hz, as it has to be.
    shape : (int, int)
        Classes and frames of the truths, as they have to be.

    Raises
    ------
    DataError
        A corrupt entry cannot be removed.
    """
    import soundfile

    audio, truth = entry_paths(folder, key)
    try:
        entry = json.loads(truth.read_bytes())
        data = audio.read_bytes()
        if hashlib.sha256(data).hexdigest() != entry["sha256"] or _digest(entry) != entry["self"]:
            raise ValueError("the hash is another one")
        levels, rate = soundfile.read(io.BytesIO(data), dtype="int16")
        if rate != sample_rate or levels.ndim != 1:
            raise ValueError("the format is another one")
        return Rendered(
            clip_id=entry["clip"],
            waveform=(levels / 32768).astype(np.float32),
            extent=_unpack(entry["extent"], shape),
            activity=_unpack(entry["activity"], shape),
            groups=tuple(tuple(g) for g in entry["groups"]),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, soundfile.LibsndfileError):
        _discard(truth, audio)
        return None


def _discard(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(
                f"the cached {path} is corrupt and cannot be removed: {error.strerror or error}",
                "remove it by hand, or set SEDBENCH_CACHE to a folder that can be written",
            ) from error
