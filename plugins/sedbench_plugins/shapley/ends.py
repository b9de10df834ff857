"""What a clip is compared with: the features of silence, of the training mean, or of noise.

``silence`` is the log-mel of the zero waveform, ``mean`` the training split's mean log-mel frame
held for the whole clip, ``noise`` the log-mel of white noise at -60 dBFS, drawn for each clip from
the run's seed. Silence and mean are one baseline; of noise there may be several draws, the first
of which is the same however many there are.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench.models.contract import Classifier
from sedbench.types import Query

NOISE_RMS = 1e-3  # -60 dBFS
_NOISE, _LIBRARY = 2, 4  # streams of the run's seed


@torch.no_grad()
def ends(  # noqa: PLR0917
    query: Query, clip: int, net: Classifier, device: str, baseline: str, draws: int
) -> tuple[Tensor, Tensor]:
    """Features of a clip and of its baselines.

    Parameters
    ----------
    query : Query
    clip : int
        Row of the clip.
    net : Classifier
    device : str
    baseline : {"silence", "mean", "noise"}
    draws : int
        Of noise.

    Returns
    -------
    features : Tensor, shape (1, bands, frames)
    baselines : Tensor, shape (baselines, bands, frames)

    Raises
    ------
    NotApplicable
        The model keeps no mean.
    """
    wave = torch.from_numpy(query.waveforms[clip : clip + 1]).to(device)
    x = net.features(wave)
    if baseline == "mean":
        return x, net.feature_mean()[None, :, None].to(x).expand_as(x).contiguous()
    if baseline == "silence":
        return x, net.features(torch.zeros_like(wave))
    noise = query.rng(clip, _NOISE).standard_normal((draws, wave.shape[1])) * NOISE_RMS
    waves = torch.from_numpy(noise.astype(np.float32)).to(device)
    return x, torch.cat([net.features(each[None]) for each in waves])


def library_seed(query: Query, clip: int) -> int:
    """A seed for a library's own draws: the clip's own, the same for all of its classes."""
    return int(query.rng(clip, _LIBRARY).integers(2**31))


def additivity_error(
    cells: NDArray[np.float64], logits: NDArray[np.float64], base: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far attributions are from adding up to the rise of the logit, relative to it.

    Parameters
    ----------
    cells : ndarray, shape (targets, ...)
    logits, base : ndarray, shape (targets,)
        Of the clip, and the mean over its baselines.
    """
    rise = logits - base
    total = cells.reshape(len(cells), -1).sum(1)
    return np.asarray(np.abs(total - rise) / np.maximum(np.abs(rise), 1e-8))
