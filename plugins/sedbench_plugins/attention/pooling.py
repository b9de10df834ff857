"""The detectors: frames of a trunk in, clip logits out, and the attention in between.

Both standardise the trunk's channels with the mean and deviation of the training clips, which
are part of their state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from sedbench.models.store import seeded

WIDTH = 48  # channels of a token
HEADS = 4
LAYERS = 2
LEAST = 0.05  # of the channels' mean deviation: one that hardly ever wakes must not shout


class Pooling(Protocol):
    """What both detectors offer."""

    def pool(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pool frames (batch, channels, frames).

        Returns
        -------
        logits : Tensor, shape (batch, classes)
        attention : Tensor, shape (batch, classes, frames)
        probabilities : Tensor, shape (batch, classes, frames), or None
            Of the frames, where the detector has them.
        """
        ...


class Standardise(nn.Module):
    """Channels with mean 0 and deviation 1 over the training clips."""

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


class ClassAttention(nn.Module):
    """Clip probability of a class = its frame probabilities, weighted by its attention.

    Parameters
    ----------
    channels, classes : int
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.standardise = Standardise(channels)
        self.look = nn.Conv1d(channels, classes, 1)
        self.say = nn.Conv1d(channels, classes, 1)
        nn.init.zeros_(self.look.weight)  # at first every frame counts alike

    def pool(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pool frames; see :class:`Pooling`."""
        x = self.standardise(frames)
        attention = torch.softmax(self.look(x), -1)
        probabilities = torch.sigmoid(self.say(x))
        clip = (attention * probabilities).sum(-1)
        return torch.logit(clip.clamp(1e-6, 1 - 1e-6)), attention, probabilities


class Block(nn.Module):
    """One layer of a transformer, normalised first, that shows its attention.

    Parameters
    ----------
    width, heads : int
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.act = nn.GELU()

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (batch, tokens, width) and the mean attention of the heads, (..., from, to)."""
        batch, count, width = tokens.shape
        parts = self.into(self.norm1(tokens)).reshape(batch, count, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attention = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), -1)
        mixed = (attention @ value).transpose(1, 2).reshape(batch, count, width)
        tokens = tokens + self.out(mixed)
        return tokens + self.down(self.act(self.up(self.norm2(tokens)))), attention.mean(1)


class TagTokens(nn.Module):
    """A tag token for each class in front of the frames; each class is decided on its own.

    Parameters
    ----------
    channels, classes : int
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.standardise = Standardise(channels)
        self.enter = nn.Linear(channels, WIDTH)
        self.tags = nn.Parameter(0.1 * torch.randn(classes, WIDTH))
        self.blocks = nn.ModuleList(Block(WIDTH, HEADS) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.decide = nn.Parameter(torch.randn(classes, WIDTH) / WIDTH)
        self.bias = nn.Parameter(torch.zeros(classes))

    def pool(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pool frames; see :class:`Pooling`. There are no frame probabilities."""
        x = self.enter(self.standardise(frames).mT)
        x = x + _positions(x.shape[1], WIDTH).to(x)
        tokens = torch.cat([self.tags.expand(len(x), -1, -1), x], 1)
        same = torch.eye(tokens.shape[1]).to(x)
        flow = same
        for block in self.blocks:
            tokens, attention = block(tokens)
            flow = (attention + same) / 2 @ flow  # half of a token comes by the residual path
        classes = len(self.tags)
        own = self.norm(tokens[:, :classes])
        logits = (own * self.decide).sum(-1) + self.bias
        return logits, flow[:, :classes, classes:], None


def _positions(count: int, width: int) -> Tensor:
    """Sines and cosines of the frame's number, (count, width)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(1000.0) / width))
    angles = torch.arange(count)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


def untrained(attention: str, channels: int, classes: int) -> ClassAttention | TagTokens:
    """Build a detector with initial weights from torch's generator."""
    return (ClassAttention if attention == "class" else TagTokens)(channels, classes)


def restored(attention: str, state: Mapping[str, Tensor], classes: int) -> Pooling:
    """Build a detector with these weights, ready for inference."""
    with seeded(0):  # its first weights are drawn, from nobody else's generator, and replaced
        net = untrained(attention, len(state["standardise.mean"]), classes)
    net.load_state_dict(dict(state))
    return net.eval().requires_grad_(False)
