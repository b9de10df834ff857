"""A method and a model as they travel: what a worker needs to build them, and what names them.

Both are plain values that cross a process boundary; the heavy imports happen where they are
built. What of their code decides an answer is followed by :mod:`sedbench.sources`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench import sources
from sedbench.files import data_root, sha256
from sedbench.spec import trained
from sedbench.types import MethodInfo, ParamValue

if TYPE_CHECKING:
    from sedbench.models.store import ModelHandle

_MODELS = f"{__package__}.models"


@dataclass(frozen=True)
class ModelRef:
    """Everything that a worker needs to load a model, and what identifies its weights.

    Attributes
    ----------
    name, canonical : str
        The family's name, and with its parameters.
    task : str
        The task that the weights were trained on.
    classes : tuple of str
    sample_rate, seed : int
    device : str
    variants : tuple of str
    factory : callable
    weights : tuple of (str, str)
        Variant and sha256 of every weight file of that seed.
    shipped : Path or None
        Folder of the weights that ship with the family.
    fold : int or None
        The rotation of a task in folds whose weights these are.
    trains : bool
        Whether a task needs weights of its own.
    pretrained : tuple of (str, str)
        Name and sha256 of every fetched file that decides the answers.
    called : str
        How that task is named on the command line; its name where this is empty.
    fetch : str
        The command that gets the pretrained files.
    parts : tuple of (str, str)
        Variant and ``module:name`` of code that decides its answers besides the factory's.
    """

    name: str
    canonical: str
    task: str
    classes: tuple[str, ...]
    sample_rate: int
    seed: int
    device: str
    variants: tuple[str, ...]
    factory: Callable[[], Any]
    weights: tuple[tuple[str, str], ...] = ()
    shipped: Path | None = None
    fold: int | None = None
    trains: bool = True
    pretrained: tuple[tuple[str, str], ...] = ()
    called: str = ""
    fetch: str = ""
    parts: tuple[tuple[str, str], ...] = ()

    def handle(self) -> ModelHandle:
        """Load the model; one a process."""
        return _handle(self)

    def explained(self) -> str | None:
        """Give the hash of the explained classifier's weights."""
        return dict(self.weights).get(self.variants[0])

    def code(self, variant: str = "") -> str:
        """Sha256 over the code of a variant and of the shared front end.

        Parameters
        ----------
        variant : str
            Empty for all of them.
        """
        front = Path(__file__).parent / "models" / "frontend.py"
        told = [sources.code_of(self.factory), sources.module_code(f"{_MODELS}.frontend", front)]
        told += [sources.named(place) for v, place in self.parts if variant in ("", v)]
        return sha256("".join(told).encode())

    @property
    def detectors(self) -> str:
        """What a family's detectors share with its classifier: two comparisons, kept apart."""
        if not self.trains or len(self.variants) < 2:
            return ""
        if self.pretrained:
            return "heads on the classifier's own frozen trunk"
        return "the classifier's architecture, trained for the purpose"

    def missing(self) -> str | None:
        """Name a pretrained file that has not been fetched, or None."""
        here = {path.name for path in (data_root() / "models").glob("*/*")}
        return next((name for name, _ in self.pretrained if name not in here), None)

    def behind(self, method: MethodRef) -> list[object]:
        """Tell everything about the model that a method's answers can depend on."""
        needs = method.info.needs
        if not needs & {"model", "gradients", "detector"}:
            return []
        read = method.variant if "detector" in needs else self.variants[0]
        weights = [(v, digest) for v, digest in self.weights if read in ("", v)]
        told: list[object] = [weights, self.pretrained, self.code(read)]
        if method.info.learns:
            told.append(dict(method.learned).get(self.fold))
        return told


@lru_cache(maxsize=6)  # the rotations of a task in five folds
def _handle(ref: ModelRef) -> ModelHandle:
    from sedbench.models.store import ModelHandle

    return ModelHandle(
        ref.name,
        ref.task,
        ref.classes,
        ref.sample_rate,
        ref.seed,
        ref.device,
        ref.variants,
        ref.factory,
        ref.shipped,
        ref.fold,
        ref.trains,
        ref.called,
    )


@dataclass(frozen=True)
class MethodRef:
    """A method with its parameters, as a worker can build it.

    Attributes
    ----------
    info : MethodInfo
    spec : str
        Canonical.
    params : mapping
    factory : callable
    learned : tuple of (int or None, str)
        Of a method that learns: fold and sha256 of its weights for the run's model, where there
        are any.
    """

    info: MethodInfo
    spec: str
    params: Mapping[str, ParamValue]
    factory: Callable[..., Any]
    learned: tuple[tuple[int | None, str], ...] = ()

    def code(self) -> str:
        """Sha256 over the code that the method's factory uses; comments do not count."""
        return sources.code_of(self.factory)

    @property
    def seeded(self) -> bool:
        """Whether ``--seed`` changes the answers, with these parameters."""
        info = self.info
        when = info.seeded_by
        return info.stochastic and (not when or any(self.params[k] == v for k, v in when))

    @property
    def variant(self) -> str:
        """The trained variant that a detector reads; empty where it does not say.

        Of a method that learns, what its weights are called.
        """
        if self.info.learns:
            return trained(self.info, self.params)[0]
        return self.info.variant.format(**self.params)
