"""The network: a trunk of four conv blocks, a linear head per frame, and a pooling over time.

Shapes at 16 kHz and 10 s: waveform (batch, 160000) -> log-mel (batch, 64, 200), 50 ms hop ->
trunk (batch, 128, 100), 100 ms a frame -> frame logits (batch, classes, 100) -> clip logits.

The classifier's clip logit is the *mean* of its frame logits, which is the same as a linear
head behind global average pooling. The detectors keep the trunk and pool otherwise: see
:mod:`sedbench_plugins.poolings`.

References
----------
.. [1] B. Zhou et al., "Learning deep features for discriminative localization", CVPR 2016.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.contract import Classifier, Layer, Recipe
from sedbench.models.frontend import LogMel
from sedbench.models.recipes import read
from sedbench_plugins.poolings.lookup import pooling

CHANNELS = (16, 32, 64, 128)
POOLS = ((2, 2), (4, 1), (2, 1), (2, 1))  # (frequency, time)
DILATIONS = (1, 1, 1, 2)  # in time; the last block sees about a second
HOP = 0.05  # seconds
BANDS = 64


class MeanPool(nn.Module):
    """Clip logit = mean of the frame logits: global average pooling and a linear head."""

    def forward(self, frames: Tensor) -> Tensor:
        """Pool (batch, classes, frames) to (batch, classes)."""
        return frames.mean(-1)


class Standardise(nn.Module):
    """Per-band standardisation with the training split's mean and deviation."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))

    def forward(self, features: Tensor) -> Tensor:
        """Standardise (batch, bands, frames)."""
        return (features - self.mean[:, None]) / self.deviation[:, None]


class LogmelCnn(Classifier):
    """The classifier or one of its detectors.

    Parameters
    ----------
    classes : tuple of str
    sample_rate : int
        Hz.
    variant : str
        What pools the frames: the mean of the classifier, or a detector's.
    """

    def __init__(
        self, classes: tuple[str, ...], sample_rate: int, variant: str = "classifier"
    ) -> None:
        super().__init__()
        self.classes = classes
        self.sample_rate = sample_rate
        self.front = LogMel(sample_rate, window=1024, hop=round(HOP * sample_rate), bands=BANDS)
        self.standardise = Standardise(BANDS)
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        before = 1
        for i, (channels, pool, dilation) in enumerate(
            zip(CHANNELS, POOLS, DILATIONS, strict=True), start=1
        ):
            blocks[f"conv{i}"] = nn.Conv2d(
                before, channels, 3, padding=(1, dilation), dilation=(1, dilation), bias=False
            )
            blocks[f"bn{i}"] = nn.BatchNorm2d(channels)
            blocks[f"relu{i}"] = nn.ReLU()
            blocks[f"pool{i}"] = nn.AvgPool2d(pool)
            before = channels
        self.trunk = nn.Sequential(blocks)
        self.head = nn.Conv1d(before, len(classes), 1)
        self.pooling: nn.Module = (
            MeanPool()
            if variant == "classifier"
            else pooling(variant, before, len(classes), "logmel-cnn")
        )

    def features(self, waveform: Tensor) -> Tensor:
        """Log-mel spectrogram (batch, 64, frames)."""
        out: Tensor = self.front(waveform)
        return out

    def embeddings(self, features: Tensor) -> Tensor:
        """Embedding of each frame of 100 ms, (batch, 128, frames)."""
        x = self.standardise(features)[:, None].contiguous(memory_format=torch.channels_last)
        out: Tensor = self.trunk(x).mean(2)
        return out

    def frame_logits(self, features: Tensor) -> Tensor:
        """Frame logits (batch, classes, frames of 100 ms)."""
        out: Tensor = self.head(self.embeddings(features))
        return out

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        embeddings = self.embeddings(features)
        frames = self.head(embeddings)
        # The explained classifier's pooling is one of the modules that libraries follow, with
        # one input as they expect.
        of_mean = isinstance(self.pooling, MeanPool)
        out: Tensor = self.pooling(frames) if of_mean else self.pooling(frames, embeddings)
        return out

    def feature_mean(self) -> Tensor:
        """Return the training split's mean log-mel frame, shape (64,)."""
        return self.standardise.mean

    def fit_features(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over the training split's statistics of each band."""
        self.standardise.mean.copy_(mean)
        self.standardise.deviation.copy_(deviation.clamp_min(1e-3))

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the log-mel frames."""
        return self.front.edges(n_samples)

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the frame logits: the network pools time by two."""
        return self.feature_edges(n_samples)[::2]

    def layers(self) -> Mapping[str, Layer]:
        """Name the convolutions, in order; time is their last axis."""
        return {
            f"conv{i}": Layer(
                self.trunk.get_submodule(f"conv{i}"),
                HOP if i == 1 else 2 * HOP,
                HOP / 2 if i == 1 else HOP,
            )
            for i in range(1, len(CHANNELS) + 1)
        }

    def for_inference(self) -> LogmelCnn:
        """Fold each BatchNorm into the convolution before it."""
        fast = copy.deepcopy(self).eval()
        for i in range(1, len(CHANNELS) + 1):
            conv = fast.trunk.get_submodule(f"conv{i}")
            norm = fast.trunk.get_submodule(f"bn{i}")
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            fused = nn.utils.fusion.fuse_conv_bn_eval(conv, norm)
            setattr(fast.trunk, f"conv{i}", fused)
            setattr(fast.trunk, f"bn{i}", nn.Identity())
        for parameter in fast.parameters():
            parameter.requires_grad_(False)
        return _channels_last(fast)


def _channels_last(model: LogmelCnn) -> LogmelCnn:
    # PyTorch's own annotations leave out this argument.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


class LogmelCnnFamily:
    """Builds the classifier and its detectors."""

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> LogmelCnn:
        """Build an untrained network of one variant.

        Raises
        ------
        UnknownNameError
            There is no such variant.
        """
        return _channels_last(LogmelCnn(classes, sample_rate, variant))

    def recipe(self, variant: str) -> Recipe:
        """How each variant is trained."""
        return read(Path(__file__).parent / "recipes.toml", variant)
