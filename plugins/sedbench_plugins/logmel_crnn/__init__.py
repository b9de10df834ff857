"""Models ``logmel-crnn`` and ``logmel-crnn-relu``: convolutions, then a recurrence over time.

The shape that the baselines of DCASE task 4 have had for years, at a seventh of their size. The two
differ in what follows each convolution: a gated linear unit, or a ReLU. What is learnt with
one means nothing with the other, so each is a model of its own with weights of its own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import ModelInfo, Param
from sedbench_plugins.poolings import PARTS, VARIANTS

if TYPE_CHECKING:
    from sedbench.models.contract import ModelFamily

GATED = ModelInfo(
    name="logmel-crnn",
    summary="four conv blocks with gated linear units, then a bidirectional GRU (157k parameters)",
    reference=(
        "convolutions and GRU: Cakir et al., IEEE/ACM TASLP 25, 2017, arXiv 1702.06286; gated "
        "linear units and the shape: DCASE task 4 baseline, Turpault et al., DCASE workshop 2019; "
        "trained from scratch on each task"
    ),
    params=(Param("seed", 0, "which of the trained weights to use", minimum=0, maximum=2**31 - 1),),
    variants=VARIANTS,
    parts=PARTS,
    weights=Path(__file__).parent / "weights",
    licence="MIT",
    limits=(
        "It was made to compare explanations; nobody has tested it for another use, and it must "
        "not be relied on for safety or to watch people.",
        "It knows its task's classes alone, each as that task's sounds have it: trained from "
        "scratch on one set of clips, it has never heard another room, microphone or recording.",
        "Each of its frames hears the whole clip, forwards and backwards: it cannot answer while "
        "a sound goes on, and where a frame score lies in time is what it learnt.",
    ),
)
RECTIFIED = replace(
    GATED,
    name="logmel-crnn-relu",
    summary="the same with ReLUs in place of gated linear units (142k parameters)",
    weights=None,  # none ships: it is trained first
)


def build() -> ModelFamily:
    """Build the family with gated linear units; torch is imported here."""
    from sedbench_plugins.logmel_crnn.network import LogmelCrnnFamily

    # Names are written out: what a factory uses is part of every result's identity.
    return LogmelCrnnFamily("logmel-crnn", "glu")


def build_relu() -> ModelFamily:
    """Build the family with ReLUs; torch is imported here."""
    from sedbench_plugins.logmel_crnn.network import LogmelCrnnFamily

    return LogmelCrnnFamily("logmel-crnn-relu", "relu")


@hookimpl
def sedbench_register_models(register: Register) -> None:
    """Register both models."""
    register(GATED, build)
    register(RECTIFIED, build_relu)
