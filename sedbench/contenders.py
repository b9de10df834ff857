"""Results together with their items, and whether they can be set side by side.

Two methods can be compared where both were scored on the same pairs against the same truth: one
task in one state, one model. Two models detect different classes, so their pairs differ; what is
compared across models are differences of methods on the same clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from sedbench.comparison import twins
from sedbench.errors import DataError, MissingDataError
from sedbench.protocol.pairs import DECISION, Scored, Views
from sedbench.results import Origin, Result, read, read_items

_NAMED = (
    "name a result that `sedbench run` wrote, a .json file with its .items.npz beside it, or a "
    "method"
)


@dataclass(frozen=True, eq=False)
class Contender:
    """A result with its items.

    Attributes
    ----------
    result : Result
    validation, test : Scored
    file : str
        How its file was named; empty where the method was asked for by name.
    """

    result: Result
    validation: Scored
    test: Scored
    file: str = ""


def read_contender(path: Path, origin: Origin, file: str = "") -> Contender:
    """Read a result and the items beside it.

    Parameters
    ----------
    path : Path
    origin : {"measured", "stored", "shipped"}
    file : str
        See :class:`Contender`.

    Raises
    ------
    MissingDataError
        A file is not there, or the method was not scored.
    DataError
        A file cannot be read or is not what it should be.
    """
    result = read_named(path) if file else read(path, origin)
    if result.status != "ok":
        status = result.status.replace("_", " ")
        raise MissingDataError(
            f"{result.spec} has no scores on {result.task} with {result.model}: {status}, "
            f"{result.reason}",
            "leave it out, or run it again once that is mended",
        )
    try:
        return Contender(result, *read_items(path, result), file)
    except DataError as error:
        if not file:
            raise
        raise _harmless(error) from error


def read_named(path: Path) -> Result:
    """Read a result that somebody named by its file.

    It may be any file of theirs, so that no error says to delete it, or to run it again.

    Parameters
    ----------
    path : Path

    Raises
    ------
    MissingDataError
        There is no such file.
    DataError
        It is a folder, cannot be read, or is no result.
    """
    if path.is_dir():
        raise DataError(
            f"{path} is a folder, and no result",
            "name one of the .json files in it that `sedbench run` wrote, or a method; methods "
            "are looked for in a folder of results with --results DIR",
        )
    try:
        return read(path, "stored")
    except MissingDataError as error:
        raise MissingDataError(error.message, _NAMED) from error
    except DataError as error:
        raise _harmless(error) from error


def _harmless(error: DataError) -> DataError:
    """An error about a file that somebody named: never that they should delete it."""
    if not error.hint.startswith("delete "):
        return error
    return type(error)(error.message.replace(" is damaged: ", " is no result: "), _NAMED)


def measurement(result: Result) -> tuple[object, ...]:
    """What two results have in common that are one measurement, in whatever files they lie.

    A measurement that was made again is another one, though it came out the same.
    """
    made = result.provenance
    return (
        *(result.task, result.model, result.spec, result.seed, result.limited),
        *(made.get("identity"), made.get("started"), (result.items or {}).get("sha256")),
    )


def names(contenders: Sequence[Contender]) -> tuple[str, ...]:
    """What to call each: its spec, with as much behind it as tells it from the others."""
    found = [c.result.spec for c in contenders]
    for more in ([f"seed {c.result.seed}" for c in contenders], [c.file for c in contenders]):
        several = {
            name
            for name in found
            if len({m for n, m in zip(found, more, strict=True) if n == name}) > 1
        }
        found = [
            f"{name} ({what})" if name in several and what else name
            for name, what in zip(found, more, strict=True)
        ]
    return tuple(found)


def primary_truth(result: Result) -> str:
    """The truth that a result's thresholds were chosen for: its first record has it."""
    return str(result.scores[0]["truth"])


def identical(contenders: Sequence[Sequence[Contender]]) -> list[int]:
    """Number methods that are identical by construction, or in every frame score.

    Parameters
    ----------
    contenders : sequence of sequence of Contender
        A method, then a model.

    Returns
    -------
    list of int
        The first method that each is identical to.
    """
    said = [method[0].result.equals for method in contenders]
    return twins(said, ["".join(map(_content, method)) for method in contenders])


def _content(contender: Contender) -> str:
    # A method's own mask and clip decisions count as well: two may share scores alone.
    digest = sha256()
    for scored in (contender.validation, contender.test):
        kept = np.where(scored.scored[:, None], scored.scores, 0)
        for array in (kept, scored.scored, scored.mask, scored.own):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def check_same_pairs(contenders: Sequence[Contender], decision: float = DECISION) -> None:
    """See that methods were scored on the same pairs against the same truth.

    Raises
    ------
    DataError
        They were not; the message counts.
    """
    first, *others = contenders
    mine = _scored_pairs(first.test, decision)
    for other in others:
        both = f"{_named(first, other)} and {_named(other, first)}"
        theirs = _scored_pairs(other.test, decision)
        if mine != theirs or _cell(first) != _cell(other):
            alike = f", {len(mine & theirs)} of them the same"
            same_clips = first.result.task == other.result.task
            raise DataError(
                f"{both} were not scored on the same pairs: {len(mine)} and {len(theirs)}"
                f"{alike if same_clips else ''}",
                "compare results of one task, one model and one --limit; run again what is "
                "incomplete",
            )
        tables = (first.test.table, other.test.table)
        unchanged = (
            tables[0].clip_ids == tables[1].clip_ids
            and tables[0].groups == tables[1].groups
            and tables[0].truths.keys() == tables[1].truths.keys()
            and all(np.array_equal(t, tables[1].truths[n]) for n, t in tables[0].truths.items())
        )
        if not unchanged:
            raise DataError(
                f"{both} have the same {len(mine)} pairs, and other clips or another truth",
                "they were measured on different states of the task: run the older one again",
            )


def check_same_clips(contenders: Sequence[Contender]) -> None:
    """See that results of several models are about the same clips.

    Raises
    ------
    DataError
        They are not.
    """
    first, *others = contenders
    for other in others:
        if other.test.table.clip_ids != first.test.table.clip_ids:
            raise DataError(
                f"{first.result.spec} was measured on {len(first.test.table.clip_ids)} clips with "
                f"{first.result.model}, on {len(other.test.table.clip_ids)}, or others, with "
                f"{other.result.model}",
                "compare models on one task, with all test clips or one --limit",
            )


def _cell(contender: Contender) -> tuple[str, str]:
    return contender.result.task, contender.result.model


def _named(contender: Contender, other: Contender) -> str:
    """The method, and where it was measured if that is not where the other one was."""
    result = contender.result
    if _cell(contender) == _cell(other):
        return result.spec
    return f"{result.spec} (on {result.task} with {result.model})"


def _scored_pairs(scored: Scored, decision: float) -> set[tuple[str, str]]:
    table = scored.table
    kept = np.flatnonzero(Views(scored, decision).localisation).tolist()
    return {(table.clip_ids[table.clip[i]], table.classes[table.label[i]]) for i in kept}
