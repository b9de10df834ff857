"""Reading a table strictly: an unknown key, a missing key and a wrong type are errors.

A TOML file is written by people. A key that is silently ignored because of a typing error
is a setting that is silently not applied, so every table is read against the full list of
the keys it may hold, and an unknown one is answered with the nearest known ones.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sedbench.errors import TaskFileError

_REQUIRED: Any = object()
_NOUNS = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "an array",
    dict: "a table",
}


def _noun(value: object) -> str:
    return _NOUNS.get(type(value), f"a {type(value).__name__}")


class Table:
    """One table of a TOML file, read key by key.

    Parameters
    ----------
    values : mapping
        The parsed table.
    file : str
        The file's name, for messages.
    known : sequence of str
        Every key that the table may hold.
    at : str, optional
        The table's own dotted name; empty at the top.

    Raises
    ------
    TaskFileError
        The table holds a key that is not in ``known``.
    """

    def __init__(
        self, values: Mapping[str, Any], file: str, known: Sequence[str], at: str = ""
    ) -> None:
        self.values, self.file, self.at = values, file, at
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise TaskFileError(f"{file}: unknown key {self._dotted(key)!r}", hint)

    def _dotted(self, key: str) -> str:
        return f"{self.at}.{key}" if self.at else key

    def error(self, key: str, problem: str, hint: str = "") -> TaskFileError:
        """An error about one key, naming the file and the key."""
        return TaskFileError(f"{self.file}: {self._dotted(key)}: {problem}", hint)

    def _get(self, key: str, default: Any) -> Any:
        if key in self.values:
            return self.values[key]
        if default is _REQUIRED:
            raise TaskFileError(
                f"{self.file}: missing key {self._dotted(key)!r}", "add it to the file"
            )
        return default

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        """A string."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"expected a string, got {value!r} ({_noun(value)})")
        return value

    def integer(self, key: str, default: Any = _REQUIRED, minimum: int | None = None) -> int:
        """A whole number, ``true`` and ``false`` not among them."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, f"expected a whole number, got {value!r} ({_noun(value)})")
        if minimum is not None and value < minimum:
            raise self.error(key, f"expected at least {minimum}, got {value}")
        return value

    def number(self, key: str, default: Any = _REQUIRED, above: float | None = None) -> float:
        """A finite number, written with or without a decimal point."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"expected a number, got {value!r} ({_noun(value)})")
        if not math.isfinite(value) or (above is not None and value <= above):
            bound = f" above {above}" if above is not None else ""
            raise self.error(key, f"expected a finite number{bound}, got {value}")
        return float(value)

    def boolean(self, key: str, default: Any = _REQUIRED) -> bool:
        """``true`` or ``false``."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"expected true or false, got {value!r} ({_noun(value)})")
        return value

    def choice(self, key: str, choices: Sequence[str], default: Any = _REQUIRED) -> str:
        """One of a few strings."""
        value = self.text(key, default)
        if value not in choices:
            near = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(choices)}"
            raise self.error(key, f"{value!r} is not one of its values", hint)
        return value

    def texts(self, key: str, default: Any = _REQUIRED) -> tuple[str, ...]:
        """An array of strings, none of them twice."""
        value = self._get(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise self.error(key, f"expected an array of strings, got {value!r}")
        if len(set(value)) != len(value):
            raise self.error(key, f"an entry stands twice in {list(value)!r}")
        return tuple(value)

    def numbers(self, key: str, default: Any = _REQUIRED) -> tuple[float, ...]:
        """An array of finite numbers."""
        value = self._get(key, default)
        ok = isinstance(value, list | tuple) and all(
            isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
            for v in value
        )
        if not ok:
            raise self.error(key, f"expected an array of numbers, got {value!r}")
        return tuple(float(v) for v in value)

    def table(self, key: str, known: Sequence[str], required: bool = True) -> Table:
        """A table inside this one; an absent optional table reads as an empty one."""
        value = self._get(key, _REQUIRED if required else {})
        if not isinstance(value, dict):
            raise self.error(key, f"expected a table, got {value!r} ({_noun(value)})")
        return Table(value, self.file, known, self._dotted(key))

    def tables(self, key: str, known: Sequence[str]) -> tuple[Table, ...]:
        """An array of tables; empty where the key is absent."""
        value = self._get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.error(key, f"expected an array of tables, got {value!r}")
        dotted = self._dotted(key)
        return tuple(Table(v, self.file, known, f"{dotted}[{i}]") for i, v in enumerate(value))
