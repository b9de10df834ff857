"""Baselines: what a localisation score is worth without looking at the class.

``random`` knows nothing, ``always-on`` is the floor of IoU, ``energy`` finds sound but not
which one, and ``oracle`` is the truth itself on 100 ms frames, the ceiling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sedbench import hookimpl
from sedbench.errors import SedbenchError
from sedbench.hookspecs import Register
from sedbench.types import Answer, FrameScores, MethodInfo, Query

if TYPE_CHECKING:
    from sedbench.models.store import ModelHandle

RANDOM = MethodInfo(
    name="random",
    summary="uniform noise, one value a frame",
    reference="chance level",
    kind="baseline",
    needs=frozenset(),
    stochastic=True,
)
ALWAYS_ON = MethodInfo(
    name="always-on",
    summary="every frame active: the floor of IoU",
    reference="IoU = the share of active frames",
    kind="baseline",
    needs=frozenset(),
)
ENERGY = MethodInfo(
    name="energy",
    summary="root mean square of the waveform, the same for every class",
    reference="baseline of Dumpis & Virtanen 2026, arXiv 2605.23293",
    kind="baseline",
    needs=frozenset(),
)
ORACLE = MethodInfo(
    name="oracle",
    summary="the truth on the task's frames: the ceiling",
    reference="upper bound by construction",
    kind="baseline",
    supervision="oracle",
    needs=frozenset({"truth"}),
)


class Random:
    """Uniform noise; a clip's classes draw from streams of their own."""

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Draw one score per frame of the grid."""
        values = np.stack(
            [
                query.rng(clip, 1, label).random(query.grid.n_frames, dtype=np.float32)
                for clip, label in query.pairs.tolist()
            ]
        )
        return Answer(FrameScores(values, query.grid.edges), query.grid.frame)


class AlwaysOn:
    """Decides by itself: everything is active."""

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Constant scores, and a mask that is true everywhere."""
        shape = (len(query.pairs), query.grid.n_frames)
        scores = FrameScores(np.ones(shape, np.float32), query.grid.edges)
        return Answer(scores, query.grid.frame, mask=np.ones(shape, bool))


class Energy:
    """Root mean square in each frame of the grid."""

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Compute the energy once a clip and repeat it for its classes."""
        levels = frame_rms(query.waveforms, query.sample_rate, query.grid.edges)
        return Answer(FrameScores(levels[query.pairs[:, 0]], query.grid.edges), query.grid.frame)


class Oracle:
    """The truth."""

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Return the truth as scores and as mask."""
        if query.truth is None:
            raise SedbenchError("the oracle was not given the truth")
        scores = FrameScores(query.truth.astype(np.float32), query.grid.edges)
        return Answer(scores, query.grid.frame, mask=query.truth.copy())


def frame_rms(
    waveforms: NDArray[np.float32], sample_rate: int, edges: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Root mean square between successive time edges.

    Parameters
    ----------
    waveforms : ndarray, shape (clips, samples)
    sample_rate : int
        Hz.
    edges : ndarray, shape (frames + 1,)
        Seconds.

    Returns
    -------
    ndarray, shape (clips, frames), float32
    """
    marks = np.clip(np.round(edges * sample_rate).astype(int), 0, waveforms.shape[1])
    total = np.zeros((len(waveforms), waveforms.shape[1] + 1))
    np.cumsum(np.square(waveforms, dtype=np.float64), axis=1, out=total[:, 1:])
    width = np.maximum(np.diff(marks), 1)
    power = np.diff(total[:, marks], axis=1) / width
    return np.asarray(np.sqrt(np.maximum(power, 0.0)), np.float32)


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register the four baselines."""
    register(RANDOM, Random)
    register(ALWAYS_ON, AlwaysOn)
    register(ENERGY, Energy)
    register(ORACLE, Oracle)
