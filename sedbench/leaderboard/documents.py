"""A result file read strictly, its one canonical form, and the digest of that.

The digest guards against accidents: an edit that nobody meant, a file that two people merged. It
names what a result says and not how it is laid out, so reformatting changes nothing::

    {"seed": 0,  "value": 1.0}     and     {"value": 1, "seed": 0}     have one digest

It does not guard against forgery: whoever changes a value can compute the digest again. What then
remains is that figures are recomputed from the items (:mod:`sedbench.leaderboard.evidence`) and
that a changed result has to name the one it supersedes (:mod:`sedbench.leaderboard.history`).

Reading is stricter than JSON: a key that stands twice, NaN, and a number that overflows are errors.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from sedbench import schema
from sedbench.errors import DataError, MissingDataError
from sedbench.files import fingerprint

DIGEST = "digest"
SUPERSEDES = "supersedes"
_HINT = "write the file with sedbench run, and put it on the board with sedbench leaderboard add"
_EXACT = 2**53


def read_document(path: Path) -> dict[str, Any]:
    """Read a result file and check it against the schema.

    Raises
    ------
    DataError
        It cannot be read, is not strict JSON, or breaks the schema.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise MissingDataError(f"there is no result {path}", "run the method first") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return parse(content, str(path))


def parse(content: bytes, where: str) -> dict[str, Any]:
    """Read the content of a result file.

    Parameters
    ----------
    content : bytes
    where : str
        What the file is called in an error.

    Raises
    ------
    DataError
        It is not strict JSON, or breaks the schema.
    """
    document = loads(content, where)
    schema.validate(document, where, _HINT)
    return document


def loads(content: bytes, where: str) -> dict[str, Any]:
    """Read an object of strict JSON, whatever it says.

    Raises
    ------
    DataError
        It is none.
    """
    try:
        document = json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is damaged: {error}", _HINT) from error
    if not isinstance(document, dict):
        raise DataError(f"{where} is damaged: it is no JSON object", _HINT)
    return document


def digest(document: dict[str, Any]) -> str:
    """Hexadecimal sha256 of a result's canonical form, its own digest left out."""
    return fingerprint(_canonical({k: v for k, v in document.items() if k != DIGEST}))


def _canonical(value: Any) -> Any:
    # Some tools write 1.0 as 1, and no result means anything by the difference.
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    return [_canonical(each) for each in value] if isinstance(value, list) else value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON; a number that is undefined is null")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large for a number")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice")
        found[key] = value
    return found
