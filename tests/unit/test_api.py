"""The calls that everybody uses, on a registry that knows the toy world alone."""

from __future__ import annotations

import types
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import sedbench
from sedbench import api, hookimpl, leaderboard, learn, lookup, runner
from sedbench.errors import NothingSelectedError, SedbenchError, UnknownNameError, UsageError
from sedbench.protocol import evaluate
from sedbench.registry import BUILT_IN, Source, build
from sedbench.types import MethodInfo, ModelInfo, Param, SoundbankInfo, TaskInfo
from sedbench_plugins.baselines import ENERGY, ORACLE, Energy, Oracle

World = Any  # of conftest.py


def picky(width: int, mode: str) -> Any:
    if width == 4 and mode == "odd":
        raise UsageError("an odd width is no 4", "take another width")
    return Energy()


def broken() -> Any:
    raise ImportError("no such library")


@pytest.fixture(autouse=True)
def known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry with the toy world, and no shipped results."""

    @hookimpl
    def sedbench_register_methods(register: Any) -> None:
        register(MethodInfo("ear-method", "listens"), world.listening)
        register(ENERGY, Energy)
        register(ORACLE, Oracle)
        register(MethodInfo("broken", "cannot be built"), broken)
        params = (
            Param("width", 3, "frames", minimum=1, maximum=9),
            Param("mode", "mean", "how", ("mean", "odd")),
        )
        register(MethodInfo("picky", "has parameters", "", params), picky)

    @hookimpl
    def sedbench_register_models(register: Any) -> None:
        seed = Param("seed", 0, "which weights", minimum=0)
        register(ModelInfo("ear", "two tones", "", (seed,)), world.family)

    @hookimpl
    def sedbench_register_soundbanks(register: Any) -> None:
        register(SoundbankInfo("tone-bank", "tones"), world.bank)

    @hookimpl
    def sedbench_register_tasks(register: Any) -> None:
        register(TaskInfo("tones", "two tones", default=True), lambda: world.task)

    hooks = {k: v for k, v in locals().items() if k.startswith("sedbench_register")}
    plugin = types.SimpleNamespace(**hooks)
    found = build([Source("toy", BUILT_IN, "1", lambda: plugin)])
    assert not found.broken
    for module in (api, learn, lookup):
        monkeypatch.setattr(module, "registry", lambda: found)
    monkeypatch.setattr(leaderboard, "board_folder", lambda: None)
    monkeypatch.setattr(runner, "evaluate", partial(evaluate, resamples=8))


def files(world: World) -> set[Path]:
    return {p for p in world.folder.rglob("*") if p.is_file()}


def test_one_call(world: World) -> None:
    found = sedbench.run(["ear-method", "energy", "ear-method"], jobs=1)
    assert [r.spec for r in found] == ["ear-method", "energy"]  # a row twice is a row
    assert found.ok
    assert (found.task.name, found.reference) == ("tones", ())
    assert found[0].provenance["command"] == "sedbench.run"
    assert len(list((world.folder / "results").rglob("*.json"))) == 2  # SEDBENCH_RESULTS
    assert found[:1] == (found[0],)


def test_a_frame_has_a_row_a_score(world: World) -> None:
    found = api.run(["energy", "broken"], limit=4, jobs=1)
    frame = found.to_frame()
    head = ["task", "model", "method", "spec", "seed", "status", "reason"]
    assert list(frame.columns[:7]) == head
    assert set(found[0].scores[0]) <= set(frame.columns)
    assert len(frame) == len(found[0].scores) + 1
    last = frame.iloc[-1]
    assert (last["spec"], last["status"]) == ("broken", "failed")
    assert "no such library" in last["reason"]
    rows = frame.query("metric == 'iou' and policy == 'chosen' and view == 'localisation'")
    assert len(rows) > 0
    assert rows["value"].between(0, 1).all()
    assert not found.ok


def test_no_result_at_all_is_an_empty_frame(world: World) -> None:
    from sedbench.taskfile import load_task

    assert api.Results([], load_task(world.task)).to_frame().empty


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"jobs": 0}, "jobs must be at least 1, got 0"),
        ({"overwrite": "sometimes"}, "overwrite cannot be 'sometimes'"),
        ({"timeout": 0.0}, "timeout must be more than 0"),
        ({"timeout": float("nan")}, "timeout must be more than 0"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"methods": ["picky[width=0]"]}, "'width' .*at least 1"),
        ({"methods": ["picky[width=wide]"]}, "whole number"),
        ({"methods": ["picky[mode=even]"]}, "'mode' .*cannot be 'even'"),
        ({"methods": ["picky[mode"]}, "cannot read"),
        ({"methods": ["picky[width=4,mode=odd]"]}, "an odd width is no 4"),
        ({"model": "ear[seed=-1]"}, "at least 0"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(
    world: World, options: dict[str, Any], message: str
) -> None:
    before = files(world)
    methods = options.pop("methods", ["energy"])
    for call in (api.run, api.plan):
        with pytest.raises(UsageError, match=message) as caught:
            call(methods, **options)
        assert caught.value.exit_code == 2
    assert files(world) == before


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"methods": ["enrgy"]}, "'energy'"),
        ({"methods": ["picky[witdh=3]"]}, "'width'"),
        ({"task": "tone"}, "'tones'"),
        ({"model": "eer"}, "'ear'"),
    ],
)
def test_a_name_that_nothing_answers_to(options: dict[str, Any], hint: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        api.run(options.pop("methods", ["energy"]), **options)
    assert "did you mean" in caught.value.hint
    assert hint in caught.value.hint


def test_no_method_was_chosen() -> None:
    with pytest.raises(NothingSelectedError) as caught:
        api.run([])
    assert caught.value.exit_code == 5


def test_the_plan_says_what_a_run_would_do_and_writes_nothing(world: World) -> None:
    api.run(["energy"], limit=4, jobs=1)
    before = files(world)
    plan = api.plan(["energy", "ear-method", "broken"], limit=4)
    assert files(world) == before
    assert [(c.method, c.state, c.clips) for c in plan] == [
        ("energy", "stored", 4),
        ("ear-method", "to run", 4),
        ("broken", "to run", 4),
    ]
    assert {(c.task, c.model, c.seed, c.calibration) for c in plan} == {
        ("tones", "ear", 0, "on validation")
    }
    assert Path(plan[0].output).is_file()
    assert [c.clips for c in api.plan(["energy"])] == [12]
    assert api.plan(["energy"], limit=4, overwrite="always")[0].state == "to run"
    assert api.plan(["energy"], limit=4, recalibrate=True)[0].state == "to run"


def test_what_ships_is_shown_and_spares_the_calibration(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = world.folder / "board"
    api.run(["ear-method"], output=board, jobs=1)
    monkeypatch.setattr(leaderboard, "board_folder", lambda: board)
    assert [c.calibration for c in api.plan(["ear-method", "energy"])] == [
        "shipped",
        "on validation",
    ]
    assert api.plan(["ear-method"], recalibrate=True)[0].calibration == "on validation"
    found = api.run(["energy"], limit=4, jobs=1)
    assert [(r.spec, r.origin) for r in found.reference] == [("ear-method", "shipped")]


def test_a_model_is_found_with_the_weights_of_its_seed(world: World) -> None:
    from sedbench.models import weights

    task = lookup.find_task(None)
    (one,) = weights.available("ear", None, "tones")
    assert lookup.find_model("ear", task).weights == (("classifier", one.sha256),)
    assert lookup.find_model("ear[seed=1]", task).weights == ()
    assert lookup.find_model("ear[seed=0]", task).canonical == "ear"
    other = one.path.with_name("classifier-s10.safetensors")
    weights.save(other, {}, {})
    assert lookup.find_model("ear", task).weights == (("classifier", one.sha256),)
    assert len(lookup.find_model("ear[seed=10]", task).weights) == 1


def test_a_model_without_weights_is_one_error_with_the_line_to_type() -> None:
    with pytest.raises(SedbenchError) as caught:
        api.run(["energy"], model="ear[seed=3]", jobs=1, limit=2)
    assert caught.value.exit_code == 4
    assert "sedbench train classifier --model ear --task tones --seed 3" in caught.value.hint


def test_training_something_else_is_answered_with_the_variants() -> None:
    with pytest.raises(UnknownNameError) as caught:
        learn.train("clasifier", jobs=1)
    assert "'classifier'" in caught.value.hint
    with pytest.raises(UsageError, match="seed"):
        learn.train("classifier", seed=-1)
    with pytest.raises(UsageError, match=r"'ear\[seed=1\]' has parameters"):
        learn.train("classifier", model="ear[seed=1]", jobs=1)
    with pytest.raises(SedbenchError, match="no train split"):
        learn.train("classifier", jobs=1)


def test_the_public_surface() -> None:
    assert sedbench.run is api.run
    assert sedbench.Results is api.Results
    with pytest.raises(AttributeError, match="walk"):
        sedbench.walk  # noqa: B018
