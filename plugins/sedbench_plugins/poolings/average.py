"""Average pooling: every frame weighs alike, and all of a clip is taught what the clip holds.

Of probabilities. The mean of frame *logits* is another thing: what a linear head behind global
average pooling gives.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sedbench_plugins.poolings.base import Pooling, weighted


class Pool(Pooling):
    """Clip probability = mean of the frame probabilities; as a logit."""

    def forward(self, frames: Tensor, embeddings: Tensor) -> Tensor:
        """Pool (batch, classes, frames) to (batch, classes)."""
        return weighted(frames, torch.full_like(frames, -math.log(frames.shape[-1])))
