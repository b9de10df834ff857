"""Which masked clips to pass, so that many others can be put together from their frames.

A group of frames that depends on six segments has at most 64 different inputs, however many masks
there are. One pass shows every group one input; a *composite* mask is laid out from left to right
so that each group gets one that is still wanted, wherever the segments that it shares with its
neighbours allow. Masks are integers here: bit ``s`` is segment ``s``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def as_bits(masks: NDArray[np.bool_]) -> list[int]:
    """Masks (masks, segments) as integers."""
    packed = np.packbits(masks, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def as_masks(bits: Sequence[int], segments: int) -> NDArray[np.bool_]:
    """Integers as masks (masks, segments)."""
    size = -(-segments // 8)
    packed = np.frombuffer(b"".join(b.to_bytes(size, "little") for b in bits), np.uint8)
    unpacked = np.unpackbits(packed.reshape(len(bits), size), axis=1, bitorder="little")
    return np.asarray(unpacked[:, :segments].astype(bool))


def subsets(mask: int) -> list[int]:
    """Every mask within a mask, the whole first and none of it last."""
    found = [mask]
    while found[-1]:
        found.append((found[-1] - 1) & mask)
    return found


def composites(
    reach: Sequence[int], wanted: Sequence[Iterable[int]], everything: int, limit: int
) -> list[int] | None:
    """Masks that show each group all the inputs that are wanted of it.

    Parameters
    ----------
    reach : sequence of int
        For each group, the segments that it depends on.
    wanted : sequence of iterables of int
        For each group, masks within its reach.
    everything : int
        The mask of all segments. What no group asks for is left as it is.
    limit : int
        As many masks are no gain.

    Returns
    -------
    list of int or None
        Fewer than ``limit`` masks, or None.
    """
    left = [dict.fromkeys(each) for each in wanted]
    if max(map(len, left), default=0) >= limit:
        return None
    plan: list[int] = []
    while any(left):
        if len(plan) + 1 >= limit:
            return None
        mask, decided = everything, 0
        for own, open_ in zip(reach, left, strict=True):
            care = decided & own
            shared = mask & care
            fit = next((one for one in open_ if one & care == shared), None)
            if fit is not None:
                mask, decided = mask & ~own | fit, decided | own
        for own, open_ in zip(reach, left, strict=True):
            open_.pop(mask & own, None)
        plan.append(mask)
    return plan
