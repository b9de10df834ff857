"""Intervals of the scores on a card: each score as sums over clips and classes.

F1, precision, recall and a mean over pairs are all of one kind: a sum over (clip, class) cells
divided by another. Taken apart in this way (:class:`Share`), a score can be computed again for
clips and source groups that are drawn anew, which is the crossed bootstrap of
:mod:`sedbench.stats`, the one that a board's intervals come from. A cell in which the class
sounds is of the groups that are heard there; a false alarm belongs to its clip alone.

The intervals say how far a score depends on which clips validated it. They say nothing about
another training, and the epoch was chosen on the same clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.stats import LEVEL, RESAMPLES, Resampling, blocks, percentile_interval

# Which source groups are heard, clip by clip and class by class.
Heard = Sequence[Sequence[Sequence[str]]]


@dataclass(frozen=True, eq=False)
class Share:
    """A score: one sum over cells divided by another.

    Attributes
    ----------
    over, under : ndarray, shape (clips, classes)
        What each cell adds to either.
    by_class : bool
        The mean over classes of a quotient each, instead of one quotient over all.
    """

    over: NDArray[np.float64]
    under: NDArray[np.float64]
    by_class: bool = False

    @property
    def value(self) -> float:
        """The score; a class in which there is nothing to divide by counts as 0."""
        over, under = self.over.sum(0), self.under.sum(0)
        if not self.by_class:
            over, under = over.sum(keepdims=True), under.sum(keepdims=True)
        quotient = np.divide(over, under, out=np.zeros_like(over), where=under > 0)
        return float(quotient.mean())


def clip_shares(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.bool_], threshold: float = 0.5
) -> dict[str, Share]:
    """Take the scores of :func:`sedbench.models.scoring.clip_scores` apart.

    Parameters
    ----------
    probabilities : ndarray, shape (clips, classes)
    labels : ndarray, shape (clips, classes), bool
    threshold : float
    """
    detected = probabilities > threshold
    hits = (detected & labels).astype(np.float64)
    claimed, true = detected.astype(np.float64), labels.astype(np.float64)
    return {
        "micro_f1": Share(2 * hits, claimed + true),
        "macro_f1": Share(2 * hits, claimed + true, by_class=True),
        "precision": Share(hits, claimed),
        "recall": Share(hits, true),
    }


def frame_share(
    probabilities: NDArray[np.floating[Any]], truth: NDArray[np.bool_], threshold: float = 0.5
) -> Share:
    """Take :func:`sedbench.models.scoring.frame_iou` apart: a mean over present pairs.

    Parameters
    ----------
    probabilities, truth : ndarray, shape (clips, classes, frames)
    threshold : float
    """
    active = probabilities > threshold
    both, either = (active & truth).sum(-1), (active | truth).sum(-1)
    present = np.asarray(truth.any(-1), np.float64)
    share = np.zeros(present.shape)
    np.divide(both, either, out=share, where=present > 0)
    return Share(share, present)


def intervals(
    shares: Mapping[str, Share],
    heard: Heard,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[str, Any]:
    """Bootstrap the scores of a card.

    Parameters
    ----------
    shares : mapping of str to Share
        All of the same clips and classes.
    heard : sequence
        For each clip and class, the source groups of the events there.
    resamples : int
    level : float

    Returns
    -------
    dict
        Plain values: ``intervals`` holds ``[low, high]`` of each score, and ``resampled`` says of
        what: ``clips``, ``groups``, ``resamples``, ``level``. A score that is undefined in every
        replicate has no interval.
    """
    first = next(iter(shares.values()))
    cells = np.zeros(first.over.shape, bool)
    for share in shares.values():
        cells |= (share.over != 0) | (share.under != 0)
    clip, label = np.nonzero(cells)  # the others add nothing to any sum
    drawn = Resampling(
        clip=clip.astype(np.int64),
        groups=[tuple(heard[i][k]) for i, k in zip(clip.tolist(), label.tolist(), strict=True)],
        n_clips=len(cells),
    )
    replicates = np.empty((len(shares), resamples))
    for start, count in blocks(resamples, max(len(clip), 1)):
        weights = drawn.weights(start, count)
        for row, share in enumerate(shares.values()):
            replicates[row, start : start + count] = _replicates(share, cells, weights)
    low, high = percentile_interval(replicates, level)
    return {
        "intervals": {
            name: [float(low[i]), float(high[i])]
            for i, name in enumerate(shares)
            if np.isfinite(low[i])
        },
        "resampled": {
            "clips": len(cells),
            "groups": len(drawn.names),
            "resamples": resamples,
            "level": level,
        },
    }


def _replicates(
    share: Share, cells: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    over, under = share.over[cells], share.under[cells]
    if not share.by_class:
        return _divided(weights @ over, weights @ under)
    classes = np.nonzero(cells)[1][:, None] == np.arange(cells.shape[1])
    found = _divided(weights @ (over[:, None] * classes), weights @ (under[:, None] * classes))
    found[:, share.under.sum(0) == 0] = 0.0  # as in the score itself
    known = np.isfinite(found)  # a class that was not drawn is left out of this replicate
    return _divided(np.where(known, found, 0.0).sum(1), known.sum(1).astype(np.float64))


def _divided(over: NDArray[np.float64], under: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
