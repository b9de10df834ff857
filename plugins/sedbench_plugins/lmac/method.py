"""The method: a decoder taught by the classifier it explains, and its masks as frame scores."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import NotApplicable
from sedbench.models.contract import Classifier
from sedbench.models.lesson import Learned, Lesson
from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, MethodInfo, Query
from sedbench_plugins.attribution import by_clip
from sedbench_plugins.lmac.decoder import Decoder, Resize, resizes, restored
from sedbench_plugins.taps import Taps, tap_last

LAYERS = 3
DECIDED = 0.5  # a class of this probability is decided for
SIZED = 32  # clips that tell the size of each channel
# Of the terms of the loss, for a decision kept, a decision lost and the mask's mean.
WEIGHTS = {"kept": 1.0, "lost": 1.0, "area": 1.0}


@dataclass(frozen=True)
class Recipe:
    """How a decoder is trained: within four minutes of one core on a network of 75 ms a clip.

    Attributes
    ----------
    epochs, batch, learning_rate, weight_decay, patience
        See :class:`sedbench.models.training.Schedule`.
    seen : int
        Clips an epoch, each with one of its decisions.
    """

    epochs: int = 4
    batch: int = 4
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    patience: int = 4
    seen: int = 280


RECIPE = Recipe()


@dataclass(frozen=True)
class Ear:
    """A classifier with its tapped layers, and the silence that takes the place of what is hidden.

    Attributes
    ----------
    net : Classifier
    taps : Taps
    silence : Tensor, shape (1, bands, frames)
    sizes : list of Resize
    """

    net: Classifier
    taps: Taps
    silence: Tensor
    sizes: list[Resize]

    @classmethod
    def of(cls, net: Classifier, samples: int, device: str) -> Ear:
        """Tap a classifier's last layers; clips have so many samples."""
        with torch.no_grad():
            silence = net.features(torch.zeros(1, samples, device=device))
        taps = tap_last(net, silence, LAYERS)
        activations, _ = taps.of(silence)
        sizes = resizes(taps, activations, silence.shape[1], net.feature_edges(samples))
        return cls(net, taps, silence, [each.to(device) for each in sizes])

    def without(self, features: Tensor, masks: Tensor) -> Tensor:
        """Logits (batch, classes) with silence where a mask is one."""
        return self.net.logits(features - masks * (features - self.silence))


@dataclass(frozen=True)
class Masking:
    """The method.

    Attributes
    ----------
    info : MethodInfo
    pooling : {"mean", "max"}
    """

    info: MethodInfo
    pooling: str

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Mask clip by clip: one pass of the classifier, for all its target classes."""
        started = time.perf_counter()
        state = model.learned(self.info)
        ear = Ear.of(model.classifier(), query.waveforms.shape[1], model.device)
        decoder = restored(state, ear.sizes).to(model.device)
        rows: list[NDArray[np.float64]] = []
        forward = 2 + LAYERS  # of tapping
        for clip, targets in by_clip(query):
            waveform = torch.from_numpy(query.waveforms[clip]).to(model.device)
            with torch.no_grad():
                activations, _ = ear.taps.of(ear.net.features(waveform[None]))
                # One at a time: the bits do not depend on who else is asked about.
                masks = [decoder(activations, torch.tensor([k], device=model.device))
                         for k in targets]  # fmt: skip
            rows.append(torch.cat(masks).double().cpu().numpy())
            forward += 1
        cells = np.concatenate(rows)
        values = cells.mean(1) if self.pooling == "mean" else cells.max(1)
        return Answer(
            FrameScores(values, ear.net.feature_edges(query.waveforms.shape[1])),
            resolution=ear.taps.openings[0].stride,
            diagnostics={"mask_area": cells.mean((1, 2))},
            cost=Cost(forward, 0, time.perf_counter() - started),
        )

    def learn(self, lesson: Lesson) -> Learned:
        """Train the decoder on the classifier's own decisions; the classifier stays as it is."""
        device = lesson.model.device
        ear = Ear.of(lesson.model.classifier(), lesson.samples, device)
        first, _ = next(lesson.training.batches(SIZED))
        activations, _ = ear.taps.of(first)
        channels = [found.shape[1] for found in activations]
        decoder = Decoder(channels, len(ear.net.classes), ear.sizes).to(device)
        decoder.fit(activations)

        def loss(rows: NDArray[np.int64], step: int) -> Tensor:
            features, _ = lesson.training.batch(rows)
            found, logits = ear.taps.of(features)
            decided = (torch.sigmoid(logits) > DECIDED).cpu().numpy()
            rng = np.random.default_rng([lesson.seed, step])
            pairs = [(i, int(rng.choice(np.flatnonzero(row)))) for i, row in enumerate(decided)
                     if row.any()]  # fmt: skip
            if not pairs:  # no decision to explain in this batch
                return torch.stack([p.sum() for p in decoder.parameters()]).sum() * 0.0
            terms = _terms(ear, decoder, features, found, pairs)
            return sum((WEIGHTS[name] * terms[name].mean() for name in WEIGHTS), torch.zeros(()))

        def score() -> dict[str, float]:
            return _score(ear, decoder, lesson)

        facts = {
            "layers": [each.name for each in ear.taps.openings],
            "weights": dict(WEIGHTS),
            "decided": DECIDED,
            "width": decoder.out.in_channels,
        }
        return lesson.fit(decoder, RECIPE, loss, score, seen=RECIPE.seen, facts=facts)


def _terms(
    ear: Ear,
    decoder: Decoder,
    features: Tensor,
    activations: list[Tensor],
    pairs: list[tuple[int, int]],
) -> dict[str, Tensor]:
    """Terms of the loss of each pair of a clip's row and a class, and the two decisions."""
    rows, targets = torch.tensor(pairs, device=features.device).unbind(1)
    masks = decoder([found[rows] for found in activations], targets)
    both = torch.cat([features[rows], features[rows]])
    logits = ear.without(both, torch.cat([1 - masks, masks]))
    own = logits.gather(1, targets.repeat(2)[:, None])[:, 0]
    shown, left = own.chunk(2)
    return {
        "kept": nn.functional.softplus(-shown),
        "lost": nn.functional.softplus(left),
        "area": masks.mean((1, 2)),
        "shown": shown,
        "left": left,
    }


def _score(ear: Ear, decoder: Decoder, lesson: Lesson) -> dict[str, float]:
    """Mean loss over all decisions on validation clips, and how often each side holds."""
    parts: list[dict[str, Tensor]] = []
    for features, _ in lesson.validation.batches(RECIPE.batch):
        activations, logits = ear.taps.of(features)
        pairs = [(int(i), int(k)) for i, k in (torch.sigmoid(logits) > DECIDED).nonzero()]
        if pairs:
            parts.append(_terms(ear, decoder, features, activations, pairs))
    if not parts:
        raise NotApplicable("the classifier decides for no class on the validation clips")
    terms = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {
        "loss": sum(WEIGHTS[name] * float(terms[name].mean()) for name in WEIGHTS),
        "decision_kept": float((terms["shown"] > 0).float().mean()),
        "decision_lost": float((terms["left"] <= 0).float().mean()),
        "mask_area": float(terms["area"].mean()),
    }
