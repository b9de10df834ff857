"""Model ``logmel-cnn``: a small convolutional network on a log-mel spectrogram.

Its variants share one trunk: a clip classifier that averages over time, and framewise
detectors trained on clip labels (``fw-ws-<pooling>``) or frame labels (``fw-ss``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import ModelInfo, Param
from sedbench_plugins.poolings import PARTS, VARIANTS

if TYPE_CHECKING:
    from sedbench.models.contract import ModelFamily

INFO = ModelInfo(
    name="logmel-cnn",
    summary="four conv blocks on a log-mel spectrogram, averaged over time (99k parameters)",
    reference=(
        "front end and detectors after Wang, Li & Metze, ICASSP 2019 (arXiv 1810.09050); "
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
        "fw-ss takes a clip's answer from its largest frame and learnt frames alone, so that it "
        "names too many classes: read its recall together with its precision.",
        "fw-ws behind an average of frame probabilities (average, exponential) names too few: its "
        "frames can be read, its clip decisions cannot.",
    ),
)


def build() -> ModelFamily:
    """Build the family; torch is imported here."""
    from sedbench_plugins.logmel_cnn.network import LogmelCnnFamily

    return LogmelCnnFamily()


@hookimpl
def sedbench_register_models(register: Register) -> None:
    """Register the model."""
    register(INFO, build)
