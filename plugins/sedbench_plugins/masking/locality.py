"""Which segments of time each frame logit depends on, found out from the model itself.

A segment is set to NaN, and the frame logits that become NaN are those that it reaches: sums,
products, convolutions, rectifiers and poolings hand NaN on. What is found may be more than
there is, never less, as long as nothing in the model swallows NaN; whoever relies on it
compares some of what comes out with plain passes (:mod:`sedbench_plugins.masking.clip`).

It depends on the model's structure and the segments alone, so it is done once a model (some
passes, which no answer counts as its own) and kept as long as the model is.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sedbench.errors import NotApplicable
from sedbench.models.contract import Classifier
from sedbench_plugins.attribution import in_parts

BATCH = 16
CLOSE = 1e-4  # relative to the largest logit


@dataclass(frozen=True)
class Group:
    """Frames whose logits depend on the same segments.

    Attributes
    ----------
    frames, segments : ndarray of int
    """

    frames: NDArray[np.int64]
    segments: NDArray[np.int64]


_KNOWN: WeakKeyDictionary[Classifier, dict[object, tuple[Group, ...]]] = WeakKeyDictionary()


def locality(net: Classifier, base: Tensor, marks: NDArray[np.int64]) -> tuple[Group, ...]:
    """Frames by the segments that their logits depend on.

    Parameters
    ----------
    net : Classifier
    base : Tensor, shape (1, bands, frames) or (1, samples)
        Features, or a waveform, of which segments are masked: any, if finite.
    marks : ndarray, shape (segments + 1,)
        First frame (or sample) of each segment, and the end.

    Returns
    -------
    tuple of Group
        Empty where nothing is to be gained: the clip logit is not the mean of the frame logits,
        or there are none, or each depends on the whole clip, or NaN gets nowhere.
    """
    known = _KNOWN.setdefault(net, {})
    key = (tuple(base.shape), marks.tobytes())
    if key not in known:
        known[key] = _look(net, base, marks)
    return known[key]


def frame_logits(net: Classifier, inputs: Tensor) -> Tensor:
    """Frame logits (batch, classes, frames) of features, or of waveforms (batch, samples)."""
    return net.frame_logits(inputs if inputs.ndim == 3 else net.features(inputs))


def clip_logits(net: Classifier, inputs: Tensor) -> Tensor:
    """Clip logits (batch, classes) of features, or of waveforms (batch, samples)."""
    return net.logits(inputs if inputs.ndim == 3 else net.features(inputs))


def embeddings(net: Classifier, inputs: Tensor) -> Tensor:
    """Embeddings (batch, channels, frames) of features, or of waveforms (batch, samples).

    The model has a shared trunk.
    """
    trunk = net.shared_trunk()
    assert trunk is not None
    return trunk.embeddings(inputs if inputs.ndim == 3 else net.features(inputs))


def close(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether logits are the same but for rounding."""
    return bool(np.abs(one - other).max() <= CLOSE * np.abs(other).max())


@torch.no_grad()
def _look(net: Classifier, base: Tensor, marks: NDArray[np.int64]) -> tuple[Group, ...]:
    count = len(marks) - 1
    # Something with all sorts of values: on silence, a maximum over time is the mean too.
    spread = np.random.default_rng(0).standard_normal(base.shape) * 0.5
    some = base + torch.from_numpy(spread).to(base)
    try:
        mean = frame_logits(net, some).double().mean(-1)
    except NotApplicable:
        return ()
    if not close(_array(mean), _array(clip_logits(net, some))):
        return ()
    reach: list[NDArray[np.bool_]] = []

    def part(start: int, stop: int) -> None:
        broken = some.repeat(stop - start, *[1] * (some.ndim - 1))
        for row, segment in zip(broken, range(start, stop), strict=True):
            row[..., marks[segment] : marks[segment + 1]] = torch.nan
        reach.append(frame_logits(net, broken).isnan().any(1).cpu().numpy())

    in_parts(count, BATCH, part)
    reached = np.concatenate(reach)
    if not reached.any() or reached.all():
        return ()
    columns, of = np.unique(reached, axis=1, return_inverse=True)
    groups = [
        Group(np.flatnonzero(of == i), np.flatnonzero(column))
        for i, column in enumerate(np.moveaxis(columns, 1, 0))
    ]
    return tuple(sorted(groups, key=lambda group: int(group.frames[0])))


def _array(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.double().cpu().numpy())
