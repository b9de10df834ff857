"""The classifier as Captum and SHAP want it: a module from features to logits, looked at first.

DeepLIFT's rescale rule
-----------------------
Both libraries replace the gradient of each activation *module* by its slope between baseline and
input. An activation that is a function is passed by in silence, and one that is used
twice keeps the numbers of one use only: the attributions are then wrong by tens of percent.
:func:`rescalable` refuses such a model and names the layer.

A global ``AdaptiveMaxPool`` has no rule in either library; on the copy that is explained it is
replaced by the ``MaxPool`` over as many frames, which has one and gives the same.

Captum hangs its rule on the tensor that goes into an activation or max pooling. Where that tensor
goes elsewhere too (CNN14 takes the maximum and the mean of the same frames), what comes back from
there is overwritten, and up to two thirds of the attribution is missing. So each of these modules
is handed a copy of its input.
"""

from __future__ import annotations

import copy
import importlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sedbench.errors import NotApplicable
from sedbench.models.contract import Classifier
from sedbench_plugins.structure import Step, reused, steps

T = TypeVar("T")

_ACTIVATIONS = (nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d)
_GLOBAL: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.AdaptiveMaxPool1d: nn.MaxPool1d,
    nn.AdaptiveMaxPool2d: nn.MaxPool2d,
}
_LINEAR = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Linear,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.ZeroPad1d,
    nn.ZeroPad2d,
    nn.ConstantPad1d,
    nn.ConstantPad2d,
    nn.ReflectionPad1d,
    nn.ReflectionPad2d,
    nn.ReplicationPad1d,
    nn.ReplicationPad2d,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
)


@dataclass
class Passes:
    """Samples passed through a network, and those of them that a gradient was asked for."""

    forward: int = 0
    backward: int = 0


class Logits(nn.Module):
    """Features to logits of some classes, counting what passes through.

    Parameters
    ----------
    net : Classifier
    targets : sequence of int or None
        The classes; None is all of them.
    passes : Passes or None
        Where to count.
    """

    def __init__(
        self,
        net: Classifier,
        targets: Sequence[int] | None = None,
        passes: Passes | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.targets = None if targets is None else list(targets)
        self.passes = Passes() if passes is None else passes

    def only(self, targets: Sequence[int]) -> Logits:
        """The same network to the logits of some classes, counted together."""
        return Logits(self.net, targets, self.passes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (batch, targets) of features (batch, bands, frames)."""
        self.passes.forward += len(features)
        logits = self.net.logits(features)
        self.passes.backward += len(features) if logits.requires_grad else 0
        return logits if self.targets is None else logits[:, self.targets]


def copied(net: Classifier) -> Classifier:
    """A copy that a library may put hooks and attributes on."""
    return copy.deepcopy(net).requires_grad_(False).eval()


def rescalable(net: Classifier, features: Tensor, method: str) -> bool:
    """See that the rescale rule meets only what it has a rule for, and prepare it for that.

    Parameters
    ----------
    net : Classifier
        A copy: its global max poolings are replaced, and hooks stay on it.
    features : Tensor, shape (1, bands, frames)
    method : str
        Named in the refusal.

    Returns
    -------
    bool
        Whether there is but one rescale rule for this model: its activations are ReLUs and nothing
        takes a maximum. Captum and SHAP have rules of their own for maxima.

    Raises
    ------
    NotApplicable
        A layer is at fault; the message names it.
    """
    found = steps(net, features)
    for step in found:
        if (reason := _fault(step)) is not None:
            raise NotApplicable(f"{method}: {step} {reason}")
    for step in reused(found):
        if not isinstance(step.module, _LINEAR):
            raise NotApplicable(
                f"{method}: {step} is used more than once, and the rescale rule would see one use "
                "only; give each use a module of its own"
            )
    for step in found:
        if step.module is not None and (plain := _GLOBAL.get(type(step.module))) is not None:
            net.set_submodule(step.where, plain(step.shape[2:]).eval())
    for module in net.modules():
        if isinstance(module, (*_ACTIVATIONS, *_POOLS)):
            module.register_forward_pre_hook(lambda _, given: tuple(x.clone() for x in given))
    return all(s.module is None or isinstance(s.module, (*_LINEAR, nn.ReLU)) for s in found)


def _fault(step: Step) -> str | None:
    module = step.module
    if module is None:
        if step.kind in ("move", "sum", "add", "scale", "weights"):
            return None
        return "is not linear and no module, so that the rescale rule would pass it by"
    if getattr(module, "inplace", False):
        return "works in place, which overwrites what the rescale rule compares"
    if isinstance(module, nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d):
        size = module.output_size
        sizes = size if isinstance(size, tuple) else (size,)
        return None if set(sizes) == {1} else "has no rescale rule unless it pools all frames"
    if isinstance(module, _LINEAR) or type(module) in (*_ACTIVATIONS, *_POOLS):
        return None
    return "has no rescale rule"


@contextmanager
def quiet() -> Iterator[None]:
    """Drop the warnings of the libraries that are news to nobody here."""
    with warnings.catch_warnings():
        # Captum says on every call that it sets hooks and asks for gradients, and undoes both.
        warnings.filterwarnings("ignore", "(?s).*Setting forward, backward hooks.*")
        warnings.filterwarnings("ignore", "Input Tensor 0 did not already require gradients")
        # SHAP knows no rule for modules that need none, which was seen to before.
        warnings.filterwarnings("ignore", "unrecognized nn.Module")
        yield


def shap_package() -> Any:
    """Import SHAP without the warnings of the plotting that it brings along."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("shap")


def parts(rows: Tensor, batch: int) -> Iterator[Tensor]:
    """At most ``batch`` rows at a time."""
    for at in range(0, len(rows), batch):
        yield rows[at : at + batch]


def fitting(run: Callable[[int], T], batch: int) -> T:
    """Run with an internal batch, halved as often as the accelerator runs out of memory."""
    while True:
        try:
            return run(batch)
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
            batch //= 2
            torch.cuda.empty_cache()
            warnings.warn(f"out of memory: going on with batches of {batch}", stacklevel=2)
