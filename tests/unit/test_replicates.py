"""Replicates of figures: of the records' own, in pairs, and within strata."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sedbench.protocol import Scored, evaluate, quantise
from sedbench.protocol.records import Row, needed
from sedbench.protocol.replicates import measure
from sedbench.protocol.sums import UNTUNED, Sums, added
from sedbench.stats import percentile_interval
from sedbench.types import FrameGrid, PairTable

CLASSES = ("bell", "cat", "dog")
FRAMES = 40
IOU = Row("iou", "chosen", "localisation", "pairs", "all", "extent", "none")
AUC = replace(IOU, metric="auc", policy=None)


def make_table(clips: int, seed: int) -> PairTable:
    """Two classes a clip, each one event; two groups a class."""
    rng = np.random.default_rng(seed)
    label = np.concatenate([np.sort(rng.choice(3, 2, replace=False)) for _ in range(clips)])
    onset, length = rng.integers(0, 20, 2 * clips), rng.integers(4, 20, 2 * clips)
    time = np.arange(FRAMES)
    truth = (time >= onset[:, None]) & (time < (onset + length)[:, None])
    return PairTable(
        clip_ids=tuple(f"test-{i:04d}" for i in range(clips)),
        classes=CLASSES,
        clip=np.repeat(np.arange(clips), 2),
        label=label,
        groups=tuple((f"{CLASSES[k]}{rng.integers(2)}",) for k in label),
        truths={"extent": truth},
        others={"extent": truth.reshape(clips, 2, FRAMES)[:, ::-1].reshape(-1, FRAMES)},
        grid=FrameGrid(FRAMES / 10),
    )


def noisy(table: PairTable, seed: int, strength: float) -> Scored:
    rng = np.random.default_rng(seed)
    scores = np.exp(rng.normal(size=(len(table), FRAMES)) + strength * table.truths["extent"])
    detected = np.full((len(table.clip_ids), 3), 0.1)
    detected[table.clip, table.label] = 0.9
    detected[0, table.label[0]] = 0.2  # a miss
    absent = np.setdiff1d(np.arange(3), table.label[2:4])[0]
    detected[1, absent] = 0.8  # and a false alarm
    return Scored(table, quantise(scores), np.ones(len(table), bool), detected)


VALIDATION, TEST = make_table(16, 1), make_table(20, 2)


def answered(seed: int, strength: float = 2.0) -> tuple[Scored, Scored]:
    return noisy(VALIDATION, seed, strength), noisy(TEST, seed + 100, strength)


def test_figures_and_intervals_are_those_of_the_records() -> None:
    validation, test = answered(1)
    records = evaluate(validation, test, fixed_percentile=56, resamples=150).records
    measured = measure(validation, test, fixed_percentile=56)
    value = measured.within()[0]
    low, high = percentile_interval(measured.replicates(150)[0])
    assert len(records) == len(value) > 100
    for i, record in enumerate(records):
        if record["value"] is not None:
            assert record["value"] == value[i]
            assert record["ci_low"] in (None, low[i]) and record["ci_high"] in (None, high[i])


@pytest.mark.parametrize("row", [IOU, AUC, replace(IOU, policy="oracle", smoothing="chosen")])
def test_one_figure_alone_is_the_same_figure(row: Row) -> None:
    measured = measure(*answered(1))
    place = measured.todo.rows.index(row)
    alone = measured.only([row])
    assert len(needed(alone.todo)) == 1 < len(needed(measured.todo))
    assert alone.within()[0, 0] == measured.within()[0, place]
    assert np.array_equal(alone.replicates(80)[0, 0], measured.replicates(80)[0, place])


def test_without_filters_what_is_not_smoothed_stays_the_same() -> None:
    validation, test = answered(1)
    full = measure(validation, test).only([IOU])
    quick = measure(validation, test, smoothings=("none",)).only([IOU])
    points = [len(next(iter(each.selectors.values())).points.value) for each in (full, quick)]
    assert points == [2079, 297]
    assert np.array_equal(full.replicates(200), quick.replicates(200))


def test_replicates_of_two_methods_are_of_the_same_draws() -> None:
    # A method a little stronger on the same noise: easy draws are easy for both.
    pair = [measure(*answered(1, s)).only([IOU]).replicates(300)[0, 0] for s in (1.5, 1.8)]
    other = measure(*answered(1, 1.8), seed=1).only([IOU]).replicates(300)[0, 0]
    assert np.corrcoef(pair)[0, 1] > 0.5
    assert abs(np.corrcoef(pair[0], other)[0, 1]) < 0.25
    assert (pair[1] - pair[0]).std() < 0.8 * np.hypot(pair[0].std(), pair[1].std())


@pytest.mark.parametrize("masked", [False, True])
def test_sums_by_class_are_those_of_a_plain_loop(masked: bool) -> None:
    validation, test = answered(1)
    if masked:
        test = replace(test, mask=TEST.truths["extent"])
    # Few clips, so that classes are of different sizes and one has no row.
    bells = np.unique(TEST.clip[TEST.label == 0])
    test = test.subset(~np.isin(np.arange(len(TEST.clip_ids)), bells[2:]))
    wider = replace(test.table, classes=(*CLASSES, "fan"))
    test = replace(test, table=wider, detected=np.pad(test.detected, ((0, 0), (0, 1))))
    measured = measure(validation, test, fixed_percentile=56)
    pairs, points = measured.whole, measured.selectors[0].points
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 4, (50, len(pairs.label))).astype(float)
    at = {
        ("chosen", smoothing): rng.choice(rng.integers(0, len(points.value), 7), 50)
        for smoothing in ("none", "chosen")
    }
    wanted = [*at, (UNTUNED, "chosen")]
    total: dict[tuple[str, str], np.ndarray] = {}
    Sums(pairs, 56.0).add(total, at, weights, wanted)
    assert list(total) == wanted
    for choice, found in total.items():
        assert found.shape[:2] == (4, 50)
        for replicate in range(50):
            point = at["chosen", "chosen" if choice[0] == UNTUNED else choice[1]][replicate]
            if choice[0] == UNTUNED:
                number = int(points.smoothing[point])
                parts = [pairs.threshold_free(number), pairs.at_oracle(number)]
                parts.append(pairs.at_percentile(56.0, number))
            else:
                one = pairs.at_points(np.array([point])).items()
                parts = [{key: (top[0], bottom[0]) for key, (top, bottom) in one}]
            ratios = [ratio for part in parts for ratio in part.values()]
            columns = np.stack([*(top for top, _ in ratios), *(bottom for _, bottom in ratios)])
            for label in range(4):
                rows = pairs.label == label
                expected = columns[:, rows] @ weights[replicate, rows]
                assert np.array_equal(found[label, replicate], expected)
    twice = added([total, total])
    assert all(np.array_equal(twice[choice], 2 * sums) for choice, sums in total.items())
    Sums(pairs, 56.0).add(total, at, weights, wanted)
    assert all(np.array_equal(twice[choice], sums) for choice, sums in total.items())


def test_a_replicate_is_the_mean_under_its_weights_at_the_threshold_it_chose() -> None:
    validation, test = answered(1)
    measured = measure(validation, test, smoothings=("none",)).only([IOU])
    selector = measured.selectors[0]
    points = selector.points
    at = selector.select(0, 5)["chosen", "none"]
    weights = measured.resampling.weights(0, 5)
    found = measured.replicates(5)[0, 0]
    scores, truth = test.scores.astype(float), TEST.truths["extent"]
    kept = test.detected[TEST.clip, TEST.label] > 0.5
    for replicate in range(5):
        value = points.value[at[replicate]]
        level = {
            0: np.percentile(scores, value, axis=1, method="lower"),
            1: value * scores.max(1),
            2: np.full(len(scores), value),
        }[int(points.policy[at[replicate]])]
        mask = scores > level[:, None]
        overlap = (mask & truth).sum(1) / (mask | truth).sum(1)
        weight = weights[replicate, : len(scores)] * kept
        assert found[replicate] == pytest.approx((weight * overlap).sum() / weight.sum())


def test_strata_are_means_over_their_own_pairs_and_add_up() -> None:
    measured = measure(*answered(1)).only([IOU, AUC])
    parts = [TEST.label == k for k in range(3)]
    found = measured.within(parts)
    sizes = [measured.todo.support(IOU, part)[0] for part in parts]
    assert sum(sizes) == measured.todo.support(IOU)[0] == len(TEST) - 1
    assert np.average(found[1:], axis=0, weights=sizes) == pytest.approx(found[0])
    records = evaluate(*answered(1), resamples=60).records
    replicates = measured.replicates(60, parts)
    for k, name in enumerate(CLASSES):
        [record] = [r for r in records if (r["metric"], r["stratum"]) == ("iou", f"class:{name}")]
        low, high = percentile_interval(replicates[1 + k, :1])
        assert record["value"] == pytest.approx(found[1 + k, 0])
        assert (record["ci_low"], record["ci_high"]) == pytest.approx((low[0], high[0]))
        counted = (record["n_pairs"], record["n_clips"], record["n_groups"])
        assert measured.todo.support(IOU, parts[k]) == counted


def test_a_stratum_without_a_pair_is_undefined() -> None:
    measured = measure(*answered(1)).only([IOU])
    nothing = np.zeros(len(TEST), bool)
    assert np.isnan(measured.within([nothing])[1, 0])
    assert np.isnan(measured.replicates(10, [nothing])[1]).all()
    assert measured.todo.support(IOU, nothing) == (0, 0, 0)
