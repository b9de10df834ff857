"""Which clips a report shows: those that the methods find worst and best, by one rule.

A clip's score is the mean over its pairs of the mean over methods of the pair's IoU, at each
method's threshold that validation chose. Pairs are those of the localisation view. Methods are the
ranked attributions and detectors; baselines would hide what those have in common, so they count
only where there is nothing else. Equal clips stand in the order of their ids. Of a soundscape that
is heard under several conditions one clip is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.report.gathered import Gathered

RULE = (
    "A clip's score is the mean IoU over its pairs and over {methods}, each at its chosen "
    "threshold; equal clips in the order of their names."
)


@dataclass(frozen=True)
class Shown:
    """A clip that is shown.

    Attributes
    ----------
    clip : int
        Its row in the test split.
    id : str
    place : int
        1 for the worst, or the best.
    best : bool
    score : float
    pairs : tuple of int
        Its scored pairs, rows of the split's table.
    missed : tuple of str
        Classes that sound and that the classifier does not detect.
    false_alarms : tuple of str
        Classes that it detects and that do not sound.
    """

    clip: int
    id: str
    place: int
    best: bool
    score: float
    pairs: tuple[int, ...]
    missed: tuple[str, ...]
    false_alarms: tuple[str, ...]

    @property
    def title(self) -> str:
        """``Worst 1: test-0012``."""
        return f"{'Best' if self.best else 'Worst'} {self.place}: {self.id}"

    @property
    def slug(self) -> str:
        """For names of files and places in a page: ``worst-1``."""
        return f"{'best' if self.best else 'worst'}-{self.place}"


def rule(gathered: Gathered) -> str:
    """How clips were chosen, in a sentence."""
    counted = [gathered.names[m] for m in counting(gathered)]
    if len(counted) == len(gathered.names):
        return RULE.format(methods="all methods" if len(counted) > 1 else counted[0])
    if len(counted) <= 4:
        return RULE.format(methods=" and ".join(counted))
    return RULE.format(methods=f"{len(counted)} methods (ranked attributions and detectors)")


def counting(gathered: Gathered) -> list[int]:
    """The methods whose overlaps say how hard a clip is."""
    told = list(zip(gathered.contenders, gathered.standings, strict=True))
    groups = (
        [m for m, (c, s) in enumerate(told) if s.rank is not None and c.result.kind != "baseline"],
        [m for m, (_, s) in enumerate(told) if s.rank is not None],
        list(range(len(told))),
    )
    return next(group for group in groups if group)


def extremes(gathered: Gathered, count: int) -> list[Shown]:
    """Choose the clips to show, from the worst up and then from the best down.

    Parameters
    ----------
    gathered : Gathered
    count : int
        How many of either; fewer where there are not as many, and no clip is both.
    """
    answer = gathered.contenders[0].test
    table = answer.table
    overlaps = np.stack([gathered.decisions[m].overlap for m in counting(gathered)])
    kept = np.flatnonzero(np.isfinite(overlaps).all(0))
    of_pairs = overlaps[:, kept].mean(0)
    clips = np.unique(table.clip[kept])
    scores = np.array([of_pairs[table.clip[kept] == clip].mean() for clip in clips])
    chosen = _chosen(clips, scores, table.soundscapes, table.clip_ids, count)
    probable = np.asarray(answer.detected, np.float64) > gathered.task.threshold
    shown = []
    for best, place, at in chosen:
        clip = int(clips[at])
        mine = np.flatnonzero(table.clip == clip)
        pairs = tuple(np.intersect1d(mine, kept).tolist())
        sounding = set(table.label[mine].tolist())
        shown.append(
            Shown(
                clip=clip,
                id=table.clip_ids[clip],
                place=place,
                best=best,
                score=float(scores[at]),
                pairs=pairs,
                missed=tuple(table.classes[k] for k in sorted(sounding) if not probable[clip, k]),
                false_alarms=tuple(
                    name
                    for k, name in enumerate(table.classes)
                    if probable[clip, k] and k not in sounding
                ),
            )
        )
    return shown


def _chosen(
    clips: NDArray[np.int64],
    scores: NDArray[np.float64],
    soundscapes: NDArray[np.int64],
    ids: Sequence[str],
    count: int,
) -> list[tuple[bool, int, int]]:
    """(best, place, row of ``clips``) of each clip that is shown."""
    # Rounded, so that what is equal but for the order of adding is equal.
    keys = np.round(scores, 9).tolist()
    names = [ids[clip] for clip in clips.tolist()]
    order = sorted(range(len(names)), key=lambda i: (keys[i], names[i]))
    backwards = sorted(range(len(names)), key=lambda i: (-keys[i], names[i]))
    seen: set[int] = set()
    found = []
    # In turn, so that few clips are shared out fairly.
    queues = {False: iter(order), True: iter(backwards)}
    for place in range(1, count + 1):
        for best, queue in queues.items():
            at = next((i for i in queue if int(soundscapes[clips[i]]) not in seen), None)
            if at is not None:
                seen.add(int(soundscapes[clips[at]]))
                found.append((best, place, at))
    return sorted(found)
