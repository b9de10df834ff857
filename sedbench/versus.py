"""Methods against the first of them, from what their results hold: no model is loaded.

In: results of one task with their items (:mod:`sedbench.contenders`), one a method and model.
Out: a :class:`Comparison`, plain numbers.

Several models of one family (its seeds) are averaged: the figure of a method is its mean over the
models, and so is every replicate of it, all models under the same draw of clips. Interval, p and
verdict are thus about *clips*, for these models. How much the figure varies from model to model is
another uncertainty, and stands apart (:class:`~sedbench.comparison.Spread`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sedbench.comparison import (
    MIN_CLIPS,
    Difference,
    Spread,
    Verdict,
    holm,
    paired,
    spread,
    verdict,
)
from sedbench.contenders import (
    Contender,
    check_same_clips,
    check_same_pairs,
    identical,
    names,
    primary_truth,
)
from sedbench.errors import NothingSelectedError, UnknownNameError, UsageError
from sedbench.protocol.evaluate import MIN_GROUPS
from sedbench.protocol.moments import MASS_METRICS
from sedbench.protocol.pairs import DECISION
from sedbench.protocol.records import Plan, Row, fixed_name
from sedbench.protocol.replicates import Measured, measure
from sedbench.protocol.smoothing import SMOOTHINGS
from sedbench.protocol.strata import Stratum
from sedbench.results import Result
from sedbench.stats import RESAMPLES, percentile_interval
from sedbench.types import BoolArray


@dataclass(frozen=True)
class Standing:
    """One method among those that are compared.

    Attributes
    ----------
    value, low, high : float
        The figure, a mean over models, and its interval; NaN where undefined.
    difference : Difference or None
        To the first; None for the first itself.
    adjusted_p : float
        By Holm's method over the comparisons of its table; NaN where nothing was tested.
    verdict : str or None
        None for the first, and where the pairs are too few to rank.
    of_models : tuple of float
        The figure with each model.
    over_models, difference_over_models : Spread or None
        None with one model, and the latter for the first.
    """

    value: float
    low: float
    high: float
    difference: Difference | None
    adjusted_p: float
    verdict: Verdict | None
    of_models: tuple[float, ...]
    over_models: Spread | None
    difference_over_models: Spread | None


@dataclass(frozen=True)
class Group:
    """All pairs, or those of a stratum.

    Attributes
    ----------
    name : str
        ``all``, or the stratum's.
    n_pairs, n_clips, n_groups : int
        Behind the figures with the first model.
    ranked : bool
        Whether there are source groups enough to say who is better.
    standings : tuple of Standing
        In the order of the contenders.
    """

    name: str
    n_pairs: int
    n_clips: int
    n_groups: int
    ranked: bool
    standings: tuple[Standing, ...]


@dataclass(frozen=True)
class Comparison:
    """Methods against the first of them.

    Attributes
    ----------
    row : Row
        What is compared.
    names : tuple of str
        What to call each method.
    results : tuple of Result
        One a method, of the first model.
    models : tuple of str
    pairs : tuple of int
        Pairs behind the figures with each model.
    identical_to : tuple of int
        The first method that each is identical to by construction; mostly itself.
    overall : Group
    strata : tuple of Group
    resamples : int
    """

    row: Row
    names: tuple[str, ...]
    results: tuple[Result, ...]
    models: tuple[str, ...]
    pairs: tuple[int, ...]
    identical_to: tuple[int, ...]
    overall: Group
    strata: tuple[Group, ...]
    resamples: int


def compare(
    contenders: Sequence[Sequence[Contender]],
    wanted: Row,
    *,
    strata: Sequence[Stratum] = (),
    decision: float = DECISION,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare methods with the first of them.

    Parameters
    ----------
    contenders : sequence of sequence of Contender
        A method, then a model: ``contenders[1][0]`` is the second method with the first model.
    wanted : Row
        What to compare; its policy is ignored where the metric needs none. The policy
        ``percentile@N`` is that percentile for every row.
    strata : sequence of Stratum
        Pairs to compare apart from the others as well.
    decision : float
        Clip probability above which a class counts as detected.
    resamples : int

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        The results are not about the same pairs.
    UsageError
        There is no such figure.
    NothingSelectedError
        No pair has it.
    """
    for column in zip(*contenders, strict=True):
        check_same_pairs(column, decision)
    check_same_clips(contenders[0])
    masks = [stratum.pairs for stratum in strata]
    values = np.empty((len(contenders), len(contenders[0]), 1 + len(masks)))
    replicates = np.zeros((len(contenders), 1 + len(masks), resamples))
    supports = []
    for m, method in enumerate(contenders):
        for s, contender in enumerate(method):
            measured = _measured(contender, wanted, decision)
            if m == 0:
                supports.append(_supports(measured.todo, masks))
            values[m, s] = measured.within(masks)[:, 0]
            replicates[m] += measured.replicates(resamples, masks)[:, 0] / len(method)
            row = measured.todo.rows[0]
    if not supports[0][0][0]:
        raise NothingSelectedError(
            f"no pair has a {row.metric} of its own", "another --metric or --truth"
        )
    few = [clips < MIN_CLIPS for _, clips, _ in supports[0]]
    replicates[:, few] = np.nan  # what one clip scatters by is no interval
    same = identical(contenders)
    found = [
        _Table(values[..., k], replicates[:, k], same, _ranked(k, size))
        for k, size in enumerate(supports[0])
    ]
    called = ["all", *(stratum.name for stratum in strata)]
    # One family of hypotheses over all pairs, and one over all strata.
    adjusted = [_adjusted(found[:1]), _adjusted(found[1:])]
    groups = [
        Group(name, *size, table.ranked, table.standings(p))
        for name, size, table, p in zip(
            called, supports[0], found, [*adjusted[0], *adjusted[1]], strict=True
        )
    ]
    return Comparison(
        row=row,
        names=names([method[0] for method in contenders]),
        results=tuple(method[0].result for method in contenders),
        models=tuple(contender.result.model for contender in contenders[0]),
        pairs=tuple(sizes[0][0] for sizes in supports),
        identical_to=tuple(same),
        overall=groups[0],
        strata=tuple(groups[1:]),
        resamples=resamples,
    )


def _measured(contender: Contender, wanted: Row, decision: float) -> Measured:
    fixed = _percentile(wanted.policy)
    measured = measure(
        contender.validation,
        contender.test,
        primary=primary_truth(contender.result),
        decision=decision,
        fixed_percentile=fixed,
        smoothings=SMOOTHINGS if wanted.smoothing != "none" else SMOOTHINGS[:1],
        also=MASS_METRICS,
    )
    if fixed is not None:
        wanted = replace(wanted, policy=fixed_name(fixed))
    return measured.only([_row(wanted, measured.todo.rows)])


def _percentile(policy: str | None) -> float | None:
    kind, at, number = (policy or "").partition("@")
    if kind != "percentile" or not at:
        return None
    try:
        value = float(number)
    except ValueError:
        value = np.nan
    if not 0 <= value < 100:
        raise UsageError(f"a fixed percentile lies in [0, 100), got {number!r}", "percentile@56")
    return value


def _row(wanted: Row, rows: Sequence[Row]) -> Row:
    """The figure that is wanted, of those there are."""
    rows = [row for row in rows if row.stratum == wanted.stratum]
    for kind in ("metric", "view", "truth", "smoothing", "policy", "average"):
        name = getattr(wanted, kind)
        known = {getattr(row, kind) for row in rows}
        if kind == "policy" and known == {None}:  # nothing to choose
            name = None
        if name not in known:
            what = kind if kind == "metric" else f"{kind} of {wanted.metric}:"
            raise UnknownNameError.of(what, str(name), {str(each) for each in known})
        rows = [row for row in rows if getattr(row, kind) == name]
    return rows[0]


_Support = tuple[int, int, int]


def _supports(plan: Plan, masks: Sequence[BoolArray]) -> list[_Support]:
    return [plan.support(plan.rows[0], mask) for mask in (None, *masks)]


def _ranked(place: int, support: _Support) -> bool:
    _, clips, groups = support
    return clips >= MIN_CLIPS and (place == 0 or groups >= MIN_GROUPS)


@dataclass(frozen=True, eq=False)
class _Table:
    """The figures of one group of pairs.

    Attributes
    ----------
    values : ndarray, shape (methods, models)
    replicates : ndarray, shape (methods, resamples)
        Means over models.
    same : list of int, (methods,)
    ranked : bool
    """

    values: NDArray[np.float64]
    replicates: NDArray[np.float64]
    same: list[int]
    ranked: bool

    def differences(self) -> list[Difference]:
        """To the first method; the first is one of them."""
        mean = self.values.mean(1).tolist()
        return [
            paired(mean[0], value, self.replicates[0], scatter)
            for value, scatter in zip(mean, self.replicates, strict=True)
        ]

    def tested(self) -> list[float]:
        """The p of each comparison that is one."""
        return [
            d.p if self.ranked and self.same[m] != self.same[0] else np.nan
            for m, d in enumerate(self.differences())
        ]

    def standings(self, adjusted: Sequence[float]) -> tuple[Standing, ...]:
        """What is said of each method, given the adjusted p."""
        low, high = percentile_interval(self.replicates)
        several = self.values.shape[1] > 1
        made = []
        for m, difference in enumerate(self.differences()):
            same = self.same[m] == self.same[0]
            said = verdict(difference, adjusted[m], identical=same) if self.ranked else None
            over = spread(self.values[m] - self.values[0]) if several and m else None
            made.append(
                Standing(
                    value=float(self.values[m].mean()),
                    low=float(low[m]),
                    high=float(high[m]),
                    difference=difference if m else None,
                    adjusted_p=float(adjusted[m]),
                    verdict=said if m else None,
                    of_models=tuple(self.values[m].tolist()),
                    over_models=spread(self.values[m]) if several else None,
                    difference_over_models=over,
                )
            )
        return tuple(made)


def _adjusted(tables: Sequence[_Table]) -> list[list[float]]:
    """Adjust all comparisons of some tables together."""
    p = [value for table in tables for value in table.tested()]
    keys = [(k, number) for k, table in enumerate(tables) for number in table.same]
    flat = holm(p, keys).tolist()
    size = len(tables[0].same) if tables else 0
    return [flat[k * size : (k + 1) * size] for k in range(len(tables))]
