"""Results by name or by path, for verbs that read what was measured and run nothing.

A name is looked for among one's own results first, then on the board that ships. A result of
another state of the task is passed over.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sedbench.cli.errors import say
from sedbench.errors import MissingDataError, NothingSelectedError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from sedbench.contenders import Contender
    from sedbench.protocol.strata import Stratum
    from sedbench.registry import Registry
    from sedbench.results import Origin
    from sedbench.tasks import TaskSpec
    from sedbench.types import PairTable

EVERYTHING = "all"


@dataclass(frozen=True)
class Place:
    """Where results are looked for.

    Attributes
    ----------
    task : TaskSpec
    model : str
        Canonical.
    folder : Path
        One's own results.
    seed : int
        Of stochastic methods.
    """

    task: TaskSpec
    model: str
    folder: Path
    seed: int = 0

    def folders(self) -> list[tuple[Path, Origin]]:
        """The folders of results, in the order in which they are looked at."""
        from sedbench.leaderboard import board_folder

        board = board_folder()
        return [(self.folder, "stored"), *([(board, "shipped")] if board else [])]  # type: ignore[list-item]

    def specs(self) -> list[str]:
        """Every method that has figures here for the task as it is now."""
        from sedbench.results import read
        from sedbench.spec import slug

        found = set()
        for folder, origin in self.folders():
            for path in (folder / self.task.name / slug(self.model)).glob("*/*.json"):
                result = read(path, origin)
                if result.status == "ok" and result.limited is None and self.holds(result):
                    found.add(result.spec)
        return sorted(found)

    def holds(self, result: object) -> bool:
        """Whether a result was measured on the task as it is now."""
        from sedbench.metrics.catalogue import METRICS_VERSION

        current = self.task.fingerprint(METRICS_VERSION)
        return getattr(result, "task_fingerprint", None) == current

    def command(self, spec: str) -> str:
        """What to type to have the result of a method."""
        words = ["sedbench", "run", "-m", spec, "--task", self.task.called or self.task.name]
        if self.model != self.task.model:
            words += ["--model", self.model]
        return shlex.join([*words, *(["--seed", str(self.seed)] if self.seed else [])])


def is_path(text: str) -> bool:
    """Whether a result is named by its file."""
    return text.endswith(".json") or "/" in text or "\\" in text


def canonical_model(text: str, known: Registry, seed: int | None = None) -> str:
    """The canonical name of a model, without looking at its weights.

    Parameters
    ----------
    text : str
        ``name`` or ``name[param=value]``.
    known : Registry
    seed : int, optional
        In place of the one that the text has.

    Raises
    ------
    UsageError
        The model has no seed, or no such parameter.
    """
    from sedbench import spec

    parsed = spec.parse(text)
    info = known.get("models", parsed.name).info
    values = spec.resolve(parsed, info)
    if seed is not None:
        if "seed" not in values:
            raise UsageError(f"the model {info.name!r} has no seeds", "leave --seeds out")
        values["seed"] = seed
    return spec.canonical(info, values)


def find(text: str, place: Place, known: Registry) -> Contender:
    """The result of a method with its items.

    Parameters
    ----------
    text : str
        A path, or ``name[param=value,...]``.
    place : Place
    known : Registry

    Raises
    ------
    UnknownNameError
        No method has that name.
    MissingDataError
        It was not measured, or not on the task as it is now.
    """
    from sedbench.contenders import read_contender
    from sedbench.results import read, result_path

    if is_path(text):
        return read_contender(Path(text).expanduser(), "stored", text)
    canonical, seeded = _canonical(text, place, known)
    old = None
    for seed in [place.seed] if seeded else dict.fromkeys([place.seed, 0]):
        for folder, origin in place.folders():
            path = result_path(folder, place.task.name, place.model, canonical, seed)
            if not path.is_file():
                continue
            if place.holds(read(path, origin)):
                return read_contender(path, origin)
            old = path
    what = f"{canonical!r} on {place.task.name} with {place.model}"
    if old is not None:
        message = f"the result of {what} is of another state of the task: {old}"
    else:
        message = f"there is no result of {what}"
    raise MissingDataError(message, f"run it first: {place.command(canonical)}")


def find_all(texts: Sequence[str], place: Place, known: Registry) -> list[Contender]:
    """Several results; ``all`` stands for everything that was measured.

    One measurement is there once, where it is named first; of files that is said.
    """
    from sedbench.contenders import measurement

    chosen: list[str] = []
    for text in texts:
        chosen += place.specs() if text == EVERYTHING else [text]
    distinct: dict[tuple[object, ...], Contender] = {}
    again = []
    for text in dict.fromkeys(chosen):
        each = find(text, place, known)
        first = distinct.setdefault(measurement(each.result), each)
        # A method that is named in two ways goes without saying, a file does not.
        if first is not each and (first.file or each.file):
            again.append(f"{text} and {first.file or first.result.spec}")
    if again:
        say(f"note: one measurement each, shown once: {'; '.join(again)}")
    return list(distinct.values())


def measured(
    texts: Sequence[str],
    task: str | None,
    model: str | None,
    known: Registry,
    *,
    seed: int = 0,
    folder: Path | None = None,
) -> tuple[Place, list[Contender]]:
    """Where to look (:func:`place_of`), and what is there (:func:`find_all`).

    Raises
    ------
    NothingSelectedError
        All were asked for, and there is nothing.
    """
    place = place_of(texts, task, model, known, seed=seed, folder=folder)
    found = find_all(texts, place, known)
    if not found:
        raise NothingSelectedError(
            f"nothing was measured on {place.task.name} with {place.model}",
            "`sedbench run` a method first",
        )
    return place, found


def _canonical(text: str, place: Place, known: Registry) -> tuple[str, bool]:
    from sedbench.contenders import read_named
    from sedbench.lookup import find_method

    try:
        method = find_method(text, known)
    except UnknownNameError:
        specs = place.specs()  # of a method that is no longer installed
        if text in specs:
            return text, True
        if Path(text).is_dir():
            read_named(Path(text))  # says that a folder is no result
        raise
    return method.spec, method.seeded


def place_of(
    texts: Sequence[str],
    task: str | None,
    model: str | None,
    known: Registry,
    *,
    seed: int = 0,
    folder: Path | None = None,
) -> Place:
    """Where to look: what was asked for, else where a result that is named by its path belongs."""
    from sedbench.api import results_root
    from sedbench.contenders import read_named
    from sedbench.lookup import find_task

    for text in texts:
        if is_path(text) and (task is None or model is None):
            result = read_named(Path(text).expanduser())
            task = task or result.task
            model = model or result.model
            break
    spec = find_task(task, known)
    return Place(spec, canonical_model(model or spec.model, known), results_root(folder), seed)


def strata_of(table: PairTable, by: str | None, truth: str, task: TaskSpec) -> list[Stratum]:
    """The pairs of a split, sorted; none where ``by`` is None."""
    from sedbench.protocol.strata import strata

    if by is None:
        return []
    return strata(table, by, truth, levels(task) if by == "snr" else None)


def levels(task: TaskSpec) -> dict[tuple[str, str], float]:
    """SNR of the loudest event of each class in each test clip, from the task's index."""
    from sedbench.data.soundscape import Soundscape

    found: dict[tuple[str, str], float] = {}
    for clip in task.clips("test"):
        if not isinstance(clip, Soundscape):
            raise NothingSelectedError(
                f"task {task.name!r} has no SNR: its clips are recordings, nothing was mixed",
                "--by class, polyphony or duration",
            )
        for event in clip.events:
            key = (clip.id, event.label)
            found[key] = max(event.snr, found.get(key, event.snr))
    return found
