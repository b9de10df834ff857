"""``sedbench compare``: from results on disk to words, JSON and an exit code."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from sedbench.cli import cli as program
from sedbench.metrics.catalogue import METRICS_VERSION
from sedbench.metrics.standalone import STANDALONE_METRICS
from sedbench.protocol import evaluate
from sedbench.report.comparison import needed, probability, signed
from sedbench.results import read, read_items

TASK = ("--task", "kitchen")


@pytest.fixture
def full():
    """Ask for all resamples of a published interval."""


@pytest.fixture(autouse=True)
def few_resamples(request, monkeypatch):
    if "full" not in request.fixturenames:
        monkeypatch.setattr("sedbench.stats.RESAMPLES", 400)


@pytest.fixture
def two(kitchen):
    """One that finds next to nothing, and one that finds nearly all."""
    kitchen.measured("softest", 0.3)
    kitchen.measured("loudest", 3.0, noise=1)
    return kitchen


def compared(cli, *args):
    answer = cli("compare", *args, *TASK, "--json")
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


def rows(document):
    return {row["name"]: row for row in document["overall"]["rows"]}


def test_the_table_says_it_in_words(cli, two):
    two.measured("softest", 0.3, noise=5, seed=1)
    answer = cli("compare", "softest", "loudest", *TASK)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    first, loudest = (next(x for x in lines if x.startswith(n)) for n in ("softest", "loudest"))
    assert first.rstrip().endswith("the first") and loudest.rstrip().endswith("better")
    assert re.search(
        r"loudest +\.\d\d \[\.\d\d \.\d\d\] +\+\.\d\d \[\+\.\d\d \+\.\d\d\] +<?\.", loudest
    )
    assert "kitchen@3, model tiny-net: 18 pairs, 18 clips, 7 source groups." in answer.out
    assert "\x1b[" not in answer.out


def test_json_has_what_the_table_rounds(cli, two, full):
    document = compared(cli, "softest", "loudest")
    found = rows(document)
    assert list(found) == ["softest", "loudest"]
    assert found["softest"]["difference"] is None and found["softest"]["verdict"] is None
    difference = found["loudest"]["difference"]
    assert difference["value"] == found["loudest"]["value"] - found["softest"]["value"]
    assert difference["ci_low"] > 0 and difference["p_adjusted"] < 0.05
    assert found["loudest"]["verdict"] == found["loudest"]["words"] == "better"
    assert document["resamples"] == 10_000 and document["strata"] == []
    path = next((two.results / "kitchen").glob("*/loudest/*.json"))
    records = evaluate(*read_items(path, read(path, "stored"))).records
    same = {"metric": "iou", "policy": "chosen", "truth": "extent", "stratum": "all"}
    same |= {"view": "localisation", "average": "pairs", "smoothing": "none"}
    [record] = [r for r in records if r.items() >= same.items()]
    for key in ("value", "ci_low", "ci_high"):
        assert found["loudest"][key] == record[key]


def test_a_tie_says_what_it_would_have_taken(cli, two):
    two.measured("loudest[mode=max]", 3.0, noise=2)
    document = compared(cli, "loudest", "loudest[mode=max]")
    row = rows(document)["loudest[mode=max]"]
    assert row["verdict"] == "undecided"
    enough = needed(row["difference"]["detectable"])
    assert row["words"] == f"cannot be told apart (would need a difference of {enough})"
    assert (
        "Cannot be told apart is not alike"
        in cli("compare", "loudest", "loudest[mode=max]", *TASK).out
    )


def test_the_others_stand_from_the_best_to_the_worst_and_supervision_is_said(cli, two):
    two.measured("loudest[mode=max]", 1.5, noise=2, supervision="strong", kind="detector")
    out = cli("compare", "loudest[mode=max]", "all", *TASK).out
    named = [line.split()[0] for line in out.splitlines() if line.startswith(("loud", "soft"))]
    assert named == ["loudest[mode=max]", "loudest", "softest"]
    assert "strong" in out
    assert "vision" not in cli("compare", "loudest", "softest", *TASK).out


def test_identical_rows_are_marked_and_counted_once(cli, two):
    two.measured("loudest[mode=max]", 3.0, noise=1)
    document = compared(cli, "softest", "loudest", "loudest[mode=max]")
    first, again = (rows(document)[n] for n in ("loudest", "loudest[mode=max]"))
    assert again["identical_to"] == "loudest" and again["difference"] == first["difference"]
    assert first["difference"]["p_adjusted"] == first["difference"]["p"]
    out = cli("compare", "softest", "loudest", "loudest[mode=max]", *TASK).out
    assert "counted once: loudest, loudest[mode=max]." in out
    out = cli("compare", "loudest", "loudest[mode=max]", *TASK).out
    assert "identical by construction" in out


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("class", ["Dishes", "Kettle"]),
        ("polyphony", ["alone"]),
        ("duration", ["under 1 s", "1 to 2 s", "2 to 4 s"]),
        ("snr", ["0 to 5 LU", "5 to 10 LU", "10 to 15 LU"]),
    ],
)
def test_by(cli, two, by, names):
    document = compared(cli, "softest", "loudest", "--by", by)
    assert [each["stratum"] for each in document["strata"]] == names
    assert sum(each["n_pairs"] for each in document["strata"]) == 18
    out = cli("compare", "softest", "loudest", "--by", by, *TASK).out
    assert all(name in out for name in names)


def test_too_few_groups_are_shown_and_not_ranked(cli, two):
    document = compared(cli, "softest", "loudest", "--by", "snr")
    for each in document["strata"]:
        assert each["ranked"] == (each["n_groups"] >= 3)
    # With all but two clips of a class missed, its groups are too few.
    missed = tuple(range(5, 18, 2))
    two.measured("softest", 0.3, missed=missed)
    two.measured("loudest", 3.0, noise=1, missed=missed)
    document = compared(cli, "softest", "loudest", "--by", "class")
    kettle = document["strata"][1]
    assert (kettle["stratum"], kettle["n_groups"], kettle["ranked"]) == ("Kettle", 2, False)
    assert [row["verdict"] for row in kettle["rows"]] == [None, None]
    assert kettle["rows"][1]["value"] is not None
    assert "fewer than 3" in cli("compare", "softest", "loudest", "--by", "class", *TASK).out


def test_by_goes_with_the_localisation_view_alone(cli, two):
    answer = cli("compare", "softest", "loudest", "--by", "class", "--view", "end-to-end", *TASK)
    assert answer.code == 2 and "--by class" in answer.err
    answer = cli("compare", "softest", "loudest", "--by", "condition", *TASK)
    assert answer.code == 5 and "no conditions" in answer.err


def test_the_figure_can_be_another_one(cli, two):
    options = ("--policy", "percentile@60", "--view", "end-to-end", "--average", "classes")
    document = compared(cli, "softest", "loudest", *options, "--smoothing", "chosen")
    told = {key: document[key] for key in ("policy", "view", "average", "smoothing", "truth")}
    assert told == {
        "policy": "percentile@60", "view": "end-to-end", "average": "classes",
        "smoothing": "chosen", "truth": "extent",
    }  # fmt: skip
    document = compared(cli, "softest", "loudest", "--metric", "auc", "--truth", "activity")
    assert (document["metric"], document["policy"], document["truth"]) == ("auc", None, "activity")
    answer = cli("compare", "softest", "loudest", "--metric", "ious", *TASK)
    assert answer.code == 2 and "did you mean 'iou'?" in answer.err


def test_fail_if_worse_than(cli, two):
    gate = ("--fail-if-worse-than", "loudest", *TASK)
    answer = cli("compare", "softest", *gate)
    assert answer.code == 1 and answer.err == "error: softest is worse than loudest\n"
    assert "loudest" in answer.out  # the table is there all the same
    assert cli("compare", "loudest", "--fail-if-worse-than", "softest", *TASK).code == 0
    two.measured("loudest[mode=max]", 3.0, noise=2)
    assert cli("compare", "loudest[mode=max]", *gate).code == 0  # a tie is no failure
    assert cli("compare", "loudest", "loudest[mode=max]", "softest", *gate).code == 1


def test_what_cannot_be_said_does_not_pass(cli, two):
    missed = tuple(range(1, 18))
    two.measured("softest", 0.3, missed=missed)
    two.measured("loudest", 3.0, noise=1, missed=missed)
    answer = cli("compare", "loudest", "--fail-if-worse-than", "softest", *TASK)
    assert answer.code == 1 and "cannot be said" in answer.err


def test_an_unknown_name_suggests(cli, two):
    answer = cli("compare", "softest", "lowdest", *TASK)
    assert answer.code == 2 and "did you mean 'loudest'" in answer.err and answer.out == ""
    assert cli("compare", "softest", "loudest", "--task", "kitchn").code == 2
    answer = cli("compare", "softest", "loudest", "--by", "clas", *TASK)
    assert answer.code == 2 and "did you mean 'class'?" in answer.err


def test_a_method_that_is_no_longer_installed_is_found_by_its_result(cli, two):
    two.measured("bygone[x=1]", 1.0, noise=3)
    assert list(rows(compared(cli, "softest", "bygone[x=1]"))) == ["softest", "bygone[x=1]"]


def test_a_missing_result_says_how_to_have_it(cli, two):
    answer = cli("compare", "softest", "loudest[width=5]", *TASK, "--model", "tiny-net[seed=2]")
    assert answer.code == 4
    assert "no result of 'softest' on kitchen with tiny-net[seed=2]" in answer.err
    line = "sedbench run -m softest --task kitchen --model 'tiny-net[seed=2]'"
    assert line in answer.err


def test_a_result_of_another_state_of_the_task_is_not_used(cli, two):
    two.measured("loudest", 3.0, task_fingerprint="00")
    answer = cli("compare", "softest", "loudest", *TASK)
    assert answer.code == 4 and "another state of the task" in answer.err
    assert "sedbench run -m loudest" in answer.err
    assert cli("compare", "softest", "all", *TASK).code == 5  # it is no part of 'all' either


def test_a_method_that_failed_says_so(cli, two):
    two.measured("loudest", status="not_applicable", reason="it has no ears", scores=())
    answer = cli("compare", "softest", "loudest", *TASK)
    assert answer.code == 4 and "not applicable, it has no ears" in answer.err


def test_results_on_other_pairs_are_refused_with_counts(cli, two):
    two.measured("loudest", 3.0, missed=(0, 1))
    answer = cli("compare", "softest", "loudest", *TASK)
    assert answer.code == 4
    assert "not scored on the same pairs: 18 and 16, 16 of them the same" in answer.err


def test_a_path_brings_its_task_and_model(cli, two, tmp_path):
    old = two.measured("loudest", 1.0, noise=1, folder=tmp_path / "old")
    answer = cli("compare", str(old), "loudest", "--json")
    document = json.loads(answer.out)
    assert document["task"] == "kitchen" and document["models"] == ["tiny-net"]
    assert list(rows(document)) == [f"loudest ({old})", "loudest"]
    answer = cli("compare", str(tmp_path / "none.json"), "loudest", *TASK)
    assert answer.code == 4 and "none.json" in answer.err
    answer = cli("compare", str(old), "loudest", "--seeds", "0,1")
    assert answer.code == 2 and "of one model" in answer.err


def test_ones_own_result_comes_before_the_one_that_ships(cli, two, tmp_path, monkeypatch):
    board = tmp_path / "board"
    monkeypatch.setattr("sedbench.leaderboard.board_folder", lambda: board)
    two.measured("loudest", 0.1, noise=3, folder=board)
    two.measured("loudest[mode=max]", 2.0, noise=4, folder=board)
    found = rows(compared(cli, "softest", "loudest", "loudest[mode=max]"))
    origins = [row["origin"] for row in found.values()]
    assert origins == ["stored", "stored", "shipped"]
    assert found["loudest"]["verdict"] == "better"
    found = rows(compared(cli, "loudest", "loudest[mode=max]", "--results", tmp_path / "empty"))
    assert [row["origin"] for row in found.values()] == ["shipped", "shipped"]
    two.measured("loudest", 3.0, task_fingerprint="00")  # stale here, current there
    assert rows(compared(cli, "softest", "loudest"))["loudest"]["origin"] == "shipped"


def test_seeds_of_the_model_stand_apart(cli, two):
    for seed in (1, 2):
        two.measured(
            "softest", 0.3, noise=10 * seed, model=f"tiny-net[seed={seed}]", missed=(seed,)
        )
        two.measured(
            "loudest", 3.0, noise=11 * seed, model=f"tiny-net[seed={seed}]", missed=(seed,)
        )
    document = compared(cli, "softest", "loudest", "--seeds", "0,1,2")
    assert document["models"] == ["tiny-net", "tiny-net[seed=1]", "tiny-net[seed=2]"]
    assert document["pairs"] == [18, 17, 17]
    row = rows(document)["loudest"]
    assert len(row["of_models"]) == row["over_models"]["models"] == 3
    assert row["value"] == pytest.approx(sum(row["of_models"]) / 3)
    again = compared(
        cli, "softest", "loudest",
        *("--model", "tiny-net", "--model", "tiny-net[seed=1]", "--model", "tiny-net[seed=2]"),
    )  # fmt: skip
    assert again == document
    out = cli("compare", "softest", "loudest", "--seeds", "0,1,2", *TASK).out
    assert "3 models" in out and " to " in out and "intervals and p are about clips" in out
    answer = cli("compare", "softest", "loudest", "--seeds", "0,x", *TASK)
    assert answer.code == 2 and "--seeds" in answer.err


def test_there_must_be_two(cli, two):
    assert cli("compare", *TASK).code == 5
    answer = cli("compare", "softest", "softest", *TASK)
    assert answer.code == 5 and "nothing to compare softest with" in answer.err


def test_a_limited_result_says_so(cli, two, tmp_path):
    paths = [
        str(two.measured(n, s, noise=i, limited=18, folder=tmp_path / "limited"))
        for i, (n, s) in enumerate([("softest", 0.3), ("loudest", 3.0)])
    ]
    assert "first 18 test clips" in cli("compare", *paths, *TASK).out


def spoilt(path, how):
    if how == "text":
        path.write_text("127.0.0.1 localhost\n")
    elif how == "another document":
        path.write_text('{"boards": []}')
    elif how == "no items":
        next(path.parent.glob("*.items.npz")).unlink()
    elif how == "other items":
        next(path.parent.glob("*.items.npz")).write_bytes(b"PK")
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("text", "is no result: Extra data"),
        ("another document", "is not a result"),
        ("no items", "is gone"),
        ("other items", "is not the file that"),
        ("gone", "there is no result"),
    ],
)
def test_nobody_is_told_to_delete_a_file_they_named(cli, two, tmp_path, how, said):
    named = two.measured("loudest", 1.0, noise=1, folder=tmp_path / "old")
    spoilt(named, how)
    for words in ((named, "softest"), ("softest", named, *TASK, "--model", "tiny-net")):
        answer = cli("compare", *words)
        assert answer.code == 4 and said in answer.err and named.stem in answer.err
        assert answer.err.splitlines()[1].startswith(
            "hint: name a result that `sedbench run` wrote"
        )
    own = next((two.results / "kitchen").glob("*/loudest/*.json"))
    spoilt(own, how)
    answer = cli("compare", "softest", "loudest", *TASK)
    assert answer.code == 4 and "run" in answer.err  # here it can be made again


def test_a_folder_is_no_result(cli, two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for named in (two.results, f"{two.results}/", "results", "./results"):
        for words in ((named, "softest"), ("softest", named)):
            answer = cli("compare", *words, *TASK)
            assert answer.code in (2, 4) and "is a folder, and no result" in answer.err
            assert "--results DIR" in answer.err and answer.out == ""
    (tmp_path / "loudest").mkdir()  # a method's name stays one
    assert cli("compare", "softest", "loudest", *TASK).code == 0


@pytest.mark.parametrize("metric", [m for m in STANDALONE_METRICS if m.over != "scores"])
def test_a_metric_of_another_command_names_it(cli, two, metric):
    answer = cli("compare", "softest", "loudest", "--metric", metric.name, *TASK)
    verb = "evaluate" if metric.over == "corpus" else "faithfulness"
    verb = "randomisation" if metric.name == "randomisation" else verb
    assert answer.code == 2 and f"hint: sedbench {verb} " in answer.err
    assert program.get_command(None, verb) is not None


def test_a_policy_that_nothing_asks_for_is_said(cli, two):
    words = ("compare", "softest", "loudest", *TASK, "--metric")
    answer = cli(*words, "auc", "--policy", "relative")
    assert answer.code == 0
    assert answer.err == "note: --policy relative was not needed: auc has no threshold\n"
    assert cli(*words, "auc").err == cli(*words, "f1", "--policy", "relative").err == ""


def test_one_measurement_is_shown_once(cli, two, tmp_path):
    own = next((two.results / "kitchen").glob("*/softest/*.json"))
    copied = tmp_path / "copy" / own.name
    shutil.copytree(own.parent, copied.parent)
    for named in (own, copied):
        answer = cli("compare", "softest", named, "loudest", *TASK, "--json")
        assert answer.code == 0
        assert list(rows(json.loads(answer.out))) == ["softest", "loudest"]
        assert answer.err == f"note: one measurement each, shown once: {named} and softest\n"
        answer = cli("compare", named, "softest", *TASK)
        assert answer.code == 5 and "nothing to compare softest with" in answer.err
        assert "shown once" in answer.err
    # The same figures, measured again: another measurement.
    again = two.measured(
        "softest", 0.3, folder=tmp_path / "again", provenance={"started": "2026-01-01T00:00:00Z"}
    )
    answer = cli("compare", "softest", again, *TASK)
    assert answer.code == 0 and answer.err == "" and "identical" in answer.out


def test_numbers_as_they_are_written():
    assert [signed(v) for v in (0.034, -0.118, 0.001, float("nan"))] == ["+.03", "-.12", ".00", "-"]
    assert [probability(p) for p in (0.0004, 0.0124, 1.0, float("nan"))] == [
        "<.001",
        ".012",
        "1",
        "-",
    ]
    assert [needed(v) for v in (0.061, 0.07, 0.002)] == [".07", ".07", ".01"]


def test_it_needs_neither_torch_nor_a_model(process, tmp_path):
    script = (
        "import sys; from sedbench.cli import main; code = main(['compare', 'energy', 'random', "
        "'--json']); sys.exit(code or ('torch' in sys.modules) * 99)"
    )
    answer = process(program=("-c", script), SEDBENCH_RESULTS=str(tmp_path / "none"))
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["overall"]["rows"][1]["verdict"] == "worse"
    assert document["task_fingerprint"] and METRICS_VERSION


PAGE = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", re.findall(r"^ {4}(sedbench .*?)\s*(?:#.*)?$", PAGE, re.M))
def test_what_the_page_says_to_type_is_understood(line):
    _, verb, *words = shlex.split(line)
    command = program.get_command(None, verb)
    with command.make_context(verb, words) as context:
        assert context.params["methods"] or verb == "sensitivity"
