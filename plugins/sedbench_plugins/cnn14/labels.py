"""AudioSet's 527 classes, and which of them a task's label means.

``class_labels_indices.csv`` is AudioSet's own list (index, machine id, display name) in the
order of the network's outputs; Google, CC BY 4.0. A label means the class whose display name
it is, whatever its case and with ``_`` for spaces. Where no display name is the label, it may
be the name without its bracket (``Frying`` for ``Frying (food)``) or one of the names that
commas part (``Dishes`` for ``Dishes, pots, and pans``), if only one class has it.

References
----------
.. [1] J. F. Gemmeke et al., "Audio Set: an ontology and human-labeled dataset for audio
   events", ICASSP 2017.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sedbench.errors import UnknownNameError

FILE = Path(__file__).with_name("class_labels_indices.csv")


@cache
def display_names() -> tuple[str, ...]:
    """Display names, in the order of the network's outputs."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(row["display_name"] for row in csv.DictReader(file))


def class_indices(labels: Sequence[str]) -> list[int]:
    """Look up the network's output of each label.

    Parameters
    ----------
    labels : sequence of str

    Returns
    -------
    list of int

    Raises
    ------
    UnknownNameError
        AudioSet has no such class, or more than one.
    """
    return [_index(label) for label in labels]


def _index(label: str) -> int:
    said = _plain(label)
    for spellings in _spellings():
        found = spellings.get(said, ())
        if len(found) == 1:
            return found[0]
        if found:
            several = " or ".join(repr(display_names()[i]) for i in found)
            raise UnknownNameError(
                f"{label!r} may be more than one AudioSet class", f"one of: {several}"
            )
    near = _sharing_a_word(said)
    error = UnknownNameError.of("AudioSet class", label, near or display_names())
    if not error.hint.startswith("did you mean"):
        hint = "did you mean " + " or ".join(repr(name) for name in near[:3]) + "?"
        error = UnknownNameError(
            error.message, hint if near else "a class is one of AudioSet's 527 display names"
        )
    raise error


def _sharing_a_word(said: str) -> list[str]:
    # Best first: most words in common, then the shortest name.
    words = set(said.split())
    common = {name: len(words & set(re.findall(r"\w+", _plain(name)))) for name in display_names()}
    return sorted((n for n in common if common[n]), key=lambda n: (-common[n], len(n)))


@cache
def _spellings() -> tuple[dict[str, tuple[int, ...]], ...]:
    # Whole names come first, so that "Rattle" is not also "Rattle (instrument)".
    whole: dict[str, tuple[int, ...]] = {}
    parts: dict[str, tuple[int, ...]] = {}
    for i, name in enumerate(display_names()):
        whole[_plain(name)] = (*whole.get(_plain(name), ()), i)
        bare = re.sub(r"\s*\(.*\)", "", name)
        for part in {_plain(bare), *map(_plain, bare.split(","))}:
            parts[part] = (*parts.get(part, ()), i)
    return whole, parts


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split())
