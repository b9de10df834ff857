"""Metrics of plugins on the pairs of a result: the right figures, shown, and in nobody's way."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sedbench import lookup, registry, results, runner, schema
from sedbench.errors import DataError
from sedbench.extra import keep, with_extra
from sedbench.leaderboard import evidence
from sedbench.leaderboard.adding import add
from sedbench.leaderboard.checking import check
from sedbench.leaderboard.claims import Known
from sedbench.leaderboard.documents import digest
from sedbench.metrics import frame_f1, iou, pointing_hit, roc_auc
from sedbench.protocol import Scored, evaluate, quantise
from sedbench.protocol.extra import PER_PAIR, ExtraMetric, measure_extra
from sedbench.registry import Entry, Registry
from sedbench.report.table import tables
from sedbench.results import Result
from sedbench.taskfile import load_task
from sedbench.types import FrameGrid, MetricInfo, PairTable, Param

World = Any  # of conftest.py
RESAMPLES = 40
FRAMES = 20


def metric(function: Any, name: str = "mine", **info: Any) -> ExtraMetric:
    return ExtraMetric(MetricInfo(name, "a test", **info), lambda: function, "its-package", "1.2")


def overlap(mask: Any, truth: Any) -> Any:
    return (mask & truth).sum(1) / np.maximum((mask | truth).sum(1), 1)


def share_of_others(others: Any, valid: Any) -> Any:
    return (others & valid).mean(1)


def scored(seed: int, clips: int = 9, *, folds: int = 0, own_mask: bool = False) -> Scored:
    """Two classes a clip, one of them not always detected, nor always answered."""
    rng = np.random.default_rng(seed)
    clip, label = np.repeat(np.arange(clips), 2), np.tile([0, 1], clips)
    truth = np.zeros((2 * clips, FRAMES), bool)
    for row in truth:
        start = int(rng.integers(0, FRAMES - 6))
        row[start : start + int(rng.integers(1, 6))] = True
    table = PairTable(
        clip_ids=tuple(f"clip-{i:03d}" for i in range(clips)),
        classes=("cat", "dog"),
        clip=clip,
        label=label,
        groups=tuple((f"g{rng.integers(4)}",) for _ in clip),
        truths={"extent": truth},
        others={"extent": rng.random(truth.shape) < 0.2},
        grid=FrameGrid(FRAMES / 10),
    )
    detected = np.full((clips, 2), 0.9)
    detected[rng.integers(clips), 1] = 0.1
    answered = np.ones(len(table), bool)
    answered[rng.integers(len(table))] = False
    return Scored(
        table,
        quantise(truth + rng.normal(0, 0.6, truth.shape)),
        answered,
        detected,
        rng.random(truth.shape) < 0.4 if own_mask else None,
        None,
        np.arange(clips) % folds if folds else None,
    )


# --- figures ----------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0, 3]), st.booleans())
def test_a_metric_that_exists_already_has_the_same_figures(seed, folds, own_mask):
    test = scored(seed, folds=folds, own_mask=own_mask)
    validation = scored(seed + 1, folds=folds, own_mask=own_mask)
    found = evaluate(validation, test, resamples=RESAMPLES)
    names = {"auc": roc_auc, "pg": pointing_hit, "iou": iou, "f1": frame_f1}
    over = {"auc": "scores", "pg": "scores", "iou": "masks", "f1": "masks"}
    mine = [metric(function, name, over=over[name]) for name, function in names.items()]
    mine.append(metric(overlap, "overlap"))
    extra = measure_extra(mine, test, found.thresholds, primary="extent", resamples=RESAMPLES)
    assert list(extra) == [*names, "overlap"]
    for name in names:
        (record,) = (
            r
            for r in found.records
            if (r["metric"], r["view"], r["average"], r["stratum"], r["smoothing"])
            == (name, "localisation", "pairs", "all", "none")
            and r["policy"] in ("chosen", None)
        )
        same = ["value", "n_pairs", "n_clips", "n_groups"]
        if folds == 0 and (own_mask or record["policy"] is None):
            same += ["ci_low", "ci_high"]  # elsewhere thresholds are chosen anew in each replicate
        for key in same:
            assert extra[name][key] == record[key], (name, key)
        assert extra[name]["reason"] == ""
    assert extra["overlap"]["value"] == pytest.approx(extra["iou"]["value"], abs=1e-10)
    assert extra["iou"]["ci_low"] < extra["iou"]["value"] < extra["iou"]["ci_high"]


def test_everything_that_can_be_asked_for_is_given_and_only_that():
    test = scored(3)
    asked: dict[str, Any] = {}

    def curious(scores, mask, truth, others, valid, tp, fp, fn, hit, share, unknown=7):
        asked.update(locals())
        return share

    [record] = measure_extra(
        [metric(curious, over="scores")], test, {"none": {"chosen": "relative", "relative": 0.5}},
        primary="extent", resamples=0,
    ).values()  # fmt: skip
    kept = test.scored & (test.detected[test.table.clip, test.table.label] > 0.5)
    assert 0 < kept.sum() < len(kept)
    np.testing.assert_array_equal(asked["scores"], test.scores[kept])
    np.testing.assert_array_equal(asked["truth"], test.table.truths["extent"][kept])
    np.testing.assert_array_equal(asked["others"], test.table.others["extent"][kept])
    top = asked["scores"].max(1, keepdims=True)
    np.testing.assert_array_equal(asked["mask"], (asked["scores"] > top / 2) & (top > 0))
    np.testing.assert_array_equal(asked["tp"] + asked["fn"], asked["truth"].sum(1))
    np.testing.assert_array_equal(asked["tp"] + asked["fp"], asked["mask"].sum(1))
    assert asked["valid"].all() and asked["unknown"] == 7
    assert record["value"] == pytest.approx(asked["truth"].mean())
    assert (record["ci_low"], record["ci_high"]) == (None, None)


def test_what_is_undefined_is_left_out():
    def some(truth):
        return np.where(np.arange(len(truth)) < 3, 0.25, np.nan)

    [record] = measure_extra(
        [metric(some, over="scores")], scored(5, own_mask=True), {}, primary="extent", resamples=9
    ).values()
    assert (record["value"], record["n_pairs"]) == (0.25, 3)


def test_one_clip_has_no_interval():
    def first(truth):
        return np.where(np.arange(len(truth)) < 1, 0.25, np.nan)

    [record] = measure_extra(
        [metric(first, over="scores")], scored(5, own_mask=True), {}, primary="extent", resamples=9
    ).values()
    assert (record["value"], record["n_clips"]) == (0.25, 1)
    assert record["ci_low"] is record["ci_high"] is None


def test_parameters_have_their_defaults_and_a_range_may_be_open():
    info = MetricInfo(
        "mine", "a test", params=(Param("scale", 3.0),), over="scores", high=float("inf")
    )
    made = ExtraMetric(info, lambda scale: lambda truth: np.full(len(truth), scale))
    [record] = measure_extra(
        [made], scored(5, own_mask=True), {}, primary="extent", resamples=9
    ).values()
    assert (record["value"], record["low"], record["high"]) == (3.0, 0.0, None)


def writing(scores):
    scores[:] = 0
    return scores[:, 0]


def leaving(scores):
    raise SystemExit(3)


BROKEN: dict[str, tuple[Any, str]] = {
    "it raised ZeroDivisionError: by nothing": (
        lambda truth: (_ for _ in ()).throw(ZeroDivisionError("by nothing\nand more")), "scores"),
    "it raised SystemExit: 3": (leaving, "scores"),
    "its values have shape (20,)": (lambda truth: truth.mean(0), "scores"),
    "its values have shape ()": (lambda truth: 0.5, "scores"),
    "it is infinite somewhere": (lambda truth: np.full(len(truth), np.inf), "scores"),
    "values from 2 to 2, and its range is 0 to 1": (lambda tp: np.full(len(tp), 2.0), "masks"),
    "it raised ValueError: could not convert": (lambda tp: np.full(len(tp), "a"), "masks"),
    "it asks for 'spectrogram'; there are scores, mask": (lambda spectrogram: 0, "scores"),
    "it asks for 'more'": (lambda truth, **more: truth.mean(1), "scores"),
    "it raised ValueError: assignment destination is read-only": (writing, "scores"),
    "it is undefined for each of the": (lambda tp: np.full(len(tp), np.nan), "masks"),
    "a metric over the corpus has no value a pair": (lambda tp: tp, "corpus"),
    "the factory returns a int, which is no function": (5, "masks"),
}  # fmt: skip


@pytest.mark.parametrize("reason", BROKEN)
def test_a_metric_that_is_wrong_says_why_and_stops_no_other(reason):
    function, over = BROKEN[reason]
    test = scored(4, own_mask=True)
    metrics = [metric(function, "broken", over=over), metric(overlap, "sound")]
    found = measure_extra(metrics, test, {}, primary="extent", resamples=9)
    assert found["broken"]["reason"].startswith(reason)
    assert found["broken"]["value"] is found["broken"]["ci_low"] is None
    assert found["broken"]["n_pairs"] == 0
    alone = measure_extra(metrics[1:], test, {}, primary="extent", resamples=9)
    assert found["sound"] == alone["sound"] and alone["sound"]["value"] is not None


def test_without_any_pair_there_is_a_reason():
    test = scored(4, own_mask=True)
    silent = replace(test, detected=np.zeros_like(test.detected))
    [record] = measure_extra([metric(overlap)], silent, {}, primary="extent", resamples=9).values()
    assert (record["value"], record["n_pairs"]) == (None, 0)
    assert record["reason"] == "it is undefined for each of the 0 pairs"


def test_warnings_of_a_metric_are_its_own_affair():
    def loud(truth):
        import warnings

        warnings.warn("deprecated", FutureWarning, stacklevel=1)
        return np.nanmean(np.where(truth, np.nan, np.nan), axis=1)

    [record] = measure_extra(
        [metric(loud, over="scores")], scored(4, own_mask=True), {}, primary="extent", resamples=0
    ).values()
    assert record["reason"].startswith("it is undefined")


# --- results ----------------------------------------------------------------------------------


@pytest.fixture
def copied(measured_world: World, tmp_path: Path) -> Callable[[str], Path]:
    """Copy a measured result of the toy world; returns its path."""
    import shutil

    root = shutil.copytree(measured_world.folder / "results", tmp_path / "results")

    def path(method: str) -> Path:
        return next(p for p in root.rglob(f"{method}/*.json") if "limit" not in p.name)

    return path


def test_a_figure_comes_from_the_items_alone(copied):
    path = copied("ear-method")
    result = results.read(path, "stored")
    assert result.extra_metrics == {} and "extra_metrics" not in json.loads(path.read_text())
    items = results.items_path(path).read_bytes()
    more = with_extra(result, path, [metric(overlap)], 0.5, resamples=9)
    (headline,) = (
        r["value"]
        for r in result.scores
        if (r["metric"], r["policy"], r["view"], r["average"], r["stratum"], r["truth"])
        == ("iou", "chosen", "localisation", "pairs", "all", "extent")
        and r["smoothing"] == "none"
    )
    assert more.extra_metrics["mine"]["value"] == pytest.approx(headline, abs=1e-10)
    assert "extra_metrics" not in json.loads(path.read_text())  # nothing was written
    keep(more, result, path)
    assert results.read(path, "stored") == replace(more, origin="stored")
    assert results.items_path(path).read_bytes() == items
    assert replace(more, extra_metrics={}) == result  # and nothing else of it changed


def test_figures_of_what_is_not_installed_any_more_stay(copied):
    path = copied("random")
    result = results.read(path, "stored")
    first = with_extra(result, path, [metric(overlap, "old")], 0.5, resamples=9)
    second = with_extra(first, path, [metric(overlap, "new")], 0.5, resamples=9)
    assert set(second.extra_metrics) == {"old", "new"}
    assert with_extra(second, path, [], 0.5) is second


def test_a_result_without_items_says_so_and_keeps_what_it_has(copied):
    path = copied("random")
    result = results.read(path, "stored")
    had = with_extra(result, path, [metric(overlap, "old")], 0.5, resamples=9)
    results.items_path(path).unlink()
    metrics = [metric(overlap, "old"), metric(overlap, "new")]
    found = with_extra(had, path, metrics, 0.5, resamples=9).extra_metrics
    assert found["old"] == had.extra_metrics["old"]
    assert found["new"]["value"] is None and "is gone" in found["new"]["reason"]


def test_what_has_no_scores_has_no_figure(copied):
    path = copied("deaf")
    result = results.read(path, "stored")
    assert result.status == "failed"
    assert with_extra(result, path, [metric(overlap)], 0.5) is result


def test_the_schema_knows_them_and_results_without(copied):
    path = copied("random")
    result = results.read(path, "stored")
    more = with_extra(result, path, [metric(overlap), metric(5, "broken")], 0.5, resamples=9)
    document = results.to_json(more)
    schema.validate(document, "it", "")
    for change in (
        {"value": "high"}, {"n_pairs": -1}, {"reason": None}, {"surplus": 1}, {"version": 3},
    ):  # fmt: skip
        wrong = copy.deepcopy(document)
        wrong["extra_metrics"]["mine"] |= change
        with pytest.raises(DataError, match="extra_metrics"):
            schema.validate(wrong, "it", "")


# --- runs -------------------------------------------------------------------------------------


def test_a_run_measures_by_them_too(world, monkeypatch):
    monkeypatch.setattr(runner, "evaluate", partial(evaluate, resamples=8))
    monkeypatch.setattr("sedbench.runner.with_extra", partial(with_extra, resamples=8))
    work = world.work()
    identity = work.identity(work.methods[0])
    (plain,) = runner.run(work)
    asked = len(world.asked)
    (result,) = runner.run(world.work(), metrics=[metric(overlap), metric(5, "broken")])
    assert len(world.asked) == asked and result.origin == "stored"  # no method ran again
    assert result.extra_metrics["mine"]["value"] > 0.5
    assert result.extra_metrics["broken"]["reason"]
    assert result.provenance["identity"] == identity
    assert replace(result, extra_metrics={}, origin="measured") == plain
    assert results.read(work.path(work.methods[0]), "stored") == result
    world.forget()
    (again,) = runner.run(world.work(overwrite="always"), metrics=[metric(overlap)])
    assert set(again.extra_metrics) == {"mine"}
    assert again.extra_metrics["mine"] == result.extra_metrics["mine"]


def test_only_metrics_of_others_are_extra():
    known = Registry()
    for name, distribution in (("iou", registry.BUILT_IN), ("b", "other"), ("a", "other")):
        info = MetricInfo(name, "a test")
        known.entries["metrics"][name] = Entry(info, lambda: overlap, "p", distribution, "2")
    found = lookup.extra_metrics(known)
    assert [(m.info.name, m.distribution, m.version) for m in found] == [
        ("a", "other", "2"),
        ("b", "other", "2"),
    ]
    assert set(PER_PAIR) == {"scores", "masks"}
    assert lookup.extra_metrics(registry.built_in()) == ()


# --- boards -----------------------------------------------------------------------------------


def test_a_board_keeps_none_and_is_not_disturbed(measured_world, copied, tmp_path, monkeypatch):
    few = partial(evidence.recompute, resamples=measured_world.resamples)
    monkeypatch.setattr(evidence, "recompute", few)
    known = Known({"tones": load_task(measured_world.task)}.get, measured_world.infos.get)
    board = tmp_path / "leaderboard"
    path = copied("ear-method")
    plain = results.read(path, "stored")
    assert add([path], board, known).added
    # The same result with figures of a plugin is the same result to a board.
    more = with_extra(plain, path, [metric(overlap)], 0.5, resamples=9)
    keep(more, plain, path)
    assert "extra_metrics" in json.loads(path.read_text())
    done = add([path], board, known)
    assert done.unchanged and not done.problems
    (held,) = (board / "results").rglob("*.json")
    document = json.loads(held.read_text())
    assert "extra_metrics" not in document
    # One that stands in a file all the same is not asked for anything, whatever it says.
    monkeypatch.setattr(registry, "registry", lambda: pytest.fail("a plugin was looked up"))
    absurd = {"mine": {**more.extra_metrics["mine"], "value": -17.0}}
    document = {**document, "extra_metrics": absurd}
    held.write_bytes(results.dumps({**document, "digest": digest(document)}))
    report = check(board, known)
    assert report.ok and report.recomputed == 1, report.problems


# --- tables -----------------------------------------------------------------------------------


def printed(rows: list[Result], width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(tables(rows, (), (), width))
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def test_they_have_a_table_of_their_own_that_sorts_nothing(copied):
    rows = []
    for name in ("random", "oracle"):
        path = copied(name)
        result = results.read(path, "stored")
        backwards = metric(
            lambda truth, mask: 900.0 - 100 * overlap(mask, truth), "backwards",
            high=1000.0, unit="ms", higher_is_better=True,
        )  # fmt: skip
        broken = metric(leaving, "broken")
        rows.append(with_extra(result, path, [backwards, broken], 0.5, resamples=9))
    told = printed(rows)
    plain = printed([replace(row, extra_metrics={}) for row in rows])
    assert "Metrics of plugins" not in plain
    head, _, rest = told.partition("Metrics of plugins, shown and never ranked")
    assert plain.startswith(head.rstrip())  # the board itself is as it was
    assert rest.index("oracle") < rest.index("random")  # in its order, though random has more
    assert "backwards" in rest and "ms" in rest and "800" in rest
    assert "backwards: higher is better, at the threshold chosen on validation; its-pack" in rest
    assert "Doubt: broken of its-package 1.2: it raised SystemExit: 3" in rest
    assert "(oracle" not in rest  # wrong for every row


@pytest.mark.parametrize("width", [40, 80, 200])
def test_many_of_them_fit_any_console(copied, width):
    path = copied("random")
    result = results.read(path, "stored")
    metrics = [metric(overlap, f"a-metric-of-mine-{i}") for i in range(7)]
    told = printed([with_extra(result, path, metrics, 0.5, resamples=9)], width)
    assert max(map(len, told.splitlines())) <= width
    for each in metrics:
        assert told.count(f"{each.info.name}\n") + told.count(f"{each.info.name} ") >= 1
    assert told.count(f"{result.spec} ") >= (3 if width == 80 else 2)
