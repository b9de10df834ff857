"""Train a variant of a model on a task: clips to features, features to weights with a card.

Features are computed once per task, split and front end, and kept in half precision; the
front end is identified by what it answers to a fixed sweep, so a changed one is noticed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.data.cache import BankFactory, iter_rendered
from sedbench.data.render import RENDERER_VERSION, Rendered
from sedbench.errors import DataError, UnknownNameError, UsageError
from sedbench.files import cache_root, fingerprint, sha256, write_atomic
from sedbench.models import training, weights
from sedbench.models.contract import Classifier, trainable
from sedbench.models.store import pick_device, seeded
from sedbench.progress import Progress
from sedbench.refs import ModelRef
from sedbench.tasks import TaskSpec
from sedbench.types import Split
from sedbench.workers import one_thread

BATCH = 32  # clips whose features are computed at once


@dataclass(frozen=True)
class Trained:
    """What a training left behind.

    Attributes
    ----------
    path : Path
        The weights; their card lies beside them.
    card : dict
    shipped : dict or None
        The card of the shipped weights of the same seed, which stay in use.
    """

    path: Path
    card: dict[str, Any]
    shipped: dict[str, Any] | None


def train_variant(
    task: TaskSpec,
    bank: BankFactory,
    model: ModelRef,
    variant: str,
    *,
    command: str,
    commit: str,
    progress: Progress,
    jobs: int = 1,
    resume: bool = True,
    root: Path | None = None,
) -> Trained:
    """Train one variant and keep its weights.

    Parameters
    ----------
    task : TaskSpec
    bank : callable
        Returns the task's soundbank.
    model : ModelRef
        The family, and the seed of initialisation and order.
    variant : str
    command, commit : str
        Recorded in the card.
    progress : Progress
    jobs : int
        Processes that render clips.
    resume : bool
        Go on from an interrupted training.
    root : Path, optional
        Where the weights go; the data folder unless given.

    Raises
    ------
    UnknownNameError
        The family has no such variant.
    DataError
        The task has no training or validation split.
    """
    if variant not in model.variants:
        raise UnknownNameError.of(f"variant of {model.name!r}:", variant, model.variants)
    if not model.trains:
        raise UsageError(f"{model.name!r} has nothing to train", "it knows its classes already")
    if task.trained_on != task.name:
        raise UsageError(
            f"task {task.name!r} has no training clips: it is scored with what was trained on "
            f"{task.trained_on!r}",
            f"sedbench train {variant} --model {model.name} --task {task.trained_on}",
        )
    handle = model.handle()
    family, recipe = handle.family, handle.family.recipe(variant)
    turn = next(turn for turn in task.rotations if turn.fold == model.fold)
    for split in ("train", "validation"):
        for source, _ in turn.blocks(split):
            if source not in task.splits:
                raise DataError(f"task {task.name!r} has no {source} split", "choose another task")
    with seeded(model.seed):
        net = trainable(family, variant, task.classes, task.sample_rate)
    learn = examples(task, turn.blocks("train"), bank, net, jobs, progress)
    check = examples(task, turn.blocks("validation"), bank, net, jobs, progress)
    _fit(net, learn.features)
    key = fingerprint(
        [
            [task.fingerprint(), bank().fingerprint(), RENDERER_VERSION],
            [model.name, variant, model.seed, model.fold, model.pretrained, model.code()],
            training.recipe_facts(recipe),
        ]
    )
    checkpoint = cache_root() / "training" / f"{key}.safetensors"
    if not resume:
        checkpoint.unlink(missing_ok=True)
    steps = -(-len(learn.features) // recipe.batch)
    name = weights.stem(variant, model.seed, model.fold)
    progress.start(f"train {name}", recipe.epochs * steps)
    last = 0

    def on_step(step: int) -> None:
        nonlocal last
        progress.advance(step - last)
        last = step

    def on_epoch(entry: Any) -> None:
        progress.note(
            "  ".join(
                f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in entry.items()
            )
        )

    with one_thread():  # the same bits whatever the machine's number of processors
        report = training.train(
            net,
            recipe,
            learn,
            check,
            seed=model.seed,
            checkpoint=checkpoint,
            resume=resume,
            device=pick_device(model.device),
            on_epoch=on_epoch,
            on_step=on_step,
        )
    progress.finish()
    card = {
        "model": model.name,
        "variant": variant,
        "task": task.name,
        "task_version": task.version,
        "task_fingerprint": task.fingerprint(),
        "seed": model.seed,
        "fold": model.fold,
        "pretrained": dict(model.pretrained),
        "classes": list(task.classes),
        "recipe": training.recipe_facts(recipe),
        "best_epoch": report.best_epoch,
        "epochs": len(report.log),
        "validation": _shipped_scores(handle.family, report, task, variant, check, recipe),
        "command": command,
        "commit": commit,
        "log": list(report.log),
    }
    folder = (root or weights.local_root(model.name)) / task.name
    path = folder / f"{name}.safetensors"
    digest = weights.save(path, report.state, card)
    checkpoint.unlink(missing_ok=True)
    ships = [
        w
        for w in weights.available(model.name, handle.shipped, task.name)
        if w.origin == "shipped" and w.path.name == path.name and w.sha256 != digest
    ]
    shipped = dict(ships[0].card) if ships else None
    return Trained(path, {"sha256": digest, **card}, shipped)


def _shipped_scores(  # noqa: PLR0917 - the facts of one training
    family: Any,
    report: training.Report,
    task: TaskSpec,
    variant: str,
    check: training.Examples,
    recipe: Any,
) -> dict[str, float]:
    # What is kept is half precision, so that is what is scored.
    net = trainable(family, variant, task.classes, task.sample_rate)
    net.load_state_dict(
        {k: v.half().float() if v.is_floating_point() else v for k, v in report.state.items()}
    )
    with one_thread():
        return training.validate(net, check, recipe)


def _fit(net: Classifier, features: NDArray[np.float16]) -> None:
    import torch

    total = np.zeros(features.shape[1])
    square = np.zeros(features.shape[1])
    for i in range(0, len(features), 256):
        block = features[i : i + 256].astype(np.float64)
        total += block.sum((0, 2))
        square += np.square(block).sum((0, 2))
    count = len(features) * features.shape[2]
    mean = total / count
    deviation = np.sqrt(np.maximum(square / count - mean**2, 0.0))
    net.fit_features(torch.from_numpy(mean).float(), torch.from_numpy(deviation).float())


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
    what = split if fold is None else f"{split} of fold {fold}"
    progress.start(f"render and listen to {what}", task.count(split, fold))
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
