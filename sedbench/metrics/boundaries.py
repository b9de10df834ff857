"""Onset and offset error: by how many seconds the boundaries of found events are off.

F1 with a collar says how often boundaries are right; this says how wrong they are. True and
predicted events of a clip and class are paired one to one where they overlap, the pair with the
largest intersection over union first. The errors are those of the pairs alone, so they stand beside
the share of true events that have a partner: a detector that dares little errs little.

Conventions
-----------
- The error is the mean absolute difference; the bias is the mean signed one, positive where the
  prediction is late.
- Ties of the overlap go to the earlier true event, then to the earlier predicted one.
- Undefined (NaN) where nothing is paired.

References ---------- The idea is that of A. Mesaros, T. Heittola and T. Virtanen, Applied Sciences
6(6), 2016 (collars), as a quantity in place of a decision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sedbench.metrics.coverage import pairs
from sedbench.metrics.events import EventTable, require_alike


@dataclass(frozen=True)
class BoundaryErrors:
    """Errors of the boundaries of paired events, in seconds.

    Attributes
    ----------
    onset, offset : float
        Mean absolute difference, at least 0.
    onset_bias, offset_bias : float
        Mean of predicted minus true.
    paired, true : int
        How many true events have a partner, and how many there are.
    """

    onset: float
    offset: float
    onset_bias: float
    offset_bias: float
    paired: int
    true: int


def boundary_errors(truth: EventTable, predicted: EventTable) -> BoundaryErrors:
    """Measure by how much the boundaries of found events are off.

    Parameters
    ----------
    truth, predicted : EventTable
        Over the same clips and classes.

    Returns
    -------
    BoundaryErrors

    Raises
    ------
    UsageError
        The tables do not go together.
    """
    require_alike(truth, predicted)
    # Events of one class may overlap: what can meet a true event is searched for by its onset,
    # from as far back as the longest prediction reaches.
    span = max(truth.offset.max(initial=0.0), predicted.offset.max(initial=0.0)) + 1.0
    axis = predicted.group * span + predicted.onset
    shift = truth.group * span
    longest = predicted.length.max(initial=0.0)
    true, claimed = pairs(
        np.searchsorted(axis, shift + np.maximum(truth.onset - longest, 0.0) - 1e-6, "left"),
        np.searchsorted(axis, shift + truth.offset, "left"),
    )
    first, last = truth.onset[true], truth.offset[true]
    onset, offset = predicted.onset[claimed], predicted.offset[claimed]
    shared = np.minimum(last, offset) - np.maximum(first, onset)
    meet = (shared > 0) & (truth.group[true] == predicted.group[claimed])
    true, claimed, shared = true[meet], claimed[meet], shared[meet]
    overlap = shared / (truth.length[true] + predicted.length[claimed] - shared)

    partner: dict[int, int] = {}
    used: set[int] = set()
    for row in np.lexsort((claimed, true, -overlap)).tolist():
        i, j = int(true[row]), int(claimed[row])
        if i not in partner and j not in used:
            partner[i] = j
            used.add(j)
    rows, columns = np.array(list(partner), np.int64), np.array(list(partner.values()), np.int64)
    if not rows.size:
        nan = float("nan")
        return BoundaryErrors(nan, nan, nan, nan, 0, len(truth))
    late = predicted.onset[columns] - truth.onset[rows]
    long = predicted.offset[columns] - truth.offset[rows]
    return BoundaryErrors(
        float(np.abs(late).mean()),
        float(np.abs(long).mean()),
        float(late.mean()),
        float(long.mean()),
        len(rows),
        len(truth),
    )
