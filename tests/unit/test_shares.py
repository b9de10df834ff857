"""Scores of cards taken apart: the same values, and intervals that are the crossed bootstrap's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sedbench.models.about import CHOSEN, UNSTATED, About, about
from sedbench.models.scoring import clip_scores, frame_iou
from sedbench.models.shares import Share, clip_shares, frame_share, intervals
from sedbench.stats import Resampling
from sedbench.types import MethodInfo, ModelInfo, SoundbankInfo


def drawn(seed: int, clips: int = 12, classes: int = 3) -> tuple[Any, Any, Any, Any]:
    """Probabilities and labels of clips, and of their frames."""
    rng = np.random.default_rng(seed)
    truth = rng.random((clips, classes, 5)) < 0.2
    truth[:, 0] &= seed % 3 > 0  # a class may be absent altogether
    frames = rng.random(truth.shape)
    return frames.max(-1) - 0.3, truth.any(-1), frames, truth


def sources(labels: NDArray[np.bool_], groups: int = 4) -> list[list[tuple[str, ...]]]:
    """Two groups, one, or none in each cell: none where the class is absent."""
    return [
        [
            tuple({f"g{(i + k) % groups}", f"g{(i * k) % groups}"}) if there else ()
            for k, there in enumerate(row)
        ]
        for i, row in enumerate(labels)
    ]


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_parts_make_the_scores(seed: int) -> None:
    clips, labels, frames, truth = drawn(seed)
    found = {name: share.value for name, share in clip_shares(clips, labels).items()}
    assert found == pytest.approx(clip_scores(clips, labels))
    assert frame_share(frames, truth).value == pytest.approx(frame_iou(frames, truth))


def test_nothing_said_and_nothing_there() -> None:
    none = np.zeros((2, 2))
    assert [share.value for share in clip_shares(none, none > 0).values()] == [0, 0, 0, 0]
    assert frame_share(none[..., None], none[..., None] > 0).value == 0


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_replicates_are_those_of_the_crossed_bootstrap(seed: int) -> None:
    clips, labels, frames, truth = drawn(seed)
    shares = clip_shares(clips, labels) | {"frame_iou": frame_share(frames, truth)}
    heard = sources(labels)
    got = intervals(shares, heard, resamples=40)
    cells = np.zeros(labels.shape, bool)
    for share in shares.values():
        cells |= (share.over != 0) | (share.under != 0)
    at = np.argwhere(cells)
    weights = Resampling(at[:, 0], [heard[i][k] for i, k in at], len(labels)).weights(0, 40)
    slow: dict[str, list[float]] = {name: [] for name in shares}
    for row in weights:
        weight = np.zeros(labels.shape)
        weight[cells] = row
        for name, share in shares.items():
            over, under = (weight * share.over).sum(0), (weight * share.under).sum(0)
            if share.by_class:
                ever = share.under.sum(0) > 0
                of = [a / b if b else 0.0 for a, b, e in zip(over, under, ever, strict=True)
                      if b or not e]  # fmt: skip
                slow[name].append(float(np.mean(of)))
            elif under.sum():
                slow[name].append(over.sum() / under.sum())
    for name, values in slow.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert got["intervals"][name] == pytest.approx([low, high]), name
    groups = {name for row in heard for cell in row for name in cell}
    assert got["resampled"] == {
        **{"clips": 12, "groups": len(groups), "resamples": 40, "level": 0.95}
    }


def test_without_groups_the_interval_is_that_of_clips() -> None:
    rng = np.random.default_rng(0)
    hits = (rng.random((400, 1)) < 0.8).astype(float)
    share = Share(hits, np.ones((400, 1)))
    low, high = intervals({"recall": share}, [[()]] * 400, resamples=4000)["intervals"]["recall"]
    wide = 1.96 * np.sqrt(share.value * (1 - share.value) / 400)
    assert low == pytest.approx(share.value - wide, abs=0.15 * wide)
    assert high == pytest.approx(share.value + wide, abs=0.15 * wide)


def test_few_sources_make_an_interval_wider() -> None:
    hits = np.array([[float(i % 4 > 0)] for i in range(200)])  # one group in four is missed
    share = {"recall": Share(hits, np.ones((200, 1)))}
    ends = [
        intervals(share, [[(f"g{i % many}",)] for i in range(200)], resamples=500)
        for many in (4, 100)
    ]
    few, many = (high - low for low, high in (each["intervals"]["recall"] for each in ends))
    assert few > 2 * many


def test_a_perfect_score_is_certain_and_an_undefined_one_has_no_interval() -> None:
    labels = np.array([[True, False], [False, True]])
    got = intervals(clip_shares(labels * 1.0, labels), sources(labels), resamples=200)["intervals"]
    assert got == {key: [1.0, 1.0] for key in ("micro_f1", "macro_f1", "precision", "recall")}
    got = intervals(clip_shares(labels * 0.0, labels), sources(labels), resamples=200)["intervals"]
    assert "precision" not in got and got["recall"] == [0.0, 0.0]


class Task:
    """As much of a task as cards tell."""

    licence = "CC0"


def test_cards_say_what_plugins_say() -> None:
    bank = SoundbankInfo("bank", "eleven kettles", licence="MIT")
    model = ModelInfo("net", "", licence="BSD", limits=("One room.",))
    task: Any = Task()
    assert about(task, bank, model) == About(
        "eleven kettles",
        {"weights": "BSD", "task": "CC0", "sounds": "MIT"},
        ("One room.", CHOSEN),
    )
    pupil = MethodInfo("pupil", "", learns=True, limits=("Of one classifier.",))
    told = about(task, SoundbankInfo("x", ""), model, pupil).facts()
    assert told["licence"] == {
        **{"weights": UNSTATED, "classifier": "BSD", "task": "CC0", "sounds": UNSTATED}
    }
    assert told["limits"] == ["Of one classifier.", CHOSEN]
    assert About().facts() == {}
