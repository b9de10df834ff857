"""Which rule each step of a classifier has: Zennit's composites, and what they do not see.

A composite gives rules to modules by their type. Three things are settled here:

- *First* and *last* are meant in order of execution. The output layer is the last one with
  weights; it is dense, and has the epsilon rule, also where it is written as a convolution of
  width one over frames.
- Functions outside of modules get the rule that a module would: a mean or sum over an axis, and
  a sum of two branches, share relevance out in proportion to what each part contributed (Zennit's
  ``Norm``); what shifts, scales or rectifies cell by cell passes relevance on (``Pass``), as Zennit
  does with activations and BatchNorm. The plain gradient would give every frame of a mean
  over time the same relevance. What reorders values keeps its gradient, and a maximum gives all
  to the winner, which is its gradient too.
- A BatchNorm that takes in exactly what a layer with weights gives out is merged into it.

Anything else has no rule, and :func:`check` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sedbench.errors import NotApplicable
from sedbench_plugins.relevance.zennit_import import zennit
from sedbench_plugins.structure import Functions, Step, classify, depending, reused

STABILISER = 1e-6  # of every rule but epsilon: Zennit's own default

# Modules whose gradient is their rule: they move values, or pick the largest.
_MOVES = (
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.ZeroPad1d,
    nn.ZeroPad2d,
    nn.ConstantPad1d,
    nn.ConstantPad2d,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.AlphaDropout,
)


def check(found: Sequence[Step]) -> None:
    """See that every step has a rule.

    Raises
    ------
    NotApplicable
        One has none; the message names the layer.
    """
    types = zennit("types")
    ruled = (types.Linear, types.AvgPool, types.Activation, types.BatchNorm, types.MaxPool)
    for step in found:
        if step.kind in ("weights", "other"):
            raise NotApplicable(f"lrp: no rule of Zennit's composites covers {step}")
        if step.module is not None and not isinstance(step.module, (*ruled, *_MOVES)):
            raise NotApplicable(f"lrp: no rule of Zennit's composites covers {step}")
    for step in reused(found):
        if not isinstance(step.module, _MOVES):
            raise NotApplicable(
                f"lrp: {step} is used more than once, so its rule sees one use only"
            )
    if not weighted(found):
        raise NotApplicable("lrp: the classifier has no layer with weights")


def weighted(found: Sequence[Step]) -> list[Step]:
    """The layers with weights, in order of execution."""
    linear = zennit("types").Linear
    return [step for step in found if isinstance(step.module, linear)]


def composite(
    name: str,
    found: Sequence[Step],
    *,
    zero_bias: bool,
    epsilon: float,
    gamma: float,
    bounds: tuple[Tensor, Tensor] | None,
) -> Any:
    """A Zennit composite for the steps that were found.

    Parameters
    ----------
    name : str
        One of ``COMPOSITES``.
    found : sequence of Step
    zero_bias : bool
    epsilon, gamma : float
    bounds : pair of Tensor or None
        Least and largest input of the first layer, for ``epsilon-gamma-box``.
    """
    ready, rules, types = zennit("composites"), zennit("rules"), zennit("types")
    zeroed = ["bias"] if zero_bias else None
    dense = rules.Epsilon(epsilon=epsilon, zero_params=zeroed)
    shared: dict[str, Any] = {"stabilizer": STABILISER, "zero_params": zeroed}
    if name == "epsilon":
        base = ready.layer_map_base(STABILISER)
        source = ready.LayerMapComposite([*base, (types.Linear, dense)])
    elif name == "epsilon-plus":
        source = ready.EpsilonPlus(epsilon=epsilon, **shared)
    elif name == "epsilon-alpha2-beta1":
        source = ready.EpsilonAlpha2Beta1(epsilon=epsilon, **shared)
    else:
        assert bounds is not None
        source = ready.EpsilonGammaBox(*bounds, epsilon=epsilon, gamma=gamma, **shared)
    context: dict[str, Any] = {}
    chosen = {
        step.where: source.module_map(context, step.where, step.module)
        for step in found
        if step.module is not None
    }
    layers = weighted(found)
    if len(layers) > 1:
        chosen[layers[-1].where] = dense
    merge = zennit("canonizers").NamedMergeBatchNorm(merges(found))
    return zennit("core").Composite(lambda _, name, __: chosen.get(name), [merge])


def merges(found: Sequence[Step]) -> list[tuple[list[str], str]]:
    """Each BatchNorm right behind a layer with weights: names of the layer and of the norm."""
    norm, layers = zennit("types").BatchNorm, {step.where for step in weighted(found)}
    return [
        ([step.source], step.where)
        for step in found
        if isinstance(step.module, norm) and step.source in layers
    ]


class _Call(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.function(x))


class RuledFunctions(Functions):
    """Gives rules to functions while the model is executed; keep it until relevance is found."""

    def __init__(self) -> None:
        super().__init__()
        self._rules = zennit("rules")
        self._alive: list[Any] = []  # Zennit holds its hooks by weak references

    def seen(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Do what was called, with its rule."""
        given = depending((args, kwargs))
        kind, _ = classify(func, len(given))
        if kind == "sum":
            return self._ruled(self._rules.Norm(STABILISER), func, given[:1], args, kwargs)
        if kind in ("scale", "rectify"):
            return self._ruled(self._rules.Pass(), func, given[:1], args, kwargs)
        if kind == "add":
            return self._ruled(self._rules.Norm(STABILISER), func, given, args, kwargs)
        return func(*args, **kwargs)

    def _ruled(self, rule: Any, func: Any, given: list[Tensor], args: Any, kwargs: Any) -> Tensor:
        def call(x: Tensor) -> Any:
            parts = x.unbind(-1) if len(given) > 1 else [x]
            swaps = list(zip(given, parts, strict=True))

            def swapped(value: Any) -> Any:
                return next((new for old, new in swaps if old is value), value)

            return func(*map(swapped, args), **{k: swapped(v) for k, v in kwargs.items()})

        module = _Call(call)
        self._alive += [module, rule, rule.register(module)]
        shape = np.broadcast_shapes(*(tuple(part.shape) for part in given))
        x = given[0] if len(given) == 1 else torch.stack([part.expand(shape) for part in given], -1)
        return torch.as_tensor(module(x))
