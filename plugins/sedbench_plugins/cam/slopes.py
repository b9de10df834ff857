"""Maps from activations and gradients: Grad-CAM, Grad-CAM++, HiResCAM and LayerCAM.

With ``A_k(f, t)`` and ``g_k(f, t)`` as in :mod:`sedbench_plugins.cam.method`:

- Grad-CAM: ``sum_k mean(g_k) A_k``;
- Grad-CAM++: ``sum_k sum(a_k max(g_k, 0)) A_k`` with ``a_k = g_k^2 / (2 g_k^2 + sum(A_k) g_k^3)``,
  zero where the denominator is; means and sums are over ``f, t``. The score is ``exp(logit)``,
  whose factor common to all cells is left out;
- HiResCAM: ``sum_k g_k A_k``;
- LayerCAM: ``sum_k max(g_k, 0) A_k``.

Where logits are a linear layer on the mean of ``A`` over ``f`` and ``t``, the gradients are the
same in every cell: Grad-CAM and HiResCAM are then the class activation map, divided by the number
of cells, and rank frames alike.

References
----------
.. [1] R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via
   gradient-based localization", ICCV 2017, arXiv 1610.02391.
.. [2] A. Chattopadhay et al., "Grad-CAM++: generalized gradient-based visual explanations for
   deep convolutional networks", WACV 2018, arXiv 1710.11063.
.. [3] R. L. Draelos, L. Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
   convolutional neural networks", 2020, arXiv 2011.08891.
.. [4] P.-T. Jiang et al., "LayerCAM: exploring hierarchical class activation maps for
   localization", IEEE Transactions on Image Processing 30, 2021, doi 10.1109/TIP.2021.3089943.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sedbench.errors import NotApplicable
from sedbench_plugins.cam.method import Mapped, View, as_map, weighted

Formula = Callable[[Tensor, Tensor], Tensor]
"""From activations and their gradient, both (channels, bands, frames), to a map (bands, frames)."""


@dataclass(frozen=True)
class Slopes:
    """A rule that needs the activations and their gradients alone."""

    formula: Formula

    def __call__(self, view: View) -> Mapped:
        """Map the target classes: one forward pass, one backward a target behind the layer."""
        activations, logits = view.opening.activations(view.features)
        slopes = gradients(view, logits, activations)[:, 0]
        cells = as_map(activations.detach()[0])
        maps = torch.stack([self.formula(cells, as_map(slope)) for slope in slopes])
        return Mapped(maps, 1, len(view.targets))


def gradients(view: View, logits: Tensor, activations: Tensor) -> Tensor:
    """Gradients of the target logits, summed over the batch, (targets, *activations.shape).

    Raises
    ------
    NotApplicable
        The logits do not come from the layer.
    """
    if not logits.requires_grad:
        raise NotApplicable(f"the logits do not depend on {view.opening.name}")
    last = len(view.targets) - 1
    return torch.stack(
        [
            torch.autograd.grad(logits[:, target].sum(), activations, retain_graph=i < last)[0]
            for i, target in enumerate(view.targets)
        ]
    )


def mean_gradient(activations: Tensor, slopes: Tensor) -> Tensor:
    """Grad-CAM."""
    return weighted(slopes.mean((1, 2)), activations)


def weighted_gradient(activations: Tensor, slopes: Tensor) -> Tensor:
    """Grad-CAM++."""
    square = slopes.square()
    below = 2.0 * square + activations.sum((1, 2))[:, None, None] * square * slopes
    share = torch.where(below == 0, 0.0, square / torch.where(below == 0, 1.0, below))
    return weighted((share * slopes.clamp_min(0.0)).sum((1, 2)), activations)


def cell_by_cell(activations: Tensor, slopes: Tensor) -> Tensor:
    """HiResCAM."""
    return (slopes * activations).sum(0)


def positive_cells(activations: Tensor, slopes: Tensor) -> Tensor:
    """LayerCAM."""
    return (slopes.clamp_min(0.0) * activations).sum(0)
