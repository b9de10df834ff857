"""The location prior: a fixed score that is highest in the middle of the clip.

Whoever picks the middle of a picture finds much of what people look at, because of how pictures
are taken; a model of saliency has to be better than that. Clips are alike: an event that has to
lie inside its clip covers the middle more often than the ends.

The score rises in a straight line from 0 at the start to 1 in the middle, and falls to 0 at
the end: a triangle, for every class and clip. Only its order matters to a threshold, so any other
single peak gives the same frames. It has no parameter and has seen no training data. How *long*
the active stretch is comes from the protocol alone: the threshold chosen on validation, one for
all classes, is the prior of durations. A prior for each class would need the training truth,
which no method is given.

References
----------
.. [1] B. W. Tatler, "The central fixation bias in scene viewing", Journal of Vision 7(14), 2007.
.. [2] T. Judd, K. Ehinger, F. Durand, A. Torralba, "Learning to predict where humans look",
   ICCV 2009: distance to the centre as a feature, and as a baseline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sedbench.types import Answer, FrameScores, Query

if TYPE_CHECKING:
    from sedbench.models.store import ModelHandle


class LocationPrior:
    """Answers with the middle of the clip."""

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Give every pair the same triangle."""
        values = triangle(query.grid.edges).astype(np.float32)
        rows = np.tile(values, (len(query.pairs), 1))
        return Answer(FrameScores(rows, query.grid.edges), query.grid.frame)


def triangle(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nearness to the middle: 0 at both ends, 1 in the middle.

    Parameters
    ----------
    edges : ndarray, shape (frames + 1,)
        Seconds, from the start of the clip to its end.

    Returns
    -------
    ndarray, shape (frames,)
        Of each frame's middle.
    """
    middles = (edges[:-1] + edges[1:]) / 2 - edges[0]
    length = edges[-1] - edges[0]
    nearest_end = np.minimum(middles, length - middles)
    # Rounded, so that two frames at the same distance from the middle tie.
    return np.asarray(np.round(2 * nearest_end / length, 9))
