"""The protocol as a whole, on small splits whose answers can be worked out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sedbench.errors import NothingSelectedError, SedbenchError, UnknownNameError, UsageError
from sedbench.metrics import METRICS
from sedbench.protocol import Evaluation, Scored, calibrate, evaluate, quantise
from sedbench.protocol.pairs import NOT_ANSWERED, NOT_DETECTED
from sedbench.stats import Resampling
from sedbench.types import FrameGrid, PairTable

CLASSES = ("bell", "cat", "dog", "rain")
NAMING = ("metric", "policy", "view", "average", "stratum", "truth", "smoothing")
FIELDS = {*NAMING, "value", "ci_low", "ci_high", "n_pairs", "n_clips", "n_groups"}


def make_table(clips: int, seed: int, frames: int = 100) -> PairTable:
    """Two classes a clip, each one event of 5 to 50 frames; three groups a class."""
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(clips), 2)
    label = np.concatenate([np.sort(rng.choice(4, 2, replace=False)) for _ in range(clips)])
    extent = np.zeros((2 * clips, frames), bool)
    for row in extent:
        length = int(rng.integers(5, 51))
        start = int(rng.integers(0, frames - length))
        row[start : start + length] = True
    other = extent.reshape(clips, 2, frames)[:, ::-1].reshape(-1, frames)
    activity = extent & (np.arange(frames) % 10 > 0)
    return PairTable(
        clip_ids=tuple(f"test-{i:04d}" for i in range(clips)),
        classes=CLASSES,
        clip=clip,
        label=label,
        groups=tuple((f"{CLASSES[k]}{rng.integers(3)}",) for k in label),
        truths={"extent": extent, "activity": activity},
        others={"extent": other, "activity": other & (np.arange(frames) % 10 > 0)},
        grid=FrameGrid(frames / 10),
    )


def answer(table: PairTable, scores: np.ndarray, **changes: Any) -> Scored:
    """Everything detected, everything answered, no false alarm, unless changed."""
    detected = np.zeros((len(table.clip_ids), len(table.classes)))
    detected[table.clip, table.label] = 0.9
    given = {"scored": np.ones(len(table), bool), "detected": detected} | changes
    return Scored(table, quantise(scores), **given)


def noisy(table: PairTable, seed: int, strength: float = 2.0) -> Scored:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=table.truths["extent"].shape)
    return answer(table, np.exp(noise + strength * table.truths["extent"]))


def get(found: Evaluation, metric: str, **where: Any) -> dict[str, Any]:
    """The one record with these fields; headline of the localisation view by default."""
    fields = {
        "policy": "chosen" if metric in ("iou", "f1", "f1_pooled") else None,
        "view": "localisation",
        "average": "pairs",
        "stratum": "all",
        "truth": "extent",
        "smoothing": "none",
    } | where
    same = [
        record
        for record in found.records
        if record["metric"] == metric and all(record[k] == v for k, v in fields.items())
    ]
    assert len(same) == 1
    return same[0]


VALIDATION, TEST = make_table(30, 1), make_table(40, 2)


@pytest.fixture(scope="module")
def example() -> Evaluation:
    return evaluate(noisy(VALIDATION, 1), noisy(TEST, 2), fixed_percentile=56, resamples=300)


def test_records_are_unique_complete_and_json(example: Evaluation) -> None:
    assert all(set(record) == FIELDS for record in example.records)
    keys = [tuple(record[name] for name in NAMING) for record in example.records]
    assert len(set(keys)) == len(keys)
    assert {r["metric"] for r in example.records} == {info.name for info in METRICS}
    assert {r["policy"] for r in example.records} == {
        *("percentile", "relative", "absolute", "chosen", "oracle", "percentile@56", None)
    }
    json.dumps(dataclasses.asdict(dataclasses.replace(example)), allow_nan=False)
    for info in METRICS:
        for record in example.records:
            if record["metric"] == info.name and record["value"] is not None:
                assert info.low <= record["value"] <= info.high


def test_everything_is_deterministic(example: Evaluation) -> None:
    again = evaluate(noisy(VALIDATION, 1), noisy(TEST, 2), fixed_percentile=56, resamples=300)
    assert again.records == example.records and again.thresholds == example.thresholds
    other = evaluate(noisy(VALIDATION, 1), noisy(TEST, 2), resamples=300, seed=1)
    assert get(other, "iou")["value"] == get(example, "iou")["value"]
    assert get(other, "iou")["ci_low"] != get(example, "iou")["ci_low"]


def test_values_are_plain_means_at_the_chosen_threshold(example: Evaluation) -> None:
    scores, truth = noisy(TEST, 2).scores.astype(float), TEST.truths["extent"]
    told = example.thresholds["none"]
    level = np.percentile(scores, told["percentile"], axis=1, keepdims=True)
    mask = scores > level
    overlap = (mask & truth).sum(1) / (mask | truth).sum(1)
    assert get(example, "iou", policy="percentile")["value"] == pytest.approx(overlap.mean())
    by_class = [overlap[TEST.label == c].mean() for c in range(4)]
    found = get(example, "iou", policy="percentile", average="classes")["value"]
    assert found == pytest.approx(np.mean(by_class))
    pooled = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
    assert get(example, "f1_pooled", policy="percentile")["value"] == pytest.approx(pooled)
    best = get(example, "iou", policy=told["chosen"])
    assert get(example, "iou")["value"] == best["value"]
    dog = get(example, "iou", stratum="class:dog")
    assert dog["n_pairs"] == (TEST.label == 2).sum() and dog["n_groups"] == 3


def test_the_threshold_is_the_best_on_validation(example: Evaluation) -> None:
    scores, truth = noisy(VALIDATION, 1).scores.astype(float), VALIDATION.truths["extent"]
    means = []
    for percentile in range(1, 100):
        mask = scores > np.percentile(scores, percentile, axis=1, keepdims=True)
        means.append(((mask & truth).sum(1) / (mask | truth).sum(1)).mean())
    assert example.thresholds["none"]["percentile"] == 1 + int(np.argmax(means))


def test_policies_lie_under_the_oracle_inside_their_intervals(example: Evaluation) -> None:
    top = get(example, "iou", policy="oracle")["value"]
    for policy in ("percentile", "relative", "absolute", "percentile@56"):
        record = get(example, "iou", policy=policy)
        assert record["ci_low"] < record["value"] < record["ci_high"]
        assert record["value"] < top


def test_smoothing_helps_a_noisy_score(example: Evaluation) -> None:
    assert "none" not in example.thresholds["chosen"]["smoothing"].values()
    for metric in ("iou", "auc", "ap"):
        rough, smooth = get(example, metric), get(example, metric, smoothing="chosen")
        assert smooth["value"] > rough["value"]


def test_truth_as_a_mask_scores_one() -> None:
    truth = TEST.truths["extent"]
    found = evaluate({}, answer(TEST, truth * 1.0, mask=truth), resamples=50)
    for policy in ("percentile", "relative", "absolute", "chosen", "oracle"):
        for smoothing in ("none", "chosen"):
            record = get(found, "iou", policy=policy, smoothing=smoothing)
            assert (record["value"], record["ci_low"], record["ci_high"]) == (1, 1, 1)
    assert found.thresholds == {}
    assert get(found, "iou", truth="activity")["value"] < 1


def test_always_on_scores_the_active_share() -> None:
    on = np.ones(TEST.truths["extent"].shape, bool)
    found = evaluate({}, answer(TEST, on * 1.0, mask=on), resamples=50)
    share = TEST.truths["extent"].mean()
    assert get(found, "iou")["value"] == pytest.approx(share)
    assert get(found, "iou", policy="oracle", smoothing="chosen")["value"] == pytest.approx(share)
    assert get(found, "pg")["value"] == pytest.approx(share)
    assert get(found, "auc")["value"] == 0.5


def test_random_scores_drift_to_always_on_and_rank_by_chance() -> None:
    rng = np.random.default_rng(5)
    shape = (len(VALIDATION), 100), (len(TEST), 100)
    found = evaluate(
        answer(VALIDATION, rng.random(shape[0])),
        answer(TEST, rng.random(shape[1])),
        fixed_percentile=56,
        resamples=300,
    )
    assert found.thresholds["none"]["percentile"] <= 10
    auc = get(found, "auc")
    assert auc["ci_low"] <= 0.5 <= auc["ci_high"]
    fixed = get(found, "iou", policy="percentile@56")["value"]
    assert fixed < get(found, "iou", policy="percentile")["value"]


def test_a_constant_score_is_always_off_and_points_by_chance() -> None:
    found = evaluate(
        answer(VALIDATION, np.full((len(VALIDATION), 100), 0.3)),
        answer(TEST, np.full((len(TEST), 100), 0.3)),
        resamples=20,
    )
    for policy in ("percentile", "relative", "absolute", "chosen"):
        assert get(found, "iou", policy=policy)["value"] == 0
    assert get(found, "pg")["value"] == pytest.approx(TEST.truths["extent"].mean())
    assert get(found, "pg_corrected")["value"] == pytest.approx(0, abs=1e-9)


def test_pointing_game_is_corrected_after_averaging(example: Evaluation) -> None:
    share = TEST.truths["extent"].mean()
    hit = get(example, "pg")["value"]
    expected = (hit - share) / (1 - share)
    assert get(example, "pg_corrected")["value"] == pytest.approx(expected)


def small(labels: Sequence[int], clips: Sequence[int], n_clips: int) -> PairTable:
    truth = np.tile(np.arange(10) < 5, (len(labels), 1))
    return PairTable(
        clip_ids=tuple(f"c{i}" for i in range(n_clips)),
        classes=CLASSES,
        clip=np.array(clips, np.int64),
        label=np.array(labels, np.int64),
        groups=tuple((f"g{i}",) for i in range(len(labels))),
        truths={"extent": truth},
        others={"extent": ~truth},
        grid=FrameGrid(1.0),
    )


def test_views_by_hand() -> None:
    # Pairs: bell in 0, cat in 0, dog in 1. The classifier misses the cat and hears a dog in 2.
    table = small([0, 1, 2], [0, 0, 1], 3)
    detected = np.zeros((3, 4), bool)
    detected[[0, 1, 2], [0, 2, 2]] = True
    mask = np.array([np.arange(10) < 5, np.arange(10) < 5, np.arange(10) < 10])
    found = evaluate({}, answer(table, mask * 1.0, mask=mask, detected=detected), resamples=50)
    local = get(found, "iou")
    assert local["value"] == pytest.approx((1 + 0.5) / 2)
    assert (local["n_pairs"], local["n_clips"], local["n_groups"]) == (2, 2, 2)
    whole = get(found, "iou", view="end-to-end")
    assert whole["value"] == pytest.approx((1 + 0 + 0.5 + 0) / 4)
    assert (whole["n_pairs"], whole["n_clips"]) == (4, 3)
    by_class = get(found, "iou", view="end-to-end", average="classes")["value"]
    assert by_class == pytest.approx((1 + 0 + 0.5 / 2) / 3)
    assert get(found, "f1", view="end-to-end")["value"] == pytest.approx((1 + 2 / 3) / 4)
    assert found.counts["skipped"] == {NOT_DETECTED: 1}
    assert found.counts["false_alarms"] == 1 and found.counts["missed"] == 1
    assert (found.counts["expected"], found.counts["scored"]) == (2, 2)
    assert found.complete


def test_a_detector_goes_by_its_own_decisions_end_to_end() -> None:
    table = small([0, 1], [0, 1], 2)
    detected = np.zeros((2, 4))
    detected[0, 0] = 0.9
    own = np.zeros((2, 4))
    own[1, 1] = 0.7
    own[0, 3] = 0.51
    mask = np.array([np.arange(10) < 5, np.arange(10) < 10])
    found = evaluate(
        {}, answer(table, mask * 1.0, mask=mask, detected=detected, own=own), resamples=9
    )
    local = get(found, "iou")  # the classifier's pairs, the same for every row of a board
    assert (local["n_pairs"], local["value"]) == (1, 1.0)
    assert get(found, "iou", view="end-to-end")["value"] == pytest.approx(0.5 / 3)


def test_probability_one_half_is_not_a_detection() -> None:
    table = small([0, 1], [0, 1], 2)
    detected = np.zeros((2, 4))
    detected[[0, 1], [0, 1]] = 0.5, np.nextafter(0.5, 1)
    mask = table.truths["extent"]
    found = evaluate({}, answer(table, mask * 1.0, mask=mask, detected=detected), resamples=0)
    assert found.counts["expected"] == 1
    assert get(found, "iou")["ci_low"] is None


def test_unanswered_pairs_are_counted_and_cost_end_to_end() -> None:
    table = small([0, 1], [0, 1], 2)
    scores = np.array([table.truths["extent"][0] * 1.0, np.full(10, 0.0)])
    found = evaluate(
        noisy(VALIDATION, 1), answer(table, scores, scored=np.array([True, False])), resamples=9
    )
    assert found.counts["skipped"] == {NOT_ANSWERED: 1}
    assert not found.complete
    assert get(found, "iou", policy="oracle")["value"] == 1
    assert get(found, "iou", policy="oracle", view="end-to-end")["value"] == 0.5


def test_undefined_is_none_and_counted() -> None:
    table = small([0, 1], [0, 1], 2)
    table = dataclasses.replace(table, others={"extent": np.zeros((2, 10), bool)})
    mask = table.truths["extent"]
    found = evaluate({}, answer(table, mask * 1.0, mask=mask), resamples=9)
    record = get(found, "discrimination")
    assert (record["value"], record["ci_low"], record["n_pairs"]) == (None, None, 0)
    assert found.counts["undefined"] == {"extent": {"auc": 0, "ap": 0, "discrimination": 2}}
    assert get(found, "auc")["value"] == 1


def test_no_pair_at_all() -> None:
    found = evaluate(
        {},
        answer(
            small([0], [0], 1),
            np.zeros((1, 10)),
            mask=np.ones((1, 10), bool),
            detected=np.zeros((1, 4)),
        ),
        resamples=5,
    )
    assert get(found, "iou")["value"] is None
    assert get(found, "iou", view="end-to-end")["value"] == 0
    assert found.counts["expected"] == 0 and not any(found.ranked.values())


def test_a_class_with_two_groups_is_not_ranked() -> None:
    sizes = {0: 2, 1: 3, 2: 1, 3: 50}
    names = tuple((f"{k}-{i % sizes[k]}",) for i, k in enumerate(TEST.label.tolist()))
    found = evaluate(
        noisy(VALIDATION, 1), noisy(dataclasses.replace(TEST, groups=names), 2), resamples=0
    )
    assert found.ranked == {"bell": False, "cat": True, "dog": False, "rain": True}


def test_validation_and_test_are_resampled_apart() -> None:
    ready = calibrate(noisy(TEST, 2))
    same = Resampling(ready.resampling.clip, ready.resampling.groups, ready.resampling.n_clips)
    assert same.names == ready.resampling.names
    one, two = ready.resampling.weights(0, 200).ravel(), same.weights(0, 200).ravel()
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.1


def test_given_thresholds_give_the_same_values(example: Evaluation) -> None:
    plain = json.loads(json.dumps(example.thresholds))
    again = evaluate(plain, noisy(TEST, 2), fixed_percentile=56, resamples=0)
    assert again.thresholds == example.thresholds
    for before, after in zip(example.records, again.records, strict=True):
        assert before["value"] == after["value"]


def test_a_calibration_stands_in_for_its_answer(example: Evaluation) -> None:
    ready = calibrate(noisy(VALIDATION, 1))
    again = evaluate(ready, noisy(TEST, 2), fixed_percentile=56, resamples=300)
    assert again.records == example.records


def test_the_interval_of_chosen_reflects_the_choice() -> None:
    # Validation of four clips: which percentile wins is a matter of luck.
    few, test = noisy(make_table(4, 3), 3, 0.7), noisy(TEST, 2, 0.7)
    chosen = evaluate(few, test, resamples=400)
    held = evaluate(chosen.thresholds, test, resamples=400)
    for policy in ("percentile", "chosen"):
        free, fixed = get(chosen, "iou", policy=policy), get(held, "iou", policy=policy)
        assert free["value"] == fixed["value"]
        assert free["ci_high"] - free["ci_low"] > 1.1 * (fixed["ci_high"] - fixed["ci_low"])
    # What needs no threshold does not change.
    assert get(chosen, "auc") == get(held, "auc")


def test_thresholds_are_chosen_for_the_primary_truth() -> None:
    one = evaluate(noisy(VALIDATION, 1), noisy(TEST, 2), primary="activity", resamples=0)
    assert get(one, "iou", truth="activity", stratum="class:cat")["value"] is not None
    assert not [r for r in one.records if r["stratum"] != "all" and r["truth"] == "extent"]


def test_bad_input() -> None:
    good = noisy(TEST, 2)
    with pytest.raises(UnknownNameError):
        evaluate(good, good, primary="extend")
    with pytest.raises(UsageError):
        evaluate(good, good, fixed_percentile=100)
    with pytest.raises(UsageError):
        evaluate(good, good, resamples=-1)
    with pytest.raises(SedbenchError, match="not complete"):
        evaluate({"none": {}}, good)
    with pytest.raises(SedbenchError, match="shape"):
        dataclasses.replace(good, scores=good.scores[:, :50])
    with pytest.raises(SedbenchError, match="finite"):
        dataclasses.replace(good, detected=good.detected * np.nan)
    silent = dataclasses.replace(good, detected=good.detected * 0)
    with pytest.raises(NothingSelectedError):
        evaluate(silent, good)
