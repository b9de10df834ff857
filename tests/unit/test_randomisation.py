"""Methods asked again as a classifier becomes random: correlations, verdicts, and the table."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from sedbench.errors import NotApplicable, NothingSelectedError
from sedbench.models.partly_random import Stage
from sedbench.protocol.means import Means, means
from sedbench.randomisation import Randomised, Row, randomise
from sedbench.report.randomisation import payload, tables, words
from sedbench.stats import Resampling
from sedbench.taskfile import load_task
from sedbench.types import Answer, FrameScores, Query
from sedbench_plugins.baselines import Energy, Random


class Loud:
    """Looks at the sound alone."""

    def answer(self, query: Query, model: Any) -> Answer:
        frames = np.abs(query.waveforms).reshape(len(query.waveforms), 10, -1).mean(2)
        return Answer(FrameScores(frames[query.pairs[:, 0]], query.grid.edges), 0.1)


class Signed:
    """The model's gain times the sound: turned round where the gain changes its sign."""

    def answer(self, query: Query, model: Any) -> Answer:
        loud = Loud().answer(query, model).scores
        gain = model.classifier().gain.detach().numpy()[query.pairs[:, 1], None]
        return Answer(FrameScores(loud.values * gain, loud.edges), 0.1)


class Drawn:
    """Draws what it says."""

    def answer(self, query: Query, model: Any) -> Answer:
        drawn = np.stack([query.rng(clip).random(10) for clip in query.pairs[:, 0]])
        return Answer(FrameScores(drawn, query.grid.edges), 0.1)


class Never:
    """Does not apply."""

    def answer(self, query: Query, model: Any) -> Answer:
        raise NotApplicable("ears have no walls")


@dataclass
class Asked:
    world: Any

    def __call__(self, *methods: Any, **options: Any) -> Randomised:
        settings = {"most": 8, "resamples": 50, **options}
        task = load_task(self.world.task)
        return randomise(methods, task, self.world.bank, (self.world.model(),), **settings)


@pytest.fixture
def asked(world) -> Asked:
    return Asked(world)


def test_what_looks_at_the_sound_alone_is_blind_and_what_draws_is_told_apart(asked, world):
    found = asked(
        world.method(Loud, "loud"),
        world.method(Drawn, "drawn", stochastic=True),
        world.method(Never, "never"),
        limit=8,
    )
    loud, drawn, never = found.rows
    assert (loud.stages.value == 1).all() and loud.verdict == "blind" and loud.again is None
    assert (drawn.stages.value == 1).all()  # the same draws at every stage
    assert abs(drawn.again.value[0]) < 0.5
    assert (never.verdict, never.stages) == ("not applicable", None)
    assert words(never) == "does not apply: ears have no walls"
    assert found.n_pairs == loud.n_pairs > 5 and found.n_clips <= 8


def test_the_frames_of_a_random_network_are_asked_for(asked, world):
    # The toy's only layer is its gain, which an untrained network has at zero: nothing is left.
    found = asked(world.method(Signed, "signed"), world.method(name="ear-method"))
    assert [stage.name for stage in found.stages] == ["the whole"]
    for row in found.rows:
        assert row.stages.defined.tolist() == [0]
        assert np.isnan(row.stages.value).all() and row.verdict == "undefined"


def test_the_seed_and_the_stages_reach_the_weights(asked, world, monkeypatch):
    def drawn(self, *args, **options):
        type(self).__base__.__init__(self)
        self.classes, self.sample_rate = args
        self.gain = torch.nn.Parameter(torch.randn(2))

    monkeypatch.setattr(type(world.family().build("classifier", (), 1)), "__init__", drawn)
    method = world.method(Signed, "signed")
    values = [
        float(asked(method, weights_seed=seed, limit=8).rows[0].stages.value[0])
        for seed in (3, 3, 4, 5, 6)
    ]
    assert values[0] == values[1]
    # A gain below zero turns a class round, and there are two of them.
    assert len(set(values)) > 1 and min(values) < 0


def test_workers_change_nothing(asked, world):
    # Methods that a worker can import by name, wherever the tests were started.
    methods = world.method(Energy, "loud"), world.method(Random, "drawn", stochastic=True)
    one, two = asked(*methods), asked(*methods, jobs=2)
    for a, b in zip(one.rows, two.rows, strict=True):
        np.testing.assert_array_equal(a.stages.value, b.stages.value)
        np.testing.assert_array_equal(a.stages.low, b.stages.low)


def test_where_nothing_is_detected_it_is_said(asked, world, monkeypatch):
    import sedbench.models.contract as contract

    monkeypatch.setattr(contract, "probabilities", lambda net, waves, *_: np.zeros((len(waves), 2)))
    with pytest.raises(NothingSelectedError, match="no pair"):
        asked(world.method(Loud, "loud"))


def through(*stages: tuple[float, float, float], defined: int = 9) -> Row:
    value, low, high = (np.array(each) for each in zip(*stages, strict=True))
    return Row("m", None, Means(value, low, high, np.full(len(stages), defined)), 10)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (through((1.0, 0.99, 1.0), (0.95, 0.91, 0.98)), "blind"),
        (through((1.0, 0.99, 1.0), (0.92, 0.85, 0.98)), "partly"),
        (through((0.9, 0.8, 1.0), (0.1, -0.1, 0.2), (0.5, 0.4, 0.6)), "follows"),
        (through((0.9, 0.8, 1.0), (0.1, -0.4, 0.2)), "follows"),
        (through((0.9, 0.8, 1.0), (0.2, 0.1, 0.4)), "partly"),
        (through((0.9, 0.8, 1.0), (0.4, -0.1, 0.8)), "partly"),
        (through((-0.95, -1.0, -0.9)), "partly"),  # turned round is not gone
        (through((0.0, -0.1, 0.1), defined=4), "undefined"),
    ],
)
def test_verdicts_go_by_the_whole_interval_where_least_is_left(row, verdict):
    assert row.verdict == verdict


def test_means_leave_out_what_is_undefined():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan], [2.0, np.nan]])
    resampling = Resampling(np.arange(4), [("a",), ("b",), ("c",), ("d",)], 4)
    found = means(values, resampling, 200)
    assert found.value[0] == 2.0 and np.isnan(found.value[1])
    assert found.defined.tolist() == [3, 0]
    assert 1 <= found.low[0] < 2 < found.high[0] <= 3


def test_the_table_and_the_json_say_what_is_missing():
    stages = (Stage(("head",), ("head",)), Stage(("conv4", "conv3"), ("t.conv4", "t.conv3")))
    rows = (
        Row("m", None, through((0.9, 0.8, 1.0), (0.1, 0.0, 0.2)).stages, 10),
        Row("gone", None, Means(*np.full((3, 2), np.nan), np.zeros(2, int)), 10),
    )
    found = Randomised(stages, False, rows, 10, 8, 4)
    head = {"task": "t", "task_version": 1, "model": "n", "seed": 0, "limited": 3}
    document = json.loads(json.dumps(payload(found, head), allow_nan=False))
    assert document["methods"][1]["stages"][0] == {
        "value": None, "ci_low": None, "ci_high": None, "undefined": 10,
    }  # fmt: skip
    assert document["stages"][1]["layers"] == ["conv4", "conv3"]
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(tables(found, head))
    text = console.export_text()
    for said in (
        "Follows the model: m",
        "Cannot be said: mostly constant: gone",
        "1 const.",
        "10 const.",
        "Put together: conv3: conv4, conv3.",
        "first 3 test clips",
    ):
        assert said in text, said
