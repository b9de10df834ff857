"""SmoothGrad: gradients at noisy copies of the input, averaged.

The noise is Gaussian with a deviation of ``noise`` times the range (largest minus smallest
value) of the clip's input. Copy ``i`` of a clip has the same noise for every class, every batch
and every number of copies. ``square`` averages squared gradients (SmoothGrad-squared),
``variance`` subtracts the squared average from that (VarGrad); neither has a sign.

References
----------
.. [1] D. Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017, arXiv 1706.03825.
.. [2] S. Hooker et al., "A benchmark for interpretability methods in deep neural networks",
   NeurIPS 2019, arXiv 1806.10758.
.. [3] J. Adebayo et al., "Local explanation methods for deep neural networks lack sensitivity
   to parameter values", ICLR workshop 2018, arXiv 1810.03307.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sedbench_plugins.attribution import in_parts
from sedbench_plugins.gradients.method import POINTS, Attributed, Case, gradients

_NOISE = 5  # a stream of the run's seed


@dataclass(frozen=True)
class Smooth:
    """The rule with its parameters; see the module's docstring."""

    samples: int
    noise: float
    average: str

    def __call__(self, case: Case) -> Attributed:
        """Average of the gradients of each target's logit."""
        deviation = self.noise * (case.x.max() - case.x.min())
        shape = (len(case.targets), *case.x.shape)
        total = torch.zeros(shape, dtype=torch.float64, device=case.x.device)
        squares = torch.zeros_like(total)

        def part(start: int, stop: int) -> None:
            noise = torch.stack([_draw(case, i) for i in range(start, stop)])
            slopes = gradients(case.logits, case.x + deviation * noise, case.targets)
            for i, slope in enumerate(slopes.double()):
                total[i] += slope.sum(0)
                squares[i] += slope.square().sum(0)

        in_parts(self.samples, POINTS, part)
        cells = (total if self.average == "mean" else squares) / self.samples
        if self.average == "variance":
            cells = cells - (total / self.samples).square()
        return Attributed(cells, self.samples, self.samples * len(case.targets))


def _draw(case: Case, copy: int) -> Tensor:
    noise = case.rng(_NOISE, copy).standard_normal(tuple(case.x.shape), dtype=np.float32)
    return torch.from_numpy(noise).to(case.x)
