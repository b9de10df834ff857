"""Clips as a training sees them: their features, computed once, and their labels.

Features are computed once per task, split and front end, and kept in half precision; the
front end is identified by what it answers to a fixed sweep, so a changed one is noticed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.data.cache import BankFactory, iter_rendered
from sedbench.data.render import RENDERER_VERSION, Rendered
from sedbench.errors import DataError
from sedbench.files import cache_root, fingerprint, sha256, write_atomic
from sedbench.models import training
from sedbench.models.contract import Classifier
from sedbench.models.shares import Heard
from sedbench.progress import Progress
from sedbench.tasks import TaskSpec
from sedbench.types import Split
from sedbench.workers import one_thread

BATCH = 32  # clips whose features are computed at once


def examples(  # noqa: PLR0917 - the facts of one training
    task: TaskSpec,
    blocks: Sequence[tuple[Split, int | None]],
    bank: BankFactory,
    net: Classifier,
    jobs: int,
    progress: Progress,
) -> training.Examples:
    """Features and labels of some clips, from the cache or made now.

    Parameters
    ----------
    task : TaskSpec
    blocks : sequence of (str, int or None)
        Splits, and the fold of each; see :meth:`sedbench.tasks.Rotation.blocks`.
    bank : callable
        Returns the task's soundbank.
    net : Classifier
        Only its features are used.
    jobs : int
    progress : Progress
    """
    found = [_kept(task, split, fold, bank, net, jobs, progress) for split, fold in blocks]
    edges = net.frame_edges(round(task.duration * task.sample_rate))
    return training.Examples(
        np.concatenate([_read(paths[0]) for paths in found]),
        np.concatenate([_read(paths[1]) for paths in found]),
        partial(_frame_labels, [paths[2] for paths in found], edges, task),
    )


def heard(
    task: TaskSpec,
    blocks: Sequence[tuple[Split, int | None]],
    bank: BankFactory,
    jobs: int,
    progress: Progress,
) -> Heard:
    """Source groups that are heard in some clips, class by class; parameters as above.

    The clips are those that features were made of, so they are in the cache of rendered clips.
    """
    found = []
    for split, fold in blocks:
        progress.start(f"sources of {_what(split, fold)}", task.count(split, fold))
        for clip in iter_rendered(task, split, bank, fold=fold, jobs=jobs):
            found.append(clip.groups)
            progress.advance(1)
        progress.finish()
    return found


def _what(split: Split, fold: int | None) -> str:
    return split if fold is None else f"{split} of fold {fold}"


def _kept(  # noqa: PLR0917 - the facts of one training
    task: TaskSpec,
    split: Split,
    fold: int | None,
    bank: BankFactory,
    net: Classifier,
    jobs: int,
    progress: Progress,
) -> list[Path]:
    """The files of one block: features, clip labels and frame labels."""
    key = fingerprint(
        [task.fingerprint(), split, fold, bank().fingerprint(), RENDERER_VERSION, _front(net)]
    )
    home = cache_root() / "features" / f"{key}"
    paths = [home.with_name(f"{key}.{part}.npy") for part in ("features", "clips", "frames")]
    if not all(p.exists() for p in paths):
        made = _make(task, split, fold, bank, net, jobs, progress)
        for path, array in zip(paths, made, strict=True):
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            write_atomic(path, buffer.getvalue())
    return paths


def _read(path: Path) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        path.unlink(missing_ok=True)  # then all of them are made again
        raise DataError(f"the cached {path} was damaged: {error}", "run again") from error
    return found


def _frame_labels(
    paths: Sequence[Path], edges: NDArray[np.float64], task: TaskSpec
) -> NDArray[np.bool_]:
    # Truth on the task's grid, looked up at the middle of each of the model's frames.
    truth = np.concatenate([_read(path) for path in paths])
    middles = (edges[:-1] + edges[1:]) / 2
    columns = np.clip(np.searchsorted(task.grid.edges, middles) - 1, 0, task.grid.n_frames - 1)
    return np.asarray(truth[:, :, columns])


def _front(net: Classifier) -> str:
    import torch

    time = np.arange(net.sample_rate) / net.sample_rate
    sweep = (0.1 * np.sin(2 * np.pi * 50 * time * 2 ** (6 * time))).astype(np.float32)
    with torch.no_grad():
        answer = net.features(torch.from_numpy(sweep)[None])
    return sha256(np.round(answer.numpy(), 3).tobytes())


def _make(  # noqa: PLR0917 - the facts of one training
    task: TaskSpec,
    split: Split,
    fold: int | None,
    bank: BankFactory,
    net: Classifier,
    jobs: int,
    progress: Progress,
) -> tuple[NDArray[np.float16], NDArray[np.bool_], NDArray[np.bool_]]:
    import torch

    features: list[NDArray[np.float16]] = []
    clips: list[list[bool]] = []
    frames: list[NDArray[np.bool_]] = []
    progress.start(f"render and listen to {_what(split, fold)}", task.count(split, fold))
    for batch in _batches(iter_rendered(task, split, bank, fold=fold, jobs=jobs)):
        waves = torch.from_numpy(np.stack([clip.waveform for clip in batch]))
        with torch.no_grad(), one_thread():
            features.append(net.features(waves).numpy().astype(np.float16))
        for clip in batch:
            clips.append([bool(groups) for groups in clip.groups])
            frames.append(getattr(clip, task.truth))
        progress.advance(len(batch))
    progress.finish()
    return np.concatenate(features), np.array(clips, bool), np.array(frames, bool)


def _batches(clips: Iterator[Rendered]) -> Iterator[list[Rendered]]:
    batch: list[Rendered] = []
    for clip in clips:
        batch.append(clip)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
