"""YAMNet as classifiers: with its own classes, and with a head that is trained on a task.

Both share front end and trunk: waveform (batch, samples) at the task's rate -> log-mel
(batch, 64, frames of 10 ms) -> embeddings (batch, 1024, 2, frames of 0.32 s).

``Yamnet`` ends in the published output layer. As published, a patch of 0.96 s is scored on its
mean embedding and a clip's *probability* is the mean of its patches' (which do not overlap here;
published is a hop of half a patch, see :meth:`Yamnet.patch_scores`). The clip's logit is that
probability's logit, computed from the patches' log-probabilities, so that it neither saturates
nor loses its gradient. It is no linear function of the patches' logits: DeepLIFT, which follows
modules, is complete on ``YamnetHead`` (to 1e-6) and not on ``Yamnet``.

``YamnetHead`` ends in a linear layer of its own on standardised embeddings. As explained
classifier the layer stands on the embedding averaged over frequency and time, so that class
activation maps at the last layer are its frame logits; as framewise detector on the embedding of
each frame, and the frame logits are pooled over time (:mod:`sedbench_plugins.poolings`).
``HeadTraining`` is what training sees: frame embeddings, computed once a clip, go in, and only
the linear layer and what its pooling has to learn are learnt.

References
----------
.. [1] M. Plakal, D. Ellis, "YAMNet", in the TensorFlow model garden, 2019 (Apache-2.0).
.. [2] B. Zhou et al., "Learning deep features for discriminative localization", CVPR 2016.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.contract import Classifier, Layer, SharedTrunk
from sedbench_plugins.poolings.lookup import pooling
from sedbench_plugins.yamnet import asset
from sedbench_plugins.yamnet.frontend import HOP, WINDOW, Resample, YamnetLogMel, n_frames
from sedbench_plugins.yamnet.labels import display_names, outputs
from sedbench_plugins.yamnet.trunk import CHANNELS, PATCH, STRIDE, Trunk, tensor, trunk_state

LEAST_DEVIATION = 0.02  # of an embedding channel: one that training never woke must not shout
PRIOR = -3.0  # first bias of a head on frames: most classes are absent from most of them


class MeanProbability(nn.Module):
    """Clip probability = mean of the parts' probabilities; as a logit."""

    def forward(self, parts: Tensor) -> Tensor:
        """Pool logits (batch, classes, parts) to (batch, classes)."""
        log = nn.functional.logsigmoid
        return torch.logsumexp(log(parts), -1) - torch.logsumexp(log(-parts), -1)


class Pretrained(Classifier):
    """The front end and the frozen trunk.

    Parameters
    ----------
    classes : tuple of str
    sample_rate : int
        Of the task, Hz. Waveforms are resampled to 16 kHz inside.
    whole : bool
        Run the trunk over a clip in one piece, see :mod:`sedbench_plugins.yamnet.trunk`.
    """

    def __init__(self, classes: tuple[str, ...], sample_rate: int, whole: bool = False) -> None:
        super().__init__()
        self.classes = classes
        self.sample_rate = sample_rate
        self.resample = Resample(sample_rate)
        self.front = YamnetLogMel()
        self.trunk = Trunk(whole)
        self.over_frequency = nn.AvgPool2d((2, 1))

    def features(self, waveform: Tensor) -> Tensor:
        """Log-mel spectrogram (batch, 64, frames)."""
        out: Tensor = self.front(self.resample(waveform))
        return out

    def embeddings(self, features: Tensor) -> Tensor:
        """Embedding of each frame of 0.32 s, (batch, 1024, frames)."""
        out: Tensor = self.over_frequency(self.trunk(features)).squeeze(2)
        return out

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the log-mel frames."""
        return self.front.edges(self.resample.length(n_samples))

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the frame logits."""
        return self.trunk.edges(n_frames(self.resample.length(n_samples)))

    def layers(self) -> Mapping[str, Layer]:
        """Name the blocks' outputs, rectified, in order; ``layer14`` is the embedding."""
        return {
            name: Layer(module, stride, offset)
            for name, (module, stride, offset) in self.trunk.times().items()
        }

    def for_inference(self) -> Self:
        """Fold each BatchNorm into the convolution before it."""
        fast = copy.deepcopy(self).eval()
        fast.trunk.fold()
        for parameter in fast.parameters():
            parameter.requires_grad_(False)
        # PyTorch's own annotations leave out this argument.
        fast.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return fast

    def load_trunk(self, arrays: asset.Arrays) -> None:
        """Take over the published trunk."""
        self.trunk.load_state_dict(trunk_state(arrays))


class Yamnet(Pretrained):
    """YAMNet with its own classes; a task's labels are looked up among them."""

    def __init__(self, classes: tuple[str, ...], sample_rate: int, whole: bool = False) -> None:
        super().__init__(classes, sample_rate, whole)
        self.outputs = outputs(classes)
        # A part of the clip is a patch; in one piece it is a frame.
        self.over_part = nn.AvgPool2d((2, 1 if whole else PATCH // STRIDE))
        self.head = nn.Conv1d(CHANNELS, len(display_names()), 1)
        self.pooling = MeanProbability()

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        parts = self.head(self.over_part(self.trunk(features)).squeeze(2))
        return self._classes(self.pooling(parts))

    def frame_logits(self, features: Tensor) -> Tensor:
        """Frame logits (batch, classes, frames of 0.32 s)."""
        return self._classes(self.head(self.embeddings(features)))

    def _classes(self, logits: Tensor) -> Tensor:
        return torch.stack([logits[:, list(own)].amax(1) for own in self.outputs], 1)

    def load_trained(self, state: Mapping[str, Tensor]) -> None:
        """Take over the published weights; ``state`` is empty."""
        arrays = asset.arrays()
        self.load_trunk(arrays)
        self.head.load_state_dict(
            {"weight": tensor(arrays["54.kernel"].T)[..., None], "bias": tensor(arrays["54.bias"])}
        )

    def patch_scores(self, waveform: Tensor, hop: int = PATCH // 2) -> Tensor:
        """Scores of overlapping patches, exactly as published.

        Parameters
        ----------
        waveform : Tensor, shape (samples,)
            Completed with silence, so that its end is within a patch.
        hop : int
            Log-mel frames from patch to patch.

        Returns
        -------
        Tensor, shape (patches, 521)
            Probabilities.
        """
        signal = self.resample(waveform[None])
        least = (PATCH - 1) * HOP + WINDOW
        excess = max(0, signal.shape[-1] - least)
        total = least + math.ceil(excess / (hop * HOP)) * hop * HOP
        signal = nn.functional.pad(signal, (0, total - signal.shape[-1]))
        patches = self.front(signal)[0].unfold(1, PATCH, hop).transpose(0, 1)
        pooled = self.trunk(patches).mean((2, 3))
        return torch.sigmoid(self.head(pooled[..., None]).squeeze(-1))


class Head(nn.Module):
    """A linear layer on embeddings that are standardised channel by channel."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, classes: int, prior: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("deviation", torch.ones(CHANNELS))
        self.linear = nn.Conv1d(CHANNELS, classes, 1)
        nn.init.constant_(_bias(self.linear), prior)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Logits (batch, classes, frames) of embeddings (batch, 1024, frames)."""
        standard = (embeddings - self.mean[:, None]) / self.deviation[:, None]
        out: Tensor = self.linear(standard)
        return out

    @torch.no_grad()
    def fold(self) -> nn.Conv1d:
        """One linear layer that does the same."""
        folded = copy.deepcopy(self.linear)
        folded.weight.div_(self.deviation[:, None])
        _bias(folded).sub_(folded.weight[..., 0] @ self.mean)
        return folded


def _bias(layer: nn.Conv1d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


class YamnetHead(Pretrained):
    """The frozen trunk and a linear head.

    Parameters
    ----------
    classes : tuple of str
    sample_rate : int
    variant : str
        What pools the frame logits; the explained classifier averages the embeddings instead.
    whole : bool
    """

    head: nn.Module

    def __init__(
        self,
        classes: tuple[str, ...],
        sample_rate: int,
        variant: str = "classifier",
        whole: bool = False,
    ) -> None:
        super().__init__(classes, sample_rate, whole)
        framewise = variant != "classifier"
        self.over_all = nn.AdaptiveAvgPool2d(1)
        self.head = Head(len(classes), PRIOR if framewise else 0.0)
        self.pooling = (
            pooling(variant, CHANNELS, len(classes), "yamnet-head") if framewise else None
        )

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        if self.pooling is None:
            pooled = self.over_all(self.trunk(features)).flatten(2)
            out: Tensor = self.head(pooled).squeeze(-1)
        else:
            embeddings = self.embeddings(features)
            out = self.pooling(self.head(embeddings), embeddings)
        return out

    def frame_logits(self, features: Tensor) -> Tensor:
        """Frame logits (batch, classes, frames of 0.32 s)."""
        out: Tensor = self.head(self.embeddings(features))
        return out

    def shared_trunk(self) -> SharedTrunk | None:
        """The trunk under the folded head; None before it is folded."""
        if not isinstance(self.head, nn.Conv1d):
            return None
        return SharedTrunk(self.embeddings, self.head.weight[..., 0], _bias(self.head))

    def load_trained(self, state: Mapping[str, Tensor]) -> None:
        """Load the trunk from the fetched file, head and pooling from a weight file."""
        self.load_trunk(asset.arrays())
        pooled = {k: v for k, v in state.items() if k.startswith("pooling.")}
        head = {k.removeprefix("head."): v for k, v in state.items() if k not in pooled}
        self.head.load_state_dict(head)
        if self.pooling is not None:
            self.pooling.load_state_dict({k.removeprefix("pooling."): pooled[k] for k in pooled})

    def for_inference(self) -> Self:
        """Fold BatchNorms, and the standardisation into the head."""
        fast = super().for_inference()
        if isinstance(fast.head, Head):
            fast.head = fast.head.fold().requires_grad_(False)
        return fast


class HeadTraining(Classifier):
    """What training sees: embeddings of the frozen trunk as features, and the head.

    Parameters
    ----------
    model : YamnetHead
        With the published trunk. Its head is the one that is trained.
    """

    def __init__(self, model: YamnetHead) -> None:
        super().__init__()
        self.classes = model.classes
        self.sample_rate = model.sample_rate
        self.head = model.head
        self.pooling = model.pooling
        self._frozen = (model.for_inference(),)  # in a tuple: no part of the state

    def features(self, waveform: Tensor) -> Tensor:
        """Embeddings (batch, 1024, frames of 0.32 s)."""
        (model,) = self._frozen
        return model.embeddings(model.features(waveform))

    def frame_logits(self, features: Tensor) -> Tensor:
        """Frame logits (batch, classes, frames)."""
        out: Tensor = self.head(features)
        return out

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        if self.pooling is None:
            return self.frame_logits(features.mean(-1, keepdim=True)).squeeze(-1)
        out: Tensor = self.pooling(self.frame_logits(features), features)
        return out

    def fit_features(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over the training split's mean and deviation of each channel."""
        assert isinstance(self.head, Head)
        self.head.mean.copy_(mean)
        self.head.deviation.copy_(deviation.clamp_min(LEAST_DEVIATION))
        if self.pooling is not None:
            self.pooling.fit(mean, deviation)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the embeddings."""
        return self._frozen[0].frame_edges(n_samples)

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the frame logits."""
        return self._frozen[0].frame_edges(n_samples)
