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
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


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

    if error := best_match(_validator().iter_errors(_shortened(document))):
        problem = str(error.message)
        if len(problem) > _LONGEST:
            problem = problem[:_LONGEST].rstrip() + " ..."
        raise DataError(f"{where} is not a result: {error.json_path}: {problem}", hint)


def _shortened(document: Any) -> Any:
    """A result without all but its first score record, where all of them are as they should be.

    A validator of JSON Schema needs a tenth of a second for the hundreds of records of one
    result. They are flat, so that a few comparisons say the same a hundred times as fast.
    """
    scores = document.get("scores") if isinstance(document, dict) else None
    if not isinstance(scores, list) or not all(map(_is_record, scores)):
        return document  # the validator says what is wrong
    return {**document, "scores": scores[:1]}


@cache
def _fields() -> dict[str, tuple[tuple[type, ...], int, float]]:
    """Of each field of a score record its types, least length and least value."""
    records = result_schema()["properties"]["scores"]["items"]
    assert set(records["required"]) == set(records["properties"])
    assert records["additionalProperties"] is False
    found = {}
    for name, rule in records["properties"].items():
        assert rule.keys() <= {"type", "minLength", "minimum", "description"}, name
        named = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
        types = tuple(kind for each in named for kind in _TYPES[each])
        found[name] = (types, rule.get("minLength", 0), rule.get("minimum", -math.inf))
    return found


def _is_record(record: Any) -> bool:
    """Whether a score record is surely one; of what is unusual, the validator decides."""
    fields = _fields()
    if not isinstance(record, dict) or record.keys() != fields.keys():
        return False
    for name, value in record.items():
        types, length, least = fields[name]
        if type(value) not in types:
            return False
        if type(value) is str and len(value) < length:
            return False
        if type(value) in (int, float) and value < least:
            return False
    return True


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
