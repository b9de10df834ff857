"""The form of a result file, as JSON Schema (draft 2020-12) shipped in the package.

The schema is for others as much as for sedbench: whoever reads or submits results can check
them with any JSON Schema tool. Results are validated as they are written and when they are
read, so that a file which cannot be used never gets far. JSON knows no NaN and no infinity; a
number that is undefined is ``null``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from sedbench.errors import DataError, SedbenchError

SCHEMA_VERSION = 1
"""Raised whenever a reader of older files could misread a new one."""

_LONGEST = 160


@cache
def result_schema() -> dict[str, Any]:
    """The schema of a result file."""
    text = (files("sedbench") / "schemas" / "result.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator  # late: a listing does not need it

    return Draft202012Validator(result_schema())


def validate(document: Any, where: str, hint: str) -> None:
    """Check a parsed result against the schema.

    Parameters
    ----------
    document : object
    where : str
        What the document is called in an error, its file for instance.
    hint : str
        What to do about a document that is wrong.

    Raises
    ------
    DataError
        The document has another schema version, or breaks the schema; the message names the
        value that does and its place in the document.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise DataError(
            f"{where} has schema version {version}, this sedbench reads {SCHEMA_VERSION}",
            "pip install --upgrade sedbench",
        )
    from jsonschema.exceptions import best_match

    if error := best_match(_validator().iter_errors(document)):
        problem = str(error.message)
        if len(problem) > _LONGEST:
            problem = problem[:_LONGEST].rstrip() + " ..."
        raise DataError(f"{where} is not a result: {error.json_path}: {problem}", hint)


def plain(value: Any, where: str) -> Any:
    """A value as JSON has it: NumPy's scalars and arrays unwrapped, tuples as lists.

    Parameters
    ----------
    value : object
    where : str
        Its place, for errors.

    Raises
    ------
    SedbenchError
        A number that is not finite, or something that JSON cannot hold.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SedbenchError(
                f"{where} is {value}, which a result cannot hold",
                "a figure that is undefined is None",
            )
        return value
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    raise SedbenchError(
        f"{where} is a {type(value).__name__}, which a result cannot hold",
        "results hold numbers, strings, lists and mappings",
    )


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise SedbenchError(f"{where} has the key {key!r}, and JSON's keys are strings")
    return key
