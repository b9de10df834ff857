"""What a report says of results: decisions, who is told apart, which clips, figures in a page."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedbench.contenders import Contender
from sedbench.protocol import Scored, evaluate, quantise
from sedbench.protocol.decisions import Decisions, decide
from sedbench.protocol.replicates import measure
from sedbench.ranks import ranks, told_apart
from sedbench.report.clip_drawing import intervals, spoken
from sedbench.report.drawings import Drawing, wrapped
from sedbench.report.extremes import extremes
from sedbench.report.gathered import Gathered
from sedbench.report.inline import inline, lighter, rules
from sedbench.report.placings import bars, placings
from sedbench.report.provenance import facts
from sedbench.report.sounds import BANDS, RANGE_DB, Sound, data_uri, envelope, log_mel
from sedbench.results import Result
from sedbench.types import FrameGrid, PairTable

FRAMES, CLIPS = 30, 12


def scored(seed: int, *, folds: bool = False, mask: bool = False) -> Scored:
    rng = np.random.default_rng(seed)
    onset, length = rng.integers(0, 15, CLIPS), rng.integers(4, 14, CLIPS)
    time = np.arange(FRAMES)
    truth = (time >= onset[:, None]) & (time < (onset + length)[:, None])
    table = PairTable(
        clip_ids=tuple(f"test-{i:04d}" for i in range(CLIPS)),
        classes=("bell", "cat"),
        clip=np.arange(CLIPS),
        label=np.arange(CLIPS) % 2,
        groups=tuple((f"g{i % 5}",) for i in range(CLIPS)),
        truths={"extent": truth},
        others={"extent": np.zeros_like(truth)},
        grid=FrameGrid(FRAMES / 10),
    )
    scores = quantise(np.exp(rng.normal(size=truth.shape) + 2 * truth))
    detected = np.full((CLIPS, 2), 0.9)
    detected[1] = 0.1  # missed
    answered = np.ones(CLIPS, bool)
    answered[2] = False
    own = (scores > 2) if mask else None
    return Scored(table, scores, answered, detected, own, None, np.arange(CLIPS) % 2 if folds
                  else None)  # fmt: skip


@pytest.mark.parametrize("folds", [False, True])
@pytest.mark.parametrize("mask", [False, True])
def test_the_mean_of_the_decisions_is_the_headline(folds: bool, mask: bool) -> None:
    validation, test = (scored(seed, folds=folds, mask=mask) for seed in (1, 2))
    decisions = decide(measure(validation, test), "extent")
    wanted = {"metric": "iou", "policy": "chosen", "view": "localisation", "average": "pairs"}
    wanted |= {"stratum": "all", "truth": "extent", "smoothing": "none"}
    records = evaluate(validation, test, resamples=0).records
    [record] = [r for r in records if r.items() >= wanted.items()]
    assert np.nanmean(decisions.overlap) == pytest.approx(record["value"], abs=1e-9)
    # Not detected, and not answered: in no mean.
    assert np.flatnonzero(np.isnan(decisions.overlap)).tolist() == [1, 2]
    assert not decisions.mask[2].any() and np.isnan(decisions.level).all() == mask
    if not mask:
        above = test.scores > decisions.level[:, None]
        assert np.array_equal(above[test.scored], decisions.mask[test.scored])


def test_who_is_told_apart_agrees_with_the_ranks() -> None:
    rng = np.random.default_rng(0)
    values = np.array([0.9, 0.5, 0.49, 0.5, np.nan])
    scatter = values[:, None] + rng.normal(0, 0.02, (5, 999))
    apart = told_apart(values, scatter, ["a", "b", "c", "b", "d"])
    assert np.array_equal(apart, apart.T) and not apart.diagonal().any()
    assert apart[0].tolist() == [False, True, True, True, False]
    assert not apart[1:4, 1:4].any() and not apart[4].any()
    assert ranks(values, scatter, ["a", "b", "c", "b", "d"]) == [1, 2, 2, 2, None]


@given(st.integers(1, 8), st.randoms(use_true_random=False))
def test_bars_cover_exactly_the_runs_without_a_difference(n: int, random: Any) -> None:
    apart = np.zeros((n, n), bool)
    for i in range(n):
        for j in range(i):
            apart[i, j] = apart[j, i] = random.random() < 0.4
    found = bars(apart)
    runs = {
        (i, j) for i in range(n) for j in range(i + 1, n) if not apart[i : j + 1, i : j + 1].any()
    }
    longest = {(i, j) for i, j in runs if not any(a <= i and j <= b for a, b in runs - {(i, j)})}
    assert set(found) == longest and len(found) == len(longest)


def test_identical_methods_share_a_place_and_count_once() -> None:
    drawn = np.array([[0.9, 0.9, 0.2], [0.5, 0.5, 0.5], [0.9, 0.9, 0.2], [0.1, 0.1, 0.1]])
    found = placings([3, 1, 0, 2], drawn, [0, 1, 0, 3], np.zeros((4, 4), bool))
    assert found.mean.tolist() == pytest.approx([4 / 3, 5 / 3, 4 / 3, 3.0])
    assert (found.distinct, found.bars, found.rows) == (3, ((0, 3),), (3, 1, 0, 2))
    empty = drawn.copy()
    empty[0, 0] = np.nan  # nothing was drawn: nothing to rank
    assert placings(range(4), empty, [0, 1, 0, 3], np.ones((4, 4), bool)).mean[3] == 3.0


def gathered(overlaps: Any, kinds: tuple[str, ...], clips: Any = None) -> Gathered:
    """As much of one as choosing clips needs."""
    answer = scored(1)
    table = answer.table
    if clips is not None:
        table = replace(table, clip=np.asarray(clips))
        answer = replace(answer, table=table)
    found = object.__new__(Gathered)
    told = [
        Contender(Result("t", "m", "a", f"a{i}", {}, 0, kind=kind), answer, answer)
        for i, kind in enumerate(kinds)
    ]
    empty = np.zeros((len(table), FRAMES), bool)

    class Ranked:
        rank = 1

    class Task:
        threshold = 0.5

    values = {
        "contenders": tuple(told),
        "names": tuple(f"a{i}" for i in range(len(kinds))),
        "standings": (Ranked(),) * len(kinds),
        "decisions": tuple(
            Decisions(empty, np.zeros(len(table)), np.asarray(row, float)) for row in overlaps
        ),
        "task": Task(),
    }
    for name, value in values.items():
        object.__setattr__(found, name, value)
    return found


def test_worst_and_best_clips() -> None:
    one = np.linspace(0.0, 0.99, CLIPS)
    one[3] = np.nan  # not scored
    found = gathered([one, 1 - one], ("attribution", "baseline"))
    shown = extremes(found, 2)
    assert [(s.slug, s.id) for s in shown] == [
        ("worst-1", "test-0000"), ("worst-2", "test-0001"),
        ("best-1", "test-0011"), ("best-2", "test-0010"),
    ]  # fmt: skip
    assert shown[1].missed == ("cat",) and shown[0].false_alarms == ("cat",)
    assert shown[0].title == "Worst 1: test-0000" and shown[2].score == 0.99
    # Every clip once, however many are asked for; equal ones by their names.
    every = extremes(gathered([np.full(CLIPS, 0.5)], ("baseline",)), 99)
    assert [s.id for s in every if not s.best] == [f"test-{i:04d}" for i in range(0, 12, 2)]
    assert len({s.id for s in every}) == CLIPS
    assert extremes(found, 0) == []


def test_a_clips_score_is_the_mean_over_its_pairs() -> None:
    overlaps = np.full(CLIPS, 0.5)
    overlaps[:2] = 0.1, 0.7
    clips = np.arange(CLIPS)
    clips[1] = 0
    shown = extremes(gathered([overlaps], ("detector",), clips), 1)
    assert (shown[0].id, shown[0].pairs) == ("test-0000", (0, 1))
    assert shown[0].score == pytest.approx(0.4)


def test_intervals_of_frames() -> None:
    edges = np.arange(6) / 10
    assert intervals(np.array([1, 1, 0, 0, 1], bool), edges) == [(0.0, 0.2), (0.4, 0.5)]
    assert intervals(np.zeros(5, bool), edges) == []
    assert spoken([(0.0, 0.25), (1.0, 2.0)]) == "0.0–0.2, 1.0–2.0 s" and spoken([]) == "never"


@given(st.text("abc=[],-", min_size=1, max_size=60))
def test_a_wrapped_name_loses_nothing_but_what_it_says(name: str) -> None:
    assert wrapped(name, 10, 99).replace("\n", "") == name
    short = wrapped(name, 10, 2).split("\n")
    assert len(short) <= 2 and (short == wrapped(name, 10, 99).split("\n") or short[-1][-1] == "…")


def drawing(name: str, colour: str = "#0072b2") -> Drawing:
    def paint(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0.123456, 1], "o-", color=colour, label="a & b")
        axes.imshow(np.eye(2), extent=(0, 1, 0, 1))
        axes.legend()

    return Drawing(name, 60, 40, paint, 'an "alt" & <text>')


def test_a_figure_takes_its_colours_from_the_page() -> None:
    text = inline(drawing("one"), {"x": "#d55e00", "y": "#0072B2"})
    assert text.startswith("<svg viewBox=") and text.rstrip().endswith("</svg>")
    assert 'aria-label="an &quot;alt&quot; &amp; &lt;text&gt;"' in text
    assert "var(--m1)" in text and "var(--text)" in text
    assert not re.search(r'style="[^"]*#(000000|ffffff|0072b2)', text)
    assert "<style" not in text and "<metadata" not in text and "xlink" not in text
    assert "font-family" not in text and not re.search(r' d="[^"]*\.\d{3}', text)


def test_figures_of_one_page_do_not_share_ids() -> None:
    texts = [inline(drawing(name), {"x": "#0072B2"}) for name in ("one", "two")]
    ids = [re.findall(r'\sid="([^"]+)"', text) for text in texts]
    assert ids[0] and not set(ids[0]) & set(ids[1])
    for text, own in zip(texts, ids, strict=True):
        used = re.findall(r"url\(#([^)]+)\)", text) + re.findall(r'href="#([^"]+)"', text)
        assert set(used) == set(own)


def test_colours_are_lighter_on_a_dark_ground() -> None:
    assert lighter("#000000") < lighter("#808080") < lighter("#ffffff") == "#ffffff"
    text = rules(["#0072B2"])
    assert text.count("--m0:#0072B2") == 1 and text.count(f"--m0:{lighter('#0072B2')}") == 2


RATE = 16000
TONE = Sound((0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.float32), RATE, ())


def test_a_tone_is_one_band_of_the_spectrogram() -> None:
    level = log_mel(TONE)
    assert level.shape[0] == BANDS and level.max() == 0 and level.min() >= -RANGE_DB
    steady = level[:, 5:-5]
    assert len(set(steady.argmax(0).tolist())) == 1
    assert np.ptp(steady.max(0)) < 1
    assert np.isfinite(log_mel(replace(TONE, waveform=np.zeros(RATE, np.float32)))).all()


def test_the_envelope_is_that_of_the_peak() -> None:
    low, high = envelope(TONE, 50)
    assert low.shape == (50,) and np.allclose(high, 1, atol=0.01) and np.allclose(low, -high)
    assert not envelope(replace(TONE, waveform=np.zeros(RATE, np.float32))).any()


def test_a_rate_that_mp3_does_not_have_is_flac() -> None:
    assert data_uri(TONE).startswith("data:audio/mpeg;base64,")
    assert data_uri(TONE) == data_uri(TONE)
    assert data_uri(replace(TONE, sample_rate=10000)).startswith("data:audio/flac;base64,")


def test_provenance_is_said_in_full() -> None:
    result = Result("t", "m", "a", "a[x=1]", {"x": 1}, 3, provenance={
        "commit": {"commit": "abc", "dirty": False}, "environment": {"packages": {"numpy": "2"}},
        "started": "2026-01-01T00:00:00+00:00",
    }, thresholds={"none": {"percentile": 60.0}})  # fmt: skip
    told = dict(facts(result))
    assert told["commit.commit"] == "abc" and told["commit.dirty"] == "false"
    assert told["environment.packages"] == "numpy 2" and told["params.x"] == "1"
    assert told["thresholds.none.percentile"] == "60.0" and told["seed"] == "3"
    assert told["started"].startswith("2026") and "limited" not in told
