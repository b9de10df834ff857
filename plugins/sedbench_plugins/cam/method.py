"""What the maps share: one forward pass a clip, and from a map over (band, frame) to frames.

A *rule* makes one map a target class from a clip's activations. The map is rectified cell by
cell, as the papers do before they look at it, or not; then its bands, where the layer still has
some, are averaged (or the largest is taken), which leaves a score a frame.

Activations ``A_k(f, t)`` have channels ``k``, bands ``f`` and frames ``t``; ``g_k(f, t)`` is the
gradient of the class logit. A layer without bands has one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, Query
from sedbench_plugins.attribution import by_clip
from sedbench_plugins.cam.opening import Opening, open_at


@dataclass(frozen=True)
class View:
    """One clip, opened at a layer.

    Attributes
    ----------
    opening : Opening
    waveform : Tensor, shape (samples,)
    features : Tensor, shape (1, bands, frames)
    targets : list of int
        Rows in the classifier's classes.
    """

    opening: Opening
    waveform: Tensor
    features: Tensor
    targets: list[int]


@dataclass(frozen=True)
class Mapped:
    """What a rule found: maps (targets, bands, frames), and what it took."""

    maps: Tensor
    forward: int
    backward: int
    diagnostics: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


class Rule(Protocol):
    """How activations become a map of each target class."""

    def __call__(self, view: View) -> Mapped:
        """Map the target classes of a clip."""
        ...


@dataclass(frozen=True)
class Maps:
    """A method of the family.

    Attributes
    ----------
    rule : Rule
    layer : str
        Empty for the model's last.
    frequency : {"mean", "max"}
    rectify : bool
    control : bool
        Explain a network with random weights instead.
    same : callable or None
        Tells of the first clip whether its maps are class activation maps, up to a factor.
    """

    rule: Rule
    layer: str
    frequency: str
    rectify: bool
    control: bool = False
    same: Callable[[View, Tensor], bool] | None = None

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Map clip by clip, all target classes of a clip together."""
        started = time.perf_counter()
        net = model.randomised(query.seed) if self.control else model.classifier()
        opening: Opening | None = None
        rows: list[NDArray[np.float64]] = []
        diagnostics: dict[str, list[NDArray[np.float64]]] = {}
        forward = backward = 0
        equals = ""
        for clip, targets in by_clip(query):
            waveform = torch.from_numpy(query.waveforms[clip]).to(model.device)
            with torch.no_grad():
                features = net.features(waveform[None])
            if opening is None:
                opening, forward = open_at(net, self.layer, features), 1
            view = View(opening, waveform, features, targets)
            got = self.rule(view)
            if not rows and self._is_cam(view, got.maps):
                equals = f"class activation map of {opening.name}, {self.frequency} over bands"
            rows.append(self._frames(got.maps))
            for name, values in got.diagnostics.items():
                diagnostics.setdefault(name, []).append(values)
            forward, backward = forward + got.forward, backward + got.backward
        assert opening is not None  # nobody asks about no pairs
        values = np.concatenate(rows)
        return Answer(
            FrameScores(values, opening.edges(values.shape[1])),
            resolution=opening.stride,
            diagnostics={name: np.concatenate(parts) for name, parts in diagnostics.items()},
            cost=Cost(forward, backward, time.perf_counter() - started),
            equals=equals,
        )

    def _is_cam(self, view: View, maps: Tensor) -> bool:
        return not self.rectify and self.same is not None and self.same(view, maps)

    def _frames(self, maps: Tensor) -> NDArray[np.float64]:
        cells = maps.detach().double().cpu().numpy()
        if self.rectify:
            cells = np.maximum(cells, 0.0)
        return np.asarray(cells.mean(1) if self.frequency == "mean" else cells.max(1))


def as_map(values: Tensor) -> Tensor:
    """Double precision, and one band where a layer has none: (channels, bands, frames).

    Gradients of about 1e-5, to the third power, want the precision.
    """
    return (values if values.ndim == 3 else values.unsqueeze(1)).double()


def weighted(weights: Tensor, activations: Tensor) -> Tensor:
    """Sum of the channels (channels, bands, frames), weighted, (bands, frames).

    One target at a time: a product of matrices has other bits for two than for one.
    """
    return torch.einsum("k,kft->ft", weights, activations)
