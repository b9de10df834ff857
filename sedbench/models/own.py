"""A model of one's own without a plugin: ``--model my_pkg.module:build``.

``build`` takes nothing and returns a network, its classes and its sample rate::

    def build():
        network = MyNet()                       # (batch, samples) -> (batch, classes), logits
        network.load_state_dict(torch.load("mine.pt", weights_only=True))
        return network, ("Dog", "Cat"), 16000

A fourth value, a dictionary, may hold ``front``, ``frame`` and ``layers`` of
:class:`sedbench.models.wrapped.Wrapped`. A module is found as Python finds it, or else below
the folder that the command is typed in; a file does as well: ``./mine.py:build``.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench.errors import NotApplicable, SedbenchError, UnknownNameError, UsageError
from sedbench.modules import load_module

if TYPE_CHECKING:
    from sedbench.models.contract import Classifier, Recipe

CLASSIFIER = "classifier"
_FORM = "build() returns (network, classes, sample_rate), or a dictionary of options behind them"


def is_own(name: str) -> bool:
    """Whether a model is named by what builds it."""
    return ":" in name


@dataclass(frozen=True)
class OwnFamily:
    """The family of one network, as it travels to a worker: where its builder lies.

    Attributes
    ----------
    name : str
        As it was typed.
    folder : str
        What a module that Python does not find is looked for in.
    """

    name: str
    folder: str

    def __call__(self) -> OwnFamily:
        """Be the factory too."""
        return self

    @property
    def called(self) -> str:
        """How results call it: of a file its last part, no folder of this machine."""
        where, _, attribute = self.name.rpartition(":")
        return f"{Path(where).name if where.endswith('.py') else where}:{attribute}"

    @property
    def func(self) -> Callable[[], Any]:
        """The builder.

        Raises
        ------
        UsageError
            It cannot be imported, or is none.
        """
        where, _, attribute = self.name.rpartition(":")
        try:
            found: Any = self._module(where)
            for part in attribute.split("."):
                found = getattr(found, part)
        except SedbenchError:
            raise
        except Exception as error:
            raise UsageError(
                f"cannot import the model {self.name!r}: {type(error).__name__}: {error}",
                "write my_package.module:build, or ./mine.py:build",
            ) from error
        if not callable(found):
            raise UsageError(f"{self.name!r} is a {type(found).__name__}, no function", _FORM)
        builder: Callable[[], Any] = found
        return builder

    def _module(self, where: str) -> Any:
        here = Path(self.folder)
        if where.endswith(".py"):
            file = here / Path(where).expanduser()
            if not file.is_file():
                raise UsageError(f"there is no {file}", "write ./mine.py:build")
            return load_module(file.stem, file)
        root = where.partition(".")[0]
        if not where or importlib.util.find_spec(root) is not None:
            return importlib.import_module(where)
        for file in (here / root / "__init__.py", here / f"{root}.py"):
            if file.is_file():
                load_module(root, file)
                break
        return importlib.import_module(where)

    def _made(self) -> tuple[Any, tuple[str, ...], int, dict[str, Any]]:
        from torch import nn

        builder = self.func
        try:
            made = builder()
        except SedbenchError:
            raise
        except Exception as error:
            raise UsageError(
                f"{self.name} raised {type(error).__name__}: {error}", "it takes no arguments"
            ) from error
        parts = tuple(made) if isinstance(made, tuple | list) else (made,)
        options = parts[3] if len(parts) == 4 else {}
        if len(parts) not in (3, 4) or not isinstance(options, dict):
            raise UsageError(f"{self.name} returned {_shape(parts)}", _FORM)
        network, classes, rate = parts[:3]
        if not isinstance(network, nn.Module):
            raise UsageError(f"{self.name}: a {type(network).__name__} is no nn.Module", _FORM)
        if isinstance(classes, str) or not all(isinstance(label, str) for label in classes):
            raise UsageError(f"{self.name}: its classes are no list of names", _FORM)
        if isinstance(rate, bool) or not isinstance(rate, int) or rate < 1:
            raise UsageError(f"{self.name}: {rate!r} is no sample rate in Hz", _FORM)
        return network, tuple(classes), rate, options

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> Classifier:
        """Build it with random weights; ``load_trained`` brings its own back."""
        from sedbench.models.wrapped import Wrapped

        if variant != CLASSIFIER:
            raise UnknownNameError.of(f"variant of {self.name!r}:", variant, (CLASSIFIER,))
        network, own, rate, options = self._made()
        try:
            model = Wrapped(network, own, rate, classes, sample_rate, **options)
        except TypeError as error:
            raise UsageError(
                f"{self.name}: {error}", "front, frame and layers are known"
            ) from error
        model.randomise()
        return model

    def recipe(self, variant: str) -> Recipe:
        """Refuse: it comes trained.

        Raises
        ------
        NotApplicable
            Always.
        """
        raise NotApplicable(f"{self.name} comes trained")

    def digest(self) -> str:
        """Sha256 over the weights that the builder returns, by name."""
        import torch

        network, classes, rate, _ = self._made()
        total = hashlib.sha256(repr((classes, rate)).encode())
        for name, value in sorted(network.state_dict().items()):
            content = value.detach().cpu().contiguous()
            total.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            total.update(content.reshape(-1).view(torch.uint8).numpy().tobytes())
        return total.hexdigest()


@lru_cache
def checked(family: OwnFamily, classes: tuple[str, ...], sample_rate: int) -> str:
    """See that a network fits a task, and give the sha256 of its weights; once a process.

    Raises
    ------
    UsageError
        It cannot be built, or lacks a class of the task.
    """
    family.build(CLASSIFIER, classes, sample_rate)
    return family.digest()


def _shape(parts: tuple[Any, ...]) -> str:
    return ", ".join(type(part).__name__ for part in parts) or "nothing"
