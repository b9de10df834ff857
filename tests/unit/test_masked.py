"""A clip behind masks: which frames are cut, what stands there, and what is passed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from sedbench.errors import NotApplicable
from sedbench.models.contract import Classifier
from sedbench.models.masked import BATCH, MaskableClip, frame_owners
from sedbench.types import FrameGrid

GRID = FrameGrid(1.0)
RATE = 400


class Adding(Classifier):
    """Adds up the energy of its frames: the first class of all, the second of every other one."""

    def __init__(self, frame: float = 0.05, mean: float | None = None) -> None:
        super().__init__()
        self.classes, self.sample_rate, self.frame, self.mean = ("a", "b"), RATE, frame, mean
        self.passed: list[int] = []

    def features(self, waveform: Tensor) -> Tensor:
        hop = round(self.frame * RATE)
        return waveform.reshape(len(waveform), -1, hop).square().sum(-1)[:, None]

    def logits(self, features: Tensor) -> Tensor:
        self.passed.append(len(features))
        return torch.stack([features.sum((1, 2)), features[:, :, ::2].sum((1, 2))], 1)

    def feature_mean(self) -> Tensor:
        if self.mean is None:
            return super().feature_mean()
        return torch.tensor([self.mean])

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(round(n_samples / RATE / self.frame) + 1) * self.frame

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


def wave(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, RATE).astype(np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def energies(waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.square(waveform.astype(float)).reshape(10, -1).sum(1)


def test_a_feature_frame_belongs_where_its_middle_is():
    assert frame_owners(np.arange(21) * 0.05, GRID).tolist() == np.repeat(range(10), 2).tolist()
    late = frame_owners(np.array([-0.2, -0.05, 0.06, 0.16, 1.2]), GRID)
    assert late.tolist() == [0, 0, 1, 6]  # before the first and behind the last: nearest


@pytest.mark.parametrize("frame", [0.05, 0.1, 0.2])  # the last is coarser than the grid
@settings(deadline=None, max_examples=20)
@given(masks=st.lists(st.lists(st.booleans(), min_size=10, max_size=10), min_size=1, max_size=5))
def test_what_is_shown_adds_up(frame, masks):
    clip = MaskableClip(Adding(frame), wave(), GRID)
    assert clip.domain == ("waveform" if frame > 0.1 else "features")
    shown = np.array(masks)
    found = clip.logits(shown, clip.replacement("silence", rng()))
    np.testing.assert_allclose(found[:, 0], (shown * energies(wave())).sum(1), rtol=1e-5)


def test_masks_that_are_the_same_are_passed_once_and_in_batches():
    net = Adding()
    clip = MaskableClip(net, wave(), GRID)
    shown = np.random.default_rng(0).random((2 * BATCH + 3, 10)) < 0.5
    many = np.concatenate([shown, shown[::-1], shown])
    found = clip.logits(many, clip.replacement("silence", rng()))
    different = len(np.unique(shown, axis=0))
    assert sum(net.passed) == different and max(net.passed) <= BATCH
    np.testing.assert_array_equal(found[: len(shown)], found[-len(shown) :])
    np.testing.assert_array_equal(found[: len(shown)], found[len(shown) : 2 * len(shown)][::-1])


def test_the_mean_frame_stands_for_what_is_masked():
    clip = MaskableClip(Adding(mean=3.0), wave(), GRID)
    nothing = np.zeros((1, 10), bool)
    found = clip.logits(nothing, clip.replacement("mean", rng()))
    np.testing.assert_allclose(found, [[60.0, 30.0]])


@pytest.mark.parametrize("net", [Adding(), Adding(0.2, mean=1.0)])
def test_where_there_is_no_mean_it_is_said(net):
    with pytest.raises(NotApplicable):
        MaskableClip(net, wave(), GRID).replacement("mean", rng())


def test_noise_is_as_loud_as_the_clip_and_the_same_for_every_mask():
    loud = 3 * wave()
    clip = MaskableClip(Adding(), loud, GRID)
    nothing = np.zeros((1, 10), bool)
    found = clip.logits(nothing, clip.replacement("noise", rng()))
    np.testing.assert_allclose(found[0, 0], energies(loud).sum(), rtol=0.2)
    again = clip.logits(nothing, clip.replacement("noise", rng()))
    np.testing.assert_array_equal(found, again)
    silent = MaskableClip(Adding(), 0 * wave(), GRID)
    assert silent.logits(nothing, silent.replacement("noise", rng()))[0, 0] > 0
