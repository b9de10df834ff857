"""One method in one pass of the bootstrap: its headline, every kind of pairs, and its curve.

What pairs are sorted by is what ``sedbench compare --by`` sorts by
(:mod:`sedbench.protocol.strata`), and the intervals are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.contenders import Contender, primary_truth
from sedbench.errors import NothingSelectedError
from sedbench.protocol.decisions import Decisions, decide
from sedbench.protocol.evaluate import MIN_GROUPS
from sedbench.protocol.moments import LOCALISATION
from sedbench.protocol.records import Row
from sedbench.protocol.replicates import measure
from sedbench.protocol.sensitivity import Sensitivity, sensitivity
from sedbench.protocol.smoothing import SMOOTHINGS
from sedbench.protocol.strata import BY, Levels, Stratum, strata
from sedbench.stats import percentile_interval

_MIN_CLIPS = 2  # of which on there is an interval


@dataclass(frozen=True, eq=False)
class Breakdown:
    """The methods on pairs of one kind after another.

    Attributes
    ----------
    by : str
        What the pairs are sorted by, one of ``strata.BY``.
    names : tuple of str, (strata,)
    pairs, groups : tuple of int, (strata,)
        Scored pairs, and source groups among them.
    value, low, high : ndarray, shape (methods, strata)
        NaN where undefined.
    """

    by: str
    names: tuple[str, ...]
    pairs: tuple[int, ...]
    groups: tuple[int, ...]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def ranked(self, stratum: int) -> bool:
        """Whether a stratum has source groups enough to say who is better."""
        return self.groups[stratum] >= MIN_GROUPS


Kinds = Sequence[tuple[str, Sequence[Stratum]]]
"""Ways of sorting pairs, each with its strata."""


def kinds(contender: Contender, levels: Callable[[], Levels] | None = None) -> Kinds:
    """Sort the test pairs in every way that the task knows of.

    Parameters
    ----------
    contender : Contender
    levels : callable, optional
        Gives the SNR of the loudest event of each (clip, class).
    """
    table, found = contender.test.table, []
    for by in BY:
        try:
            known = levels() if by == "snr" and levels is not None else None
            found.append((by, strata(table, by, primary_truth(contender.result), known)))
        except NothingSelectedError:  # no SNR, or no conditions
            continue
    return found


@dataclass(frozen=True, eq=False)
class Job:
    """A method whose figures are wanted, as it travels to a worker."""

    contender: Contender
    kinds: Kinds
    decision: float
    resamples: int


@dataclass(frozen=True, eq=False)
class Figures:
    """One method.

    Attributes
    ----------
    replicates : ndarray, shape (replicates,)
        Its headline.
    value, low, high : ndarray, shape (strata,)
        Over all ways of sorting; NaN where undefined.
    support : list of (int, int, int), (strata,)
        Pairs, clips and source groups.
    decisions : Decisions
    curve : Sensitivity
        Along the percentiles.
    """

    replicates: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    support: list[tuple[int, int, int]]
    decisions: Decisions
    curve: Sensitivity


def figures(job: Job) -> Figures:
    """Work out the figures of one method."""
    validation, test = job.contender.validation, job.contender.test
    truth = primary_truth(job.contender.result)
    whole = measure(
        validation, test, primary=truth, decision=job.decision, smoothings=SMOOTHINGS[:1]
    )
    row = Row("iou", "chosen", LOCALISATION, "pairs", "all", truth, "none")
    measured = whole.only([row])
    masks = [stratum.pairs for _, found in job.kinds for stratum in found]
    replicates = measured.replicates(job.resamples, masks)[:, 0]
    low, high = percentile_interval(replicates[1:])
    support = [measured.todo.support(row, mask) for mask in masks]
    few = np.array([clips < _MIN_CLIPS for _, clips, _ in support], bool)
    low[few] = high[few] = np.nan  # what one clip scatters by is no interval
    curve = sensitivity(
        validation, test, primary=truth, decision=job.decision, resamples=job.resamples
    )
    return Figures(
        replicates=replicates[0],
        value=measured.within(masks)[1:, 0],
        low=low,
        high=high,
        support=support,
        decisions=decide(whole, truth),
        curve=curve,
    )


def breakdowns(kinds: Kinds, found: Sequence[Figures]) -> list[Breakdown]:
    """Put the methods' figures side by side, a table a way of sorting.

    Strata without a scored pair are left out.
    """
    made, start = [], 0
    for by, strata_here in kinds:
        support = found[0].support[start : start + len(strata_here)]
        kept = [k for k, (pairs, _, _) in enumerate(support) if pairs]
        at = [start + k for k in kept]
        start += len(strata_here)
        made.append(
            Breakdown(
                by=by,
                names=tuple(strata_here[k].name for k in kept),
                pairs=tuple(support[k][0] for k in kept),
                groups=tuple(support[k][2] for k in kept),
                value=np.stack([each.value[at] for each in found]),
                low=np.stack([each.low[at] for each in found]),
                high=np.stack([each.high[at] for each in found]),
            )
        )
    return made
