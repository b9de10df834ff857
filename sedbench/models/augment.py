"""Augmentation of training examples: small functions on features and targets, off by default.

Each takes features (batch, bands, frames) and a random generator and changes nothing in place. A
training draws from its seed and the number of the step, so that a resumed one draws the same.
On the embeddings of a frozen trunk only those make sense that know nothing of frequency.

References
----------
.. [1] H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018, arXiv 1710.09412.
.. [2] D. S. Park et al., "SpecAugment", Interspeech 2019, arXiv 1904.08779.
.. [3] H. Nam et al., "FilterAugment: an acoustic environmental data augmentation method",
   ICASSP 2022, arXiv 2110.03282.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sedbench.errors import UsageError

Rng = np.random.Generator
_OF_BANDS = ("mask_bands", "filter")


@dataclass(frozen=True)
class Augment:
    """Which augmentations are on; 0 is off.

    Attributes
    ----------
    time_shift : float
        Clips are rotated in time by at most this part of their length; frame labels with them.
    mixup : float
        Each clip is mixed with another: both parameters of the beta distribution of its share.
    mask_frames, mask_bands : float
        SpecAugment: the widest stretch of time or of bands that is blanked, as a part of all.
    filter : float
        FilterAugment: the largest gain of a band, in standard deviations of the features.
    """

    time_shift: float = 0.0
    mixup: float = 0.0
    mask_frames: float = 0.0
    mask_bands: float = 0.0
    filter: float = 0.0

    def __bool__(self) -> bool:
        return self != Augment()

    def check(self, embeddings: bool) -> None:
        """See that it suits what is learnt on.

        Parameters
        ----------
        embeddings : bool
            Whether that is embeddings of a frozen trunk, whose channels are no bands.

        Raises
        ------
        UsageError
            An augmentation of bands is on, and there are none.
        """
        for name in _OF_BANDS:
            if embeddings and getattr(self, name):
                raise UsageError(
                    f"augment.{name} changes bands of a spectrogram, and what is trained here is a "
                    "head on embeddings",
                    "leave it out: time_shift, mixup and mask_frames suit both",
                )


def augmented(
    features: Tensor, target: Tensor, how: Augment, seed: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Augment one batch.

    Parameters
    ----------
    features : Tensor, shape (batch, bands, frames)
    target : Tensor, shape (batch, classes) or (batch, classes, label frames)
    how : Augment
    seed : sequence of int
        Decides the draw: of the training, and of the step.

    Returns
    -------
    features, target : Tensor
        Mixed targets lie between 0 and 1.
    """
    rng = np.random.default_rng(list(seed))
    if how.time_shift:
        features, target = time_shift(features, target, how.time_shift, rng)
    if how.filter:
        features = filter_bands(features, how.filter, rng)
    if how.mask_bands:
        features = mask_bands(features, how.mask_bands, rng)
    if how.mask_frames:
        features = mask_frames(features, how.mask_frames, rng)
    if how.mixup:
        features, target = mixup(features, target, how.mixup, rng)
    return features, target


def time_shift(features: Tensor, target: Tensor, largest: float, rng: Rng) -> tuple[Tensor, Tensor]:
    """Rotate each clip in time, and its frame labels with it.

    Parameters
    ----------
    features : Tensor, shape (batch, bands, frames)
    target : Tensor, shape (batch, classes) or (batch, classes, label frames)
    largest : float
        Part of the clip, forward or back.
    rng : Generator

    Raises
    ------
    UsageError
        A label frame is no whole number of feature frames.
    """
    frames = features.shape[-1]
    labelled = target.shape[-1] if target.ndim == 3 else frames
    step, rest = divmod(frames, labelled)
    if rest:
        raise UsageError(
            f"augment.time_shift cannot move {labelled} label frames with {frames} feature frames",
            "leave it out for this model",
        )
    most = round(largest * labelled)
    shifts = rng.integers(-most, most + 1, len(features)).tolist()
    moved = torch.stack([x.roll(s * step, -1) for x, s in zip(features, shifts, strict=True)])
    if target.ndim == 3:
        target = torch.stack([y.roll(s, -1) for y, s in zip(target, shifts, strict=True)])
    return moved, target


def mixup(features: Tensor, target: Tensor, alpha: float, rng: Rng) -> tuple[Tensor, Tensor]:
    """Mix each clip with another one of the batch; it keeps at least half of itself.

    Parameters
    ----------
    features : Tensor, shape (batch, bands, frames)
    target : Tensor, shape (batch, classes) or (batch, classes, label frames)
    alpha : float
        Of the beta distribution.
    rng : Generator
    """
    share = rng.beta(alpha, alpha, len(features))
    other = torch.from_numpy(rng.permutation(len(features))).to(features.device)
    most = torch.from_numpy(np.maximum(share, 1 - share).astype(np.float32)).to(features.device)

    def mixed(x: Tensor) -> Tensor:
        own = most.reshape(-1, *[1] * (x.ndim - 1))
        return own * x + (1 - own) * x[other]

    return mixed(features), mixed(target)


def mask_frames(features: Tensor, widest: float, rng: Rng) -> Tensor:
    """Blank a stretch of time of each clip: every band becomes its mean over the clip.

    Parameters
    ----------
    features : Tensor, shape (batch, bands, frames)
    widest : float
        Part of the clip.
    rng : Generator
    """
    blank = _stretches(len(features), features.shape[2], widest, rng).to(features.device)
    return torch.where(blank[:, None, :], features.mean(2, keepdim=True), features)


def mask_bands(features: Tensor, widest: float, rng: Rng) -> Tensor:
    """Blank a stretch of bands of each clip: they become the clip's mean.

    Parameters
    ----------
    features : Tensor, shape (batch, bands, frames)
    widest : float
        Part of the bands.
    rng : Generator
    """
    blank = _stretches(len(features), features.shape[1], widest, rng).to(features.device)
    return torch.where(blank[:, :, None], features.mean((1, 2), keepdim=True), features)


def filter_bands(features: Tensor, gain: float, rng: Rng) -> Tensor:
    """Add to each clip a line over the bands that bends in up to five places.

    Parameters
    ----------
    features : Tensor, shape (batch, bands, frames)
        Logarithms of power, so that what is added is a filter.
    gain : float
        The largest, up or down, in standard deviations of the batch.
    rng : Generator
    """
    bands = features.shape[1]
    lines = []
    for _ in range(len(features)):
        bends = np.sort(rng.uniform(0, bands - 1, rng.integers(1, 6)))
        at = np.concatenate([[0.0], bends, [bands - 1.0]])
        lines.append(np.interp(np.arange(bands), at, rng.uniform(-gain, gain, len(at))))
    added = torch.from_numpy(np.array(lines, np.float32)).to(features.device)
    return features + features.std() * added[:, :, None]


def _stretches(clips: int, length: int, widest: float, rng: Rng) -> Tensor:
    """One stretch a clip, none at all among them: bool (clips, length)."""
    width = rng.integers(0, round(widest * length) + 1, clips)
    start = np.floor(rng.random(clips) * (length - width + 1)).astype(np.int64)
    place = np.arange(length)
    return torch.from_numpy((place >= start[:, None]) & (place < (start + width)[:, None]))
