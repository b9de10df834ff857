"""Reading what ships frozen with a task: an index, rooms, patterns; each with its sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sedbench.errors import DataError, HashMismatchError, MissingDataError


def read_frozen(path: Path, sha256: str, what: str) -> bytes:
    """Read a file and compare it with its recorded hash.

    Parameters
    ----------
    path : Path
    sha256 : str
        What its hash has to be, hexadecimal; empty where none is recorded.
    what : str
        What to call it in an error: "index".

    Raises
    ------
    MissingDataError
        There is no such file.
    HashMismatchError
        The file is not the one that was frozen.
    DataError
        It cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingDataError(
            f"the {what} {path} is missing", "install the task's package again, or generate it"
        ) from None
    except OSError as error:
        raise DataError(f"the {what} {path} cannot be read: {error.strerror}") from error
    if sha256 and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise HashMismatchError(
            f"{path} has sha256 {found[:16]}..., the task records {sha256[:16]}...",
            f"restore the frozen {what}; a changed one is another version of the task",
        )
    return data
