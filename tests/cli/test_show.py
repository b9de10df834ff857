"""``sedbench show``: everything about one name, whatever kind of thing it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sedbench.registry import Source
from sedbench.types import MethodInfo, ModelInfo, SoundbankInfo, TaskInfo

TASK = """
name = "kitchen"
version = 3
title = "A kitchen"
summary = "Two sounds"
licence = "CC0"
reason = "Because kettles matter."
model = "tiny-net"
soundbank = "made-bank"
sample_rate = 16000
duration = 2.0
classes = ["Dishes", "Kettle"]

[truth]
primary = "extent"

[soundscapes]
event_counts = [1]
event_duration = ["const", 1.0]
event_time = ["uniform", 0.0, 1.0]
snr = ["const", 6.0]
ref_db = ["const", -50.0]
backgrounds = ["hum"]

[splits.test]
index = "test.csv"
sha256 = "{sha256}"
clips = 7
"""


@pytest.fixture
def task(tmp_path, offers) -> Path:
    """A task that the made-up plugin offers."""
    path = tmp_path / "kitchen" / "task.toml"
    path.parent.mkdir()
    path.write_text(TASK.replace("{sha256}", "0" * 64))
    offers.append((TaskInfo("kitchen", "A kitchen"), lambda: path))
    return path


def test_a_method_shows_its_parameters_and_how_to_give_them(cli):
    out = cli("show", "loudest").out
    for text in ("where it is loudest", "Ear et al. 2020", "baseline", "1 to 9", "mean | max"):
        assert text in out
    assert "'loudest[width=3]'" in out
    assert cli("show", "loudest[width=5]").out == out


def test_a_method_as_json(cli):
    document = json.loads(cli("show", "loudest", "--json").out)
    assert list(document) == ["methods"]
    assert [p["default"] for p in document["methods"]["params"]] == [3, "mean"]


def test_a_task_shows_why_it_exists_and_what_it_holds(cli, task):
    out = cli("show", "kitchen").out
    for text in ("Because kettles matter.", "CC0", "Dishes, Kettle", "test 7", "made-bank"):
        assert text in out
    shown = json.loads(cli("show", "kitchen", "--json").out)["tasks"]
    assert shown["version"] == 3 and shown["splits"] == {"test": 7}
    assert len(shown["fingerprint"]) == 64 and shown["fingerprint"] in out


def test_a_malformed_task_file_ends_with_2_and_names_the_file(cli, task):
    task.write_text(task.read_text() + "\nsurprise = 1\n")
    answer = cli("show", "kitchen")
    assert (answer.code, answer.out) == (2, "")
    assert str(task) in answer.err and "surprise" in answer.err and "Traceback" not in answer.err
    task.write_text("name = ")
    assert cli("show", "kitchen").code == 2


def test_a_model_shows_its_weights_without_being_built(cli, offers, tmp_path):
    def build():
        raise AssertionError("a listing must not build a model")

    folder = tmp_path / "weights" / "kitchen"
    folder.mkdir(parents=True)
    content = b"tensors"
    (folder / "classifier-s1.safetensors").write_bytes(content)
    card = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "task": "kitchen",
        "variant": "classifier",
        "seed": 1,
        "validation": {"micro_f1": 0.875},
    }
    (folder / "classifier-s1.json").write_text(json.dumps(card))
    offers.append((ModelInfo("big-net", "more layers", weights=tmp_path / "weights"), build))
    out = cli("show", "big-net").out
    assert "micro_f1 0.875" in out and "shipped" in out
    [shown] = json.loads(cli("show", "big-net", "--json").out)["models"]["weights"]
    assert (shown["task"], shown["seed"], shown["origin"]) == ("kitchen", 1, "shipped")
    assert "sedbench train --model tiny-net" in cli("show", "tiny-net").out


def test_a_damaged_weight_card_ends_with_4(cli, offers, tmp_path):
    folder = tmp_path / "weights" / "kitchen"
    folder.mkdir(parents=True)
    (folder / "classifier-s1.safetensors").write_bytes(b"")
    (folder / "classifier-s1.json").write_text("{")
    offers.append((ModelInfo("big-net", "more layers", weights=tmp_path / "weights"), object))
    answer = cli("show", "big-net")
    assert (answer.code, answer.out) == (4, "") and "classifier-s1.json" in answer.err


def test_a_method_that_learns_shows_what_it_has_learnt(cli, offers, tmp_path):
    info = MethodInfo("pupil", "learns", learns=True, weights=tmp_path / "shipped")
    offers.append((info, object))
    assert "no weights yet: sedbench train pupil --help" in cli("show", "pupil").out
    for root in (tmp_path / "shipped" / "tiny-net", tmp_path / "data" / "weights/pupil/far-net"):
        folder = root / "kitchen"
        folder.mkdir(parents=True)
        card = {"sha256": "12", "variant": "pupil", "seed": 3, "validation": {"loss": 0.25}}
        card |= {"model": root.name, "task": "kitchen", "fold": 1}
        (folder / "pupil-s3-f1.json").write_text(json.dumps(card))
        (folder / "pupil-s3-f1.safetensors").write_bytes(b"")
    page = cli("show", "pupil").out
    rows = [line.split() for line in page.splitlines() if "kitchen" in line]
    assert rows == [
        ["far-net", "kitchen", "pupil", "3", "1", "local", "loss", "0.25"],
        ["tiny-net", "kitchen", "pupil", "3", "1", "shipped", "loss", "0.25"],
    ]
    shown = json.loads(cli("show", "pupil", "--json").out)["methods"]
    assert [each["model"] for each in shown["weights"]] == ["far-net", "tiny-net"]
    assert shown["learns"] is True


def test_a_name_of_several_things_shows_them_all(cli, task, offers):
    offers.append((SoundbankInfo("kitchen", "recordings of it", licence="CC0"), object))
    both = json.loads(cli("show", "kitchen", "--json").out)
    assert set(both) == {"tasks", "soundbanks"}
    one = json.loads(cli("show", "kitchen", "--kind", "soundbanks", "--json").out)
    assert set(one) == {"soundbanks"}


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (("lodest",), "unknown name 'lodest'", "did you mean 'loudest'"),
        (("tiny-net", "--kind", "methods"), "unknown method 'tiny-net'", "known: "),
        (("loudest", "--kind", "task"), "unknown value of --kind: 'task'", "did you mean 'tasks'"),
        (("kitchen", "--kind", "tasks"), "unknown task 'kitchen'", "none is installed"),
    ],
)
def test_an_unknown_name_ends_with_2(args, message, hint, cli):
    answer = cli("show", *args)
    assert (answer.code, answer.out) == (2, "")
    error, advice = answer.err.splitlines()
    assert error == f"error: {message}" and advice.startswith(f"hint: {hint}")


def test_plugins_are_shown_and_broken_ones_end_with_3(cli, broken):
    assert "model tiny-net" in cli("show", "made_up").out

    def fails():
        raise ImportError("no module named far")

    broken.append(Source("faraway", "far", "0.1", fails))
    answer = cli("show", "faraway")
    assert (answer.code, answer.out) == (3, "")
    assert "no module named far" in answer.err and "hint: pip install --upgrade far" in answer.err
