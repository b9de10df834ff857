"""Where fetched recordings are registered on this machine."""

from __future__ import annotations

from pathlib import Path

from sedbench.files import data_root


def soundbank_folder(name: str) -> Path:
    """Where the recordings of the soundbank ``name`` are registered."""
    return data_root() / "soundbanks" / name
