"""Faithfulness of methods, from what the classifier answered to masked clips.

In: answers of the explained classifier, pair by pair (:class:`Answered`). Out: figures with their
intervals, each beside what a *random order* of the frames gets on the same pairs. A random order is
what a value has to be read against: masking any third of a clip costs a classifier something.

Every pair's value is compared with the mean of its random orders, and the *gain* is turned so that
more is better. The noise is told in two ways: how much the mean over all pairs varies from one
random order to the next, and how much a single pair does.

Methods are compared with the first of them (:mod:`sedbench.protocol.contrasts`). The random orders
are the same for all and cancel there: a difference of gains is one of values, with its sign turned
where less is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sedbench.comparison import MIN_CLIPS
from sedbench.metrics import faithfulness as metrics
from sedbench.protocol.contrasts import Contrast, against_first
from sedbench.protocol.means import Means, means, with_replicates
from sedbench.stats import RESAMPLES, Resampling
from sedbench.types import BoolArray

Unit = Literal["probability", "logit"]
UNITS: tuple[Unit, ...] = ("probability", "logit")

MEASURES = ("insertion", "deletion", "comprehensiveness", "sufficiency")
"""In the order of a table."""

_SIGN = {"insertion": 1.0, "deletion": -1.0, "comprehensiveness": 1.0, "sufficiency": -1.0}
_CURVE = {
    "insertion": "shown",
    "deletion": "masked",
    "comprehensiveness": "masked",
    "sufficiency": "shown",
}
_EVEN = 1e-9  # shares are whole frames over all frames


@dataclass(frozen=True, eq=False)
class Answered:
    """Logits of the explained classifier, of the class of each pair.

    Attributes
    ----------
    names : tuple of str
        Methods.
    contents : tuple of str
        What stood for the masked.
    shares : ndarray, shape (shares,)
        Of the clip's frames.
    clip : ndarray of int, shape (pairs,)
    whole : ndarray, shape (pairs,)
        Of the clip as it is.
    empty : ndarray, shape (contents, pairs)
        Of the clip with every frame masked.
    methods : ndarray, shape (methods, contents, pairs, 2, shares)
        Along deletion and insertion.
    chance : ndarray, shape (draws, contents, pairs, 2, shares)
        The same in random orders.
    """

    names: tuple[str, ...]
    contents: tuple[str, ...]
    shares: NDArray[np.float64]
    clip: NDArray[np.int64]
    whole: NDArray[np.float64]
    empty: NDArray[np.float64]
    methods: NDArray[np.float64]
    chance: NDArray[np.float64]

    def among(self, kept: BoolArray) -> Answered:
        """The answers about some of the pairs, shape (pairs,)."""
        return replace(
            self,
            clip=self.clip[kept],
            whole=self.whole[kept],
            empty=self.empty[:, kept],
            methods=self.methods[:, :, kept],
            chance=self.chance[:, :, kept],
        )

    def of(self, content: int, unit: Unit) -> _Slice:
        """What is measured of one content in one unit."""
        return _Slice(
            _in_unit(self.whole, unit),
            _in_unit(self.empty[content], unit),
            _in_unit(self.methods[:, content], unit),
            _in_unit(self.chance[:, content], unit),
            self.shares,
        )


@dataclass(frozen=True, eq=False)
class _Slice:
    whole: NDArray[np.float64]
    empty: NDArray[np.float64]
    methods: NDArray[np.float64]
    chance: NDArray[np.float64]
    shares: NDArray[np.float64]

    def values(self, curves: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Each measure of curves (..., pairs, 2, shares), shape (..., pairs)."""
        masked, shown = curves[..., 0, :], curves[..., 1, :]
        return {
            "insertion": metrics.insertion(shown, self.shares, self.whole, self.empty),
            "deletion": metrics.deletion(masked, self.shares, self.whole, self.empty),
            "comprehensiveness": metrics.comprehensiveness(masked, self.whole),
            "sufficiency": metrics.sufficiency(shown, self.whole),
        }


@dataclass(frozen=True)
class Figure:
    """One measure of a method.

    Attributes
    ----------
    value, low, high : float
        Mean over pairs, and its interval.
    gain, gain_low, gain_high : float
        How much better than the mean of the random orders; more is better, for every measure.
    """

    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class Chance:
    """One measure of random orders.

    Attributes
    ----------
    value, low, high : float
        Mean over draws and pairs, and its interval.
    scatter : float
        Standard deviation of the mean over pairs from draw to draw; NaN with one draw.
    scatter_pair : float
        The same of a single pair.
    """

    value: float
    low: float
    high: float
    scatter: float
    scatter_pair: float


@dataclass(frozen=True, eq=False)
class Reading:
    """Everything about one content in one unit.

    Attributes
    ----------
    content : str
    unit : {"probability", "logit"}
    whole, empty : float
        Mean answers to the clips, and to the clips with every frame masked.
    methods : tuple of dict of str to Figure
        By measure.
    curves : tuple of Means
        Of each method: comprehensiveness at each share, then sufficiency at each share.
    against : tuple of dict of str to Contrast
        Each method against the first, by measure; empty for the first itself, and where
        nothing was compared.
    chance : dict of str to Chance
    chance_curve : Means
        As ``curves``.
    """

    content: str
    unit: Unit
    whole: float
    empty: float
    methods: tuple[dict[str, Figure], ...]
    curves: tuple[Means, ...]
    against: tuple[dict[str, Contrast], ...]
    chance: dict[str, Chance]
    chance_curve: Means


def read(
    answered: Answered,
    content: int,
    unit: Unit,
    resampling: Resampling,
    resamples: int = RESAMPLES,
    *,
    same: Sequence[int] | None = None,
    contrasts: bool = True,
) -> Reading:
    """Figures of one content in one unit.

    Parameters
    ----------
    answered : Answered
    content : int
        Its number among the contents.
    unit : {"probability", "logit"}
    resampling : Resampling
        Of the same pairs.
    resamples : int
    same : sequence of int, (methods,), optional
        The first method that each is identical to.
    contrasts : bool
        Whether methods are compared with the first.
    """
    part = answered.of(content, unit)
    drawn = part.values(part.chance)
    expected = {name: each.mean(0) for name, each in drawn.items()}
    base = means(
        np.column_stack([*expected.values(), _losses(part, part.chance.mean(0))]),
        resampling,
        resamples,
    )
    chance = {
        name: Chance(
            *_at(base, column),
            metrics.scatter_of_mean(drawn[name].T, answered.clip),
            _scatter(drawn[name]),
        )
        for column, name in enumerate(MEASURES)
    }
    size = len(MEASURES)
    figures, curves, scatter = [], [], []
    for method in part.methods:
        own = part.values(method)
        gains = [_SIGN[name] * (own[name] - expected[name]) for name in MEASURES]
        found, replicates = with_replicates(
            np.column_stack([*own.values(), *gains, _losses(part, method)]), resampling, resamples
        )
        scatter.append(replicates[size : 2 * size])
        figures.append(
            {
                name: Figure(*_at(found, column), *_at(found, size + column))
                for column, name in enumerate(MEASURES)
            }
        )
        curves.append(_from(found, 2 * size))
    against = (
        _against_first(figures, np.array(scatter), answered, resampling, same)
        if contrasts
        else [{} for _ in figures[1:]]
    )
    return Reading(
        answered.contents[content],
        unit,
        float(part.whole.mean()),
        float(part.empty.mean()),
        tuple(figures),
        tuple(curves),
        ({}, *against),
        chance,
        _from(base, len(MEASURES)),
    )


def _against_first(
    figures: Sequence[dict[str, Figure]],
    scatter: NDArray[np.float64],
    answered: Answered,
    resampling: Resampling,
    same: Sequence[int] | None,
) -> list[dict[str, Contrast]]:
    """Gains of all methods but the first against its own, by measure."""
    if len(np.unique(resampling.clip)) < MIN_CLIPS:
        scatter = np.full_like(scatter, np.nan)
    gains = np.array([[each[measure].gain for measure in MEASURES] for each in figures])
    # A share's weight in an area: half of its way to either side. Where all shares weigh alike,
    # area and mean are one figure on two scales.
    widths = np.diff(answered.shares, prepend=0.0, append=1.0)
    alike = np.ptp(widths[1:] + widths[:-1]) < _EVEN
    keys = [_CURVE[measure] if alike else measure for measure in MEASURES]
    numbers = range(len(figures)) if same is None else same
    found = against_first(gains, scatter, numbers, keys)
    return [dict(zip(MEASURES, row, strict=True)) for row in found]


def _in_unit(logits: NDArray[np.float64], unit: Unit) -> NDArray[np.float64]:
    if unit == "logit":
        return logits
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)))  # no overflow, whatever the logit


def _losses(part: _Slice, curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Comprehensiveness and sufficiency at each share, shape (pairs, 2 x shares)."""
    return (part.whole[:, None, None] - curves).reshape(len(part.whole), -1)


def _scatter(drawn: NDArray[np.float64]) -> float:
    return float(np.sqrt(drawn.var(axis=0, ddof=1).mean())) if len(drawn) > 1 else float("nan")


def _at(found: Means, column: int) -> tuple[float, float, float]:
    return float(found.value[column]), float(found.low[column]), float(found.high[column])


def _from(found: Means, column: int) -> Means:
    return Means(
        found.value[column:], found.low[column:], found.high[column:], found.defined[column:]
    )
