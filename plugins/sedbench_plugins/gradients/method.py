"""What the methods of the family share: clip by clip, one forward pass for all target classes.

A method is a *rule* that turns one clip and its target classes into an attribution of every
cell of the input: a (band, frame) of the log-mel spectrogram, or a sample of the waveform.
Here the cells become frame scores, on the feature frames or on the frames of the grid.

Clips are passed one at a time, so that an answer has the same bits in whatever company the
clip comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, Query
from sedbench_plugins.attribution import by_clip, feature_frames, sample_frames

POINTS = 8  # inputs of a clip that are passed at once: what bounds the memory


@dataclass(frozen=True)
class Case:
    """One clip with its target classes.

    Attributes
    ----------
    net : Classifier
    waveform : Tensor, shape (samples,)
    x : Tensor, shape (bands, frames) or (samples,)
        The input that is attributed to.
    targets : list of int
        Rows in the classifier's classes.
    rng : callable
        Gives the clip's own generator of a stream of numbers.
    """

    net: Classifier
    waveform: Tensor
    x: Tensor
    targets: list[int]
    rng: Callable[..., np.random.Generator]

    def logits(self, x: Tensor) -> Tensor:
        """Clip logits (batch, classes) of a batch of inputs."""
        return self.net(x) if x.ndim == 2 else self.net.logits(x)

    def inputs(self, waveforms: Tensor) -> Tensor:
        """Turn waveforms (batch, samples) into inputs like ``x``."""
        if self.x.ndim == 1:
            return waveforms
        with torch.no_grad():
            return self.net.features(waveforms)

    def mean(self) -> Tensor:
        """Return the training split's mean log-mel frame, all along the clip."""
        return self.net.feature_mean()[:, None].expand_as(self.x)


class AsModule(nn.Module):
    """A case's network, from its input on, for libraries that ask for a module."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.net = case.net
        self.logits = case.logits

    def forward(self, x: Tensor) -> Tensor:
        """Clip logits."""
        return self.logits(x)


@dataclass(frozen=True)
class Attributed:
    """What a rule found: cells (targets, *x.shape), and what it took."""

    cells: Tensor
    forward: int
    backward: int
    diagnostics: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


class Rule(Protocol):
    """How a gradient becomes an attribution."""

    def __call__(self, case: Case) -> Attributed:
        """Attribute the target logits of a clip to the cells of its input."""
        ...


def gradients(logits: Callable[[Tensor], Tensor], points: Tensor, targets: list[int]) -> Tensor:
    """Gradients of several logits at several inputs: one forward pass, one backward a target.

    Parameters
    ----------
    logits : callable
        From inputs (batch, ...) to logits (batch, classes).
    points : Tensor, shape (batch, ...)
    targets : list of int

    Returns
    -------
    Tensor, shape (targets, batch, ...)
    """
    points = points.detach().requires_grad_()
    out = logits(points)
    last = len(targets) - 1
    return torch.stack(
        [
            torch.autograd.grad(out[:, target].sum(), points, retain_graph=i < last)[0]
            for i, target in enumerate(targets)
        ]
    )


@dataclass(frozen=True)
class Gradients:
    """A method of the family.

    Attributes
    ----------
    rule : Rule
    input : {"logmel", "waveform"}
    sign : {"abs", "positive", "signed"}
    control : bool
        Explain a network with random weights instead.
    """

    rule: Rule
    input: str
    sign: str
    control: bool = False

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Attribute clip by clip, all target classes of a clip together."""
        started = time.perf_counter()
        net = model.randomised(query.seed) if self.control else model.classifier()
        raw = self.input == "waveform"
        edges = query.grid.edges if raw else net.feature_edges(query.waveforms.shape[1])
        rows: list[NDArray[np.float64]] = []
        diagnostics: dict[str, list[NDArray[np.float64]]] = {}
        forward = backward = 0
        for clip, targets in by_clip(query):
            waveform = torch.from_numpy(query.waveforms[clip]).to(model.device)
            with torch.no_grad():
                x = waveform if raw else net.features(waveform[None])[0]
            got = self.rule(Case(net, waveform, x, targets, partial(query.rng, clip)))
            cells = got.cells.double().cpu().numpy()
            rows.append(
                sample_frames(cells, self.sign, edges, query.sample_rate)
                if raw
                else feature_frames(cells, self.sign)
            )
            for name, values in got.diagnostics.items():
                diagnostics.setdefault(name, []).append(values)
            forward, backward = forward + got.forward, backward + got.backward
        return Answer(
            FrameScores(np.concatenate(rows), edges),
            resolution=float(np.diff(edges).max()),
            diagnostics={name: np.concatenate(values) for name, values in diagnostics.items()},
            cost=Cost(forward, backward, time.perf_counter() - started),
        )
