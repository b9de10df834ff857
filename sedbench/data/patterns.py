"""Event patterns: which classes are heard together, how often, how long and when.

A recipe's own distributions draw events independently of each other. In a real scene they are
not: dishes clatter in a series over the frying that fills the clip. *Patterns* are statistics
of real annotations (a JSON file beside the task's), from which :meth:`Patterns.draw` makes a
clip's events:

1. a *combination* of classes, as often as the annotated clips hold it; this gives how many
   classes a clip has, how frequent each is, and which occur together;
2. for each class, how many events it has in the clip, as the clips with that class do;
3. their durations and the gaps between them, each by itself, from the quantiles of clips with
   about as many events. What does not fit into the clip is drawn again: the gaps, after each
   :data:`PATIENCE` attempts the durations too, after :data:`ATTEMPTS` with one event fewer;
4. where the first one begins, as a share of the time that the series leaves free (its *lead*):
   0 is at the clip's start, 1 lets the last one end at the clip's end.

What this leaves out: that the durations within a clip resemble each other, that the number of
events may depend on the other classes, and that classes may wait for each other.

Quantiles are evenly spaced from the least to the greatest value and interpolated linearly.
Times are in seconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from sedbench.data.frozen import read_frozen
from sedbench.data.index import DECIMALS
from sedbench.errors import DataError
from sedbench.types import Event, frozen_mapping

ATTEMPTS = 100
PATIENCE = 10
Value = TypeVar("Value")


@dataclass(frozen=True)
class Series:
    """How the events of one class follow each other in clips with about as many of them.

    Attributes
    ----------
    least : int
        From how many events on; up to the next series' least.
    durations, gaps : tuple of float
        Quantiles in seconds; no gaps where there is one event.
    leads : tuple of float
        Quantiles in [0, 1].
    """

    least: int
    durations: tuple[float, ...]
    gaps: tuple[float, ...]
    leads: tuple[float, ...]


@dataclass(frozen=True)
class ClassPattern:
    """One class in the clips that hold it.

    Attributes
    ----------
    counts : tuple of int
        How many events such a clip may have, ascending.
    weights : tuple of float
        How frequent each is; they sum to 1.
    series : tuple of Series
        In order of ``least``, the first from 1 on.
    """

    counts: tuple[int, ...]
    weights: tuple[float, ...]
    series: tuple[Series, ...]

    def of(self, events: int) -> Series:
        """The series of clips with so many events."""
        return [s for s in self.series if s.least <= events][-1]


@dataclass(frozen=True)
class Patterns:
    """Statistics of annotated clips.

    Attributes
    ----------
    duration : float
        Of the annotated clips in seconds.
    combinations : tuple of tuple of str
        Sets of classes that a clip may hold.
    weights : tuple of float
        How frequent each is; they sum to 1.
    classes : mapping of str to ClassPattern
    """

    duration: float
    combinations: tuple[tuple[str, ...], ...]
    weights: tuple[float, ...]
    classes: Mapping[str, ClassPattern]

    def draw(self, state: np.random.RandomState) -> tuple[Event, ...]:
        """The events of one clip, sorted by onset; none overlaps another of its class.

        Parameters
        ----------
        state : RandomState
            Where all chance comes from.
        """
        chosen = self.combinations[int(state.choice(len(self.weights), p=self.weights))]
        events = [event for label in chosen for event in self._series(label, state)]
        return tuple(sorted(events))

    def _series(self, label: str, state: np.random.RandomState) -> list[Event]:
        pattern = self.classes[label]
        count = int(state.choice(pattern.counts, p=pattern.weights))
        while True:
            series = pattern.of(count)
            for attempt in range(ATTEMPTS):
                if attempt % PATIENCE == 0:
                    durations = _sample(series.durations, count, state)
                gaps = _sample(series.gaps, count - 1, state)
                slack = self.duration - sum(durations) - sum(gaps)
                if slack >= 0:
                    onset = slack * _sample(series.leads, 1, state)[0]
                    return self._placed(label, onset, durations, gaps)
            if count == 1:  # longer than the clip
                return self._placed(label, 0.0, [self.duration], [])
            count -= 1

    def _placed(
        self, label: str, onset: float, durations: Sequence[float], gaps: Sequence[float]
    ) -> list[Event]:
        events = []
        for duration, gap in zip(durations, [*gaps, 0.0], strict=True):
            # To the index's decimals, downwards, and never beyond the clip.
            start = math.floor(onset * 10**DECIMALS) / 10**DECIMALS
            end = math.floor(min(onset + duration, self.duration) * 10**DECIMALS) / 10**DECIMALS
            events.append(Event(start, end, label))
            onset += duration + gap
        return events


def _sample(quantiles: Sequence[float], count: int, state: np.random.RandomState) -> list[float]:
    """Values whose distribution has these quantiles."""
    if count == 0:
        return []
    levels = np.linspace(0, 1, len(quantiles))
    return [float(v) for v in np.interp(state.uniform(size=count), levels, quantiles)]


def read_patterns(path: Path, sha256: str = "") -> Patterns:
    """Read a file of patterns.

    Parameters
    ----------
    path : Path
        JSON, UTF-8. ``duration``; ``combinations``, a table of how many clips hold which
        classes, joined by ``+``; ``classes``, a table by class of ``events`` (how many clips
        hold how many) and ``ranges`` (tables of ``from``, ``durations``, ``gaps``, ``leads``).
        Further keys are for readers.
    sha256 : str, optional
        What the file's hash has to be.

    Raises
    ------
    MissingDataError
        There is no such file.
    HashMismatchError
        The file is not the one that was frozen.
    DataError
        A value cannot be; the message names the file and the key.
    """
    data = read_frozen(path, sha256, "pattern file")
    try:
        values = json.loads(data)
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    return _Reader(path).patterns(values)


class _Reader:
    """Reads what a file says, and says where it cannot be."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def patterns(self, top: Any) -> Patterns:
        (duration,) = self._numbers([self._get(top, "", "duration")], "duration", above=0)
        classes = {
            label: self._class(value, f"classes.{label}")
            for label, value in self._table(top, "", "classes").items()
        }
        sets, weights = self._counts(top, "", "combinations", lambda key: tuple(key.split("+")))
        for labels in sets:
            if unknown := set(labels) - set(classes):
                raise self._error("combinations", f"no pattern of {sorted(unknown)[0]!r}")
            if len(set(labels)) != len(labels):
                raise self._error("combinations", f"a class stands twice in {'+'.join(labels)!r}")
        return Patterns(duration, sets, weights, frozen_mapping(classes))

    def _class(self, value: Any, at: str) -> ClassPattern:
        counts, weights = self._counts(value, at, "events", self._whole)
        ranges = self._get(value, at, "ranges")
        if not isinstance(ranges, list) or not ranges:
            raise self._error(f"{at}.ranges", "expected an array of tables")
        series = tuple(self._series(one, f"{at}.ranges[{i}]") for i, one in enumerate(ranges))
        starts = [s.least for s in series]
        if starts[0] != 1 or starts != sorted(set(starts)):
            raise self._error(f"{at}.ranges", f"expected to begin at 1 and ascend, got {starts}")
        for s, after in zip(series, [*starts[1:], math.inf], strict=True):
            if not s.gaps and any(max(s.least, 2) <= n < after for n in counts):
                raise self._error(f"{at}.ranges", f"gaps are missing from {s.least} events on")
        order = sorted(range(len(counts)), key=counts.__getitem__)
        return ClassPattern(
            tuple(counts[i] for i in order), tuple(weights[i] for i in order), series
        )

    def _series(self, value: Any, at: str) -> Series:
        def quantiles(key: str, above: float, most: float, empty: bool = False) -> Any:
            numbers = self._numbers(self._get(value, at, key), f"{at}.{key}", above, most)
            if list(numbers) != sorted(numbers) or not (numbers or empty):
                raise self._error(f"{at}.{key}", "expected quantiles, ascending")
            return numbers

        return Series(
            least=self._whole(str(self._get(value, at, "from"))),
            durations=quantiles("durations", 0.0, math.inf),
            gaps=quantiles("gaps", 0.0, math.inf, empty=True),
            leads=quantiles("leads", -1e-9, 1.0),
        )

    def _counts(
        self, value: Any, at: str, key: str, read: Callable[[str], Value]
    ) -> tuple[tuple[Value, ...], tuple[float, ...]]:
        """A table of how often each key was seen: the keys, and their shares."""
        table = self._table(value, at, key)
        numbers = self._numbers(list(table.values()), f"{at}.{key}".strip("."), above=0)
        return tuple(map(read, table)), tuple(n / sum(numbers) for n in numbers)

    def _whole(self, text: str) -> int:
        if not text.isdigit() or int(text) < 1:
            raise self._error("classes", f"{text!r} is no number of events")
        return int(text)

    def _numbers(
        self, values: Any, at: str, above: float = -math.inf, most: float = math.inf
    ) -> tuple[float, ...]:
        def is_one(v: Any) -> bool:
            number = isinstance(v, int | float) and not isinstance(v, bool)
            return number and math.isfinite(v) and above < v <= most

        if not isinstance(values, list) or not all(map(is_one, values)):
            raise self._error(at, "expected numbers in range")
        return tuple(float(v) for v in values)

    def _table(self, value: Any, at: str, key: str) -> Mapping[str, Any]:
        found = self._get(value, at, key)
        if not isinstance(found, dict) or not found:
            raise self._error(f"{at}.{key}".strip("."), "expected a table that holds something")
        return found

    def _get(self, value: Any, at: str, key: str) -> Any:
        if not isinstance(value, dict) or key not in value:
            raise self._error(f"{at}.{key}".strip("."), "is missing")
        return value[key]

    def _error(self, at: str, problem: str) -> DataError:
        return DataError(f"{self.path}: {at}: {problem}", "restore the frozen patterns")
