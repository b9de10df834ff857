"""Methods against the first of them in several measures, as one family of tests.

The tests are those of :mod:`sedbench.comparison`: replicate ``i`` of every method is of the same
clips and groups, so that what methods share cancels. All comparisons of one table are adjusted
together by Holm's method. What is one finding counts once there: a method that is identical to
another one, and a measure that is another one read differently.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.comparison import Difference, Verdict, holm, paired, verdict


@dataclass(frozen=True)
class Contrast:
    """One method against the first in one measure.

    Attributes
    ----------
    difference : Difference
        More is better, whatever the direction of the measure.
    adjusted_p : float
        By Holm's method over all comparisons of the table; NaN where nothing was tested.
    verdict : str
    """

    difference: Difference
    adjusted_p: float
    verdict: Verdict


def against_first(
    values: NDArray[np.float64],
    replicates: NDArray[np.float64],
    same: Sequence[int],
    alike: Sequence[Hashable],
) -> tuple[tuple[Contrast, ...], ...]:
    """Compare every method with the first.

    Parameters
    ----------
    values : ndarray, shape (methods, measures)
        Turned so that more is better.
    replicates : ndarray, shape (methods, measures, resamples)
        From the same resamples for all; NaN where undefined.
    same : sequence of int, (methods,)
        The first method that each is identical to.
    alike : sequence of hashable, (measures,)
        Measures with the same key put methods in one order: one hypothesis, with the larger p.

    Returns
    -------
    tuple of tuple of Contrast, (methods - 1, measures)
        Of the second method, the third and so on.
    """
    cells = [(m, k) for m in range(1, len(values)) for k in range(values.shape[1])]
    found = [
        paired(values[0, k], values[m, k], replicates[0, k], replicates[m, k]) for m, k in cells
    ]
    identical = [same[m] == same[0] for m, _ in cells]
    p = [np.nan if twin else each.p for each, twin in zip(found, identical, strict=True)]
    adjusted = holm(p, [(same[m], alike[k]) for m, k in cells]).tolist()
    made = iter(
        Contrast(each, value, verdict(each, value, identical=twin))
        for each, value, twin in zip(found, adjusted, identical, strict=True)
    )
    return tuple(tuple(next(made) for _ in alike) for _ in values[1:])
