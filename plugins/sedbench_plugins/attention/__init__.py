"""Method ``attention``: where a detector that pools by attention looks, as an explanation.

A small detector is trained on clip labels, on the explained classifier's own frozen trunk: the
activations of its last layer, averaged over frequency. It weighs frames by *attention*, and the
weights of a class over time are the frame scores.

``attention=class``
    Attention pooling (Wang, Li & Metze 2019): each class has weights over time, a softmax, and a
    clip's probability is the weighted mean of its frame probabilities.
``attention=self``
    Self-attention (after Miyazaki et al. 2020): tag tokens are put in front of the frames, two
    transformer layers follow, and a class is decided on its token. The weights are what reaches
    the token from each frame (attention rollout). There is one token a class here, so that the
    weights belong to a class; the paper has one for all.

It is not the classifier's own decision that is explained but that of the pooled detector on the
same trunk, which was told what is in a clip: hence ``supervision="weak"``, as ``fw-ws``.

References
----------
.. [1] Y. Wang, J. Li, F. Metze, "A comparison of five multiple instance learning pooling
   functions for sound event detection with weak labeling", ICASSP 2019, arXiv 1810.09050.
.. [2] K. Miyazaki et al., "Weakly-supervised sound event detection with self-attention",
   ICASSP 2020.
.. [3] S. Abnar, W. Zuidema, "Quantifying attention flow in transformers", ACL 2020,
   arXiv 2005.00928.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench import hookimpl
from sedbench.errors import UsageError
from sedbench.hookspecs import Register
from sedbench.types import MethodInfo, Param

if TYPE_CHECKING:
    from sedbench_plugins.attention.method import Attention

INFO = MethodInfo(
    name="attention",
    summary="attention weights of a pooling detector, trained on clip labels on the same trunk",
    reference=(
        "Wang, Li & Metze, ICASSP 2019, arXiv 1810.09050; "
        "attention=self after Miyazaki et al., ICASSP 2020"
    ),
    params=(
        Param(
            "attention",
            "class",
            "class: each class weighs the frames; self: a transformer's tag tokens",
            ("class", "self"),
        ),
        Param(
            "times",
            "none",
            "what a frame's weight is multiplied by; attention=class alone has probabilities",
            ("none", "probability"),
        ),
    ),
    supervision="weak",
    variant="attention-{attention}",
    learns=True,
    weights=Path(__file__).parent / "weights",
)


def build(attention: str, times: str) -> Attention:
    """Build the method; torch is imported here."""
    if attention == "self" and times == "probability":
        raise UsageError(
            "attention=self decides on tag tokens and has no frame probabilities",
            "leave times out, or use attention=class",
        )
    from sedbench_plugins.attention.method import Attention

    return Attention(INFO, attention, times == "probability")


def shares() -> Callable[..., Any]:
    """What takes its scores apart; torch is imported here."""
    from sedbench_plugins.attention.shares import shares as apart

    return apart


# Words for cards stand here and not above: what `build` uses is part of a result's identity.
CARDS = replace(
    INFO,
    licence="MIT",
    limits=(
        "It explains a detector that was trained on the classifier's trunk, not the classifier's "
        "own decision.",
        "It belongs to one classifier, whose hash is on the card; of another it means nothing.",
        "Attention says which frames are weighed, not that the class sounds there.",
    ),
    shares=shares,
)


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register the method."""
    register(CARDS, build)
