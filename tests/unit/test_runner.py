"""Whole runs in a toy world: statuses, what is kept, and what is computed again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import cloudpickle
import pytest

from sedbench import results, runner, work
from sedbench.errors import DataError, MissingDataError, NotApplicable
from sedbench.progress import Quiet
from sedbench.protocol import evaluate
from sedbench.refs import MethodRef
from sedbench.results import Result
from sedbench.types import Answer, MethodInfo, Query
from sedbench_plugins.baselines import ORACLE, RANDOM, Oracle, Random

cloudpickle.register_pickle_by_value(sys.modules[__name__])
World = Any  # of conftest.py
TEST_CLIPS, VALIDATION_CLIPS = 12, 10


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are tested elsewhere, and cost time."""
    monkeypatch.setattr(runner, "evaluate", partial(evaluate, resamples=8))


@pytest.fixture(scope="module", autouse=True)
def stop_workers() -> Iterator[None]:
    yield
    from loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


class Raising:
    def answer(self, query: Query, model: Any) -> Answer:
        raise ZeroDivisionError("by nothing")


class Picky:
    def answer(self, query: Query, model: Any) -> Answer:
        raise NotApplicable("it has no attention")


class Unfetched:
    def answer(self, query: Query, model: Any) -> Answer:
        raise MissingDataError("no weights", "train them")


class Damaged:
    def answer(self, query: Query, model: Any) -> Answer:
        raise DataError("damaged weights", "reinstall")


class Sleepy:
    def answer(self, query: Query, model: Any) -> Answer:
        time.sleep(60)
        raise AssertionError("nobody stopped it")


class Moody:
    """Fails until it is told not to."""

    failing: ClassVar[bool] = True

    def answer(self, query: Query, model: Any) -> Answer:
        if self.failing:
            raise ValueError("not today")
        return Random().answer(query, model)


class Watching(Quiet):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.steps: dict[str, int] = {}
        self.notes: list[str] = []

    def start(self, stage: str, total: int) -> None:
        self.stages.append((stage, total))
        self.steps.setdefault(stage, 0)

    def advance(self, n: int = 1) -> None:
        self.steps[self.stages[-1][0]] += n

    def note(self, text: str) -> None:
        self.notes.append(text)


def value(result: Result, metric: str = "iou", policy: str = "chosen") -> float:
    (record,) = (
        r
        for r in result.scores
        if (r["metric"], r["policy"], r["view"], r["average"], r["stratum"], r["truth"])
        == (metric, policy, "localisation", "pairs", "all", "extent")
        and r["smoothing"] in (None, "", "none")
    )
    found = record["value"]
    assert isinstance(found, float)
    return found


def plain(result: Result) -> dict[str, Any]:
    """What has to be the same bits: all but the times, and what the process held in memory."""
    document = results.to_json(result)
    for name in ("wall_seconds", "cpu_seconds", "cpu_seconds_per_pair", "peak_memory"):
        document["cost"].pop(name, None)
    document["provenance"].pop("started", None)
    return document


# --- what comes out ---------------------------------------------------------------------------


def test_a_method_that_listens_is_scored(world: World) -> None:
    progress = Watching()
    (result,) = runner.run(world.work(), progress)
    assert (result.status, result.origin, result.reason) == ("ok", "measured", "")
    assert result.pairs["expected"] == result.pairs["scored"] == 15
    assert result.pairs["clips"] == TEST_CLIPS
    assert result.pairs["complete"]
    assert result.classifier["micro_f1"] == 1.0
    assert value(result) > 0.7
    assert result.cost["forward"] == TEST_CLIPS
    assert result.cost["forward_per_pair"] == pytest.approx(TEST_CLIPS / 15)
    assert set(result.diagnostics["spread"]) == {"median", "p90", "max"}
    assert result.thresholds
    assert result.limited is None
    for stage, total in progress.stages:
        assert progress.steps[stage] == total, stage


def test_the_oracle_is_the_ceiling_and_random_is_not(world: World) -> None:
    oracle = MethodRef(ORACLE, "oracle", {}, Oracle)
    random = MethodRef(RANDOM, "random", {}, Random)
    first, second = runner.run(world.work(oracle, random))
    assert value(first) == 1.0
    assert value(second) < 0.9


def test_what_a_method_gets_wrong_is_its_own_status(world: World) -> None:
    progress = Watching()
    methods = [
        world.method(Raising, "raising"),
        world.method(Picky, "picky"),
        world.method(Unfetched, "unfetched"),
        world.method(),
    ]
    found = runner.run(world.work(*methods), progress)
    assert [(r.spec, r.status, r.reason) for r in found] == [
        ("raising", "failed", "ZeroDivisionError: by nothing"),
        ("picky", "not_applicable", "it has no attention"),
        ("unfetched", "failed", "no weights (train them)"),
        ("ear-method", "ok", ""),
    ]
    assert all(not r.scores for r in found[:3])
    assert [note.partition(":")[0] for note in progress.notes] == ["raising", "picky", "unfetched"]
    for each, result in zip(methods, found, strict=True):
        assert results.read(world.work().path(each), "stored").status == result.status


def test_a_method_that_takes_too_long(world: World) -> None:
    runner.run(world.work())  # decides about the clips, without a limit
    sleepy = world.method(Sleepy, "sleepy")
    (result,) = runner.run(world.work(sleepy, timeout=0.5))
    assert (result.status, result.scores) == ("timeout", ())
    assert "0.5 s" in result.reason


def test_damaged_data_ends_the_run(world: World) -> None:
    with pytest.raises(DataError, match="damaged weights"):
        runner.run(world.work(world.method(Damaged, "damaged")))
    assert not list((world.folder / "results").rglob("*.json"))


def test_without_the_classifiers_weights_nothing_starts(world: World) -> None:
    for path in (world.folder / "data").rglob("classifier*"):
        path.unlink()
    with pytest.raises(MissingDataError) as caught:
        runner.run(world.work(world.method(Random, "random", needs=frozenset())))
    assert "sedbench train classifier" in caught.value.hint


def test_a_classifier_that_detects_nothing_on_test_gives_a_result_without_figures(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from sedbench.models import weights

    (heard,) = runner.run(world.work())
    validation, _ = results.read_items(world.work().path(world.method()), heard)
    monkeypatch.setattr(runner, "_validation", lambda *_: validation)
    (path,) = (world.folder / "data").rglob("classifier*.safetensors")
    weights.save(path, {"gain": torch.zeros(2)}, {"validation": {}})  # p is one half
    (result,) = runner.run(world.work())
    assert (result.status, result.reason, result.resolution) == ("ok", "", None)
    assert result.pairs["scored"] == 0
    assert {r["value"] for r in result.scores if r["view"] == "localisation"} == {None}


def test_results_come_in_the_order_of_the_methods(world: World) -> None:
    names = ["c", "a", "b"]
    methods = [world.method(Picky, name) for name in names]
    runner.run(world.work(methods[1]))
    assert [r.spec for r in runner.run(world.work(*methods))] == names


# --- what is kept -----------------------------------------------------------------------------


def test_a_second_run_computes_nothing_and_says_the_same(world: World) -> None:
    (one,) = runner.run(world.work())
    count = len(world.asked)
    progress = Watching()
    (other,) = runner.run(world.work(), progress)
    assert len(world.asked) == count
    assert progress.stages == []
    assert other.origin == "stored"
    assert results.to_json(one) == results.to_json(other)


def test_stored_scores_come_from_the_cache_with_the_same_bits(world: World) -> None:
    (one,) = runner.run(world.work())
    items = results.items_path(world.work().path(world.method())).read_bytes()
    count = len(world.asked)
    world.work().path(world.method()).unlink()
    (other,) = runner.run(world.work())
    assert len(world.asked) == count  # the chunks were cached
    assert plain(one) == plain(other)
    assert results.items_path(world.work().path(world.method())).read_bytes() == items


@pytest.mark.parametrize(
    ("overwrite", "again"), [("never", 0), ("missing", 0), ("stale", 1), ("always", 1)]
)
def test_a_result_of_another_version_of_the_method(
    world: World, overwrite: Any, again: int
) -> None:
    runner.run(world.work())
    world.asked.clear()
    newer = world.method(version=2)
    (result,) = runner.run(world.work(newer, overwrite=overwrite))
    assert len(world.asked) == again * (TEST_CLIPS + VALIDATION_CLIPS)
    assert result.origin == ("measured" if again else "stored")


@pytest.mark.parametrize(
    ("overwrite", "again"), [("never", 0), ("missing", 0), ("stale", 0), ("always", 1)]
)
def test_a_result_that_still_holds(world: World, overwrite: Any, again: int) -> None:
    runner.run(world.work())
    world.asked.clear()
    runner.run(world.work(overwrite=overwrite))
    assert len(world.asked) == again * (TEST_CLIPS + VALIDATION_CLIPS)


@pytest.mark.parametrize(
    ("overwrite", "status"), [("never", "failed"), ("missing", "ok"), ("stale", "ok")]
)
def test_a_failed_result_is_tried_again(
    world: World, overwrite: Any, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moody = world.method(Moody, "moody")
    assert runner.run(world.work(moody))[0].status == "failed"
    monkeypatch.setattr(Moody, "failing", False)
    assert runner.run(world.work(moody, overwrite=overwrite))[0].status == status


def test_a_damaged_result_is_made_again_unless_it_must_not_be(world: World) -> None:
    runner.run(world.work())
    path = world.work().path(world.method())
    path.write_text("{")
    with pytest.raises(DataError, match="damaged"):
        runner.run(world.work(overwrite="never"))
    assert runner.run(world.work())[0].origin == "measured"
    assert results.read(path, "stored").status == "ok"


def test_what_makes_a_result_stale(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_work = world.work()
    each = plain_work.methods[0]
    names = {"now": plain_work.identity(each)}
    names["version"] = plain_work.identity(world.method(version=2))
    names["spec"] = plain_work.identity(replace(each, spec="ear-method[a=1]"))
    names["code"] = plain_work.identity(replace(each, factory=Picky))
    retrained = replace(plain_work.model, weights=(("classifier", "other"),))
    names["weights"] = replace(plain_work, models=(retrained,)).identity(each)
    names["model"] = replace(
        plain_work, models=(replace(plain_work.model, canonical="ear[seed=1]"),)
    ).identity(each)
    dice = world.method(stochastic=True)
    names["dice"] = plain_work.identity(dice)  # seed 0 instead of none
    names["seed"] = replace(plain_work, seed=1).identity(dice)
    text = world.task.read_text()
    world.task.write_text(text.replace("version = 1", "version = 2"))
    names["task"] = world.work().identity(each)
    world.task.write_text(text.replace('title = "Tones"', 'title = "Two tones"'))
    assert world.work().identity(each) == names["now"]  # prose is no reason
    assert replace(plain_work, seed=1, jobs=7, limit=3).identity(each) == names["now"]
    monkeypatch.setattr(work, "RENDERER_VERSION", 10**6)
    names["renderer"] = world.work().identity(each)
    assert len(set(names.values())) == len(names)


def test_another_sound_under_the_same_name_is_listened_to(world: World) -> None:
    # The task does not record its bank's fingerprint, so only the bank itself can tell.
    class Louder(world.bank):  # type: ignore[misc, name-defined]
        version = "2"

        def audio(self, recording_id: str, sample_rate: int) -> Any:
            return super().audio(recording_id, sample_rate)[::-1].copy()

    runner.run(world.work())
    world.asked.clear()
    runner.run(world.work(bank=Louder, output=world.folder / "other"))
    assert len(world.asked) == TEST_CLIPS + VALIDATION_CLIPS


def test_a_limited_run_is_marked_and_lies_apart(world: World) -> None:
    (whole,) = runner.run(world.work())
    (limited,) = runner.run(world.work(limit=5))
    assert (whole.limited, limited.limited) == (None, 5)
    assert limited.pairs["clips"] == 5
    assert limited.pairs["scored"] < whole.pairs["scored"]
    assert results.read(world.work().path(world.method()), "stored").limited is None
    assert len({world.work().path(world.method()), world.work(limit=5).path(world.method())}) == 2


# --- interrupted, in parallel -----------------------------------------------------------------


class Interrupting(Watching):
    """Ctrl-C at a step of a stage."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self.stage = stage

    def advance(self, n: int = 1) -> None:
        super().advance(n)
        if self.stages[-1][0] == self.stage:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("stage", "left"),
    [
        ("render test clips", TEST_CLIPS + VALIDATION_CLIPS),
        ("classify test clips", TEST_CLIPS + VALIDATION_CLIPS),
        ("ear-method on test", TEST_CLIPS - 8 + VALIDATION_CLIPS),
        ("ear-method on validation", VALIDATION_CLIPS - 8),
    ],
)
def test_an_interrupted_run_goes_on_where_it_stopped(world: World, stage: str, left: int) -> None:
    picky = world.method(Picky, "picky")
    with pytest.raises(KeyboardInterrupt):
        runner.run(world.work(picky, world.method()), Interrupting(stage))
    stored = [r.name for r in (world.folder / "results").rglob("*.json")]
    assert len(stored) == ("ear-method" in stage)  # what was done before is whole
    assert not list((world.folder / "results").rglob(".*"))
    world.asked.clear()
    first, second = runner.run(world.work(picky, world.method()))
    assert (first.status, second.status) == ("not_applicable", "ok")
    assert len(world.asked) == left
    (apart,) = runner.run(world.work(output=world.folder / "apart", overwrite="always"))
    assert plain(apart) == plain(second)


def test_the_bits_do_not_depend_on_the_number_of_processes(world: World) -> None:
    random = MethodRef(RANDOM, "random", {}, Random)
    found = []
    for jobs in (1, 2):
        world.forget()
        folder = world.folder / f"jobs-{jobs}"
        work = world.work(world.method(), random, jobs=jobs, output=folder)
        made = [plain(r) for r in runner.run(work)]
        assert [r["status"] for r in made] == ["ok", "ok"]
        files = {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*.npz"))}
        found.append((made, files))
        assert len(files) == 2
        assert bool(world.asked) is (jobs == 1)  # the second time, others were asked
    assert found[0] == found[1]


# --- thresholds that ship ---------------------------------------------------------------------


def asked_on_validation(world: World) -> int:
    return sum(name.startswith("validation") for name in world.asked)


def shipping(world: World, folder: Path) -> Any:
    """What hands out the results of a folder as if they shipped."""

    def shipped(spec: str, seed: int) -> tuple[Path, Result] | None:
        path = results.result_path(folder, "tones", "ear", spec, seed)
        return (path, results.read(path, "shipped")) if path.exists() else None

    return shipped


def test_shipped_thresholds_spare_the_validation_split(world: World) -> None:
    board = world.folder / "board"
    (one,) = runner.run(world.work(output=board))
    world.forget()
    (other,) = runner.run(world.work(shipped=shipping(world, board)))
    assert asked_on_validation(world) == 0
    assert len(world.asked) == TEST_CLIPS
    assert plain(one) == plain(other)


def test_shipped_thresholds_of_something_else_are_not_used(world: World) -> None:
    board = world.folder / "board"
    runner.run(world.work(output=board))
    for options in ({"methods": (world.method(version=2),)}, {"recalibrate": True}):
        world.forget()
        runner.run(world.work(**{"shipped": shipping(world, board), **options}))
        assert asked_on_validation(world) == VALIDATION_CLIPS


def test_shipped_thresholds_serve_a_limited_run(world: World) -> None:
    board = world.folder / "board"
    (whole,) = runner.run(world.work(output=board))
    world.forget()
    (limited,) = runner.run(world.work(shipped=shipping(world, board), limit=5))
    assert asked_on_validation(world) == 0
    assert limited.thresholds == whole.thresholds


def test_damaged_shipped_items_are_an_error(world: World) -> None:
    board = world.folder / "board"
    runner.run(world.work(output=board))
    (items,) = board.rglob("*.npz")
    items.write_bytes(b"something else")
    with pytest.raises(DataError):
        runner.run(world.work(shipped=shipping(world, board)))


# --- folders that cannot be written -----------------------------------------------------------


def test_a_cache_that_cannot_be_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runner.run(world.work(limit=1))
    (world.folder / "file").write_text("")
    monkeypatch.setenv("SEDBENCH_CACHE", str(world.folder / "file"))
    with pytest.raises(DataError) as caught:
        runner.run(world.work())
    assert caught.value.exit_code == 4
    assert "SEDBENCH_CACHE" in caught.value.hint


def test_results_that_cannot_be_written(world: World) -> None:
    (world.folder / "file").write_text("")
    with pytest.raises(DataError) as caught:
        runner.run(world.work(output=world.folder / "file"))
    assert "--output" in caught.value.hint


def test_a_task_whose_index_is_another_one(world: World) -> None:
    index = world.task.parent / "test.csv"
    index.write_text(index.read_text().replace("0.3000", "0.2000"))
    with pytest.raises(DataError) as caught:
        runner.run(world.work())
    assert caught.value.exit_code == 4


def test_a_result_says_what_was_measured(world: World) -> None:
    info = MethodInfo("x", "", kind="baseline", supervision="weak")
    once = MethodRef(info, "x[a=1]", {"a": 1}, lambda a: world.listening())
    (result,) = runner.run(world.work(once, provenance={"command": "typed"}))
    assert (result.kind, result.supervision) == ("baseline", "weak")
    assert (result.method, result.spec, result.params) == ("x", "x[a=1]", {"a": 1})
    assert result.provenance["weights"] == dict(world.model().weights)
    assert result.provenance["command"] == "typed"
    assert (result.task, result.task_version, result.model) == ("tones", 1, "ear")
    assert results.read(world.work().path(once), "measured") == result
