"""What the detector's scores on validation clips are made of, for intervals on its card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sedbench.models.lesson import Clips
from sedbench.models.shares import Share, clip_shares
from sedbench.models.store import ModelHandle
from sedbench_plugins.attention.method import TOGETHER, over_time
from sedbench_plugins.attention.pooling import restored
from sedbench_plugins.taps import tap_last


@torch.no_grad()
def shares(
    model: ModelHandle,
    clips: Clips,
    samples: int,
    state: Mapping[str, Tensor],
    *,
    attention: str,
    **_: Any,
) -> dict[str, Share]:
    """Clip decisions, and the loss as a mean over all clips and classes."""
    net = model.classifier()
    first, _labels = clips.batch(np.arange(1))
    taps = tap_last(net, first)
    detector = restored(attention, state, len(net.classes))
    # In half precision and one by one, as it was validated.
    frames = [over_time(taps, features).half().float() for features, _ in clips.batches(TOGETHER)]
    logits = torch.cat([detector.pool(one[None])[0].cpu() for part in frames for one in part])
    labels = torch.from_numpy(clips.labels).to(logits)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return {
        "loss": Share(loss.double().numpy(), np.ones(clips.labels.shape)),
        **clip_shares(torch.sigmoid(logits).numpy(), clips.labels),
    }
