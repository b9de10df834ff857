"""A method and a model as they travel: what a worker needs to build them, and what names them.

Both are plain values that cross a process boundary; the heavy imports happen where they are
built. The hash of a method's code leaves out comments and docstrings, so that correcting a
sentence makes no result stale.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench.files import sha256
from sedbench.types import MethodInfo, ParamValue

if TYPE_CHECKING:
    from sedbench.models.store import ModelHandle


@dataclass(frozen=True)
class ModelRef:
    """Everything that a worker needs to load a model, and what identifies its weights.

    Attributes
    ----------
    name, canonical : str
        The family's name, and with its parameters.
    task : str
    classes : tuple of str
    sample_rate, seed : int
    device : str
    variants : tuple of str
    factory : callable
    weights : tuple of (str, str)
        Variant and sha256 of every weight file of that seed.
    shipped : Path or None
        Folder of the weights that ship with the family.
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

    def handle(self) -> ModelHandle:
        """Load the model; one a process."""
        return _handle(self)

    def explained(self) -> str | None:
        """Give the hash of the explained classifier's weights."""
        return dict(self.weights).get(self.variants[0])

    def weights_of(self, info: MethodInfo) -> list[tuple[str, str]]:
        """List the weights that a method's answer can depend on."""
        if "detector" in info.needs:
            return list(self.weights)
        explained = self.variants[0] if info.needs & {"model", "gradients"} else None
        return [(variant, digest) for variant, digest in self.weights if variant == explained]


@lru_cache(maxsize=2)
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
    """

    info: MethodInfo
    spec: str
    params: Mapping[str, ParamValue]
    factory: Callable[..., Any]

    def code(self) -> str:
        """Sha256 over the code of the method's module or package; comments do not count."""
        module = inspect.getmodule(getattr(self.factory, "func", self.factory))
        file = getattr(module, "__file__", None)
        return "unknown" if file is None else _code(Path(file))


@lru_cache
def _code(path: Path) -> str:
    files = sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]
    parts = []
    for file in files:
        tree = ast.parse(file.read_bytes())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):  # a docstring is not code either
                node.body = [n for n in body if not _is_text(n)]  # type: ignore[attr-defined]
        parts.append(f"{file.name}\0{ast.dump(tree)}")
    return sha256("\0".join(parts).encode())


def _is_text(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
