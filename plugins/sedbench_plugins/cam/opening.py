"""Where a network is opened: a layer's activations, and the rest of the network behind them.

A model names its layers, most often convolutions. What counts is the layer's output *behind the
activation function that follows it*: class activation maps are sums of rectified channels, and
only of those does the linear head of a network make its frame logits. It is found by passing a
clip: from the layer's output on, through BatchNorm, Identity and Dropout, to the first
activation module that is given that very tensor. Where something else comes first, as behind
a block that ends in its own ReLU, it is the layer's output itself.

The activations are a leaf of the graph, so that they are computed once, without gradients, and
only what lies behind them is passed backward. Every hook is removed whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import NotApplicable, UnknownNameError
from sedbench.models.contract import Classifier

ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU),
    *(nn.Mish, nn.Softplus, nn.Hardswish, nn.Tanh, nn.Sigmoid),
)
PASSED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)


@dataclass(frozen=True)
class Opening:
    """A layer of a network.

    Attributes
    ----------
    name : str
        As the model calls it.
    net : Classifier
    module : torch.nn.Module
        Whose output are the activations (batch, channels[, bands], frames).
    stride, offset : float
        Activation frame ``i`` is centred at ``offset + i * stride`` seconds.
    """

    name: str
    net: Classifier
    module: nn.Module
    stride: float
    offset: float

    def edges(self, frames: int) -> NDArray[np.float64]:
        """Time edges of so many activation frames in seconds."""
        return self.offset + self.stride * (np.arange(frames + 1, dtype=np.float64) - 0.5)

    def activations(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Activations of features, and the logits (batch, classes) as a function of them.

        Raises
        ------
        NotApplicable
            The layer is passed more than once, or has another shape.
        """
        seen: list[Tensor] = []

        def cut(_: nn.Module, __: Any, out: Any) -> Tensor:
            if not (isinstance(out, Tensor) and out.ndim in (3, 4)):
                shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
                raise NotApplicable(f"{self.name} puts out {shape}, not channels over time")
            seen.append(out.detach().requires_grad_())
            return seen[-1]

        with torch.enable_grad(), _hooked(self.module, cut):
            logits = self.net.logits(features)
        self._once(len(seen))
        return seen[0], logits

    def logits(self, features: Tensor, activations: Tensor) -> Tensor:
        """Logits of other activations, which take the place of what the features give."""
        with _hooked(self.module, lambda *_: activations):
            return self.net.logits(features)

    def _once(self, times: int) -> None:
        if times != 1:
            raise NotApplicable(f"{self.name} is passed {times} times, not once")


def open_at(net: Classifier, layer: str, features: Tensor) -> Opening:
    """Find a layer's activations.

    Parameters
    ----------
    net : Classifier
    layer : str
        One of its layers' names; empty for the last.
    features : Tensor, shape (1, bands, frames)
        Any clip.

    Raises
    ------
    NotApplicable
        The model names no layers.
    UnknownNameError
        It has none of that name.
    """
    layers = net.layers()
    if not layers:
        raise NotApplicable(f"{type(net).__name__} names no layer whose activations could be seen")
    name = layer or list(layers)[-1]
    if name not in layers:
        raise UnknownNameError.of(f"layer of {type(net).__name__}:", name, layers)
    start = layers[name]
    found, current = start.module, None
    closed = False

    def follow(module: nn.Module, inputs: tuple[Any, ...], out: Any) -> None:
        nonlocal found, current, closed
        if closed:
            return
        if module is start.module:
            current = out
            closed = isinstance(module, ACTIVATIONS)
        elif current is not None and inputs and inputs[0] is current:
            current = out
            if isinstance(module, ACTIVATIONS):
                found, closed = module, True

    hooks = [
        module.register_forward_hook(follow)
        for module in net.modules()
        if module is start.module or isinstance(module, (*ACTIVATIONS, *PASSED))
    ]
    try:
        with torch.no_grad():
            net.logits(features)
    finally:
        for hook in hooks:
            hook.remove()
    return Opening(name, net, found, start.stride, start.offset)


@contextmanager
def _hooked(module: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
