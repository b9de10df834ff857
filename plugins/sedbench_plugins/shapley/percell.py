"""What the methods share that attribute to each cell of the features: the walk over the clips."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, Query
from sedbench_plugins.attribution import by_clip, feature_frames
from sedbench_plugins.shapley.ends import additivity_error, ends, library_seed
from sedbench_plugins.shapley.network import Logits, copied, quiet, rescalable


@dataclass(frozen=True)
class PerCell(ABC):
    """An attribution to the cells of the features, against baselines.

    Attributes
    ----------
    baseline, sign : str
    draws : int
        Of the noise baseline.
    """

    baseline: str
    sign: str
    draws: int = 1

    name: ClassVar[str]
    rescales: ClassVar[bool] = True  # whether the rescale rule is used, so that modules matter

    @abstractmethod
    def attribute(
        self, model: Logits, x: Tensor, base: Tensor, targets: list[int], seed: int
    ) -> Tensor:
        """Attributions (targets, bands, frames) of one clip.

        Parameters
        ----------
        model : Logits
            Of all classes.
        x : Tensor, shape (1, bands, frames)
        base : Tensor, shape (baselines, bands, frames)
        targets : list of int
        seed : int
            For what a library draws itself.
        """

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Attribute clip by clip.

        Raises
        ------
        NotApplicable
            A layer is at fault, or the model keeps no mean.
        """
        started = time.perf_counter()
        equals = ""
        net = copied(model.classifier())
        network = Logits(net)
        edges = net.feature_edges(query.waveforms.shape[1])
        rows: list[NDArray[np.float64]] = []
        errors: list[NDArray[np.float64]] = []
        for clip, targets in by_clip(query):
            x, base = ends(query, clip, net, model.device, self.baseline, self.draws)
            if self.rescales and not rows and rescalable(net, x, self.name):
                equals = self._equals()
            with torch.no_grad():
                logits = [network(each[None])[0, targets].double() for each in (*x, *base)]
            with quiet():
                found = self.attribute(network, x, base, targets, library_seed(query, clip))
            cells = found.double().cpu().numpy()
            at_base = torch.stack(logits[1:]).mean(0).cpu().numpy()
            errors.append(additivity_error(cells, logits[0].cpu().numpy(), at_base))
            rows.append(feature_frames(cells, self.sign))
        return Answer(
            FrameScores(np.concatenate(rows), edges),
            resolution=round(float(np.median(np.diff(edges))), 9),
            diagnostics={"completeness_error": np.concatenate(errors)},
            cost=Cost(
                network.passes.forward, network.passes.backward, time.perf_counter() - started
            ),
            equals=equals,
        )

    def _equals(self) -> str:
        # Against one baseline an average over baselines is DeepLIFT itself, whoever computes it.
        # Of noise the methods take different numbers of draws.
        if self.baseline == "noise":
            return ""
        return f"DeepLIFT by the rescale rule, baseline {self.baseline}, sign {self.sign}"
