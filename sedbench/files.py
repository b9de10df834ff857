"""Small rules about files: atomic writes, hashes, and where data and caches live.

``SEDBENCH_CACHE`` and ``SEDBENCH_DATA`` name other folders than the platform's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from sedbench.errors import DataError


def cache_root() -> Path:
    """Folder of what can be made again: rendered clips, frame scores."""
    return _root("SEDBENCH_CACHE", "cache")


def data_root() -> Path:
    """Folder of what was fetched or trained here."""
    return _root("SEDBENCH_DATA", "data")


def _root(variable: str, kind: str) -> Path:
    if os.environ.get(variable):
        return Path(os.environ[variable]).expanduser()
    import platformdirs

    folder = platformdirs.user_cache_dir if kind == "cache" else platformdirs.user_data_dir
    return Path(folder("sedbench", appauthor=False))


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that it is either whole or not there.

    Raises
    ------
    DataError
        The folder is read-only, or full.
    """
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)  # noqa: PTH101 - mkstemp gives a string
        Path(name).replace(path)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            "make room, or name another folder with SEDBENCH_CACHE, SEDBENCH_DATA or --output",
        ) from error
    finally:
        if name:
            Path(name).unlink(missing_ok=True)


def sha256(content: bytes) -> str:
    """Hexadecimal sha256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def canonical_json(value: Any) -> bytes:
    """One spelling of a JSON value: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def fingerprint(value: Any) -> str:
    """Hexadecimal sha256 of a JSON value in its one spelling."""
    return sha256(canonical_json(value))
