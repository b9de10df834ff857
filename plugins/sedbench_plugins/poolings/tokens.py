"""Tag tokens in front of the frames, a small transformer, and how much of each frame they get.

After Miyazaki et al. (ICASSP 2020), who put one tag token in front and decide the clip on it.
There is one token a class here, so that what it looks at belongs to a class. What reaches a token
from a frame is followed through all layers (attention rollout).

References
----------
.. [1] K. Miyazaki et al., "Weakly-supervised sound event detection with self-attention",
   ICASSP 2020.
.. [2] S. Abnar, W. Zuidema, "Quantifying attention flow in transformers", ACL 2020,
   arXiv 2005.00928.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

WIDTH = 48  # channels of a token
HEADS = 4
LAYERS = 2


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


class Tags(nn.Module):
    """A tag token for each class in front of the frames.

    Parameters
    ----------
    channels, classes : int
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.enter = nn.Linear(channels, WIDTH)
        self.tags = nn.Parameter(0.1 * torch.randn(classes, WIDTH))
        self.blocks = nn.ModuleList(Block(WIDTH, HEADS) for _ in range(LAYERS))

    def listen(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Let the tags attend to frames (batch, channels, frames), standardised.

        Returns
        -------
        tags : Tensor, shape (batch, classes, WIDTH)
            What became of the tokens.
        flow : Tensor, shape (batch, classes, frames)
            How much of each frame reached them: not negative, at most one in all.
        """
        x = self.enter(frames.mT)
        x = x + _positions(x.shape[1], WIDTH).to(x)
        tokens = torch.cat([self.tags.expand(len(x), -1, -1), x], 1)
        same = torch.eye(tokens.shape[1]).to(x)
        flow = same
        for block in self.blocks:
            tokens, attention = block(tokens)
            flow = (attention + same) / 2 @ flow  # half of a token comes by the residual path
        classes = len(self.tags)
        return tokens[:, :classes], flow[:, :classes, classes:]


def _positions(count: int, width: int) -> Tensor:
    """Sines and cosines of the frame's number, (count, width)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(1000.0) / width))
    angles = torch.arange(count)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
