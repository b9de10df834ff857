"""A model as a method sees it: the trained classifier of one task and seed, and its kin."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from sedbench.errors import DataError, NotApplicable, UsageError
from sedbench.models import learned as learned_files
from sedbench.models import weights as weight_files
from sedbench.models.contract import Classifier, ModelFamily
from sedbench.types import MethodInfo, ParamValue


@dataclass
class ModelHandle:
    """Trained classifiers of one family, task and seed, loaded when first asked for.

    Attributes
    ----------
    name : str
        The family's registered name.
    task : str
    classes : tuple of str
    sample_rate : int
    seed : int
        Which trained weights.
    device : str
    variants : tuple of str
        What the family declares.
    factory : callable
        Returns the family.
    shipped : Path or None
        Folder of the weights that ship with the family.
    fold : int or None
        The rotation of a task in folds.
    trains : bool
        Whether a task needs weights of its own.
    called : str
        How the task is named on the command line; its name where this is empty.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    sample_rate: int
    seed: int
    device: str
    variants: tuple[str, ...]
    factory: Callable[[], Any]
    shipped: Path | None = None
    fold: int | None = None
    trains: bool = True
    called: str = ""
    _family: ModelFamily | None = field(default=None, repr=False)
    _loaded: dict[str, Classifier] = field(default_factory=dict, repr=False)

    @property
    def family(self) -> ModelFamily:
        """The family, built once."""
        if self._family is None:
            self._family = self.factory()
        return self._family

    def weights(self, variant: str) -> weight_files.Weights | None:
        """Find the weight file of one variant; None where the family trains nothing.

        Raises
        ------
        NotApplicable
            The family has no such variant.
        MissingDataError
            It has, but nobody trained it for this task and seed.
        """
        if variant not in self.variants:
            raise NotApplicable(
                f"{self.name} has no variant {variant!r} (it has {', '.join(self.variants)})"
            )
        if not self.trains:
            return None
        return weight_files.find(
            self.name, self.shipped, self.task, variant, self.seed, self.fold, called=self.called
        )

    def classifier(self) -> Classifier:
        """Load the explained classifier, ready for inference."""
        return self.variant(self.variants[0])

    def variant(self, variant: str) -> Classifier:
        """Load a trained variant: in eval mode, folded, no gradients to its weights."""
        if variant not in self._loaded:
            found = self.weights(variant)
            model = self.family.build(variant, self.classes, self.sample_rate)
            try:
                model.load_trained(weight_files.load(found) if found else {})
            except (RuntimeError, ValueError) as error:
                file = found.path if found else "what was fetched"
                raise DataError(
                    f"{file} does not fit {self.name} ({variant}): "
                    f"{str(error).splitlines()[-1].strip()}",
                    "train it again, or reinstall sedbench if it was shipped",
                ) from error
            self._loaded[variant] = self._ready(model)
        return self._loaded[variant]

    def explained(self) -> str | None:
        """Give the hash of the explained classifier's weights; None where nothing was trained."""
        found = self.weights(self.variants[0])
        return found.sha256 if found else None

    def learned(self, info: MethodInfo, **params: ParamValue) -> dict[str, torch.Tensor]:
        """Read what a method that learns has learnt of the explained classifier.

        Parameters
        ----------
        info : MethodInfo
            Its own.
        **params
            Its parameters that change the training.

        Raises
        ------
        NotApplicable
            The model is trained on no task, so there was nothing to learn on.
        MissingDataError
            It was not trained for this task and seed; the hint says how.
        DataError
            It was learnt of another classifier, or the file is damaged.
        """
        if not self.trains:
            raise NotApplicable(
                f"{self.name} is trained on no task's clips, and {info.name} learns on those "
                "that its classifier was trained on"
            )
        return weight_files.load(learned_files.find(info, params, self))

    def randomised(self, seed: int) -> Classifier:
        """Build the classifier with untrained weights: the control of an explanation.

        The statistics that standardise the features are kept, since they belong to the
        data; every weight, and the statistics of every BatchNorm, are as at the start.

        Parameters
        ----------
        seed : int
            Seed of the initialisation.
        """
        key = f"randomised-{seed}"
        if key not in self._loaded:
            model = initialise(self.family, self.variants[0], self.classes, self.sample_rate, seed)
            found = self.weights(self.variants[0])
            trained = weight_files.load(found) if found else {}
            norms = tuple(
                name for name, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)
            )
            own = dict(model.named_buffers())
            for name, value in trained.items():
                if name in own and not name.startswith(norms):
                    own[name].copy_(value)
            self._loaded[key] = self._ready(model)
        return self._loaded[key]

    def _ready(self, model: Classifier) -> Classifier:
        model.eval()
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        return model.for_inference().eval().to(self.device)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw initial weights from a seed, leaving torch's global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def initialise(
    family: ModelFamily, variant: str, classes: tuple[str, ...], sample_rate: int, seed: int
) -> Classifier:
    """Build an untrained network from a seed."""
    with seeded(seed):
        return family.build(variant, classes, sample_rate)


def pick_device(wanted: str) -> str:
    """``auto`` becomes ``cuda`` where there is one.

    Raises
    ------
    UsageError
        No such device.
    DataError
        ``cuda`` was asked for and is not there.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", wanted):
        raise UsageError(f"there is no device {wanted!r}", "one of: auto, cpu, cuda")
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise DataError("this PyTorch sees no CUDA device", "use --device cpu, or auto")
    return wanted
