"""Weight files: half-precision safetensors, each with a card beside it.

``<root>/<task>/<variant>-s<seed>.safetensors`` holds the tensors and
``<variant>-s<seed>.json`` says what they are: sha256, training command, commit, task
fingerprint, validation scores. A task in folds has a file for each rotation, whose name ends
in ``-f<fold>``. A model family names the root of what ships with it;
what is trained here lies in the data folder, with the log of its epochs (``.log.jsonl``). Shipped
weights of a seed come first, so that a local training never changes what a shipped number means.
Nothing is ever unpickled.

What a method that learns has learnt of a model lies in ``<root>/<model>`` of the method's own
root; see :mod:`sedbench.models.learned`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.files import data_root, sha256, write_atomic


@dataclass(frozen=True)
class Weights:
    """Where a variant's weights lie, and their card.

    Attributes
    ----------
    path : Path
    card : mapping
        ``sha256, model, variant, task, task_fingerprint, seed, command, commit, validation``.
    origin : {"shipped", "local"}
    """

    path: Path
    card: Mapping[str, Any]
    origin: str

    @property
    def sha256(self) -> str:
        """The recorded hash."""
        return str(self.card["sha256"])


def local_root(model: str) -> Path:
    """Where weights that are trained here lie."""
    return data_root() / "weights" / model


def stem(variant: str, seed: int, fold: int | None = None) -> str:
    """Name a weight file, without its suffix."""
    return f"{variant}-s{seed}" + ("" if fold is None else f"-f{fold}")


def journal(path: Path) -> Path:
    """Where the log of a training lies, beside the weights that it is to end in."""
    return path.with_suffix(".log.jsonl")


def find(  # noqa: PLR0917 - what names a weight file
    model: str,
    shipped: Path | None,
    task: str,
    variant: str,
    seed: int,
    fold: int | None = None,
    *,
    called: str = "",
) -> Weights:
    """Find the weights of one variant; ``called`` names the task in a line to type.

    Raises
    ------
    MissingDataError
        They were neither shipped nor trained here.
    DataError
        Their card cannot be read.
    """
    found = look(model, shipped, task, stem(variant, seed, fold))
    if found is not None:
        return found
    where = "" if fold is None else f", fold {fold}"
    raise MissingDataError(
        f"there are no weights of {model!r} ({variant}, seed {seed}{where}) for task {task!r}",
        f"train them: {training_line(variant, model, called or task, seed, fold)}",
    )


def look(owner: str, shipped: Path | None, task: str, name: str) -> Weights | None:
    """Find a weight file by its name without suffix, what ships first; None where there is none."""
    roots = ([("shipped", shipped)] if shipped is not None else []) + [("local", local_root(owner))]
    for origin, root in roots:
        path = root / task / f"{name}.safetensors"
        card = path.with_suffix(".json")
        if path.is_file() and card.is_file():
            return Weights(path, _read_card(card), origin)
    return None


def training_line(what: str, model: str, task: str, seed: int, fold: int | None) -> str:
    """What is typed to train something; ``task`` as it is named on the command line."""
    option = "" if fold is None else f" --fold {fold}"
    return (
        f"sedbench train {shlex.quote(what)} --model {model} --task {shlex.quote(task)} "
        f"--seed {seed}{option}"
    )


def available(model: str, shipped: Path | None, task: str) -> list[Weights]:
    """Every weight file of a model and task, shipped first, sorted by name."""
    found: dict[str, Weights] = {}
    for origin, root in (("shipped", shipped), ("local", local_root(model))):
        if root is None or not (root / task).is_dir():
            continue
        for card in sorted((root / task).glob("*-s*.json")):
            path = card.with_suffix(".safetensors")
            if path.is_file() and card.name not in found:
                found[card.name] = Weights(path, _read_card(card), origin)
    return [found[name] for name in sorted(found)]


def _read_card(path: Path) -> Mapping[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(card, dict) or not isinstance(card.get("sha256"), str):
            raise ValueError("it names no sha256")
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read the weight card {path}: {error}",
            "delete it and train again, or reinstall sedbench if it was shipped",
        ) from error
    return card


def load(weights: Weights) -> dict[str, Any]:
    """Read and verify the tensors, as float32.

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    HashMismatchError
        The file is not the one that its card records.
    DataError
        The file cannot be read, or holds no safetensors.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load as load_tensors

    try:
        content = weights.path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read {weights.path}: {error.strerror}", "check the file's permissions"
        ) from error
    hint = "delete it and train again, or reinstall sedbench if it was shipped"
    if sha256(content) != weights.sha256:
        raise HashMismatchError(
            f"{weights.path} is not the file that its card records (sha256 differs)", hint
        )
    try:
        tensors = load_tensors(content)
    except SafetensorError as error:
        raise DataError(f"{weights.path} holds no safetensors: {error}", hint) from error
    return {k: v.float() if v.dtype == torch.float16 else v for k, v in tensors.items()}


def save(path: Path, state: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    """Write tensors in half precision and their card; the card last, so that it vouches.

    Returns
    -------
    str
        sha256 of the weight file.

    Raises
    ------
    DataError
        A weight is too large for half precision, or the folder cannot be written.
    """
    import torch
    from safetensors.torch import save as save_tensors

    half = {
        k: (v.half() if v.is_floating_point() else v).detach().cpu().contiguous()
        for k, v in state.items()
    }
    if strange := [k for k, v in half.items() if not bool(torch.isfinite(v).all())]:
        raise DataError(
            f"{strange[0]} of {path.stem} is not finite in half precision, so it was not kept",
            "train again with a smaller learning rate",
        )
    content = save_tensors(half)
    digest = sha256(content)
    write_atomic(path, content)
    text = json.dumps({"sha256": digest, **card}, indent=2, sort_keys=True, allow_nan=False)
    write_atomic(path.with_suffix(".json"), (text + "\n").encode())
    return digest
