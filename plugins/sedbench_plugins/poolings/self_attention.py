"""Self-attention pooling: tag tokens of a small transformer look at the frames.

After Miyazaki et al. (ICASSP 2020), with one difference. There the clip is decided on the tag token
and the frames on their own outputs, which frame labels teach too. Here clip labels are all there
is, and they would teach the frames nothing. So a class's frame probabilities are weighted by how
much of each frame reached its token: only where a sound is found does looking there help.
"""

from __future__ import annotations

from torch import Tensor, nn

from sedbench_plugins.poolings.base import Pooling, Standardise, weighted
from sedbench_plugins.poolings.tokens import Tags


class Pool(Pooling):
    """Clip probability = frame probabilities, weighted by what reached the class's token."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(channels, classes)
        self.standardise = Standardise(channels)
        self.tokens = Tags(channels, classes)
        # What becomes of the tokens behind the last attention is not asked: nothing to learn there.
        last = self.tokens.blocks[-1]
        for name in ("out", "norm2", "up", "act", "down"):
            setattr(last, name, nn.Identity())

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over the embeddings' statistics."""
        self.standardise.fit(mean, deviation)

    def attention(self, embeddings: Tensor) -> Tensor:
        """Logarithms of the weights over time, (batch, classes, frames)."""
        _, flow = self.tokens.listen(self.standardise(embeddings))
        log = flow.clamp_min(1e-12).log()
        return log - log.logsumexp(-1, keepdim=True)

    def forward(self, frames: Tensor, embeddings: Tensor) -> Tensor:
        """Pool (batch, classes, frames) to (batch, classes)."""
        return weighted(frames, self.attention(embeddings))
