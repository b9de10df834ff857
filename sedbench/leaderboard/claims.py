"""What a result says of its task, its method, its cost and its provenance, without its items.

Whatever can be known from the task that is installed here, from what a built-in method declares
of itself, or from another field of the same result, has to agree. The rest is taken on trust:
seconds and diagnostics, for instance, cannot be had again without the machine and the model.

A result of an earlier state of its task or method is *stale*. That is no fault: it is kept and
shown, with the reason, and not ranked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sedbench import spec as specs
from sedbench.errors import UsageError
from sedbench.info import MethodInfo
from sedbench.leaderboard.problem import differences
from sedbench.metrics.catalogue import METRICS_VERSION
from sedbench.results import Result

if TYPE_CHECKING:
    from sedbench.tasks import TaskSpec

REQUIRED = (
    *("command", "environment", "identity", "method_version", "method_code", "metrics_version"),
    *("metrics_code", "weights", "started"),
)
"""What the provenance of a result on a board has to say."""

_HASHES = ("identity", "method_code", "metrics_code")
_HASH = re.compile(r"[0-9a-f]{64}")
# A folder of somebody's machine names the machine or its user; what is at its root may not.
_FOLDER = re.compile(r"(?:^|[\s='\"(:,])(?:/[\w.~-]+/|~/|\\\\|[A-Za-z]:\\)")
_PLATFORM = re.compile(r"[A-Za-z]+(?: [A-Za-z0-9_]+)?")


def _no_weights(task: str, model: str) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Known:
    """What is known here, without any code but what sedbench ships.

    Attributes
    ----------
    task : callable
        Name to the task, or None.
    method : callable
        Name to what a built-in method declares, or None for a method of somebody's own.
    weights : callable
        A task that was learnt from and a canonical model to the sha256 of each weight file of
        theirs that ships, as a provenance names them.
    """

    task: Callable[[str], TaskSpec | None]
    method: Callable[[str], MethodInfo | None]
    weights: Callable[[str, str], Mapping[str, str]] = _no_weights


def stale(result: Result, known: Known) -> str:
    """Why a result belongs to an earlier state of its task or method; empty where it does not."""
    task, method = known.task(result.task), known.method(result.method)
    if task is not None and not task.frozen:
        return "the task's clips are drawn on each machine, so nothing here says which these were"
    if task is not None and result.task_fingerprint != task.fingerprint(METRICS_VERSION):
        return "stale: measured before the task changed"
    version = result.provenance.get("method_version")
    if method is not None and version is not None and version != method.version:
        return f"stale: measured with version {version} of the method, which is {method.version}"
    if task is not None and (other := _other_weights(result, known, task)):
        return f"stale: measured with other weights than those that ship: {', '.join(other)}"
    return ""


def _other_weights(result: Result, known: Known, task: TaskSpec) -> list[str]:
    said = result.provenance.get("weights")
    if not isinstance(said, Mapping):
        return []
    ships = known.weights(task.trained_on, result.model)
    return [name for name, sha in said.items() if ships.get(name, sha) != sha]


def is_current(result: Result, task: TaskSpec) -> bool:
    """Whether a result was measured on its task as it is now."""
    return task.frozen and result.task_fingerprint == task.fingerprint(METRICS_VERSION)


def faults(result: Result, known: Known) -> Iterator[tuple[str, str]]:
    """What a result says that cannot be.

    Yields
    ------
    (str, str)
        A field, and what is wrong with it.
    """
    task = known.task(result.task)
    if task is None:
        yield "task", f"no task {result.task!r} ships with sedbench"
    elif is_current(result, task):
        if result.task_version != task.version:
            yield "task_version", f"is {result.task_version}, the task's is {task.version}"
        version = result.provenance.get("metrics_version")
        if version is not None and version != METRICS_VERSION:
            yield "provenance.metrics_version", f"is {version!r}; of this task {METRICS_VERSION!r}"
    yield from _method(result, known.method(result.method))
    yield from _status(result)
    yield from _cost(result)
    yield from _provenance(result)
    yield from _folders(result)


def _method(result: Result, info: MethodInfo | None) -> Iterator[tuple[str, str]]:
    try:
        parsed = specs.parse(result.spec)
    except UsageError as error:
        yield "spec", error.message
        return
    for key, text in parsed.given:
        if key not in result.params or _text(result.params[key]) != text:
            yield "params", f"{key} is not the {text} of the spec"
    if info is None or result.provenance.get("method_version") != info.version:
        return
    for field in ("kind", "supervision"):
        yield from differences(getattr(result, field), getattr(info, field), field)
    try:
        params = specs.resolve(parsed, info)
    except UsageError as error:
        yield "spec", error.message
        return
    if specs.canonical(info, params) != result.spec:
        yield "spec", f"is not canonical: {specs.canonical(info, params)}"
    yield from differences(dict(result.params), params, "params")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _status(result: Result) -> Iterator[tuple[str, str]]:
    if result.status == "ok":
        if result.items is None:
            yield "items", "are missing: nothing can be recomputed"
        return
    for field in ("scores", "items", "thresholds", "classifier"):
        if getattr(result, field):
            yield field, f"a result that is {result.status} has none"
    if result.pairs.get("scored"):
        yield "pairs.scored", f"a result that is {result.status} has none"


def _cost(result: Result) -> Iterator[tuple[str, str]]:
    if result.status != "ok":
        return
    for key in ("forward", "backward", "seconds"):
        if key not in result.cost:
            yield f"cost.{key}", "is missing"
    for key, value in result.cost.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            yield f"cost.{key}", f"is {value!r}, not a number"
        elif value is not None and value < 0:
            yield f"cost.{key}", f"is {value}, below 0"


def _provenance(result: Result) -> Iterator[tuple[str, str]]:
    held = result.provenance
    for key in REQUIRED:
        if key not in held:
            yield f"provenance.{key}", "is missing"
    for key in _HASHES:
        if key in held and not _HASH.fullmatch(str(held[key])):
            yield f"provenance.{key}", f"is {held[key]!r}, not a sha256"
    environment = held.get("environment")
    platform = environment.get("platform") if isinstance(environment, Mapping) else None
    if platform is not None and not _PLATFORM.fullmatch(str(platform)):
        yield "provenance.environment.platform", f"is {platform!r}: system and processor, no names"
    if "started" in held:
        try:
            offset = datetime.fromisoformat(str(held["started"])).utcoffset()
        except ValueError:
            offset = None
        if offset != timedelta(0):
            yield "provenance.started", f"is {held['started']!r}, not a time in UTC"


def _folders(result: Result) -> Iterator[tuple[str, str]]:
    def visit(value: Any, place: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, str) and _FOLDER.search(value):
            yield place, "names a folder of somebody's machine"
        elif isinstance(value, Mapping):
            for key, each in value.items():
                yield from visit(each, f"{place}.{key}")

    yield from visit(result.provenance, "provenance")
    yield from visit(result.reason, "reason")
