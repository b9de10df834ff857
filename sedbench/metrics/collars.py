"""Event-based counts: a predicted event is right if its boundaries are, within a collar.

A true and a predicted event of one class and clip *agree* where the onsets differ by no more than
the collar, and the offsets by no more than the collar or a share of the true event's length,
whichever is longer. Each event may be matched once. The number of true positives is the largest
number of pairs that agree (a maximum bipartite matching), so that it does not depend on the order
of the events.

Conventions
-----------
- Collars of 200 ms and 20 % of the length are those of DCASE.
- A difference that equals the collar agrees, and binary fractions are taken as they are: 1.1 s and
  0.9 s differ by 0.20000000000000007 s. That is sed_eval's arithmetic, and the default. ``slack``
  widens every collar.

References
----------
A. Mesaros, T. Heittola and T. Virtanen, "Metrics for polyphonic sound event detection",
Applied Sciences 6(6), 2016. Reference implementation: sed_eval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UsageError
from sedbench.metrics.coverage import pairs
from sedbench.metrics.events import EventTable, require_alike
from sedbench.metrics.matching import largest_matching
from sedbench.metrics.tally import Tally

COLLAR = 0.2  # s
SHARE = 0.2  # of the true event's length

_REACH = 1e-6  # s by which the search for candidates is wider than any collar


def event_based(
    truth: EventTable,
    predicted: EventTable,
    collar: float = COLLAR,
    share: float = SHARE,
    *,
    offsets: bool = True,
    slack: float = 0.0,
) -> Tally:
    """Count events whose boundaries agree.

    Parameters
    ----------
    truth, predicted : EventTable
        Over the same clips and classes; events may overlap.
    collar : float, optional
        Seconds by which an onset, or an offset, may be wrong.
    share : float, optional
        Share of the true event's length by which its offset may be wrong.
    offsets : bool, optional
        Whether offsets have to agree; else onsets alone decide.
    slack : float, optional
        Seconds by which a difference may exceed its collar.

    Returns
    -------
    Tally

    Raises
    ------
    UsageError
        The tables do not go together, or a parameter cannot be.
    """
    require_alike(truth, predicted)
    if not (collar > 0 and share >= 0 and slack >= 0):
        raise UsageError(
            f"collar={collar}, share={share}, slack={slack} cannot be",
            "the collar is positive, the others at least 0",
        )
    true, claimed = _agreeing(
        truth, predicted, collar=collar, share=share, offsets=offsets, slack=slack
    )
    matched = largest_matching(true, claimed)
    tp = np.bincount(truth.label[true[matched]], minlength=len(truth.classes)).astype(np.int64)
    return Tally(truth.classes, tp, predicted.count - tp, truth.count - tp)


def _agreeing(
    truth: EventTable,
    predicted: EventTable,
    *,
    collar: float,
    share: float,
    offsets: bool,
    slack: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every pair (true, predicted) that agrees, as rows of the tables."""
    # All (clip, class) on one axis, to find candidates by their onsets; they are compared as given.
    span = max(truth.offset.max(initial=0.0), predicted.offset.max(initial=0.0)) + 2 * collar + 1.0
    axis = predicted.group * span + predicted.onset
    centre = truth.group * span + truth.onset
    reach = collar + slack + _REACH
    true, claimed = pairs(
        np.searchsorted(axis, centre - reach, "left"),
        np.searchsorted(axis, centre + reach, "right"),
    )
    agree = truth.group[true] == predicted.group[claimed]
    agree &= np.abs(truth.onset[true] - predicted.onset[claimed]) <= collar + slack
    if offsets:
        allowed = np.maximum(collar, share * truth.length[true]) + slack
        agree &= np.abs(truth.offset[true] - predicted.offset[claimed]) <= allowed
    return true[agree], claimed[agree]
