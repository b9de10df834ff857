"""Gradients of the class logit: plain, smoothed, rectified on the way back, or averaged on paths.

====================  ======================================================================
``saliency``          the gradient
``input-x-gradient``  the gradient times how far the input is from an origin
``smoothgrad``        the gradient averaged over noisy copies of the input
``guided-backprop``   the gradient, of which every ReLU passes only what is positive both ways
``deconvnet``         the gradient, of which every ReLU passes only what is positive on the way back
``expected-gradients``  Integrated Gradients averaged over several baselines
====================  ======================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.errors import UsageError
from sedbench.hookspecs import Register
from sedbench.types import MethodInfo, Param
from sedbench_plugins.attribution import SIGN

if TYPE_CHECKING:
    from sedbench_plugins.gradients.method import Gradients

INPUT = Param("input", "logmel", "what is attributed to", ("logmel", "waveform"))
WEIGHTS = Param("weights", "trained", "random: the control row", ("trained", "random"))
ENGINE = Param(
    "engine",
    "shared",
    "shared: one forward pass for all classes of a clip; captum: the reference, slower",
    ("shared", "captum"),
)
_COMMON = (INPUT, SIGN, WEIGHTS)
_NEEDS = frozenset({"model", "gradients"})
_CONTROL = (("weights", "random"),)

SALIENCY = MethodInfo(
    name="saliency",
    summary="gradient of the class logit, averaged over each frame",
    reference="Simonyan, Vedaldi & Zisserman, ICLR workshop 2014, arXiv 1312.6034",
    params=(*_COMMON, ENGINE),
    needs=_NEEDS,
    stochastic=True,
    seeded_by=_CONTROL,
)
INPUT_X_GRADIENT = MethodInfo(
    name="input-x-gradient",
    summary="gradient of the class logit times the input's distance from an origin",
    reference="Shrikumar, Greenside, Shcherbina & Kundaje 2016, arXiv 1605.01713",
    params=(
        *_COMMON,
        Param(
            "origin",
            "silence",
            "the input that counts as none: silence, the mean log-mel frame, or the number zero",
            ("silence", "mean", "zero"),
        ),
        ENGINE,
    ),
    needs=_NEEDS,
    stochastic=True,
    seeded_by=_CONTROL,
)
SMOOTHGRAD = MethodInfo(
    name="smoothgrad",
    summary="gradient of the class logit, averaged over noisy copies of the input",
    reference=(
        "Smilkov et al. 2017, arXiv 1706.03825; square: Hooker et al., NeurIPS 2019, "
        "arXiv 1806.10758; variance: Adebayo et al., ICLR workshop 2018, arXiv 1810.03307"
    ),
    params=(
        *_COMMON,
        Param("samples", 20, "noisy copies a clip, the same for all classes", minimum=1),
        Param(
            "noise",
            0.15,
            "deviation of the noise, as a share of the input's range",
            minimum=0.0,
            maximum=10.0,
        ),
        Param(
            "average",
            "mean",
            "of the gradients: their mean, their mean square, or their variance",
            ("mean", "square", "variance"),
        ),
    ),
    needs=_NEEDS,
    stochastic=True,
)
GUIDED = MethodInfo(
    name="guided-backprop",
    summary="gradient that passes a ReLU only where it and the activation are positive",
    reference="Springenberg, Dosovitskiy, Brox & Riedmiller, ICLR workshop 2015, arXiv 1412.6806",
    params=(*_COMMON, ENGINE),
    needs=_NEEDS,
    stochastic=True,
    seeded_by=_CONTROL,
)
DECONVNET = MethodInfo(
    name="deconvnet",
    summary="gradient that passes a ReLU only where it is positive itself",
    reference="Zeiler & Fergus, ECCV 2014, arXiv 1311.2901",
    params=(*_COMMON, ENGINE),
    needs=_NEEDS,
    stochastic=True,
    seeded_by=_CONTROL,
)
EXPECTED = MethodInfo(
    name="expected-gradients",
    summary="Integrated Gradients averaged over several baselines: silence and noises",
    reference=(
        "Erion et al., Nature Machine Intelligence 2021, arXiv 1906.10670; baselines: "
        "Sturmfels, Lundberg & Lee, Distill 2020, doi 10.23915/distill.00022"
    ),
    params=(
        *_COMMON,
        Param("steps", 8, "points on each path (Gauss-Legendre)", minimum=1, maximum=1000),
        Param(
            "baselines",
            "silence+noise",
            "where the paths begin",
            ("silence+noise", "silence+mean+noise", "noise"),
        ),
        Param("draws", 2, "how many of the baselines are noise", minimum=1, maximum=100),
        Param("low", -80.0, "level of the softest noise, dBFS", minimum=-200.0, maximum=0.0),
        Param("high", -40.0, "level of the loudest noise, dBFS", minimum=-200.0, maximum=0.0),
    ),
    needs=_NEEDS,
    stochastic=True,
)


def saliency(input: str, sign: str, weights: str, engine: str) -> Gradients:
    """Build ``saliency``; torch is imported here."""
    from sedbench_plugins.gradients.method import Gradients
    from sedbench_plugins.gradients.plain import Plain

    return Gradients(Plain(engine), input, sign, weights == "random")


def input_x_gradient(input: str, sign: str, weights: str, origin: str, engine: str) -> Gradients:
    """Build ``input-x-gradient``; torch is imported here.

    Raises
    ------
    UsageError
        A waveform is to be measured from the mean log-mel frame.
    """
    _no_mean("origin", input, origin == "mean")
    from sedbench_plugins.gradients.method import Gradients
    from sedbench_plugins.gradients.plain import Product

    return Gradients(Product(engine, origin), input, sign, weights == "random")


def smoothgrad(  # noqa: PLR0917 - the parameters, given by name
    input: str, sign: str, weights: str, samples: int, noise: float, average: str
) -> Gradients:
    """Build ``smoothgrad``; torch is imported here."""
    from sedbench_plugins.gradients.method import Gradients
    from sedbench_plugins.gradients.smooth import Smooth

    return Gradients(Smooth(samples, noise, average), input, sign, weights == "random")


def guided_backprop(input: str, sign: str, weights: str, engine: str) -> Gradients:
    """Build ``guided-backprop``; torch is imported here."""
    from sedbench_plugins.gradients.method import Gradients
    from sedbench_plugins.gradients.rectified import Rectified

    return Gradients(Rectified("guided", engine), input, sign, weights == "random")


def deconvnet(input: str, sign: str, weights: str, engine: str) -> Gradients:
    """Build ``deconvnet``; torch is imported here."""
    from sedbench_plugins.gradients.method import Gradients
    from sedbench_plugins.gradients.rectified import Rectified

    return Gradients(Rectified("deconvnet", engine), input, sign, weights == "random")


def expected_gradients(  # noqa: PLR0917 - the parameters, given by name
    input: str,
    sign: str,
    weights: str,
    steps: int,
    baselines: str,
    draws: int,
    low: float,
    high: float,
) -> Gradients:
    """Build ``expected-gradients``; torch is imported here.

    Raises
    ------
    UsageError
        A baseline that the input does not have, or levels in the wrong order.
    """
    kinds = tuple(baselines.split("+"))
    _no_mean("baselines", input, "mean" in kinds)
    if low > high:
        raise UsageError(
            f"the softest noise (low={low:g} dBFS) is louder than the loudest (high={high:g})",
            "low must not be above high",
        )
    from sedbench_plugins.gradients.expected import Expected
    from sedbench_plugins.gradients.method import Gradients

    return Gradients(Expected(steps, kinds, draws, low, high), input, sign, weights == "random")


def _no_mean(param: str, input: str, wanted: bool) -> None:
    if wanted and input == "waveform":
        raise UsageError(
            f"{param} names the mean log-mel frame, which a waveform does not have",
            f"use input=logmel, or {param} without the mean",
        )


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register the family."""
    register(SALIENCY, saliency)
    register(INPUT_X_GRADIENT, input_x_gradient)
    register(SMOOTHGRAD, smoothgrad)
    register(GUIDED, guided_backprop)
    register(DECONVNET, deconvnet)
    register(EXPECTED, expected_gradients)
