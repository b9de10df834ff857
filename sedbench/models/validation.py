"""What a network says of validation clips: scores for the log, and the same taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from sedbench.models.contract import Classifier, Recipe
from sedbench.models.scoring import clip_scores, frame_iou
from sedbench.models.shares import Share, clip_shares, frame_share

if TYPE_CHECKING:
    from sedbench.models.training import Examples


def validate(
    model: Classifier, examples: Examples, recipe: Recipe, device: str = "cpu", batch: int = 32
) -> dict[str, float]:
    """Scores of a model on a split: clip F1, and frame IoU for frame labels."""
    clips, frames = _answers(model, examples, recipe, device, batch)
    scores = clip_scores(clips, examples.clip_labels)
    if frames is not None:
        scores["frame_iou"] = frame_iou(frames, examples.frame_labels())
    return scores


def shares(
    model: Classifier, examples: Examples, recipe: Recipe, device: str = "cpu", batch: int = 32
) -> dict[str, Share]:
    """Take the scores of :func:`validate` apart by clip and class."""
    clips, frames = _answers(model, examples, recipe, device, batch)
    found = clip_shares(clips, examples.clip_labels)
    if frames is not None:
        found["frame_iou"] = frame_share(frames, examples.frame_labels())
    return found


@torch.no_grad()
def _answers(
    model: Classifier, examples: Examples, recipe: Recipe, device: str, batch: int
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    # Probabilities of clips, and of frames where the recipe knows frame labels.
    model.eval()
    clips: list[NDArray[np.float32]] = []
    frames: list[NDArray[np.float32]] = []
    for i in range(0, len(examples.features), batch):
        x = torch.from_numpy(examples.features[i : i + batch].astype(np.float32)).to(device)
        clips.append(torch.sigmoid(model.logits(x)).cpu().numpy())
        if recipe.labels == "frame":
            frames.append(torch.sigmoid(model.frame_logits(x)).cpu().numpy())
    model.train()
    return np.concatenate(clips), np.concatenate(frames) if frames else None
