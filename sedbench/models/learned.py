"""What a method that learns has learnt of one classifier: where its weights lie, and whose.

``<root>/<model>/<task>/<variant>-s<seed>.safetensors`` and a card, as of any weights
(:mod:`sedbench.models.weights`). The root is the folder of what ships with the method, or
``weights/<method>`` in the data folder. The card names the weights of the classifier that it was
learnt on: another classifier's are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from sedbench import spec
from sedbench.errors import DataError, MissingDataError
from sedbench.models import weights
from sedbench.models.weights import Weights
from sedbench.types import MethodInfo, ParamValue


class Explained(Protocol):
    """The classifier of one task, seed and fold: a model reference, or a model's handle."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see ModelHandle
    @property
    def task(self) -> str: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def fold(self) -> int | None: ...  # noqa: D102
    @property
    def called(self) -> str: ...  # noqa: D102
    def explained(self) -> str | None:
        """Give the hash of the classifier's weights."""


def home(info: MethodInfo, model: str) -> tuple[str, Path | None]:
    """Where a method's weights on a model lie: below the data folder's, and shipped."""
    return f"{info.name}/{model}", info.weights / model if info.weights is not None else None


def find(info: MethodInfo, params: Mapping[str, ParamValue], model: Explained) -> Weights:
    """Find what a method has learnt of a classifier.

    Parameters
    ----------
    info : MethodInfo
    params : mapping
        At least the method's parameters that change the training.
    model : ModelRef or ModelHandle

    Raises
    ------
    MissingDataError
        It was neither shipped nor trained here.
    DataError
        It was learnt of another classifier, or its card cannot be read.
    """
    variant, what = spec.trained(info, params)
    name = weights.stem(variant, model.seed, model.fold)
    found = weights.look(*home(info, model.name), model.task, name)
    line = weights.training_line(
        what, model.name, model.called or model.task, model.seed, model.fold
    )
    if found is None:
        fold = "" if model.fold is None else f", fold {model.fold}"
        raise MissingDataError(
            f"{what!r} has learnt nothing of {model.name!r} (seed {model.seed}{fold}) "
            f"on task {model.task!r}",
            f"train it: {line}",
        )
    if found.card.get("explained") != model.explained():
        raise DataError(
            f"{found.path} was learnt of another classifier than the one that is explained",
            f"train it again: {line}",
        )
    return found
