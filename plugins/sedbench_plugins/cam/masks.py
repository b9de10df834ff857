"""Score-CAM: a channel is worth what the class keeps when only its mask is shown.

Each channel, brought to the size of the log-mel spectrogram and scaled to 0...1, is a mask. The
clip is shown through it, ``b + mask (x - b)``; where the mask is zero stands the baseline ``b``,
the log-mel of silence, as black does in the images of the paper (the number zero would be a loud
sound). A channel's weight is the softmax over channels of ``logit(shown) - logit(b)``, as the
paper writes, or the rise of the probability. Masks and passes are the same for all classes.

A channel that is constant shows nothing and has no weight. Of layers with very many channels
only those that vary most are passed, by the deviation of their activations.

Channels are brought to the spectrogram's frames by their *times*, which in a network without
symmetric padding is not a plain stretch; in frequency, they are stretched.

References
----------
.. [1] H. Wang et al., "Score-CAM: score-weighted visual explanations for convolutional neural
   networks", CVPR workshop 2020, arXiv 1910.01279.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench_plugins.attribution import in_parts
from sedbench_plugins.cam.method import Mapped, View, as_map, weighted

POINTS = 16  # masks that are passed at once
_FLAT = 1e-6  # a channel that varies less, relative to its largest value, is constant


@dataclass(frozen=True)
class Masks:
    """The rule of ``scorecam`` with its parameters; see the module's docstring."""

    channels: int
    baseline: str
    weighting: str

    def __call__(self, view: View) -> Mapped:
        """Map the target classes, without gradients."""
        with torch.no_grad():
            return self._map(view)

    def _map(self, view: View) -> Mapped:
        net, features = view.opening.net, view.features
        maps = as_map(view.opening.activations(features)[0].detach()[0])
        chosen = self._chosen(maps)
        base = self._base(view)
        across, along = _sizes(maps, view)
        rises = torch.zeros((len(view.targets), len(chosen)), device=maps.device)
        nothing = self._score(net.logits(base)[0, view.targets])

        def part(start: int, stop: int) -> None:
            masks = _scaled(across.T @ maps[chosen[start:stop]] @ along).to(features)
            shown = base + masks * (features - base)
            rises[:, start:stop] = (self._score(net.logits(shown)[:, view.targets]) - nothing).T

        in_parts(len(chosen), POINTS, part)
        weights = [each.softmax(0) if self.weighting == "softmax" else each for each in rises]
        found = torch.stack([weighted(each.double(), maps[chosen]) for each in weights])
        return Mapped(found, 2 + len(chosen), 0)

    def _score(self, logits: Tensor) -> Tensor:
        return logits if self.weighting == "softmax" else torch.sigmoid(logits)

    def _chosen(self, maps: Tensor) -> Tensor:
        cells = maps.flatten(1)
        spread = cells.amax(1) - cells.amin(1)
        alive = torch.nonzero(spread > _FLAT * cells.abs().amax(1))[:, 0]
        if self.channels and len(alive) > self.channels:
            order = torch.argsort(cells[alive].std(1), descending=True, stable=True)
            alive = alive[order[: self.channels]].sort().values
        return alive

    def _base(self, view: View) -> Tensor:
        if self.baseline == "mean":
            return view.opening.net.feature_mean()[:, None].expand_as(view.features[0])[None]
        return view.opening.net.features(torch.zeros_like(view.waveform)[None])


def _sizes(maps: Tensor, view: View) -> tuple[Tensor, Tensor]:
    """Matrices that bring the bands and the frames of a map to those of the features."""
    opening, (bands, frames) = view.opening, view.features.shape[1:]
    edges = opening.net.feature_edges(len(view.waveform))
    centres = (edges[:frames] + edges[1 : frames + 1]) / 2
    across = (np.arange(bands) + 0.5) / bands * maps.shape[1] - 0.5
    along = (centres - opening.offset) / opening.stride
    return (
        _interpolation(maps.shape[1], across).to(maps),
        _interpolation(maps.shape[2], along).to(maps),
    )


def _scaled(maps: Tensor) -> Tensor:
    """Each of (channels, bands, frames) from 0 to 1."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp_min(torch.finfo(maps.dtype).tiny)


def _interpolation(count: int, places: NDArray[np.float64]) -> Tensor:
    """Matrix (count, places) of linear interpolation; beyond the ends the last value holds."""
    places = np.clip(places, 0.0, count - 1)
    distance = np.abs(np.arange(count)[:, None] - places[None, :])
    return torch.from_numpy(np.maximum(0.0, 1.0 - distance))
