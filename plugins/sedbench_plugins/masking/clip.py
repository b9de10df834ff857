"""The logits of one clip under masks: each mask passed once, for all classes together.

Put together from parts
-----------------------
Where a clip logit is the mean of frame logits, and each frame logit depends on a few segments, the
frames of some masked clips are those of many others. Their logits are then put together from
fewer passes: exactly, but for rounding. Where that saves nothing, masks are passed as they are.

It is relied on for a clip only after the clip itself, all of it masked, and one of the masks have
been passed both ways and agree (relative to the largest logit, to 1e-4). Those passes count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench.models.contract import Classifier
from sedbench_plugins.attribution import in_parts
from sedbench_plugins.masking.cuts import Cut
from sedbench_plugins.masking.locality import (
    BATCH,
    Group,
    clip_logits,
    close,
    frame_logits,
    locality,
)
from sedbench_plugins.masking.plan import as_bits, as_masks, composites

CHECKS = 3  # passes that are made both ways


class MaskedClip:
    """Logits of a clip under masks over its segments.

    Parameters
    ----------
    net : Classifier
        In eval mode; it is left as it was.
    x, base : Tensor, shape (1, bands, frames) or (1, samples)
        Features or waveform of the clip, and what stands for them where they are masked.
    cut : Cut
        The segments, in frames or in samples.
    parts : bool
        Whether logits may be put together from parts; False passes every mask.

    Attributes
    ----------
    forward : int
        Clips passed through the network so far.
    """

    def __init__(
        self, net: Classifier, x: Tensor, base: Tensor, cut: Cut, parts: bool = True
    ) -> None:
        self.net, self.x, self.base, self.cut = net, x, base, cut
        self.forward = 0
        self._owner = torch.from_numpy(cut.owner).to(x.device)
        self._known: dict[bytes, NDArray[np.float64]] = {}
        self._parts = _Parts(self) if parts else None

    def __call__(self, masks: NDArray[Any]) -> NDArray[np.float64]:
        """Logits (masks, classes) under masks (masks, segments): nonzero is left as it is."""
        there = np.ascontiguousarray(np.asarray(masks) != 0)
        new = {row.tobytes(): row for row in there if row.tobytes() not in self._known}
        if new:
            rows = np.array(list(new.values()))
            found = None if self._parts is None else self._parts.logits(rows)
            if found is None:
                found = self.passed(rows)
            self._known.update(zip(new, found, strict=True))
        return np.array([self._known[row.tobytes()] for row in there])

    def soft(self, masks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logits (masks, classes) under masks from 0 (replaced) to 1; every mask is passed."""
        return self.passed(masks.astype(np.float32))

    def ends(self) -> NDArray[np.float64]:
        """Logits (2, classes) of the clip as it is, and of all of it masked."""
        return self(np.array([[True], [False]]).repeat(self.cut.count, 1))

    def passed(self, masks: NDArray[Any]) -> NDArray[np.float64]:
        """Logits (masks, classes), each mask passed."""
        out = [part.cpu().numpy() for part in self._run(masks, frames=False)]
        return np.concatenate(out)

    def frames(self, masks: NDArray[Any]) -> NDArray[np.float64]:
        """Frame logits (masks, classes, frames), each mask passed."""
        out = [part.cpu().numpy() for part in self._run(masks, frames=True)]
        return np.concatenate(out)

    @torch.no_grad()
    def _run(self, masks: NDArray[Any], frames: bool) -> list[Tensor]:
        out: list[Tensor] = []
        run = frame_logits if frames else clip_logits

        def part(start: int, stop: int) -> None:
            weights = torch.from_numpy(masks[start:stop]).to(self.x.device)[:, self._owner]
            if self.x.ndim == 3:
                weights = weights[:, None]
            if weights.dtype == torch.bool:
                shown = torch.where(weights, self.x, self.base)
            else:
                shown = self.base + weights * (self.x - self.base)
            out.append(run(self.net, shown).double())

        in_parts(len(masks), BATCH, part)
        self.forward += len(masks)
        return out


class _Parts:
    """The frames of a clip that were seen, summed over each group that depends on the same."""

    def __init__(self, clip: MaskedClip) -> None:
        self.clip = clip
        self.groups: tuple[Group, ...] | None = None
        self.works: bool | None = None  # nobody knows before the first check
        self.reach: list[int] = []
        self.sums: list[dict[int, NDArray[np.float64]]] = []
        self.n_frames = 0

    def logits(self, masks: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        """Logits of masks; None where they had better be passed."""
        if self.works is False or (self.works is None and len(masks) <= CHECKS):
            return None
        if not self._local():
            return None
        count = self.clip.cut.count
        checked = masks[[len(masks) // 2]]
        if self.works is None:
            checked = np.concatenate(
                [np.ones((1, count), bool), np.zeros((1, count), bool), checked]
            )
        bits = as_bits(masks if self.works else np.concatenate([checked[:2], masks]))
        wanted = [
            dict.fromkeys(b & own for b in bits if b & own not in seen)
            for own, seen in zip(self.reach, self.sums, strict=True)
        ]
        limit = len(masks) - (0 if self.works else CHECKS)
        plan = composites(self.reach, wanted, (1 << count) - 1, limit)
        if plan is None and not self.works:
            return None
        self._see(masks if plan is None else as_masks(plan, count))
        if self.works is None:
            self.works = close(self._together(as_bits(checked)), self.clip.passed(checked))
        return self._together(as_bits(masks)) if self.works else None

    def _local(self) -> bool:
        if self.groups is None:
            clip = self.clip
            self.groups = locality(clip.net, clip.base, clip.cut.marks)
            self.reach = [sum(1 << int(s) for s in group.segments) for group in self.groups]
            self.sums = [{} for _ in self.groups]
            self.n_frames = sum(len(group.frames) for group in self.groups)
        return bool(self.groups)

    def _see(self, masks: NDArray[np.bool_]) -> None:
        if not len(masks):
            return
        frames = self.clip.frames(masks)
        bits = as_bits(masks)
        for group, own, seen in zip(self.groups or (), self.reach, self.sums, strict=True):
            sums = frames[:, :, group.frames].sum(-1)
            for one, values in zip(bits, sums, strict=True):
                seen.setdefault(one & own, values)

    def _together(self, bits: list[int]) -> NDArray[np.float64]:
        total = sum(
            np.array([seen[one & own] for one in bits])
            for own, seen in zip(self.reach, self.sums, strict=True)
        )
        return np.asarray(total) / self.n_frames
