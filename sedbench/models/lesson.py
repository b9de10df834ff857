"""What a method that learns is given to learn from, and what it hands back.

A method whose :class:`~sedbench.types.MethodInfo` says ``learns=True`` has, beside ``answer``, a
``learn``: it is trained on top of one explained classifier, on the clips that this classifier was
trained on. It sees their features and clip labels, never when anything sounds: there are no frame
labels here. What it hands back is kept with a card, and ``model.learned(info, **params)`` reads
it again in ``answer``.

::

    def learn(self, lesson: Lesson) -> Learned:
        net = nn.Conv1d(...)          # drawn from the lesson's seed
        return lesson.fit(net, RECIPE, loss, score)

:meth:`Lesson.fit` is the loop that classifiers are trained with, on any loss: reproducible, and
resumed with the same bits after an interruption. The epoch that is kept is the one with the
lowest loss on validation clips: nothing else is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.store import ModelHandle
from sedbench.models.training import Schedule, fit, halved, told
from sedbench.progress import Progress, Steps


@dataclass(frozen=True)
class Clips:
    """The clips of one split, as the explained classifier's features.

    Attributes
    ----------
    features : ndarray, shape (clips, bands, frames), float16
    labels : ndarray, shape (clips, classes), bool
        Whether each class sounds anywhere in the clip.
    device : str
    """

    features: NDArray[np.float16]
    labels: NDArray[np.bool_]
    device: str = "cpu"

    def __len__(self) -> int:
        return len(self.features)

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Features (rows, bands, frames) and labels (rows, classes) of some clips, float32."""
        return (
            torch.from_numpy(self.features[rows].astype(np.float32)).to(self.device),
            torch.from_numpy(self.labels[rows].astype(np.float32)).to(self.device),
        )

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All clips in their order, so many at once."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))


@dataclass(frozen=True)
class Learned:
    """What a method has learnt, and what its card says of how.

    Attributes
    ----------
    state : mapping of str to Tensor
        Kept in half precision.
    recipe : mapping
        Plain values: whatever decided the training.
    validation : mapping of str to float
        Scores of what is kept.
    best_epoch : int
    log : tuple of mapping
        One entry an epoch.
    """

    state: Mapping[str, Tensor]
    recipe: Mapping[str, Any]
    validation: Mapping[str, float]
    best_epoch: int = 0
    log: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class Lesson:
    """One training of a method.

    Attributes
    ----------
    model : ModelHandle
        Gives the explained classifier: frozen, ready for inference.
    training, validation : Clips
    samples : int
        Of a clip's waveform.
    seed : int
        Torch's generator starts from it too while a method learns.
    name : str
        For whoever watches.
    progress : Progress
    checkpoint : Path
        A file of this lesson's own; it is removed once what was learnt is kept.
    resume : bool
        Go on from the checkpoint where it is there.
    journal : Path, optional
        Takes the log after every epoch.
    """

    model: ModelHandle
    training: Clips
    validation: Clips
    samples: int
    seed: int
    name: str
    progress: Progress
    checkpoint: Path
    resume: bool = True
    journal: Path | None = None

    def fit(
        self,
        net: nn.Module,
        recipe: Schedule,
        loss: Callable[[NDArray[np.int64], int], Tensor],
        score: Callable[[], Mapping[str, float]],
        *,
        seen: int | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Learned:
        """Train a module and keep the epoch with the lowest loss on validation.

        Parameters
        ----------
        net : torch.nn.Module
            Changed in place.
        recipe : Schedule
        loss : callable
            ``(rows, step) -> Tensor`` of a batch of training clips; the step counts from the
            first epoch. Randomness comes from the seed and the step, so that a resumed training
            draws the same.
        score : callable
            Scores on validation with the module as it is, ``loss`` among them.
        seen : int, optional
            Training clips an epoch, drawn anew for each; all of them unless given.
        facts : mapping, optional
            Further plain values that decided the training, for the card.
        """
        net.to(self.model.device)
        count = len(self.training)
        steps = -(-min(seen or count, count) // recipe.batch)
        self.progress.start(f"train {self.name}", recipe.epochs * steps)

        def scored() -> dict[str, float]:
            net.eval()
            with torch.no_grad():
                found = dict(score())
            net.train()
            return found

        report = fit(
            net,
            recipe,
            count,
            loss,
            lambda: {f"validation_{key}": value for key, value in scored().items()},
            figure=lambda entry: -entry["validation_loss"],
            seed=self.seed,
            checkpoint=self.checkpoint,
            resume=self.resume,
            journal=self.journal,
            seen=seen,
            on_epoch=lambda entry: self.progress.note(told(entry)),
            on_step=Steps(self.progress),
        )
        self.progress.finish()
        # What is kept is half precision, so that is what is scored.
        net.load_state_dict(halved(report.state))
        schedule = ("epochs", "batch", "learning_rate", "weight_decay", "patience")
        recipe_facts = {key: getattr(recipe, key) for key in schedule}
        return Learned(
            report.state,
            {**recipe_facts, "seen": min(seen or count, count), **(facts or {})},
            scored(),
            report.best_epoch,
            report.log,
        )


@runtime_checkable
class Learner(Protocol):
    """What the factory of a method that learns returns, beside its ``answer``."""

    def learn(self, lesson: Lesson) -> Learned:
        """Learn of one classifier.

        Raises
        ------
        NotApplicable
            There is nothing that it could learn of this classifier.
        """
        ...
