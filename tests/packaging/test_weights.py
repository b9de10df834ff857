"""Every weight file that ships is the one that its card records, of the task as it is."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import pytest

import sedbench_plugins
from sedbench.lookup import find_task
from sedbench.models.weights import stem
from sedbench.registry import registry
from sedbench_plugins.poolings import POOLINGS

HOME = Path(sedbench_plugins.__file__).parent  # in a checkout as in an installed wheel
FILES = sorted(HOME.rglob("*.safetensors"))
NAMES = [str(path.relative_to(HOME)) for path in FILES]
LARGEST = 400_000  # bytes: 150,000 parameters in half precision, and the header
# Rows of the board everywhere; of the other poolings a task may ship any seeds that these have.
FIRST = ("linear", "max")


@pytest.fixture(autouse=True)
def _needs_weights():
    if not FILES:
        pytest.skip("no weights ship yet")


def card(path: Path) -> dict:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def test_there_are_weights():
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_weight_file_is_what_its_card_records(path):
    content, recorded = path.read_bytes(), card(path)
    assert hashlib.sha256(content).hexdigest() == recorded["sha256"]
    assert len(content) <= LARGEST
    assert path.stem == stem(recorded["variant"], recorded["seed"], recorded.get("fold"))
    assert path.parent.name == recorded["task"]
    assert {"command", "commit", "validation"} <= recorded.keys()
    assert recorded["validation"]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_card_says_data_licence_limits_and_how_sure_its_scores_are(path):
    recorded = card(path)
    assert recorded["intervals"].keys() == recorded["validation"].keys()
    for name, (low, high) in recorded["intervals"].items():
        assert low <= recorded["validation"][name] <= high, name
    task = find_task(recorded["task"])
    turn = next(turn for turn in task.rotations if turn.fold == recorded.get("fold"))
    clips = sum(task.count(*block) for block in turn.blocks("validation"))
    assert clips == recorded["resampled"]["clips"] == recorded["data"]["validation"]
    kind, name = ("methods", recorded["method"]) if "method" in recorded else (
        ("models", recorded["model"].partition("[")[0])
    )  # fmt: skip
    info = registry().get(kind, name).info
    assert recorded["licence"]["weights"] == info.licence != ""
    assert recorded["licence"]["task"] == task.licence
    assert recorded["limits"][:-1] == list(info.limits) != []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_weights_were_trained_on_the_task_as_it_is(path):
    recorded = card(path)
    assert recorded["task_fingerprint"] == find_task(recorded["task"]).fingerprint()


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_weights_are_in_half_precision(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    kinds = {entry["dtype"] for name, entry in header.items() if name != "__metadata__"}
    assert "F16" in kinds
    assert not kinds & {"F32", "F64", "BF16"}


def test_the_variants_of_a_task_ship_with_the_same_seeds():
    seeds: dict[tuple[str, str], dict[str, set[tuple[int, int | None]]]] = {}
    for path in FILES:
        recorded = card(path)
        if "method" in recorded:
            continue
        mine = seeds.setdefault((recorded["model"], recorded["task"]), {})
        mine.setdefault(recorded["variant"], set()).add((recorded["seed"], recorded.get("fold")))
    for (model, task), found in seeds.items():
        variants = registry().get("models", model.partition("[")[0]).info.variants
        others = {f"fw-ws-{name}" for name in POOLINGS if name not in FIRST} & set(variants)
        assert set(variants) - others <= set(found) <= set(variants), f"{model} on {task}"
        whole = found[variants[0]]
        assert all(found[v] == whole for v in found if v not in others), f"{model} on {task}"
        rotations = {turn.fold for turn in find_task(task).rotations}
        for variant in others & set(found):
            assert found[variant] <= whole, f"{variant} of {model} on {task}"
            assert found[variant] == {(s, f) for s, _ in found[variant] for f in rotations}
        numbers = {seed for seeds in found.values() for seed, _ in seeds}
        assert set(found[variants[0]]) == {(s, f) for s in numbers for f in rotations}


def test_a_method_ships_what_it_learnt_of_every_rotation_and_of_classifiers_that_ship():
    shipped = {card(path)["sha256"] for path in FILES}
    folds: dict[tuple[str, ...], set[tuple[int, int | None]]] = {}
    for path in FILES:
        recorded = card(path)
        if "method" not in recorded:
            continue
        assert recorded["explained"] in shipped
        info = registry().get("methods", recorded["method"]).info
        assert info.learns and info.weights == path.parents[2]
        assert path.parents[1].name == recorded["model"]
        key = (recorded["method"], recorded["variant"], recorded["model"], recorded["task"])
        folds.setdefault(key, set()).add((recorded["seed"], recorded["fold"]))
    for (*_, task), found in folds.items():
        rotations = {turn.fold for turn in find_task(task).rotations}
        assert found == {(seed, fold) for seed, _ in found for fold in rotations}


def test_every_card_has_its_weights():
    owners = [("models", name) for name in registry().names("models")]
    owners += [("methods", name) for name in registry().names("methods")]
    for kind, name in owners:
        folder = registry().get(kind, name).info.weights
        if folder is None or not folder.is_dir():
            continue
        cards = {path.with_suffix("") for path in folder.rglob("*-s*.json")}
        assert cards == {path.with_suffix("") for path in folder.rglob("*.safetensors")}
