"""Activations of a classifier's layers, seen while it computes its logits.

For methods that learn on top of a classifier: what its layers put out, behind the activation
functions that follow them, as plain values without gradients. Which output that is, is found as
for class activation maps (:mod:`sedbench_plugins.cam.opening`). Every hook is removed whatever
happens.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import NotApplicable
from sedbench.models.contract import Classifier
from sedbench_plugins.cam.opening import Opening, open_at


@dataclass(frozen=True)
class Taps:
    """Some layers of a network.

    Attributes
    ----------
    net : Classifier
    openings : tuple of Opening
        In order of execution.
    """

    net: Classifier
    openings: tuple[Opening, ...]

    def of(self, features: Tensor) -> tuple[list[Tensor], Tensor]:
        """Activations of features, and the logits (batch, classes).

        Returns
        -------
        activations : list of Tensor, shape (batch, channels, bands, frames)
            One a layer; a layer without bands has one.
        logits : Tensor, shape (batch, classes)

        Raises
        ------
        NotApplicable
            A layer is passed more than once, or puts out something else.
        """
        seen: dict[str, list[Tensor]] = {each.name: [] for each in self.openings}
        with ExitStack() as hooks, torch.no_grad():
            for each in self.openings:

                def keep(_: nn.Module, __: Any, out: Any, name: str = each.name) -> None:
                    seen[name].append(_as_map(name, out))

                hooks.callback(each.module.register_forward_hook(keep).remove)
            logits = self.net.logits(features)
        for name, found in seen.items():
            if len(found) != 1:
                raise NotApplicable(f"{name} is passed {len(found)} times, not once")
        return [seen[each.name][0] for each in self.openings], logits


def tap_last(net: Classifier, features: Tensor, count: int = 1) -> Taps:
    """Tap the last layers of a network, of several in a row with one size the last alone.

    Parameters
    ----------
    net : Classifier
    features : Tensor, shape (1, bands, frames)
        Any clip.
    count : int
        At most so many layers.

    Raises
    ------
    NotApplicable
        The network names no layer whose output has time as its last axis.
    """
    layers = net.layers()
    if not layers:
        raise NotApplicable(f"{type(net).__name__} names no layer whose activations could be seen")
    sizes: dict[str, tuple[int, ...]] = {}
    with ExitStack() as hooks, torch.no_grad():
        for name, layer in layers.items():

            def look(_: nn.Module, __: Any, out: Any, name: str = name) -> None:
                if isinstance(out, Tensor):
                    sizes[name] = tuple(_as_map(name, out).shape[2:])

            hooks.callback(layer.module.register_forward_hook(look).remove)
        net.logits(features)
    last: dict[tuple[int, ...], str] = {}
    for name in layers:
        if name in sizes:
            last[sizes[name]] = name
    chosen = sorted(last.values(), key=list(layers).index)[-count:]
    return Taps(net, tuple(open_at(net, name, features) for name in chosen))


def time_matrix(
    stride: float, offset: float, frames: int, at: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate linearly in time from a layer's frames to other moments, (frames, moments).

    Parameters
    ----------
    stride, offset : float
        Frame ``i`` is centred at ``offset + i * stride`` seconds.
    frames : int
    at : ndarray, shape (moments,)
        Seconds. Before the first frame its value holds, and behind the last.
    """
    centres = offset + stride * np.arange(frames)
    return np.stack([np.interp(at, centres, row) for row in np.eye(frames)]).astype(np.float32)


def _as_map(name: str, out: Any) -> Tensor:
    if not (isinstance(out, Tensor) and out.ndim in (3, 4)):
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise NotApplicable(f"{name} puts out {shape}, not channels over time")
    return out.unsqueeze(2) if out.ndim == 3 else out
