"""``sedbench train``: what it asks of the trainer and what it says afterwards."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from sedbench.errors import UnknownNameError


@pytest.fixture
def trained() -> SimpleNamespace:
    """What a training leaves behind."""
    card = {"validation": {"micro_f1": 0.9012}}
    path = Path("data/classifier-s3.safetensors")
    return SimpleNamespace(path=path, card=card, shipped=None, journal=None)


def test_options_reach_the_trainer(cli, api, trained):
    api.answers["train"] = trained
    answer = cli(
        *("train", "classifier", "--task", "kitchen", "--model", "tiny-net", "--seed", "3"),
        *("--device", "cpu", "--jobs", "2", "--fresh"),
    )
    assert answer == (
        0,
        f"validation micro_f1: 0.901\n{Path('data/classifier-s3.safetensors')}\n",
        "",
    )
    [(_, args, options)] = api.calls
    assert args == ("classifier",) and options.pop("progress") is not None
    assert options == {
        "task": "kitchen",
        "model": "tiny-net",
        "seed": 3,
        "fold": None,
        "device": "cpu",
        "jobs": 2,
        "resume": False,
        "recipe": None,
    }


def test_a_recipe_of_ones_own_is_a_path(cli, api, trained):
    api.answers["train"] = trained
    cli("train", "classifier", "--recipe", "mine.toml")
    assert api.calls[0][2]["recipe"] == Path("mine.toml")


def test_a_task_in_folds_is_trained_in_every_rotation_or_in_one(cli, api, trained):
    api.answers |= {"train": trained, "folds": (0, 1, 2)}
    answer = cli("train", "classifier")
    assert [options["fold"] for _, _, options in api.calls] == [0, 1, 2]
    assert answer.out.count("classifier-s3.safetensors") == 3
    api.calls.clear()
    cli("train", "classifier", "--fold", "2")
    assert [options["fold"] for _, _, options in api.calls] == [2]


def test_it_resumes_unless_told_otherwise(cli, api, trained):
    api.answers["train"] = trained
    cli("train", "classifier")
    assert api.calls[0][2]["resume"] is True and api.calls[0][2]["task"] is None
    cli("train", "classifier", "--resume")
    assert api.calls[1][2]["resume"] is True


def test_it_says_where_the_log_of_every_epoch_is(cli, api, trained):
    trained.journal = Path("data/classifier-s3.log.jsonl")
    api.answers["train"] = trained
    answer = cli("train", "classifier")
    assert answer.err == f"every epoch: {trained.journal}\n" and "log" not in answer.out


def test_it_says_when_shipped_weights_stay_in_use(cli, api, trained):
    trained.shipped = {"validation": {"micro_f1": 0.9}}
    api.answers["train"] = trained
    answer = cli("train", "classifier")
    assert answer.code == 0 and "shipped weights of this seed stay in use" in answer.err


def test_an_unknown_variant_ends_with_2(cli, api):
    api.answers["train"] = UnknownNameError.of(
        "variant of 'tiny-net':", "clasifier", ["classifier"]
    )
    answer = cli("train", "clasifier")
    assert answer.code == 2 and "did you mean 'classifier'?" in answer.err
