"""Train a variant of a model, or a method that learns, on a task by their names."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench import spec
from sedbench.environment import commit_state
from sedbench.errors import UnknownNameError, UsageError
from sedbench.lookup import (
    check_fold,
    check_params,
    find_bank,
    find_method,
    find_model,
    find_task,
    label_of,
)
from sedbench.progress import Progress, Quiet
from sedbench.refs import MethodRef
from sedbench.registry import Registry, registry
from sedbench.workers import default_jobs

if TYPE_CHECKING:
    from sedbench.trainer import Trained


def train(
    what: str,
    task: str | None = None,
    model: str | None = None,
    *,
    seed: int = 0,
    fold: int | None = None,
    device: str = "auto",
    jobs: int | None = None,
    resume: bool = True,
    progress: Progress | None = None,
    root: Path | None = None,
    recipe: Path | None = None,
) -> Trained:
    """Train one variant of a model on a task, or a method on top of its classifier.

    Parameters
    ----------
    what : str
        A variant that the model declares, for instance ``classifier``, or the detector that
        reads it, with its parameters; else a method that learns, with its
        parameters.
    task : str, optional
        A name, or a task's file; the default task unless given.
    model : str, optional
        The family; the task's own unless given.
    seed : int
        Of the initialisation and the order of the clips; also the weights' number, and that of
        the classifier that a method learns of.
    fold : int, optional
        The rotation of a task in folds.
    device : {"auto", "cpu", "cuda"}
    jobs : int, optional
        Processes that render the clips.
    resume : bool
        Go on from an interrupted training.
    progress : Progress, optional
    root : Path, optional
        Where the weights go; the data folder unless given.
    recipe : Path, optional
        A TOML file that is laid over the model's own recipe of that variant.

    Returns
    -------
    Trained

    Raises
    ------
    SedbenchError
        A name that nothing answers to, or data that is missing.
    """
    from sedbench import teacher, trainer
    from sedbench.models.about import about
    from sedbench.models.weights import training_line

    for name, value, least in (("seed", seed, 0), ("jobs", jobs, 1)):
        if value is not None and value < least:
            raise UsageError(f"{name} must be at least {least}, got {value}")
    known = registry()
    if model is not None and "[" in model:
        raise UsageError(
            f"{model!r} has parameters, and training takes none",
            "name the family alone; --seed numbers the weights",
        )
    task_spec = find_task(task, known)
    family = (model or task_spec.model).partition("[")[0]
    if not getattr(known.get("models", family).info, "trains", True):
        raise UsageError(f"{family!r} has nothing to train", "it knows its classes already")
    what = _variant(what, family, known)
    method = _method(what, family, known)
    if method is not None and recipe is not None:
        raise UsageError(
            f"{method.info.name!r} takes no recipe", "variants of a model do; leave it out"
        )
    fold = check_fold(task_spec, fold)
    task_spec.check_drawn("train", "validation")
    ref = find_model(
        f"{family}[seed={seed}]",
        task_spec,
        known,
        device=device,
        fold=fold,
        fits=method is not None,
    )
    sounds = find_bank(task_spec, known)
    bank = sounds.factory
    named = method.spec if method is not None else what
    settings: dict[str, Any] = {
        "command": training_line(named, family, label_of(task_spec.called), seed, fold)
        + (f" --recipe {shlex.quote(recipe.name)}" if recipe is not None else ""),
        "commit": str(commit_state().get("commit") or "unknown"),
        "progress": progress if progress is not None else Quiet(),
        "jobs": jobs or default_jobs(),
        "resume": resume,
        "root": root,
        "about": about(
            task_spec,
            sounds.info,
            known.get("models", family).info,
            method.info if method is not None else None,
        ),
    }
    if method is not None:
        return teacher.train_method(task_spec, bank, ref, method, **settings)
    return trainer.train_variant(task_spec, bank, ref, what, recipe=recipe, **settings)


def _variant(what: str, family: str, known: Registry) -> str:
    """The variant that a detector of this name reads; any other name is itself."""
    if what in getattr(known.get("models", family).info, "variants", ()):
        return what
    entry = known.entries["methods"].get(spec.parse(what).name)
    if entry is None or getattr(entry.info, "kind", "") != "detector":
        return what
    return find_method(what, known).variant or what


def _method(what: str, family: str, known: Registry) -> MethodRef | None:
    """The method that is to learn, or None where a variant of the family is meant."""
    variants = getattr(known.get("models", family).info, "variants", ())
    if what in variants:
        return None
    learners = [
        name for name, entry in known.entries["methods"].items() if getattr(entry.info, "learns", 0)
    ]
    if spec.parse(what).name not in learners:
        raise UnknownNameError.of(
            f"variant of {family!r}, or method that learns:", what, [*variants, *learners]
        )
    method = find_method(what, known)
    check_params(method)
    return find_method(spec.trained(method.info, method.params)[1], known)


def folds(task: str | None = None) -> tuple[int | None, ...]:
    """The rotations of a task, for :func:`train`; None alone where it has no folds."""
    return tuple(turn.fold for turn in find_task(task).rotations)
