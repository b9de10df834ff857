"""What a classifier does between features and logits, as it is seen while it does it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.contract import Classifier
from sedbench_plugins.structure import reused, steps


class Pool(nn.Module):
    """A module that is none of PyTorch's own: it is seen through."""

    def forward(self, x: Tensor) -> Tensor:
        return x.logsumexp(-1)


class Model(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.classes, self.sample_rate = ("Dog",), 1000
        self.block = nn.Sequential(nn.Conv1d(4, 4, 3, bias=False), nn.BatchNorm1d(4), nn.ReLU())
        self.again = nn.Identity()
        self.pool = Pool()
        self.broken = False

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), 4, -1)

    def logits(self, features: Tensor) -> Tensor:
        frames = features.shape[-1]
        x = self.block(features[..., :frames] / 2 - 1)
        x = self.again(x) + self.again(x.relu())
        x = nn.functional.conv1d(x * x, torch.ones(1, 4, 1)) @ torch.ones(8, 8)
        if self.broken:
            raise ZeroDivisionError
        unseen = torch.ones(3).exp().sum()  # depends on nothing that is explained
        return self.pool(x.mT.mean(1, keepdim=True) * unseen)  # type: ignore[no-any-return]

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(11) * 0.1

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


def test_every_step_is_listed_with_its_layer() -> None:
    model = Model().eval().requires_grad_(False)
    found = steps(model, torch.rand(1, 4, 10))
    assert [(step.kind, step.what, step.where) for step in found] == [
        ("move", "getitem", ""),
        ("scale", "div" if found[1].what == "div" else "truediv", ""),
        ("scale", "sub", ""),
        ("module", "Conv1d", "block.0"),
        ("module", "BatchNorm1d", "block.1"),
        ("module", "ReLU", "block.2"),
        ("module", "Identity", "again"),
        ("rectify", "relu", ""),
        ("module", "Identity", "again"),
        ("add", "add", ""),
        ("other", "mul", ""),
        ("weights", "conv1d", ""),
        ("weights", "matmul", ""),
        ("move", "mT", ""),
        ("sum", "mean", ""),
        ("scale", "mul", ""),
        ("other", "logsumexp", "pool"),
    ]
    assert found[3].source is None
    assert (found[4].source, found[5].source) == ("block.0", "block.1")
    assert found[3].shape == (1, 4, 10)
    assert [step.where for step in reused(found)] == ["again"]
    assert str(found[5]) == "layer 'block.2' (ReLU)"
    assert str(found[-1]) == "the function logsumexp in layer 'pool'"


@pytest.mark.parametrize("broken", [False, True])
def test_the_model_is_left_as_it_was(broken: bool) -> None:
    model = Model().eval().requires_grad_(False)
    model.broken = broken
    x = torch.rand(1, 4, 10)
    if broken:
        with pytest.raises(ZeroDivisionError):
            steps(model, x)
    else:
        steps(model, x)
    assert not x.requires_grad
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
