"""Any network as a classifier: from waveforms to logits, with classes and a rate of its own.

Three things are put around it. Waveforms are *resampled* from the task's rate to the network's. Of
its outputs the *classes* of the task are taken, by name. And it gets *features*: where nothing
else is given they are the samples themselves in frames of 10 ms, so that whatever explains features
explains the waveform; with a front end of its own, a spectrogram that the network takes in.

A network's output may be a tensor, or an object with ``logits``, as those of the Transformers
library are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import UsageError
from sedbench.models.contract import Classifier, Layer

FRAME = 0.01  # seconds


class Wrapped(Classifier):
    """A network, with what a method expects of a classifier.

    Parameters
    ----------
    network : torch.nn.Module
        From (batch, samples) at its own rate, or from what the front end gives, to logits.
    own : sequence of str
        Its classes, in the order of its outputs.
    own_rate : int
        Hz.
    classes : sequence of str
        Those of the task: some of its own.
    sample_rate : int
        Of the task, Hz.
    front : torch.nn.Module or callable, optional
        From (batch, samples) at the network's rate to features (batch, bands, frames).
    frame : float
        Seconds a feature frame.
    layers : mapping of str to Layer, optional
        What methods may look into.

    Raises
    ------
    UsageError
        A class of the task is none of the network's.
    """

    def __init__(
        self,
        network: nn.Module,
        own: Sequence[str],
        own_rate: int,
        classes: Sequence[str],
        sample_rate: int,
        *,
        front: Callable[[Tensor], Tensor] | None = None,
        frame: float = FRAME,
        layers: Mapping[str, Layer] | None = None,
    ) -> None:
        super().__init__()
        missing = [label for label in classes if label not in own]
        if missing:
            some = ", ".join(list(own)[:12]) + (" ..." if len(own) > 12 else "")
            raise UsageError(
                f"the network has no class {missing[0]!r}; it has {some}",
                "name its outputs as the task does, or choose a task with --task",
            )
        self.classes, self.sample_rate = tuple(classes), sample_rate
        self.network, self.front = network, front
        self.own_rate, self.frame = own_rate, frame
        self.outputs = [list(own).index(label) for label in classes]
        self._layers = dict(layers or {})
        # Of the classifier that was handed over: what is built is random, see load_trained.
        self._trained = copy.deepcopy(network.state_dict())

    def features(self, waveform: Tensor) -> Tensor:
        """Features of waveforms at the task's rate, (batch, bands, frames)."""
        wave = resampled(waveform, self.sample_rate, self.own_rate)
        if self.front is not None:
            return self.front(wave)
        hop = self._hop()
        frames = -(-wave.shape[-1] // hop)
        wave = nn.functional.pad(wave, (0, frames * hop - wave.shape[-1]))
        return wave.reshape(len(wave), frames, hop).transpose(1, 2)

    def logits(self, features: Tensor) -> Tensor:
        """Clip logits (batch, classes)."""
        if self.front is None:
            features = features.transpose(1, 2).flatten(1)
        found: Any = self.network(features)
        found = getattr(found, "logits", found)
        out: Tensor = found[:, self.outputs]
        return out

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the features in seconds."""
        if self.front is None:
            hop, length = self._hop(), length_of(n_samples, self.sample_rate, self.own_rate)
            return np.arange(-(-length // hop) + 1, dtype=np.float64) * hop / self.own_rate
        with torch.no_grad():
            frames = self.features(torch.zeros(1, n_samples)).shape[-1]
        return np.arange(frames + 1, dtype=np.float64) * self.frame

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        """Time edges of the features: it has no frame logits."""
        return self.feature_edges(n_samples)

    def layers(self) -> Mapping[str, Layer]:
        """What was named when it was wrapped."""
        return self._layers

    @torch.no_grad()
    def randomise(self) -> None:
        """Draw every weight anew that has a way to be: the control of an explanation."""
        for module in self.network.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()

    def load_trained(self, state: Mapping[str, Tensor]) -> None:
        """Go back to the weights that it was handed over with; ``state`` is empty."""
        self.network.load_state_dict(self._trained)

    def _hop(self) -> int:
        return max(1, round(self.frame * self.own_rate))


def length_of(samples: int, rate: int, wanted: int) -> int:
    """Samples of a clip at another rate."""
    return samples if rate == wanted else round(samples * wanted / rate)


def resampled(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """Waveforms (batch, samples) at another rate, by their spectrum; can be differentiated."""
    if rate == wanted:
        return waveform
    samples, length = waveform.shape[-1], length_of(waveform.shape[-1], rate, wanted)
    spectrum = torch.fft.rfft(waveform)
    kept = min(spectrum.shape[-1], length // 2 + 1)
    out: Tensor = torch.fft.irfft(spectrum[..., :kept], n=length) * (length / samples)
    return out
