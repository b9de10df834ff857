"""What the network has that a plain convolutional one has not: a gate, and a recurrence.

References
----------
.. [1] Y. N. Dauphin et al., "Language modeling with gated convolutional networks", ICML 2017,
   arXiv 1612.08083.
.. [2] K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
   machine translation", EMNLP 2014, arXiv 1406.1078.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn


class Glu(nn.Module):
    """Gated linear unit ``(W x + b) * sigmoid(x)``, cell by cell over the channels.

    As in the baselines of DCASE task 4: the values pass a linear layer, the gate is the input
    itself. In [1]_ both are linear layers.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Gate (batch, channels, frequency, time)."""
        out: Tensor = self.linear(x) * self.gate(x)
        return out


class BothWays(nn.Module):
    """A GRU that reads the frames forwards and one that reads them backwards, side by side.

    Parameters
    ----------
    channels : int
        Of a frame.
    units : int
        Hidden units in each direction.
    """

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, units, batch_first=True, bidirectional=True)

    def forward(self, frames: Tensor) -> Tensor:
        """From (batch, channels, frames) to (batch, 2 * units, frames), forwards first."""
        with self._differentiable():
            out, _ = self.gru(frames.mT)
        found: Tensor = out.mT
        return found

    def _differentiable(self) -> AbstractContextManager[None]:
        # cuDNN keeps what its way back through a recurrence needs in train mode alone, and
        # classifiers are explained in eval mode. PyTorch's own kernels have no such mode.
        if self.training or not torch.is_grad_enabled():
            return nullcontext()
        return torch.backends.cudnn.flags(enabled=False)
