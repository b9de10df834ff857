"""Linear softmax: each frame weighs as much as its own probability (Wang, Li & Metze 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

from sedbench_plugins.poolings.base import Pooling


class Pool(Pooling):
    """Clip probability = sum p^2 / sum p over the frame probabilities p; as a logit."""

    def forward(self, frames: Tensor, embeddings: Tensor) -> Tensor:
        """Pool (batch, classes, frames) to (batch, classes)."""
        p = torch.sigmoid(frames)
        clip = p.square().sum(-1) / p.sum(-1).clamp_min(1e-7)
        return torch.logit(clip.clamp(1e-6, 1 - 1e-6))
