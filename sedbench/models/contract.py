"""What a classifier must offer to be explained, and what a model family must offer to be used.

A classifier maps a waveform to *features* (what a listener of the model would see, usually
a log-mel spectrogram) and features to one *logit* per class. Everything is differentiable
from the waveform. Probabilities are the sigmoid of logits: classes are not exclusive.

Attribution libraries silently go wrong on some constructions, so every ReLU is a module
that is used once and not in place, and layers are registered in the order of execution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import NotApplicable
from sedbench.models.augment import Augment

PRECISIONS = ("float32", "bfloat16")
CLASS_WEIGHTS = ("none", "balanced")


@dataclass(frozen=True)
class Layer:
    """A layer that methods may look into, with the time its outputs stand for.

    Attributes
    ----------
    module : torch.nn.Module
        Its output has time as the last axis.
    stride, offset : float
        Output frame ``i`` is centred at ``offset + i * stride`` seconds.
    """

    module: nn.Module
    stride: float
    offset: float


@dataclass(frozen=True)
class SharedTrunk:
    """What a linear head stands on, and other heads too.

    Frame logits are ``weight @ embeddings + bias``, frame by frame.

    Attributes
    ----------
    embeddings : callable
        From features (batch, bands, frames) to embeddings (batch, channels, frames).
    weight : Tensor, shape (classes, channels)
    bias : Tensor, shape (classes,)
    """

    embeddings: Callable[[Tensor], Tensor]
    weight: Tensor
    bias: Tensor


class Classifier(nn.Module, ABC):
    """Base class of classifiers and framewise detectors.

    Attributes
    ----------
    classes : tuple of str
        One logit each, in this order.
    sample_rate : int
        Hz; waveforms are expected at this rate.
    """

    classes: tuple[str, ...]
    sample_rate: int

    @abstractmethod
    def features(self, waveform: Tensor) -> Tensor:
        """Features of a batch of waveforms.

        Parameters
        ----------
        waveform : Tensor, shape (batch, samples)

        Returns
        -------
        Tensor, shape (batch, bands, frames)
        """

    @abstractmethod
    def logits(self, features: Tensor) -> Tensor:
        """Clip logits, shape (batch, classes), of features (batch, bands, frames)."""

    def frame_logits(self, features: Tensor) -> Tensor:
        """Frame logits, shape (batch, classes, frames), where the model has them.

        Raises
        ------
        NotApplicable
            The model pools time before it separates the classes.
        """
        raise NotApplicable(f"{type(self).__name__} has no frame logits")

    def shared_trunk(self) -> SharedTrunk | None:
        """Tell what a linear head on a frozen trunk stands on; None for any other model."""
        return None

    @abstractmethod
    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the feature frames in seconds, shape (frames + 1,)."""

    @abstractmethod
    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the frame logits in seconds, shape (frames + 1,)."""

    def feature_mean(self) -> Tensor:
        """Return the training split's mean feature frame, shape (bands,).

        Raises
        ------
        NotApplicable
            The model keeps no such mean.
        """
        raise NotApplicable(f"{type(self).__name__} keeps no mean of its features")

    def fit_features(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over the training split's mean and deviation of each band, before training."""

    def load_trained(self, state: Mapping[str, Tensor]) -> None:
        """Take over the content of a weight file.

        A model on a frozen pretrained trunk loads the trunk from the fetched file first, and
        then its head from ``state``, which is empty where nothing was trained.

        Raises
        ------
        RuntimeError
            The tensors do not fit.
        MissingDataError
            The pretrained file has to be fetched first.
        """
        self.load_state_dict(state)

    def layers(self) -> Mapping[str, Layer]:
        """Named layers that methods may look into, in order of execution."""
        return {}

    def for_inference(self) -> Classifier:
        """Return an equivalent model that runs faster, for instance with BatchNorm folded."""
        return self

    def forward(self, waveform: Tensor) -> Tensor:
        """Clip logits of waveforms, shape (batch, classes)."""
        return self.logits(self.features(waveform))


@dataclass(frozen=True)
class Recipe:
    """How a variant is trained.

    Attributes
    ----------
    labels : {"clip", "frame"}
        What the loss sees. A variant with clip labels never reads frame labels.
    epochs, batch : int
    learning_rate : float
        Peak of a one-cycle schedule (AdamW).
    weight_decay : float
    patience : int
        Epochs without improvement on validation before training stops.
    smoothing : float
        Label smoothing of the binary targets.
    positive_weight : float
        Weight of an active target in the loss: most targets are inactive, and decisions are
        made at one half.
    class_weights : {"none", "balanced"}
        ``balanced``: each class has a weight of its own besides, see
        :func:`sedbench.models.loss.class_weights`.
    ema : float
        Decay of an exponential moving average of the weights, which is then what is validated
        and kept; 0 for none.
    precision : {"float32", "bfloat16"}
        Of the forward pass in training; validation is in single precision.
    augment : Augment
        What is done to training examples; nothing unless given.
    """

    labels: Literal["clip", "frame"] = "clip"
    epochs: int = 24
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    patience: int = 8
    smoothing: float = 0.0
    positive_weight: float = 1.0
    class_weights: Literal["none", "balanced"] = "none"
    ema: float = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    augment: Augment = field(default_factory=Augment)


@runtime_checkable
class ModelFamily(Protocol):
    """A plugin's product: builds untrained classifiers of one architecture."""

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> Classifier:
        """Build an untrained network, all of it random.

        Parameters
        ----------
        variant : str
            One of the family's declared variants.
        classes : tuple of str
        sample_rate : int
            Hz.

        Notes
        -----
        A family on a frozen trunk may also have ``trainable`` with the same parameters: what
        training sees. Its features are the trunk's embeddings, computed once a clip, and its
        state is what a weight file holds. See :func:`trainable`.
        """
        ...

    def recipe(self, variant: str) -> Recipe:
        """How that variant is trained."""
        ...


def trainable(
    family: ModelFamily, variant: str, classes: tuple[str, ...], sample_rate: int
) -> Classifier:
    """Build what training sees: the whole network, or the head on a frozen trunk."""
    build = getattr(family, "trainable", family.build)
    made: Classifier = build(variant, classes, sample_rate)
    return made


def probabilities(
    model: Classifier, waveforms: NDArray[np.float32], device: str = "cpu", batch: int = 8
) -> NDArray[np.float32]:
    """Clip probabilities in fixed batches, so that the bits do not depend on the caller.

    Parameters
    ----------
    model : Classifier
        In eval mode.
    waveforms : ndarray, shape (clips, samples)
    device : str
    batch : int

    Returns
    -------
    ndarray, shape (clips, classes), float32
    """
    out = [
        torch.sigmoid(model(torch.from_numpy(waveforms[i : i + batch]).to(device))).cpu().numpy()
        for i in range(0, len(waveforms), batch)
    ]
    return np.concatenate(out) if out else np.zeros((0, len(model.classes)), np.float32)
