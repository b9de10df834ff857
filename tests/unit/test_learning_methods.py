"""Methods that learn: what they are given, what is kept, and what a result depends on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench import examples, learn, spec, teacher
from sedbench.data.index import write_index
from sedbench.errors import (
    DataError,
    MissingDataError,
    NotApplicable,
    SedbenchError,
    UnknownNameError,
    UsageError,
)
from sedbench.files import sha256
from sedbench.lookup import with_learned
from sedbench.models import learned, weights
from sedbench.models.about import About
from sedbench.models.lesson import Clips, Learned, Lesson
from sedbench.models.shares import Share
from sedbench.progress import Quiet
from sedbench.refs import MethodRef
from sedbench.results import Result
from sedbench.runner import run
from sedbench.taskfile import load_task
from sedbench.trainer import Trained
from sedbench.types import Answer, FrameScores, MethodInfo, Param, Query

World = Any  # of conftest.py
INFO = MethodInfo(
    "pupil",
    "",
    params=(
        Param("depth", "flat", "", ("flat", "deep")),
        Param("power", 1, ""),
    ),
    variant="pupil-{depth}",
    learns=True,
)
RECIPE = SimpleNamespace(epochs=5, batch=4, learning_rate=0.5, weight_decay=0.0, patience=5)


class Pupil:
    """Learns a linear map of each frame from clip labels; its frame logits are the scores."""

    def __init__(self, depth: str, power: int) -> None:
        self.depth, self.power = depth, power

    def learn(self, lesson: Lesson) -> Learned:
        net = nn.Conv1d(lesson.training.features.shape[1], len(lesson.model.classes), 1)
        with torch.no_grad():
            net.weight += 1.0 if self.depth == "deep" else torch.eye(2)[..., None]

        def error(features: Tensor, labels: Tensor) -> Tensor:
            logits = net((features + 12) / 4).amax(-1)
            return nn.functional.binary_cross_entropy_with_logits(logits, labels)

        def score() -> Mapping[str, float]:
            return {"loss": float(error(*next(lesson.validation.batches(100))))}

        def loss(rows: NDArray[np.int64], step: int) -> Tensor:
            return error(*lesson.training.batch(rows))

        return lesson.fit(net, RECIPE, loss, score, facts={"depth": self.depth})

    def answer(self, query: Query, model: Any) -> Answer:
        Pupil.asked.extend(query.clip_ids)
        state = model.learned(INFO, depth=self.depth)
        net = model.classifier()
        with torch.no_grad():
            features = net.features(torch.from_numpy(query.waveforms))
            frames = nn.functional.conv1d(features, state["weight"], state["bias"]).numpy()
        values = frames[query.pairs[:, 0], query.pairs[:, 1]] ** self.power
        return Answer(FrameScores(values, net.frame_edges(query.waveforms.shape[1])), 0.1)

    asked: list[str] = []  # noqa: RUF012 - whom it was asked about


def pupil(depth: str = "flat", power: int = 1) -> MethodRef:
    params = {"depth": depth, "power": power}
    return MethodRef(INFO, spec.canonical(INFO, params), params, Pupil)


@pytest.fixture
def school(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The toy world, with clips to learn from."""
    clips = sys.modules[type(world).__module__].CLIPS
    monkeypatch.setitem(clips, "train", 16)
    scenes = [world.soundscape("train", i) for i in range(clips["train"])]
    digest = write_index(world.task.parent / "train.csv", scenes)
    text = f'\n[splits.train]\nindex = "train.csv"\nclips = 16\nsha256 = "{digest}"\n'
    world.task.write_text(world.task.read_text() + text)
    Pupil.asked.clear()
    return world


def teach(world: World, method: MethodRef | None = None, **options: Any) -> Trained:
    settings: dict[str, Any] = {"command": "sedbench train pupil", "commit": "abc", **options}
    settings = {"progress": Quiet(), **settings}
    model = settings.pop("model", None) or world.model()
    return teacher.train_method(
        load_task(world.task), world.bank, model, method or pupil(), **settings
    )


def apart(model: Any, clips: Clips, samples: int, state: Any, **params: Any) -> dict[str, Share]:
    assert params == {"depth": "flat", "power": 1} and samples == 8000
    assert state["weight"].equal(state["weight"].half().float())  # as it comes from a file
    return {"loss": Share(np.ones(clips.labels.shape), np.ones(clips.labels.shape))}


def graded(world: World, method: MethodRef | None = None, **options: Any) -> Result:
    method = with_learned(method or pupil(), (world.model(),))
    (result,) = run(world.work(method, **options))
    return result


def identity(world: World, method: MethodRef) -> str:
    return str(world.work(with_learned(method, (world.model(),))).identity(method))


def test_its_card_has_intervals_where_it_takes_its_scores_apart(school: World) -> None:
    assert "intervals" not in teach(school).card
    able = replace(pupil(), info=replace(INFO, shares=lambda: apart))
    told = About("two tones", {"weights": "MIT"}, ("It hears two tones.",))
    card = json.loads(teach(school, able, about=told).path.with_suffix(".json").read_text())
    assert card["intervals"] == {"loss": [1.0, 1.0]}
    assert card["resampled"]["clips"] == 10 and card["resampled"]["groups"] > 0
    assert card["licence"] == {"weights": "MIT"} and card["limits"] == ["It hears two tones."]
    assert card["data"]["sounds"] == "two tones"
    assert (card["data"]["train"], card["data"]["validation"]) == (16, 10)


def test_what_it_learns_is_kept_with_a_card_and_used(school: World) -> None:
    kept = teach(school)
    home = school.folder / "data" / "weights" / "pupil" / "ear" / "tones"
    assert kept.path == home / "pupil-flat-s0.safetensors"
    card = json.loads(kept.path.with_suffix(".json").read_text())
    assert card["sha256"] == sha256(kept.path.read_bytes()) == kept.card["sha256"]
    assert kept.journal == home / "pupil-flat-s0.log.jsonl"
    assert [json.loads(line) for line in kept.journal.read_text().splitlines()] == card["log"]
    assert card["explained"] == dict(school.model().weights)["classifier"]
    assert card["method"] == "pupil" and card["model"] == "ear" and card["task"] == "tones"
    assert card["task_fingerprint"] == load_task(school.task).fingerprint()
    assert card["recipe"] == {
        **{"epochs": 5, "batch": 4, "learning_rate": 0.5, "weight_decay": 0.0, "patience": 5},
        **{"seen": 16, "depth": "flat"},
    }
    assert len(card["log"]) == card["epochs"] == 5
    losses = [entry["validation_loss"] for entry in card["log"]]
    assert card["best_epoch"] == losses.index(min(losses))
    # Scores are those of what is kept, in half precision.
    assert card["validation"]["loss"] == pytest.approx(min(losses), rel=1e-2)
    result = graded(school)
    assert result.status == "ok", result.reason
    assert result.provenance["weights"]["pupil-flat"] == card["sha256"]
    figures = [r["value"] for r in result.scores if r["metric"] == "auc" and r["stratum"] == "all"]
    assert min(figures) > 0.9  # tones are where they are loud


def test_it_is_given_no_frame_labels(school: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("frame labels were read")

    monkeypatch.setattr(examples, "_frame_labels", refuse)
    teach(school)
    assert {each.name for each in fields(Clips)} == {"features", "labels", "device"}
    assert not [each.name for each in fields(Lesson) if "frame" in each.name]


def test_without_weights_its_status_says_what_to_type(school: World) -> None:
    result = graded(school, pupil("deep"))
    assert result.status == "failed" and Pupil.asked
    line = "sedbench train 'pupil[depth=deep]' --model ear --task tones --seed 0"
    assert result.reason.endswith(f"(train it: {line})")
    with pytest.raises(MissingDataError) as missing:
        learned.find(INFO, {"depth": "flat"}, replace(school.model(), fold=3, seed=2))
    assert missing.value.exit_code == 4
    assert missing.value.hint == (
        "train it: sedbench train pupil --model ear --task tones --seed 2 --fold 3"
    )


def test_a_result_depends_on_what_was_learnt(school: World) -> None:
    before = identity(school, pupil())
    teach(school)
    method = with_learned(pupil(), (school.model(),))
    known = school.work(method).identity(method)
    assert known != before
    first = graded(school)
    Pupil.asked.clear()
    assert graded(school).origin == "stored" and not Pupil.asked
    # Learnt again with another end: neither the stored result nor the cached answers hold.
    path = weights.local_root("pupil/ear") / "tones" / "pupil-flat-s0.safetensors"
    card = json.loads(path.with_suffix(".json").read_text())
    state = {k: -v for k, v in weights.load(weights.Weights(path, card, "local")).items()}
    weights.save(path, state, {k: v for k, v in card.items() if k != "sha256"})
    again = graded(school)
    assert again.provenance["identity"] not in (before, known) and Pupil.asked
    assert again.scores != first.scores


def test_a_method_that_does_not_learn_depends_on_what_it_did_before(school: World) -> None:
    plain, model = school.method(), school.model()
    assert model.behind(plain) == [list(model.weights), (), model.code()]
    before = school.work(plain).identity(plain)
    teach(school)
    assert with_learned(plain, (model,)) is plain
    assert school.work(plain).identity(plain) == before
    assert list(graded(school, plain).provenance["weights"]) == ["classifier"]


def test_parameters_that_change_the_training_have_weights_of_their_own(school: World) -> None:
    flat, deep = teach(school), teach(school, pupil("deep"))
    assert flat.path != deep.path and flat.card["sha256"] != deep.card["sha256"]
    assert spec.trained(INFO, {"depth": "deep", "power": 2}) == ("pupil-deep", "pupil[depth=deep]")
    assert spec.trained(replace(INFO, variant=""), {"depth": "deep"}) == ("pupil", "pupil")
    other = with_learned(pupil(power=2), (school.model(),))
    assert other.learned == ((None, flat.card["sha256"]),)  # a power is no training


class Killed(Quiet):
    """Ends everything at some epoch, or within one."""

    def __init__(self, epoch: int, within: bool) -> None:
        self.epochs, self.steps, self.within = epoch, 4 * epoch + 2, within

    def note(self, text: str) -> None:
        if not self.within and text.startswith(f"epoch {self.epochs - 1} "):
            raise KeyboardInterrupt

    def advance(self, n: int = 1) -> None:
        if self.within:
            self.steps -= n
            if self.steps == 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize("within", [False, True], ids=["behind an epoch", "within one"])
def test_a_training_that_was_killed_goes_on_and_ends_the_same(school: World, within: bool) -> None:
    whole = teach(school, root=school.folder / "whole")
    with pytest.raises(KeyboardInterrupt):
        teach(school, progress=Killed(2, within))
    (left,) = (school.folder / "cache" / "training").iterdir()
    noted: list[str] = []
    watcher = Quiet()
    watcher.note = noted.append  # type: ignore[method-assign]
    resumed = teach(school, progress=watcher)
    assert [text.split()[1] for text in noted] == ["2", "3", "4"]
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    assert resumed.card["log"] == whole.card["log"]
    assert not left.exists()


def test_a_training_that_is_started_anew_forgets_the_checkpoint(school: World) -> None:
    whole = teach(school, root=school.folder / "whole")
    with pytest.raises(KeyboardInterrupt):
        teach(school, progress=Killed(1, False))
    (left,) = (school.folder / "cache" / "training").iterdir()
    left.write_bytes(b"damaged")
    with pytest.raises(DataError, match="cannot resume"):
        teach(school)
    assert teach(school, resume=False).card["sha256"] == whole.card["sha256"]


def test_learning_leaves_the_classifier_and_the_generator_as_they_were(school: World) -> None:
    net = school.model().handle().classifier()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    drawn = torch.random.get_rng_state()
    teach(school)
    assert torch.random.get_rng_state().equal(drawn)
    assert all(v.equal(before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in net.parameters())


def test_another_classifiers_lesson_is_refused(school: World) -> None:
    teach(school)
    path = weights.local_root("ear") / "tones" / "classifier-s0.safetensors"
    weights.save(path, {"gain": torch.full((2,), 3.0)}, {"validation": {}})
    with pytest.raises(DataError, match="another classifier") as refused:
        with_learned(pupil(), (school.model(),))
    assert "train it again: sedbench train pupil --model ear" in str(refused.value.hint)
    with pytest.raises(DataError, match="another classifier"):
        school.model().handle().learned(INFO, depth="flat")


def test_what_ships_comes_first_and_stays_in_use(school: World) -> None:
    mine = teach(school)
    shipped = replace(INFO, weights=school.folder / "shipped")
    method = replace(pupil(), info=shipped)
    card = {k: v for k, v in mine.card.items() if k != "sha256"}
    path = school.folder / "shipped" / "ear" / "tones" / mine.path.name
    digest = weights.save(path, {"weight": torch.ones(2, 2, 1), "bias": torch.zeros(2)}, card)
    assert with_learned(method, (school.model(),)).learned == ((None, digest),)
    again = teach(school, method)
    assert again.path == mine.path and again.shipped is not None
    assert again.shipped["sha256"] == digest


def test_a_model_that_is_trained_on_no_task_teaches_nothing(school: World) -> None:
    model = replace(school.model(), trains=False)
    Knowing.family = school.family
    with pytest.raises(NotApplicable, match="trained on no task"):
        model.handle().learned(INFO, depth="flat")
    assert with_learned(pupil(), (model,)).learned == ()
    with pytest.raises(UsageError, match="nothing to train"):
        teach(school, model=model)
    knowing = replace(model, factory=Knowing)
    (result,) = run(school.work(pupil(), models=(knowing,)))
    assert result.status == "not_applicable" and "trained on no task" in result.reason


class Knowing:
    """A family that comes trained."""

    def build(self, *args: Any) -> Any:
        net = Knowing.family().build(*args)
        net.load_trained = lambda state: net.load_state_dict({"gain": torch.full((2,), 2.0)})
        return net

    family: Any = None


def test_a_method_that_only_says_so_is_told(school: World) -> None:
    with pytest.raises(SedbenchError, match="has no `learn`"):
        teach(school, school.method(learns=True))


def test_a_task_without_training_clips_says_so(world: World) -> None:
    with pytest.raises(DataError, match="no train split"):
        teach(world)


def test_the_epoch_with_the_lowest_validation_loss_is_kept(tmp_path: Path) -> None:
    clips = Clips(np.zeros((8, 2, 3), np.float16), np.ones((8, 1), bool))
    handle: Any = SimpleNamespace(device="cpu")
    lesson = Lesson(handle, clips, clips, 30, 0, "x", Quiet(), tmp_path / "checkpoint")
    net = nn.Linear(1, 1)
    losses = iter([3.0, 1.0, 2.0, 1.0, 5.0, 0.25])
    seen: list[int] = []

    def loss(rows: NDArray[np.int64], step: int) -> Tensor:
        seen.extend(rows.tolist())
        return net(torch.ones(1)).sum() ** 2

    def score() -> Mapping[str, float]:
        assert not net.training and not torch.is_grad_enabled()
        return {"loss": next(losses), "other": -1.0}

    found = lesson.fit(net, RECIPE, loss, score, seen=6)
    assert found.best_epoch == 1 and len(found.log) == 5
    assert found.validation == {"loss": 0.25, "other": -1.0}  # of what is kept
    assert len(seen) == 5 * 6 and set(seen) == set(range(8))


@pytest.mark.parametrize("what", ["clasifier", "attenton", "ig"])
def test_what_cannot_be_trained_is_told_what_can(what: str) -> None:
    with pytest.raises(UnknownNameError, match="or method that learns") as unknown:
        learn.train(what, "domestic", "logmel-cnn")
    told = {"clasifier": "classifier", "attenton": "attention"}.get(what, "attention, classifier")
    assert told in str(unknown.value.hint)


@pytest.mark.parametrize(
    ("what", "variant"),
    [
        ("fw-ws", "fw-ws-linear"),
        ("fw-ws[pooling=auto]", "fw-ws-auto"),
        ("fw-ss", "fw-ss"),
        ("fw-ws-max", "fw-ws-max"),
    ],
)
def test_a_detector_is_trained_by_its_own_name(
    what: str, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, str]] = []

    def note(task: Any, bank: Any, model: Any, name: str, *, command: str, **_: Any) -> None:
        calls.append((name, command))

    monkeypatch.setattr("sedbench.trainer.train_variant", note)
    learn.train(what, "domestic", "logmel-cnn", seed=3)
    line = f"sedbench train {variant} --model logmel-cnn --task domestic --seed 3"
    assert calls == [(variant, line)]


def test_a_spec_is_trained_by_what_changes_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    told: dict[str, Any] = {}

    def note(task: Any, bank: Any, model: Any, method: Any, **settings: Any) -> None:
        calls.append((task.name, model.fold, model.seed, method.spec))
        told.update(settings)

    monkeypatch.setattr(teacher, "train_method", note)
    train: Callable[..., Any] = learn.train
    train("attention[times=probability]", "domestic-real", "logmel-cnn", seed=3, fold=1)
    train("attention[attention=self]", "domestic", seed=2)
    assert calls == [
        ("domestic-real", 1, 3, "attention"),
        ("domestic", None, 2, "attention[attention=self]"),
    ]
    assert told["command"] == (
        "sedbench train 'attention[attention=self]' --model logmel-cnn --task domestic --seed 2"
    )
