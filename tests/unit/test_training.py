"""Training on a toy problem: what is learnt, what is never read, and what a resume gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import DataError
from sedbench.models import training
from sedbench.models.contract import Classifier, Recipe
from sedbench.models.scoring import clip_scores, frame_iou
from sedbench.models.training import Examples, Report, learning_rate

RECIPE = Recipe(epochs=6, batch=8, learning_rate=0.05, patience=6)
FRAMES = 6


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Toy(Classifier):
    """A linear map of each frame, averaged over time."""

    def __init__(self, seed: int = 0, norm: bool = True, bands: int = 4) -> None:
        super().__init__()
        self.classes, self.sample_rate = ("Dog", "Cat"), 100
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.norm = nn.BatchNorm1d(bands) if norm else nn.Identity()
            self.head = nn.Conv1d(bands, 2, 1)

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), 4, FRAMES)

    def frame_logits(self, features: Tensor) -> Tensor:
        out: Tensor = self.head(self.norm(features))
        return out

    def logits(self, features: Tensor) -> Tensor:
        return self.frame_logits(features).mean(-1)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(FRAMES + 1) / FRAMES

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


def secret() -> NDArray[np.bool_]:
    raise AssertionError("frame labels were read")


def examples(clips: int, seed: int, frames: Callable[[], Any] | None = secret) -> Examples:
    """Class k raises band k where it is active; the other two bands mean nothing."""
    rng = np.random.default_rng(seed)
    present = rng.random((clips, 2, 1)) < 0.5
    active = present & (rng.random((clips, 2, FRAMES)) < 0.6)
    features = rng.normal(0, 0.3, (clips, 4, FRAMES))
    features[:, :2] += 3 * active
    labels = frames if frames is not None else lambda: active
    return Examples(features.astype(np.float16), active.any(-1), labels)


def train(path: Path, recipe: Recipe = RECIPE, *, seed: int = 1, **options: Any) -> Report:
    frames = None if recipe.labels == "frame" else secret
    data = examples(40, 1, frames), examples(20, 2, frames)
    model = options.pop("model", None) or Toy()
    return training.train(model, recipe, *data, seed=seed, checkpoint=path, **options)


def same(one: Report, other: Report) -> bool:
    return (
        one.best_epoch == other.best_epoch
        and one.log == other.log
        and one.state.keys() == other.state.keys()
        and all(one.state[k].equal(other.state[k]) for k in one.state)
    )


def test_a_planted_problem_is_learnt_from_clip_labels_alone(tmp_path: Path) -> None:
    model = Toy()
    report = train(tmp_path / "c", Recipe(epochs=12, batch=8, learning_rate=0.2), model=model)
    assert report.log[report.best_epoch]["micro_f1"] > 0.9
    assert report.log[-1]["loss"] < report.log[0]["loss"]
    for name, value in model.state_dict().items():
        assert value.equal(report.state[name])  # the best epoch's weights are in the model
    assert "frame_iou" not in report.log[0]


def test_a_strong_recipe_learns_frames_and_is_chosen_by_them(tmp_path: Path) -> None:
    report = train(tmp_path / "c", Recipe(labels="frame", epochs=6, batch=8, learning_rate=0.1))
    figures = [entry["frame_iou"] for entry in report.log]
    assert max(figures) > 0.8
    assert report.best_epoch == figures.index(max(figures))


@pytest.mark.parametrize("after", [0, 2, 4])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path, after: int) -> None:
    whole = train(tmp_path / "whole")
    path = tmp_path / "c"

    def stop(entry: Any) -> None:
        if entry["epoch"] == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(path, on_epoch=stop)
    ran: list[int] = []
    resumed = train(path, on_step=ran.append, model=Toy(seed=9))  # the checkpoint decides
    assert same(whole, resumed)
    assert ran == list(range(5 * (after + 1) + 1, 31))


def test_the_log_is_written_after_every_epoch_and_a_resume_goes_on_in_it(tmp_path: Path) -> None:
    path, log = tmp_path / "c", tmp_path / "deep" / "a.log.jsonl"

    def lines() -> list[dict[str, float]]:
        return [json.loads(line) for line in log.read_text().splitlines()]

    def stop(entry: Any) -> None:
        assert lines()[-1] == dict(entry)  # it is there as soon as the epoch is over
        if entry["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(path, on_epoch=stop, journal=log)
    assert [entry["epoch"] for entry in lines()] == [0, 1, 2]
    log.unlink()  # the checkpoint knows it all
    report = train(path, journal=log)
    assert lines() == list(report.log) and len(report.log) == 6
    train(tmp_path / "other", Recipe(epochs=1, batch=8), journal=log)
    assert len(lines()) == 1  # another training is another log


def test_an_epoch_that_was_cut_short_is_run_again(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    path = tmp_path / "c"

    def stop(step: int) -> None:
        if step == 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(path, on_step=stop)
    assert same(whole, train(path))


def test_a_finished_training_is_not_run_again(tmp_path: Path) -> None:
    whole = train(tmp_path / "c")
    assert same(whole, train(tmp_path / "c", on_step=lambda _: pytest.fail("it trained")))


def test_a_fresh_start_ignores_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"anything")
    assert same(train(tmp_path / "c", resume=False), train(tmp_path / "other"))


def test_a_function_of_the_seed(tmp_path: Path) -> None:
    reports = [train(tmp_path / f"{i}", seed=seed) for i, seed in enumerate((1, 1, 2))]
    assert same(reports[0], reports[1])
    assert not same(reports[0], reports[2])


def test_global_generators_are_left_alone(tmp_path: Path) -> None:
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()
    train(tmp_path / "c")
    assert torch.random.get_rng_state().equal(torch_state)
    assert str(np.random.get_state()) == str(numpy_state)


@pytest.mark.parametrize("patience", [1, 3])
def test_training_stops_when_nothing_gets_better(tmp_path: Path, patience: int) -> None:
    recipe = Recipe(epochs=9, batch=8, learning_rate=1e-12, weight_decay=0.0, patience=patience)
    report = train(tmp_path / "c", recipe, model=Toy(norm=False))
    assert report.best_epoch == 0
    assert len(report.log) == 1 + patience
    again = train(tmp_path / "c", recipe, model=Toy(norm=False))
    assert len(again.log) == 1 + patience


def damaged(path: Path, how: str) -> None:
    from safetensors.torch import save

    train(path)
    content = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "text": b"not a checkpoint at all",
            "short": content[: len(content) // 2],
            "no log": save({"model.head.weight": torch.zeros(2, 4, 1)}),
            "no weights": save({"best.head.weight": torch.zeros(1)}, {"log": "[]"}),
            "no JSON": save({"best.head.weight": torch.zeros(1)}, {"log": "{"}),
        }[how]
    )


@pytest.mark.parametrize("how", ["empty", "text", "short", "no log", "no weights", "no JSON"])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path, how: str) -> None:
    path = tmp_path / "c.safetensors"
    damaged(path, how)
    with pytest.raises(DataError, match=r"c\.safetensors") as caught:
        train(path)
    assert caught.value.exit_code == 4
    assert "--fresh" in caught.value.hint


def test_a_checkpoint_of_another_network(tmp_path: Path) -> None:
    train(tmp_path / "c", model=Toy(norm=False))
    with pytest.raises(DataError, match="cannot resume"):
        train(tmp_path / "c")


def test_the_log_is_plain_json(tmp_path: Path) -> None:
    log = train(tmp_path / "c").log
    assert json.loads(json.dumps(list(log), allow_nan=False)) == list(log)
    assert [entry["epoch"] for entry in log] == list(range(6))


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="clips"):
        training.train(
            Toy(), RECIPE, examples(0, 1), examples(4, 2), seed=0, checkpoint=tmp_path / "c"
        )


def test_learning_rate_is_one_cycle() -> None:
    assert learning_rate(0, 100, 1.0) == pytest.approx(0.04)
    assert learning_rate(25, 100, 1.0) == pytest.approx(1.0)
    assert learning_rate(100, 100, 1.0) == pytest.approx(1e-4)
    # Half way up, and half way down.
    assert learning_rate(50, 400, 3e-3) == pytest.approx(3e-3 * (0.04 + 1) / 2)
    assert learning_rate(250, 400, 3e-3) == pytest.approx(3e-3 * (1e-4 + 1) / 2)
    rates = [learning_rate(i, 40, 1.0) for i in range(40)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(0, 1, 1.0) > 0


def test_smoothing_moves_the_targets(tmp_path: Path) -> None:
    plain, smooth = (
        train(tmp_path / f"{s}", Recipe(epochs=12, batch=8, learning_rate=0.2, smoothing=s))
        for s in (0.0, 0.2)
    )
    assert plain.log[-1]["loss"] < 0.3 < 0.5 < smooth.log[-1]["loss"]  # the entropy of 0.2 is 0.5


def test_clip_scores_by_hand() -> None:
    found = clip_scores(
        np.array([[0.9, 0.5], [0.6, 0.7], [0.2, 0.1]]),
        np.array([[True, True], [False, True], [True, False]]),
    )
    # Dog: 1 hit, 1 false, 1 missed. Cat: 0.5 is not above 0.5, so 1 hit, 1 missed.
    assert found["micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    assert found["macro_f1"] == pytest.approx((0.5 + 2 / 3) / 2)
    assert (found["precision"], found["recall"]) == (pytest.approx(2 / 3), pytest.approx(0.5))
    nothing = clip_scores(np.zeros((2, 2)), np.zeros((2, 2), bool))
    assert set(nothing.values()) == {0.0}


def test_frame_iou_by_hand() -> None:
    truth = np.array([[[1, 1, 0, 0], [0, 0, 0, 0]], [[0, 1, 0, 0], [1, 1, 1, 1]]], bool)
    score = np.array([[[1, 0, 1, 0], [1, 1, 1, 1]], [[0, 0, 0, 0], [1, 1, 1, 0]]]) * 0.8
    # The absent class of the first clip is no pair.
    assert frame_iou(score, truth) == pytest.approx((1 / 3 + 0 + 3 / 4) / 3)
    assert frame_iou(score, np.zeros_like(truth)) == 0.0
