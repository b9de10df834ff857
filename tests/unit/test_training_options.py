"""Training options on a toy: averaged weights, augmentation, bfloat16; and nothing while off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import DataError
from sedbench.models import training
from sedbench.models.augment import Augment
from sedbench.models.averaging import Average
from sedbench.models.contract import Classifier, Recipe
from sedbench.models.training import Examples, Report

FRAMES = 6
PLAIN = Recipe(epochs=4, batch=8, learning_rate=0.05, positive_weight=2.0, smoothing=0.05)
ALL = Augment(time_shift=0.5, mixup=0.3, mask_frames=0.4, mask_bands=0.3, filter=0.5)
OPTIONS = {
    "ema": replace(PLAIN, ema=0.9),
    "augment": replace(PLAIN, augment=ALL),
    "bfloat16": replace(PLAIN, precision="bfloat16"),
    "all": replace(PLAIN, ema=0.9, augment=ALL, precision="bfloat16"),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Toy(Classifier):
    """A linear map of each frame, averaged over time."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.classes, self.sample_rate = ("Dog", "Cat"), 100
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.norm = nn.BatchNorm1d(4)
            self.head = nn.Conv1d(4, 2, 1)
        self.dtypes: set[torch.dtype] = set()

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), 4, FRAMES)

    def frame_logits(self, features: Tensor) -> Tensor:
        out: Tensor = self.head(self.norm(features))
        self.dtypes.add(out.dtype)
        return out

    def logits(self, features: Tensor) -> Tensor:
        return self.frame_logits(features).mean(-1)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(FRAMES + 1) / FRAMES

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


def secret() -> NDArray[np.bool_]:
    raise AssertionError("frame labels were read")


def examples(clips: int, seed: int, labels: str) -> Examples:
    """Class k raises band k where it is active; the other two bands mean nothing."""
    rng = np.random.default_rng(seed)
    present = rng.random((clips, 2, 1)) < 0.5
    active = present & (rng.random((clips, 2, FRAMES)) < 0.6)
    features = rng.normal(0, 0.3, (clips, 4, FRAMES))
    features[:, :2] += 3 * active
    frames = secret if labels == "clip" else lambda: active
    return Examples(features.astype(np.float16), active.any(-1), frames)


def train(path: Path, recipe: Recipe, **options: Any) -> Report:
    data = examples(40, 1, recipe.labels), examples(20, 2, recipe.labels)
    model = options.pop("model", None) or Toy()
    return training.train(model, recipe, *data, seed=1, checkpoint=path, **options)


def same(one: Report, other: Report) -> bool:
    return one.log == other.log and all(one.state[k].equal(other.state[k]) for k in one.state)


# What the loop gave before it had any of these options.
GOLDEN = {
    "clip": (
        [0.9625671, 0.8500985, 0.7448374, 0.7016888],
        [0.494907, 0.263718, -0.29101, -0.287885, 0.00485, 0.626363, -0.387133, 0.147263],
    ),
    "frame": (
        [0.9071729, 0.7614557, 0.6296148, 0.5724631],
        [0.462219, 0.048492, -0.102831, -0.068914, 0.067979, 0.597352, -0.094936, 0.0311],
    ),
}


@pytest.mark.parametrize("labels", ["clip", "frame"])
def test_with_everything_off_it_trains_as_it_did(tmp_path: Path, labels: Any) -> None:
    report = train(tmp_path / "c", replace(PLAIN, labels=labels))
    losses, weights = GOLDEN[labels]
    assert [entry["loss"] for entry in report.log] == pytest.approx(losses, rel=1e-5)
    assert report.state["head.weight"].flatten().tolist() == pytest.approx(weights, abs=2e-5)


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_changes_what_is_learnt_and_is_a_function_of_the_seed(
    tmp_path: Path, option: str
) -> None:
    plain = train(tmp_path / "plain", PLAIN)
    one, other = (train(tmp_path / f"{i}", OPTIONS[option]) for i in range(2))
    assert same(one, other) and not same(one, plain)


@pytest.mark.parametrize("labels", ["clip", "frame"])
@pytest.mark.parametrize("option", OPTIONS)
def test_killed_in_the_middle_of_an_epoch_it_ends_with_the_same_bits(
    tmp_path: Path, option: str, labels: Any
) -> None:
    recipe = replace(OPTIONS[option], labels=labels)
    whole = train(tmp_path / "whole", recipe)

    def kill(step: int) -> None:
        if step == 13:  # of the third epoch
            raise KeyboardInterrupt

    path = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        train(path, recipe, on_step=kill)
    ran: list[int] = []
    assert same(whole, train(path, recipe, model=Toy(seed=9), on_step=ran.append))
    assert ran == list(range(11, 21))


def test_the_average_is_what_is_validated_and_kept(tmp_path: Path) -> None:
    model, path = Toy(), tmp_path / "c"
    recipe = replace(PLAIN, ema=0.9, epochs=1)
    report = train(path, recipe, model=model)
    check = examples(20, 2, "clip")
    found = training.validate(model, check, recipe)
    assert {key: report.log[0][key] for key in found} == found
    trained = train(tmp_path / "plain", replace(recipe, ema=0.0)).state
    assert not trained["head.weight"].equal(report.state["head.weight"])
    assert int(report.state["norm.num_batches_tracked"]) == 5


def test_an_average_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    average = Average(model, 0.5)
    values = []
    for done in range(12):
        nn.init.constant_(model.weight, 1.0)
        average.step(model, done)
        values.append(float(average.state["weight"]))
    left = 1.0
    for done, value in enumerate(values):
        left *= min(0.5, (1 + done) / (10 + done))  # of where it began
        assert value == pytest.approx(1 - left, rel=1e-6)
    nn.init.constant_(model.weight, 5.0)
    with pytest.raises(ZeroDivisionError), average.shown(model):
        assert model.weight.item() == pytest.approx(values[-1])
        raise ZeroDivisionError
    assert model.weight.item() == 5.0


def test_a_checkpoint_without_the_average_is_one_clear_error(tmp_path: Path) -> None:
    train(tmp_path / "c", PLAIN)
    with pytest.raises(DataError, match="cannot resume") as caught:
        train(tmp_path / "c", OPTIONS["ema"])
    assert "--fresh" in caught.value.hint


def test_half_precision_is_of_training_alone(tmp_path: Path) -> None:
    model = Toy()
    report = train(tmp_path / "c", OPTIONS["bfloat16"], model=model)
    assert torch.bfloat16 in model.dtypes
    assert {v.dtype for v in report.state.values()} == {torch.float32, torch.int64}
    model.dtypes.clear()
    training.validate(model, examples(8, 3, "clip"), OPTIONS["bfloat16"])
    assert model.dtypes == {torch.float32}


def test_epochs_are_chosen_by_what_the_labels_allow(tmp_path: Path) -> None:
    # Frame labels: frame IoU. Clip labels: clip micro F1; there is nothing else to choose by.
    strong = train(tmp_path / "s", replace(PLAIN, labels="frame"))
    figures = [entry["frame_iou"] for entry in strong.log]
    assert strong.best_epoch == figures.index(max(figures))
    weak = train(tmp_path / "w", PLAIN)
    figures = [entry["micro_f1"] for entry in weak.log]
    assert weak.best_epoch == figures.index(max(figures)) and "frame_iou" not in weak.log[0]
