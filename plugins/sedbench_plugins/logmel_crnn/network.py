"""The network: four conv blocks, a bidirectional GRU, a linear head per frame, a pooling over time.

Shapes at 16 kHz and 10 s: waveform (batch, 160000) -> log-mel (batch, 64, 200), 50 ms hop ->
trunk (batch, 96, 1, 100), 100 ms a frame, no frequency left -> GRU (batch, 128, 100) -> frame
logits (batch, classes, 100) -> clip logits.

The convolutions of a frame hear about 0.8 s. **The GRU hears the whole clip in every frame**: a
frame logit has its place in time by what was learnt, not by construction. What is declared of
times (:meth:`LogmelCrnn.frame_edges`, :meth:`LogmelCrnn.layers`) is the grid, as elsewhere.

References
----------
.. [1] E. Cakir et al., "Convolutional recurrent neural networks for polyphonic sound event
   detection", IEEE/ACM TASLP 25, 2017, arXiv 1702.06286.
.. [2] N. Turpault, R. Serizel, A. Parag Shah, J. Salamon, "Sound event detection in domestic
   environments with weakly labeled data and soundscape synthesis", DCASE workshop 2019.
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
from sedbench_plugins.logmel_cnn.network import BANDS, HOP, MeanPool, Standardise
from sedbench_plugins.logmel_crnn.blocks import BothWays, Glu
from sedbench_plugins.poolings.lookup import pooling

CHANNELS = (16, 32, 64, 96)
POOLS = ((2, 2), (4, 1), (2, 1), (4, 1))  # (frequency, time); 64 bands become one
UNITS = 64  # of the GRU, in each direction


class LogmelCrnn(Classifier):
    """The classifier or one of its detectors.

    Parameters
    ----------
    classes : tuple of str
    sample_rate : int
        Hz.
    variant : str
        What pools the frames: the mean of the classifier, or a detector's.
    name : str
        The family's, for messages.
    activation : {"glu", "relu"}
        What follows each convolution and its BatchNorm.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        sample_rate: int,
        variant: str = "classifier",
        name: str = "logmel-crnn",
        activation: str = "glu",
    ) -> None:
        super().__init__()
        self.classes = classes
        self.sample_rate = sample_rate
        self.front = LogMel(sample_rate, window=1024, hop=round(HOP * sample_rate), bands=BANDS)
        self.standardise = Standardise(BANDS)
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        before = 1
        for i, (channels, pool) in enumerate(zip(CHANNELS, POOLS, strict=True), start=1):
            blocks[f"conv{i}"] = nn.Conv2d(before, channels, 3, padding=1, bias=False)
            blocks[f"bn{i}"] = nn.BatchNorm2d(channels)
            blocks[f"{activation}{i}"] = Glu(channels) if activation == "glu" else nn.ReLU()
            blocks[f"pool{i}"] = nn.AvgPool2d(pool)
            before = channels
        self.activation = activation
        self.trunk = nn.Sequential(blocks)
        self.recurrent = BothWays(before, UNITS)
        self.head = nn.Conv1d(2 * UNITS, len(classes), 1)
        self.pooling: nn.Module = (
            MeanPool()
            if variant == "classifier"
            else pooling(variant, 2 * UNITS, len(classes), name)
        )

    def features(self, waveform: Tensor) -> Tensor:
        """Log-mel spectrogram (batch, 64, frames)."""
        out: Tensor = self.front(waveform)
        return out

    def embeddings(self, features: Tensor) -> Tensor:
        """Embedding of each frame of 100 ms, in its whole clip, (batch, 128, frames)."""
        x = self.standardise(features)[:, None].contiguous(memory_format=torch.channels_last)
        out: Tensor = self.recurrent(self.trunk(x).squeeze(2))
        return out

    def frame_logits(self, features: Tensor) -> Tensor:
        """Frame logits (batch, classes, frames of 100 ms)."""
        out: Tensor = self.head(self.embeddings(features))
        return out

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        embeddings = self.embeddings(features)
        frames = self.head(embeddings)
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
        """Name what each block puts out, behind its gate or ReLU, in order.

        The GRU is none of them: its frames hear the whole clip, so that a map of them would say
        where the network remembers, and not where it heard.
        """
        return {
            f"block{i}": Layer(
                self.trunk.get_submodule(f"{self.activation}{i}"),
                HOP if i == 1 else 2 * HOP,
                HOP / 2 if i == 1 else HOP,
            )
            for i in range(1, len(CHANNELS) + 1)
        }

    def for_inference(self) -> LogmelCrnn:
        """Fold each BatchNorm into the convolution before it."""
        fast = copy.deepcopy(self).eval()
        for i in range(1, len(CHANNELS) + 1):
            conv = fast.trunk.get_submodule(f"conv{i}")
            norm = fast.trunk.get_submodule(f"bn{i}")
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                fused = nn.utils.fusion.fuse_conv_bn_eval(conv, norm)
                setattr(fast.trunk, f"conv{i}", fused)
                setattr(fast.trunk, f"bn{i}", nn.Identity())
        for parameter in fast.parameters():
            parameter.requires_grad_(False)
        return _channels_last(fast)


def _channels_last(model: LogmelCrnn) -> LogmelCrnn:
    # PyTorch's own annotations leave out this argument.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


class LogmelCrnnFamily:
    """Builds the classifier and its detectors.

    Parameters
    ----------
    name : str
        The family's, for messages.
    activation : {"glu", "relu"}
    """

    def __init__(self, name: str, activation: str) -> None:
        self.name, self.activation = name, activation

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> LogmelCrnn:
        """Build an untrained network of one variant.

        Raises
        ------
        UnknownNameError
            There is no such variant.
        """
        return _channels_last(LogmelCrnn(classes, sample_rate, variant, self.name, self.activation))

    def recipe(self, variant: str) -> Recipe:
        """How each variant is trained."""
        return read(Path(__file__).parent / "recipes.toml", variant)
