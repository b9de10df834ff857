"""A recipe: the distributions that the soundscapes of a task are drawn from.

A distribution is written as Scaper writes it, an array whose first entry is its name:
``["const", v]``, ``["choose", [a, b, ...]]`` (numbers), ``["uniform", low, high]``,
``["normal", mean, sd]`` or ``["truncnorm", mean, sd, low, high]``. Times are in seconds,
levels in LUFS, ``snr`` in LUFS above the background.

The recipe is kept in the task's file beside the frozen index that was drawn from it, so
that anyone sees where the clips come from; scoring reads the index alone.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from sedbench.data.strict import Table

Distribution = tuple[Any, ...]

_ARGUMENTS = {"const": 1, "choose": 1, "uniform": 2, "normal": 2, "truncnorm": 4}
KEYS = (
    "seed",
    "event_counts",
    "event_weights",
    "label_counts",
    "label_weights",
    "event_duration",
    "event_time",
    "source_time",
    "snr",
    "ref_db",
    "backgrounds",
    "max_polyphony",
    "same_class_overlap",
    "same_class_gap",
    "repeated_labels",
    "repeated_sources",
    "fix_clipping",
    "balanced_labels",
    "patterns",
    "patterns_sha256",
)
# What the patterns of real annotations say instead; see sedbench.data.patterns.
_PATTERNED = (
    "event_counts",
    "event_weights",
    "label_counts",
    "label_weights",
    "event_duration",
    "event_time",
    "same_class_overlap",
    "same_class_gap",
    "repeated_labels",
    "repeated_sources",
    "balanced_labels",
)
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Recipe:
    """How the soundscapes of a task are drawn.

    Attributes
    ----------
    seed : int
        Every soundscape has a generator of its own, derived from this seed, its split and
        its number.
    event_counts : tuple of int
        The numbers of events that a soundscape may have.
    event_weights : tuple of float
        Their relative frequencies.
    label_counts : tuple of int
        The numbers of different classes that a soundscape may have, never more than its
        events; empty where every event chooses among all classes.
    label_weights : tuple of float
        Their relative frequencies.
    event_duration : distribution
        Seconds; an event is never longer than its recording or than the clip.
    event_time : distribution
        Onset in seconds. The upper bound of a ``uniform`` is drawn in, per event, to where
        the event still ends inside the clip: Scaper would move it back instead, and ends
        would pile up at the end of the clip.
    source_time : distribution
        Where in the recording the event begins; Scaper keeps it inside the recording.
    snr : distribution
        Loudness above the background in LUFS.
    ref_db : distribution
        The background's loudness in LUFS, one draw a soundscape.
    backgrounds : tuple of str
        Labels, chosen from uniformly.
    max_polyphony : int
        No more than so many events at once; a soundscape with more is drawn again.
    same_class_overlap : bool
        Whether two events of one class may overlap.
    same_class_gap : float
        Otherwise, the least pause between them in seconds.
    repeated_labels, repeated_sources : bool
        Whether a soundscape may hold a class, or a recording, more than once.
    fix_clipping : bool
        True scales a soundscape that would clip; False clips it, as SoX does.
    balanced_labels : bool
        True deals the classes out instead of drawing them, so that each is used about equally
        often in the split (in the fold, where there are folds), and the recordings of a class
        likewise: none is used again before all were.
    patterns : str
        A file of statistics of real annotations beside the task's file, from which classes,
        their numbers of events, durations and onsets are drawn; empty where the distributions
        above say them. ``max_polyphony`` holds for them too.
    patterns_sha256 : str
        What the hash of ``patterns`` has to be, hexadecimal.
    """

    seed: int
    event_counts: tuple[int, ...]
    event_weights: tuple[float, ...]
    label_counts: tuple[int, ...]
    label_weights: tuple[float, ...]
    event_duration: Distribution
    event_time: Distribution
    source_time: Distribution
    snr: Distribution
    ref_db: Distribution
    backgrounds: tuple[str, ...]
    max_polyphony: int
    same_class_overlap: bool
    same_class_gap: float
    repeated_labels: bool
    repeated_sources: bool
    fix_clipping: bool
    balanced_labels: bool = False
    patterns: str = ""
    patterns_sha256: str = ""


def _distribution(table: Table, key: str, default: Any = None) -> Distribution:
    """Read and check one distribution."""
    value = table.values.get(key, default)
    if value is None:
        raise table.error(key, "is missing", 'for instance ["uniform", 0.0, 1.0]')
    if not isinstance(value, list | tuple) or not value or value[0] not in _ARGUMENTS:
        raise table.error(
            key,
            f"expected a distribution, got {value!r}",
            f'an array such as ["uniform", 0.0, 1.0]; known: {", ".join(_ARGUMENTS)}',
        )
    name, *rest = value
    if len(rest) != _ARGUMENTS[name]:
        raise table.error(key, f"{name!r} takes {_ARGUMENTS[name]} value(s), got {len(rest)}")
    numbers = list(rest[0]) if name == "choose" and isinstance(rest[0], list | tuple) else rest
    for v in numbers:
        if isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v):
            raise table.error(key, f"expected finite numbers, got {v!r}")
    if not numbers:
        raise table.error(key, "there is nothing to choose from")
    bounds = numbers[-2:] if name in ("uniform", "truncnorm") else (0, 1)
    if bounds[0] > bounds[1]:
        raise table.error(key, f"the range {bounds[0]} to {bounds[1]} is empty")
    if name in ("normal", "truncnorm") and numbers[1] <= 0:
        raise table.error(key, f"the standard deviation {numbers[1]} is not positive")
    if name == "choose":
        return (name, [float(v) for v in numbers])
    return (name, *(float(v) for v in numbers))


def _counts(
    table: Table, key: str, weights_key: str, least: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Read the numbers that something may have and their relative frequencies."""
    counts = table.numbers(key)
    if not counts or any(c < least or c != int(c) for c in counts):
        raise table.error(key, f"expected whole numbers from {least} on, got {list(counts)!r}")
    weights = table.numbers(weights_key, [1.0] * len(counts))
    if len(weights) != len(counts) or min(weights) < 0 or sum(weights) <= 0:
        raise table.error(
            weights_key, f"expected {len(counts)} weights, none negative, got {list(weights)!r}"
        )
    return tuple(int(c) for c in counts), weights


def read_recipe(table: Table) -> Recipe:
    """Read the ``[soundscapes]`` table of a task.

    Raises
    ------
    TaskFileError
        A value cannot be.
    """
    patterns, patterns_sha256 = _patterns(table)
    counts: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    if not patterns:
        counts, weights = _counts(table, "event_counts", "event_weights", 0)
    labels: tuple[tuple[int, ...], tuple[float, ...]] = ((), ())
    if "label_counts" in table.values or "label_weights" in table.values:
        labels = _counts(table, "label_counts", "label_weights", 1)
    open_ended = ["const", 0.0] if patterns else None  # never drawn from
    backgrounds = table.texts("backgrounds")
    if not backgrounds:
        raise table.error("backgrounds", "expected at least one label")
    return Recipe(
        seed=table.integer("seed", 0, minimum=0),
        event_counts=counts,
        event_weights=weights,
        label_counts=labels[0],
        label_weights=labels[1],
        event_duration=_distribution(table, "event_duration", open_ended),
        event_time=_distribution(table, "event_time", open_ended),
        source_time=_distribution(table, "source_time", ["uniform", 0.0, 1e6]),
        snr=_distribution(table, "snr"),
        ref_db=_distribution(table, "ref_db"),
        backgrounds=backgrounds,
        max_polyphony=table.integer("max_polyphony", 2, minimum=1),
        same_class_overlap=table.boolean("same_class_overlap", False),
        same_class_gap=table.number("same_class_gap", 0.0),
        repeated_labels=table.boolean("repeated_labels", True),
        repeated_sources=table.boolean("repeated_sources", False),
        fix_clipping=table.boolean("fix_clipping", True),
        balanced_labels=table.boolean("balanced_labels", False),
        patterns=patterns,
        patterns_sha256=patterns_sha256,
    )


def _patterns(table: Table) -> tuple[str, str]:
    """The file of patterns and its hash; empty where there is none."""
    name, sha256 = table.text("patterns", ""), table.text("patterns_sha256", "")
    if not name:
        if sha256:
            raise table.error("patterns_sha256", "there are no patterns", "take the line out")
        return "", ""
    if not _FILE.match(name):
        raise table.error("patterns", f"{name!r} is no file beside the task's", "a bare file name")
    if not _SHA256.match(sha256):
        raise table.error("patterns_sha256", f"{sha256!r} is not 64 hexadecimal digits")
    for key in _PATTERNED:
        if key in table.values:
            raise table.error(key, "the patterns say this", "take the line out")
    return name, sha256
