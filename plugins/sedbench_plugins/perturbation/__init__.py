"""Masking: what becomes of a class where a part of the clip is taken away.

==============  ===============================================================================
``occlusion``   a window slides along; how far the logit drops while it is masked
``rise``        random masks; the mean logit while a moment is shown
``lime``        random masks; a ridge regression near the clip
``kernelshap``  masks as Shapley values weigh them; a linear fit that adds up to the logit's rise
``surrogate``   masked waveforms; a random forest or a linear regression of the log-odds
``audiolime``   components of the sound switched on and off, moment by moment; a ridge regression
==============  ===============================================================================

Scores are given for segments of time on the segments' own edges. All target classes of a clip share
masks and passes. On a network whose clip logit is the mean of frame logits that each depend on
little of the clip (``logmel-cnn``, ``yamnet-head``), five hundred masks are put together from fewer
than a hundred passes (:mod:`sedbench_plugins.masking.clip`); on others (``cnn14``, ``yamnet``) each
mask is passed. ``cost`` counts the passes made.

Defaults were chosen by cost alone: at most about five seconds a clip on one core with
``yamnet-head`` (37 ms a pass), one and a half with ``logmel-cnn``. ``sign`` is, by default, what
each method's paper looks at: all of a drop or a Shapley value, what speaks for the class in LIME,
the unsigned importance of a forest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.errors import UsageError
from sedbench.hookspecs import Register
from sedbench.types import MethodInfo, Param

if TYPE_CHECKING:
    from sedbench_plugins.perturbation.audiolime import AudioLime
    from sedbench_plugins.perturbation.linear import KernelShap, Lime
    from sedbench_plugins.perturbation.occlusion import Occlusion
    from sedbench_plugins.perturbation.rise import Rise
    from sedbench_plugins.perturbation.surrogate import Surrogate

_NEEDS = frozenset({"model"})
_SEGMENT = Param("segment", 0.2, "seconds that are masked as a whole", minimum=0.01)
_CONTENT = Param(
    "content",
    "silence",
    "features that stand where something is masked",
    ("silence", "mean", "noise"),
)
_MASKS = Param("masks", 500, "masks a clip", minimum=2, maximum=100_000)
_WIDTH = Param("width", 0.25, "of the kernel that weights masks by their likeness", minimum=1e-3)
_ALPHA = Param("alpha", 1.0, "strength of the ridge penalty", minimum=0.0)


def _sign(default: str) -> Param:
    return Param("sign", default, "what of a score counts", ("abs", "positive", "signed"))


OCCLUSION = MethodInfo(
    name="occlusion",
    summary="how far the logit drops while a sliding window of time is masked",
    reference="Zeiler & Fergus, ECCV 2014, doi 10.1007/978-3-319-10590-1_53",
    params=(
        Param("window", 0.4, "seconds that are masked at once", minimum=0.01),
        Param("stride", 0.2, "seconds from window to window", minimum=0.01),
        _CONTENT,
        _sign("signed"),
    ),
    needs=_NEEDS,
    stochastic=True,
    seeded_by=(("content", "noise"),),
)
RISE = MethodInfo(
    name="rise",
    summary="mean logit over random masks that show a moment, less that over all masks",
    reference="Petsiuk, Das & Saenko, BMVC 2018, arXiv 1806.07421",
    params=(
        Param("segment", 0.5, "seconds a cell of the masks", minimum=0.05),
        _MASKS,
        Param("keep", 0.5, "probability that a cell is shown", minimum=0.05, maximum=0.95),
        Param("smooth", False, "masks without edges, as published; every one is then passed"),
        _CONTENT,
        _sign("signed"),
    ),
    needs=_NEEDS,
    stochastic=True,
)
LIME = MethodInfo(
    name="lime",
    summary="LIME over segments of time: ridge regression of the logit under random masks",
    reference="Ribeiro, Singh & Guestrin, KDD 2016, doi 10.1145/2939672.2939778",
    params=(_SEGMENT, _MASKS, _WIDTH, _ALPHA, _CONTENT, _sign("positive")),
    needs=_NEEDS,
    stochastic=True,
)
KERNELSHAP = MethodInfo(
    name="kernelshap",
    summary="KernelSHAP over segments of time: Shapley values by a weighted linear fit",
    reference="Lundberg & Lee, NeurIPS 2017, arXiv 1705.07874",
    params=(_SEGMENT, _MASKS, _CONTENT, _sign("signed")),
    needs=_NEEDS,
    stochastic=True,
)
SURROGATE = MethodInfo(
    name="surrogate",
    summary="random forest or linear regression of the log-odds of masked waveforms",
    reference="Bolanos, Pepino, Meza & Ferrer, Interspeech 2025, arXiv 2506.04391",
    params=(
        Param("model", "forest", "what is fitted", ("forest", "linear")),
        Param("content", "noise", "what stands where something is masked", ("noise", "zero")),
        Param("window", 3, "neighbouring segments that are masked together", (1, 3, 5)),
        Param("segment", 0.1, "seconds a segment", minimum=0.01),
        Param("masks", 250, "masks a clip", minimum=2, maximum=100_000),
        Param("alpha", 1.0, "strength of the linear model's ridge penalty", minimum=0.0),
        _sign("abs"),
    ),
    needs=_NEEDS,
    stochastic=True,
)
AUDIOLIME = MethodInfo(
    name="audiolime",
    summary="LIME over components of the sound in segments of time, summed over components",
    reference="Haunschmid, Manilow & Widmer, MML workshop 2020, arXiv 2008.00582",
    params=(
        Param("segment", 0.5, "seconds a segment", minimum=0.01),
        Param("decomposition", "hpss", "what the components are", ("hpss", "nmf")),
        Param("components", 4, "how many, of nmf; hpss has two", minimum=2, maximum=32),
        Param("masks", 100, "masks a clip; each is passed", minimum=2, maximum=100_000),
        _WIDTH,
        _ALPHA,
        _sign("positive"),
    ),
    needs=_NEEDS,
    stochastic=True,
)


def build_occlusion(window: float, stride: float, content: str, sign: str) -> Occlusion:
    """Build ``occlusion``; torch is imported here.

    Raises
    ------
    UsageError
        Windows would leave gaps.
    """
    if stride > window:
        raise UsageError(
            f"stride={stride} is longer than window={window}: what lies between is never masked",
            f"use stride={window} or less",
        )
    from sedbench_plugins.perturbation.occlusion import Occlusion

    return Occlusion(window, content, sign, stride)


def build_rise(  # noqa: PLR0917 - the parameters, given by name
    segment: float, masks: int, keep: float, smooth: bool, content: str, sign: str
) -> Rise:
    """Build ``rise``; torch is imported here."""
    from sedbench_plugins.perturbation.rise import Rise

    return Rise(segment, content, sign, masks, keep, smooth)


def build_lime(  # noqa: PLR0917 - the parameters, given by name
    segment: float, masks: int, width: float, alpha: float, content: str, sign: str
) -> Lime:
    """Build ``lime``; torch is imported here."""
    from sedbench_plugins.perturbation.linear import Lime

    return Lime(segment, content, sign, masks, width, alpha)


def build_kernelshap(segment: float, masks: int, content: str, sign: str) -> KernelShap:
    """Build ``kernelshap``; torch is imported here."""
    from sedbench_plugins.perturbation.linear import KernelShap

    return KernelShap(segment, content, sign, masks)


def build_surrogate(  # noqa: PLR0917 - the parameters, given by name
    model: str, content: str, window: int, segment: float, masks: int, alpha: float, sign: str
) -> Surrogate:
    """Build ``surrogate``; torch is imported here."""
    from sedbench_plugins.perturbation.surrogate import Surrogate

    return Surrogate(segment, content, sign, model, window, masks, alpha)


def build_audiolime(  # noqa: PLR0917 - the parameters, given by name
    segment: float,
    decomposition: str,
    components: int,
    masks: int,
    width: float,
    alpha: float,
    sign: str,
) -> AudioLime:
    """Build ``audiolime``; torch is imported here."""
    from sedbench_plugins.perturbation.audiolime import AudioLime

    return AudioLime(segment, decomposition, components, masks, width, alpha, sign)


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register the six methods."""
    register(OCCLUSION, build_occlusion)
    register(RISE, build_rise)
    register(LIME, build_lime)
    register(KERNELSHAP, build_kernelshap)
    register(SURROGATE, build_surrogate)
    register(AUDIOLIME, build_audiolime)
