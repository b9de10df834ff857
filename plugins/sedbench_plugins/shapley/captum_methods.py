"""DeepLIFT, DeepLiftShap and GradientShap, run by Captum.

DeepLIFT compares one input with one baseline and replaces each activation's gradient by its slope
between the two. DeepLiftShap is its mean over a background. GradientShap averages
``(x - b) * gradient`` at random points between the clip and random baselines, which is expected
gradients; it draws from the global generators of NumPy and PyTorch, which are lent to it.

All of them should add up to the logit's rise over the (mean) baseline; ``completeness_error`` is
the relative miss. For the rescale rule it is rounding, unless there is a max pooling; for
GradientShap it is the error of sampling.

References
----------
.. [1] A. Shrikumar, P. Greenside, A. Kundaje, "Learning important features through propagating
   activation differences", ICML 2017.
.. [2] S. Lundberg, S.-I. Lee, "A unified approach to interpreting model predictions", NeurIPS 2017.
.. [3] N. Kokhlikyan et al., "Captum: a unified and generic model interpretability library for
   PyTorch", arXiv 2009.07896, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from sedbench_plugins.global_seeds import seeded_globals
from sedbench_plugins.shapley.network import Logits, fitting, parts
from sedbench_plugins.shapley.percell import PerCell

BATCH = 8  # baselines, or random points, at once


@dataclass(frozen=True)
class DeepLift(PerCell):
    """Captum's DeepLift against one baseline."""

    name = "deeplift"

    def attribute(
        self, model: Logits, x: Tensor, base: Tensor, targets: list[int], seed: int
    ) -> Tensor:
        """One pass of clip and baseline a class."""
        from captum.attr import DeepLift as Reference

        reference = Reference(model)
        return torch.cat([reference.attribute(x, base[:1], target=t).detach() for t in targets])


@dataclass(frozen=True)
class DeepLiftShap(PerCell):
    """Captum's DeepLiftShap over a background."""

    name = "deepliftshap"

    def attribute(
        self, model: Logits, x: Tensor, base: Tensor, targets: list[int], seed: int
    ) -> Tensor:
        """A pass of clip and baseline a class and baseline, some baselines at once."""
        return torch.cat([fitting(partial(_over, model, x, base, t), BATCH) for t in targets])


def _over(model: Logits, x: Tensor, base: Tensor, target: int, batch: int) -> Tensor:
    from captum.attr import DeepLift as One
    from captum.attr import DeepLiftShap as Several

    total = torch.zeros_like(x)
    for part in parts(base, batch):
        # Captum's DeepLiftShap insists on two baselines; on one it is DeepLift.
        reference = Several(model) if len(part) > 1 else One(model)
        total += reference.attribute(x, part, target=target).detach() * len(part)
    return total / len(base)


@dataclass(frozen=True)
class GradientShap(PerCell):
    """Captum's GradientShap over a background."""

    samples: int = 20
    deviation: float = 0.0

    name = "gradientshap"
    rescales = False

    def attribute(
        self, model: Logits, x: Tensor, base: Tensor, targets: list[int], seed: int
    ) -> Tensor:
        """One pass a class and random point; the points are the same for every class."""

        def one(target: int, batch: int) -> Tensor:
            from captum.attr import GradientShap as Reference

            reference, total = Reference(model), torch.zeros_like(x)
            with seeded_globals(seed):
                for at in range(0, self.samples, batch):
                    count = min(batch, self.samples - at)
                    part = reference.attribute(
                        x, base, target=target, n_samples=count, stdevs=self.deviation
                    )
                    total += part.detach() * count
            return total / self.samples

        return torch.cat([fitting(partial(one, t), BATCH) for t in targets])
