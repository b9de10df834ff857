"""Attention pooling: a second linear layer learns where to look (Wang, Li & Metze 2019).

Beside the layer that says what a frame holds, another one on the same embeddings says how much it
counts: a softmax over time, for each class of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sedbench_plugins.poolings.base import Pooling, Standardise, weighted


def gaze(channels: int, classes: int) -> nn.Conv1d:
    """Build the layer that says how much a frame counts: at first every frame counts alike."""
    layer = nn.Conv1d(channels, classes, 1)
    nn.init.zeros_(layer.weight)
    return layer


class Pool(Pooling):
    """Clip probability = frame probabilities, weighted by the class's attention; as a logit."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(channels, classes)
        self.standardise = Standardise(channels)
        self.look = gaze(channels, classes)

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over the embeddings' statistics."""
        self.standardise.fit(mean, deviation)

    def attention(self, embeddings: Tensor) -> Tensor:
        """Logarithms of the weights over time, (batch, classes, frames)."""
        return torch.log_softmax(self.look(self.standardise(embeddings)), -1)

    def forward(self, frames: Tensor, embeddings: Tensor) -> Tensor:
        """Pool (batch, classes, frames) to (batch, classes)."""
        return weighted(frames, self.attention(embeddings))
