"""Model ``yamnet-head-whole``: linear heads on YAMNet's trunk, run over a clip in one piece.

``yamnet-head`` cuts a clip into the patches of 0.96 s that YAMNet was trained on. This one runs
the network fully convolutionally over the whole clip: 32 frames of 0.32 s of 10 s, no edges
inside. It is the worse classifier (see :mod:`sedbench_plugins.yamnet.trunk`), and no step of it
hears a patch's border. What a head learnt on one of the two trunks means nothing on the other,
so that it is a model of its own with weights of its own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench_plugins.yamnet import HEAD

if TYPE_CHECKING:
    from sedbench.models.contract import ModelFamily

WHOLE = replace(
    HEAD,
    name="yamnet-head-whole",
    summary="linear head on YAMNet's frozen trunk, run over a clip in one piece",
    weights=Path(__file__).parent / "weights",
    limits=(
        HEAD.limits[0],
        HEAD.limits[1],
        "The trunk runs over the whole clip, and it was trained on patches of 0.96 s: it hears "
        "sound where it expects silence, and these heads name clips worse than yamnet-head.",
        HEAD.limits[3],
    ),
)


def build() -> ModelFamily:
    """Build the family of heads; torch is imported here."""
    from sedbench_plugins.yamnet.family import YamnetHeadFamily

    return YamnetHeadFamily(whole=True)


@hookimpl
def sedbench_register_models(register: Register) -> None:
    """Register the model."""
    register(WHOLE, build)
