"""A training's state between two epochs: one file, replaced by atomic rename.

It holds the weights, the optimiser, the best epoch's weights, their average where there is one,
and the log of every epoch as JSON. Nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sedbench.errors import DataError
from sedbench.files import write_atomic
from sedbench.models.averaging import Average


def write(  # noqa: PLR0917 - what a training is made of
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    log: list[dict[str, float]],
    best: Mapping[str, Tensor],
    average: Average | None = None,
) -> None:
    """Write a training's state.

    Parameters
    ----------
    path : Path
    model : torch.nn.Module
    optimiser : Optimizer
    log : list of dict
        One entry an epoch.
    best : mapping of str to Tensor
        The best epoch's weights.
    average : Average, optional
    """
    from safetensors.torch import save

    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in best.items()}
    if average is not None:
        tensors |= {f"average.{k}": v for k, v in average.state.items()}
    for i, slot in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{i}.{k}": v for k, v in slot.items()}
    content = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    write_atomic(path, save(content, metadata={"log": json.dumps(log)}))


def write_log(path: Path | None, log: list[dict[str, float]]) -> None:
    """Write the log so far where people look for it: one JSON object a line, one line an epoch."""
    if path is not None and log:
        text = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in log)
        write_atomic(path, text.encode())


def restore(
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Average | None = None,
) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
    """Read a training's state into its parts.

    Returns
    -------
    log : list of dict
    best : dict of str to Tensor

    Raises
    ------
    DataError
        The file cannot be read, or is of another network or recipe.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            log = json.loads(file.metadata()["log"])
        model.load_state_dict(_under("model.", tensors))
        state: dict[int, dict[str, Any]] = {}
        for key, value in _under("optimiser.", tensors).items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})
        if average is not None:
            average.restore(_under("average.", tensors))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise DataError(
            f"cannot resume from {path}: {str(error).splitlines()[0]}",
            "start again with --fresh",
        ) from error
    return log, _under("best.", tensors)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
