"""Framewise detectors ``fw-ws`` and ``fw-ss``: trained to say when, on the classifier's trunk.

``fw-ws`` has seen clip labels only and pools its frame probabilities over time, ``fw-ss``
has seen frame labels. Both answer with frame probabilities, and decide by themselves which
classes a clip holds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import Answer, Cost, FrameScores, MethodInfo, Param, Query
from sedbench_plugins.poolings import POOLINGS

if TYPE_CHECKING:
    from sedbench.models.store import ModelHandle

FW_WS = MethodInfo(
    name="fw-ws",
    summary="framewise detector trained on clip labels",
    reference=(
        "Wang, Li & Metze, ICASSP 2019, arXiv 1810.09050; "
        "with pooling=max as in Dumpis & Virtanen 2026, arXiv 2605.23293; "
        "auto after McFee, Salamon & Bello, IEEE/ACM TASLP 26, 2018, arXiv 1804.10070; "
        "self-attention after Miyazaki et al., ICASSP 2020"
    ),
    params=(Param("pooling", "linear", "pooling over time that it was trained with", POOLINGS),),
    kind="detector",
    supervision="weak",
    needs=frozenset({"detector"}),
    variant="fw-ws-{pooling}",
)
FW_SS = MethodInfo(
    name="fw-ss",
    summary="framewise detector trained on frame labels",
    reference="Dumpis & Virtanen 2026, arXiv 2605.23293",
    kind="detector",
    supervision="strong",
    needs=frozenset({"detector"}),
    variant="fw-ss",
)


@dataclass(frozen=True)
class Framewise:
    """A trained framewise variant of the model's family.

    Attributes
    ----------
    variant : str
        The weights to use.
    """

    variant: str

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """One forward pass a clip gives the frame probabilities of all its classes."""
        import torch

        started = time.perf_counter()
        detector = model.variant(self.variant)
        with torch.no_grad():
            waveforms = torch.from_numpy(query.waveforms).to(model.device)
            features = detector.features(waveforms)
            frames = torch.sigmoid(detector.frame_logits(features)).cpu().numpy()
            clips = torch.sigmoid(detector.logits(features)).cpu().numpy()
        edges = detector.frame_edges(query.waveforms.shape[1])
        values = frames[query.pairs[:, 0], query.pairs[:, 1]].astype(np.float32)
        return Answer(
            FrameScores(values, edges),
            resolution=round(float(np.median(np.diff(edges))), 9),
            decisions=clips,
            cost=Cost(forward=len(query.waveforms), seconds=time.perf_counter() - started),
        )


def build_weak(pooling: str) -> Framewise:
    """Build the detector that was trained on clip labels."""
    return Framewise(f"fw-ws-{pooling}")


def build_strong() -> Framewise:
    """Build the detector that was trained on frame labels."""
    return Framewise("fw-ss")


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register both detectors."""
    register(FW_WS, build_weak)
    register(FW_SS, build_strong)
