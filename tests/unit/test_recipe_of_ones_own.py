"""``sedbench train --recipe``: the file decides the training, and the card says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sedbench import learn, trainer
from sedbench.errors import UsageError
from sedbench.models.training import Examples
from sedbench.models.weights import Weights, load


def secret() -> NDArray[np.bool_]:
    raise AssertionError("frame labels were read")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe, and a few clips in place of the task's."""
    monkeypatch.setenv("SEDBENCH_CACHE", str(tmp_path / "cache"))

    def few(*_: Any) -> Examples:
        rng = np.random.default_rng(0)
        labels = rng.random((6, 10)) < 0.5
        return Examples(rng.normal(-9, 3, (6, 64, 12)).astype(np.float16), labels, secret)

    monkeypatch.setattr(trainer, "examples", few)
    monkeypatch.setattr(trainer, "heard", lambda *_: [[(f"author-{i}",)] * 10 for i in range(6)])
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 2\nbatch = 3\nema = 0.9\n[fw-ws-auto.augment]\nmixup = 0.3\n")
    return path


def test_it_is_trained_so_and_the_card_says_so(own: Path, tmp_path: Path) -> None:
    found = learn.train("fw-ws-auto", "domestic", seed=7, jobs=1, root=tmp_path, recipe=own)
    recipe = found.card["recipe"]
    assert (recipe["epochs"], recipe["batch"], recipe["ema"]) == (2, 3, 0.9)
    assert recipe["learning_rate"] == 5e-3  # the family's: the file says nothing of it
    assert recipe["augment"]["mixup"] == 0.3 and recipe["labels"] == "clip"
    assert found.card["command"].endswith("--seed 7 --recipe mine.toml")
    assert [entry["epoch"] for entry in found.card["log"]] == [0, 1]
    assert found.journal == tmp_path / "domestic" / "fw-ws-auto-s7.log.jsonl"
    written = [json.loads(line) for line in found.journal.read_text().splitlines()]
    assert written == found.card["log"]
    card = json.loads(found.path.with_suffix(".json").read_text())
    assert card == found.card
    assert card["intervals"].keys() <= card["validation"].keys()
    assert card["resampled"]["clips"] == 6
    assert card["licence"] == {"weights": "MIT", "task": "MIT", "sounds": "MIT"}
    assert card["limits"] and card["data"]["train"] == 2000
    assert load(Weights(found.path, card, "local"))["pooling.alpha"].shape == (10,)


def test_what_does_not_suit_is_said_before_anything_is_made(own: Path) -> None:
    own.write_text("augment.filter = 0.5\n")
    with pytest.raises(UsageError, match=r"augment\.filter"):
        learn.train("fw-ws-max", "domestic", "yamnet-head", recipe=own)
    own.write_text("[fw-ws-median]\nepochs = 3\n")
    with pytest.raises(UsageError, match=r"mine\.toml.*fw-ws-median"):
        learn.train("fw-ws-max", "domestic", recipe=own)
    with pytest.raises(UsageError, match="'attention' takes no recipe"):
        learn.train("attention", "domestic", recipe=own)
