"""Train a variant of a model on a task: features to weights with a card.

The clips' features come from :mod:`sedbench.examples`; methods that learn are trained by
:mod:`sedbench.teacher`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.data.cache import BankFactory
from sedbench.data.render import RENDERER_VERSION
from sedbench.errors import DataError, UnknownNameError, UsageError
from sedbench.examples import examples, heard
from sedbench.files import cache_root, fingerprint
from sedbench.models import training, validation, weights
from sedbench.models.about import About
from sedbench.models.contract import Classifier, Recipe, trainable
from sedbench.models.recipes import overridden
from sedbench.models.shares import Heard, intervals
from sedbench.models.store import pick_device, seeded
from sedbench.progress import Progress, Steps
from sedbench.refs import ModelRef
from sedbench.tasks import Rotation, TaskSpec
from sedbench.workers import one_thread


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
    journal : Path or None
        The log of its epochs, a JSON object a line; None where none was written.
    """

    path: Path
    card: dict[str, Any]
    shipped: dict[str, Any] | None
    journal: Path | None = None


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
    recipe: Path | None = None,
    about: About | None = None,
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
    recipe : Path, optional
        A TOML file that is laid over the family's recipe; see :mod:`sedbench.models.recipes`.
    about : About, optional
        Licences and limits for the card.

    Raises
    ------
    UnknownNameError
        The family has no such variant.
    UsageError
        The recipe cannot be read, or does not suit what is trained.
    DataError
        The task has no training or validation split.
    """
    if variant not in model.variants:
        raise UnknownNameError.of(f"variant of {model.name!r}:", variant, model.variants)
    turn = rotation(task, model, variant)
    handle = model.handle()
    family, how = handle.family, handle.family.recipe(variant)
    if recipe is not None:
        how = overridden(how, recipe, variant, model.variants)
    how.augment.check(hasattr(family, "trainable"))
    with seeded(model.seed):
        net = trainable(family, variant, task.classes, task.sample_rate)
    learn = examples(task, turn.blocks("train"), bank, net, jobs, progress)
    check = examples(task, turn.blocks("validation"), bank, net, jobs, progress)
    _fit(net, learn.features)
    key = fingerprint(
        [
            [task.fingerprint(), bank().fingerprint(), RENDERER_VERSION],
            [model.name, variant, model.seed, model.fold, model.pretrained],
            model.code(variant),
            training.recipe_facts(how),
        ]
    )
    checkpoint = cache_root() / "training" / f"{key}.safetensors"
    if not resume:
        checkpoint.unlink(missing_ok=True)
    steps = -(-len(learn.features) // how.batch)
    name = weights.stem(variant, model.seed, model.fold)
    progress.start(f"train {name}", how.epochs * steps)
    with one_thread():  # the same bits whatever the machine's number of processors
        report = training.train(
            net,
            how,
            learn,
            check,
            seed=model.seed,
            checkpoint=checkpoint,
            resume=resume,
            journal=weights.journal(place(model, variant, model.name, root)),
            device=pick_device(model.device),
            on_epoch=lambda entry: progress.note(training.told(entry)),
            on_step=Steps(progress),
        )
    progress.finish()
    # What is kept is half precision, so that is what is scored.
    net = trainable(family, variant, task.classes, task.sample_rate)
    net.load_state_dict(training.halved(report.state))
    groups = heard(task, turn.blocks("validation"), bank, jobs, progress)
    card = {
        **facts(task, model, variant, about),
        "recipe": training.recipe_facts(how),
        "best_epoch": report.best_epoch,
        "epochs": len(report.log),
        **judged(net, check, how, groups),
        "command": command,
        "commit": commit,
        "log": list(report.log),
    }
    kept = keep(report.state, card, (model.name, handle.shipped), root)
    checkpoint.unlink(missing_ok=True)
    return kept


def rotation(task: TaskSpec, model: ModelRef, what: str) -> Rotation:
    """The rotation that a model is of, once it is sure that something can be trained in it.

    Raises
    ------
    UsageError
        The model or the task trains nothing.
    DataError
        The task has no training or validation split.
    """
    if not model.trains:
        raise UsageError(f"{model.name!r} has nothing to train", "it knows its classes already")
    if task.trained_on != task.name:
        raise UsageError(
            f"task {task.name!r} has no training clips: it is scored with what was trained on "
            f"{task.trained_on!r}",
            f"sedbench train {what} --model {model.name} --task {task.trained_on}",
        )
    turn = next(turn for turn in task.rotations if turn.fold == model.fold)
    for source, _ in (*turn.blocks("train"), *turn.blocks("validation")):
        if source not in task.splits:
            raise DataError(f"task {task.name!r} has no {source} split", "choose another task")
    return turn


def facts(
    task: TaskSpec, model: ModelRef, variant: str, about: About | None = None
) -> dict[str, Any]:
    """What every card says: of which model, task, seed and fold the weights are, and what of."""
    told = about or About()
    turn = next(turn for turn in task.rotations if turn.fold == model.fold)
    clips = {
        split: sum(task.count(*block) for block in turn.blocks(split))
        for split in ("train", "validation")
    }
    sounds = {"sounds": told.sounds} if told.sounds else {}
    return {
        "data": {"clips": task.summary, **sounds, "seconds": task.duration, **clips},
        **told.facts(),
        "model": model.name,
        "variant": variant,
        "task": task.name,
        "task_version": task.version,
        "task_fingerprint": task.fingerprint(),
        "seed": model.seed,
        "fold": model.fold,
        "pretrained": dict(model.pretrained),
        "classes": list(task.classes),
    }


def place(model: ModelRef, what: str, owner: str, root: Path | None) -> Path:
    """Where the weights of a training go.

    Parameters
    ----------
    model : ModelRef
    what : str
        What they are called: a variant, or what a method learnt.
    owner : str
        Whose they are, as a folder of the data folder.
    root : Path, optional
        Instead of that folder.
    """
    name = weights.stem(what, model.seed, model.fold)
    return (root or weights.local_root(owner)) / model.task / f"{name}.safetensors"


def keep(
    state: Mapping[str, Any],
    card: dict[str, Any],
    owner: tuple[str, Path | None],
    root: Path | None,
) -> Trained:
    """Write weights and their card, and see what ships under the same name.

    Parameters
    ----------
    state : mapping of str to Tensor
    card : dict
        With :func:`facts` in it.
    owner : (str, Path or None)
        Whose weights they are, and the folder of what ships.
    root : Path, optional
        Where they go; the data folder unless given.
    """
    name = weights.stem(card["variant"], card["seed"], card["fold"])
    path = (root or weights.local_root(owner[0])) / card["task"] / f"{name}.safetensors"
    digest = weights.save(path, state, card)
    found = weights.look(*owner, card["task"], name)
    ships = found is not None and found.origin == "shipped" and found.sha256 != digest
    journal = weights.journal(path)
    return Trained(
        path,
        {"sha256": digest, **card},
        dict(found.card) if found is not None and ships else None,
        journal if journal.is_file() else None,
    )


def judged(
    net: Classifier, check: training.Examples, recipe: Recipe, groups: Heard
) -> dict[str, Any]:
    """Score weights as they are kept, for their card.

    Parameters
    ----------
    net : Classifier
        With the weights in half precision, as they come back from a file.
    check : Examples
        The validation clips.
    recipe : Recipe
    groups : sequence
        Source groups of those clips, from :func:`sedbench.examples.heard`.

    Returns
    -------
    dict
        ``validation, intervals, resampled``; see :func:`sedbench.models.shares.intervals`.
    """
    with one_thread():
        scores = validation.validate(net, check, recipe)
        return {"validation": scores, **intervals(validation.shares(net, check, recipe), groups)}


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
