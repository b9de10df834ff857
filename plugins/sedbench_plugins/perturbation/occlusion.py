"""Occlusion: how far the logit drops while a window of time is masked.

A window slides over the features by ``stride``; one more ends with the clip where the last would
not. A frame's score is the mean drop over the windows that cover it, so that frames are
told apart finer than windows are long, but the resolution is the window.

Captum's ``Occlusion`` computes the same where the windows divide the clip (tested); it passes
every window for every class anew.

References
----------
.. [1] M. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
   doi 10.1007/978-3-319-10590-1_53.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.models.contract import Classifier
from sedbench.types import Query
from sedbench_plugins.masking.clip import MaskedClip
from sedbench_plugins.masking.cuts import Cut, at_frames
from sedbench_plugins.perturbation.walk import PerSegment


@dataclass(frozen=True)
class Occlusion(PerSegment):
    """The method; ``segment`` is the window's length.

    Attributes
    ----------
    stride : float
        Seconds; not more than the window.
    """

    stride: float = 0.2

    def cut(self, net: Classifier, query: Query) -> Cut:
        """A segment between any two places where a window begins or ends."""
        edges = net.feature_edges(query.waveforms.shape[1])
        starts, length = self._windows(len(edges) - 1, float(edges[-1] - edges[0]))
        places = {0, *starts, *(start + length for start in starts)} - {len(edges) - 1}
        return at_frames(edges, sorted(places))

    def resolution(self, cut: Cut) -> float:
        """The window, or the clip where that is shorter."""
        return min(self.segment, float(cut.edges[-1] - cut.edges[0]))

    def attribute(
        self, clip: MaskedClip, targets: list[int], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Mean drop over the windows that cover a segment."""
        marks, edges = clip.cut.marks, clip.cut.edges
        starts, length = self._windows(int(marks[-1]), float(edges[-1] - edges[0]))
        first = np.array(starts)[:, None]
        covered = (marks[:-1] >= first) & (marks[1:] <= first + length)
        logits = clip(np.concatenate([np.ones((1, clip.cut.count), bool), ~covered]))
        drops = logits[0] - logits[1:]
        return np.asarray((drops.T @ covered / covered.sum(0))[targets])

    def _windows(self, frames: int, seconds: float) -> tuple[list[int], int]:
        # First frames of the windows, and how many frames each has.
        length, stride = (
            min(frames, max(1, round(each * frames / seconds)))
            for each in (self.segment, self.stride)
        )
        last = frames - length
        return [*range(0, last, stride), last], length
