"""Models ``cnn14`` and ``cnn14-head``: PANNs CNN14, pretrained on AudioSet.

``cnn14`` answers with its own 527 classes: a task's labels are looked up among AudioSet's
display names, and nothing is trained. ``cnn14-head`` keeps the network frozen and trains a
linear head on the task's clips; its framewise detectors use the same trunk without pooling
over time. Both need the published checkpoint, which ``sedbench fetch cnn14`` brings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import ModelInfo, Param
from sedbench_plugins.cnn14.asset import FETCH, PUBLISHED, Asset
from sedbench_plugins.poolings import PARTS, VARIANTS

if TYPE_CHECKING:
    from sedbench_plugins.cnn14.family import Cnn14Family, Cnn14HeadFamily

_REFERENCE = (
    "Kong et al., IEEE/ACM TASLP 28, 2020, arXiv 1912.10211; "
    "checkpoint Cnn14_mAP=0.431, doi 10.5281/zenodo.3987831 (CC BY 4.0)"
)


def published() -> Asset:
    """What brings the checkpoint; torch is imported only when it is converted."""
    return PUBLISHED


CNN14 = ModelInfo(
    name="cnn14",
    summary="PANNs CNN14 with its own 527 AudioSet classes (81M parameters); has to be fetched",
    reference=_REFERENCE,
    variants=("classifier",),
    trains=False,
    pretrained=((PUBLISHED.name, PUBLISHED.sha256),),
    fetch=FETCH,
    source=published,
    licence="CC BY 4.0 (the checkpoint)",
    limits=(
        "Its classes are AudioSet's, and a task's labels are looked up among them by name.",
        "Of audio at 16 kHz nothing is above 8 kHz, and it was trained with bands up to 14 kHz.",
    ),
)
HEAD = ModelInfo(
    name="cnn14-head",
    summary="a linear head trained on frozen PANNs CNN14, and its framewise detectors",
    reference=f"{_REFERENCE}; head as in Dumpis & Virtanen 2026, arXiv 2605.23293",
    params=(Param("seed", 0, "which of the trained weights to use", minimum=0, maximum=2**31 - 1),),
    variants=VARIANTS,
    parts=PARTS,
    pretrained=((PUBLISHED.name, PUBLISHED.sha256),),
    fetch=FETCH,
    source=published,
    licence="MIT (the heads); the checkpoint beneath them is CC BY 4.0 and is fetched, not shipped",
    limits=(
        "It was made to compare explanations; nobody has tested it for another use, and it must "
        "not be relied on for safety or to watch people.",
        "Of audio at 16 kHz nothing is above 8 kHz, and the trunk was trained with bands up to "
        "14 kHz.",
        "Its frames are 0.32 s long, and the recipe of its heads is a first choice.",
    ),
)


def build() -> Cnn14Family:
    """Build the family; torch is imported here."""
    from sedbench_plugins.cnn14.family import Cnn14Family

    return Cnn14Family()


def build_head() -> Cnn14HeadFamily:
    """Build the family of heads; torch is imported here."""
    from sedbench_plugins.cnn14.family import Cnn14HeadFamily

    return Cnn14HeadFamily()


@hookimpl
def sedbench_register_models(register: Register) -> None:
    """Register both models."""
    register(CNN14, build)
    register(HEAD, build_head)
