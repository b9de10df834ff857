"""Train a method on top of an explained classifier: the twin of :mod:`sedbench.trainer`.

The method is given a lesson (:mod:`sedbench.models.lesson`): the classifier, the features and clip
labels of the clips that it was trained on, and a place for a checkpoint. Frame labels are not
in it. What it hands back is kept with a card that names the classifier's weights.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sedbench.data.cache import BankFactory
from sedbench.data.render import RENDERER_VERSION
from sedbench.errors import DataError, SedbenchError
from sedbench.examples import examples, heard
from sedbench.files import cache_root, fingerprint
from sedbench.models import learned, weights
from sedbench.models.about import About
from sedbench.models.lesson import Clips, Learner, Lesson
from sedbench.models.shares import Heard, intervals
from sedbench.models.store import seeded
from sedbench.models.training import halved
from sedbench.progress import Progress
from sedbench.refs import MethodRef, ModelRef
from sedbench.tasks import TaskSpec
from sedbench.trainer import Trained, facts, keep, place, rotation
from sedbench.types import Split
from sedbench.workers import one_thread


def train_method(
    task: TaskSpec,
    bank: BankFactory,
    model: ModelRef,
    method: MethodRef,
    *,
    command: str,
    commit: str,
    progress: Progress,
    jobs: int = 1,
    resume: bool = True,
    root: Path | None = None,
    about: About | None = None,
) -> Trained:
    """Let a method learn of one classifier, and keep what it learnt.

    Parameters
    ----------
    task : TaskSpec
    bank : callable
        Returns the task's soundbank.
    model : ModelRef
        Whose classifier of that seed and fold is explained; the seed is the training's too.
    method : MethodRef
        One that learns, with the parameters that change its training.
    command, commit : str
        Recorded in the card.
    progress : Progress
    jobs : int
        Processes that render clips.
    resume : bool
        Go on from an interrupted training.
    root : Path, optional
        Where the weights go; the data folder unless given.
    about : About, optional
        Licences and limits for the card.

    Raises
    ------
    UsageError
        The model or the task trains nothing.
    DataError
        The classifier has no weights yet, or the task lacks a split.
    NotApplicable
        The method has no meaning for this classifier.
    SedbenchError
        The method declares that it learns, and does not.
    """
    turn = rotation(task, model, method.spec)
    learner = method.factory(**method.params)
    if not isinstance(learner, Learner):
        raise SedbenchError(
            f"{method.info.name} declares that it learns, and has no `learn`",
            "report it to the plugin's authors",
        )
    handle = model.handle()
    classifier = handle.classifier()
    net = classifier if handle.device == "cpu" else copy.deepcopy(classifier).cpu()

    def clips(split: Split) -> Clips:
        found = examples(task, turn.blocks(split), bank, net, jobs, progress)
        if not len(found.features):
            raise DataError("training needs training and validation clips", "see the task's splits")
        return Clips(found.features, found.clip_labels, handle.device)

    key = fingerprint(
        [
            [task.fingerprint(), bank().fingerprint(), RENDERER_VERSION],
            [model.name, model.seed, model.fold, model.explained(), model.pretrained],
            model.code(model.variants[0]),
            [method.variant, method.info.version, method.code()],
        ]
    )
    home, _ = learned.home(method.info, model.name)
    checkpoint = cache_root() / "training" / f"{key}.safetensors"
    if not resume:
        checkpoint.unlink(missing_ok=True)
    lesson = Lesson(
        model=handle,
        training=clips("train"),
        validation=clips("validation"),
        samples=round(task.duration * task.sample_rate),
        seed=model.seed,
        name=weights.stem(method.variant, model.seed, model.fold),
        progress=progress,
        checkpoint=checkpoint,
        resume=resume,
        journal=weights.journal(place(model, method.variant, home, root)),
    )
    with one_thread(), seeded(model.seed):
        found = learner.learn(lesson)
    bounds: dict[str, Any] = {}
    if method.info.shares is not None:
        groups = heard(task, turn.blocks("validation"), bank, jobs, progress)
        bounds = bounded(method, lesson, halved(found.state), groups)
    card = {
        **facts(task, model, method.variant, about),
        "method": method.info.name,
        "method_version": method.info.version,
        "method_code": method.code(),
        "explained": model.explained(),
        "recipe": dict(found.recipe),
        "best_epoch": found.best_epoch,
        "epochs": len(found.log),
        "validation": dict(found.validation),
        **bounds,
        "command": command,
        "commit": commit,
        "log": [dict(entry) for entry in found.log],
    }
    kept = keep(found.state, card, learned.home(method.info, model.name), root)
    checkpoint.unlink(missing_ok=True)
    return kept


def bounded(
    method: MethodRef, lesson: Lesson, state: Mapping[str, Any], groups: Heard
) -> dict[str, Any]:
    """Intervals of what a method has learnt, where it takes its scores apart.

    Parameters
    ----------
    method : MethodRef
        Its info names ``shares``.
    lesson : Lesson
        What it was taught; only the classifier and the validation clips are used.
    state : mapping of str to Tensor
        As it comes back from a file.
    groups : sequence
        Source groups of the validation clips, from :func:`sedbench.examples.heard`.

    Returns
    -------
    dict
        See :func:`sedbench.models.shares.intervals`.
    """
    assert method.info.shares is not None
    apart = method.info.shares()
    with one_thread():
        found = apart(lesson.model, lesson.validation, lesson.samples, state, **method.params)
        return intervals(found, groups)
