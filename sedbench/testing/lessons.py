"""What a method that learns is given to learn from here: clips with a click, and clips without.

The clips are the planted model's features; every class is labelled present where there is a
click, and none where there is not. That is little, and learnt in a moment; it is enough for answers
that can be looked at.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sedbench.models.lesson import Clips, Lesson
from sedbench.models.store import ModelHandle, seeded
from sedbench.progress import Quiet
from sedbench.testing.checks import need
from sedbench.testing.material import bursts

SECONDS = 2.0
FEW = 64  # clips, half of them with a click


def learnt(product: Any, model: ModelHandle, clips: int = FEW) -> dict[str, Tensor]:
    """Let a method learn of a model, and return what it would keep.

    Parameters
    ----------
    product : object
        What the method's factory returns.
    model : ModelHandle
    clips : int
        To learn from; an eighth of them more to choose an epoch on.
    """
    need(
        callable(getattr(product, "learn", None)),
        f"MethodInfo says learns=True, and a {type(product).__name__} has no learn(lesson)",
    )
    with tempfile.TemporaryDirectory() as folder:
        lesson = Lesson(
            model=model,
            training=_clips(model, clips, 0),
            validation=_clips(model, clips // 8, 1),
            samples=round(SECONDS * model.sample_rate),
            seed=0,
            name="what it learns",
            progress=Quiet(),
            checkpoint=Path(folder) / "checkpoint",
        )
        with seeded(0):
            found = product.learn(lesson)
    # Half precision, as it is kept.
    return {
        name: value.half().float() if value.is_floating_point() else value
        for name, value in found.state.items()
    }


@torch.no_grad()
def _clips(model: ModelHandle, count: int, seed: int) -> Clips:
    rng = np.random.default_rng([7, seed])
    waves = np.stack(
        [
            bursts(
                model.sample_rate,
                SECONDS,
                [rng.uniform(0.1, SECONDS - 0.1)] if number % 2 else [],
                seed=1000 * seed + number,
            )
            for number in range(count)
        ]
    )
    features = model.classifier().features(torch.from_numpy(waves)).numpy().astype(np.float16)
    labels = np.repeat((np.arange(count) % 2 == 1)[:, None], len(model.classes), axis=1)
    return Clips(features, labels)
