"""Train one variant of a model on one task: reproducible, resumable, on clip or frame labels.

AdamW with a one-cycle schedule, binary cross-entropy, and the epoch that did best on
validation: clip micro F1 for clip labels, frame IoU at 0.5 for frame labels. A variant that
is trained on clip labels never reads frame labels; they are a function that is not called.

A checkpoint is written after every epoch by atomic rename. The order of the clips is a
function of seed and epoch, and the learning rate and what is done to the clips functions of the
step, so a resumed training ends with the same bits as one that was never interrupted.

References
----------
.. [1] L. N. Smith, N. Topin, "Super-convergence", arXiv 1708.07120.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import DataError
from sedbench.models import checkpoint as checkpoints
from sedbench.models.averaging import Average
from sedbench.models.contract import Classifier, Recipe
from sedbench.models.loss import active_weight, loss_of
from sedbench.models.validation import validate

FrameLabels = Callable[[], NDArray[np.bool_]]


class Schedule(Protocol):
    """What any training needs to know: a :class:`~sedbench.models.contract.Recipe` has it."""

    @property
    def epochs(self) -> int:
        """At most so many."""

    @property
    def batch(self) -> int:
        """Clips a step."""

    @property
    def learning_rate(self) -> float:
        """Peak of the cycle."""

    @property
    def weight_decay(self) -> float:
        """Of AdamW."""

    @property
    def patience(self) -> int:
        """Epochs without a better one before it stops."""


@dataclass(frozen=True)
class Examples:
    """One split, ready to be learnt from.

    Attributes
    ----------
    features : ndarray, shape (clips, bands, frames), float16
    clip_labels : ndarray, shape (clips, classes), bool
    frame_labels : callable
        Returns (clips, classes, model frames), bool; called only for frame labels.
    """

    features: NDArray[np.float16]
    clip_labels: NDArray[np.bool_]
    frame_labels: FrameLabels


@dataclass(frozen=True)
class Report:
    """What a training says of itself.

    Attributes
    ----------
    state : dict of str to Tensor
        The best epoch's weights.
    best_epoch : int
    log : tuple of dict
        One entry an epoch: ``epoch, loss, learning_rate`` and the validation scores.
    """

    state: dict[str, Tensor]
    best_epoch: int
    log: tuple[dict[str, float], ...]


def learning_rate(step: int, steps: int, peak: float, warm_up: float = 0.25) -> float:
    """One cycle: a cosine up from a 25th of the peak, then a cosine down to nearly nothing."""
    rise = max(1, round(steps * warm_up))
    if step < rise:
        low, high, at = peak / 25, peak, step / rise
        return low + (high - low) * (1 - math.cos(math.pi * at)) / 2
    at = (step - rise) / max(1, steps - rise)
    return peak / 1e4 + (peak - peak / 1e4) * (1 + math.cos(math.pi * at)) / 2


def train(
    model: Classifier,
    recipe: Recipe,
    training: Examples,
    validation: Examples,
    *,
    seed: int,
    checkpoint: Path,
    resume: bool = True,
    journal: Path | None = None,
    device: str = "cpu",
    on_epoch: Callable[[Mapping[str, float]], None] = lambda _: None,
    on_step: Callable[[int], None] = lambda _: None,
) -> Report:
    """Train ``model`` in place.

    Parameters
    ----------
    model : Classifier
        Untrained; built from the same seed.
    recipe : Recipe
    training, validation : Examples
    seed : int
        Seeds the order of the clips.
    checkpoint : Path
        Written after every epoch; removed by whoever keeps the result.
    resume : bool
        Go on from ``checkpoint`` where it exists.
    journal : Path, optional
        Takes the log after every epoch, a JSON object a line; see
        :func:`sedbench.models.checkpoint.write_log`.
    device : str
    on_epoch, on_step : callable
        Called with an epoch's log entry, and with the number of steps done.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        The checkpoint cannot be read, or there is nothing to learn from.
    """
    if not len(training.features) or not len(validation.features):
        raise DataError("training needs training and validation clips", "see the task's splits")
    model.to(device)
    frames = training.frame_labels() if recipe.labels == "frame" else None
    weight = active_weight(recipe, training.clip_labels if frames is None else frames).to(device)
    return fit(
        model,
        recipe,
        len(training.features),
        lambda rows, step: loss_of(model, training, frames, rows, recipe, weight, (seed, step)),
        lambda: validate(model, validation, recipe, device),
        figure=lambda entry: entry.get("frame_iou", entry["micro_f1"]),  # frames where learnt
        seed=seed,
        checkpoint=checkpoint,
        resume=resume,
        journal=journal,
        ema=recipe.ema,
        on_epoch=on_epoch,
        on_step=on_step,
    )


def fit(
    model: nn.Module,
    recipe: Schedule,
    clips: int,
    loss: Callable[[NDArray[np.int64], int], Tensor],
    score: Callable[[], Mapping[str, float]],
    *,
    figure: Callable[[Mapping[str, float]], float],
    seed: int,
    checkpoint: Path,
    resume: bool = True,
    journal: Path | None = None,
    seen: int | None = None,
    ema: float = 0.0,
    on_epoch: Callable[[Mapping[str, float]], None] = lambda _: None,
    on_step: Callable[[int], None] = lambda _: None,
) -> Report:
    """Train any module in place, on any loss; :func:`train` says what the rest means.

    Parameters
    ----------
    model : torch.nn.Module
        On its device already.
    recipe : Schedule
    clips : int
        Of the training split.
    loss : callable
        ``(rows, step) -> Tensor``: of a batch of clips; the step counts from the first epoch.
    score : callable
        Scores on validation; they go into the log.
    figure : callable
        From an entry of the log what epochs are chosen by: the largest is best.
    seed, checkpoint, resume, journal
    seen : int, optional
        Clips an epoch, drawn anew for each; all of them unless given.
    ema : float
        Decay of the average of the weights that is scored and kept; 0 for none.
    on_epoch, on_step : callable
    """
    model.train()
    optimiser = torch.optim.AdamW(
        groups(model), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    steps = math.ceil(min(seen or clips, clips) / recipe.batch)
    log: list[dict[str, float]] = []
    best: dict[str, Tensor] = {}
    average = Average(model, ema) if ema else None
    if resume and checkpoint.exists():
        log, best = checkpoints.restore(checkpoint, model, optimiser, average)
        checkpoints.write_log(journal, log)
    for epoch in range(len(log), recipe.epochs):
        if log and len(log) - 1 - _best(log, figure) >= recipe.patience:
            break
        order = np.random.default_rng([seed, epoch]).permutation(clips)[:seen]
        total = 0.0
        for step in range(steps):
            done = epoch * steps + step
            rows = order[step * recipe.batch : (step + 1) * recipe.batch]
            rate = learning_rate(done, recipe.epochs * steps, recipe.learning_rate)
            for group in optimiser.param_groups:
                group["lr"] = rate
            total += _descend(model, optimiser, loss(rows, done))
            if average is not None:
                average.step(model, done)
            on_step(done + 1)
        with average.shown(model) if average is not None else nullcontext():
            log.append({"epoch": epoch, "loss": total / steps, "learning_rate": rate, **score()})
            if _best(log, figure) == epoch:
                best = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
        checkpoints.write(checkpoint, model, optimiser, log, best, average)
        checkpoints.write_log(journal, log)
        on_epoch(log[-1])
    model.load_state_dict(best)
    return Report(best, _best(log, figure), tuple(log))


def groups(model: nn.Module) -> list[dict[str, Any]]:
    """Sort a model's parameters into those that decay and those that do not.

    A module names its own that do not in ``undecayed``: a number that has a meaning, and that
    would be pulled to 0 for no reason but the size of the others.

    Returns
    -------
    list of dict
        Groups for an optimiser; one where everything decays.
    """
    free = {
        name
        for prefix, module in model.named_modules()
        for name in (f"{prefix}.{own}".lstrip(".") for own in getattr(module, "undecayed", ()))
    }
    named = list(model.named_parameters())
    decayed: dict[str, Any] = {"params": [p for name, p in named if name not in free]}
    kept = {"params": [p for name, p in named if name in free], "weight_decay": 0.0}
    return [decayed, kept] if kept["params"] else [decayed]


def _descend(model: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> float:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimiser.step()
    return float(loss.detach())


def _best(log: list[dict[str, float]], figure: Callable[[Mapping[str, float]], float]) -> int:
    return max(range(len(log)), key=lambda i: (figure(log[i]), -i))


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they come back from a file in half precision."""
    return {k: v.half().float() if v.is_floating_point() else v for k, v in state.items()}


def told(entry: Mapping[str, float]) -> str:
    """An epoch's log entry on one line."""
    return "  ".join(
        f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in entry.items()
    )


def recipe_facts(recipe: Recipe) -> dict[str, Any]:
    """Tell the recipe as plain JSON values, for cards and cache keys.

    What is off is left out, so that a recipe without it is told as ever.
    """
    facts, off = asdict(recipe), asdict(Recipe())
    options = ("ema", "precision", "augment", "class_weights")
    return {k: v for k, v in facts.items() if k not in options or v != off[k]}
