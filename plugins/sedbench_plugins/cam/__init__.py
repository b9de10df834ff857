"""Class activation maps: a layer's channels, weighted by what each means to a class.

=============  ================================================================================
``cam``        weights of the linear head itself; needs global average pooling before it
``gradcam``    each channel's gradient, averaged over the map
``gradcam++``  the same average, weighted towards cells that a class depends on
``hirescam``   no average: gradient times activation, cell by cell
``layercam``   the same, positive gradients alone
``scorecam``   no gradient: what a channel's mask lets through of the class
=============  ================================================================================

``layer`` is a name of the model's layers (``""`` the last): its output behind the activation
function that follows it. Frame scores have that layer's time resolution, which is recorded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sedbench import hookimpl
from sedbench.hookspecs import Register
from sedbench.types import MethodInfo, Param

if TYPE_CHECKING:
    from sedbench_plugins.cam.method import Maps

LAYER = Param("layer", "", "whose activations, by name; empty: the model's last layer")
FREQUENCY = Param("frequency", "mean", "over the frequencies that are left", ("mean", "max"))
RECTIFY = Param("rectify", True, "whether only what is positive of the map counts")
WEIGHTS = Param("weights", "trained", "random: the control row", ("trained", "random"))
_COMMON = (LAYER, FREQUENCY, RECTIFY, WEIGHTS)
_AS_IT_IS = (LAYER, FREQUENCY, replace(RECTIFY, default=False), WEIGHTS)
_NEEDS = frozenset({"model", "gradients"})
_CONTROL = (("weights", "random"),)

CAM = MethodInfo(
    name="cam",
    summary="class activation map: the linear head on every frame instead of their mean",
    reference="Zhou, Khosla, Lapedriza, Oliva & Torralba, CVPR 2016, arXiv 1512.04150",
    params=_AS_IT_IS,
    needs=_NEEDS,
    stochastic=True,
    seeded_by=_CONTROL,
)
GRADCAM = replace(
    CAM,
    name="gradcam",
    summary="channels of a layer, weighted by their mean gradient",
    reference="Selvaraju et al., ICCV 2017, arXiv 1610.02391",
    params=_COMMON,
)
GRADCAM_PLUS = replace(
    CAM,
    name="gradcam++",
    summary="channels of a layer, weighted by a mean of their positive gradients",
    reference="Chattopadhay, Sarkar, Howlader & Balasubramanian, WACV 2018, arXiv 1710.11063",
    params=_COMMON,
)
HIRESCAM = replace(
    CAM,
    name="hirescam",
    summary="gradient times activation of a layer, summed over channels",
    reference="Draelos & Carin 2020, arXiv 2011.08891",
)
LAYERCAM = replace(
    CAM,
    name="layercam",
    summary="positive gradient times activation of a layer, summed over channels",
    reference="Jiang, Zhang, Hou, Cheng & Wei, IEEE TIP 30, 2021, doi 10.1109/TIP.2021.3089943",
    params=_COMMON,
)
SCORECAM = replace(
    CAM,
    name="scorecam",
    summary="channels of a layer, weighted by the class logit of what they let through",
    reference="Wang et al., CVPR workshop 2020, arXiv 1910.01279",
    params=(
        *_COMMON,
        Param("channels", 64, "passes a clip: the channels that vary most; 0: all", minimum=0),
        Param("baseline", "silence", "what a mask shows instead", ("silence", "mean")),
        Param(
            "weighting",
            "softmax",
            "of a channel: softmax of the rise of the logit, or the rise of the probability",
            ("softmax", "probability"),
        ),
    ),
    needs=frozenset({"model"}),
)


def cam(layer: str, frequency: str, rectify: bool, weights: str) -> Maps:
    """Build ``cam``; torch is imported here."""
    from sedbench_plugins.cam.head import Head, is_cam
    from sedbench_plugins.cam.method import Maps

    return Maps(Head(), layer, frequency, rectify, weights == "random", is_cam)


def gradcam(layer: str, frequency: str, rectify: bool, weights: str) -> Maps:
    """Build ``gradcam``; torch is imported here."""
    from sedbench_plugins.cam.head import is_cam
    from sedbench_plugins.cam.method import Maps
    from sedbench_plugins.cam.slopes import Slopes, mean_gradient

    return Maps(Slopes(mean_gradient), layer, frequency, rectify, weights == "random", is_cam)


def gradcam_plus(layer: str, frequency: str, rectify: bool, weights: str) -> Maps:
    """Build ``gradcam++``; torch is imported here."""
    from sedbench_plugins.cam.method import Maps
    from sedbench_plugins.cam.slopes import Slopes, weighted_gradient

    return Maps(Slopes(weighted_gradient), layer, frequency, rectify, weights == "random")


def hirescam(layer: str, frequency: str, rectify: bool, weights: str) -> Maps:
    """Build ``hirescam``; torch is imported here."""
    from sedbench_plugins.cam.head import is_cam
    from sedbench_plugins.cam.method import Maps
    from sedbench_plugins.cam.slopes import Slopes, cell_by_cell

    return Maps(Slopes(cell_by_cell), layer, frequency, rectify, weights == "random", is_cam)


def layercam(layer: str, frequency: str, rectify: bool, weights: str) -> Maps:
    """Build ``layercam``; torch is imported here."""
    from sedbench_plugins.cam.method import Maps
    from sedbench_plugins.cam.slopes import Slopes, positive_cells

    return Maps(Slopes(positive_cells), layer, frequency, rectify, weights == "random")


def scorecam(  # noqa: PLR0917 - the parameters, given by name
    layer: str,
    frequency: str,
    rectify: bool,
    weights: str,
    channels: int,
    baseline: str,
    weighting: str,
) -> Maps:
    """Build ``scorecam``; torch is imported here."""
    from sedbench_plugins.cam.masks import Masks
    from sedbench_plugins.cam.method import Maps

    rule = Masks(channels, baseline, weighting)
    return Maps(rule, layer, frequency, rectify, weights == "random")


@hookimpl
def sedbench_register_methods(register: Register) -> None:
    """Register the family."""
    register(CAM, cam)
    register(GRADCAM, gradcam)
    register(GRADCAM_PLUS, gradcam_plus)
    register(HIRESCAM, hirescam)
    register(LAYERCAM, layercam)
    register(SCORECAM, scorecam)
