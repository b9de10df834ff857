"""The classifier on sliding windows: a time for each of its decisions, and no explanation.

Windows of ``size`` seconds begin every ``hop`` seconds; a last one ends where the clip ends. Each
is classified by itself, and a stretch of time gets the mean (or the maximum) of what the windows
that cover it got. All target classes of a clip share the passes.

What the window is heard in
---------------------------
``context=none`` cuts the window out, as people do (segments of 0.96 s [1]_, of 3 s [2]_): cheap,
and the classifier hears a clip shorter than those that it was trained on. Where it cannot take one
so short, silence is put behind the window, in steps of 50 ms, until it can.
``context=silence`` leaves the window at its place in an otherwise silent clip: the length is the
one it knows, the silence is not, and a pass costs as much as a clip's.

Either way the number of a window is a probability for the *window*: an event shorter than the
window is smeared over it, which is what this bound is there to show.

Cost
----
Forward passes are counted in windows, each of them one pass: by default 37 for a clip of 10 s. A
window of 1 s is about a tenth of a clip's work; ``seconds`` says what it took. One more pass, of
silence, is made and counted for each batch of clips, to see that the model takes the length.

Some models divide time themselves. One that hears patches of 0.96 s hears a window of 1 s as two,
the second of them almost silent: give it ``size=0.96``.

References
----------
.. [1] S. Hershey et al., "CNN architectures for large-scale audio classification", ICASSP 2017.
.. [2] S. Kahl et al., "BirdNET: a deep learning solution for avian diversity monitoring",
   Ecological Informatics 61, 2021.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import OutOfMemoryError, Tensor

from sedbench.errors import NotApplicable, SedbenchError
from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle
from sedbench.types import Answer, BoolArray, Cost, FrameScores, IntArray, Query
from sedbench_plugins.attribution import by_clip, in_parts

CLIPS_AT_ONCE = 8  # as many windows are passed at once as have the samples of so many clips
STEP = 0.05  # seconds by which a window that is too short for the model is lengthened


@dataclass(frozen=True)
class WindowClassifier:
    """The method with its parameters; see the module's docstring."""

    size: float
    hop: float
    score: str
    pooling: str
    context: str

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Classify the windows of each clip."""
        started = time.perf_counter()
        rate, total = query.sample_rate, query.waveforms.shape[1]
        length = max(1, round(self.size * rate))
        if length >= total:
            raise NotApplicable(
                f"a window of {self.size:g} s is no shorter than the clip, so it tells no time"
            )
        starts = window_starts(total, length, max(1, round(self.hop * rate)))
        marks, covers = coverage(starts, length)
        net = model.classifier()
        passes, width = 0, total
        if self.context == "none":
            passes, width = 1, accepted(net, length, total, model.device)
        rows = []
        for clip, targets in by_clip(query):
            heard = self._hear(net, query.waveforms[clip], starts, length, width, model.device)
            rows.append(self._frames(heard[:, targets], covers))
            passes += len(starts)
        return Answer(
            FrameScores(np.concatenate(rows), marks / rate),
            resolution=self.hop,
            cost=Cost(forward=passes, seconds=time.perf_counter() - started),
        )

    def _hear(  # noqa: PLR0917 - a clip, its windows, and where they are passed
        self,
        net: Classifier,
        waveform: NDArray[np.float32],
        starts: IntArray,
        length: int,
        width: int,
        device: str,
    ) -> NDArray[np.float64]:
        """Score of every class in every window, shape (windows, classes)."""
        heard = np.empty((len(starts), len(net.classes)))

        def work(first: int, stop: int) -> None:
            batch = np.zeros((stop - first, width), np.float32)
            for row, start in zip(batch, starts[first:stop].tolist(), strict=True):
                at = start if self.context == "silence" else 0
                row[at : at + length] = waveform[start : start + length]
            logits = _logits(net, torch.from_numpy(batch).to(device)).double()
            scores = torch.sigmoid(logits) if self.score == "probability" else logits
            heard[first:stop] = scores.cpu().numpy()

        in_parts(len(starts), max(1, CLIPS_AT_ONCE * len(waveform) // width), work)
        return heard

    def _frames(self, heard: NDArray[np.float64], covers: BoolArray) -> NDArray[np.float64]:
        """Scores of the stretches, (targets, stretches), of those of (windows, targets)."""
        if self.pooling == "max":
            shown = np.where(covers[:, None, :], heard[:, :, None], -np.inf)
            return np.asarray(shown.max(0))
        return np.asarray(heard.T @ covers / covers.sum(0))


def _logits(net: Classifier, waveforms: Tensor) -> Tensor:
    with torch.no_grad():
        made: Tensor = net(waveforms)
    return made


def window_starts(total: int, length: int, hop: int) -> IntArray:
    """First samples of the windows: every ``hop``, and the last that fits.

    Parameters
    ----------
    total, length, hop : int
        Of the clip, of a window and between two of them; samples.
    """
    starts = np.arange(0, total - length + 1, hop)
    if starts[-1] + length < total:
        starts = np.append(starts, total - length)
    return starts


def coverage(starts: IntArray, length: int) -> tuple[IntArray, BoolArray]:
    """Stretches in which the same windows lie, and which those are.

    Parameters
    ----------
    starts : ndarray, shape (windows,)
        Increasing; samples.
    length : int
        Of a window, samples.

    Returns
    -------
    marks : ndarray, shape (stretches + 1,)
        Samples at which a window begins or ends.
    covers : ndarray, shape (windows, stretches), bool
    """
    marks = np.unique(np.concatenate([starts, starts + length]))
    covers = (starts[:, None] <= marks[:-1]) & (starts[:, None] + length >= marks[1:])
    return marks, covers


def accepted(net: Classifier, length: int, longest: int, device: str) -> int:
    """Give the samples that the model takes: a window's, or more where that is too short.

    Parameters
    ----------
    net : Classifier
    length : int
        Of a window.
    longest : int
        Of a clip, which the model takes in any case.
    device : str

    Raises
    ------
    Exception
        Whatever the model raises about a whole clip.
    """
    widths: list[int] = [*range(length, longest, max(1, round(STEP * net.sample_rate))), longest]
    for width in widths:
        try:
            if not bool(_logits(net, torch.zeros(1, width, device=device)).isnan().any()):
                return width
        except OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, IndexError, SedbenchError):
            # What a model says of too short a clip is its own: a convolution that finds no
            # frame, a shape that cannot be, an error of the front end.
            if width == longest:
                raise
    raise SedbenchError("the model's logits of a silent clip are no numbers")
