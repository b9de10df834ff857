"""Ranks and pages from the results of the toy world, and of rows whose scores a test makes up."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sedbench import files, items, results
from sedbench.errors import DataError
from sedbench.leaderboard import building, evidence, markdown, page, ranking
from sedbench.leaderboard.adding import add
from sedbench.leaderboard.building import build
from sedbench.leaderboard.claims import Known
from sedbench.leaderboard.documents import digest
from sedbench.leaderboard.entries import results_folder, walk
from sedbench.leaderboard.evidence import recompute
from sedbench.leaderboard.markdown import facts, place
from sedbench.leaderboard.ranking import Standing, settings
from sedbench.leaderboard.rows import boards
from sedbench.taskfile import load_task

World = Any  # of conftest.py
FEW = 200  # replicates that ranks go by here
PAGES = ("leaderboard.json", "README.md", "index.html")


@pytest.fixture(autouse=True)
def few_resamples(measured_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    few = partial(recompute, resamples=measured_world.resamples)
    monkeypatch.setattr(evidence, "recompute", few)


@pytest.fixture(scope="module")
def known(measured_world: World) -> Known:
    return Known({"tones": load_task(measured_world.task)}.get, measured_world.infos.get)


@pytest.fixture(scope="module")
def made(measured_world: World, known: Known, tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("board") / "leaderboard"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "recompute", partial(recompute, resamples=40))
        assert not add([measured_world.folder / "results"], folder, known).problems
    return folder


@pytest.fixture
def board(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "leaderboard")


def built(board: Path, known: Known, **options: Any) -> dict[str, Any]:
    done = build(board, known, resamples=FEW, **options)
    assert not done.problems, done.problems
    found = json.loads((board / "leaderboard.json").read_text())
    assert isinstance(found, dict)
    return found


def row(held: dict[str, Any], method: str, number: int = 0) -> dict[str, Any]:
    """A method's row of the first table, the full run before the limited one."""
    (board,) = held["boards"]
    found = [r for r in (*board["rows"], *board["unranked"]) if r["method"] == method]
    return sorted(found, key=lambda r: r["rank"] is None)[number]


def twin(board: Path, name: str, edit: Any = None, **changes: Any) -> None:
    """Another method with the scores of the listening one, or scores made from them."""
    path = next(p for p in board.rglob("ear-method/*.json") if "limit" not in p.name)
    document = json.loads(path.read_text())
    validation, test = results.read_items(path, results.read(path, "shipped"))
    if edit is not None:
        validation, test = edit(validation), edit(test)
    content = items.pack(validation, test)
    document |= {"method": name, "spec": name, "params": {}, **changes}
    found = recompute(validation, test, primary="extent", decision=0.5, resamples=40)
    document |= json.loads(json.dumps(found))
    document["provenance"]["identity"] = files.sha256(name.encode())
    place = results.result_path(board / "results", "tones", "ear", name, 0)
    place.parent.mkdir()
    results.items_path(place).write_bytes(content)
    document["items"] = {
        "file": results.items_path(place).name,
        "sha256": files.sha256(content),
    }
    place.write_bytes(results.dumps({**document, "digest": digest(document)}))


def noisy(seed: int, strength: float) -> Any:
    def edit(scored: Any) -> Any:
        noise = np.random.default_rng([seed, len(scored.scores)]).normal(size=scored.scores.shape)
        mixed = scored.scores + strength * scored.scores.std() * noise
        return replace(scored, scores=mixed.astype(scored.scores.dtype))

    return edit


def test_who_is_ranked_and_why_the_others_are_not(board, known):
    held = built(board, known)
    (table,) = held["boards"]
    assert (table["task"], table["model"], table["task_version"]) == ("tones", "ear", 1)
    assert {r["method"] for r in table["rows"]} == {"ear-method", "random", "always-on"}
    assert row(held, "ear-method")["rank"] == 1
    assert row(held, "ear-method", 1)["reason"] == "limited to 6 clips"
    assert row(held, "oracle")["reason"] == ranking.ORACLE
    assert row(held, "deaf")["reason"].startswith("failed: ZeroDivisionError")
    values = [r["figures"]["iou"]["value"] for r in table["rows"]]
    assert values == sorted(values, reverse=True)
    assert [r["rank"] for r in table["rows"]] == sorted(r["rank"] for r in table["rows"])


def test_a_row_holds_what_the_result_says_and_where_it_lies(board, known):
    held = built(board, known)
    found = row(held, "ear-method")
    path = board / found["result"]
    document = json.loads(path.read_text())
    assert found["digest"] == document["digest"] == held["digests"][found["result"][8:]]
    assert (board / found["items"]).is_file()
    wanted = {"metric": "iou", "policy": "chosen", "view": "localisation", "smoothing": "none"}
    headline = next(r for r in document["scores"] if wanted.items() <= r.items())
    assert found["figures"]["iou"] == {k: headline[k] for k in ("value", "ci_low", "ci_high")}
    assert found["policy"] == document["thresholds"]["none"]["chosen"]
    assert row(held, "always-on")["policy"] == "own mask"
    cost = document["cost"]
    passes = cost["forward_per_pair"] + cost["backward_per_pair"]
    assert found["cost"]["passes_per_pair"] == passes


def test_methods_that_cannot_be_told_apart_share_a_rank(board, known):
    twin(board, "noisy-a", noisy(1, 1.0))
    twin(board, "noisy-b", noisy(2, 1.0))
    held = built(board, known)
    a, b = row(held, "noisy-a"), row(held, "noisy-b")
    assert a["figures"]["iou"]["value"] != b["figures"]["iou"]["value"]
    assert a["rank"] == b["rank"]
    assert row(held, "random")["rank"] > 1


def test_equal_scores_are_equal_whatever_they_are_called(board, known):
    twin(board, "echo", equals="the same")
    held = built(board, known)
    assert row(held, "echo")["rank"] == row(held, "ear-method")["rank"] == 1
    # One hypothesis, not two: nobody else's rank moves.
    shutil.rmtree(board / "results" / "tones" / Path(row(held, "echo")["result"]).parts[2] / "echo")
    (board / "leaderboard.json").unlink()
    assert row(built(board, known), "random")["rank"] == row(held, "random")["rank"]


def test_identical_by_construction_is_said_of_at_least_two(board, known):
    twin(board, "echo", equals="the same")
    assert row(built(board, known), "echo")["equals"] == ""
    twin(board, "chorus", noisy(1, 0.1), equals="the same")
    held = built(board, known)
    assert row(held, "echo")["equals"] == row(held, "chorus")["equals"] == "the same"
    assert row(held, "echo")["rank"] == row(held, "chorus")["rank"]
    assert "identical by construction (the same)" in (board / "README.md").read_text()


def test_about_other_pairs_than_the_rest(board, known):
    def deafer(scored: Any) -> Any:
        detected = scored.detected.copy()
        detected[0] = 0
        return replace(scored, detected=detected)

    twin(board, "elsewhere", deafer)
    assert "other pairs" in row(built(board, known), "elsewhere")["reason"]


def test_controls_are_shown_and_not_ranked(board, known):
    twin(board, "numb", noisy(1, 0.1))
    assert row(built(board, known), "numb")["rank"] is not None
    (board / "board.toml").write_text('[[control]]\nspec = "numb"\nreason = "it hears nothing"\n')
    found = row(built(board, known), "numb")
    assert found["rank"] is None and found["reason"].endswith("it hears nothing")


@pytest.mark.parametrize(
    "text",
    [
        "[[control]]\nspec = 'a'\n",
        "[[control]]\nspec = 1\nreason = 'b'\n",
        "x = 1\n",
        "[[",
        "order = 'a'\n",
        "order = [1]\n",
        "absent = ['a']\n",
        "[absent]\na = 1\n",
    ],
)
def test_settings_that_cannot_be(text, tmp_path):
    (tmp_path / "board.toml").write_text(text)
    with pytest.raises(DataError, match=r"board\.toml"):
        settings(tmp_path)


def test_tasks_of_the_settings_come_first(board, known):
    found, _ = walk(results_folder(board))
    two = [
        replace(entry, name=f"{task}/{entry.name}", document=entry.document | {"task": task})
        for entry in found
        for task in ("tones", "another")
    ]

    def tasks(first):
        placed = {entry.name: Standing(None, "") for entry in two}
        return [held["task"] for held in boards(two, placed, known, first)]

    assert tasks(()) == ["another", "tones"]
    assert tasks(("tones",)) == ["tones", "another"]
    assert tasks(("no-such-task", "tones")) == ["tones", "another"]


def test_every_table_is_in_the_contents_and_can_be_gone_to(board, known):
    held = built(board, known)
    (only,) = held["boards"]
    readme = (board / "README.md").read_text()
    page = (board / "index.html").read_text()
    assert f"](#{place(only)})" in readme and f'<a id="{place(only)}">' in readme
    assert f'href="#{place(only)}"' in page and f'id="{place(only)}"' in page


def test_a_table_says_what_its_detectors_share_with_the_classifier():
    told = {"pairs": 3, "clips": 2, "groups": 2, "task_version": 1, "truth": "extent"}
    told |= {"classifier": {}, "unranked_classes": []}
    assert "detectors: heads" in facts(told | {"detectors": "heads on the trunk"})
    assert "detectors" not in facts(told | {"detectors": ""})


def test_a_stale_row_is_kept_and_says_so(board, known):
    task = known.task("tones")
    later = Known({"tones": replace(task, canonical=task.canonical + " ")}.get, known.method)
    held = built(board, later)
    assert held["boards"][0]["rows"] == []
    assert "task changed" in row(held, "ear-method")["reason"]
    assert "Nothing is ranked yet" in (board / "README.md").read_text()


def test_the_same_results_give_the_same_bytes(board, known, tmp_path):
    assert build(board, known, resamples=FEW).changed == PAGES
    pages = {name: (board / name).read_bytes() for name in PAGES}
    assert build(board, known, resamples=FEW).changed == ()
    # Files in another order, made at another time, in another place.
    other = tmp_path / "other"
    for path in sorted(board.rglob("results/*/*/*/*"), reverse=True):
        target = other / path.relative_to(board)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert build(other, known, resamples=FEW).changed == PAGES
    assert {name: (other / name).read_bytes() for name in PAGES} == pages


def test_a_page_that_was_edited_is_found_and_not_overwritten(board, known):
    build(board, known, resamples=FEW)
    for name in PAGES[1:]:
        text = (board / name).read_text()
        (board / name).write_text(text + " ")
        assert build(board, known, resamples=FEW, write=False).changed == (name,)
        assert (board / name).read_text() == text + " "
        assert build(board, known, resamples=FEW).changed == (name,)
    (board / "index.html").unlink()
    assert build(board, known, resamples=FEW, write=False).changed == ("index.html",)


def test_a_rank_that_was_edited_is_found(board, known):
    held = built(board, known)
    held["boards"][0]["rows"][-1]["rank"] = 1
    (board / "leaderboard.json").write_text(json.dumps(held))
    done = build(board, known, resamples=FEW, write=False)
    assert "leaderboard.json" in done.changed


def test_nothing_is_built_from_an_edited_result(board, known):
    built(board, known)
    before = {name: (board / name).read_bytes() for name in PAGES}
    path = board / row(json.loads(before["leaderboard.json"]), "random")["result"]
    document = json.loads(path.read_text())
    document["resolution"] = 0.2
    path.write_bytes(results.dumps({**document, "digest": digest(document)}))
    done = build(board, known, resamples=FEW)
    assert [p.field for p in done.problems] == ["supersedes"]
    assert {name: (board / name).read_bytes() for name in PAGES} == before
    document["supersedes"] = json.loads(before["leaderboard.json"])["digests"][
        path.relative_to(board / "results").as_posix()
    ]
    path.write_bytes(results.dumps({**document, "digest": digest(document)}))
    assert build(board, known, resamples=FEW).changed


def test_figures_of_others_stand_apart(board, known):
    from sedbench.tasks import PublishedRow

    task = replace(
        known.task("tones"),
        published=(PublishedRow("Theirs", 0.39, 0.52, 82.6),),
        published_note="on their data",
    )
    held = built(board, Known({"tones": task}.get, known.method))
    (table,) = held["published"]
    assert table["rows"] == [{"method": "Theirs", "iou": 0.39, "f1": 0.52, "pg": 82.6}]
    assert "Theirs" not in json.dumps(held["boards"])


def test_workers_rank_alike(board, known):
    built(board, known)
    pages = {name: (board / name).read_bytes() for name in PAGES}
    assert build(board, known, resamples=FEW, jobs=2, write=False).changed == ()
    assert {name: (board / name).read_bytes() for name in PAGES} == pages
    from loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def test_the_version_of_the_form_is_written(board, known):
    assert built(board, known)["schema_version"] == building.VERSION


def test_what_is_not_there_is_said(board, known):
    (board / "board.toml").write_text('[absent]\nfar = "nobody <had> it"\n')
    for path in (board / "results").glob("*/*/random/*"):
        path.unlink()
    assert not build(board, known, resamples=FEW).problems
    held = json.loads((board / "leaderboard.json").read_text())
    assert held["absent"] == [{"task": "far", "why": "nobody <had> it"}]
    assert [table["without"] for table in held["boards"]] == [[]]  # no other table has it either
    entries, _ = walk(results_folder(board))
    (table,) = held["boards"]
    gone = "always-on"
    fewer = {
        **table, **{k: [r for r in table[k] if r["method"] != gone] for k in ("rows", "unranked")}
    }  # fmt: skip
    assert building.without(fewer, entries) == [gone]
    held["boards"] = [{**fewer, "without": [gone]}]
    for text in (markdown.readme(held), page.page(held)):
        assert "Tasks without a table" in text and "or do not apply: " in text
    assert "<had>" not in page.page(held)
