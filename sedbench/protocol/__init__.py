"""The protocol: which pairs count, on which frames, at which thresholds, with which intervals.

``frames`` brings answers to the common grid, ``smoothing`` and ``thresholds`` turn scores into
masks, ``pairs`` says what is expected of a method, ``calibration`` chooses on validation, and
``evaluate`` puts the figures together.
"""

from sedbench.protocol.calibration import Calibration, calibrate
from sedbench.protocol.evaluate import Evaluation, evaluate
from sedbench.protocol.frames import quantise, resample, resample_mask
from sedbench.protocol.pairs import Scored

__all__ = [
    "Calibration",
    "Evaluation",
    "Scored",
    "calibrate",
    "evaluate",
    "quantise",
    "resample",
    "resample_mask",
]
