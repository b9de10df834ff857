"""Tasks in folds and under conditions: rotations, thresholds apart, statistics together."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sedbench.data.index import write_index
from sedbench.errors import DataError, TaskFileError, UsageError
from sedbench.items import pack, unpack
from sedbench.lookup import check_fold
from sedbench.models import weights
from sedbench.protocol import Evaluation, Scored, calibrate, evaluate, quantise
from sedbench.runner import run
from sedbench.taskfile import load_task
from sedbench.tasks import Rotation, rotations
from sedbench.types import FrameGrid, PairTable

World = Any  # of conftest.py
CLASSES = ("bell", "cat", "dog", "rain")


def make_table(clips: int, seed: int) -> PairTable:
    """Two classes a clip, each one event of half a second to five; three groups a class."""
    rng = np.random.default_rng(seed)
    label = np.concatenate([np.sort(rng.choice(4, 2, replace=False)) for _ in range(clips)])
    truth = np.zeros((2 * clips, 100), bool)
    for row in truth:
        length = int(rng.integers(5, 51))
        start = int(rng.integers(0, 100 - length))
        row[start : start + length] = True
    other = truth.reshape(clips, 2, 100)[:, ::-1].reshape(-1, 100)
    return PairTable(
        clip_ids=tuple(f"test-{i:04d}" for i in range(clips)),
        classes=CLASSES,
        clip=np.repeat(np.arange(clips), 2),
        label=label,
        groups=tuple((f"{CLASSES[k]}{rng.integers(3)}",) for k in label),
        truths={"extent": truth},
        others={"extent": other},
        grid=FrameGrid(10.0),
    )


def answer(table: PairTable, scores: NDArray[np.floating[Any]]) -> Scored:
    """Everything detected and answered, no false alarm."""
    detected = np.zeros((len(table.clip_ids), len(table.classes)))
    detected[table.clip, table.label] = 0.9
    return Scored(table, quantise(scores), np.ones(len(table), bool), detected)


def noisy(table: PairTable, seed: int) -> Scored:
    noise = np.random.default_rng(seed).normal(size=table.truths["extent"].shape)
    return answer(table, np.exp(noise + 2.0 * table.truths["extent"]))


def get(found: Evaluation, metric: str, policy: str | None = "chosen", stratum: str = "all") -> Any:
    """One record of the localisation view, over pairs, without smoothing."""
    wanted = {
        "metric": metric,
        "policy": policy if metric == "iou" else None,
        "view": "localisation",
        "average": "pairs",
        "stratum": stratum,
        "smoothing": "none",
    }
    (one,) = [r for r in found.records if all(r[k] == v for k, v in wanted.items())]
    return one


@pytest.mark.parametrize("folds", [3, 5])
def test_every_fold_is_tested_once_and_nothing_is_learnt_from_it(folds: int) -> None:
    turns = rotations(folds)
    assert sorted(turn.fold for turn in turns if turn.fold is not None) == list(range(folds))
    for turn in turns:
        used = [turn.fold, *turn.validation, *turn.train]
        assert sorted(used) == list(range(folds))  # each once: none has two uses
        assert turn.validation == ((turn.fold + 1) % folds,)
        assert turn.blocks("test") == (("test", turn.fold),)
        assert turn.blocks("validation") == (("test", turn.validation[0]),)
        assert turn.blocks("train") == tuple(("train", k) for k in turn.train)


def test_where_nothing_is_learnt_all_other_folds_choose() -> None:
    first, *_ = rotations(3, "others")
    assert first == Rotation(0, (1, 2), ())
    assert rotations(0) == (Rotation(),)
    assert Rotation().blocks("validation") == (("validation", None),)


def in_folds(parts: list[Scored]) -> Scored:
    return Scored.joined(parts, range(len(parts)))


def named(table: PairTable, prefix: str) -> PairTable:
    return dataclasses.replace(
        table, clip_ids=tuple(f"{prefix}-{i:04d}" for i in range(len(table.clip_ids)))
    )


def test_one_fold_is_as_good_as_none() -> None:
    test, validation = noisy(make_table(12, 1), 2), noisy(make_table(10, 3), 4)
    plain = evaluate(validation, test, resamples=50)
    folded = evaluate(in_folds([validation]), in_folds([test]), resamples=50)
    assert folded.records == plain.records
    assert folded.counts == plain.counts and folded.ranked == plain.ranked
    assert folded.thresholds == {"folds": {"0": plain.thresholds}}


def test_each_rotation_has_thresholds_of_its_own() -> None:
    # Scores are the truth at two levels: 0 and 1 in one rotation, 5 and 6 in the other. One
    # absolute threshold for both is wrong for one of them; one each is right for all.
    parts: dict[str, list[Scored]] = {"test": [], "validation": []}
    for k, base in enumerate((0.0, 5.0)):
        for split, seed in (("test", 10 + k), ("validation", 20 + k)):
            table = named(make_table(6, seed), f"{split}{k}")
            parts[split].append(answer(table, base + table.truths["extent"]))
    test, validation = in_folds(parts["test"]), in_folds(parts["validation"])
    apart = evaluate(validation, test, resamples=0)
    assert get(apart, "iou", policy="absolute")["value"] == 1.0
    told = apart.thresholds["folds"]
    assert 0 <= told["0"]["none"]["absolute"] < 1 and 5 <= told["1"]["none"]["absolute"] < 6
    as_one = [dataclasses.replace(each, fold=None) for each in (validation, test)]
    together = get(evaluate(*as_one, resamples=0), "iou", policy="absolute")["value"]
    assert together is not None and together < 0.9
    again = evaluate(apart.thresholds, test, resamples=0)  # given back, as they were told
    assert again.records == apart.records


def test_the_mean_is_over_the_pairs_of_all_rotations() -> None:
    parts = [
        (noisy(named(make_table(n, n), "v"), n), noisy(named(make_table(n, 50 + n), f"t{n}"), n))
        for n in (4, 9)
    ]
    alone = [get(evaluate(v, t, resamples=0), "iou") for v, t in parts]
    both = get(
        evaluate(in_folds([v for v, _ in parts]), in_folds([t for _, t in parts]), resamples=0),
        "iou",
    )
    sums = sum(each["value"] * each["n_pairs"] for each in alone)
    assert both["n_pairs"] == sum(each["n_pairs"] for each in alone) == 26
    assert both["value"] == pytest.approx(sums / 26, abs=1e-12)


def test_folds_survive_the_items_file() -> None:
    test, validation = (
        in_folds([noisy(make_table(3, s), 1), noisy(make_table(2, s), 2)]) for s in (5, 6)
    )
    read = unpack(pack(validation, test))
    for got, kept in zip(read, (validation, test), strict=True):
        assert got.fold is not None and kept.fold is not None
        assert np.array_equal(got.fold, kept.fold)
    assert evaluate(*read, resamples=20).records == evaluate(validation, test, resamples=20).records


def under_conditions(table: PairTable, labels: list[str]) -> PairTable:
    """The same clips once a condition, clip by clip."""
    copies = [
        dataclasses.replace(table, clip_ids=tuple(f"{n}@{label}" for n in table.clip_ids))
        for label in labels
    ]
    return PairTable.joined(copies)


def test_conditions_have_figures_of_their_own() -> None:
    table = under_conditions(make_table(8, 1), ["snr=20", "snr=0"])
    strength = np.where([c == "snr=20" for c in table.conditions], 4.0, 0.5)[table.clip]
    noise = np.random.default_rng(0).normal(size=table.truths["extent"].shape)
    test = answer(table, np.exp(noise + strength[:, None] * table.truths["extent"]))
    validation = noisy(make_table(8, 2), 3)
    found = evaluate(validation, test, resamples=200)
    high, low = (get(found, "iou", stratum=f"condition:snr={v}") for v in (20, 0))
    assert high["value"] > low["value"] + 0.1
    assert high["n_pairs"] == low["n_pairs"] == 16 and get(found, "iou")["n_pairs"] == 32
    assert get(found, "iou")["value"] == pytest.approx((high["value"] + low["value"]) / 2)
    assert get(found, "iou")["n_clips"] == 8  # a soundscape counts once
    alone = evaluate(validation, test.of_condition("snr=20"), resamples=200)
    assert get(alone, "iou")["value"] == pytest.approx(high["value"], abs=1e-12)
    assert get(alone, "auc")["value"] == pytest.approx(
        get(found, "auc", stratum="condition:snr=20")["value"], abs=1e-12
    )


def test_copies_of_a_soundscape_are_resampled_together() -> None:
    # The same answer twice says nothing new: the interval must not shrink.
    single = noisy(make_table(10, 4), 5)
    table = under_conditions(single.table, ["a=1", "a=2"])
    doubled = answer(table, np.concatenate([single.scores, single.scores]).astype(np.float64))
    validation = noisy(make_table(10, 6), 7)
    one, two = (get(evaluate(validation, t, resamples=300), "iou") for t in (single, doubled))
    for key in ("value", "ci_low", "ci_high"):
        assert two[key] == pytest.approx(one[key], abs=1e-12)


FOLDS = "\n[folds]\ncount = 3\n"


def fold_world(world: World, clips: int = 4, validation: str = "next") -> None:
    """Turn the toy task into one of three folds, with a classifier of each rotation."""
    text = world.task.read_text().partition("\n[splits.")[0]
    text += FOLDS + f'validation = "{validation}"\n'
    for split in ("test",):
        scenes = [world.soundscape("test", i) for i in range(3 * clips)]
        digest = write_index(world.task.parent / "test.csv", scenes)
        text += (
            f'\n[splits.{split}]\nindex = "test.csv"\nclips = {3 * clips}\nsha256 = "{digest}"\n'
        )
    world.task.write_text(text)
    for k in range(3):
        path = weights.local_root("ear") / "tones" / f"classifier-s0-f{k}.safetensors"
        weights.save(path, {"gain": torch.full((2,), 1.0 + k)}, {"validation": {}})


def models(world: World, folds: int = 3) -> tuple[Any, ...]:
    made = []
    for k in range(folds):
        found = weights.find("ear", None, "tones", "classifier", 0, k)
        hashes = (("classifier", found.sha256),)
        made.append(dataclasses.replace(world.model(), weights=hashes, fold=k))
    return tuple(made)


def test_a_run_asks_each_rotation_of_its_own_model(world: World) -> None:
    fold_world(world)
    work = world.work(models=models(world))
    (result,) = run(work)
    assert result.status == "ok", result.reason
    assert result.pairs["pairs"] == 15 and result.limited is None
    assert set(result.provenance["weights"]) == {f"classifier-f{k}" for k in range(3)}
    assert set(result.thresholds["folds"]) == {"0", "1", "2"}
    # Every clip is heard twice: once tested, once to choose thresholds, by different models.
    assert sorted(world.asked) == sorted([f"test-{i:04d}" for i in range(12)] * 2)
    changed = dataclasses.replace(work.models[2], weights=(("classifier", "0" * 64),))
    other = dataclasses.replace(work, models=(*work.models[:2], changed))
    assert other.identity(work.methods[0]) != work.identity(work.methods[0])


def test_where_nothing_is_learnt_every_clip_is_asked_once(world: World) -> None:
    fold_world(world, validation="others")
    one = dataclasses.replace(models(world)[0], fold=None)
    (result,) = run(world.work(models=(one,) * 3))
    assert result.status == "ok", result.reason
    assert sorted(world.asked) == [f"test-{i:04d}" for i in range(12)]


@pytest.mark.parametrize(("limit", "rotations"), [(3, 1), (4, 1), (5, 2)])
def test_a_limit_takes_the_first_clips_of_the_index(
    world: World, limit: int, rotations: int
) -> None:
    fold_world(world)
    (result,) = run(world.work(models=models(world), limit=limit))
    assert result.status == "ok", result.reason
    assert result.limited == limit
    assert len(result.thresholds["folds"]) == rotations
    assert result.pairs["clips"] <= limit
    assert {f"test-{i:04d}" for i in range(limit)} <= set(world.asked)


def test_a_task_in_folds_has_no_validation_index(world: World) -> None:
    fold_world(world)
    task = load_task(world.task)
    assert task.folds == 3 and task.count("test", 1) == 4
    assert [clip.id for clip in task.clips("test", 2)] == [f"test-{i:04d}" for i in range(8, 12)]
    assert {clip.fold for clip in task.clips("test", 2)} == {2}
    text = world.task.read_text()
    world.task.write_text(text.replace("[splits.test]", "[splits.validation]"))
    with pytest.raises(TaskFileError, match="validation"):
        load_task(world.task)
    world.task.write_text(text.replace("clips = 12", "clips = 11"))
    with pytest.raises(TaskFileError, match="3 folds"):
        load_task(world.task)


def test_a_fold_is_named_where_there_are_folds(world: World) -> None:
    plain = load_task(world.task)
    assert check_fold(plain, None) is None
    with pytest.raises(UsageError, match="no folds"):
        check_fold(plain, 0)
    fold_world(world)
    folded = load_task(world.task)
    assert check_fold(folded, 2) == 2
    for wrong in (None, 3, -1):
        with pytest.raises(UsageError, match="3 folds"):
            check_fold(folded, wrong)


def test_missing_weights_of_one_rotation_are_named(world: World) -> None:
    fold_world(world)
    path = weights.local_root("ear") / "tones" / "classifier-s0-f1.safetensors"
    weights.save(path, {"gain": torch.full((2,), 0.5)}, {"validation": {}})  # not loaded so far
    ready = models(world)
    path.with_suffix(".json").unlink()
    with pytest.raises(DataError, match="fold 1") as caught:
        run(world.work(models=ready))
    assert caught.value.hint.endswith("--seed 0 --fold 1")
    assert caught.value.exit_code == 4


def test_a_task_that_is_trained_elsewhere_looks_there(world: World) -> None:
    text = world.task.read_text()
    assert load_task(world.task).trained_on == "tones"
    world.task.write_text('trained_on = "chords"\n' + text)
    assert load_task(world.task).trained_on == "chords"
    world.task.write_text('trained_on = "../chords"\n' + text)
    with pytest.raises(TaskFileError, match=r"trained_on: '\.\./chords' is no name"):
        load_task(world.task)


def test_rotations_draw_their_validation_clips_by_themselves() -> None:
    # The same scores in two rotations: with one stream both would choose alike in every replicate.
    validation = noisy(make_table(12, 3), 4)
    one, other = (calibrate(validation, rotation=k) for k in (0, 1))
    assert one.chosen() == other.chosen()
    at, also = (each.select(0, 200)["chosen", "none"] for each in (one, other))
    assert not np.array_equal(at, also)
    assert np.array_equal(at, calibrate(validation).select(0, 200)["chosen", "none"])


def test_the_protocol_asks_for_a_draw_of_each_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def spy(validation: Scored, **options: Any) -> Any:
        asked.append(options["rotation"])
        return calibrate(validation, **options)

    monkeypatch.setattr(sys.modules["sedbench.protocol.replicates"], "calibrate", spy)
    parts = [noisy(named(make_table(5, k), f"t{k}"), k) for k in range(3)]
    evaluate(in_folds(parts), in_folds(parts), resamples=5)
    assert asked == [0, 1, 2]


def test_a_pretrained_file_that_is_not_here_is_said_before_anything_is_rendered(
    world: World,
) -> None:
    fold_world(world)
    bare = tuple(
        dataclasses.replace(m, pretrained=(("net.bin", "0" * 64),), fetch="sedbench fetch net")
        for m in models(world)
    )
    with pytest.raises(DataError, match=r"needs net\.bin") as caught:
        run(world.work(models=bare))
    assert caught.value.exit_code == 4 and caught.value.hint == "sedbench fetch net"
    assert not world.asked and not (world.folder / "cache" / "soundscapes").exists()
    (world.folder / "data" / "models" / "net").mkdir(parents=True)
    (world.folder / "data" / "models" / "net" / "net.bin").touch()
    (result,) = run(world.work(models=bare))
    assert result.status == "ok"
