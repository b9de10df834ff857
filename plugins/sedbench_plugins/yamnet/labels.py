"""YAMNet's 521 AudioSet classes, and which of them a task's label means.

``class_map.csv`` (index, machine id, display name) is AudioSet's, in the order of the network's
outputs; Google, CC BY 4.0. ``labels.csv`` says what the labels of the tasks and soundbanks here
mean, one display name a row; of a label with several, the most confident one counts. A label
that is a display name means itself.

References
----------
.. [1] J. F. Gemmeke et al., "Audio Set: an ontology and human-labeled dataset for audio
   events", ICASSP 2017.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sedbench.errors import UnknownNameError

_HERE = Path(__file__).parent


@cache
def display_names() -> tuple[str, ...]:
    """Display names, in the order of the network's outputs."""
    with (_HERE / "class_map.csv").open(encoding="utf-8", newline="") as file:
        return tuple(row["display_name"] for row in csv.DictReader(file))


@cache
def meanings() -> dict[str, tuple[str, ...]]:
    """Display names of each label of the table."""
    found: dict[str, tuple[str, ...]] = {}
    with (_HERE / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["label"]] = (*found.get(row["label"], ()), row["display_name"])
    return found


def known(label: str) -> bool:
    """Whether a label means anything to YAMNet."""
    return label in meanings() or label in display_names()


def outputs(labels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Look up the network's outputs of each label.

    Raises
    ------
    UnknownNameError
        A label is neither in the table nor a display name; the hint has the nearest.
    """
    names = display_names()
    found = []
    for label in labels:
        if not known(label):
            raise UnknownNameError.of("label for 'yamnet':", label, {*meanings(), *names})
        own = (label,) if label in names else meanings()[label]
        found.append(tuple(names.index(name) for name in own))
    return tuple(found)
