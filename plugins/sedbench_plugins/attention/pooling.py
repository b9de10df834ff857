"""The detectors: frames of a trunk in, clip logits out, and the attention in between.

Both standardise the trunk's channels with the mean and deviation of the training clips, which
are part of their state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from sedbench.models.store import seeded
from sedbench_plugins.poolings.attention import gaze
from sedbench_plugins.poolings.base import Standardise
from sedbench_plugins.poolings.tokens import WIDTH, Tags


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


class ClassAttention(nn.Module):
    """Clip probability of a class = its frame probabilities, weighted by its attention.

    Parameters
    ----------
    channels, classes : int
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.standardise = Standardise(channels)
        self.look = gaze(channels, classes)
        self.say = nn.Conv1d(channels, classes, 1)

    def pool(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pool frames; see :class:`Pooling`."""
        x = self.standardise(frames)
        attention = torch.softmax(self.look(x), -1)
        probabilities = torch.sigmoid(self.say(x))
        clip = (attention * probabilities).sum(-1)
        return torch.logit(clip.clamp(1e-6, 1 - 1e-6)), attention, probabilities


class TagTokens(Tags):
    """A tag token for each class in front of the frames; each class is decided on its own.

    Parameters
    ----------
    channels, classes : int
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(channels, classes)
        self.standardise = Standardise(channels)
        self.norm = nn.LayerNorm(WIDTH)
        self.decide = nn.Parameter(torch.randn(classes, WIDTH) / WIDTH)
        self.bias = nn.Parameter(torch.zeros(classes))

    def pool(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pool frames; see :class:`Pooling`. There are no frame probabilities."""
        tags, flow = self.listen(self.standardise(frames))
        logits = (self.norm(tags) * self.decide).sum(-1) + self.bias
        return logits, flow, None


def untrained(attention: str, channels: int, classes: int) -> ClassAttention | TagTokens:
    """Build a detector with initial weights from torch's generator."""
    return (ClassAttention if attention == "class" else TagTokens)(channels, classes)


def restored(attention: str, state: Mapping[str, Tensor], classes: int) -> Pooling:
    """Build a detector with these weights, ready for inference."""
    with seeded(0):  # its first weights are drawn, from nobody else's generator, and replaced
        net = untrained(attention, len(state["standardise.mean"]), classes)
    net.load_state_dict(dict(state))
    return net.eval().requires_grad_(False)
