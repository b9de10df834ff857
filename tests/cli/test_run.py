"""``sedbench run``: what it asks of the runner, what it prints, and with which exit code."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import sedbench.api as real_api
from sedbench.errors import DataError, MissingDataError
from sedbench.registry import Source
from sedbench.results import Result
from sedbench.types import MethodInfo


def result(spec: str = "loudest", status: str = "ok", reason: str = "") -> Result:
    scores = ()
    if status == "ok":
        record = {
            "metric": "iou",
            "policy": "chosen",
            "view": "localisation",
            "average": "pairs",
            "stratum": "all",
            "truth": "extent",
            "smoothing": "none",
            "value": 0.4375,
            "ci_low": 0.4,
            "ci_high": 0.5,
            "n_pairs": 10,
            "n_clips": 5,
            "n_groups": 4,
        }
        scores = (record,)
    return Result(
        task="kitchen",
        model="tiny-net",
        method=spec.partition("[")[0],
        spec=spec,
        params={},
        seed=0,
        status=status,  # type: ignore[arg-type]
        reason=reason,
        scores=scores,
        pairs={"expected": 10, "scored": 10 if scores else 0},
    )


class Results(list):
    reference = ()
    task = SimpleNamespace(published=(), published_note="")


def test_options_reach_the_runner_as_they_were_typed(cli, api):
    api.answers["run"] = Results([result()])
    answer = cli(
        *("run", "-m", "loudest[width=5]", "--method", "softest", "-t", "kitchen"),
        *("--model", "tiny-net[seed=1]", "--seed", "7", "--device", "cpu", "--limit", "4"),
        *("--jobs", "2", "--overwrite", "always", "--recalibrate", "--timeout", "2.5"),
        *("--output", "some/where", "--save-scores", "tsv", "--scores-dir", "else/where"),
    )
    assert answer.code == 0
    [(name, args, options)] = api.calls
    assert name == "run" and args == (["loudest[width=5]", "softest"],)
    assert options.pop("progress") is not None
    assert options == {
        "task": "kitchen",
        "model": "tiny-net[seed=1]",
        "seed": 7,
        "device": "cpu",
        "limit": 4,
        "jobs": 2,
        "overwrite": "always",
        "recalibrate": True,
        "timeout": 2.5,
        "output": Path("some/where"),
        "save_scores": "tsv",
        "scores_dir": Path("else/where"),
        "command": "sedbench run -m 'loudest[width=5]' -m softest --task kitchen "
        "--model 'tiny-net[seed=1]' --seed 7 --limit 4 --recalibrate",
    }


def test_defaults_are_left_to_the_runner(cli, api):
    api.answers["run"] = Results([result()])
    cli("run", "-m", "loudest")
    options = api.calls[0][2]
    assert options["overwrite"] == "stale" and options["device"] == "auto" and options["seed"] == 0
    assert options["save_scores"] == "none"
    for name in ("task", "model", "limit", "jobs", "timeout", "output", "scores_dir"):
        assert options[name] is None
    assert options["command"] == "sedbench run -m loudest --seed 0"


def test_all_means_every_method_once(cli, api):
    api.answers["run"] = Results([result()])
    cli("run", "-m", "softest", "-m", "all", "-m", "loudest[width=5]")
    assert api.calls[0][1] == (["softest", "loudest", "loudest[width=5]"],)


def test_the_real_runner_takes_what_the_command_line_gives(cli, api):
    signature = inspect.signature(real_api.run)
    api.answers["run"] = Results([result()])
    cli("run", "-m", "loudest")
    _, args, options = api.calls[0]
    signature.bind(*args, **options)


def test_the_table_goes_to_stdout(cli, api):
    api.answers["run"] = Results([result()])
    answer = cli("run", "-m", "loudest")
    assert answer.code == 0
    assert "loudest" in answer.out and ".44" in answer.out
    assert "\x1b[" not in answer.out
    assert answer.err == ""


def test_json_is_the_only_thing_on_stdout(cli, api):
    def noisy(*args, progress, **options):
        print("a library talks")
        progress.start("render test clips", 4)
        progress.advance(4)
        progress.finish()
        return Results([result()])

    api.answers["run"] = noisy
    answer = cli("run", "-m", "loudest", "--json")
    assert answer.code == 0
    document = json.loads(answer.out)
    assert set(document) == {"schema_version", "results"}
    [row] = document["results"]
    assert row["method"] == "loudest" and row["status"] == "ok"
    assert row["scores"][0]["value"] == 0.4375
    said = answer.err.splitlines()
    assert said[0] == "a library talks"
    assert said[1].startswith("render test clips: 4 of 4 in ") and len(said) == 2


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_a_cell_that_fails_ends_with_1_and_still_prints_everything(status, cli, api):
    api.answers["run"] = Results([result(), result("softest", status, "it overheard itself")])
    answer = cli("run", "-m", "all", "--json")
    assert answer.code == 1
    assert [row["status"] for row in json.loads(answer.out)["results"]] == ["ok", status]
    assert answer.err == f"error: softest on kitchen: {status}: it overheard itself\n"


def test_a_method_that_does_not_apply_is_no_failure(cli, api):
    api.answers["run"] = Results([result(), result("softest", "not_applicable", "no frames")])
    assert cli("run", "-m", "all").code == 0


def test_data_that_is_missing_ends_with_4_and_the_line_to_type(cli, api):
    api.answers["run"] = MissingDataError("no audio", "sedbench fetch made-bank --from DIR")
    answer = cli("run", "-m", "loudest", "--json")
    assert answer == (4, "", "error: no audio\nhint: sedbench fetch made-bank --from DIR\n")


def test_a_corrupt_file_ends_with_4(cli, api):
    api.answers["run"] = DataError("the weights are not the recorded ones", "reinstall")
    assert cli("run", "-m", "loudest").code == 4


def test_no_method_at_all_ends_with_5(cli, api, offers):
    assert cli("run").code == 5
    assert cli("run", "-m", "").code == 5
    offers[:] = [offer for offer in offers if not isinstance(offer[0], MethodInfo)]
    answer = cli("run", "-m", "all")
    assert answer.code == 5 and answer.err.startswith("error: no method is installed\nhint: ")
    assert api.calls == []


def test_dry_run_shows_the_plan_and_runs_nothing(cli, api, tmp_path):
    from dataclasses import dataclass

    @dataclass
    class Cell:
        method: str = "loudest[width=5]"
        state: str = "to run"
        clips: int = 120

    api.answers["plan"] = [Cell()]
    answer = cli("run", "-m", "loudest[width=5]", "--dry-run")
    assert answer.code == 0 and answer.err == ""
    assert "loudest[width=5]" in answer.out and "to run" in answer.out and "120" in answer.out
    as_json = cli("run", "-m", "loudest[width=5]", "--dry-run", "--json")
    assert json.loads(as_json.out) == {
        "cells": [{"method": "loudest[width=5]", "state": "to run", "clips": 120}]
    }
    assert {name for name, *_ in api.calls} == {"plan"}
    assert not (tmp_path / "cache").exists() and not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("method", "code", "message", "hint"),
    [
        ("lodest", 2, "unknown method 'lodest'", "did you mean 'loudest'"),
        ("loudest[wdth=3]", 2, "unknown parameter of 'loudest': 'wdth'", "did you mean 'width'?"),
        ("loudest[width=99]", 2, "parameter 'width' of 'loudest' must be at most 9", "frames"),
        ("loudest[width=wide]", 2, "parameter 'width' of 'loudest' takes a whole number", "fra"),
        ("loudest[mode=min]", 2, "parameter 'mode' of 'loudest' cannot be 'min'", "one of: mean"),
        ("loudest[width", 2, "cannot read 'loudest[width'", "write name or name[param=value"),
        ("faraway", 3, "method 'faraway' belongs to plugin 'faraway'", "pip install --upgrade"),
    ],
)
def test_a_method_that_cannot_be_is_refused_before_anything_starts(
    method, code, message, hint, cli, broken, monkeypatch, tmp_path
):
    from sedbench import lookup, registry

    def missing():
        raise ImportError("no module named far")

    broken.append(Source("faraway", "far", "0.1", missing))

    def current():
        return registry.registry()

    for module in (lookup, real_api):  # they took the function by name when they were imported
        monkeypatch.setattr(module, "registry", current)
    monkeypatch.setattr(real_api, "find_task", lambda name, known: None)
    monkeypatch.chdir(tmp_path)
    answer = cli("run", "-m", method)
    assert (answer.code, answer.out) == (code, "")
    error, advice = answer.err.splitlines()
    assert error.startswith(f"error: {message}") and advice.startswith(f"hint: {hint}")
    assert list(tmp_path.iterdir()) == []
