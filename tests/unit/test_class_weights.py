"""Classes that weigh by how rare they are: the formula, the loss, and what it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from sedbench.models.contract import Recipe
from sedbench.models.loss import active_weight, class_weights, loss_of
from sedbench.models.training import Examples, train


class Flat(torch.nn.Module):
    """The same logit for every class and frame, plus a bias that can be learnt."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(classes))

    def frame_logits(self, features: Tensor) -> Tensor:
        return self.bias[None, :, None].expand(len(features), -1, features.shape[-1])

    def logits(self, features: Tensor) -> Tensor:
        return self.bias.expand(len(features), -1)


def secret() -> NDArray[np.bool_]:
    raise AssertionError("frame labels were read")


def labels(*active: int, clips: int = 40) -> NDArray[np.bool_]:
    """The first so many clips of each class are active."""
    return np.arange(clips)[:, None] < np.array(active)


def test_the_formula() -> None:
    found = class_weights(labels(20, 10, 4, 2, 0, 36, 40))
    # 30 / 10, 36 / 4; 38 / 2 is cut off; never active; 4 / 36; always active.
    assert found.tolist() == pytest.approx([1, 3, 9, 10, 10, 1 / 9, 0.1])
    frames = np.zeros((2, 2, 10), bool)
    frames[0, 0, :5] = frames[1, 1, :4] = True
    assert class_weights(frames).shape == (2, 1)  # over (clips, classes, frames)
    assert class_weights(frames)[:, 0].tolist() == [3, 4]


@given(st.integers(1, 39))
def test_a_balanced_class_counts_alike_active_and_not(active: int) -> None:
    wanted = labels(active)
    weight = float(class_weights(wanted)[0])
    if 0.101 < weight < 9.99:
        assert weight * wanted.sum() == pytest.approx((~wanted).sum(), rel=1e-5)


def test_it_multiplies_the_weight_of_all_classes_and_is_off_by_default() -> None:
    wanted = labels(10, 20)
    assert active_weight(Recipe(positive_weight=2.0), wanted).flatten().tolist() == [2.0]
    balanced = Recipe(positive_weight=2.0, class_weights="balanced")
    assert active_weight(balanced, wanted).tolist() == [6.0, 2.0]


@pytest.mark.parametrize("kind", ["clip", "frame"])
def test_the_loss_is_the_weighted_cross_entropy(kind: Any) -> None:
    frames = np.zeros((4, 2, 5), bool)
    frames[0, 0] = frames[:, 1, :2] = True
    data = Examples(np.zeros((4, 3, 5), np.float16), np.asarray(frames.any(-1)), lambda: frames)
    recipe = Recipe(labels=kind, class_weights="balanced")
    wanted = frames if kind == "frame" else data.clip_labels
    weight = active_weight(recipe, wanted)
    model: Any = Flat(2)
    read = frames if kind == "frame" else None
    got = loss_of(model, data, read, np.arange(4), recipe, weight, (0, 0)).detach()
    # At a logit of zero each target costs log 2, times its weight where active.
    mean = [np.where(wanted[:, k], float(weight.flatten()[k]), 1).mean() for k in range(2)]
    assert float(got) == pytest.approx(np.log(2) * np.mean(mean))


def test_balanced_a_class_that_tells_nothing_is_left_undecided() -> None:
    data = Examples(np.zeros((8, 3, 5), np.float16), labels(2, 5, clips=8), secret)
    slopes = {}
    kinds: tuple[Any, ...] = ("none", "balanced")
    for kind in kinds:
        model: Any = Flat(2)
        recipe = Recipe(class_weights=kind)
        weight = active_weight(recipe, data.clip_labels)
        loss_of(model, data, None, np.arange(8), recipe, weight, (0, 0)).sum().backward()  # type: ignore[no-untyped-call]
        slopes[kind] = model.bias.grad.tolist()
    assert slopes["balanced"] == pytest.approx([0, 0], abs=1e-6)
    assert slopes["none"] == pytest.approx([0.125, -0.0625])  # down where rare, up where frequent


def test_a_training_on_clip_labels_reads_no_frames_for_it(tmp_path: Path) -> None:
    data = Examples(np.zeros((8, 3, 5), np.float16), labels(2, 5, clips=8), secret)
    ends = []
    kinds: tuple[Any, ...] = ("none", "balanced")
    for kind in kinds:
        recipe = Recipe(epochs=1, batch=8, learning_rate=0.1, class_weights=kind)
        model: Any = Flat(2)
        report = train(model, recipe, data, data, seed=0, checkpoint=tmp_path / kind)
        ends.append(report.log[0]["loss"])
    assert ends[0] == pytest.approx(np.log(2))
    assert ends[1] == pytest.approx(np.log(2) * np.mean([2 * 6 / 8, 2 * 3 / 8]))
