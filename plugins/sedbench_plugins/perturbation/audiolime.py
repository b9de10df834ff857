"""LIME over components of the sound, after audioLIME: what of it, and when.

The clip is taken apart into waveforms that add up to it (:mod:`.components`), each of them into
segments of time. Masks switch every component in every segment on or off at random, what is on is
added up and passed, and a ridge regression of the logit on the switches, weighted as in ``lime``,
gives each switch a coefficient. A segment's score is the sum over its components.

Differences from the paper
--------------------------
The paper separates music into singing, drums, bass, piano and the rest with a trained separator
(Spleeter), and its explanation is the few components that count most. Here no separator is trained
or fetched: components are those of a decomposition, harmonic and percussive by default, which mean
less to a listener. And what is asked is when, so that the scores of components are added up.

Each mask is another sound from beginning to end: nothing can be put together from parts, and the
default number of masks was chosen for its cost alone.

References
----------
.. [1] V. Haunschmid, E. Manilow, G. Widmer, "audioLIME: listenable explanations using source
   separation", MML workshop 2020, arXiv 2008.00582.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle
from sedbench.types import Answer, Cost, FrameScores, Query
from sedbench_plugins.attribution import by_clip, in_parts, signed
from sedbench_plugins.masking.cuts import Cut, of_samples
from sedbench_plugins.perturbation.components import components

BATCH = 16
_MASKS = 12  # stream of the run's seed


@dataclass(frozen=True)
class AudioLime:
    """The method with its parameters; see the module's docstring."""

    segment: float
    decomposition: str
    components: int
    masks: int
    width: float
    alpha: float
    sign: str

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Attribute clip by clip, all target classes of a clip together."""
        from sklearn.linear_model import Ridge

        started = time.perf_counter()
        net = model.classifier()
        cut = of_samples(query.waveforms.shape[1], query.sample_rate, self.segment)
        rows: list[NDArray[np.float64]] = []
        for clip, targets in by_clip(query):
            rng = query.rng(clip, _MASKS)
            parts = components(
                query.waveforms[clip],
                query.sample_rate,
                self.decomposition,
                self.components,
                int(rng.integers(2**31)),
            )
            shown = rng.random((self.masks, len(parts), cut.count)) < 0.5
            shown[0] = True  # the clip itself
            logits = _logits(net, parts, shown, cut, model.device)
            distance = 1 - np.sqrt(shown.mean((1, 2)))
            weights = np.sqrt(np.exp(-np.square(distance / self.width)))
            switches = shown.reshape(self.masks, -1).astype(np.float64)
            fitted = Ridge(alpha=self.alpha).fit(switches, logits, weights).coef_
            values = signed(fitted.reshape(-1, *shown.shape[1:])[targets], self.sign)
            rows.append(values.sum(1))
        return Answer(
            FrameScores(np.concatenate(rows), cut.edges),
            resolution=cut.length,
            cost=Cost(self.masks * len(rows), 0, time.perf_counter() - started),
        )


@torch.no_grad()
def _logits(
    net: Classifier,
    parts: NDArray[np.float32],
    shown: NDArray[np.bool_],
    cut: Cut,
    device: str,
) -> NDArray[np.float64]:
    """Logits (masks, classes) of what the switches (masks, components, segments) leave on."""
    sounds = torch.from_numpy(parts).to(device)
    owner = torch.from_numpy(cut.owner).to(device)
    out: list[NDArray[np.float64]] = []

    def part(start: int, stop: int) -> None:
        mixed = torch.zeros((stop - start, parts.shape[1]), device=device)
        for sound, on in zip(sounds, np.moveaxis(shown[start:stop], 1, 0), strict=True):
            mixed += sound * torch.from_numpy(on.astype(np.float32)).to(device)[:, owner]
        out.append(net(mixed).double().cpu().numpy())

    in_parts(len(shown), BATCH, part)
    return np.concatenate(out)
