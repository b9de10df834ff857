"""CNN14 as classifiers: with its own classes, and with a head that is trained on a task.

``Cnn14`` ends in the rows of the published output layer that belong to the task's labels.
``Cnn14Head`` ends in a linear layer of its own. As explained classifier that layer stands on
the clip's embedding, as in the study; as framewise detector on the embedding of each frame,
and the frame logits are then pooled over time (:mod:`sedbench_plugins.poolings`).
``HeadTraining`` is what training sees of it: frames of the trunk, computed once a clip, go in, and
only the linear layer and what its pooling has to learn are learnt.

Time
----
Mel frame ``i`` is centred at ``i * 10 ms``. Five poolings by two leave frames of 32 mel
frames: frame ``j`` stands for ``[0.32 j - 0.005, 0.32 j + 0.315]`` seconds, the first one from
0. Of 10 s, 1001 mel frames become 31 frames that end at 9.915 s; the 9 mel frames behind that
are only seen by the convolutions, and the last frame's value is taken to hold to the end.

References
----------
.. [1] Q. Kong et al., "PANNs: large-scale pretrained audio neural networks for audio pattern
   recognition", IEEE/ACM TASLP 28, 2020, arXiv 1912.10211.
.. [2] Dumpis, Virtanen, "Evaluating the Temporal Detection Capability of Integrated
   Gradients Applied on Sound Classifier", arXiv 2605.23293, 2026.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import DataError, NotApplicable
from sedbench.models.contract import Classifier, Layer
from sedbench_plugins.cnn14.asset import PUBLISHED, Asset
from sedbench_plugins.cnn14.frontend import (
    HOP,
    RATE,
    LogMelDecibels,
    Resample,
    frames_of,
    mel_edges,
)
from sedbench_plugins.cnn14.labels import class_indices
from sedbench_plugins.cnn14.network import STRIDE, Body
from sedbench_plugins.poolings.lookup import pooling


class Pretrained(Classifier):
    """The front end and the frozen trunk, which both models share.

    Parameters
    ----------
    classes : tuple of str
    sample_rate : int
        Of the task, Hz. Waveforms are resampled to 32 kHz inside.
    asset : Asset
        The checkpoint that :meth:`load_trained` reads.
    """

    def __init__(
        self, classes: tuple[str, ...], sample_rate: int, asset: Asset = PUBLISHED
    ) -> None:
        super().__init__()
        self.classes = classes
        self.sample_rate = sample_rate
        self.asset = asset
        self.resample = Resample(sample_rate, RATE)
        self.front = LogMelDecibels()
        self.body = Body(asset.widths).requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Switch to training or back; the trunk is frozen and stays in eval mode."""
        super().train(mode)
        self.body.eval()
        return self

    def features(self, waveform: Tensor) -> Tensor:
        """Log-mel spectrogram in dB (batch, 64, frames of 10 ms).

        Raises
        ------
        DataError
            The clip is too short for a single frame of the trunk.
        """
        samples = waveform.shape[-1]
        if frames_of(self.resample.length(samples)) < STRIDE:
            raise DataError(
                f"a clip of {samples / self.sample_rate:.3f} s is too short for CNN14",
                f"it needs {(STRIDE - 1) * HOP / RATE:.2f} s",
            )
        out: Tensor = self.front(self.resample(waveform))
        return out

    def feature_mean(self) -> Tensor:
        """Return the mean log-mel frame (64,) of AudioSet, on which the trunk was trained."""
        assert self.body.bn0.running_mean is not None
        return self.body.bn0.running_mean

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the mel frames: 10 ms each, the first and the last cut off."""
        return mel_edges(self.resample.length(n_samples), n_samples / self.sample_rate)

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the trunk's frames: 32 mel frames each."""
        return self.feature_edges(n_samples)[::STRIDE]

    def layers(self) -> Mapping[str, Layer]:
        """Name the convolutions, in order; time is their last axis."""
        found = {}
        for i, block in enumerate(self.body.blocks()):
            pooled = 2**i  # mel frames in a frame of this block
            for j in (1, 2):
                found[f"conv_block{i + 1}.conv{j}"] = Layer(
                    block.get_submodule(f"conv{j}"),
                    pooled * HOP / RATE,
                    (pooled - 1) / 2 * HOP / RATE,
                )
        return found

    def for_inference(self) -> Self:
        """Fold each BatchNorm behind a convolution into it."""
        # The kernels are replaced, so the copy need not have its own before that.
        kernels = [p for p in self.body.parameters() if p.ndim == 4]
        fast = copy.deepcopy(self, {id(p): p for p in kernels}).eval()
        for block in fast.body.blocks():
            block.fold()
        for parameter in fast.parameters():
            parameter.requires_grad_(False)
        return fast


class Cnn14(Pretrained):
    """CNN14 with its own output layer, of which a task's classes are taken.

    Raises
    ------
    UnknownNameError
        A label is none of AudioSet's display names.
    """

    def __init__(
        self, classes: tuple[str, ...], sample_rate: int, asset: Asset = PUBLISHED
    ) -> None:
        super().__init__(classes, sample_rate, asset)
        self.rows = class_indices(classes)
        self.fc_audioset = nn.Linear(self.body.width, len(classes))
        nn.init.xavier_uniform_(self.fc_audioset.weight)
        nn.init.zeros_(self.fc_audioset.bias)

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        out: Tensor = self.fc_audioset(self.body.clip_embedding(self.body.frames(features)))
        return out

    def load_trained(self, state: Mapping[str, Tensor]) -> None:
        """Load the fetched checkpoint; nothing is trained, so ``state`` is empty."""
        published = self.asset.tensors()
        self.body.load_published(published)
        self.fc_audioset.load_state_dict(
            {part: published[f"fc_audioset.{part}"][self.rows] for part in ("weight", "bias")}
        )


class Cnn14Head(Pretrained):
    """A linear head on the frozen trunk.

    Parameters
    ----------
    classes : tuple of str
    sample_rate : int
    variant : str
        What pools the frame logits; the explained classifier pools the frames as CNN14 itself
        does, before there are classes.
    asset : Asset
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        sample_rate: int,
        variant: str = "classifier",
        asset: Asset = PUBLISHED,
    ) -> None:
        super().__init__(classes, sample_rate, asset)
        self.head = nn.Linear(self.body.width, len(classes))
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.pooling = (
            None
            if variant == "classifier"
            else pooling(variant, self.body.width, len(classes), "cnn14-head")
        )

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        return self.clips(self.body.frames(features))

    def frame_logits(self, features: Tensor) -> Tensor:
        """Frame logits (batch, classes, frames of 0.32 s) of a framewise variant."""
        return self.each(self.body.frames(features))

    def clips(self, frames: Tensor) -> Tensor:
        """Clip logits (batch, classes) of the trunk's frames (batch, width, frames)."""
        if self.pooling is not None:
            embeddings = self.body.frame_embeddings(frames)
            each = self.head(embeddings).transpose(1, 2)
            return self.pooling(each, embeddings.transpose(1, 2))  # type: ignore[no-any-return]
        return self.head(self.body.clip_embedding(frames))  # type: ignore[no-any-return]

    def each(self, frames: Tensor) -> Tensor:
        """Frame logits (batch, classes, frames) of the trunk's frames (batch, width, frames).

        Raises
        ------
        NotApplicable
            The explained classifier pools time before it separates the classes.
        """
        if self.pooling is None:
            raise NotApplicable("CNN14 pools time before it separates the classes")
        out: Tensor = self.head(self.body.frame_embeddings(frames))
        return out.transpose(1, 2)

    def load_trained(self, state: Mapping[str, Tensor]) -> None:
        """Load the trunk from the fetched checkpoint and the head from a weight file."""
        self.body.load_published(self.asset.tensors())
        HeadTraining(self).load_state_dict(state)


class HeadTraining(Classifier):
    """What training sees of a :class:`Cnn14Head`: frames of the trunk in, a linear layer learnt.

    Its state, parameters and gradients are those of the head alone; the trunk only moves with
    it from device to device. All variants have the same features, computed once a clip.

    Parameters
    ----------
    whole : Cnn14Head
    """

    def __init__(self, whole: Cnn14Head) -> None:
        super().__init__()
        self.classes, self.sample_rate = whole.classes, whole.sample_rate
        self.head, self.pooling = whole.head, whole.pooling
        self._whole = (whole,)  # in a tuple, which torch does not look into

    @property
    def whole(self) -> Cnn14Head:
        """The model that is trained."""
        return self._whole[0]

    def features(self, waveform: Tensor) -> Tensor:
        """Frames of the trunk (batch, 2048, frames of 0.32 s)."""
        # A few clips at once: each takes 16 MB a layer of the first block.
        parts = torch.split(waveform, 4)
        return torch.cat([self.whole.body.frames(self.whole.features(part)) for part in parts])

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        return self.whole.clips(features)

    def frame_logits(self, features: Tensor) -> Tensor:
        """Frame logits (batch, classes, frames)."""
        return self.whole.each(features)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the trunk's frames."""
        return self.whole.frame_edges(n_samples)

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the trunk's frames."""
        return self.whole.frame_edges(n_samples)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        self.whole._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
