"""Items against the task's frozen clips, and every figure recomputed from the items.

No model runs here and no code of whoever submitted the result: the items hold frame scores and
truth of every pair, and the protocol turns them into figures. What has to agree:

- the clips, on validation and test, with the task's frozen indices, none missing;
- the classes present in each clip, and the extents, with the placements that the index froze;
- every score, interval, count, threshold and clip score with the recomputed one.

What no item can show: whether the frame scores came from the method that the result names.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sedbench.data.render import covered
from sedbench.data.soundscape import Soundscape
from sedbench.errors import SedbenchError
from sedbench.files import canonical_json
from sedbench.leaderboard.problem import TOLERANCE, differences
from sedbench.protocol import Scored, evaluate
from sedbench.results import Result, read_items
from sedbench.stats import RESAMPLES
from sedbench.types import Split

if TYPE_CHECKING:
    from sedbench.tasks import Clip, TaskSpec

_A_PAIR = "_per_pair"

Fault = tuple[str, str]
"""A field, and what is wrong with it."""


@dataclass(frozen=True)
class Job:
    """What it takes to check the items of one result.

    Attributes
    ----------
    path : Path
        Of the result file.
    result : Result
    task : TaskSpec
        As it is now.
    current : bool
        Whether the result was measured on it as it is now.
    recompute : bool
        Work out the figures too.
    """

    path: Path
    result: Result
    task: TaskSpec
    current: bool
    recompute: bool


@dataclass(frozen=True)
class Found:
    """What the items of one result say.

    Attributes
    ----------
    faults : tuple of (str, str)
    truth : str
        A hash of clips, pairs, groups and truths, which all results of a task share; empty where
        the items cannot be read.
    """

    faults: tuple[Fault, ...]
    truth: str = ""


def examine(job: Job) -> Found:
    """Check the items of one result."""
    try:
        validation, test = read_items(job.path, job.result)
    except SedbenchError as error:
        return Found((("items", error.message),))
    faults = list(_against_index(job, validation, test)) if job.current else []
    faults += _against_cost(job.result, int(test.scored.sum()))
    if job.recompute and not faults:
        faults += _against_figures(job, validation, test)
    return Found(tuple(faults), _truth(validation, test))


def _against_figures(job: Job, validation: Scored, test: Scored) -> Iterator[Fault]:
    said = job.result
    primary = job.task.truth if job.current else said.scores[0]["truth"]
    try:
        found = recompute(validation, test, primary=primary, decision=job.task.threshold)
    except SedbenchError as error:
        yield "items", f"no figures can be worked out from them: {error.message}"
        return
    for field, value in found.items():
        for place, message in differences(_plain(getattr(said, field)), _plain(value), field):
            yield place, message + _which(said, place)
    if said.limited is None and not found["pairs"]["complete"]:
        scored, expected = found["pairs"]["scored"], found["pairs"]["expected"]
        yield "pairs.scored", f"{scored} of {expected} expected pairs were scored"


def recompute(
    validation: Scored,
    test: Scored,
    *,
    primary: str,
    decision: float,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Work out everything in a result that follows from its items.

    Parameters
    ----------
    validation, test : Scored
    primary : str
        The task's primary truth.
    decision : float
        Clip probability above which a class is detected.
    resamples : int
        Bootstrap replicates of the intervals.

    Returns
    -------
    dict
        ``pairs``, ``scores``, ``thresholds`` and ``classifier`` as a result has them.
    """
    from sedbench.models.scoring import clip_scores
    from sedbench.runner import STUDY_PERCENTILE

    found = evaluate(
        validation,
        test,
        primary=primary,
        decision=decision,
        fixed_percentile=STUDY_PERCENTILE,
        resamples=resamples,
    )
    labels = np.zeros(test.detected.shape, bool)
    labels[test.table.clip, test.table.label] = True
    return {
        "pairs": {**found.counts, "complete": found.complete, "classes_ranked": found.ranked},
        "scores": list(found.records),
        "thresholds": found.thresholds,
        "classifier": clip_scores(test.detected, labels, decision),
    }


def _plain(value: Any) -> Any:
    return [dict(each) for each in value] if isinstance(value, list | tuple) else dict(value)


def _which(said: Result, place: str) -> str:
    """``scores[3].value`` says little; which figure it is says more."""
    if not place.startswith("scores["):
        return ""
    record = said.scores[int(place.removeprefix("scores[").partition("]")[0])]
    names = ("metric", "policy", "view", "average", "stratum", "truth", "smoothing")
    return f" ({', '.join(str(record[name]) for name in names if record[name] is not None)})"


def frozen_clips(task: TaskSpec, split: Split) -> tuple[Clip, ...]:
    """The clips of a split as items hold them: rotation by rotation, once a condition."""
    return tuple(
        clip
        for turn in task.rotations
        for source, fold in turn.blocks(split)
        for clip in task.clips(source, fold)
    )


def _against_index(job: Job, validation: Scored, test: Scored) -> Iterator[Fault]:
    task, limited = job.task, job.result.limited
    splits: tuple[tuple[Split, Scored], ...] = (("validation", validation), ("test", test))
    for split, scored in splits:
        frozen = frozen_clips(task, split)
        if limited is not None:
            if split == "validation":  # as many of each rotation as the run saw fit
                continue
            frozen = frozen[:limited]
        table = scored.table
        if table.classes != task.classes:
            yield "items", f"the {split} split has other classes than the task"
        elif abs(table.grid.duration - task.duration) > 1e-9 or table.grid.frame != task.frame:
            yield "items", f"the {split} split has another frame grid than the task"
        elif len(table.clip_ids) != len(frozen):
            yield "items", f"{len(table.clip_ids)} {split} clips of {len(frozen)} are there"
        elif table.clip_ids != tuple(clip.id for clip in frozen):
            yield "items", f"the {split} clips are not those of the task's index"
        else:
            yield from _against_placements(split, scored, frozen)


def _against_placements(split: str, scored: Scored, frozen: tuple[Clip, ...]) -> Iterator[Fault]:
    """Which classes sound when: what the index of soundscapes froze."""
    table, row = scored.table, 0
    for number, clip in enumerate(frozen):
        if not isinstance(clip, Soundscape):  # an excerpt's events are its recording's
            return
        wanted = sorted({table.classes.index(event.label) for event in clip.events})
        found = table.label[table.clip == number].tolist()
        if found != wanted:
            yield "items", f"{split} clip {clip.id} has other pairs than its {len(wanted)}"
            return
        for label in wanted:
            name = table.classes[label]
            intervals = [
                (event.event_time, event.event_time + event.event_duration)
                for event in clip.events
                if event.label == name
            ]
            extent = table.truths.get("extent")
            if extent is None or not np.array_equal(extent[row], covered(intervals, table.grid)):
                yield "items", f"{split} clip {clip.id}: {name} sounds at other times in the index"
                return
            row += 1


def _against_cost(said: Result, answered: int) -> Iterator[Fault]:
    """See that what a pair cost is what all of them cost, over the pairs that were answered."""
    pairs = max(answered, 1)
    for key, value in said.cost.items():
        if not key.endswith(_A_PAIR):
            continue
        whole = said.cost.get(key.removesuffix(_A_PAIR))
        part = None if whole is None else whole / pairs
        near = (
            value is part
            if value is None or part is None
            else math.isclose(value, part, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        )
        if not near:
            yield f"cost.{key}", f"is {value}; {pairs} answered pairs make {part}"


def _truth(validation: Scored, test: Scored) -> str:
    """Hash what all results of a task share, whatever method or model they are of."""
    name = hashlib.sha256()
    for scored in (validation, test):
        table = scored.table
        name.update(canonical_json([table.clip_ids, table.classes, table.groups]))
        for array in (table.clip, table.label):
            name.update(array.astype("<i8").tobytes())
        for truths in (table.truths, table.others):
            for key in sorted(truths):
                name.update(key.encode() + np.packbits(truths[key], axis=-1).tobytes())
    return name.hexdigest()
