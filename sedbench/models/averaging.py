"""An exponential moving average of weights: what is kept of a training, if its recipe says so.

After each step the average moves towards the weights by ``1 - decay``. In the first steps it moves
faster, so that it does not remember how the network began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The average of a module's weights and statistics.

    Parameters
    ----------
    model : torch.nn.Module
    decay : float
        Of the average at each step, in the long run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = _copied(model.state_dict())

    @torch.no_grad()
    def step(self, model: nn.Module, done: int) -> None:
        """Take in a step, the one with this number; counts are taken over as they are."""
        decay = min(self.decay, (1 + done) / (10 + done))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)

    @contextmanager
    def shown(self, model: nn.Module) -> Iterator[None]:
        """Let a module have the average for a while."""
        own = _copied(model.state_dict())
        model.load_state_dict(self.state)
        try:
            yield
        finally:
            model.load_state_dict(own)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from an average that was kept.

        Raises
        ------
        KeyError
            It is of another module, or was not kept.
        """
        for name, value in self.state.items():
            value.copy_(state[name])


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}
