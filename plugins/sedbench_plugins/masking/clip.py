"""The logits of one clip under masks: each mask passed once, for all classes together.

Put together from parts
-----------------------
Where a clip logit is the mean of frame logits, and each frame logit depends on a few segments, the
frames of some masked clips are those of many others. Their logits are then put together from
fewer passes: exactly, but for rounding. Where that saves nothing, masks are passed as they are.

On a frozen trunk the same passes serve all heads, and all methods that cut the clip alike
(:mod:`sedbench_plugins.masking.trunk`).

It is relied on for a clip only after the clip itself, all of it masked, and one of the masks have
been passed both ways and agree (relative to the largest logit, to 1e-4). Those passes count.
"""

from __future__ import annotations

from collections.abc import Callable
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
    embeddings,
    frame_logits,
    locality,
)
from sedbench_plugins.masking.plan import as_bits, as_masks, composites, subsets
from sedbench_plugins.masking.trunk import Kept

CHECKS = 3  # passes that are made both ways
TABLE = 6  # segments in reach, of which all combinations are passed at once


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
    many : int
        How many masks will be asked for in all, where they are asked for a few at a time.

    Attributes
    ----------
    forward : int
        Clips passed through the network so far, or read that somebody passed before.
    """

    def __init__(  # noqa: PLR0917 - the clip, and how to ask
        self,
        net: Classifier,
        x: Tensor,
        base: Tensor,
        cut: Cut,
        parts: bool = True,
        many: int = 0,
    ) -> None:
        self.net, self.x, self.base, self.cut, self.many = net, x, base, cut, many
        self.forward = 0
        self._owner = torch.from_numpy(cut.owner).to(x.device)
        self._known: dict[bytes, NDArray[np.float64]] = {}
        self._parts = _Parts(self) if parts else None

    @property
    def seconds(self) -> float:
        """Seconds of passes that were read: what they took whoever made them."""
        return self._parts.kept.seconds if self._parts and self._parts.kept else 0.0

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
        return _joined(self.run(masks, clip_logits))

    def frames(self, masks: NDArray[Any]) -> NDArray[np.float64]:
        """Frame logits (masks, classes, frames), each mask passed."""
        return _joined(self.run(masks, frame_logits))

    @torch.no_grad()
    def run(
        self, masks: NDArray[Any], network: Callable[[Classifier, Tensor], Tensor]
    ) -> list[Tensor]:
        """What a network says of the masked clip, batch by batch, each mask passed."""
        out: list[Tensor] = []

        def part(start: int, stop: int) -> None:
            weights = torch.from_numpy(masks[start:stop]).to(self.x.device)[:, self._owner]
            if self.x.ndim == 3:
                weights = weights[:, None]
            if weights.dtype == torch.bool:
                shown = torch.where(weights, self.x, self.base)
            else:
                shown = self.base + weights * (self.x - self.base)
            out.append(network(self.net, shown))

        in_parts(len(masks), BATCH, part)
        self.forward += len(masks)
        return out


def _joined(parts: list[Tensor]) -> NDArray[np.float64]:
    return np.concatenate([part.double().cpu().numpy() for part in parts])


class _Parts:
    """The frames of a clip that were seen, summed over each group that depends on the same."""

    def __init__(self, clip: MaskedClip) -> None:
        self.clip = clip
        self.groups: tuple[Group, ...] | None = None
        self.kept: Kept | None = None
        self.works: bool | None = None  # nobody knows before the first check
        self.reach: list[int] = []
        self.sums: list[dict[int, NDArray[np.float64]]] = []
        self.n_frames = 0

    def logits(self, masks: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        """Logits of masks; None where they had better be passed."""
        hoped = max(len(masks), self.clip.many)
        if self.works is False or (self.works is None and hoped <= CHECKS):
            return None
        if not self._local():
            return None
        asked = hoped if self.kept else len(masks)
        if self.works is None and asked <= CHECKS:
            return None
        count = self.clip.cut.count
        checked = masks[[len(masks) // 2]]
        if self.works is None:
            checked = np.concatenate(
                [np.ones((1, count), bool), np.zeros((1, count), bool), checked]
            )
        bits = as_bits(masks if self.works else np.concatenate([checked[:2], masks]))
        plan = self._plan(bits, asked - (0 if self.works else CHECKS))
        if plan is None and not self.works:
            return None
        self._see(masks if plan is None else as_masks(plan, count))
        if self.works is None:
            self.works = close(self._together(as_bits(checked)), self.clip.passed(checked))
        return self._together(as_bits(masks)) if self.works else None

    def _plan(self, bits: list[int], limit: int) -> list[int] | None:
        everything = (1 << self.clip.cut.count) - 1
        if self.kept and self.works is None and max(map(int.bit_count, self.reach)) <= TABLE:
            # All that can be asked: the same passes whichever masks, and for whichever method.
            table = composites(self.reach, [subsets(own) for own in self.reach], everything, limit)
            if table is not None:
                return table
        wanted = [
            dict.fromkeys(b & own for b in bits if b & own not in seen)
            for own, seen in zip(self.reach, self.sums, strict=True)
        ]
        return composites(self.reach, wanted, everything, limit)

    def _local(self) -> bool:
        if self.groups is None:
            clip = self.clip
            self.groups = locality(clip.net, clip.base, clip.cut.marks)
            self.reach = [sum(1 << int(s) for s in group.segments) for group in self.groups]
            self.sums = [{} for _ in self.groups]
            self.n_frames = sum(len(group.frames) for group in self.groups)
            trunk = clip.net.shared_trunk()
            if self.groups and trunk is not None:
                (own,) = clip.run(np.ones((1, clip.cut.count), bool), embeddings)
                told = [t.cpu().numpy().tobytes() for t in (clip.x, clip.base)]
                told.append(clip.cut.marks.tobytes())
                frames = [group.frames for group in self.groups]
                self.kept = Kept(trunk, b"|".join(told), own, frames)
        return bool(self.groups)

    def _see(self, masks: NDArray[np.bool_]) -> None:
        if not len(masks):
            return
        bits = as_bits(masks)
        for own, seen, sums in zip(self.reach, self.sums, self._sums(masks), strict=True):
            for one, values in zip(bits, sums, strict=True):
                seen.setdefault(one & own, values)

    def _sums(self, masks: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
        if self.kept is not None:
            before = self.clip.forward
            sums = self.kept.logits(masks, lambda: self.clip.run(masks, embeddings))
            self.clip.forward = before + len(masks)
            return sums
        frames = self.clip.frames(masks)
        return [frames[:, :, group.frames].sum(-1) for group in self.groups or ()]

    def _together(self, bits: list[int]) -> NDArray[np.float64]:
        total = sum(
            np.array([seen[one & own] for one in bits])
            for own, seen in zip(self.reach, self.sums, strict=True)
        )
        return np.asarray(total) / self.n_frames
