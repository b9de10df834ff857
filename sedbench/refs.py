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

from sedbench.files import data_root, sha256
from sedbench.spec import trained
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

    def handle(self) -> ModelHandle:
        """Load the model; one a process."""
        return _handle(self)

    def explained(self) -> str | None:
        """Give the hash of the explained classifier's weights."""
        return dict(self.weights).get(self.variants[0])

    def code(self) -> str:
        """Sha256 over the code of the family and of the shared front end; comments do not count."""
        front = Path(__file__).parent / "models" / "frontend.py"
        return sha256(f"{code_of(self.factory)}{_code(front)}".encode())

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
        told: list[object] = [weights, self.pretrained, self.code()]
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
        """Sha256 over the code of the method's module or package; comments do not count."""
        return code_of(self.factory)

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


def code_of(factory: Callable[..., Any]) -> str:
    """Sha256 over the code that a factory stands in.

    That is its module, or package, and whatever of the same distribution's import package
    these import, and so on; but not what is imported from elsewhere, which has a version. Of the
    framework itself it is the one module.
    """
    module = inspect.getmodule(getattr(factory, "func", factory))
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return "unknown"
    return _code(Path(file), module.__name__)


@lru_cache
def _code(path: Path, name: str = "") -> str:
    own, parts = _files(path), []
    others: dict[str, Path] = {}
    package = path.name == "__init__.py"
    waiting = [(file, f"{name}.{file.stem}" if package else name) for file in own]
    while waiting:
        file, called = waiting.pop(0)
        for found, source in _imported(file, called).items():
            if found not in others and source not in own:
                others[found] = source
                ending = ".__init__" if source.name == "__init__.py" else ""
                waiting.append((source, found + ending))
    for file in [*own, *(others[found] for found in sorted(others))]:
        tree = ast.parse(file.read_bytes())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):  # a docstring is not code either
                node.body = [n for n in body if not _is_text(n)]  # type: ignore[attr-defined]
        parts.append(f"{file.name}\0{ast.dump(tree)}")
    return sha256("\0".join(parts).encode())


def _files(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]


def _imported(file: Path, name: str) -> dict[str, Path]:
    """Modules of the same import package that a module imports, late ones included."""
    root, _, rest = name.partition(".")
    if not rest or root == __package__:
        return {}
    home = file.parents[len(name.split(".")) - 2]
    found: dict[str, Path] = {}
    for node in ast.walk(ast.parse(file.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for each in names:
            if each.startswith(f"{root}.") and (source := _source(home, each)) is not None:
                found[each] = source
    return found


def _source(home: Path, name: str) -> Path | None:
    # By its place: asking Python for a module imports the packages above it.
    path = home.joinpath(*name.split(".")[1:])
    places = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((place for place in places if place.is_file()), None)


def _is_text(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
