"""The decoder: activations of some layers in, a mask over (band, frame) of the features out.

From the coarsest layer to the finest: each is brought to a few channels, scaled and shifted by
what belongs to the class (FiLM), mixed by a convolution, and handed on to the size of the next.
Layers differ in the moments that their frames stand for, so that sizes are changed by linear
interpolation between the centres of frames, not of images.

The map that comes out is bounded (a softsign) before it becomes a mask, which lies between 0.02 and
0.98: otherwise a training can end in masks that show everything, from where no gradient leads back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.store import seeded
from sedbench_plugins.taps import Taps, time_matrix

WIDTH = 16  # channels inside
BOUND = 4.0  # of a mask's logits
START = 2.0  # where they begin: by showing most of everything
LEAST = 0.05  # of the channels' mean size: one that hardly ever wakes must not shout


class Resize(nn.Module):
    """Linear interpolation in frequency and time.

    Parameters
    ----------
    bands, frames : Tensor, shape (before, after)
        What each new band, or frame, is a mean of.
    """

    bands: Tensor
    frames: Tensor

    def __init__(self, bands: NDArray[np.float32], frames: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("bands", torch.from_numpy(bands), persistent=False)
        self.register_buffer("frames", torch.from_numpy(frames), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Resize (batch, channels, bands, frames)."""
        return self.bands.T @ x @ self.frames


def resizes(
    taps: Taps, activations: Sequence[Tensor], bands: int, edges: NDArray[np.float64]
) -> list[Resize]:
    """From each tapped layer's size to the next finer one's, and from the finest to the features'.

    Parameters
    ----------
    taps : Taps
    activations : sequence of Tensor
        Of any clip, in the taps' order.
    bands : int
        Of the features.
    edges : ndarray
        Time edges of the features.
    """
    layers = [
        (opening.stride, opening.offset, int(each.shape[2]), int(each.shape[3]))
        for opening, each in zip(taps.openings, activations, strict=True)
    ]
    found = []
    for (stride, offset, rows, frames), (step, first, more, count) in pairwise(layers[::-1]):
        at = np.asarray(first + step * np.arange(count, dtype=np.float64))
        found.append(Resize(_bands(rows, more), time_matrix(stride, offset, frames, at)))
    stride, offset, rows, frames = layers[0]
    middles = (edges[:-1] + edges[1:]) / 2
    found.append(Resize(_bands(rows, bands), time_matrix(stride, offset, frames, middles)))
    return found


def _bands(before: int, after: int) -> NDArray[np.float32]:
    # Layers halve the bands evenly: all of them span the same frequencies.
    return time_matrix(1 / before, 0.5 / before, before, (np.arange(after) + 0.5) / after)


class Decoder(nn.Module):
    """Masks of a class.

    Parameters
    ----------
    channels : sequence of int
        Of the tapped layers, in the taps' order.
    classes : int
    sizes : sequence of Resize
        See :func:`resizes`.
    """

    def __init__(self, channels: Sequence[int], classes: int, sizes: Sequence[Resize]) -> None:
        super().__init__()
        coarse_first = list(channels)[::-1]
        self.scales = nn.ParameterList(
            nn.Parameter(torch.ones(count), requires_grad=False) for count in coarse_first
        )
        self.enter = nn.ModuleList(nn.Conv2d(count, WIDTH, 1) for count in coarse_first)
        # What a class looks for in the coarsest layer: one map, handed to every channel inside.
        self.query = nn.Parameter(torch.randn(classes, coarse_first[0]) / coarse_first[0] ** 0.5)
        self.lift = nn.Parameter(torch.randn(WIDTH))
        self.film = nn.Parameter(torch.zeros(len(coarse_first), classes, 2, WIDTH))
        self.mix = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in coarse_first)
        self.out = nn.Conv2d(WIDTH, 1, 1, bias=False)
        self.level = nn.Parameter(torch.full((classes,), START))
        self.sizes = nn.ModuleList(sizes)
        nn.init.normal_(self.film, std=0.1)

    @torch.no_grad()
    def fit(self, activations: Sequence[Tensor]) -> None:
        """Take over the size of each channel: the root of its mean square on some clips."""
        for scale, found in zip(self.scales, activations[::-1], strict=True):
            size = found.square().mean((0, 2, 3)).sqrt()
            scale.copy_(size.clamp_min(LEAST * float(size.mean()) + 1e-6))

    def forward(self, activations: Sequence[Tensor], targets: Tensor) -> Tensor:
        """Masks (batch, bands, frames) of activations and one class each, (batch,)."""
        x: Tensor | None = None
        stages = zip(self.scales, self.enter, self.mix, self.sizes, strict=True)
        for number, (scale, enter, mix, resize) in enumerate(stages):
            found = activations[len(activations) - 1 - number]
            own = enter(found / scale[:, None, None])
            h = own + (self._sought(found / scale[:, None, None], targets) if x is None else x)
            gain, shift = self.film[number, targets, :, :, None, None].unbind(1)
            h = torch.relu(h * (1 + gain) + shift)
            h = h + torch.relu(mix(h))
            x = resize(h if number + 1 < len(self.sizes) else self._logits(h, targets))
        assert x is not None  # there is at least one layer
        return torch.sigmoid(x).squeeze(1)

    def _sought(self, found: Tensor, targets: Tensor) -> Tensor:
        seen = torch.einsum("bk,bkft->bft", self.query[targets], found)
        return self.lift[:, None, None] * seen[:, None]

    def _logits(self, h: Tensor, targets: Tensor) -> Tensor:
        found: Tensor = self.out(h) + self.level[targets, None, None, None]
        return found / (1 + found.abs() / BOUND)


def restored(state: Mapping[str, Tensor], sizes: Sequence[Resize]) -> Decoder:
    """Build a decoder with these weights, ready for inference."""
    channels = [len(state[f"scales.{i}"]) for i in range(len(sizes))][::-1]
    with seeded(0):  # its first weights are drawn, from nobody else's generator, and replaced
        net = Decoder(channels, state["film"].shape[1], sizes)
    net.load_state_dict(dict(state))
    return net.eval().requires_grad_(False)
