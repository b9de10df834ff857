"""Bounds from below: what can be had without an explanation, and without listening.

``window-classifier``  the explained classifier on sliding windows: what people do who need times
                       from a classifier and have no attribution. An attribution that is no
                       better has not earned its name.
``location-prior``     the middle of the clip, whatever is in it: what a score is worth that knows
                       where events tend to lie and has heard nothing.

The other bounds are baselines too: chance, always active, loudness, and the truth itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.errors import UsageError
from sedbench.hookspecs import Register
from sedbench.types import MethodInfo, Param
from sedbench_plugins.bounds.prior import LocationPrior

if TYPE_CHECKING:
    from sedbench_plugins.bounds.windows import WindowClassifier

WINDOWS = MethodInfo(
    name="window-classifier",
    summary="the classifier on sliding windows; 37 passes of 1 s for a clip of 10 s",
    reference=(
        "common practice: Hershey et al., ICASSP 2017, arXiv 1609.09430 (0.96 s); "
        "Kahl et al., Ecological Informatics 61, 2021, BirdNET (3 s)"
    ),
    params=(
        Param("size", 1.0, "length of a window, seconds", minimum=0.05, maximum=60.0),
        Param("hop", 0.25, "from one window to the next, seconds", minimum=0.01, maximum=60.0),
        Param("score", "probability", "what is taken of the class", ("probability", "logit")),
        Param("pooling", "mean", "over the windows that cover a frame", ("mean", "max")),
        Param(
            "context",
            "none",
            "none: the window alone; silence: at its place in a silent clip, ten times the work",
            ("none", "silence"),
        ),
    ),
)
PRIOR = MethodInfo(
    name="location-prior",
    summary="always the middle of the clip, without listening",
    reference=(
        "the centre bias of saliency: Tatler, Journal of Vision 7(14), 2007; Judd et al., ICCV 2009"
    ),
    kind="baseline",
    needs=frozenset(),
)


def build(size: float, hop: float, score: str, pooling: str, context: str) -> WindowClassifier:
    """Build the classifier on windows; torch is imported here.

    Raises
    ------
    UsageError
        The windows would leave gaps.
    """
    if hop > size:
        raise UsageError(
            f"windows of {size:g} s every {hop:g} s leave gaps that nothing is known of",
            f"choose a hop of at most {size:g}",
        )
    from sedbench_plugins.bounds.windows import WindowClassifier

    return WindowClassifier(size, hop, score, pooling, context)


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register both."""
    register(WINDOWS, build)
    register(PRIOR, LocationPrior)
