"""``sedbench show MODEL --card``: what the cards of its weights say, and what they do not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sedbench.types import MethodInfo, ModelInfo, Param

CARD = {
    "model": "big-net",
    "task": "kitchen",
    "task_version": 3,
    "task_fingerprint": "f" * 64,
    "variant": "classifier",
    "classes": ["Dishes", "Kettle"],
    "recipe": {"labels": "clip", "batch": 16, "learning_rate": 0.005},
    "best_epoch": 4,
    "epochs": 9,
    "command": "sedbench train classifier --model big-net --seed 1",
    "commit": "0123456789abcdef",
    "validation": {"micro_f1": 0.87654, "macro_f1": 0.5},
    "log": [{"epoch": 0, "loss": 0.123456}],
}


@pytest.fixture
def write(tmp_path, offers):
    """Put a weight file and its card into the shipped folder of a model."""
    folder = tmp_path / "weights"

    def build():
        raise AssertionError("a card must not build a model")

    seed = (Param("seed", 0, "which weights", minimum=0),)
    offers.append((ModelInfo("big-net", "more layers", params=seed, weights=folder), build))

    def put(seed: int = 1, **changes: object) -> Path:
        card = {k: v for k, v in {**CARD, "seed": seed, **changes}.items() if v is not None}
        fold = f"-f{card['fold']}" if "fold" in card else ""
        path = folder / "kitchen" / f"{card['variant']}-s{seed}{fold}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"tensors")
        card["sha256"] = hashlib.sha256(b"tensors").hexdigest()
        path.with_suffix(".json").write_text(json.dumps(card))
        return path

    return put


def test_a_card_says_data_recipe_and_metrics(cli, write):
    write()
    answer = cli("show", "big-net", "--card")
    assert (answer.code, answer.err) == (0, "")
    for text in (
        *("big-net: classifier", "trained on kitchen", "f" * 64, "Dishes, Kettle", "4 of 9"),
        *("labels clip, batch 16, learning rate 0.005", "0.8765", "0.5", "shipped"),
        *("sedbench train classifier --model big-net --seed 1", "0123456789ab"),
    ):
        assert text in answer.out, text
    assert "0.123456" not in answer.out  # the log stays in the file


def test_what_a_card_lacks_is_said_and_nothing_is_made_up(cli, write):
    write()
    lines = [" ".join(line.split()) for line in cli("show", "big-net", "--card").out.splitlines()]
    for fact in ("licence", "limits"):
        assert f"{fact} not on the card" in lines
    assert "intervals: not on the card" in lines
    assert "recipe not on the card" not in lines
    write(recipe=None, validation=None, command=None)
    lines = [" ".join(line.split()) for line in cli("show", "big-net", "--card").out.splitlines()]
    for line in ("recipe not on the card", "made by not on the card", "metrics: not on the card"):
        assert line in lines, line


def test_what_a_card_has_is_not_missing(cli, write):
    write(
        licence="CC-BY-4.0", limits=["one room", "two sounds"], intervals={"micro_f1": [0.8, 0.9]}
    )
    out = cli("show", "big-net", "--card").out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "licence CC-BY-4.0" in lines
    assert lines[lines.index("limits one room") + 1] == "two sounds"  # a sentence a line
    [score] = [i for i, line in enumerate(lines) if "0.8765" in line]
    assert lines[score + 1] == "0.8 to 0.9"  # of the one score that has an interval
    assert "not on the card" not in out and "resamples" not in out
    write(seed=2, surprise="a further fact")
    assert "a further fact" in cli("show", "big-net", "--card").out


def test_licences_of_several_things_and_where_intervals_come_from(cli, write):
    licence = {"weights": "MIT", "sounds": "CC0"}
    for fold, groups in ((0, 30), (1, 44)):
        told = {"clips": 40, "groups": groups, "resamples": 10_000, "level": 0.95}
        write(fold=fold, licence=licence, intervals={"macro_f1": [0.4, 0.61]}, resampled=told)
    out = cli("show", "big-net", "--card").out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "licence of the weights MIT" in lines and "licence of the sounds CC0" in lines
    assert lines.count("0.4 to 0.61") == 2
    assert "95% interval: 10,000 resamples of 40 clips and 30 to 44 source groups" in out
    order = [out.index(each) for each in ("labels clip", "macro_f1", "licence of", "made by")]
    assert order == sorted(order)  # recipe, metrics, licence, command


def test_seeds_and_rotations_share_a_page_and_other_recipes_do_not(cli, write):
    for seed, fold in ((0, 0), (0, 1), (1, 0)):
        write(seed, fold=fold, validation={"micro_f1": 0.5 + seed / 4 + fold / 8})
    out = cli("show", "big-net", "--card").out
    assert out.count("big-net: classifier") == 1
    rows = [line.split()[:6] for line in out.splitlines() if " of 9 " in line]
    assert rows == [
        ["0", "0", "4", "of", "9", "0.5"],
        ["0", "1", "4", "of", "9", "0.625"],
        ["1", "0", "4", "of", "9", "0.75"],
    ]
    write(7, recipe={"labels": "frame"})
    assert cli("show", "big-net", "--card").out.count("big-net: classifier") == 2


def test_a_parameter_chooses_the_weights(cli, write):
    write(0)
    write(12)
    document = json.loads(cli("show", "big-net[seed=12]", "--card", "--json").out)
    assert [card["seed"] for card in document["cards"]] == [12]
    answer = cli("show", "big-net[sed=1]", "--card")
    assert (answer.code, answer.out) == (2, "") and "did you mean 'seed'" in answer.err


def test_cards_as_json_are_whole(cli, write):
    write(fold=2)
    [card] = json.loads(cli("show", "big-net", "--card", "--json").out)["cards"]
    assert card["missing"] == ["intervals", "licence", "limits"]
    assert (card["origin"], card["file"]) == ("shipped", "kitchen/classifier-s1-f2.safetensors")
    assert {key: card[key] for key in CARD} == CARD


def test_a_model_without_weights_has_no_cards(cli):
    answer = cli("show", "tiny-net", "--card")
    assert answer.code == 0 and "nothing was trained" in answer.out
    assert json.loads(cli("show", "tiny-net", "--card", "--json").out) == {"cards": []}


def test_what_a_method_has_learnt_has_a_card(cli, offers, tmp_path, write):
    shipped = tmp_path / "learnt"
    offers.append((MethodInfo("learner", "learns", learns=True, weights=shipped), object))
    path = write(variant="mask")
    home = shipped / "tiny-net" / "kitchen"
    home.mkdir(parents=True)
    for each in (path, path.with_suffix(".json")):
        each.rename(home / each.name)
    assert "big-net: mask" in cli("show", "learner", "--card").out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("loudest",), "'loudest' has no model cards"),
        (("made-bank",), "'made-bank' has no model cards"),
        (("tiny-net", "--kind", "methods"), "unknown method 'tiny-net'"),
        (("tinynet",), "unknown name 'tinynet'"),
    ],
)
def test_what_has_no_cards_ends_with_2(args, message, cli):
    answer = cli("show", *args, "--card")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {message}\nhint: ")


def test_a_detectors_cards_are_its_models(cli, offers):
    offers.append((MethodInfo("hears", "hears", kind="detector", variant="fw"), object))
    answer = cli("show", "hears", "--card")
    assert answer.code == 2 and "sedbench show MODEL --card" in answer.err


def test_a_damaged_card_ends_with_4(cli, write):
    write().with_suffix(".json").write_text("{")
    answer = cli("show", "big-net", "--card")
    assert (answer.code, answer.out) == (4, "") and "classifier-s1.json" in answer.err


def test_a_reader_that_hangs_up_is_no_error(cli, write, monkeypatch):
    import sys

    write()

    class Closed:
        encoding = "utf-8"

        def write(self, text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            """Nothing is left to write."""

        def fileno(self) -> int:
            raise OSError

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdout", Closed())
    assert cli("show", "big-net", "--card").code == 141
