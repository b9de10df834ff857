"""Method ``ig``: Integrated Gradients, and its named preset ``ig-study``."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.errors import UsageError
from sedbench.hookspecs import Register
from sedbench.types import MethodInfo, Param

if TYPE_CHECKING:
    from sedbench_plugins.integrated_gradients.method import IntegratedGradients

_REFERENCE = (
    "Sundararajan, Taly & Yan, ICML 2017, arXiv 1703.01365; "
    "for sound events: Dumpis & Virtanen 2026, arXiv 2605.23293"
)
PARAMS = (
    Param("steps", 50, "points on the path (Gauss-Legendre)", minimum=1, maximum=1000),
    Param("input", "logmel", "what is attributed to", ("logmel", "waveform")),
    Param("baseline", "silence", "where the path begins", ("silence", "mean", "noise")),
    Param("sign", "abs", "what is averaged over a frame", ("abs", "positive", "signed")),
    Param("weights", "trained", "random: the control row", ("trained", "random")),
    Param(
        "engine",
        "shared",
        "shared: one forward pass for all classes of a clip; captum: the reference, slower",
        ("shared", "captum"),
    ),
)
IG = MethodInfo(
    name="ig",
    summary="Integrated Gradients of the class logit, averaged over each frame",
    reference=_REFERENCE,
    params=PARAMS,
    needs=frozenset({"model", "gradients"}),
    stochastic=True,
    seeded_by=(("baseline", "noise"), ("weights", "random")),
)
STUDY = replace(
    IG,
    name="ig-study",
    summary="Integrated Gradients as the study set it: waveform, silence, absolute, 50 steps",
    params=tuple(replace(p, default="waveform") if p.name == "input" else p for p in PARAMS),
)


def build(  # noqa: PLR0917 - the parameters, given by name
    steps: int, input: str, baseline: str, sign: str, weights: str, engine: str
) -> IntegratedGradients:
    """Build the method; torch is imported here.

    Raises
    ------
    UsageError
        A baseline that the input does not have.
    """
    if input == "waveform" and baseline == "mean":
        raise UsageError(
            "baseline=mean is the mean log-mel frame, which a waveform does not have",
            "use input=logmel, or baseline=silence or noise",
        )
    from sedbench_plugins.integrated_gradients.method import IntegratedGradients

    return IntegratedGradients(steps, input, baseline, sign, weights == "random", engine)


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register the method and the study's preset."""
    register(IG, build)
    register(STUDY, partial(build))
