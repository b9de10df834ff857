"""A trunk that several heads share: masked clips pass through it once for all of them.

On a frozen trunk with a linear head a frame's logits are ``W e + b`` of its embedding ``e``, and
``e`` is the same for the heads of all rotations and for the framewise detectors. What is kept of a
masked clip is the sum of embeddings over each group of frames: it is kept in the cache folder, and
whoever asks for the same masks of the same clip, with another head or another method, reads it.

An entry is named by the clip, by what stands for the masked, by the masks, and by the trunk's own
answer to the clip: weights, front end or code that give other embeddings find other entries.
Passes and seconds count for whoever reads as for whoever made them, so that the cost of a method
does not depend on what was run before it.
"""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench.files import cache_root, sha256, write_atomic
from sedbench.models.contract import SharedTrunk


class Kept:
    """Sums of embeddings of one clip under masks, over groups of frames.

    Parameters
    ----------
    trunk : SharedTrunk
    clip : bytes
        The clip and what stands for it where it is masked.
    own : Tensor, shape (1, channels, frames)
        Embeddings of the clip as it is.
    groups : sequence of ndarray of int
        Frames of each group.

    Attributes
    ----------
    seconds : float
        That passes took which were not made now.
    """

    def __init__(
        self, trunk: SharedTrunk, clip: bytes, own: Tensor, groups: Sequence[NDArray[np.int64]]
    ) -> None:
        self.trunk, self.groups, self.seconds = trunk, groups, 0.0
        frames = b"".join(group.tobytes() + b"|" for group in groups)
        self._name = sha256(clip + own.cpu().numpy().tobytes() + frames)

    def logits(
        self, masks: NDArray[np.bool_], run: Callable[[], Sequence[Tensor]]
    ) -> list[NDArray[np.float64]]:
        """Logits (masks, classes) summed over the frames of each group.

        Parameters
        ----------
        masks : ndarray, shape (masks, segments), bool
        run : callable
            Passes them: embeddings (batch, channels, frames), batch by batch.
        """
        key = sha256(self._name.encode() + np.packbits(masks, axis=1).tobytes())
        path = cache_root() / "masked" / key[:2] / f"{key}.npz"
        found = _read(path, (len(self.groups), len(masks), self.trunk.weight.shape[1]))
        if found is None:
            started = time.perf_counter()
            parts = [[batch[..., own].sum(-1) for own in self.groups] for batch in run()]
            sums = torch.stack([torch.cat(each) for each in zip(*parts, strict=True)]).cpu().numpy()
            _write(path, sums, time.perf_counter() - started)
        else:
            sums, seconds = found
            self.seconds += seconds
        weight = self.trunk.weight.detach().double().cpu().numpy()
        bias = self.trunk.bias.detach().double().cpu().numpy()
        return [
            each.astype(np.float64) @ weight.T + len(own) * bias
            for each, own in zip(sums, self.groups, strict=True)
        ]


def _read(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], float] | None:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            sums, seconds = file["sums"], float(file["seconds"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # not there, or damaged: it is made again
    return (sums, seconds) if sums.shape == shape and np.isfinite(sums).all() else None


def _write(path: Path, sums: NDArray[np.float32], seconds: float) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, sums=sums, seconds=np.float64(seconds))
    write_atomic(path, buffer.getvalue())
