"""One result: what a run of one method on one task and model says, and its two files.

A result is plain JSON values in full precision. On disk it is two files that belong together::

    <folder>/<task>/<model>/<method>/<spec-and-seed>.json
    <folder>/<task>/<model>/<method>/<spec-and-seed>.items.npz

The JSON records the sha256 of the items file (:mod:`sedbench.items`). File names are slugs of
the canonical names, and a limited run has names of its own, so that it never replaces a full
one. Both files are first written whole under other names and then renamed, the JSON last: a
JSON that is there is complete, and its items are its own.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sedbench import files, schema
from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.schema import SCHEMA_VERSION
from sedbench.spec import slug

if TYPE_CHECKING:
    from sedbench.protocol.pairs import Scored

Status = Literal["ok", "failed", "timeout", "not_applicable"]
Origin = Literal["measured", "stored", "shipped"]


@dataclass(frozen=True)
class Result:
    """The outcome of one cell: task x model x method x parameters x seed.

    Attributes
    ----------
    task, model, method : str
        ``model`` is canonical (``name[seed=1]``), ``method`` the bare name.
    spec : str
        The method's canonical spec, ``name[steps=20]``.
    params : mapping
        Every parameter of the method, defaults included.
    seed : int
    status : {"ok", "failed", "timeout", "not_applicable"}
    reason : str
        Why it is not ok; else empty.
    task_version : int
    task_fingerprint : str
    kind, supervision : str
        As the method declares.
    limited : int or None
        Number of test clips where ``--limit`` was given: shown, never ranked.
    pairs : mapping
        ``expected``, ``scored``, ``skipped`` {reason: n}, ``clips``, ``groups``, ``false_alarms``.
    scores : tuple of mapping
        Records ``{metric, policy, view, average, stratum, truth, smoothing, value, ci_low,
        ci_high, n_pairs, n_clips, n_groups}``.
    thresholds : mapping
        What was chosen on validation, per smoothing.
    classifier : mapping
        Clip scores of the explained classifier on the test split (``micro_f1`` ...).
    cost : mapping
        ``forward``, ``backward``, ``seconds``, ``cpu_seconds``, each per pair, and
        ``peak_memory`` in bytes; what is unknown is None.
    diagnostics : mapping
        Name -> ``{median, p90, max}`` over pairs.
    resolution : float or None
        The method's own time resolution in seconds.
    provenance : mapping
        Command, versions, hashes, hardware class, times, commit.
    items : mapping or None
        ``{"file", "sha256"}`` of the items file beside the result.
    extra_metrics : mapping
        Figures of metrics that plugins brought, by name (:mod:`sedbench.protocol.extra`). They are
        shown and never ranked, and no board keeps them.
    equals : str
        What the frame scores are by construction, where another method may arrive at the same.
    origin : {"measured", "stored", "shipped"}
        Not part of the file: measured now, read from an earlier run, or shipped.
    """

    task: str
    model: str
    method: str
    spec: str
    params: Mapping[str, Any]
    seed: int
    status: Status = "ok"
    reason: str = ""
    task_version: int = 1
    task_fingerprint: str = ""
    kind: str = "attribution"
    supervision: str = "none"
    limited: int | None = None
    pairs: Mapping[str, Any] = field(default_factory=dict)
    scores: tuple[Mapping[str, Any], ...] = ()
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    classifier: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    resolution: float | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    items: Mapping[str, str] | None = None
    extra_metrics: Mapping[str, Any] = field(default_factory=dict)
    equals: str = ""
    origin: Origin = "measured"


def to_json(result: Result) -> dict[str, Any]:
    """A result as it stands in its file: plain values, every field but ``origin``.

    Without figures of plugins' metrics there is no key for them either.

    Raises
    ------
    SedbenchError
        A number is not finite, or a value is nothing that JSON can hold.
    """
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    for each in fields(Result):
        if each.name != "origin":
            document[each.name] = schema.plain(getattr(result, each.name), each.name)
    if not result.extra_metrics:
        del document["extra_metrics"]
    document["pairs"] = {"expected": None, "scored": 0, **document["pairs"]}
    return document


def from_json(document: Any, origin: Origin, *, where: str = "the document") -> Result:
    """The result that :func:`to_json` wrote.

    Parameters
    ----------
    document : object
        A parsed result file.
    origin : {"measured", "stored", "shipped"}
    where : str
        What the document is called in an error.

    Raises
    ------
    DataError
        It breaks the schema.
    """
    schema.validate(document, where, _hint(origin))
    return of_valid(document, origin)


def of_valid(document: Mapping[str, Any], origin: Origin) -> Result:
    """The result of a document that was checked against the schema already."""
    names = [each.name for each in fields(Result) if each.name != "origin"]
    # What older files do not have keeps its default; the schema says what that may be.
    values = {name: document[name] for name in names if name in document}
    values["scores"] = tuple(values["scores"])
    return Result(**values, origin=origin)


def payload(results: Iterable[Result]) -> dict[str, Any]:
    """What ``--json`` prints: the results with their origin, under a schema version."""
    return {
        "schema_version": SCHEMA_VERSION,
        "results": [{**to_json(result), "origin": result.origin} for result in results],
    }


def result_path(  # noqa: PLR0917 - the cell's coordinates, in the order of the folders
    folder: Path, task: str, model: str, spec: str, seed: int, limited: int | None = None
) -> Path:
    """Where a result lies.

    Parameters
    ----------
    folder : Path
        The folder of all results.
    task : str
    model, spec : str
        Canonical.
    seed : int
    limited : int, optional
        Number of test clips of a limited run.
    """
    name = f"{spec} seed={seed}" + ("" if limited is None else f" limit={limited}")
    return folder / task / slug(model) / spec.partition("[")[0] / f"{slug(name)}.json"


def items_path(path: Path) -> Path:
    """Where the items of the result at ``path`` lie."""
    return path.with_name(f"{path.stem}.items.npz")


def write(result: Result, items: bytes | None, folder: Path) -> Path:
    """Write a result and its items, replacing an earlier result of the same cell.

    Parameters
    ----------
    result : Result
        Its ``items`` are filled in here.
    items : bytes or None
        From :func:`sedbench.items.pack`; None where nothing was scored.
    folder : Path
        The folder of all results.

    Returns
    -------
    Path
        Of the JSON file.

    Raises
    ------
    SedbenchError
        The result holds what JSON cannot.
    DataError
        The result breaks the schema, or the folder is full or read-only. Nothing is left
        half-written, and an earlier result is kept unless both new files are whole on disk.
    """
    path = result_path(folder, result.task, result.model, result.spec, result.seed, result.limited)
    beside = items_path(path)
    recorded = None if items is None else {"file": beside.name, "sha256": files.sha256(items)}
    document = to_json(replace(result, items=recorded))
    schema.validate(document, f"the result of {result.spec}", "report it: the result was not kept")
    new_items, new_json = (p.with_name(f".{p.name}.{os.getpid()}") for p in (beside, path))
    try:
        if items is not None:
            files.write_atomic(new_items, items)
        files.write_atomic(new_json, dumps(document))
        path.unlink(missing_ok=True)  # so that no result ever stands beside another one's items
        if items is None:
            beside.unlink(missing_ok=True)
        else:
            new_items.replace(beside)
        new_json.replace(path)
    except (OSError, DataError) as error:
        cause = error.__cause__ if isinstance(error, DataError) and error.__cause__ else error
        raise DataError(
            f"cannot write {path}: {getattr(cause, 'strerror', None) or cause}",
            "make room, or name another folder with --output or SEDBENCH_RESULTS",
        ) from error
    finally:
        for staged in (new_items, new_json):
            with contextlib.suppress(OSError):  # the folder may never have come into being
                staged.unlink(missing_ok=True)
    return path


def dumps(document: Mapping[str, Any]) -> bytes:
    """The text of a result file: indented, each score record on a line of its own."""
    parts = []
    for key, value in document.items():
        if key == "scores" and value:
            lines = ",\n    ".join(json.dumps(record, allow_nan=False) for record in value)
            text = f"[\n    {lines}\n  ]"
        else:
            text = json.dumps(value, indent=2, allow_nan=False).replace("\n", "\n  ")
        parts.append(f"  {json.dumps(key)}: {text}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def read(path: Path, origin: Origin) -> Result:
    """Read a result file.

    Parameters
    ----------
    path : Path
    origin : {"measured", "stored", "shipped"}

    Raises
    ------
    MissingDataError
        There is no such file.
    DataError
        The file cannot be read, is damaged, or is no result.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise MissingDataError(f"there is no result {path}", "run the method first") from None
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}", "check the file's permissions"
        ) from error
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {error}", _hint(origin)) from error
    return from_json(document, origin, where=str(path))


def read_items(path: Path, result: Result) -> tuple[Scored, Scored]:
    """The items of a result, its validation and its test split.

    Parameters
    ----------
    path : Path
        The result's JSON file.
    result : Result
        What that file says.

    Raises
    ------
    MissingDataError
        The result has no items, or their file is gone.
    HashMismatchError
        The file is not the one that the result records.
    DataError
        The file cannot be read.
    """
    from sedbench.items import unpack

    if result.items is None:
        raise MissingDataError(f"{path} has no items", "its method was not scored")
    beside = path.with_name(result.items["file"])
    try:
        content = beside.read_bytes()
    except FileNotFoundError:
        raise MissingDataError(f"the items file {beside} is gone", _hint(result.origin)) from None
    except OSError as error:
        raise DataError(f"cannot read {beside}: {error.strerror}", _hint(result.origin)) from error
    if files.sha256(content) != result.items["sha256"]:
        raise HashMismatchError(
            f"{beside} is not the file that {path.name} records", _hint(result.origin)
        )
    return unpack(content, str(beside))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _hint(origin: Origin) -> str:
    if origin == "shipped":
        return "it came with sedbench: pip install --force-reinstall sedbench"
    return "delete it, or run the method again with --overwrite always"
