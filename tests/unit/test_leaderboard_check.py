"""What a board refuses, and what it keeps: the toy world's results, honest and tampered with."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sedbench import files, items, results, schema
from sedbench.errors import DataError, MissingDataError, UsageError
from sedbench.leaderboard import evidence
from sedbench.leaderboard.adding import add
from sedbench.leaderboard.checking import Report, check
from sedbench.leaderboard.claims import Known
from sedbench.leaderboard.documents import digest
from sedbench.leaderboard.evidence import recompute
from sedbench.protocol import Scored
from sedbench.taskfile import load_task

World = Any  # of conftest.py
Document = dict[str, Any]
METHOD = "ear-method"
RESAMPLES = 40  # as the toy world was measured with; a real result is checked in tests/cli


_FIGURES: dict[str, Document] = {}


def remembered(validation: Scored, test: Scored, **options: Any) -> Document:
    """The figures of items, worked out once: most tests here change something else."""
    told = repr(sorted(options.items())).encode()
    key = files.sha256(items.pack(validation, test) + told)
    if key not in _FIGURES:
        _FIGURES[key] = recompute(validation, test, **options, resamples=RESAMPLES)
    return copy.deepcopy(_FIGURES[key])


@pytest.fixture(autouse=True)
def figures_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "recompute", remembered)


@pytest.fixture(scope="module")
def known(measured_world: World) -> Known:
    task = load_task(measured_world.task)
    return Known({"tones": task}.get, measured_world.infos.get)


@pytest.fixture(scope="module")
def made(measured_world: World, known: Known, tmp_path_factory: Any) -> Path:
    """A board with every result of the world, as `add` puts them there."""
    folder = tmp_path_factory.mktemp("board") / "leaderboard"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "recompute", remembered)
        done = add([measured_world.folder / "results"], folder, known)
    assert not done.problems and len(done.added) == 6
    return folder


@pytest.fixture
def board(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "leaderboard")


@pytest.fixture
def lone(board: Path) -> Path:
    """A board with a single result, which is quick to check again and again."""
    for path in board.glob("results/*/*/*/*"):
        if path.stem.partition(".")[0] != file_of(board).stem:
            path.unlink()
    return board


def file_of(board: Path, method: str = METHOD) -> Path:
    (found,) = [
        p
        for p in board.glob(f"results/*/*/{method}/*.json")
        if json.loads(p.read_text())["limited"] is None
    ]
    return found


def read(path: Path) -> Document:
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def write(path: Path, document: Document, *, digested: bool) -> None:
    """Write a changed result, with the digest of what it says now or with the old one."""
    if digested:
        document = {**document, "digest": digest(document)}
    path.write_bytes(results.dumps(document))


def index(board: Path) -> None:
    """Record the digests of all results, as `build` does."""
    found = {
        p.relative_to(board / "results").as_posix(): digest(read(p))
        for p in sorted(board.glob("results/*/*/*/*.json"))
    }
    (board / "leaderboard.json").write_text(json.dumps({"digests": found}))


def commit(board: Path) -> None:
    """Put the board into a git repository of its own."""
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "-m", "board"],
    ):
        subprocess.run(["git", "-C", str(board), *words], check=True, capture_output=True)


def places(report: Report, path: Path) -> set[str]:
    """The fields that were refused of one file."""
    return {p.field for p in report.problems if p.file.endswith(path.name)}


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every plain value, of lists and of package versions those of one entry."""
    if isinstance(value, dict) and value:
        keys = list(value)
        if place[-1:] == ("packages",):
            keys = keys[:1]
        for key in keys:
            yield from leaves(value[key], (*place, key))
    elif isinstance(value, list) and value:
        yield from leaves(value[len(value) // 2], (*place, len(value) // 2))
    else:
        yield place


def flipped(value: Any) -> Any:
    """Another value of the same form."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value + 0.001 if value < 0.5 else value - 0.001
    if isinstance(value, str):
        last = {"0": "1", "a": "b"}.get(value[-1:], "0")
        return value[:-1] + last if value else "x"
    if isinstance(value, dict):
        return {"x": 1}
    return [1] if isinstance(value, list) else 1  # of null, and of what is empty


def changed(document: Document, place: tuple[Any, ...], edit: Callable[[Any], Any]) -> Document:
    found = copy.deepcopy(document)
    at: Any = found
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = edit(at[place[-1]])
    return found


def without(document: Document, place: tuple[Any, ...]) -> Document:
    found = copy.deepcopy(document)
    at: Any = found
    for key in place[:-1]:
        at = at[key]
    del at[place[-1]]
    return found


def test_honest_results_pass(board, known):
    report = check(board, known)
    assert report.problems == ()
    assert (report.checked, report.recomputed, report.stale) == (6, 5, {})
    index(board)
    commit(board)
    assert check(board, known, base="HEAD").ok


FIELDS = sorted(set(schema.result_schema()["properties"]) - {"digest", "supersedes"})
# What no item and nothing installed can show: a changed value passes where its digest is
# computed again and nobody kept the old one.
ON_TRUST = {"diagnostics", "resolution", "equals", "provenance", "cost", "task_fingerprint"}


@pytest.mark.parametrize("name", FIELDS)
def test_an_edit_is_refused_by_its_digest(name, lone, known):
    board = lone
    path = file_of(board)
    original = read(path)
    document = {k: v for k, v in original.items() if k != "digest"}
    for place in leaves(document.get(name), (name,)):
        edited = changed({**document, name: document.get(name)}, place, flipped)
        write(path, {**edited, "digest": original["digest"]}, digested=False)
        report = check(board, known, paths=[path])
        assert not report.ok, place
        assert all(p.file.endswith(path.name) and p.message for p in report.problems)


def test_an_edited_digest_is_refused(lone, known):
    path = file_of(lone)
    document = read(path)
    write(path, {**document, "digest": flipped(document["digest"])}, digested=False)
    assert places(check(lone, known), path) == {"digest"}
    write(path, {**document, "digest": document["digest"].upper()}, digested=False)
    assert places(check(lone, known), path) == {"digest"}


@pytest.mark.parametrize("name", FIELDS)
def test_an_edit_with_a_digest_that_agrees_is_refused(name, lone, known):
    board = lone
    index(board)
    commit(board)
    path = file_of(board)
    document = read(path)
    for place in leaves(document.get(name), (name,)):
        there = {name: None, "equals": "", **document}
        write(path, changed(there, place, flipped), digested=True)
        index(board)  # whoever edits a result can edit what lies beside it
        report = check(board, known, paths=[path], base="HEAD")
        assert not report.ok, place
        if name not in ON_TRUST:
            (board / "leaderboard.json").unlink()
            alone = check(board, known, paths=[path])
            assert not alone.ok, f"{place} is recomputed from nothing"


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_missing_is_refused(name, lone, known):
    board = lone
    index(board)
    commit(board)
    path = file_of(board)
    document = read(path)
    for place in leaves(document[name], (name,)) if name in document else ():
        write(path, without(document, place), digested=True)
        assert not check(board, known, paths=[path], base="HEAD").ok, place


def test_every_figure_of_a_record_is_worked_out_again(lone, known):
    board = lone
    path = file_of(board)
    document = read(path)
    known_ones = [i for i, r in enumerate(document["scores"]) if r["ci_low"] is not None]
    for number in known_ones[:: len(known_ones) // 2]:
        for field in document["scores"][number]:
            write(path, changed(document, ("scores", number, field), flipped), digested=True)
            found = places(check(board, known, paths=[path]), path)
            assert f"scores[{number}].{field}" in found


def test_an_error_names_the_file_the_field_and_the_figure(board, known):
    path = file_of(board)
    document = read(path)
    said = document["scores"][3]["value"]
    write(path, changed(document, ("scores", 3, "value"), lambda v: v - 0.01), digested=True)
    (problem,) = check(board, known, paths=[path]).problems
    assert problem.file == path.relative_to(board / "results").as_posix()
    assert problem.field == "scores[3].value"
    assert repr(said) in problem.message and repr(said - 0.01) in problem.message
    assert document["scores"][3]["metric"] in problem.message


def test_a_rounding_error_is_none_and_more_is(lone, known):
    board = lone
    path = file_of(board)
    document = read(path)
    for change, ok in ((5e-10, True), (2e-9, False)):
        write(
            path,
            changed(document, ("scores", 0, "value"), lambda v, c=change: v - c),
            digested=True,
        )
        assert check(board, known, paths=[path]).ok is ok


def test_what_is_undefined_is_not_zero_and_a_truth_value_is_no_number(board, known):
    path = file_of(board)
    document = read(path)
    write(path, changed(document, ("scores", 0, "ci_low"), lambda v: None), digested=True)
    assert places(check(board, known, paths=[path]), path) == {"scores[0].ci_low"}
    assert document["pairs"]["complete"] is True
    write(path, changed(document, ("pairs", "complete"), lambda v: 1), digested=True)
    assert places(check(board, known, paths=[path]), path) == {"pairs.complete"}


def test_records_that_are_left_out_repeated_or_in_another_order(lone, known):
    board = lone
    path = file_of(board)
    document = read(path)
    for scores in (
        document["scores"][1:],
        [*document["scores"], document["scores"][0]],
        document["scores"][::-1],
    ):
        write(path, {**document, "scores": scores}, digested=True)
        assert not check(board, known, paths=[path]).ok


def test_reformatting_changes_nothing(board, known):
    index(board)
    commit(board)
    path = file_of(board)
    document = read(path)
    value = document["pairs"]["expected"]
    # Another order of keys, another indent, a whole number with a point, escapes.
    text = json.dumps(dict(sorted(document.items(), reverse=True)), indent=7)
    text = text.replace(f'"expected": {value},', f'"expected": {value}.0,').replace("m", "\\u006d")
    path.write_text(text)
    assert check(board, known, base="HEAD").ok


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace('"seed": 0', '"seed": 0, "seed": 0'),
        lambda text: text.replace('"resolution": 0.1', '"resolution": NaN'),
        lambda text: text.replace('"resolution": 0.1', '"resolution": 1e999'),
        lambda text: text[:-3],
        lambda text: "[" * 100_000,
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
    ],
    ids=["key twice", "NaN", "overflow", "cut off", "deep", "empty", "a list", "newer schema"],
)
def test_what_is_no_result_is_refused(edit, lone, known):
    board = lone
    path = file_of(board)
    text = path.read_text()
    assert edit(text) != text
    path.write_text(edit(text))
    report = check(board, known)
    assert [p.file for p in report.problems] == [path.relative_to(board / "results").as_posix()]


def repack(
    path: Path,
    edit: Callable[[Scored, Scored], tuple[Scored, Scored]],
    *,
    figures: bool,
    task: Any = None,
) -> None:
    """Change the items of a result, its hash with them, and its figures too if asked."""
    document = read(path)
    held = results.read(path, "shipped")
    validation, test = edit(*results.read_items(path, held))
    content = items.pack(validation, test)
    results.items_path(path).write_bytes(content)
    document["items"]["sha256"] = files.sha256(content)
    if figures:
        found = remembered(validation, test, primary="extent", decision=0.5)
        document |= json.loads(json.dumps(found))
        answered = int(test.scored.sum())
        for key in ("forward", "backward", "seconds", "cpu_seconds"):
            if document["cost"].get(key) is not None:
                document["cost"][f"{key}_per_pair"] = document["cost"][key] / answered
    write(path, document, digested=True)


def other_scores(validation: Scored, test: Scored) -> tuple[Scored, Scored]:
    return validation, replace(test, scores=test.scores[:, ::-1].copy())


def test_items_that_were_edited(board, known):
    path = file_of(board)
    content = bytearray(results.items_path(path).read_bytes())
    content[len(content) // 2] ^= 1
    results.items_path(path).write_bytes(bytes(content))
    assert places(check(board, known), path) == {"items"}


def test_items_that_are_missing_or_anothers(board, known):
    path, other = file_of(board), file_of(board, "random")
    shutil.copy(results.items_path(other), results.items_path(path))
    assert places(check(board, known), path) == {"items"}
    document = read(path)
    document["items"] = read(other)["items"]
    write(path, document, digested=True)
    assert "items.file" in places(check(board, known), path)
    results.items_path(path).unlink()
    assert not check(board, known).ok


def test_other_frame_scores_do_not_give_the_figures(board, known):
    path = file_of(board)
    repack(path, other_scores, figures=False)
    assert any(place.startswith("scores[") for place in places(check(board, known), path))


def test_other_validation_scores_do_not_give_the_thresholds(board, known):
    path = file_of(board)
    repack(path, lambda v, t: (replace(v, scores=v.scores[:, ::-1].copy()), t), figures=False)
    assert any(place.startswith("thresholds") for place in places(check(board, known), path))


def test_invented_items_with_all_their_figures_change_a_result(board, known):
    # Nothing in a result shows where its frame scores came from; that it changed does.
    commit(board)
    path = file_of(board)
    repack(path, other_scores, figures=True)
    assert check(board, known).ok
    assert places(check(board, known, base="HEAD"), path) == {"supersedes"}


def moved(truths: Any) -> dict[str, Any]:
    return {**truths, "extent": np.roll(truths["extent"], 1, axis=1)}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_truth_that_is_not_the_indexs(split, board, known):
    def edit(validation: Scored, test: Scored) -> tuple[Scored, Scored]:
        both = {"validation": validation, "test": test}
        table = both[split].table
        both[split] = replace(both[split], table=replace(table, truths=moved(table.truths)))
        return both["validation"], both["test"]

    path = file_of(board)
    repack(path, edit, figures=True)
    found = [p for p in check(board, known).problems if p.file.endswith(path.name)]
    assert any("other times in the index" in p.message for p in found)


def test_a_truth_that_no_index_knows_is_compared_with_the_other_results(board, known):
    def edit(validation: Scored, test: Scored) -> tuple[Scored, Scored]:
        activity = test.table.truths["activity"].copy()
        activity[0, np.flatnonzero(activity[0])[0]] = False
        truths = {**test.table.truths, "activity": activity}
        return validation, replace(test, table=replace(test.table, truths=truths))

    path = file_of(board)
    repack(path, edit, figures=True)
    report = check(board, known)
    assert [p.file for p in report.problems] == [path.relative_to(board / "results").as_posix()]
    assert "truth" in report.problems[0].message
    assert not check(board, known, paths=[path]).ok


def test_fewer_clips_or_pairs_than_the_task_expects(board, known):
    def fewer(validation: Scored, test: Scored) -> tuple[Scored, Scored]:
        keep = np.ones(len(test.table.clip_ids), bool)
        keep[-1] = False
        return validation, test.subset(keep)

    path = file_of(board)
    repack(path, fewer, figures=True)
    problems = check(board, known, paths=[path]).problems
    assert any("11 test clips of 12" in problem.message for problem in problems)


def test_a_pair_that_was_not_scored(board, known):
    def skipped(validation: Scored, test: Scored) -> tuple[Scored, Scored]:
        scored = test.scored.copy()
        scored[np.flatnonzero(scored)[0]] = False
        return validation, replace(test, scored=scored)

    path = file_of(board)
    repack(path, skipped, figures=True)
    assert places(check(board, known), path) == {"pairs.scored"}


def test_a_limited_or_failed_result_is_kept(board, known):
    kept = [read(p) for p in board.glob("results/*/*/*/*.json")]
    assert [d["limited"] for d in kept if d["limited"]] == [6]
    assert [d["status"] for d in kept if d["status"] != "ok"] == ["failed"]
    assert check(board, known).ok


def test_a_failed_result_with_figures_is_refused(board, known):
    path = file_of(board)
    write(path, {**read(path), "status": "failed", "reason": "bad luck"}, digested=True)
    assert {"scores", "items", "thresholds"} <= places(check(board, known), path)


def test_a_result_in_another_place(board, known):
    path = file_of(board)
    for target in (
        path.with_name("other.json"),
        path.parent.parent / "elsewhere" / path.name,
        path.parents[2] / "other-model" / path.parent.name / path.name,
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        report = check(board, known)
        name = target.relative_to(board / "results").as_posix()
        assert [p for p in report.problems if p.file == name and "belongs to" in p.message]
        target.unlink()
    assert check(board, known).ok


def test_one_measurement_under_two_names(board, known):
    path = file_of(board, "always-on")  # which no seed changes
    document = {**read(path), "seed": 3}
    place = results.result_path(board / "results", "tones", "ear", "always-on", 3)
    content = results.items_path(path).read_bytes()
    results.items_path(place).write_bytes(content)
    document["items"]["file"] = results.items_path(place).name
    write(place, document, digested=True)
    (problem,) = check(board, known).problems
    assert problem.field == "provenance.identity" and path.name in problem.message


def test_files_that_belong_to_nothing(board, known):
    folder = file_of(board).parent
    (folder / "notes.txt").write_text("see here")
    (folder / "gone.items.npz").write_bytes(b"")
    (folder / ".x.json.12").write_text("{}")
    (board / "results" / "README.md").write_text("of the folder")
    found = {Path(p.file).name for p in check(board, known).problems}
    assert found == {"notes.txt", "gone.items.npz", ".x.json.12"}


def test_a_link_is_no_file(board, known, tmp_path):
    path = file_of(board)
    path.rename(tmp_path / "away.json")
    path.symlink_to(tmp_path / "away.json")
    assert [p.message for p in check(board, known).problems] == ["is a link, not a file"]


def test_a_stale_result_is_kept_and_said_to_be(board, known):
    task = known.task("tones")
    later = Known({"tones": replace(task, canonical=task.canonical + " ")}.get, known.method)
    report = check(board, later)
    assert report.ok
    assert len(report.stale) == 6 and "task changed" in next(iter(report.stale.values()))
    info = replace(known.method(METHOD), version=2)
    newer = Known(known.task, {METHOD: info}.get)
    assert {Path(n).parent.name for n in check(board, newer).stale} == {METHOD}


def test_a_stale_result_cannot_be_edited_either(board, known):
    task = known.task("tones")
    later = Known({"tones": replace(task, canonical=task.canonical + " ")}.get, known.method)
    path = file_of(board)
    write(path, changed(read(path), ("scores", 0, "value"), flipped), digested=True)
    assert places(check(board, later), path) == {"scores[0].value"}


def test_a_task_that_nobody_knows(board, known):
    report = check(board, Known({}.get, known.method))
    assert {p.field for p in report.problems} == {"task"}


def test_a_method_of_somebodys_own_is_welcome(board, known):
    assert check(board, Known(known.task, {}.get)).ok


def outdated(path: Path) -> Document:
    """Say that old metrics, of an old task, gave the figures; and invent one."""
    document = changed(read(path), ("provenance", "metrics_version"), lambda _: "0")
    document["task_fingerprint"] = "ab" * 32
    document["scores"][0]["value"] = 0.999
    return document


def test_what_cannot_be_worked_out_again_must_have_been_recorded(lone, known):
    path = file_of(lone)
    index(lone)
    write(path, outdated(path), digested=True)
    assert "provenance.metrics_version" in places(check(lone, known), path)
    index(lone)  # as if it had been there before the metrics changed
    assert check(lone, known).ok


def test_a_submission_cannot_record_it_itself(lone, known):
    path = file_of(lone)
    beside = results.items_path(path)
    document, items = read(path), beside.read_bytes()
    path.unlink()
    beside.unlink()
    index(lone)
    commit(lone)
    path.write_bytes(results.dumps(document))
    beside.write_bytes(items)
    write(path, outdated(path), digested=True)
    index(lone)
    found = check(lone, known, base="HEAD")
    assert "provenance.metrics_version" in places(found, path)


def test_other_weights_than_those_that_ship_are_not_ranked(board, known):
    said = read(file_of(board))["provenance"]["weights"]
    ships = Known(known.task, known.method, lambda task, model: dict(said))
    assert not check(board, ships).stale
    other = dict.fromkeys(said, "0" * 64)
    newer = Known(known.task, known.method, lambda task, model: other)
    reasons = set(check(board, newer).stale.values())
    assert reasons == {
        f"stale: measured with other weights than those that ship: {', '.join(said)}"
    }


FOLDERS = ("/ho" + "me/ann/x", "/scratch/ann/x", "/data/x.json", "~/x", "C:\\x", "\\\\host\\x")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_of_a_machine_is_refused(lone, known, folder):
    path = file_of(lone)
    edited = changed(read(path), ("provenance", "command"), lambda c: f"{c} --output {folder}")
    write(path, edited, digested=True)
    assert places(check(lone, known), path) == {"provenance.command"}


def test_a_platform_names_no_machine(lone, known):
    path = file_of(lone)
    told = {"platform": "Linux ann-laptop.example.org"}
    edited = changed(read(path), ("provenance", "environment"), lambda e: {**e, **told})
    write(path, edited, digested=True)
    assert places(check(lone, known), path) == {"provenance.environment.platform"}


def test_a_time_that_is_not_utc(lone, known):
    board = lone
    path = file_of(board)
    for text in ("2026-01-01T00:00:00+02:00", "2026-01-01T00:00:00", "yesterday"):
        write(
            path, changed(read(path), ("provenance", "started"), lambda v, t=text: t), digested=True
        )
        assert places(check(board, known), path) == {"provenance.started"}


def test_a_changed_result_that_names_the_one_it_supersedes(board, known):
    index(board)
    commit(board)
    path = file_of(board)
    before = read(path)
    repack(path, other_scores, figures=True)
    assert places(check(board, known), path) == {"supersedes"}
    write(path, {**read(path), "supersedes": digest(before)}, digested=True)
    assert check(board, known).ok and check(board, known, base="HEAD").ok
    write(path, {**read(path), "supersedes": "0" * 64}, digested=True)
    assert places(check(board, known, base="HEAD"), path) == {"supersedes"}


def test_a_result_that_went_away(board, known):
    index(board)
    path = file_of(board, "random")
    name = path.relative_to(board / "results").as_posix()
    gone = digest(read(path))
    path.unlink()
    results.items_path(path).unlink()
    assert [(p.file, "gone" in p.message) for p in check(board, known).problems] == [(name, True)]
    other = file_of(board)
    assert check(board, known, paths=[other]).ok  # not asked about that one
    # Another result may take its place, and has to say so.
    place = results.result_path(board / "results", "tones", "ear", "random", 5)
    shutil.copy(results.items_path(other), results.items_path(place))
    assert gone != digest(read(other))


def test_a_new_result_may_not_claim_to_supersede_what_never_was(board, known):
    index(board)
    path = file_of(board)
    recorded = json.loads((board / "leaderboard.json").read_text())
    del recorded["digests"][path.relative_to(board / "results").as_posix()]
    (board / "leaderboard.json").write_text(json.dumps(recorded))
    assert check(board, known).ok
    write(path, {**read(path), "supersedes": "0" * 64}, digested=True)
    assert places(check(board, known), path) == {"supersedes"}


def test_only_what_changed_is_worked_out_again(board, known):
    commit(board)
    assert check(board, known, base="HEAD", changed_only=True).recomputed == 0
    path = file_of(board)
    write(path, changed(read(path), ("scores", 0, "value"), flipped), digested=True)
    report = check(board, known, base="HEAD", changed_only=True)
    assert report.recomputed == 1
    assert places(report, path) == {"supersedes", "scores[0].value"}


def test_a_base_that_is_none(board, known, tmp_path):
    with pytest.raises(UsageError, match="git"):
        check(board, known, base="HEAD")
    commit(board)
    for name in ("nothing", "--help", "HEAD:results"):
        with pytest.raises(UsageError, match="git"):
            check(board, known, base=name)


def test_what_is_no_board(board, known, tmp_path):
    with pytest.raises(MissingDataError, match="no board"):
        check(tmp_path / "none", known)
    with pytest.raises(MissingDataError, match="no result of the board"):
        check(board, known, paths=[tmp_path / "other"])
    (board / "leaderboard.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read as a board"):
        check(board, known)


def test_a_path_may_be_a_folder_or_the_items(board, known):
    path = file_of(board)
    assert check(board, known, paths=[results.items_path(path)]).checked == 1
    assert check(board, known, paths=[path.parent]).checked == 2
    assert check(board, known, paths=[board]).checked == 6


def test_workers_say_the_same(board, known):
    path = file_of(board)
    results.items_path(path).write_bytes(b"")
    here, there = (check(board, known, figures=False, jobs=jobs) for jobs in (1, 2))
    assert here == there and places(here, path) == {"items"}
    from loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)
