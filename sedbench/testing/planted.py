"""A classifier of which it is known what it hears: two convolutions with weights that are planted.

    waveform -> level in 8 bands, frames of 0.1 s -> conv, BatchNorm, ReLU -> conv over all bands,
    BatchNorm, ReLU -> mean over time -> linear head -> logits

What is softer than a threshold is not heard at all, and every class rises with whatever is louder:
a click lifts every logit, and does so in the frame that it lies in. Each class has ears for
some bands more than for others. The network has what attribution libraries need (every ReLU a
module of its own, layers in the order of execution) and what they stumble over (BatchNorm that is
not folded). It takes a few milliseconds and no weight file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.contract import Classifier, Layer, Recipe
from sedbench.models.store import ModelHandle
from sedbench.types import MethodInfo, ParamValue

BANDS = 8
WIDTH = 4
CLASSES = ("Bark", "Chime", "Drip")
RATE = 2000  # Hz
FRAME = 0.1  # seconds
GAIN = 30.0  # of the bands' levels: a sound of -20 dBFS comes out near one
THRESHOLD = 0.3
FLOOR = 1e-5  # of a band's level


class Planted(Classifier):
    """The classifier, or a framewise detector: the same with the largest frame logit.

    Parameters
    ----------
    classes : tuple of str
    sample_rate : int
        Hz.
    frame : float
        Seconds; one feature frame, and one frame of each layer.
    framewise : bool
        Pool frame logits by their maximum instead of their mean.
    width : int
        Channels of the first convolution.
    """

    matrix: Tensor

    def __init__(
        self,
        classes: tuple[str, ...] = CLASSES,
        sample_rate: int = RATE,
        *,
        frame: float = FRAME,
        framewise: bool = False,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        self.classes, self.sample_rate = classes, sample_rate
        self.hop, self.framewise = round(frame * sample_rate), framewise
        self.register_buffer("matrix", _bands(self.hop), persistent=False)
        self.conv1 = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, 2 * BANDS, (BANDS, 3), padding=(0, 1), bias=False)
        self.bn2 = nn.BatchNorm2d(2 * BANDS)
        self.relu2 = nn.ReLU()
        self.head = nn.Linear(2 * BANDS, len(classes))

    @property
    def frame(self) -> float:
        """Seconds a frame."""
        return self.hop / self.sample_rate

    def features(self, waveform: Tensor) -> Tensor:
        """Level of each band, (batch, 8, frames)."""
        frames = waveform.shape[-1] // self.hop
        cut = waveform[..., : frames * self.hop].reshape(len(waveform), frames, self.hop)
        spectrum = torch.fft.rfft(cut)
        power = (spectrum.real.square() + spectrum.imag.square()) @ self.matrix.T
        return GAIN * torch.sqrt(power + FLOOR**2).transpose(1, 2)

    def _trunk(self, features: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(features[:, None])))
        out: Tensor = self.relu2(self.bn2(self.conv2(x)))
        return out

    def frame_logits(self, features: Tensor) -> Tensor:
        """Frame logits (batch, classes, frames)."""
        out: Tensor = self.head(self._trunk(features).mean(2).transpose(1, 2))
        return out.transpose(1, 2)

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        if self.framewise:
            return self.frame_logits(features).amax(-1)
        out: Tensor = self.head(self._trunk(features).mean((2, 3)))
        return out

    def feature_mean(self) -> Tensor:
        """Mean features of a soft noise, shape (8,)."""
        return torch.full((BANDS,), THRESHOLD / 4, device=self.matrix.device)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the frames."""
        frames = np.arange(n_samples // self.hop + 1, dtype=np.float64)
        return np.asarray(frames * self.hop / self.sample_rate)

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the frame logits: those of the features."""
        return self.feature_edges(n_samples)

    def layers(self) -> Mapping[str, Layer]:
        """Both convolutions."""
        middle = self.frame / 2
        return {
            "conv1": Layer(self.conv1, self.frame, middle),
            "conv2": Layer(self.conv2, self.frame, middle),
        }

    @torch.no_grad()
    def load_trained(self, state: Mapping[str, Tensor]) -> None:
        """Plant the weights, whatever is given."""
        rng, width = np.random.default_rng(5), len(self.conv1.weight)

        def some(*shape: int) -> Tensor:
            return torch.from_numpy(rng.uniform(0.5, 1.0, shape).astype(np.float32))

        for norm, threshold in ((self.bn1, THRESHOLD), (self.bn2, THRESHOLD / 2)):
            assert norm.running_mean is not None
            norm.reset_parameters()
            norm.running_mean.fill_(threshold)
        # Neighbours count a little, the cell itself most: a peak stays where it is.
        self.conv1.weight.copy_(0.04 * some(*self.conv1.weight.shape))
        self.conv1.weight[:, :, 1, 1] = some(width, 1)
        self.conv2.weight.copy_(0.01 * some(*self.conv2.weight.shape))
        self.conv2.weight[..., 1] += 0.05 * some(2 * BANDS, width, BANDS)
        for channel in range(2 * BANDS):
            self.conv2.weight[channel, :, channel % BANDS, 1] += 0.5
        self.head.weight.copy_(0.2 * some(*self.head.weight.shape))
        for label in range(len(self.classes)):
            self.head.weight[label, label % BANDS :: BANDS] += 1.0
        self.head.bias.fill_(-0.1)


class PlantedFamily:
    """Builds planted classifiers, and detectors under whatever name they are asked for.

    Parameters
    ----------
    frame : float
        Seconds.
    loudest : bool
        The classifier too pools by the maximum over time.
    width : int
        Channels of the first convolution.
    """

    def __init__(self, frame: float = FRAME, loudest: bool = False, width: int = WIDTH) -> None:
        self.frame, self.loudest, self.width = frame, loudest, width

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> Planted:
        """Build a network with random weights."""
        framewise = self.loudest or variant != "classifier"
        return Planted(
            classes, sample_rate, frame=self.frame, framewise=framewise, width=self.width
        )

    def recipe(self, variant: str) -> Recipe:
        """How it would be trained."""
        return Recipe()


@dataclass
class PlantedHandle(ModelHandle):
    """A planted model as a method sees it, which notes what is read of it.

    Attributes
    ----------
    read : set of str
        Variants that were asked for.
    teach : callable, optional
        Gives what a method has learnt of it, from the method's parameters that change that.
    """

    read: set[str] = field(default_factory=set)
    teach: Callable[..., dict[str, Tensor]] | None = None

    def variant(self, variant: str) -> Classifier:
        """Note the variant, and build it."""
        self.read.add(variant)
        return super().variant(variant)

    def learned(self, info: MethodInfo, **params: ParamValue) -> dict[str, Tensor]:
        """Give what the method has learnt of it."""
        if self.teach is None:
            return super().learned(info, **params)
        return self.teach(self, **params)

    def randomised(self, seed: int) -> Classifier:
        """Note the classifier, and build one with random weights."""
        self.read.add(self.variants[0])
        return super().randomised(seed)


def planted(
    classes: Sequence[str] = CLASSES,
    sample_rate: int = RATE,
    *,
    frame: float = FRAME,
    variants: Sequence[str] = (),
    loudest: bool = False,
    width: int = WIDTH,
) -> PlantedHandle:
    """Make a planted model as a method sees it.

    Parameters
    ----------
    classes : sequence of str
    sample_rate : int
        Hz.
    frame : float
        Seconds a frame.
    variants : sequence of str
        Detectors that it has beside its classifier.
    loudest : bool
        The classifier too pools by the maximum over time.
    width : int
        Channels of the first convolution: what decides how much memory a pass takes.
    """
    return PlantedHandle(
        "planted",
        "planted",
        tuple(classes),
        sample_rate,
        0,
        "cpu",
        ("classifier", *variants),
        lambda: PlantedFamily(frame, loudest, width),
        trains=False,
    )


def _bands(hop: int) -> Tensor:
    """From the power of each bin to that of each band, (bands, bins): mean square of the signal."""
    bins = hop // 2 + 1
    matrix = np.zeros((BANDS, bins), np.float32)
    for band, own in enumerate(np.array_split(np.arange(bins), BANDS)):
        matrix[band, own] = 2.0 / hop**2
    return torch.from_numpy(matrix)
