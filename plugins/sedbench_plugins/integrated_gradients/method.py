"""Integrated Gradients over the log-mel spectrogram or the waveform.

The attribution of input cell ``i`` for class ``c`` is ``(x_i - b_i)`` times the mean of
``d logit_c / d x_i`` on the straight path from the baseline ``b`` to ``x``; attributions add
up to ``logit_c(x) - logit_c(b)`` (completeness). The mean is a Gauss-Legendre quadrature.

Captum integrates one target at a time. Here the path of a clip is passed forward once and
backward once per class, which is the same sum (tested against Captum) for less work.
``engine=captum`` runs the reference itself.

Baselines: ``silence`` is the zero waveform (or its log-mel), ``mean`` the training split's
mean log-mel frame, ``noise`` white noise at -60 dBFS (or its log-mel), one draw a clip.

References
----------
.. [1] M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017.
.. [2] Dumpis, Virtanen, "Evaluating the Temporal Detection Capability of Integrated
   Gradients Applied on Sound Classifier", arXiv 2605.23293, 2026.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, Query

NOISE_RMS = 1e-3  # -60 dBFS
POINTS = 16  # of a path at once: where a forward and backward pass is cheapest per sample
_RANDOM_WEIGHTS, _NOISE = 2, 3  # streams of the run's seed

Logits = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class IntegratedGradients:
    """The method with its parameters; see the module's docstring."""

    steps: int
    input: str
    baseline: str
    sign: str
    control: bool
    engine: str

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Attribute clip by clip, all target classes of a clip together."""
        started = time.perf_counter()
        net = model.randomised(query.seed) if self.control else model.classifier()
        waveform = self.input == "waveform"
        logits: Logits = net if waveform else net.logits
        edges = query.grid.edges if waveform else net.feature_edges(query.waveforms.shape[1])
        rows: list[NDArray[np.float64]] = []
        errors: list[NDArray[np.float64]] = []
        forward = backward = 0
        for clip in np.unique(query.pairs[:, 0]).tolist():
            targets = query.pairs[query.pairs[:, 0] == clip, 1].tolist()
            x, base = self._ends(query, clip, net, model.device)
            integrate = _shared if self.engine == "shared" else _captum
            attributions = integrate(logits, x, base, targets, self.steps)
            with torch.no_grad():
                ends = logits(torch.stack([x, base]))[:, targets]
            rise = (ends[0] - ends[1]).double().cpu().numpy()
            found = attributions.double().flatten(1).sum(1).cpu().numpy()
            errors.append(np.abs(found - rise) / np.maximum(np.abs(rise), 1e-8))
            rows.append(self._frames(attributions, edges, query.sample_rate))
            forward += 2 + self.steps * (1 if self.engine == "shared" else len(targets))
            backward += self.steps * len(targets)
        return Answer(
            FrameScores(np.concatenate(rows), edges),
            resolution=round(float(np.median(np.diff(edges))), 9),
            diagnostics={"completeness_error": np.concatenate(errors)},
            cost=Cost(forward, backward, time.perf_counter() - started),
        )

    def _ends(self, query: Query, clip: int, net: Classifier, device: str) -> tuple[Tensor, Tensor]:
        x = torch.from_numpy(query.waveforms[clip]).to(device)
        base = torch.zeros_like(x)
        if self.baseline == "noise":
            noise = query.rng(clip, _NOISE).standard_normal(len(x)) * NOISE_RMS
            base = torch.from_numpy(noise.astype(np.float32)).to(device)
        if self.input == "waveform":
            return x, base
        with torch.no_grad():
            x, base = net.features(torch.stack([x, base]))
            if self.baseline == "mean":
                base = net.feature_mean()[:, None].expand_as(x)
        return x, base

    def _frames(
        self, attributions: Tensor, edges: NDArray[np.float64], sample_rate: int
    ) -> NDArray[np.float64]:
        cells = attributions.double().cpu().numpy()
        if self.sign == "abs":
            cells = np.abs(cells)
        elif self.sign == "positive":
            cells = np.maximum(cells, 0.0)
        if self.input == "logmel":
            return np.asarray(cells.mean(1))
        marks = np.round(edges * sample_rate).astype(int)
        total = np.concatenate([np.zeros((len(cells), 1)), np.cumsum(cells, axis=1)], axis=1)
        return np.asarray(np.diff(total[:, marks], axis=1) / np.diff(marks))


def _shared(logits: Logits, x: Tensor, base: Tensor, targets: list[int], steps: int) -> Tensor:
    # The path is passed forward once; each class costs one backward pass over the same graph.
    points, weights = np.polynomial.legendre.leggauss(steps)
    alphas = torch.from_numpy((1 + points) / 2).to(x)
    weights_on = torch.from_numpy(weights / 2).to(x)
    total = torch.zeros((len(targets), *x.shape), dtype=x.dtype, device=x.device)
    for at in range(0, steps, POINTS):
        alpha = alphas[at : at + POINTS].reshape(-1, *([1] * x.ndim))
        weight = weights_on[at : at + POINTS]
        path = (base + alpha * (x - base)).requires_grad_()
        # The quadrature weights go into the scalar, so that no gradient needs weighting.
        out = logits(path) * weight[:, None]
        for i, target in enumerate(targets):
            (gradient,) = torch.autograd.grad(
                out[:, target].sum(), path, retain_graph=i + 1 < len(targets)
            )
            total[i] += gradient.sum(0)
    return total * (x - base)


def _captum(logits: Logits, x: Tensor, base: Tensor, targets: list[int], steps: int) -> Tensor:
    from captum.attr import IntegratedGradients as Reference

    reference = Reference(logits)
    return torch.stack(
        [
            reference.attribute(
                x[None], base[None], target=t, n_steps=steps, internal_batch_size=POINTS
            )[0]
            for t in targets
        ]
    )
