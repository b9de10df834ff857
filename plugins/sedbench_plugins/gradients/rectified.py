"""Guided backpropagation and the deconvolutional network: another way back through a ReLU.

The gradient ``g`` at the output of a ReLU with input ``x`` becomes, at its input,

- ``g (x > 0)`` by the chain rule,
- ``max(g, 0)`` in the deconvolutional network,
- ``max(g, 0) (x > 0)`` in guided backpropagation.

Only ReLU *modules* can be changed; a network that rectifies by a function is found out in its
graph and refused, since its answer would silently be another method's. While a clip is passed,
hooks put a ReLU with that way back in the place of each; they are removed again whatever
happens. Both methods explain the input rather more than the class (Adebayo et al. 2018).

References
----------
.. [1] J. T. Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR
   workshop 2015, arXiv 1412.6806.
.. [2] M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks",
   ECCV 2014, arXiv 1311.2901.
.. [3] J. Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv 1810.03292.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sedbench.errors import NotApplicable
from sedbench_plugins.gradients.method import AsModule, Attributed, Case, gradients


class _Guided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp_min(0.0)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        x: Tensor = ctx.saved_tensors[0]
        return slopes[0].clamp_min(0.0) * (x > 0)


class _Deconvnet(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp_min(0.0)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        return slopes[0].clamp_min(0.0)


@dataclass(frozen=True)
class Rectified:
    """The rule: ``way`` is ``guided`` or ``deconvnet``, ``engine`` ``shared`` or ``captum``."""

    way: str
    engine: str

    def __call__(self, case: Case) -> Attributed:
        """Changed gradient of each target's logit.

        Raises
        ------
        NotApplicable
            The network has no ReLU module, or rectifies elsewhere too.
        """
        n = len(case.targets)

        def logits(x: Tensor) -> Tensor:
            out = case.logits(x)
            _check(case, out)
            return out

        if self.engine == "shared":
            with _other_way_back(case.net, _Guided if self.way == "guided" else _Deconvnet):
                return Attributed(gradients(logits, case.x[None], case.targets)[:, 0], 1, n)
        with _other_way_back(case.net, _Guided):
            logits(case.x[None].clone().requires_grad_())
        return Attributed(self._captum(case), 1 + n, n)

    def _captum(self, case: Case) -> Tensor:
        from captum.attr import Deconvolution, GuidedBackprop

        kind = GuidedBackprop if self.way == "guided" else Deconvolution
        reference = kind(AsModule(case))
        with warnings.catch_warnings():
            # It says each time that it will set hooks, and remove them.
            warnings.filterwarnings("ignore", "Setting backward hooks", UserWarning)
            found = [
                reference.attribute(case.x[None].clone().requires_grad_(), target=t)[0].detach()
                for t in case.targets
            ]
        return torch.stack(found)


@contextmanager
def _other_way_back(net: nn.Module, function: type[torch.autograd.Function]) -> Iterator[None]:
    def instead(_: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> Any:
        return function.apply(inputs[0])  # type: ignore[no-untyped-call]

    hooks = [m.register_forward_hook(instead) for m in net.modules() if isinstance(m, nn.ReLU)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _check(case: Case, out: Tensor) -> None:
    names = _operations(out)
    if "ReluBackward0" in names:
        raise NotApplicable(
            f"{type(case.net).__name__} rectifies by a function: only the way back through "
            "ReLU modules can be changed"
        )
    if not names & {f"{f.__name__}Backward" for f in (_Guided, _Deconvnet)}:
        raise NotApplicable(f"{type(case.net).__name__} has no ReLU module on its way")


def _operations(out: Tensor) -> set[str]:
    """Names of all operations that a result comes from."""
    seen: set[Any] = set()
    queue: list[Any] = [out.grad_fn]
    while queue:
        node = queue.pop()
        if node is not None and node not in seen:
            seen.add(node)
            queue += [before for before, _ in node.next_functions]
    return {node.name() for node in seen}
