"""The gradient itself, and times the input.

``saliency`` is ``d logit / d x``. ``input-x-gradient`` is ``(x - o) d logit / d x``: exact for a
linear model, a first-order estimate of what the input adds to the origin ``o`` otherwise. In
an image ``o`` is zero, which is black. The number zero in a log-mel spectrogram is a loud
sound, so that the product would grow with silence: ``o`` is the log-mel of silence unless
``origin`` says otherwise. Of a waveform, silence is zero.

References
----------
.. [1] K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks: visualising
   image classification models and saliency maps", ICLR workshop 2014, arXiv 1312.6034.
.. [2] A. Shrikumar et al., "Not just a black box: learning important features through
   propagating activation differences", 2016, arXiv 1605.01713.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sedbench_plugins.gradients.method import Attributed, Case, gradients


@dataclass(frozen=True)
class Plain:
    """The gradient; ``engine`` is ``shared`` or ``captum``."""

    engine: str

    def __call__(self, case: Case) -> Attributed:
        """Gradient of each target's logit."""
        n = len(case.targets)
        if self.engine == "shared":
            return Attributed(gradients(case.logits, case.x[None], case.targets)[:, 0], 1, n)
        from captum.attr import Saliency

        reference = Saliency(case.logits)
        found = [
            reference.attribute(case.x[None].clone().requires_grad_(), target=t, abs=False)[0]
            for t in case.targets
        ]
        return Attributed(torch.stack(found), n, n)


@dataclass(frozen=True)
class Product:
    """The gradient times the distance from an origin."""

    engine: str
    origin: str

    def __call__(self, case: Case) -> Attributed:
        """Gradient of each target's logit, times the distance."""
        n, origin = len(case.targets), self._origin(case)
        if self.engine == "shared":
            slope = gradients(case.logits, case.x[None], case.targets)[:, 0]
            return Attributed(slope * (case.x - origin), 1, n)
        from captum.attr import InputXGradient

        reference = InputXGradient(lambda distance: case.logits(origin + distance))
        distance = (case.x - origin)[None]
        found = [
            reference.attribute(distance.clone().requires_grad_(), target=t)[0]
            for t in case.targets
        ]
        return Attributed(torch.stack(found).detach(), n, n)

    def _origin(self, case: Case) -> Tensor:
        if self.origin == "silence":
            return case.inputs(torch.zeros_like(case.waveform)[None])[0]
        return case.mean() if self.origin == "mean" else torch.zeros_like(case.x)
