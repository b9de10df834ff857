"""A model of any family as a method sees it, with random weights: for a method's contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle, initialise
from sedbench.testing.models import RATE
from sedbench.testing.planted import CLASSES
from sedbench.types import ModelInfo


@dataclass
class UntrainedHandle(ModelHandle):
    """Gives every variant with random weights, which nobody has to fetch or train."""

    def variant(self, variant: str) -> Classifier:
        """Build a variant, in eval mode, folded."""
        if variant not in self._loaded:
            model = initialise(self.family, variant, self.classes, self.sample_rate, 0)
            self._loaded[variant] = self._ready(model)
        return self._loaded[variant]

    def randomised(self, seed: int) -> Classifier:
        """Build the classifier with other random weights."""
        key = f"randomised-{seed}"
        if key not in self._loaded:
            first, rate = self.variants[0], self.sample_rate
            model = initialise(self.family, first, self.classes, rate, seed + 1)
            self._loaded[key] = self._ready(model)
        return self._loaded[key]


def untrained(
    info: ModelInfo, factory: Callable[..., Any], classes: Sequence[str] = ()
) -> UntrainedHandle:
    """Build a family's models without their weights.

    Parameters
    ----------
    info : ModelInfo
    factory : callable
    classes : sequence of str, optional
        For a family that knows only classes of its own.
    """
    params = {p.name: p.default for p in info.params if p.name != "seed"}
    return UntrainedHandle(
        info.name,
        "untrained",
        tuple(classes) or CLASSES,
        RATE,
        0,
        "cpu",
        info.variants,
        lambda: factory(**params),
    )
