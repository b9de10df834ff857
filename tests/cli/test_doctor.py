"""``sedbench doctor`` and ``sedbench env``: is everything here, and what is it."""

from __future__ import annotations

import json
import os

import pytest

from sedbench.environment import Requirement
from sedbench.registry import Source
from sedbench.types import ModelInfo, SoundbankInfo, TaskInfo


def checks(answer) -> dict[str, dict[str, str]]:
    return {check["what"]: check for check in json.loads(answer.out)["checks"]}


@pytest.fixture(autouse=True)
def requirements(monkeypatch):
    """Leave what happens to be installed out of it."""
    found = [Requirement("numpy", ">=2", "2.4.0")]
    monkeypatch.setattr("sedbench.cli.doctor.requirements", lambda: found)
    return found


def test_a_sound_installation_ends_with_0(cli):
    answer = cli("doctor")
    assert answer.code == 0 and answer.err == "" and "fail" not in answer.out
    found = checks(cli("doctor", "--json"))
    assert {c["status"] for c in found.values()} <= {"ok", "note"}
    assert {"python", "packages", "cache", "data", "plugins", "soundbank made-bank"} <= set(found)


def test_a_package_that_is_missing_or_too_old(cli, requirements):
    requirements += [Requirement("torch", ">=9", "2.0"), Requirement("captum", "", None)]
    answer = cli("doctor", "--json")
    assert answer.code == 1
    found = checks(answer)["packages"]
    assert "torch 2.0 (needs >=9)" in found["found"] and "captum is missing" in found["found"]
    assert found["hint"] == "pip install 'torch>=9' 'captum'"


def test_a_broken_plugin_is_named_with_how_to_mend_it(cli, broken):
    def fails():
        raise ImportError("no module named far")

    broken.append(Source("faraway", "far", "0.1", fails))
    answer = cli("doctor")
    assert answer.code == 1
    assert "plugin faraway" in answer.out and "pip install --upgrade far" in answer.out


def test_a_task_that_cannot_be_read_is_named(cli, offers, tmp_path):
    offers.append((TaskInfo("ghost", "gone"), lambda: tmp_path / "ghost.toml"))
    answer = cli("doctor", "--json")
    assert answer.code == 1 and checks(answer)["task ghost"]["status"] == "fail"


def test_a_soundbank_that_was_not_fetched_is_a_note_with_the_line_to_type(cli, offers, tmp_path):
    offers.append((SoundbankInfo("house", "sounds", fetch="sedbench fetch house"), object))
    answer = cli("doctor", "--json")
    assert answer.code == 0
    assert checks(answer)["soundbank house"]["hint"] == "sedbench fetch house"


def test_a_cache_that_cannot_be_written(cli, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    cli("doctor")  # sets the folders that the fixture wants
    monkeypatch.setenv("SEDBENCH_CACHE", str(blocked / "cache"))
    answer = cli("doctor", "--json")
    assert answer.code == 1
    assert "SEDBENCH_CACHE" in checks(answer)["cache"]["hint"]


def test_doctor_writes_nothing(cli, tmp_path):
    before = sorted(os.walk(tmp_path))
    cli("doctor")
    assert sorted(os.walk(tmp_path)) == before


def test_env_is_one_json_object_and_a_table(cli):
    document = json.loads(cli("env", "--json").out)
    assert document["packages"]["numpy"] and document["python"]
    assert document["python"] in cli("env").out


def test_a_pretrained_model_says_whether_it_was_fetched(cli, offers, tmp_path, monkeypatch):
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path / "data"))
    info = ModelInfo(
        "big-net",
        "comes trained",
        trains=False,
        pretrained=(("net.bin", "0" * 64),),
        fetch="sedbench fetch big-net",
    )
    offers.append((info, object))
    absent = {c["what"]: c for c in json.loads(cli("doctor", "--json").out)["checks"]}
    assert absent["pretrained big-net"]["status"] == "note"
    assert absent["pretrained big-net"]["hint"] == "sedbench fetch big-net"
    assert "weights big-net" not in absent  # there is nothing to train
    (tmp_path / "data/models/net").mkdir(parents=True)
    (tmp_path / "data/models/net/net.bin").touch()
    present = {c["what"]: c for c in json.loads(cli("doctor", "--json").out)["checks"]}
    assert present["pretrained big-net"]["status"] == "ok"
