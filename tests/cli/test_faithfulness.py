"""``sedbench faithfulness`` and ``randomisation``: what is asked for, and what is printed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sedbench.faithfulness import CONTENTS, SHARES, Passed
from sedbench.models.partly_random import Stage
from sedbench.protocol.faithfulness import Answered
from sedbench.protocol.means import Means
from sedbench.randomisation import Randomised, Row
from sedbench.stats import Resampling

TASK = ("--task", "kitchen")
SIGNS = {"insertion": 1, "deletion": -1, "comprehensiveness": 1, "sufficiency": -1}


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr("sedbench.stats.RESAMPLES", 50)


@pytest.fixture
def asked(kitchen, monkeypatch):
    """What is asked of whoever passes masked clips; the answer is made up."""
    kitchen.measured("softest", 0.3)
    kitchen.measured("loudest", 3.0, noise=1)
    calls = []

    def pass_masked(contenders, task, bank, models, masking, **options):
        calls.append(([c.result.spec for c in contenders], task, models, masking, options))
        rng = np.random.default_rng(0)
        table = contenders[0].test.table
        pairs = len(table)
        sizes = len(masking.contents), pairs, 2, len(masking.shares)
        answered = Answered(
            tuple(c.result.spec for c in contenders),
            masking.contents,
            np.array(masking.shares),
            np.arange(pairs),
            rng.normal(3, 1, pairs),
            rng.normal(-3, 1, sizes[:2]),
            rng.normal(0, 1, (len(contenders), *sizes)),
            rng.normal(0, 1, (masking.draws, *sizes)),
        )
        resampling = Resampling(np.arange(pairs), [(f"g{i % 5}",) for i in range(pairs)], pairs)
        left_out = {"mean": "there is none"}
        return Passed(
            answered, resampling, 20, 5, "features", left_out, 99, table, np.arange(pairs)
        )

    monkeypatch.setattr("sedbench.faithfulness.pass_masked", pass_masked)
    return calls


def test_defaults_ask_for_all_contents_of_stored_results(cli, asked):
    answer = cli("faithfulness", "softest", "loudest", *TASK)
    assert (answer.code, answer.err) == (0, "")
    [(specs, task, models, masking, options)] = asked
    assert specs == ["softest", "loudest"] and task.name == "kitchen"
    assert [model.name for model in models] == ["tiny-net"]
    assert (masking.shares, masking.contents) == (SHARES, CONTENTS)
    assert (masking.draws, masking.seed, options["limit"]) == (5, 0, None)
    out = " ".join(answer.out.split())
    assert out.count("chance: a random order") == 3
    assert "18 pairs, 20 clips, 5 source groups. In probabilities" in out
    assert "Left out, mean: there is none." in out
    assert max(map(len, answer.out.splitlines())) <= 120
    assert out.count("difference to") == 3 + 1  # tables, and what stands beneath them
    assert "Holm's method" in out and out.count("found 4 times in 5") == 3 + 1


def test_options_reach_the_masks(cli, asked):
    answer = cli(
        "faithfulness", "all", *TASK, "--fractions", "0.5,0.2,0.5", "--content", "noise,silence",
        "--draws", 2, "--seed", 4, "--limit", 7, "--unit", "logit", "--by-fraction", "--jobs", 1,
    )  # fmt: skip
    assert answer.code == 0
    [(_, _, _, masking, options)] = asked
    assert masking.shares == (0.2, 0.5) and masking.contents == ("noise", "silence")
    assert (masking.draws, masking.seed) == (2, 4)
    assert (options["limit"], options["jobs"]) == (7, 1)
    assert "In logits" in answer.out and "20 %" in answer.out and "gain on" not in answer.out
    assert "difference to" not in answer.out


def test_json_has_both_units_of_every_content(cli, asked):
    document = json.loads(cli("faithfulness", "loudest", *TASK, "--content", "noise", "--json").out)
    assert [(r["content"], r["unit"]) for r in document["readings"]] == [
        ("noise", "probability"),
        ("noise", "logit"),
    ]
    [method] = document["readings"][0]["methods"]
    assert method["name"] == "loudest"
    assert method["insertion"]["gain_ci_low"] <= method["insertion"]["gain"]
    assert len(method["by_share"]["comprehensiveness"]["value"]) == len(document["shares"])
    assert method["deletion"]["difference"] is None and method["deletion"]["words"] == "the first"


def test_others_are_compared_with_the_first(cli, asked):
    options = ("loudest", "softest", *TASK, "--content", "noise")
    document = json.loads(cli("faithfulness", *options, "--json").out)
    assert document["resamples"] == 50
    for reading in reversed(document["readings"]):  # the table is of the first
        first, other = reading["methods"]
        for measure, sign in SIGNS.items():
            assert first[measure]["verdict"] is None
            found = other[measure]["difference"]
            assert found["value"] == pytest.approx(
                sign * (other[measure]["value"] - first[measure]["value"])
            )
            assert found["ci_low"] <= found["value"] <= found["ci_high"]
            assert found["p"] <= found["p_adjusted"] <= 1 and found["detectable"] > 0
            assert other[measure]["verdict"] in ("better", "worse", "undecided")
            assert other[measure]["words"]
    text = cli("faithfulness", *options)
    said = [line for line in text.out.splitlines() if line.strip().startswith("p ")]
    verdicts = [reading["methods"][1][m]["verdict"] for m in SIGNS]
    assert [
        word for word in said[0].split() if word in ("better", "worse", "undecided")
    ] == verdicts


def test_two_names_of_one_thing_are_identical_and_not_tested(cli, kitchen, asked):
    kitchen.measured("loudest[width=5]", 0.3)
    out = cli("faithfulness", "softest", "loudest[width=5]", *TASK, "--content", "noise").out
    assert ["identical"] * 4 in map(str.split, out.splitlines())
    assert "identical: by construction" in out


def test_by_shows_some_pairs_apart(cli, asked, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    options = ("softest", "loudest", *TASK, "--content", "noise", "--by", "class")
    document = json.loads(cli("faithfulness", *options, "--json").out)
    assert document["by"] == "class"
    units = [part["readings"][0]["unit"] for part in document["parts"]]
    assert sorted(set(units)) == ["logit", "probability"]
    parts = [p for p in document["parts"] if p["readings"][0]["unit"] == "logit"]
    assert sum(part["n_pairs"] for part in parts) == 18 and len(parts) > 1
    [whole] = [r for r in document["readings"] if r["unit"] == "logit"]
    for m, method in enumerate(whole["methods"]):
        for measure in SIGNS:
            for key in ("value", "gain"):
                of_parts = [p["readings"][0]["methods"][m][measure][key] for p in parts]
                together = np.average(of_parts, weights=[p["n_pairs"] for p in parts])
                assert together == pytest.approx(method[measure][key])
    answer = cli("faithfulness", *options)
    assert max(map(len, answer.out.splitlines())) <= 100
    for part in parts:
        assert part["name"] in answer.out
    assert "By class: values, and chance, of the part's own pairs" in answer.out


def test_a_table_fits_a_hundred_columns(cli, asked, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    out = cli("faithfulness", "softest", "loudest", *TASK, "--content", "noise").out
    assert max(map(len, out.splitlines())) <= 100
    assert sum("[" in line and "]" in line and "softest" not in line for line in out.splitlines())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "no method was named"),
        (("softest", "--fractions", "0.1,1.5"), "between 0 and 1"),
        (("softest", "--fractions", "some"), "between 0 and 1"),
        (("softest", "--content", "silense"), "did you mean 'silence'"),
        (("softest", "--content", ","), "words with commas"),
        (("softest", "--unit", "percent"), "--unit"),
        (("softest", "--by", "clas"), "did you mean 'class'"),
        (("softest", "--by", "condition"), "the task has no conditions"),
        (("softest", "--by", "class", "--by-fraction"), "two tables"),
        (("nobody",), "nobody"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_passed(cli, asked, options, said):
    answer = cli("faithfulness", *options, *TASK)
    assert answer.code in (2, 5) and answer.out == ""
    assert said in answer.err
    assert asked == []


def test_a_method_that_was_not_measured_says_how_to(cli, asked):
    answer = cli("faithfulness", "loudest[mode=max]", *TASK)
    assert answer.code == 4 and "sedbench run -m 'loudest[mode=max]'" in answer.err


@pytest.fixture
def randomised(kitchen, monkeypatch):
    calls = []

    def randomise(methods, task, bank, models, **options):
        calls.append(([method.spec for method in methods], task.name, models, options))
        columns = np.full(2, 0.5), np.full(2, 0.4), np.full(2, 0.6), np.full(2, 9)
        rows = tuple(Row(method.spec, None, Means(*columns), 9) for method in methods)
        stages = Stage(("head",), ("head",)), Stage(("conv",), ("conv",))
        return Randomised(stages, options["independent"], rows, 9, 8, 7)

    monkeypatch.setattr("sedbench.randomisation.randomise", randomise)
    return calls


def test_methods_are_asked_of_a_random_model(cli, randomised):
    answer = cli(
        "randomisation", "softest", "loudest[width=5]", "softest", *TASK,
        "--seed", 3, "--method-seed", 2, "--stages", 4, "--limit", 5, "--independent",
    )  # fmt: skip
    assert (answer.code, answer.err) == (0, "")
    [(specs, task, models, options)] = randomised
    assert specs == ["softest", "loudest[width=5]"] and task == "kitchen"
    assert models[0].name == "tiny-net"
    wanted = {"weights_seed": 3, "seed": 2, "most": 4, "limit": 5, "independent": True}
    assert {key: options[key] for key in wanted} == wanted
    out = " ".join(answer.out.split())
    assert (
        "one of them at a time" in out
        and "Looks at the model in part: softest, loudest[width=5]" in out
    )


def test_randomisation_as_json(cli, randomised):
    document = json.loads(cli("randomisation", "softest", *TASK, "--json").out)
    assert [stage["name"] for stage in document["stages"]] == ["head", "conv"]
    [method] = document["methods"]
    assert method["verdict"] == "partly" and method["stages"][1]["value"] == 0.5
    assert document["limited"] is None and randomised[0][3]["most"] == 8


@pytest.mark.parametrize(
    ("options", "code"), [((), 5), (("nobody",), 2), (("softest", "--stages", "0"), 2)]
)
def test_randomisation_refuses(cli, randomised, options, code):
    answer = cli("randomisation", *options, *TASK)
    assert answer.code == code and answer.out == "" and randomised == []
