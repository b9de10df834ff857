"""What the methods share that mask segments of time: the walk over the clips.

A method looks at the logits of one clip under masks and gives each segment a score for each class.
Masks come from the clip's own generator and are the same for all of its classes, so that
each is passed once, and a clip's answer does not depend on its batch.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, Query
from sedbench_plugins.attribution import by_clip, signed
from sedbench_plugins.masking.clip import MaskedClip
from sedbench_plugins.masking.content import in_features
from sedbench_plugins.masking.cuts import Cut, of_frames

_MASKS = 12  # stream of the run's seed


@dataclass(frozen=True)
class PerSegment(ABC):
    """A method that scores segments of time by masking them in the features.

    Attributes
    ----------
    segment : float
        Seconds.
    content : str
        What stands where something is masked.
    sign : str
        What of a score counts.
    """

    segment: float
    content: str
    sign: str

    additive: ClassVar[bool] = False  # whether scores promise to add up to the logit's rise

    @abstractmethod
    def attribute(
        self, clip: MaskedClip, targets: list[int], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Scores (targets, segments) of one clip.

        Parameters
        ----------
        clip : MaskedClip
            Logits of all classes.
        targets : list of int
        rng : numpy.random.Generator
            The clip's own.
        """

    def cut(self, net: Classifier, query: Query) -> Cut:
        """Segments of the clips: whole feature frames."""
        return of_frames(net.feature_edges(query.waveforms.shape[1]), self.segment)

    def ends(self, query: Query, clip: int, net: Classifier, device: str) -> tuple[Tensor, Tensor]:
        """A clip, and what stands for it where it is masked."""
        return in_features(query, clip, net, device, self.content)

    def resolution(self, cut: Cut) -> float:
        """Time resolution in seconds."""
        return cut.length

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Attribute clip by clip, all target classes of a clip together.

        Raises
        ------
        NotApplicable
            The model keeps no mean frame, which was asked for.
        """
        started = time.perf_counter()
        net = model.classifier()
        cut = self.cut(net, query)
        rows: list[NDArray[np.float64]] = []
        misses: list[NDArray[np.float64]] = []
        forward, read = 0, 0.0
        for number, targets in by_clip(query):
            clip = MaskedClip(net, *self.ends(query, number, net, model.device), cut)
            values = self.attribute(clip, targets, query.rng(number, _MASKS))
            rows.append(signed(values, self.sign))
            if self.additive:
                whole, none = clip.ends()[:, targets]
                misses.append(_miss(values.sum(1), whole - none))
            forward, read = forward + clip.forward, read + clip.seconds
        return Answer(
            FrameScores(np.concatenate(rows), cut.edges),
            resolution=self.resolution(cut),
            diagnostics={"completeness_error": np.concatenate(misses)} if self.additive else {},
            cost=Cost(forward, 0, time.perf_counter() - started + read),
        )


def _miss(total: NDArray[np.float64], rise: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(total - rise) / np.maximum(np.abs(rise), 1e-8))
