"""Method ``lrp``: layer-wise relevance propagation with Zennit's composites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import MethodInfo, Param
from sedbench_plugins.attribution import SIGN

if TYPE_CHECKING:
    from sedbench_plugins.relevance.method import Relevance

COMPOSITES = ("epsilon", "epsilon-plus", "epsilon-gamma-box", "epsilon-alpha2-beta1")
LRP = MethodInfo(
    name="lrp",
    summary="layer-wise relevance propagation to the log-mel spectrogram, with Zennit's composites",
    reference=(
        "Bach et al., PLOS ONE 10(7), 2015, doi 10.1371/journal.pone.0130140; composites after "
        "Montavon et al., LNCS 11700, 2019, doi 10.1007/978-3-030-28954-6_10; "
        "Zennit: Anders et al., 2021, arXiv 2106.13200"
    ),
    params=(
        Param("composite", "epsilon-plus", "which rule each layer has", COMPOSITES),
        Param("sign", SIGN.default, SIGN.help, SIGN.choices),
        Param("zero_bias", False, "take biases as zero in the rules: they absorb no relevance"),
        Param("epsilon", 1e-6, "added to the denominator of dense layers", minimum=0.0),
        Param("gamma", 0.25, "weight of positive parts in epsilon-gamma-box", minimum=0.0),
    ),
    needs=frozenset({"model", "gradients"}),
)


def build(composite: str, sign: str, zero_bias: bool, epsilon: float, gamma: float) -> Relevance:
    """Build the method; torch is imported here."""
    from sedbench_plugins.relevance.method import Relevance

    return Relevance(composite, sign, zero_bias, epsilon, gamma)


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register the method."""
    register(LRP, build)
