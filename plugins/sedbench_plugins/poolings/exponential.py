"""Exponential softmax: each frame weighs exp(p) (Wang, Li & Metze 2019).

Probabilities lie between 0 and 1, so no frame weighs more than 2.72 times another: it is close
to average pooling.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sedbench_plugins.poolings.base import Pooling, weighted


class Pool(Pooling):
    """Clip probability = sum p exp(p) / sum exp(p) over the frame probabilities p; as a logit."""

    def forward(self, frames: Tensor, embeddings: Tensor) -> Tensor:
        """Pool (batch, classes, frames) to (batch, classes)."""
        return weighted(frames, torch.log_softmax(torch.sigmoid(frames), -1))
