"""Max pooling: a clip is as likely as its likeliest frame, and only that frame is taught."""

from __future__ import annotations

from torch import Tensor

from sedbench_plugins.poolings.base import Pooling


class Pool(Pooling):
    """Clip logit = the largest frame logit."""

    def forward(self, frames: Tensor, embeddings: Tensor) -> Tensor:
        """Pool (batch, classes, frames) to (batch, classes)."""
        return frames.amax(-1)
