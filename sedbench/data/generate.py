"""Drawing and freezing the soundscapes of a task: ``sedbench soundscapes generate``.

For each split the recipe of the task's file is given to Scaper, the answer is written as the
split's index, and its sha256, its number of clips and the soundbank's fingerprint are put
into the task's file. Freezing anew makes another task: raise ``version``.

A recording that is silent, or shorter than a frame, is left out of the draw and said so. One
that cannot be read, is empty or holds NaN ends it with an error that names the file.

Python reads TOML but does not write it, so the file is edited line by line, inside the
tables it is about and nowhere else; comments stay.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sedbench.data.cutting import cut
from sedbench.data.excerpts import write_excerpts
from sedbench.data.index import write_index
from sedbench.data.patterns import read_patterns
from sedbench.data.recipe import Recipe
from sedbench.data.scaper_spec import draw
from sedbench.data.soundbank import Soundbank
from sedbench.data.soundscape import Soundscape
from sedbench.errors import DataError, UsageError
from sedbench.files import write_atomic
from sedbench.taskfile import load_task
from sedbench.tasks import TaskSpec
from sedbench.types import Split

_TABLE = re.compile(r"\s*\[([^\[\]]+)\]\s*(#.*)?$")


@dataclass(frozen=True)
class Frozen:
    """What was written for one split.

    Attributes
    ----------
    split : {"train", "validation", "test", "development"}
    index : Path
    sha256 : str
    clips : int
    changed : bool
        Whether the index is another one than the task recorded.
    left_out : tuple of (str, str)
        Recordings that could not be used, each with the reason.
    """

    split: Split
    index: Path
    sha256: str
    clips: int
    changed: bool
    left_out: tuple[tuple[str, str], ...] = ()


def generate(
    task_toml: Path | str,
    bank: Soundbank,
    splits: Sequence[Split] = (),
    *,
    count: int | None = None,
    seed: int | None = None,
    update: bool = True,
    report: Callable[[Frozen], None] | None = None,
) -> tuple[Frozen, ...]:
    """Draw splits of a task and freeze them.

    Parameters
    ----------
    task_toml : Path or str
    bank : Soundbank
        The soundbank that the task names.
    splits : sequence of str, optional
        All of the task's splits unless given.
    count : int, optional
        Soundscapes a split, all folds together; the ``clips`` of the task's file unless given.
    seed : int, optional
        The recipe's seed unless given.
    update : bool, optional
        Put the new hashes into the task's file; otherwise they are only returned.
    report : callable, optional
        Called after each split.

    Raises
    ------
    DataError
        The task has no such split, the soundbank is another one, or a file cannot be written.
    """
    path = Path(task_toml)
    task = load_task(path)
    if bank.name != task.soundbank:
        raise DataError(f"task {task.name!r} draws from {task.soundbank!r}, not from {bank.name!r}")
    done: list[Frozen] = []
    for split in splits or tuple(task.splits):  # type: ignore[arg-type]
        if split not in task.splits:
            raise DataError(f"{path} has no table [splits.{split}]", "add it to the file")
        spec = task.splits[split]
        left_out: dict[str, str] = {}
        try:
            sha256, clips = _freeze(task, bank, split, count, seed, left_out)
        except OSError as error:
            raise DataError(f"{spec.index} cannot be written: {error.strerror}") from error
        changed = sha256 != spec.sha256
        done.append(
            Frozen(split, spec.index, sha256, clips, changed, tuple(sorted(left_out.items())))
        )
        if report is not None:
            report(done[-1])
    if update:
        text = path.read_text(encoding="utf-8")
        for one in done:
            text = put(text, f"splits.{one.split}", "sha256", f'"{one.sha256}"')
            text = put(text, f"splits.{one.split}", "clips", str(one.clips))
        _write(path, put(text, "bank", "fingerprint", f'"{bank.fingerprint()}"'))
    return tuple(done)


def _freeze(  # noqa: PLR0917 - what to draw, from what, and where to say what was not used
    task: TaskSpec,
    bank: Soundbank,
    split: Split,
    count: int | None,
    seed: int | None,
    left_out: dict[str, str],
) -> tuple[str, int]:
    """Write a split's index; its hash and its number of clips."""
    spec, recipe = task.splits[split], task.recipe
    if recipe is None:
        if count is not None or seed is not None:
            raise UsageError(
                f"task {task.name!r} is cut from recordings, nothing is drawn",
                "leave --count and --seed out",
            )
        excerpts = cut(task, bank, split, left_out)
        return write_excerpts(spec.index, excerpts), len(excerpts)
    soundscapes = _draw(
        task,
        recipe,
        bank,
        split,
        count=spec.clips if count is None else count,
        seed=recipe.seed if seed is None else seed,
        left_out=left_out,
    )
    return write_index(spec.index, soundscapes), len(soundscapes)


def _draw(
    task: TaskSpec,
    recipe: Recipe,
    bank: Soundbank,
    split: Split,
    *,
    count: int,
    seed: int,
    left_out: dict[str, str],
) -> tuple[Soundscape, ...]:
    """The soundscapes of one split, fold by fold where the task has folds."""
    patterns = None
    if recipe.patterns:
        patterns = read_patterns(task.path.parent / recipe.patterns, recipe.patterns_sha256)
    folds: Sequence[int | None] = range(task.folds) if task.folds else (None,)
    if count % len(folds):
        raise DataError(
            f"{count} clips are not the same number in each of {len(folds)} folds",
            f"ask for a multiple of {len(folds)}",
        )
    return tuple(
        soundscape
        for fold in folds
        for soundscape in draw(
            bank,
            recipe,
            split,
            count // len(folds),
            seed,
            classes=task.classes,
            duration=task.duration,
            sample_rate=task.sample_rate,
            fold=fold,
            patterns=patterns,
            shortest=task.frame,
            left_out=left_out,
        )
    )


def record_bank(task_toml: Path | str, bank: Soundbank) -> bool:
    """Put the soundbank's fingerprint into a task's file; the indices stay as they are.

    For a soundbank whose sounds changed while its recordings kept their names and lengths.

    Returns
    -------
    bool
        Whether the file changed. It is then another task: raise ``version`` once results exist.
    """
    path = Path(task_toml)
    task = load_task(path)
    fingerprint = bank.fingerprint()
    if task.bank_fingerprint == fingerprint:
        return False
    text = path.read_text(encoding="utf-8")
    _write(path, put(text, "bank", "fingerprint", f'"{fingerprint}"'))
    return True


def _write(path: Path, text: str) -> None:
    try:  # whatever an edit did, a file that is no TOML is not written
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(
            f"the new hashes do not go into {path}: {error}",
            "write each split as a table of its own, [splits.test]",
        ) from error
    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from error


def put(text: str, table: str, key: str, value: str) -> str:
    """Set one key of one table in the text of a TOML file.

    Parameters
    ----------
    text : str
    table : str
        As it stands in its header, for instance ``splits.test``. Added at the end if absent.
    key : str
    value : str
        As TOML, quotes included.

    Returns
    -------
    str
        The text with exactly that line changed or added.
    """
    lines = text.splitlines()
    inside, last = False, -1
    for i, line in enumerate(lines):
        if header := _TABLE.match(line):
            inside = header[1].strip() == table
            last = i if inside else last
        elif inside and line.strip():
            last = i
            if line.split("=", 1)[0].strip() == key:
                lines[i] = f"{key} = {value}"
                break
    else:
        if last < 0:
            lines += ["", f"[{table}]"]
            last = len(lines) - 1
        lines.insert(last + 1, f"{key} = {value}")
    return "\n".join(lines) + "\n"
