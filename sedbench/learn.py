"""Train a variant of a model on a task by their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sedbench.environment import commit_state
from sedbench.errors import UsageError
from sedbench.lookup import check_fold, find_bank, find_model, find_task, label_of
from sedbench.progress import Progress, Quiet
from sedbench.registry import registry
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
) -> Trained:
    """Train one variant of a model on a task.

    Parameters
    ----------
    what : str
        A variant that the model declares, for instance ``classifier``.
    task : str, optional
        A name, or a task's file; the default task unless given.
    model : str, optional
        The family; the task's own unless given.
    seed : int
        Of the initialisation and the order of the clips; also the weights' number.
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

    Returns
    -------
    Trained

    Raises
    ------
    SedbenchError
        A name that nothing answers to, or data that is missing.
    """
    from sedbench import trainer

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
    fold = check_fold(task_spec, fold)
    task_spec.check_drawn("train", "validation")
    ref = find_model(
        f"{family}[seed={seed}]", task_spec, known, device=device, fold=fold, fits=False
    )
    option = "" if fold is None else f" --fold {fold}"
    return trainer.train_variant(
        task_spec,
        find_bank(task_spec, known).factory,
        ref,
        what,
        command=f"sedbench train {what} --model {family} --task {label_of(task_spec.called)} "
        f"--seed {seed}{option}",
        commit=str(commit_state().get("commit") or "unknown"),
        progress=progress if progress is not None else Quiet(),
        jobs=jobs or default_jobs(),
        resume=resume,
        root=root,
    )


def folds(task: str | None = None) -> tuple[int | None, ...]:
    """The rotations of a task, for :func:`train`; None alone where it has no folds."""
    return tuple(turn.fold for turn in find_task(task).rotations)
