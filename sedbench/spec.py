"""``name[param=value,...]``: how methods and models are chosen on the command line.

>>> parse("ig[steps=20,baseline=mean]")
Spec(name='ig', given=(('steps', '20'), ('baseline', 'mean')))

A spec is *resolved* against the parameters that its plugin declares; the canonical form
holds only what differs from the defaults, sorted, so that one setting has one name.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from sedbench.errors import UnknownNameError, UsageError
from sedbench.types import Info, MethodInfo, Param, ParamValue

NAME = re.compile(r"[a-z0-9][a-z0-9._+-]*\Z")
_SPEC = re.compile(r"\s*(?P<name>[^\[\]\s]+)\s*(?:\[(?P<params>[^\[\]]*)\])?\s*\Z")
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


@dataclass(frozen=True)
class Spec:
    """A parsed, not yet resolved, choice.

    Attributes
    ----------
    name : str
    given : tuple of (str, str)
        The parameters as they were typed.
    """

    name: str
    given: tuple[tuple[str, str], ...] = ()


def parse(text: str) -> Spec:
    """Parse ``name`` or ``name[param=value,...]``.

    Raises
    ------
    UsageError
        The text has another form, or a parameter is given twice.
    """
    match = _SPEC.match(text)
    if match is None:
        raise UsageError(
            f"cannot read {text!r}", "write name or name[param=value,param=value], quoted"
        )
    given: dict[str, str] = {}
    for part in (match["params"] or "").split(","):
        if not part.strip():
            continue
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value:
            raise UsageError(f"cannot read {part.strip()!r} in {text!r}", "write param=value")
        if key in given:
            raise UsageError(f"parameter {key!r} is given twice in {text!r}")
        given[key] = value
    return Spec(match["name"], tuple(given.items()))


def resolve(spec: Spec, info: Info) -> dict[str, ParamValue]:
    """Every declared parameter with its value: given, or the default.

    Raises
    ------
    UnknownNameError
        A parameter that ``info`` does not declare.
    UsageError
        A value of the wrong type or out of range.
    """
    declared = {p.name: p for p in info.params}
    values = {p.name: p.default for p in info.params}
    for key, text in spec.given:
        if key not in declared:
            raise UnknownNameError.of(f"parameter of {info.name!r}:", key, declared)
        values[key] = _convert(text, declared[key], info.name)
    return values


def _convert(text: str, param: Param, owner: str) -> ParamValue:
    where = f"parameter {param.name!r} of {owner!r}"
    value: ParamValue
    try:
        if isinstance(param.default, bool):
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError
            value = text.lower() in _TRUE
        elif isinstance(param.default, int):
            value = int(text)
        elif isinstance(param.default, float):
            value = float(text)
            if not math.isfinite(value):
                raise ValueError
        else:
            value = text
    except ValueError:
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[
            type(param.default)
        ]
        raise UsageError(f"{where} takes {kind}, got {text!r}", param.help) from None
    if param.choices and value not in param.choices:
        names = ", ".join(str(c) for c in param.choices)
        raise UsageError(f"{where} cannot be {text!r}", f"one of: {names}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if param.minimum is not None and value < param.minimum:
            raise UsageError(f"{where} must be at least {param.minimum:g}, got {text}", param.help)
        if param.maximum is not None and value > param.maximum:
            raise UsageError(f"{where} must be at most {param.maximum:g}, got {text}", param.help)
    return value


def canonical(info: Info, values: Mapping[str, ParamValue]) -> str:
    """The one name of a setting: what differs from the defaults, sorted."""
    defaults = {p.name: p.default for p in info.params}
    changed = sorted(k for k, v in values.items() if v != defaults.get(k))
    if not changed:
        return info.name
    return f"{info.name}[{','.join(f'{k}={_text(values[k])}' for k in changed)}]"


def trained(info: MethodInfo, values: Mapping[str, ParamValue]) -> tuple[str, str]:
    """Of a method that learns: what its weights are called, and what is typed to train them.

    Only the parameters that change the training are in either.

    Parameters
    ----------
    info : MethodInfo
    values : mapping
        At least those parameters.
    """
    deciding = {name: values[name] for _, name, _, _ in Formatter().parse(info.variant) if name}
    called = info.variant.format(**{name: _text(value) for name, value in deciding.items()})
    return called or info.name, canonical(info, deciding)


def _text(value: ParamValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def slug(text: str) -> str:
    """A file name for a canonical spec: readable, plus a short hash of the exact text."""
    readable = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return f"{readable}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
