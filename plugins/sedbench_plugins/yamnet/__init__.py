"""Models ``yamnet`` and ``yamnet-head``: YAMNet's trunk, with its own classes and with others.

YAMNet (Google, Apache-2.0) was trained on AudioSet. ``yamnet`` answers with its own 521 classes
and is not trained here; ``yamnet-head`` is a linear head on the frozen trunk, trained on a task's
clips, with the framewise detectors on the same trunk. Both need ``sedbench fetch yamnet`` once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import ModelInfo, Param
from sedbench_plugins.poolings import PARTS, VARIANTS

if TYPE_CHECKING:
    from sedbench.models.contract import ModelFamily

REFERENCE = (
    "Plakal & Ellis, YAMNet, TensorFlow model garden 2019 (Apache-2.0); "
    "Gemmeke et al., Audio Set, ICASSP 2017"
)
FETCH = "sedbench fetch yamnet"
PRETRAINED = (
    (
        "yamnet.safetensors",
        "63ad382207ace73db4c59fe60d300efae14ba946b477ec02f4c6efaf8fa1db2e",
    ),
)


def source() -> Any:
    """What brings the weights; torch is not imported."""
    from sedbench_plugins.yamnet import asset

    return asset


INFO = ModelInfo(
    name="yamnet",
    summary="YAMNet with its own 521 AudioSet classes; nothing is trained (3.7M parameters)",
    reference=REFERENCE,
    params=(
        Param(
            "trunk",
            "patches",
            "patches: 0.96 s at a time, as it was trained; whole: the clip in one piece",
            ("patches", "whole"),
        ),
    ),
    variants=("classifier",),
    trains=False,
    pretrained=PRETRAINED,
    fetch=FETCH,
    source=source,
    licence="Apache-2.0 (YAMNet)",
    limits=(
        "Its classes are AudioSet's, and a task's labels are looked up among them: what a person "
        "calls Dishes need not be what it was taught.",
    ),
)
HEAD = ModelInfo(
    name="yamnet-head",
    summary="linear head on YAMNet's frozen trunk, trained on each task's clips",
    reference=f"{REFERENCE}; frozen trunk as in Dumpis & Virtanen 2026, arXiv 2605.23293",
    params=(Param("seed", 0, "which of the trained heads to use", minimum=0, maximum=2**31 - 1),),
    variants=VARIANTS,
    parts=PARTS,
    weights=Path(__file__).parent / "weights",
    pretrained=PRETRAINED,
    fetch=FETCH,
    source=source,
    licence="MIT (the heads); YAMNet beneath them is Apache-2.0 and is fetched, not shipped",
    limits=(
        "It was made to compare explanations; nobody has tested it for another use, and it must "
        "not be relied on for safety or to watch people.",
        "Only the head knows the task's recordings; what the trunk hears it learnt from AudioSet, "
        "whose videos may hold sounds that are like those of a test.",
        "A clip is heard in patches of 0.96 s: within one, when something sounds is a matter of "
        "emphasis, and nothing is heard across a patch's border.",
        "The classifier averages over the clip, which dilutes short sounds: it is weaker at naming "
        "what a clip holds than the heads with frame labels, linear softmax or the maximum.",
        "The heads behind averages of frame probabilities (average, exponential) seldom reach one "
        "half for a clip: their frames can be read, their clip decisions cannot.",
    ),
)


def build(trunk: str) -> ModelFamily:
    """Build the family with YAMNet's own classes; torch is imported here."""
    from sedbench_plugins.yamnet.family import YamnetFamily

    return YamnetFamily(whole=trunk == "whole")


def build_head() -> ModelFamily:
    """Build the family of heads; torch is imported here."""
    from sedbench_plugins.yamnet.family import YamnetHeadFamily

    return YamnetHeadFamily()


@hookimpl
def sedbench_register_models(register: Register) -> None:
    """Register both models."""
    register(INFO, build)
    register(HEAD, build_head)
