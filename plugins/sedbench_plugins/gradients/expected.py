"""Expected gradients: Integrated Gradients averaged over several baselines.

Where Integrated Gradients compare a clip with one baseline, this compares it with what might
have been there instead. Erion et al. draw baselines from the training set, which a method of
this benchmark does not see; here they are silence, the training split's mean log-mel frame
where the model keeps it, and draws of white noise of levels that are evenly spaced in dBFS
(of one draw alone: the middle). On each path the integral is a Gauss-Legendre quadrature, as
in ``ig``, rather than one random point.

Attributions add up to ``logit(x)`` minus the mean of the baselines' logits (completeness); the
relative error is recorded for each pair.

References
----------
.. [1] G. Erion et al., "Improving performance of deep learning models with axiomatic
   attribution priors and expected gradients", Nature Machine Intelligence 2021,
   arXiv 1906.10670.
.. [2] P. Sturmfels, S. Lundberg, S.-I. Lee, "Visualizing the impact of feature attribution
   baselines", Distill 2020, doi 10.23915/distill.00022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sedbench_plugins.attribution import in_parts
from sedbench_plugins.gradients.method import POINTS, Attributed, Case, gradients

_NOISE = 6  # a stream of the run's seed


@dataclass(frozen=True)
class Expected:
    """The rule with its parameters; see the module's docstring."""

    steps: int
    kinds: tuple[str, ...]
    draws: int
    low: float
    high: float

    def __call__(self, case: Case) -> Attributed:
        """Mean over the baselines of the integrated gradients of each target's logit."""
        bases = self.baselines(case)
        points, shares = np.polynomial.legendre.leggauss(self.steps)
        along = torch.from_numpy((1 + points) / 2).to(case.x).reshape(-1, *([1] * case.x.ndim))
        shares_on = torch.from_numpy(shares / 2).to(case.x.device).reshape(along.shape)
        shape = (len(case.targets), *case.x.shape)
        total = torch.zeros(shape, dtype=torch.float64, device=case.x.device)
        for base in bases:
            slope = torch.zeros_like(total)

            def part(start: int, stop: int, base: Tensor = base, slope: Tensor = slope) -> None:
                path = base + along[start:stop] * (case.x - base)
                for i, found in enumerate(gradients(case.logits, path, case.targets)):
                    slope[i] += (shares_on[start:stop] * found).sum(0)

            in_parts(self.steps, POINTS, part)
            total += slope * (case.x - base) / len(bases)
        with torch.no_grad():
            # One by one, since there may be a hundred of them.
            ends = torch.cat([case.logits(end[None]) for end in (case.x, *bases)])[:, case.targets]
        rise = (ends[0] - ends[1:].mean(0)).double().cpu().numpy()
        error = total.flatten(1).sum(1).cpu().numpy() - rise
        passes = self.steps * len(bases)
        return Attributed(
            total,
            forward=passes + len(ends),
            backward=passes * len(case.targets),
            diagnostics={"completeness_error": np.abs(error) / np.maximum(np.abs(rise), 1e-8)},
        )

    def baselines(self, case: Case) -> list[Tensor]:
        """Every baseline, like the input."""
        found = []
        if "silence" in self.kinds:
            found.append(case.inputs(torch.zeros_like(case.waveform)[None])[0])
        if "mean" in self.kinds:
            found.append(case.mean())
        levels = np.linspace(self.low, self.high, self.draws)
        if self.draws == 1:
            levels = np.array([(self.low + self.high) / 2])
        for i, level in enumerate(levels):
            noise = case.rng(_NOISE, i).standard_normal(len(case.waveform)) * 10 ** (level / 20)
            found += case.inputs(torch.from_numpy(noise.astype(np.float32)).to(case.waveform)[None])
        return found
