"""The method: a detector learnt on a classifier's trunk, and its attention as frame scores."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.lesson import Clips, Learned, Lesson
from sedbench.models.scoring import clip_scores
from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, MethodInfo, Query
from sedbench_plugins.attention.pooling import Pooling, restored, untrained
from sedbench_plugins.attribution import by_clip
from sedbench_plugins.taps import Taps, tap_last

TOGETHER = 16  # clips that pass the classifier at once while it is learnt from


@dataclass(frozen=True)
class Recipe:
    """How a detector is trained: chosen on no task's localisation.

    Attributes
    ----------
    epochs, batch, learning_rate, weight_decay, patience
        See :class:`sedbench.models.training.Schedule`.
    """

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    patience: int


RECIPES = {
    "class": Recipe(30, 64, 3e-3, 0.3, 10),
    "self": Recipe(20, 32, 1e-3, 0.1, 6),
}


@dataclass(frozen=True)
class Attention:
    """The method.

    Attributes
    ----------
    info : MethodInfo
    attention : {"class", "self"}
    weighted : bool
        Multiply the attention by the frame probability.
    """

    info: MethodInfo
    attention: str
    weighted: bool

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Attend clip by clip: one pass of the classifier, for all its target classes."""
        started = time.perf_counter()
        state = model.learned(self.info, attention=self.attention)
        pooling = restored(
            self.attention, {k: v.to(model.device) for k, v in state.items()}, len(query.classes)
        )
        net = model.classifier()
        taps: Taps | None = None
        rows: list[NDArray[np.float64]] = []
        forward = 0
        for clip, targets in by_clip(query):
            waveform = torch.from_numpy(query.waveforms[clip]).to(model.device)
            with torch.no_grad():
                features = net.features(waveform[None])
                if taps is None:
                    taps, forward = tap_last(net, features), 2
                scores, forward = self._scores(pooling, taps, features), forward + 1
            rows.append(scores[targets])
        assert taps is not None  # nobody asks about no pairs
        values, (opening,) = np.concatenate(rows), taps.openings
        return Answer(
            FrameScores(values, opening.edges(values.shape[1])),
            resolution=opening.stride,
            cost=Cost(forward, 0, time.perf_counter() - started),
        )

    def _scores(self, pooling: Pooling, taps: Taps, features: Tensor) -> NDArray[np.float64]:
        _, attention, probabilities = pooling.pool(over_time(taps, features))
        if self.weighted:
            assert probabilities is not None  # see the factory
            attention = attention * probabilities
        return attention[0].double().cpu().numpy()

    def learn(self, lesson: Lesson) -> Learned:
        """Train the detector on clip labels; the classifier is left as it is."""
        net = lesson.model.classifier()
        first, _ = lesson.training.batch(np.arange(1))
        taps = tap_last(net, first)
        heard = _listen(lesson, taps, lesson.training, "training")
        check = _listen(lesson, taps, lesson.validation, "validation")
        detector = untrained(self.attention, heard.shape[1], len(net.classes))
        detector.standardise.fit(*_statistics(heard))

        def batch(frames: NDArray[np.float16]) -> Tensor:
            return torch.from_numpy(frames.astype(np.float32)).to(lesson.model.device)

        def loss(rows: NDArray[np.int64], step: int) -> Tensor:
            _, labels = lesson.training.batch(rows)
            logits = detector.pool(batch(heard[rows]))[0]
            return nn.functional.binary_cross_entropy_with_logits(logits, labels)

        def score() -> dict[str, float]:
            logits = torch.cat([detector.pool(batch(one[None]))[0] for one in check])
            labels = torch.from_numpy(lesson.validation.labels).to(logits)
            error = nn.functional.binary_cross_entropy_with_logits(logits, labels)
            clips = clip_scores(torch.sigmoid(logits).cpu().numpy(), lesson.validation.labels)
            return {"loss": float(error), **clips}

        facts = {"attention": self.attention, "layer": taps.openings[0].name}
        return lesson.fit(detector, RECIPES[self.attention], loss, score, facts=facts)


def over_time(taps: Taps, features: Tensor) -> Tensor:
    """Activations of the last layer, averaged over frequency: (batch, channels, frames)."""
    (activations,), _ = taps.of(features)
    return activations.mean(2)


def _listen(lesson: Lesson, taps: Taps, clips: Clips, name: str) -> NDArray[np.float16]:
    parts = []
    lesson.progress.start(f"pass the {name} clips", len(clips))
    for features, _ in clips.batches(TOGETHER):
        parts.append(over_time(taps, features).half().cpu().numpy())
        lesson.progress.advance(len(features))
    lesson.progress.finish()
    return np.concatenate(parts)


def _statistics(frames: NDArray[np.float16]) -> tuple[Tensor, Tensor]:
    total, square, count = 0.0, 0.0, 0
    for start in range(0, len(frames), 256):
        block = frames[start : start + 256].astype(np.float64)
        total = total + block.sum((0, 2))
        square = square + np.square(block).sum((0, 2))
        count += block.shape[0] * block.shape[2]
    mean = np.asarray(total / count)
    deviation = np.sqrt(np.maximum(square / count - mean**2, 0.0))
    return torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()
