"""Layer-wise relevance propagation over the features.

The class logit is handed back through the network, each layer sharing out what it received among
its inputs by its rule, until every cell of the features has its *relevance*. Without biases the
relevances add up to the logit (conservation); ``conservation_error`` says how far from that a pair
is: ``|sum of relevances - logit| / |logit|``. What is missing was absorbed: by biases
(``zero_bias=True`` takes them as zero in the rules), by padding with something other than zero, or
by the stabiliser of a denominator near zero. ``relevance_spread`` is the sum of absolute relevances
over ``|logit|``: far above one where large relevances of both signs cancel.

What is explained is the path from the features (a log-mel spectrogram) to the logit. The front end
is not: a power spectrum and a logarithm have no rule. Where a model standardises its features
band by band, each cell keeps the relevance of its standardised self.

BatchNorm
---------
The classifier comes with its BatchNorms folded. One that is left behind a layer with weights is
merged by Zennit's canonizer, which gives the same (tested); another passes relevance on.

The box
-------
``epsilon-gamma-box`` needs bounds of the first layer's input. They are taken band by band from the
clip: from the smaller of the clip's least value and that of digital silence, to the clip's largest.

References
----------
.. [1] S. Bach et al., "On pixel-wise explanations for non-linear classifier decisions by
   layer-wise relevance propagation", PLOS ONE 10(7), 2015.
.. [2] G. Montavon et al., "Layer-wise relevance propagation: an overview", LNCS 11700, 2019.
.. [3] C. Anders et al., "Software for dataset-wide XAI: from local explanations to global insights
   with Zennit, CoRelAy, and ViRelAy", arXiv 2106.13200, 2021.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import SedbenchError
from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, Query
from sedbench_plugins.attribution import by_clip, feature_frames
from sedbench_plugins.relevance.rules import RuledFunctions, check, composite, weighted
from sedbench_plugins.structure import Step, places, steps


@dataclass(frozen=True)
class Relevance:
    """The method with its parameters; see the module's docstring."""

    composite: str
    sign: str
    zero_bias: bool
    epsilon: float
    gamma: float

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Attribute clip by clip: one forward pass, one backward pass a target class.

        Raises
        ------
        NotApplicable
            A layer of the model has no rule.
        """
        started = time.perf_counter()
        # Rules are hooks, and merging rewrites weights: on a copy, nothing can be left behind.
        net = copy.deepcopy(model.classifier()).requires_grad_(False).eval()
        edges = net.feature_edges(query.waveforms.shape[1])
        rows: list[NDArray[np.float64]] = []
        errors: list[NDArray[np.float64]] = []
        spreads: list[NDArray[np.float64]] = []
        found: list[Step] = []
        forward = backward = 0
        with torch.no_grad():
            silence = net.features(torch.zeros_like(_waveform(query, 0, model.device)))
        for clip, targets in by_clip(query):
            with torch.no_grad():
                x = net.features(_waveform(query, clip, model.device))
                plain = net.logits(x)
            if not found:
                found = steps(net, x)
                check(found)
                forward += 1
            cells, logits = self._propagate(net, found, x, silence, targets)
            if not torch.allclose(logits, plain, rtol=1e-3, atol=1e-4):
                raise SedbenchError(
                    "lrp: with Zennit's rules the model gives other logits than without",
                    "a BatchNorm was merged into the wrong layer; fold it in for_inference",
                )
            values = cells.double().cpu().numpy()
            logit = plain[0, targets].double().cpu().numpy()
            scale = np.maximum(np.abs(logit), 1e-8)
            errors.append(np.abs(values.sum((1, 2)) - logit) / scale)
            spreads.append(np.abs(values).sum((1, 2)) / scale)
            rows.append(feature_frames(values, self.sign))
            forward += 4 if self.composite == "epsilon-gamma-box" else 2
            backward += len(targets)
        return Answer(
            FrameScores(np.concatenate(rows), edges),
            resolution=round(float(np.median(np.diff(edges))), 9),
            diagnostics={
                "conservation_error": np.concatenate(errors),
                "relevance_spread": np.concatenate(spreads),
            },
            cost=Cost(forward, backward, time.perf_counter() - started),
        )

    def _propagate(
        self, net: Classifier, found: list[Step], x: Tensor, silence: Tensor, targets: list[int]
    ) -> tuple[Tensor, Tensor]:
        bounds = None
        if self.composite == "epsilon-gamma-box":
            first = weighted(found)[0].module
            assert first is not None
            least = torch.minimum(x, silence).amin(-1, keepdim=True).expand_as(x)
            ends = [
                _input(net, first, end) for end in (least, x.amax(-1, keepdim=True).expand_as(x))
            ]
            bounds = torch.minimum(*ends), torch.maximum(*ends)  # a norm may turn them round
        chosen = composite(
            self.composite,
            found,
            zero_bias=self.zero_bias,
            epsilon=self.epsilon,
            gamma=self.gamma,
            bounds=bounds,
        )
        functions = RuledFunctions()
        with torch.enable_grad(), chosen.context(net):
            x = x.detach().clone().requires_grad_()
            with places(net) as place, functions.at(place):
                logits = net.logits(x)
            cells = [
                torch.autograd.grad(
                    logits[0, target],
                    x,
                    grad_outputs=logits[0, target].detach(),
                    retain_graph=i + 1 < len(targets),
                )[0]
                for i, target in enumerate(targets)
            ]
        return torch.cat(cells), logits.detach()


def _waveform(query: Query, clip: int, device: str) -> Tensor:
    return torch.from_numpy(query.waveforms[clip : clip + 1]).to(device)


@torch.no_grad()
def _input(net: Classifier, layer: nn.Module, features: Tensor) -> Tensor:
    # What a layer takes in when the model hears these features.
    taken: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, given: taken.append(given[0]))
    try:
        net.logits(features)
    finally:
        handle.remove()
    return taken[0]
