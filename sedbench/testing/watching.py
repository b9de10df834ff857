"""What a method has to leave as it found it, seen before and after: the world, and the model."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)

State = dict[str, Any]


def generators() -> State:
    """States of the global random generators."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    found: State = {
        "NumPy's global generator": (kind, np.asarray(keys).tobytes(), *rest),
        "Python's random module": random.getstate(),
        "torch's global generator": torch.get_rng_state().numpy().tobytes(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        found["CUDA's generators"] = [s.numpy().tobytes() for s in torch.cuda.get_rng_state_all()]
    return found


def settings() -> State:
    """Settings of torch and NumPy that everybody shares."""
    return {
        "whether gradients are recorded": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "anomaly detection": torch.is_anomaly_enabled(),
        "torch's default type": torch.get_default_dtype(),
        "torch's number of threads": torch.get_num_threads(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "NumPy's handling of errors": np.geterr(),
        "hooks on every module": _global_hooks(),
    }


def gradients(model: nn.Module) -> State:
    """What gradients of the parameters are asked for, and which are there."""
    return {
        f"gradient of {name}": (p.requires_grad, None if p.grad is None else _digest(p.grad))
        for name, p in model.named_parameters()
    }


def structure(model: nn.Module) -> State:
    """Weights, modules, hooks, mode and attributes of a model."""
    found: State = {
        f"weights {name}": _digest(value)
        for name, value in (*model.named_parameters(), *model.named_buffers())
    }
    for name, module in model.named_modules():
        where = name or "the model itself"
        found[f"module {where}"] = (id(module), type(module).__qualname__)
        found[f"train/eval mode of {where}"] = module.training
        found[f"hooks of {where}"] = {
            kind: tuple(getattr(module, kind, ())) for kind in _HOOKS if getattr(module, kind, ())
        }
        found[f"attributes of {where}"] = sorted(vars(module))
    return found


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of what is not as it was."""
    names = dict.fromkeys((*before, *after))
    return [name for name in names if before.get(name) != after.get(name)]


def scramble(seed: int) -> None:
    """Set the global generators to something; whoever reads them answers otherwise than before."""
    np.random.seed(seed)
    random.seed(seed)
    torch.manual_seed(seed)


class Restored:
    """Puts generators and settings back at the end of a block, whatever was done to them."""

    def __enter__(self) -> None:
        self._numpy, self._python = np.random.get_state(), random.getstate()
        self._torch, self._grad = torch.get_rng_state(), torch.is_grad_enabled()
        self._threads, self._errors = torch.get_num_threads(), np.geterr()
        self._type = torch.get_default_dtype()

    def __exit__(self, *_: object) -> None:
        np.random.set_state(self._numpy)
        random.setstate(self._python)
        torch.set_rng_state(self._torch)
        torch.set_grad_enabled(self._grad)
        torch.set_num_threads(self._threads)
        torch.set_default_dtype(self._type)
        np.seterr(**self._errors)


def _digest(value: torch.Tensor) -> tuple[object, ...]:
    content = value.detach().cpu().contiguous()
    if content.is_floating_point():
        content = content.to(torch.float64)  # bfloat16 has no NumPy type
    return tuple(value.shape), value.dtype, hashlib.sha256(content.numpy().tobytes()).hexdigest()


def _global_hooks() -> dict[str, int]:
    shared = vars(nn.modules.module)
    return {
        name: len(found)
        for name, found in shared.items()
        if name.startswith("_global_") and name.endswith("_hooks") and found
    }
