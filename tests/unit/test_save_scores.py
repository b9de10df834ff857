"""Scores on disk: their form, what they say, and that saving them computes nothing twice."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sedbench import api, runner
from sedbench.data.index import write_index
from sedbench.data.score_tables import table_text
from sedbench.errors import DataError, SedbenchError, UsageError
from sedbench.metrics.scores import ScoreTable
from sedbench.models import weights
from sedbench.progress import Quiet
from sedbench.protocol import evaluate
from sedbench.refs import MethodRef, ModelRef
from sedbench.score_files import EveryClass, end_to_end, file_name, write
from sedbench.splits import Splits
from sedbench.types import Answer, FrameGrid, FrameScores, Query
from sedbench_plugins.baselines import ALWAYS_ON, ORACLE, AlwaysOn, Oracle

cloudpickle.register_pickle_by_value(sys.modules[__name__])
World = Any  # of conftest.py
GRID = FrameGrid(0.35, 0.1)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are tested elsewhere, and cost time."""
    monkeypatch.setattr(runner, "evaluate", partial(evaluate, resamples=4))


def found(scores: Any, detected: Any, **other: Any) -> EveryClass:
    values = np.array(scores, np.float32)
    clips, classes, _ = values.shape
    names = tuple(f"test-{i:04d}" for i in range(clips))
    fields = {"asked": np.ones((clips, classes), bool), **other}
    labels = ("Cat", "Dog", "Bell")[:classes]
    return EveryClass(names, labels, GRID, values, detected=np.array(detected), **fields)


def read(path: Path) -> pandas.DataFrame:
    """Read a table as the package that it is written for does, with the same checks."""
    frame = pandas.read_csv(path, sep="\t")
    assert list(frame.columns[:2]) == ["onset", "offset"]
    onset, offset = frame["onset"].to_numpy(), frame["offset"].to_numpy()
    assert (onset < offset).all() and (offset[:-1] == onset[1:]).all()
    return frame


# --- one table --------------------------------------------------------------------------------


def test_a_table_has_a_row_a_frame_and_a_column_a_class() -> None:
    values = np.array([[0.1, 0.2, 1 / 3, 0], [1e-9, 1, 0.5, 7]], np.float32)
    table = ScoreTable(("Cat", "Dog"), values.T, np.round(GRID.edges, 6))
    assert table_text(table).splitlines() == [
        "onset\toffset\tCat\tDog",
        "0.0\t0.1\t0.1\t1e-09",
        "0.1\t0.2\t0.2\t1.0",
        "0.2\t0.3\t0.33333334\t0.5",
        "0.3\t0.35\t0.0\t7.0",
    ]


@given(st.lists(st.floats(0, 1e6, width=32), min_size=4, max_size=4))
def test_what_is_written_reads_back(scores: list[float]) -> None:
    values = np.array([scores], np.float32).T
    text = table_text(ScoreTable(("Dog",), values, np.round(GRID.edges, 6)))
    rows = list(csv.reader(text.splitlines(keepends=True), delimiter="\t"))
    assert [float(np.float32(row[2])) for row in rows[1:]] == scores


@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_no_clip_can_leave_the_folder_or_take_anothers_place(one: str, other: str) -> None:
    root = Path("/folder")
    for name in (file_name(one), file_name(other)):
        assert (root / name).parent == root and Path(name).name == name
        assert name.endswith(".tsv") and not name.startswith(".") and "\0" not in name
    assert (file_name(one) == file_name(other)) is (one == other)


@pytest.mark.parametrize(
    ("clip", "name"),
    [
        ("test-0003@snr=0", "test-0003@snr=0.tsv"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.tsv"),
        ("..", "%2E..tsv"),
        ("a%2Fb", "a%252Fb.tsv"),
        ("C:\\x", "C%3A%5Cx.tsv"),
    ],
)
def test_file_names(clip: str, name: str) -> None:
    assert file_name(clip) == name


# --- what the scores say ----------------------------------------------------------------------


def test_clip_probability_times_the_share_of_the_largest() -> None:
    every = found([[[2, 4, 1, -3], [5, 5, 5, 5]], [[1, 2, 3, 4], [-1, -2, -3, -4]]],
                  [[0.75, 0.5], [0.25, 0.875]])  # fmt: skip
    got = end_to_end(every, 0.5)
    assert got[0, 0].tolist() == [0.375, 0.75, 0.1875, 0.0]
    assert not got[0, 1].any()  # not detected: p is not above the decision
    assert not got[1, 0].any()
    assert not got[1, 1].any()  # detected, and no evidence anywhere
    loud = end_to_end(found([[[5, 5, 5, 5]]], [[0.75]]), 0.5)
    assert set(loud.ravel().tolist()) == {0.75}  # the same everywhere: active throughout, or not


def test_a_mask_is_all_or_nothing_and_the_unasked_score_nothing() -> None:
    mask = np.array([[[True, False, False, True], [True] * 4]])
    got = end_to_end(found([[[1, 2, 3, 4]] * 2], [[0.75, 0.75]], mask=mask), 0.5)
    assert got[0, 0].tolist() == [0.75, 0, 0, 0.75]
    asked = np.array([[True, False]])
    got = end_to_end(found([[[1, 2, 3, 4]] * 2], [[0.75, 0.75]], asked=asked), 0.5)
    assert got[0, 0].any() and not got[0, 1].any()


@given(st.lists(st.floats(-10, 10, width=32), min_size=4, max_size=4), st.floats(0.6, 1))
def test_a_level_on_the_scores_is_the_policy_relative(scores: list[float], p: float) -> None:
    got = end_to_end(found([[scores]], [[p]]), 0.5)[0, 0].astype(float)
    assert (got >= 0).all() and (got <= p * (1 + 2**-10)).all()
    if max(scores) > 0:
        assert got.max() == pytest.approx(p, rel=2**-10)
        expected = p * np.maximum(np.array(scores, float), 0) / max(scores)
        np.testing.assert_allclose(got, expected, rtol=2**-10, atol=1e-37)


# --- writing a folder -------------------------------------------------------------------------


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_tables_replace_those_of_an_earlier_run(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    two, one = found([[[1, 2, 3, 4]]] * 2, [[1], [1]]), found([[[4, 3, 2, 1]]], [[1]])
    seen: list[int] = []
    write(folder, two, two.scores, seen.append)
    assert sum(seen) == 2 and list(files(folder)) == ["test-0000.tsv", "test-0001.tsv"]
    write(folder, one, one.scores)
    assert list(files(folder)) == ["test-0000.tsv"]  # no table of a clip that is no longer there
    assert read(folder / "test-0000.tsv")["Cat"].tolist() == [4, 3, 2, 1]
    assert [p.name for p in folder.parent.iterdir()] == ["b"]


def test_an_interruption_leaves_the_earlier_tables(tmp_path: Path) -> None:
    two = found([[[1, 2, 3, 4]]] * 2, [[1], [1]])
    write(tmp_path / "b", two, two.scores)
    before = files(tmp_path / "b")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "b", two, two.scores * 2, stop)
    assert files(tmp_path / "b") == before
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("strange", ["notes.txt", "deeper", "link", "file"])
def test_what_is_somebody_elses_is_left_alone(tmp_path: Path, strange: str) -> None:
    every, folder = found([[[1, 2, 3, 4]]], [[1]]), tmp_path / "b"
    if strange == "file":
        folder.write_text("mine")
    elif strange == "link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir()
        (folder / "deeper").mkdir() if strange == "deeper" else (folder / strange).touch()
    with pytest.raises(DataError, match="no table of scores") as caught:
        write(folder, every, every.scores)
    assert "--scores-dir" in caught.value.hint
    assert folder.exists() and not list(tmp_path.rglob("*.tsv"))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    every = found([[[1, 2, 3, 4]]], [[1]])
    with pytest.raises(DataError, match="cannot write") as caught:
        write(tmp_path / "file" / "b", every, every.scores)
    assert "--scores-dir" in caught.value.hint


# --- whole runs -------------------------------------------------------------------------------


class Framewise:
    """A detector that has something to say of every class, and notes what it was asked."""

    asked: list[tuple[str, int]] = []  # noqa: RUF012 - of the test that clears it

    def answer(self, query: Query, model: Any) -> Answer:
        self.asked += [(query.clip_ids[clip], label) for clip, label in query.pairs.tolist()]
        number = [int(name[-4:]) for name in query.clip_ids]
        values = [[(number[c] + 1) / 16 + k / 64] * 10 for c, k in query.pairs.tolist()]
        scores = FrameScores(np.array(values, np.float32).reshape(-1, 10), query.grid.edges)
        return Answer(scores, 0.1, decisions=np.zeros((len(query.clip_ids), 2)))


def tables(world: World, method: str = "*") -> dict[str, pandas.DataFrame]:
    paths = (world.folder / "scores" / "tones").glob(f"*/{method}/*/*.tsv")
    return {path.stem: read(path) for path in sorted(paths)}


def test_a_detector_is_written_as_it_is_for_every_class(world: World) -> None:
    Framewise.asked.clear()
    detector = world.method(Framewise, "framewise", kind="detector")
    (result,) = runner.run(world.work(detector, scores=world.folder / "scores"))
    assert result.status == "ok", result.reason
    got = tables(world)
    assert list(got) == [f"test-{i:04d}" for i in range(12)]
    for i, table in enumerate(got.values()):
        assert list(table.columns) == ["onset", "offset", "Low", "High"]
        assert table["offset"].tolist() == [round(0.1 * k, 1) for k in range(1, 11)]
        assert set(table["Low"]) == {(i + 1) / 16}  # though it decided that nothing is there
        assert set(table["High"]) == {(i + 1) / 16 + 1 / 64}
    on_test = [each for each in Framewise.asked if each[0].startswith("test")]
    assert sorted(on_test) == [(f"test-{i:04d}", k) for i in range(12) for k in (0, 1)]  # each once


def hearing(world: World, work: Any) -> Any:
    splits = Splits(work, Quiet())
    splits.detected("test")
    return splits.scored(work.methods[0], "test")[0].detected


def test_an_attribution_is_written_end_to_end(world: World) -> None:
    work = world.work(scores=world.folder / "scores")
    (result,) = runner.run(work)
    assert result.status == "ok", result.reason
    detected = hearing(world, work)
    assert (detected > 0.5).any() and (detected < 0.5).any()
    for row, table in zip(detected, tables(world).values(), strict=True):
        for p, label in zip(row, ("Low", "High"), strict=True):
            scores = table[label].to_numpy()
            if p > 0.5:
                assert scores.max() == pytest.approx(p, rel=2**-10) and scores.min() >= 0
            else:
                assert not scores.any()


class Everywhere:
    """Scores that tell the pair, for any pair."""

    def answer(self, query: Query, model: Any) -> Answer:
        values = np.linspace(0.1, 1, query.grid.n_frames)[None] * (query.pairs[:, 1:] + 1)
        return Answer(FrameScores(values, query.grid.edges), 0.1)


def test_a_class_that_is_detected_and_absent_has_scores_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = world.work(world.method(Everywhere, "everywhere"), scores=world.folder / "scores")
    splits = Splits(work, Quiet())
    splits.detected("test")
    for key in splits._detected:
        splits._detected[key] = np.full_like(splits._detected[key], 0.75)
    every = splits.every_class(work.methods[0], "test")
    assert every.asked.all()
    np.testing.assert_allclose(every.scores[:, 1], 2 * every.scores[:, 0], rtol=1e-3)
    got = end_to_end(every, 0.5)
    assert (got[:, :, -1] == 0.75).all() and (np.diff(got) > 0).all()
    for key in splits._detected:
        splits._detected[key] = np.zeros_like(splits._detected[key])
    splits._scored.clear()
    assert not end_to_end(splits.every_class(work.methods[0], "test"), 0.5).any()


def test_the_oracle_and_always_on_follow_the_classifiers_decision(world: World) -> None:
    oracle = MethodRef(ORACLE, "oracle", {}, Oracle)
    always = MethodRef(ALWAYS_ON, "always-on", {}, AlwaysOn)
    work = world.work(oracle, always, scores=world.folder / "scores", limit=6)
    assert [r.status for r in runner.run(work)] == ["ok", "ok"]
    detected = hearing(world, work)
    known = Splits(work, Quiet()).scored(oracle, "test")[0]
    for i, (name, table) in enumerate(tables(world, "oracle").items()):
        on = tables(world, "always-on")[name]
        for k, label in enumerate(("Low", "High")):
            p = detected[i, k] if detected[i, k] > 0.5 else 0.0
            assert on[label].tolist() == pytest.approx([p] * 10, rel=2**-10)
            pair = (known.table.clip == i) & (known.table.label == k)
            truth = known.table.truths["extent"][pair].any(0)  # of none: nowhere
            assert (table[label].to_numpy() > 0).tolist() == (truth & (p > 0)).tolist()


def test_a_stored_result_is_saved_without_asking_again(world: World) -> None:
    runner.run(world.work())
    world.asked.clear()
    plain = world.work()
    identity = plain.identity(plain.methods[0])
    work = world.work(scores=world.folder / "scores")
    assert work.identity(work.methods[0]) == identity
    (result,) = runner.run(work)
    assert result.origin == "stored" and len(tables(world)) == 12
    absent = len(world.asked)  # classes that the classifier hears in a clip without them
    runner.run(work)
    assert len(world.asked) == absent <= 2
    runner.run(world.work(scores=world.folder / "scores", overwrite="always"))
    assert len(world.asked) == 2 * absent + 12 + 10  # what was asked now is not asked again


def test_a_limited_run_has_a_folder_of_its_own(world: World) -> None:
    scores = world.folder / "scores"
    runner.run(world.work(scores=scores))
    runner.run(world.work(scores=scores, limit=5))
    folders = sorted((scores / "tones").glob("*/ear-method/*"))
    assert sorted(len(list(f.iterdir())) for f in folders) == [5, 12]


def in_folds(world: World) -> tuple[ModelRef, ...]:
    """Turn the toy task into one of three folds; the classifiers of its rotations."""
    scenes = [world.soundscape("test", i) for i in range(12)]
    digest = write_index(world.task.parent / "test.csv", scenes)
    text = world.task.read_text().partition("\n[splits.")[0] + "\n[folds]\ncount = 3\n"
    text += f'\n[splits.test]\nindex = "test.csv"\nclips = 12\nsha256 = "{digest}"\n'
    world.task.write_text(text)
    made = []
    for k in range(3):
        path = weights.local_root("ear") / "tones" / f"classifier-s0-f{k}.safetensors"
        sha256 = weights.save(path, {"gain": torch.full((2,), 1.0 + k)}, {"validation": {}})
        made.append(replace(world.model(), weights=(("classifier", sha256),), fold=k))
    return tuple(made)


def test_a_task_in_folds_is_saved_in_the_order_of_its_index(world: World) -> None:
    models = in_folds(world)
    work = world.work(models=models, scores=world.folder / "scores")
    (result,) = runner.run(work)
    assert result.status == "ok", result.reason
    detected = hearing(world, work)  # by each rotation's own classifier
    got = tables(world)
    assert list(got) == [f"test-{i:04d}" for i in range(12)]
    for row, table in zip(detected, got.values(), strict=True):
        most = table[["Low", "High"]].to_numpy().max(0)
        assert most == pytest.approx(np.where(row > 0.5, row, 0), rel=2**-10)


class Shy:
    """Fails where it is asked about a class that is not there."""

    def answer(self, query: Query, model: Any) -> Answer:
        if len(query.pairs) < 8 or query.clip_ids[0] == "test-0008":
            raise ZeroDivisionError("by nothing")
        return Everywhere().answer(query, model)


def test_what_fails_while_it_is_saved_is_said_and_the_result_stays(world: World) -> None:
    class Absent(Framewise):
        def answer(self, query: Query, model: Any) -> Answer:
            if {label for _, label in query.pairs.tolist()} and "test-0001" in query.clip_ids:
                labels = dict(query.pairs.tolist())
                if labels.get(1) == 0:  # the second clip holds the other class
                    raise ZeroDivisionError("by nothing")
            return super().answer(query, model)

    detector = world.method(Absent, "absent", kind="detector")
    work = world.work(detector, scores=world.folder / "scores")
    with pytest.raises(SedbenchError, match=r"scores of absent were not saved.*by nothing"):
        runner.run(work)
    assert work.path(detector).exists() and not tables(world)
    (result,) = runner.run(world.work(detector))
    assert (result.status, result.origin) == ("ok", "stored")


def test_a_method_without_a_result_saves_nothing(world: World) -> None:
    (result,) = runner.run(world.work(world.method(Shy, "shy"), scores=world.folder / "scores"))
    assert result.status == "failed" and not (world.folder / "scores").exists()


@pytest.mark.parametrize(
    "options", [{"save_scores": "csv"}, {"scores_dir": Path("somewhere")}]
)  # fmt: skip
def test_options_that_mean_nothing(options: Any) -> None:
    with pytest.raises(UsageError, match="save"):
        api.prepare(["random"], **options)
