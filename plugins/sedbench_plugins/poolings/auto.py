"""Auto-pool: each class learns how sharply it pools (McFee, Salamon & Bello 2018).

A frame weighs exp(alpha p). With alpha 0 it is average pooling, with 1, where it begins,
exponential softmax, and the larger it becomes the nearer is the maximum. Weight decay leaves alpha
alone: pulling it to 0 is another variant of the paper, the regularised one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sedbench_plugins.poolings.base import Pooling, weighted


class Pool(Pooling):
    """Clip probability = sum p exp(alpha p) / sum exp(alpha p); as a logit."""

    undecayed = ("alpha",)

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(channels, classes)
        self.alpha = nn.Parameter(torch.ones(classes))

    def forward(self, frames: Tensor, embeddings: Tensor) -> Tensor:
        """Pool (batch, classes, frames) to (batch, classes)."""
        sharpened = self.alpha[:, None] * torch.sigmoid(frames)
        return weighted(frames, torch.log_softmax(sharpened, -1))
