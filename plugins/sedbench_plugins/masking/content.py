"""What stands where something is masked.

In the features: ``silence`` is those of the zero waveform, ``mean`` the training split's mean
frame, ``noise`` those of white noise at the clip's own level (RMS). In the waveform: ``zero``, or
the same ``noise``. Noise is drawn once a clip, from the run's seed: a segment is always replaced by
the same.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sedbench.models.contract import Classifier
from sedbench.types import Query

FEATURES = ("silence", "mean", "noise")
WAVEFORM = ("noise", "zero")
LEAST_RMS = 1e-5  # of the noise, where the clip is silent
_NOISE = 11  # stream of the run's seed


@torch.no_grad()
def in_features(
    query: Query, clip: int, net: Classifier, device: str, content: str
) -> tuple[Tensor, Tensor]:
    """Features of a clip, and those that stand for what is masked.

    Parameters
    ----------
    query : Query
    clip : int
        Row of the clip.
    net : Classifier
    device : str
    content : {"silence", "mean", "noise"}

    Returns
    -------
    features, replacement : Tensor, shape (1, bands, frames)

    Raises
    ------
    NotApplicable
        The model keeps no mean.
    """
    wave, other = in_waveform(query, clip, device, "noise" if content == "noise" else "zero")
    x = net.features(wave)
    if content == "mean":
        return x, net.feature_mean()[None, :, None].to(x).expand_as(x).contiguous()
    return x, net.features(other)


def in_waveform(query: Query, clip: int, device: str, content: str) -> tuple[Tensor, Tensor]:
    """Waveform of a clip, and the one that stands for what is masked.

    Parameters
    ----------
    query : Query
    clip : int
    device : str
    content : {"noise", "zero"}

    Returns
    -------
    waveform, replacement : Tensor, shape (1, samples)
    """
    wave = torch.from_numpy(query.waveforms[clip : clip + 1]).to(device)
    if content == "zero":
        return wave, torch.zeros_like(wave)
    level = max(LEAST_RMS, float(np.sqrt(np.mean(np.square(query.waveforms[clip], dtype=float)))))
    noise = query.rng(clip, _NOISE).standard_normal((1, wave.shape[1])) * level
    return wave, torch.from_numpy(noise.astype(np.float32)).to(device)
