"""DeepLIFT and Shapley values: ``deeplift``, ``deepliftshap``, ``gradientshap`` and ``shap``.

Default budgets are chosen by cost alone: about a second and a half a pair on one core with a
network whose forward and backward pass of a clip takes 75 ms (``yamnet-head``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import MethodInfo, Param
from sedbench_plugins.attribution import SIGN

if TYPE_CHECKING:
    from sedbench_plugins.shapley.captum_methods import DeepLift, DeepLiftShap, GradientShap
    from sedbench_plugins.shapley.shap_methods import Shap

_SIGN = Param("sign", SIGN.default, SIGN.help, SIGN.choices)
_BASELINES = ("silence", "mean", "noise")
_SAMPLES = Param(
    "background", 3, "draws of the noise baseline; the others are one", minimum=1, maximum=256
)
_NEEDS = frozenset({"model", "gradients"})
_SHAP = "Lundberg & Lee, NeurIPS 2017, arXiv 1705.07874"

DEEPLIFT = MethodInfo(
    name="deeplift",
    summary="DeepLIFT (rescale rule) of the class logit against one baseline",
    reference="Shrikumar, Greenside & Kundaje, ICML 2017, arXiv 1704.02685",
    params=(Param("baseline", "silence", "what it is compared with", _BASELINES), _SIGN),
    needs=_NEEDS,
    stochastic=True,
    seeded_by=(("baseline", "noise"),),
)
DEEPLIFTSHAP = MethodInfo(
    name="deepliftshap",
    summary="DeepLIFT averaged over a background of baselines: approximate Shapley values",
    reference=f"{_SHAP}; Shrikumar, Greenside & Kundaje, ICML 2017, arXiv 1704.02685",
    params=(Param("baseline", "noise", "what it is compared with", _BASELINES), _SAMPLES, _SIGN),
    needs=_NEEDS,
    stochastic=True,
    seeded_by=(("baseline", "noise"),),
)
GRADIENTSHAP = MethodInfo(
    name="gradientshap",
    summary="gradients at random points between background and clip (expected gradients)",
    reference=f"{_SHAP}; Erion et al., Nature Machine Intelligence 3, 2021, arXiv 1906.10670",
    params=(
        Param("samples", 20, "random points", minimum=1, maximum=10_000),
        Param("baseline", "noise", "where the paths begin", _BASELINES),
        _SAMPLES,
        Param("deviation", 0.0, "of noise added to the features", minimum=0.0),
        _SIGN,
    ),
    needs=_NEEDS,
    stochastic=True,
)
SHAP = MethodInfo(
    name="shap",
    summary="the SHAP package: per cell (gradient, deep) or time segment (partition, kernel)",
    reference=(
        f"{_SHAP}; partition: Owen, in Mathematical Economics and Game Theory, Springer 1977, "
        "doi 10.1007/978-3-642-45494-3_7"
    ),
    params=(
        Param(
            "explainer", "gradient", "which explainer", ("gradient", "deep", "partition", "kernel")
        ),
        Param("baseline", "silence", "what stands for absence", _BASELINES),
        _SAMPLES,
        Param("samples", 20, "random points of gradient", minimum=1, maximum=10_000),
        Param("segment", 0.2, "seconds a segment of partition and kernel", minimum=0.01),
        Param("evaluations", 300, "masks that partition and kernel may try", minimum=4),
        _SIGN,
    ),
    needs=_NEEDS,
    stochastic=True,
    seeded_by=(("explainer", "gradient"), ("explainer", "kernel"), ("baseline", "noise")),
)


def build_deeplift(baseline: str, sign: str) -> DeepLift:
    """Build ``deeplift``; torch is imported here."""
    from sedbench_plugins.shapley.captum_methods import DeepLift

    return DeepLift(baseline, sign)


def build_deepliftshap(baseline: str, background: int, sign: str) -> DeepLiftShap:
    """Build ``deepliftshap``; torch is imported here."""
    from sedbench_plugins.shapley.captum_methods import DeepLiftShap

    return DeepLiftShap(baseline, sign, background)


def build_gradientshap(
    samples: int, baseline: str, background: int, deviation: float, sign: str
) -> GradientShap:
    """Build ``gradientshap``; torch is imported here."""
    from sedbench_plugins.shapley.captum_methods import GradientShap

    return GradientShap(baseline, sign, background, samples, deviation)


def build_shap(  # noqa: PLR0917 - the parameters, given by name
    explainer: str,
    baseline: str,
    background: int,
    samples: int,
    segment: float,
    evaluations: int,
    sign: str,
) -> Shap:
    """Build ``shap``; torch is imported here."""
    from sedbench_plugins.shapley.shap_methods import Shap

    return Shap(baseline, sign, background, explainer, samples, segment, evaluations)


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register the four methods."""
    register(DEEPLIFT, build_deeplift)
    register(DEEPLIFTSHAP, build_deepliftshap)
    register(GRADIENTSHAP, build_gradientshap)
    register(SHAP, build_shap)
