"""Counts of a detection metric by class, and the rates that are made of them.

Segments, events and intersections differ in *what* is counted; precision, recall and F1 are the
same three ratios of what was counted::

    precision = TP / (TP + FP)     recall = TP / (TP + FN)     F1 = 2 TP / (2 TP + FP + FN)

*Micro* adds the counts of all classes first, *macro* averages the classes' rates.

Conventions
-----------
- A class that is truly present and was never predicted has precision, recall and F1 of 0. (sed_eval
  calls that ``empty_system_output_handling="zero_score"``; without it such a class is undefined
  there and drops out of the average.)
- A class without a true event is undefined (NaN) and left out of the macro average; its false
  alarms count in the micro average.

References
----------
A. Mesaros, T. Heittola and T. Virtanen, "Metrics for polyphonic sound event detection",
Applied Sciences 6(6), 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rates:
    """Precision, recall and F1, each in ``[0, 1]`` or NaN where nothing is true."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Tally:
    """True positives, false positives and false negatives of each class.

    Attributes
    ----------
    classes : tuple of str
    tp, fp, fn : ndarray, shape (classes,), int64
    """

    classes: tuple[str, ...]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether a class is truly present anywhere, shape (classes,)."""
        return np.asarray(self.tp + self.fn > 0)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of what was predicted that is true, shape (classes,)."""
        return np.where(self.present, _ratio(self.tp, self.tp + self.fp), np.nan)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of what is true that was predicted, shape (classes,)."""
        return np.where(self.present, _ratio(self.tp, self.tp + self.fn), np.nan)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall, shape (classes,)."""
        twice = 2 * self.tp
        return np.where(self.present, _ratio(twice, twice + self.fp + self.fn), np.nan)

    @property
    def micro(self) -> Rates:
        """Rates of the counts of all classes together."""
        together = Tally(("all",), *(np.array([n.sum()]) for n in (self.tp, self.fp, self.fn)))
        rates = (together.precision, together.recall, together.f1)
        return Rates(*(float(rate[0]) for rate in rates))

    @property
    def macro(self) -> Rates:
        """Rates averaged over the classes that are truly present."""
        rates = (self.precision, self.recall, self.f1)
        return Rates(*(mean_of_defined(rate) for rate in rates))


def mean_of_defined(values: NDArray[np.float64]) -> float:
    """Mean of what is not NaN; NaN where nothing is left."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """``numerator / denominator``, and 0 where both are 0."""
    return np.asarray(numerator / np.where(denominator == 0, 1, denominator), np.float64)
