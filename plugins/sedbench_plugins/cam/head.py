"""The class activation map proper: ``sum_k w_k A_k`` with the weights of the linear head.

It exists where logits are a linear layer on the mean of the activations over frequency and
time: ``logit = b + sum_k w_k mean(A_k)``. No model says so of itself, but it shows in the
gradients: ``w_k`` divided by the number of cells in every cell of channel ``k``, and the same
whatever the activations are. Both are checked, the second at activations whose channels and
frames have changed places; a model that fails has no class activation map.

The map's mean over frequency and time is the logit without its bias, and its mean over
frequency are the frame logits without bias of a network that pools frame logits by their mean.
The error of the former is recorded, relative to the logit without bias.

References
----------
.. [1] B. Zhou et al., "Learning deep features for discriminative localization", CVPR 2016,
   arXiv 1512.04150.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sedbench.errors import NotApplicable
from sedbench_plugins.cam.method import Mapped, View, as_map, weighted
from sedbench_plugins.cam.slopes import gradients

TOLERANCE = 1e-3  # of the largest weight; rounding is about 1e-6 of it


class Head:
    """The rule of ``cam``."""

    def __call__(self, view: View) -> Mapped:
        """Map the target classes: two forward passes, two backward a target behind the layer.

        Raises
        ------
        NotApplicable
            Logits are no linear function of the mean activations.
        """
        here, logits = view.opening.activations(view.features)
        slopes = gradients(view, logits, here)[:, 0]
        cells = here[0, 0].numel()
        weights = torch.stack([slope.flatten(1).mean(1) for slope in slopes])
        largest = weights.abs().max()
        layer = view.opening.name
        uneven = (slopes.flatten(2) - weights[..., None]).abs().max()
        if largest == 0:
            raise NotApplicable(f"the logits do not depend on {layer}")
        if not uneven <= TOLERANCE * largest:
            raise NotApplicable(
                f"cam needs a linear head on the mean of {layer} over frequency and time; here "
                "a channel counts for more in some frames than in others"
            )
        there = here.detach().roll(here.shape[1] // 2, 1).flip(-1).requires_grad_()
        others = view.opening.logits(view.features, there)
        changed = gradients(view, others, there)[:, 0].flatten(2).mean(2)
        if not (changed - weights).abs().max() <= TOLERANCE * largest:
            raise NotApplicable(
                f"cam needs a linear head on the mean of {layer} over frequency and time; here "
                "the weights of its channels change with the sound"
            )
        maps = _maps(weights * cells, here)
        without_bias = maps.flatten(1).mean(1)
        bias = others[0, view.targets] - _maps(weights * cells, there).flatten(1).mean(1)
        error = (without_bias + bias - logits[0, view.targets]).abs()
        relative = error / without_bias.abs().clamp_min(1e-8)
        return Mapped(
            maps,
            forward=2,
            backward=2 * len(view.targets),
            diagnostics={"completeness_error": relative.detach().cpu().numpy()},
        )


def is_cam(view: View, maps: Tensor) -> bool:
    """Whether maps (targets, bands, frames) are class activation maps, up to a factor.

    Costs the passes of a class activation map, which are not counted: they check what is known
    of the construction, and no score depends on them.
    """
    try:
        proper = Head()(view).maps
    except NotApplicable:
        return False
    ours, theirs = (m / m.abs().amax((1, 2), keepdim=True).clamp_min(1e-30) for m in (maps, proper))
    return bool((ours - theirs).abs().max() <= TOLERANCE)


def _maps(weights: Tensor, activations: Tensor) -> Tensor:
    cells = as_map(activations.detach()[0])
    return torch.stack([weighted(each.double(), cells) for each in weights])
