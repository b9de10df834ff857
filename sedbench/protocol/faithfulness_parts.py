"""Faithfulness of some pairs apart from the others: by class, polyphony, duration, SNR, condition.

The classifier has answered for all of them already; a part is read as the whole is, from the
answers of its own pairs alone, its random orders among them. Methods are compared with the first
over all pairs and nowhere else: a test a part would be a family of its own, of few pairs each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.comparison import MIN_CLIPS
from sedbench.protocol.evaluate import MIN_GROUPS
from sedbench.protocol.faithfulness import Answered, Reading, Unit, read
from sedbench.protocol.means import resampling_of
from sedbench.protocol.strata import Stratum
from sedbench.stats import RESAMPLES
from sedbench.types import PairTable


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the pairs.

    Attributes
    ----------
    name : str
    n_pairs, n_clips, n_groups : int
    bounded : bool
        Whether clips and source groups are enough to say how far the figures may be off.
    readings : tuple of Reading
        One a content; of each, no contrasts.
    """

    name: str
    n_pairs: int
    n_clips: int
    n_groups: int
    bounded: bool
    readings: tuple[Reading, ...]


def read_parts(
    answered: Answered,
    table: PairTable,
    rows: NDArray[np.int64],
    strata: Sequence[Stratum],
    *,
    unit: Unit,
    resamples: int = RESAMPLES,
) -> tuple[Part, ...]:
    """Read every part.

    Parameters
    ----------
    answered : Answered
    table : PairTable
        Every true pair of the split.
    rows : ndarray of int, shape (pairs answered,)
        Which of them were answered.
    strata : sequence of Stratum
        Of the split's pairs. One without a pair that was answered is left out.
    unit : {"probability", "logit"}
    resamples : int
    """
    found = []
    for stratum in strata:
        mine = stratum.pairs[rows]
        if not mine.any():
            continue
        kept = np.zeros(len(table), bool)
        kept[rows[mine]] = True
        own, resampling = answered.among(mine), resampling_of(table, kept)
        clips = len(np.unique(resampling.clip))
        groups = len({name for row in rows[mine].tolist() for name in table.groups[row]})
        found.append(
            Part(
                stratum.name,
                int(mine.sum()),
                clips,
                groups,
                clips >= MIN_CLIPS and groups >= MIN_GROUPS,
                tuple(
                    read(own, number, unit, resampling, resamples, contrasts=False)
                    for number in range(len(answered.contents))
                ),
            )
        )
    return tuple(found)
