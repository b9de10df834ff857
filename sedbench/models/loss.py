"""The loss of a batch: binary cross-entropy, in which active targets may weigh more."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.augment import augmented
from sedbench.models.contract import Classifier, Recipe

if TYPE_CHECKING:
    from sedbench.models.training import Examples

HEAVIEST = 10.0  # weight of a class


def active_weight(recipe: Recipe, labels: NDArray[np.bool_]) -> Tensor:
    """Weight of active targets: one for all classes, or one a class.

    Parameters
    ----------
    recipe : Recipe
    labels : ndarray, shape (clips, classes) or (clips, classes, frames), bool
        What is learnt from, of the whole training split.
    """
    weight = torch.tensor(recipe.positive_weight)
    return weight * class_weights(labels) if recipe.class_weights == "balanced" else weight


def class_weights(labels: NDArray[np.bool_]) -> Tensor:
    """Weights of active targets that make a class count as much when active as when not.

    A class that is active in ``a`` of ``n`` targets has the weight ``(n - a) / a``, and at least a
    tenth and at most ten: a rare class would otherwise have a few clips decide all of its loss.

    Parameters
    ----------
    labels : ndarray, shape (clips, classes) or (clips, classes, frames), bool
        Of the training split.

    Returns
    -------
    Tensor, shape (classes,) or (classes, 1)
    """
    axes = tuple(axis for axis in range(labels.ndim) if axis != 1)
    active = labels.sum(axes, dtype=np.float64)
    inactive = labels.size / labels.shape[1] - active
    ratio = np.divide(inactive, active, out=np.full_like(active, HEAVIEST), where=active > 0)
    weight = torch.from_numpy(np.clip(ratio, 1 / HEAVIEST, HEAVIEST).astype(np.float32))
    return weight if labels.ndim == 2 else weight[:, None]


def loss_of(  # noqa: PLR0917 - what a loop's body holds
    model: Classifier,
    examples: Examples,
    frames: NDArray[np.bool_] | None,
    rows: NDArray[np.int64],
    recipe: Recipe,
    weight: Tensor,
    draw: tuple[int, int],
) -> Tensor:
    """Loss of a batch of clips.

    Parameters
    ----------
    model : Classifier
    examples : Examples
    frames : ndarray, shape (clips, classes, frames), bool, or None
        What is learnt from; None for clip labels.
    rows : ndarray of int
        The clips of the batch.
    recipe : Recipe
    weight : Tensor
        From :func:`active_weight`, on the model's device.
    draw : (int, int)
        Seed and step, which decide what is done to the clips.
    """
    device = str(weight.device)
    x = torch.from_numpy(examples.features[rows].astype(np.float32)).to(device)
    wanted = examples.clip_labels[rows] if frames is None else frames[rows]
    target = torch.from_numpy(wanted.astype(np.float32)).to(device)
    if recipe.augment:
        x, target = augmented(x, target, recipe.augment, draw)
    with _precision(recipe, device):
        out = model.logits(x) if frames is None else model.frame_logits(x)
    out = out.float()
    if recipe.smoothing:
        target = target * (1 - 2 * recipe.smoothing) + recipe.smoothing
    return nn.functional.binary_cross_entropy_with_logits(out, target, pos_weight=weight)


def _precision(recipe: Recipe, device: str) -> AbstractContextManager[Any]:
    if recipe.precision == "float32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, getattr(torch, recipe.precision))
