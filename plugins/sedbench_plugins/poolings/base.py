"""What a pooling offers, and what several of them share.

Shapes: frame logits (batch, classes, frames) and, of the same frames, the embeddings that they
were read from (batch, channels, frames) become clip logits (batch, classes).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

LEAST = 0.05  # of the channels' mean deviation: one that hardly ever wakes must not shout


class Pooling(nn.Module, ABC):
    """Base class of poolings.

    Parameters
    ----------
    channels : int
        Of the embeddings.
    classes : int
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over the embeddings' statistics, each (channels,), where they are known before."""

    @abstractmethod
    def forward(self, frames: Tensor, embeddings: Tensor) -> Tensor:
        """Pool frame logits, and embeddings of the same frames, to clip logits."""


class Standardise(nn.Module):
    """Channels with mean 0 and deviation 1 over the training clips; as they are until fitted.

    Parameters
    ----------
    channels : int
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over the statistics of the training clips, each (channels,)."""
        self.mean.copy_(mean)
        self.deviation.copy_(deviation.clamp_min(LEAST * float(deviation.mean()) + 1e-6))

    def forward(self, frames: Tensor) -> Tensor:
        """Standardise (batch, channels, frames)."""
        return (frames - self.mean[:, None]) / self.deviation[:, None]


def weighted(frames: Tensor, weights: Tensor) -> Tensor:
    """Logit of the weighted mean of the frame probabilities.

    Worked out from logarithms, so that neither it nor its gradient is lost where every
    probability is 0 or 1.

    Parameters
    ----------
    frames : Tensor, shape (batch, classes, frames)
        Logits.
    weights : Tensor, shape (batch, classes, frames)
        Logarithms of weights that add up to one.

    Returns
    -------
    Tensor, shape (batch, classes)
    """
    log = nn.functional.logsigmoid
    on, off = weights + log(frames), weights + log(-frames)
    return torch.logsumexp(on, -1) - torch.logsumexp(off, -1)
