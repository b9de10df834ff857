"""Method ``shap``: four explainers of the SHAP package.

``gradient`` and ``deep`` attribute to every cell of the features. GradientExplainer samples points
between the clip and the background and has a seed of its own (``rseed``); DeepExplainer is
DeepLIFT averaged over the background, by SHAP's own rules.

``partition`` and ``kernel`` attribute to segments of time. KernelExplainer fits a weighted linear
model to the logits under random masks, without regularisation; PartitionExplainer gives Owen values
over a tree that halves the clip again and again, as deep as the budget goes: credit that was not
divided further is spread over the segments below. Both are additive by construction.
What is absent is replaced by one baseline: of noise, by its first draw. A mask that was tried for
one class costs nothing for another, and logits are put together from fewer passes where the
model allows it (:mod:`sedbench_plugins.masking.clip`).

``completeness_error`` is the relative difference between the sum of attributions and the logit's
rise over the (mean) baseline.

References
----------
.. [1] S. Lundberg, S.-I. Lee, "A unified approach to interpreting model predictions", NeurIPS 2017.
.. [2] G. Owen, "Values of games with a priori unions", Mathematical Economics and Game Theory,
   Springer, 1977.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench.errors import UsageError
from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, Query
from sedbench_plugins.attribution import by_clip, signed
from sedbench_plugins.global_seeds import seeded_globals
from sedbench_plugins.masking.clip import MaskedClip
from sedbench_plugins.masking.cuts import of_frames
from sedbench_plugins.masking.locality import BATCH
from sedbench_plugins.shapley.ends import additivity_error, ends, library_seed
from sedbench_plugins.shapley.network import Logits, fitting, parts, shap_package
from sedbench_plugins.shapley.percell import PerCell
from sedbench_plugins.shapley.segments import halves

_POINTS = 8  # baselines, or random points, at once


@dataclass(frozen=True)
class Shap:
    """The method with its parameters; see the module's docstring."""

    baseline: str
    sign: str
    background: int
    explainer: str
    samples: int
    segment: float
    evaluations: int

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Attribute clip by clip.

        Raises
        ------
        NotApplicable
            A layer is at fault (``deep``), or the model keeps no mean.
        UsageError
            The budget is too small for that many segments.
        """
        per_cell: PerCell
        if self.explainer == "gradient":
            per_cell = _Gradient(self.baseline, self.sign, self.background, self.samples)
            return per_cell.answer(query, model)
        if self.explainer == "deep":
            return _Deep(self.baseline, self.sign, self.background).answer(query, model)
        return self._per_segment(query, model)

    def _per_segment(self, query: Query, model: ModelHandle) -> Answer:
        started = time.perf_counter()
        forward, read = 0, 0.0
        net = model.classifier()
        cut = of_frames(net.feature_edges(query.waveforms.shape[1]), self.segment)
        if self.explainer == "kernel" and self.evaluations < 2 * cut.count:
            raise UsageError(
                f"evaluations={self.evaluations} are too few for the {cut.count} segments of "
                f"segment={self.segment}",
                f"use evaluations={2 * cut.count} or more, or longer segments",
            )
        rows: list[NDArray[np.float64]] = []
        errors: list[NDArray[np.float64]] = []
        for clip, targets in by_clip(query):
            x, base = ends(query, clip, net, model.device, self.baseline, 1)
            players = MaskedClip(net, x, base, cut, many=self.evaluations)
            attribute = _kernel if self.explainer == "kernel" else _partition
            with seeded_globals(library_seed(query, clip)):
                values = attribute(players, targets, self.evaluations)
            whole, none = players.ends()[:, targets]
            errors.append(additivity_error(values, whole, none))
            # As elsewhere the mean over the cells of a frame.
            rows.append(signed(values, self.sign) / (len(x[0]) * np.diff(cut.marks)))
            forward, read = forward + players.forward, read + players.seconds
        return Answer(
            FrameScores(np.concatenate(rows), cut.edges),
            resolution=cut.length,
            diagnostics={"completeness_error": np.concatenate(errors)},
            cost=Cost(forward, 0, time.perf_counter() - started + read),
        )


def _kernel(players: MaskedClip, targets: list[int], evaluations: int) -> NDArray[np.float64]:
    shap = shap_package()

    one = np.ones(players.cut.count)
    # The masks depend on the seed and the segments alone: every class sees the same.
    explainer = shap.KernelExplainer(lambda z: players(z)[:, targets], np.zeros((1, len(one))))
    values = explainer.shap_values(one, nsamples=evaluations, l1_reg=False, silent=True)
    return np.asarray(values, np.float64).T


def _partition(players: MaskedClip, targets: list[int], evaluations: int) -> NDArray[np.float64]:
    shap = shap_package()

    one = np.ones((1, players.cut.count))
    masker = shap.maskers.Partition(np.zeros_like(one), clustering=halves(players.cut.count))
    rows = []
    for target in targets:
        # The tree is followed where the values are: class by class, so that a class does not
        # depend on its company. Masks that were tried for another class cost nothing.
        explainer = shap.PartitionExplainer(lambda z, t=target: players(z)[:, t], masker)
        found = explainer(one, max_evals=evaluations, batch_size=BATCH, silent=True)
        rows.append(np.asarray(found.values[0], np.float64))
    return np.stack(rows)


@dataclass(frozen=True)
class _Gradient(PerCell):
    samples: int = 20

    name = "shap[explainer=gradient]"
    rescales = False

    def attribute(
        self, model: Logits, x: Tensor, base: Tensor, targets: list[int], seed: int
    ) -> Tensor:
        shap = shap_package()

        def run(batch: int) -> NDArray[np.float64]:
            explainer = shap.GradientExplainer(model.only(targets), base, batch_size=batch)
            # It seeds NumPy's global generator by itself; here that is undone.
            with seeded_globals(seed):
                values = explainer.shap_values(x, nsamples=self.samples, rseed=seed)
            return np.asarray(values[0])

        return torch.from_numpy(np.moveaxis(fitting(run, _POINTS), -1, 0))


@dataclass(frozen=True)
class _Deep(PerCell):
    name = "shap[explainer=deep]"

    def attribute(
        self, model: Logits, x: Tensor, base: Tensor, targets: list[int], seed: int
    ) -> Tensor:
        shap = shap_package()

        def run(batch: int) -> NDArray[np.float64]:
            total = np.zeros((*x.shape[1:], len(targets)))
            for part in parts(base, batch):
                explainer = shap.DeepExplainer(model.only(targets), part)
                # Its own check has a fixed tolerance; the error is recorded instead.
                values = explainer.shap_values(x, check_additivity=False)
                total += np.asarray(values[0]).reshape(total.shape) * len(part)
            return total / len(base)

        return torch.from_numpy(np.moveaxis(fitting(run, _POINTS), -1, 0))
