"""Method ``lmac``: a decoder that learnt to mask (Listenable Maps for Audio Classifiers).

A small decoder reads the activations of the classifier's last layers and says, for a class, which
cells of the features count: a mask ``m`` in [0, 1] over (band, frame). It is trained on the
classifier's own decisions, which it is to explain, and on no label: on what the mask shows, the
decision for the class is to be kept, and on what it hides, lost. The classifier is frozen. Frame
scores are the mask, averaged over the bands.

What is hidden
--------------
A cell that is hidden becomes *silence*, not zero: features are logarithms, whose zero is a sound.
With ``x`` the features and ``b`` those of digital silence, ``b + m (x - b)`` is shown and
``x - m (x - b)`` is what is left.

The loss
--------
The paper's classifiers decide for one class, by a softmax; ours for any number, each by a
sigmoid, so each pair of a clip and a class that is decided for (p > 0.5) is a lesson of its own.
With the class's logit ``l``::

    log(1 + exp(-l(shown)))  +  log(1 + exp(l(left)))  +  mean of the mask

The first term is the paper's. The second takes the place of its negative cross-entropy, which has
no lower end where probabilities do not add up to one and had to weigh little there; here all
three weigh the same. The third is its regulariser; its other one, total variation, has the
weight 0 in the authors' own recipe, and is left out, as is the fine-tuning that makes a mask
pleasant to listen to. The epoch with the lowest loss on validation clips is kept.

References
----------
.. [1] F. Paissan, M. Ravanelli, C. Subakan, "Listenable maps for audio classifiers", ICML 2024,
   arXiv 2403.13086.
.. [2] E. Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import MethodInfo, Param

if TYPE_CHECKING:
    from sedbench_plugins.lmac.method import Masking

INFO = MethodInfo(
    name="lmac",
    summary="mask by a decoder that learnt which cells keep the classifier's decision",
    reference="Paissan, Ravanelli & Subakan, ICML 2024, arXiv 2403.13086",
    params=(Param("pooling", "mean", "of the mask over its bands", ("mean", "max")),),
    learns=True,
    weights=Path(__file__).parent / "weights",
)


def build(pooling: str) -> Masking:
    """Build the method; torch is imported here."""
    from sedbench_plugins.lmac.method import Masking

    return Masking(INFO, pooling)


def shares() -> Callable[..., Any]:
    """What takes its scores apart; torch is imported here."""
    from sedbench_plugins.lmac.shares import shares as apart

    return apart


# Words for cards stand here and not above: what `build` uses is part of a result's identity.
CARDS = replace(
    INFO,
    licence="MIT",
    limits=(
        "It belongs to one classifier, whose hash is on the card; of another it means nothing.",
        "It learnt to keep and to lose decisions, not when a class sounds: a mask may keep what "
        "goes along with a sound instead of the sound.",
        "Not every decision is kept on what the mask shows; decision_kept says how many are.",
    ),
    shares=shares,
)


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register the method."""
    register(CARDS, build)
