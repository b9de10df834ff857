"""Metrics that stand alone: functions on event lists, score tables, scores of pairs, or a model.

No board shows them and no result holds them, so ``METRICS_VERSION`` does not cover them: they are
for judging a detector, or an attribution, by itself (``sedbench evaluate``, ``sedbench compare
--metric rma``, or the functions of :mod:`sedbench.metrics`). Those over the *model* ask the
explained classifier again (``sedbench faithfulness``, ``sedbench randomisation``); the functions
behind them read figures off its answers.
"""

from __future__ import annotations

from typing import Any

from sedbench.types import MetricInfo

_MESAROS = "Mesaros et al., Applied Sciences 6(6), 2016"
_BILEN = "Bilen et al., ICASSP 2020"
_EBBERS = f"{_BILEN}; exact as in Ebbers et al., ICASSP 2022"
_ARRAS = "Arras et al., Information Fusion 81, 2022"
_PETSIUK = "Petsiuk et al., BMVC 2018"
_DEYOUNG = "DeYoung et al., ACL 2020"
_ERROR: dict[str, Any] = {"higher_is_better": False, "high": float("inf")}

STANDALONE_METRICS: tuple[MetricInfo, ...] = (
    MetricInfo(
        name="segment_f1",
        summary="F1 of active segments of 1 s, micro and macro",
        reference=_MESAROS,
        over="corpus",
    ),
    MetricInfo(
        name="segment_er",
        summary="error rate of segments of 1 s: substitutions, deletions and insertions over truth",
        reference=_MESAROS,
        over="corpus",
        **_ERROR,
    ),
    MetricInfo(
        name="segment_f1_100ms",
        summary="F1 of active segments of 100 ms, micro and macro",
        reference=_MESAROS,
        over="corpus",
    ),
    MetricInfo(
        name="segment_er_100ms",
        summary="error rate of segments of 100 ms",
        reference=_MESAROS,
        over="corpus",
        **_ERROR,
    ),
    MetricInfo(
        name="event_f1",
        summary="F1 of events whose onset is within 200 ms and offset within 200 ms or 20 %",
        reference=_MESAROS,
        over="corpus",
    ),
    MetricInfo(
        name="intersection_f1",
        summary="F1 of events of which 70 % are found by detections that are 70 % right",
        reference=_BILEN,
        over="corpus",
    ),
    MetricInfo(
        name="psds1",
        summary="area under the PSD-ROC of all thresholds, DCASE scenario 1: exact timing",
        reference=_EBBERS,
        over="corpus",
    ),
    MetricInfo(
        name="psds2",
        summary="area under the PSD-ROC of all thresholds, DCASE scenario 2: no confusion",
        reference=_EBBERS,
        over="corpus",
    ),
    MetricInfo(
        name="onset_error",
        summary="mean absolute difference of the onsets of events that overlap one to one",
        reference=_MESAROS,
        over="corpus",
        unit="s",
        **_ERROR,
    ),
    MetricInfo(
        name="offset_error",
        summary="mean absolute difference of the offsets of events that overlap one to one",
        reference=_MESAROS,
        over="corpus",
        unit="s",
        **_ERROR,
    ),
    MetricInfo(
        name="rma",
        summary="relevance mass accuracy: share of the positive score inside the event",
        reference=_ARRAS,
        over="scores",
    ),
    MetricInfo(
        name="rra",
        summary="relevance rank accuracy: active share of the K highest frames, K being active",
        reference=_ARRAS,
        over="scores",
    ),
    MetricInfo(
        name="insertion",
        summary="area under the clip probability against the share of top frames that is shown",
        reference=_PETSIUK,
        over="model",
    ),
    MetricInfo(
        name="deletion",
        summary="area under the clip probability against the share of top frames that is masked",
        reference=_PETSIUK,
        over="model",
        higher_is_better=False,
    ),
    MetricInfo(
        name="comprehensiveness",
        summary="clip probability lost without the top frames, mean over shares of them",
        reference=_DEYOUNG,
        over="model",
        low=-1.0,
    ),
    MetricInfo(
        name="sufficiency",
        summary="clip probability lost with the top frames alone, mean over shares of them",
        reference=_DEYOUNG,
        over="model",
        low=-1.0,
        higher_is_better=False,
    ),
    MetricInfo(
        name="randomisation",
        summary="rank correlation of frame scores with those of a classifier with random layers",
        reference="Adebayo et al., NeurIPS 2018",
        over="model",
        low=-1.0,
        higher_is_better=False,
    ),
)
