"""RISE: the mean logit over random masks that show a moment, less the mean over all masks.

Masks are drawn as in the paper, in one dimension: a coarse random grid, each of its cells of
``segment`` seconds shown with probability ``keep``, laid over the clip with a random shift. The
shift is a whole number of fifths of a cell, and scores are given for each fifth.

Differences from the paper
--------------------------
- Cells have hard edges. The paper's are smoothed (``smooth=true``: linearly); but a hard-edged
  mask has few different cut-outs in the time that a frame of the network depends on: on a network
  that looks at a second at a time five hundred masks cost less than a hundred passes, and as many
  smooth ones five hundred. The default was chosen for that cost.
- The paper weights probabilities. A logit may be negative, and the mean over the masks that show
  a moment, instead of a sum over them divided by what was expected, takes out by how much more
  often one moment was shown than another. The mean over all masks is a constant, and is taken
  off so that what is positive speaks for the class.

References
----------
.. [1] V. Petsiuk, A. Das, K. Saenko, "RISE: randomized input sampling for explanation of black-box
   models", BMVC 2018, arXiv 1806.07421.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.models.contract import Classifier
from sedbench.types import Query
from sedbench_plugins.masking.clip import MaskedClip
from sedbench_plugins.masking.cuts import Cut, of_frames
from sedbench_plugins.perturbation.walk import PerSegment

SHIFTS = 5  # places where a cell may begin, within the length of one


@dataclass(frozen=True)
class Rise(PerSegment):
    """The method; ``segment`` is the length of a cell.

    Attributes
    ----------
    masks : int
    keep : float
        Probability that a cell is shown.
    smooth : bool
        Interpolate between the cells.
    """

    masks: int = 500
    keep: float = 0.5
    smooth: bool = False

    def cut(self, net: Classifier, query: Query) -> Cut:
        """Fifths of a cell, of a frame at least."""
        return of_frames(net.feature_edges(query.waveforms.shape[1]), self.segment / SHIFTS)

    def resolution(self, cut: Cut) -> float:
        """A cell: what a mask shows or hides at once."""
        return round(self._width(cut) * cut.length, 9)

    def attribute(
        self, clip: MaskedClip, targets: list[int], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Mean over the masks that show a segment, less the mean over all."""
        shown = self._draw(clip.cut.count, self._width(clip.cut), rng)
        logits = clip.soft(shown) if self.smooth else clip(shown)
        weights = shown.astype(np.float64)
        over = (logits - logits.mean(0)).T @ weights / np.maximum(weights.sum(0), 1e-9)
        return np.asarray(over[targets])

    def _width(self, cut: Cut) -> int:
        # Fifths of a cell in one: fewer where a fifth would be less than a frame.
        return max(1, round(self.segment / cut.length))

    def _draw(self, segments: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
        cells = -(-segments // width) + 2
        grid = (rng.random((self.masks, cells)) < self.keep).astype(np.float64)
        first = rng.integers(width, size=(self.masks, 1)) + np.arange(segments)
        rows = np.arange(self.masks)[:, None]
        cell, within = first // width, (first % width) / width
        if not self.smooth:
            return np.asarray(grid[rows, cell])
        return np.asarray((1 - within) * grid[rows, cell] + within * grid[rows, cell + 1])
