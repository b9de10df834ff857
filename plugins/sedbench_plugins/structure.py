"""What a classifier does between its features and its logits, seen while it does it.

Rules of propagation (DeepLIFT, LRP) belong to modules. A library that meets something that it has
no rule for takes the plain gradient and says nothing, so that the model has to be looked at first:
:func:`steps` runs it once and lists, in order, every module of PyTorch's own that was called
and every function that was called outside of them, with the name of the module that called it.
Modules of other origin (a pooling of one's own, say) are seen through.

Kinds of a step
---------------
``module``  a module of ``torch.nn``
``move``    reorders, cuts, pads, repeats or joins values without changing them
``sum``     a sum or mean over axes of one tensor
``add``     a sum or difference of two tensors that both depend on the features
``scale``   adds or multiplies by constants, cell by cell
``weights`` a linear map with weights: a matrix product or a convolution
``rectify`` an activation, cell by cell
``max``     the maximum over an axis
``other``   anything else
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from sedbench.models.contract import Classifier

_KINDS = {
    "move": (
        "getitem contiguous permute transpose t T mT movedim swapaxes reshape view view_as flatten "
        "unflatten squeeze unsqueeze expand expand_as broadcast_to broadcast_tensors repeat "
        "repeat_interleave tile stack cat concat clone to float double narrow select index_select "
        "chunk split unbind unfold pad dropout flip roll as_tensor"
    ),
    "sum": "mean sum avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d",
    "add": "add sub subtract rsub radd",
    "scale": "mul multiply rmul div divide truediv true_divide neg negative",
    "weights": (
        "linear matmul rmatmul mm bmm mv dot einsum tensordot conv1d conv2d conv3d "
        "conv_transpose1d conv_transpose2d"
    ),
    "rectify": "relu relu6 leaky_relu elu selu celu gelu silu softplus sigmoid tanh hardtanh",
    "max": "amax",
}
_KIND = {name: kind for kind, names in _KINDS.items() for name in names.split()}


@dataclass(frozen=True)
class Step:
    """Something that was done to what depends on the features.

    Attributes
    ----------
    kind : str
        See the module's docstring.
    what : str
        Class of the module, or name of the function.
    where : str
        Name of the module; of a function, the module that called it ("" is the classifier).
    module : torch.nn.Module or None
    shape : tuple of int
        Shape of the first input.
    source : str or None
        Name of the module whose output went in unchanged, if one's did.
    """

    kind: str
    what: str
    where: str
    module: nn.Module | None = None
    shape: tuple[int, ...] = ()
    source: str | None = None

    def __str__(self) -> str:
        where = f"layer {self.where!r}" if self.where else "the classifier itself"
        if self.module is not None:
            return f"{where} ({self.what})"
        return f"the function {self.what} in {where}"


def steps(net: Classifier, features: Tensor) -> list[Step]:
    """Everything that is done to the features on their way to the logits.

    Parameters
    ----------
    net : Classifier
        In eval mode, its parameters without gradients. It is left as it was.
    features : Tensor, shape (batch, bands, frames)

    Returns
    -------
    list of Step
        In order of execution; a module that is called twice is in it twice.
    """
    watch = _Watch()
    with torch.enable_grad(), places(net) as place, watch.at(place):
        net.logits(features.detach().clone().requires_grad_())
    return watch.found


def reused(found: Iterable[Step]) -> Iterator[Step]:
    """The modules that were called more than once, each of them once."""
    seen = Counter(step.where for step in found if step.module is not None)
    for step in {s.where: s for s in found if s.module is not None}.values():
        if seen[step.where] > 1:
            yield step


@dataclass
class Place:
    """Where the execution is.

    Attributes
    ----------
    names : list of str
        The modules that are being executed, from the outside in.
    closed : int
        How many of PyTorch's own modules are among them.
    left : callable or None
        Told of each of PyTorch's own modules: its name, itself, its inputs and its output.
    """

    names: list[str]
    closed: int = 0
    left: Callable[[str, nn.Module, Any, Any], None] | None = None


@contextmanager
def places(net: nn.Module) -> Iterator[Place]:
    """Follow which module is being executed, by hooks that are taken off again."""
    place, handles = Place([]), []
    for name, module in net.named_modules():
        own = type(module).__module__.startswith("torch.nn.") and not any(module.children())

        def enter(_: nn.Module, __: Any, name: str = name, own: bool = own) -> None:
            place.names.append(name)
            place.closed += own

        def leave(
            module: nn.Module, given: Any, made: Any, name: str = name, own: bool = own
        ) -> None:
            place.names.pop()
            place.closed -= own
            if own and place.left is not None:
                place.left(name, module, given, made)

        handles += [module.register_forward_pre_hook(enter, prepend=True)]
        handles += [module.register_forward_hook(leave)]
    try:
        yield place
    finally:
        for handle in handles:
            handle.remove()


class Functions(TorchFunctionMode):
    """Passes what is called outside of PyTorch's own modules to :meth:`seen`."""

    place: Place

    def at(self, place: Place) -> Functions:
        """Work where that follower of the execution stands."""
        self.place = place
        return self

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.place.closed or not depending((args, kwargs)):
            return func(*args, **kwargs)
        return self.seen(func, args, kwargs)

    def seen(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Do what was called."""
        return func(*args, **kwargs)


class _Watch(Functions):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Step] = []
        self._made: list[tuple[Any, str]] = []  # kept, so that no identity is given twice

    def at(self, place: Place) -> Functions:
        place.left = self._module
        return super().at(place)

    def seen(self, func: Any, args: Any, kwargs: Any) -> Any:
        given = depending((args, kwargs))
        shape = tuple(given[0].shape)
        made = func(*args, **kwargs)
        # What gives no tensor, or one without a gradient, is a question and not a step.
        if depending(made):
            kind, name = classify(func, len(given))
            self.found.append(Step(kind, name, self._where(), shape=shape))
        return made

    def _module(self, name: str, module: nn.Module, given: Any, made: Any) -> None:
        if depending(made):
            into = given[0]
            source = next((n for out, n in self._made if out is into), None)
            self._made.append((made, name))
            self.found.append(
                Step("module", type(module).__name__, name, module, tuple(into.shape), source)
            )

    def _where(self) -> str:
        return self.place.names[-1] if self.place.names else ""


def depending(value: Any) -> list[Tensor]:
    """The tensors among nested arguments that depend on the features."""
    if isinstance(value, Tensor):
        return [value] if value.requires_grad else []
    if isinstance(value, list | tuple):
        return [tensor for part in value for tensor in depending(part)]
    if isinstance(value, dict):
        return depending(list(value.values()))
    return []


def classify(func: Any, dependent: int) -> tuple[str, str]:
    """Kind and name of a function that was called with so many dependent tensors."""
    full = (resolve_name(func) or getattr(func, "__name__", "?")).removesuffix(".__get__")
    last = full.rpartition(".")[2]
    if last.endswith("_") and not last.endswith("__"):
        return "other", last  # in place
    name = last.strip("_")
    kind = _KIND.get(name, "other")
    if kind == "add" and dependent == 1:
        kind = "scale"
    if kind in ("scale", "weights") and dependent > 1:
        kind = "other"
    return kind, name
