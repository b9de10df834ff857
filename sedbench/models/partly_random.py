"""A classifier of which some layers are random and the others as trained.

An explanation of a classifier should change when the classifier does. Its layers are therefore
replaced by those of the same network before training: from the output backwards, more at every
*stage* (a cascade), or one stage at a time. At the last stage of the cascade the network is that of
:meth:`~sedbench.models.store.ModelHandle.randomised`, weight for weight.

Which layers there are is seen from the network itself: whatever module holds weights of its own,
in the order in which a pass through it leaves them, a normalisation together with the layer before
it. What standardises the features belongs to the data and is kept.

References
----------
J. Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from torch import nn

from sedbench.models import weights as weight_files
from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle, initialise, seeded

STAGES = 8
"""Stages of a cascade unless told otherwise: deeper networks have neighbours put together."""

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True)
class Stage:
    """Layers that become random together.

    Attributes
    ----------
    layers : tuple of str
        Short names, the one nearest to the output first.
    modules : tuple of str
        Paths of the modules that are replaced.
    """

    layers: tuple[str, ...]
    modules: tuple[str, ...]

    @property
    def name(self) -> str:
        """The deepest layer: a cascade is random down to it."""
        return self.layers[-1]


def stages(model: Classifier, samples: int, most: int = STAGES) -> tuple[Stage, ...]:
    """The stages of a network, from the output backwards.

    Parameters
    ----------
    model : Classifier
        As it is built, in eval mode, nothing folded.
    samples : int
        Length of a clip: the order of layers is seen from a pass of silence.
    most : int
        As many stages at most: the output layer alone, the others put together evenly, those of
        one block (one module that holds them) first.
    """
    layers = _layers(model, samples)[::-1]
    paths = [layer[0] for layer in layers]
    if len(layers) > most:
        paths, layers = _blocks(paths, layers, most)
    names = _short(paths)
    parts: list[Sequence[int]] = [[number] for number in range(len(layers))]
    if len(layers) > most:
        rest = np.array_split(np.arange(1, len(layers)), max(most - 1, 1))
        parts = [[0], *(part.tolist() for part in rest)] if most > 1 else [range(len(layers))]
    return tuple(
        Stage(
            tuple(names[number] for number in part),
            tuple(module for number in part for module in layers[number]),
        )
        for part in parts
    )


@torch.no_grad()
def _layers(model: Classifier, samples: int) -> list[list[str]]:
    """Modules that hold weights, in order of execution, each with the norm behind it."""
    modules = dict(model.named_modules())
    holders = [
        name
        for name, module in modules.items()
        if isinstance(module, _NORMS) or any(True for _ in module.parameters(recurse=False))
    ]
    left: dict[str, int] = {}
    handles = [
        modules[name].register_forward_hook(lambda *_, name=name: left.update({name: len(left)}))
        for name in holders
    ]
    try:
        device = next(iter(model.parameters())).device
        model(torch.zeros(1, samples, device=device))
    finally:
        for handle in handles:
            handle.remove()
    # What a pass does not leave, because its weights are used without it, stays where it was
    # registered.
    places, last = {}, -1
    for name in holders:
        last = left.get(name, last)
        places[name] = last
    layers: list[list[str]] = []
    for name in sorted(holders, key=places.__getitem__):
        if layers and isinstance(modules[name], _NORMS):
            layers[-1].append(name)
        else:
            layers.append([name])
    return layers


def _blocks(
    paths: list[str], layers: list[list[str]], most: int
) -> tuple[list[str], list[list[str]]]:
    """Neighbours within one module as one, where that leaves stages enough."""
    blocks = [_parent(path) or path for path in paths]  # the whole network is no block
    runs = [list(run) for _, run in groupby(range(len(paths)), blocks.__getitem__)]
    if len(runs) < most:
        return paths, layers
    joined = [[module for number in run for module in layers[number]] for run in runs]
    return [paths[r[0]] if len(r) == 1 else _parent(paths[r[0]]) for r in runs], joined


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _short(names: Sequence[str]) -> list[str]:
    """The shortest endings of paths that tell them apart."""
    found = []
    for name in names:
        parts = name.split(".")
        endings = [".".join(parts[i:]) for i in range(len(parts) - 1, -1, -1)]
        for ending in endings:
            depth = ending.count(".") + 1
            alike = Counter(".".join(other.split(".")[-depth:]) for other in names)
            if alike[ending] == 1:
                break
        found.append(ending or "the whole")
    return found


class Randomiser:
    """Makes models of which some layers are random.

    Parameters
    ----------
    handle : ModelHandle
        The model as trained.
    seed : int
        Of the random weights.
    """

    def __init__(self, handle: ModelHandle, seed: int) -> None:
        first = handle.variants[0]
        self._handle = handle
        self._random = initialise(handle.family, first, handle.classes, handle.sample_rate, seed)
        self._parameters = dict(self._random.named_modules())

    def trained(self) -> Classifier:
        """The classifier as trained: in eval mode, nothing folded."""
        handle = self._handle
        first = handle.variants[0]
        with seeded(0):  # drawn and replaced: torch's own generator is left alone
            model = handle.family.build(first, handle.classes, handle.sample_rate)
        found = handle.weights(first)
        model.load_trained(weight_files.load(found) if found else {})
        return model.eval()

    @torch.no_grad()
    def without(self, modules: Iterable[str]) -> ModelHandle:
        """The model as a method sees it, some of its modules random.

        Parameters
        ----------
        modules : iterable of str
            Paths, as :class:`Stage` has them.

        Returns
        -------
        ModelHandle
            Its explained classifier is another one; detectors and what methods learnt are not.
        """
        model = self.trained()
        for name in modules:
            mine, other = model.get_submodule(name), self._parameters[name]
            for key, weight in mine.named_parameters(recurse=False):
                weight.copy_(other.get_parameter(key))
            if isinstance(mine, _NORMS):
                for key, value in mine.named_buffers(recurse=False):
                    value.copy_(other.get_buffer(key))
        ready = self._handle._ready(model)
        return replace(self._handle, _loaded={self._handle.variants[0]: ready})
