"""What the decoder's scores on validation clips are made of, for intervals on its card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sedbench.models.lesson import Clips
from sedbench.models.shares import Share
from sedbench.models.store import ModelHandle
from sedbench_plugins.lmac.decoder import restored
from sedbench_plugins.lmac.method import DECIDED, RECIPE, WEIGHTS, Ear, _terms


@torch.no_grad()
def shares(
    model: ModelHandle, clips: Clips, samples: int, state: Mapping[str, Tensor], **_: Any
) -> dict[str, Share]:
    """Each score is a mean over the classifier's decisions."""
    ear = Ear.of(model.classifier(), samples, model.device)
    decoder = restored(state, ear.sizes).to(model.device)
    shape = clips.labels.shape
    decided = np.zeros(shape, bool)
    sums = {name: np.zeros(shape) for name in ("loss", "decision_kept", "decision_lost")}
    sums["mask_area"] = np.zeros(shape)
    for number, (features, _labels) in enumerate(clips.batches(RECIPE.batch)):
        activations, logits = ear.taps.of(features)
        pairs = [(int(i), int(k)) for i, k in (torch.sigmoid(logits) > DECIDED).nonzero()]
        if not pairs:
            continue
        terms = _terms(ear, decoder, features, activations, pairs)
        rows, columns = np.array(pairs).T
        at = (rows + number * RECIPE.batch, columns)
        decided[at] = True
        sums["loss"][at] = sum(w * terms[name].cpu().numpy() for name, w in WEIGHTS.items())
        sums["decision_kept"][at] = (terms["shown"] > 0).cpu().numpy()
        sums["decision_lost"][at] = (terms["left"] <= 0).cpu().numpy()
        sums["mask_area"][at] = terms["area"].cpu().numpy()
    return {name: Share(over, decided.astype(np.float64)) for name, over in sums.items()}
