"""The published checkpoint: which tensors it holds, and how they become a safetensors file.

The checkpoint is a torch file, that is, a pickle. It is read once, when it is fetched, and
only with ``torch.load(weights_only=True)``, which builds tensors and plain containers and
refuses everything else. Its tensors are checked by name and shape and written to a
safetensors file; nothing but that file is ever read again.

The front end travels in the checkpoint too, as convolution kernels and a mel matrix. It is
computed here instead, and the checkpoint's is compared with it and then left out.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from sedbench.errors import DataError
from sedbench.models.frontend import mel_matrix
from sedbench_plugins.cnn14.frontend import BANDS, HIGH, LOW, RATE, WINDOW
from sedbench_plugins.cnn14.labels import display_names

_HINT = "fetch the published file: Cnn14_mAP=0.431.pth of Zenodo record 3987831"


def learned_shapes(widths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that were learnt, in the checkpoint's layout.

    Kernels are (channels out, channels in, time, mel).
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, width: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (width,)

    norm("bn0", BANDS)
    before = 1
    for i, width in enumerate(widths, start=1):
        for j, into in ((1, before), (2, width)):
            shapes[f"conv_block{i}.conv{j}.weight"] = (width, into, 3, 3)
            norm(f"conv_block{i}.bn{j}", width)
        before = width
    for name, out in (("fc1", widths[-1]), ("fc_audioset", len(display_names()))):
        shapes[f"{name}.weight"] = (out, widths[-1])
        shapes[f"{name}.bias"] = (out,)
    return shapes


def front_end() -> dict[str, Tensor]:
    """What the checkpoint holds as its front end, computed anew.

    A Fourier transform of Hann-windowed samples as two convolutions, and the mel matrix.
    """
    n = np.arange(WINDOW)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / WINDOW)
    turns = np.outer(np.arange(WINDOW // 2 + 1), n) % WINDOW / WINDOW
    made = {
        "spectrogram_extractor.stft.conv_real.weight": (np.cos(2 * np.pi * turns) * hann)[:, None],
        "spectrogram_extractor.stft.conv_imag.weight": (-np.sin(2 * np.pi * turns) * hann)[:, None],
        "logmel_extractor.melW": mel_matrix(RATE, WINDOW, BANDS, LOW, HIGH).T,
    }
    return {k: torch.from_numpy(v.astype(np.float32)) for k, v in made.items()}


def read_published(path: Path, widths: Sequence[int]) -> dict[str, Tensor]:
    """Read a checkpoint without unpickling objects, and check every tensor.

    Parameters
    ----------
    path : Path
    widths : sequence of int
        Channels of the six blocks.

    Returns
    -------
    dict of str to Tensor
        What was learnt, float32, in the checkpoint's own layout.

    Raises
    ------
    DataError
        The file holds anything but the tensors of this network; the first one is named.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a foreign file makes of the reader is anyone's guess
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise DataError(f"{path} is no checkpoint that can be read safely: {reason}", _HINT) from (
            error
        )
    state = content.get("model") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        raise DataError(f"{path} holds no entry 'model' with tensors", _HINT)
    state = {str(k): v for k, v in state.items() if not str(k).endswith(".num_batches_tracked")}
    front = front_end()
    wanted = learned_shapes(widths) | {k: tuple(v.shape) for k, v in front.items()}
    check(state, wanted, str(path))
    for name, own in front.items():
        if float((state[name] - own).abs().max()) > 1e-3 * float(own.abs().max()):
            raise DataError(f"{path}: {name} is another front end than CNN14's", _HINT)
    return {k: state[k].float().contiguous() for k in wanted if k not in front}


def check(state: Mapping[str, Any], wanted: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Compare names, shapes and values of tensors with what is wanted.

    Raises
    ------
    DataError
        A tensor is missing, one too many, of another shape, or not finite; the first one.
    """
    for name, shape in wanted.items():
        if name not in state:
            raise DataError(f"{where} lacks {name}", _HINT)
        value = state[name]
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise DataError(f"{where}: {name} is no tensor of floating-point numbers", _HINT)
        if tuple(value.shape) != shape:
            raise DataError(
                f"{where}: {name} has the shape {tuple(value.shape)} and should have {shape}",
                _HINT,
            )
        if not bool(torch.isfinite(value).all()):
            raise DataError(f"{where}: {name} holds a value that is not finite", _HINT)
    if surplus := [name for name in state if name not in wanted]:
        raise DataError(f"{where} holds {surplus[0]}, which is no part of CNN14", _HINT)


def write_converted(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file so that it is either whole or not there.

    Raises
    ------
    DataError
        The folder is read-only, or full.
    """
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        save_file(dict(tensors), name)
        Path(name).chmod(0o644)  # mkstemp makes files that only their owner may read
        Path(name).replace(path)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"cannot write {path}: {error}",
            "make room, or set SEDBENCH_DATA to a folder that can be written",
        ) from error
    finally:
        if name:
            Path(name).unlink(missing_ok=True)


def read_converted(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a converted checkpoint.

    Raises
    ------
    DataError
        The file cannot be read, or holds no safetensors.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot read {path}: {error}", "delete it and fetch it again") from error
