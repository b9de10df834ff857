"""Cutting annotated recordings into the clips of a task: ``sedbench soundscapes generate``.

Windows follow each other at the task's hop inside each annotated stretch. A stretch shorter
than a clip, but at least half as long, gives one clip that silence fills up; what is left
after the last whole window is not used. Recordings go in the order of their ids.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

from sedbench.data.index import DECIMALS
from sedbench.data.recordings import AnnotatedBank
from sedbench.data.soundbank import Soundbank
from sedbench.data.soundscape import Excerpt
from sedbench.data.windows import windows
from sedbench.errors import DataError
from sedbench.tasks import TaskSpec
from sedbench.types import Split


def cut(
    task: TaskSpec, bank: Soundbank, split: Split, left_out: dict[str, str] | None = None
) -> tuple[Excerpt, ...]:
    """The windows of one split, fold by fold where the task has folds.

    Parameters
    ----------
    task : TaskSpec
        A task of annotated recordings.
    bank : AnnotatedBank
    split : {"train", "validation", "test", "development"}
        In a task without folds, of the recordings with that split.
    left_out : dict of str to str, optional
        Takes the recordings that give no window, each with the reason.

    Raises
    ------
    DataError
        The bank is not annotated, gives no window, or gives folds of different sizes.
    """
    if not isinstance(bank, AnnotatedBank):
        raise DataError(f"soundbank {bank.name!r} has no annotated recordings to cut")
    folds = bank.folds() if task.folds else {}
    found: list[Excerpt] = []
    unused = left_out if left_out is not None else {}
    for recording in bank.recordings():
        if not task.folds and recording.split != split:
            continue
        if task.folds and not 0 <= folds.get(recording.id, -1) < task.folds:
            raise DataError(f"{recording.id!r} of {bank.name!r} is in none of {task.folds} folds")
        before = len(found)
        for first, end in bank.regions(recording.id):
            # The index has so many decimals, and no window may begin before its stretch.
            begin = math.ceil(first * 10**DECIMALS - 1e-6) / 10**DECIMALS
            length = min(end, recording.duration) - begin
            starts = [w.start for w in windows(max(length, 1e-9), task.duration, task.hop)]
            if not starts and length >= task.duration / 2:
                starts = [0.0]
            found += [
                Excerpt("", split, recording.id, round(begin + start, 4), task.duration,
                        folds.get(recording.id, 0))
                for start in starts
            ]  # fmt: skip
        if len(found) == before:
            unused[recording.id] = "no annotated stretch is half as long as a clip"
    if not found:
        raise DataError(f"the recordings of {bank.name!r} hold no window for {split}")
    sizes = Counter(excerpt.fold for excerpt in found)
    if task.folds and (len(sizes) < task.folds or len(set(sizes.values())) > 1):
        told = ", ".join(str(sizes[fold]) for fold in range(task.folds))
        raise DataError(
            f"the folds of {bank.name!r} give {told} windows, not the same number each",
            "deal the recordings out otherwise, or choose another hop",
        )
    ordered = sorted(found, key=lambda excerpt: excerpt.fold)
    return tuple(replace(e, id=f"{split}-{i:04d}") for i, e in enumerate(ordered))
