"""Faithfulness of stored results, from rendered clips to figures, on a world of two tones."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from sedbench import faithfulness
from sedbench.contenders import Contender, read_contender
from sedbench.data.cache import render_split
from sedbench.errors import DataError, NothingSelectedError
from sedbench.faithfulness import Masking, pass_masked
from sedbench.protocol.faithfulness import Answered, read
from sedbench.protocol.faithfulness_parts import read_parts
from sedbench.protocol.strata import Stratum
from sedbench.report.faithfulness import payload, tables
from sedbench.stats import Resampling
from sedbench.taskfile import load_task

SHARES = (0.2, 0.5, 0.8)


@pytest.fixture
def world(measured_world, monkeypatch):
    for name in ("cache", "data", "results"):
        folder = measured_world.folder / name
        monkeypatch.setenv(f"SEDBENCH_{name.upper()}", str(folder))
    return measured_world


def found(world, *specs: str) -> list[Contender]:
    made = []
    for spec in specs:
        [path] = [
            path
            for path in (world.folder / "results").glob(f"tones/*/{spec}/*.json")
            if "limit" not in path.name
        ]
        made.append(read_contender(path, "stored"))
    return made


def passed(world, contenders, masking=None, **options):
    return pass_masked(
        contenders,
        load_task(world.task),
        world.bank,
        (world.model(),),
        masking or Masking(shares=SHARES, contents=("silence", "noise"), draws=3),
        **options,
    )


def reading(done, content=0, unit="probability", resamples=50):
    return read(done.answered, content, unit, done.resampling, resamples)


def test_what_is_answered_is_what_the_classifier_says_of_the_masked_clip(world):
    contenders = found(world, "ear-method")
    done = passed(world, contenders)
    task, net = load_task(world.task), world.model().handle().classifier()
    clips = render_split(task, "test", world.bank)
    test = contenders[0].test
    rows = np.flatnonzero(test.detected[test.table.clip, test.table.label] > task.threshold)
    assert len(rows) == len(done.answered.whole) > 5
    for row, pair in enumerate(rows[:4]):
        wave = torch.from_numpy(clips.waveforms[test.table.clip[pair]])[None]
        with torch.no_grad():
            features, silence = net.features(wave), net.features(torch.zeros_like(wave))
            label = test.table.label[pair]
            assert done.answered.whole[row] == pytest.approx(float(net(wave)[0, label]), abs=1e-5)
            top = np.argsort(-test.scores[pair], kind="stable")[:5]
            shown = torch.zeros(10, dtype=torch.bool)
            shown[top] = True
            kept = torch.where(shown, features, silence)
            gone = torch.where(shown, silence, features)
            wanted = [float(net.logits(x)[0, label]) for x in (gone, kept)]
        np.testing.assert_allclose(done.answered.methods[0, 0, row, :, 1], wanted, atol=1e-4)


def test_who_listens_is_faithful_and_who_cannot_be_is_chance(world):
    done = passed(world, found(world, "ear-method", "always-on", "oracle"))
    assert done.answered.names[0].startswith("ear-method")
    for content in range(2):
        ear, on, oracle = reading(done, content).methods
        for measure in ("insertion", "deletion", "comprehensiveness", "sufficiency"):
            assert ear[measure].gain_low > 0, measure
            assert oracle[measure].gain > 0
            assert abs(on[measure].gain) < ear[measure].gain
        against = reading(done, content, resamples=999).against[1]
        assert len(against) == 4 and all(c.difference.high < 0 for c in against.values())
        assert {against[m].verdict for m in ("deletion", "comprehensiveness")} == {"worse"}
    # A constant score is an order of its own for ties: no better than other random ones.
    on = reading(done).methods[1]["insertion"]
    assert on.gain_low <= 0.05


def test_neither_workers_nor_other_methods_nor_a_limit_change_the_figures(world):
    both = passed(world, found(world, "ear-method", "random"))
    again = passed(world, found(world, "ear-method", "random"), jobs=2)
    for name in ("whole", "empty", "methods", "chance"):
        np.testing.assert_array_equal(
            getattr(both.answered, name), getattr(again.answered, name), err_msg=name
        )
    alone = passed(world, found(world, "ear-method"))
    np.testing.assert_allclose(alone.answered.methods[0], both.answered.methods[0], atol=1e-5)
    np.testing.assert_allclose(alone.answered.chance, both.answered.chance, atol=1e-5)
    few = passed(world, found(world, "ear-method"), limit=5)
    size = len(few.answered.whole)
    assert 0 < size < len(alone.answered.whole)
    np.testing.assert_array_equal(few.answered.methods, alone.answered.methods[:, :, :size])


def test_equal_masks_are_passed_once(world):
    one = passed(world, found(world, "ear-method"))
    contenders = found(world, "ear-method")
    twin = replace(contenders[0], file="twin.json")
    two = passed(world, [*contenders, twin])
    assert two.passes == one.passes
    np.testing.assert_array_equal(two.answered.methods[0], two.answered.methods[1])
    for contrast in reading(two).against[1].values():
        assert (contrast.difference.value, contrast.adjusted_p) == (0, 1)


def test_a_seed_draws_other_orders(world):
    masking = Masking(shares=SHARES, contents=("silence",), draws=2)
    one, two = (
        passed(world, found(world, "ear-method"), replace(masking, seed=seed)) for seed in (0, 1)
    )
    assert not np.array_equal(one.answered.chance, two.answered.chance)
    np.testing.assert_array_equal(one.answered.methods, two.answered.methods)  # there are no ties


def test_a_content_that_the_model_lacks_is_left_out_and_said(world):
    masking = Masking(shares=SHARES, contents=("mean", "silence"), draws=1)
    done = passed(world, found(world, "ear-method"), masking)
    assert done.answered.contents == ("silence",)
    assert "no mean" in done.left_out["mean"]
    assert np.isfinite(done.answered.methods).all()
    with pytest.raises(NothingSelectedError, match="no mean"):
        passed(world, found(world, "ear-method"), replace(masking, contents=("mean",)))


def test_results_of_another_classifier_are_refused(world):
    contender = found(world, "ear-method")[0]
    off = replace(contender.test, detected=np.where(contender.test.detected > 0.5, 0.6, 0.2))
    with pytest.raises(DataError, match=r"results recorded 0\.600"):
        passed(world, [replace(contender, test=off)])


def test_a_clip_that_results_do_not_know_is_refused(world):
    contender = found(world, "ear-method")[0]
    ids = tuple(f"other-{i}" for i in range(len(contender.test.table.clip_ids)))
    table = replace(contender.test.table, clip_ids=ids)
    with pytest.raises(DataError, match="do not know clip"):
        passed(world, [replace(contender, test=replace(contender.test, table=table))])


def made_up(pairs: int = 40, draws: int = 6, seed: int = 0) -> Answered:
    """A method that is the mean of random orders, .1 better masked and .2 better shown."""
    rng = np.random.default_rng(seed)
    chance = rng.normal(0.5, 0.1, (draws, 1, pairs, 2, 3))
    method = chance.mean(0) + np.array([-0.1, 0.2])[:, None]
    whole, empty = np.full(pairs, 1.0), np.zeros((1, pairs))
    shares = np.array(SHARES)
    return Answered(
        ("m",), ("silence",), shares, np.arange(pairs), whole, empty, method[None], chance
    )


def test_gains_are_told_beside_chance_whatever_the_direction():
    answered = made_up()
    resampling = Resampling(answered.clip, [(f"g{i % 8}",) for i in range(40)], 40)
    result = read(answered, 0, "logit", resampling, 100)
    gains = {name: figure.gain for name, figure in result.methods[0].items()}
    # Of the trapezia .2, .3, .3, .2 wide, the inner three values weigh .25, .3 and .25.
    assert gains == {
        "insertion": pytest.approx(0.2 * 0.8),
        "deletion": pytest.approx(0.1 * 0.8),
        "comprehensiveness": pytest.approx(0.1),
        "sufficiency": pytest.approx(0.2),
    }
    for figure in result.methods[0].values():
        assert figure.gain_low == pytest.approx(figure.gain) == pytest.approx(figure.gain_high)
        assert figure.low <= figure.value <= figure.high
    noise = result.chance["comprehensiveness"]
    assert noise.scatter_pair == pytest.approx(0.1 / np.sqrt(3), rel=0.2)
    assert noise.scatter == pytest.approx(noise.scatter_pair / np.sqrt(40), rel=0.01)


def test_probabilities_are_those_of_the_logits_even_far_out():
    answered = made_up()
    far = replace(answered, whole=np.full(40, 900.0), empty=np.full((1, 40), -900.0))
    resampling = Resampling(far.clip, [()] * 40, 40)
    result = read(far, 0, "probability", resampling, 10)
    assert (result.whole, result.empty) == (1.0, 0.0)
    assert all(0 <= each.value <= 1 for each in result.chance.values())


def test_one_draw_has_no_scatter_and_json_has_none_for_it(world):
    masking = Masking(shares=SHARES, contents=("silence",), draws=1)
    done = passed(world, found(world, "ear-method", "always-on"), masking)
    head = {
        "task": "tones", "task_version": 1, "model": "ear", "domain": done.domain,
        "shares": done.answered.shares.tolist(), "draws": 1, "seed": 0, "limited": None,
        "n_pairs": 3, "n_clips": 2, "n_groups": 2, "passes": done.passes, "left_out": {},
    }  # fmt: skip
    names = done.answered.names
    document = json.loads(json.dumps(payload([reading(done)], names, head), allow_nan=False))
    [told] = document["readings"]
    assert told["chance"]["insertion"]["sd_of_mean"] is None
    assert [m["name"] for m in told["methods"]] == list(names)
    assert len(told["methods"][0]["by_share"]["sufficiency"]["value"]) == 3
    assert told["methods"][0]["deletion"]["difference"] is None
    assert told["methods"][1]["deletion"]["difference"]["p_adjusted"] <= 1
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(tables([reading(done)], names, head))
    console.print(tables([reading(done)], names, head, by_share=True))
    text = console.export_text()
    assert "gain on chance" in text and "20 %" in text and "±" not in text.split("chance: 1")[0]
    assert "Cannot be told from chance: always-on" in text


def test_the_contents_of_the_command_are_those_of_the_mask():
    assert Masking().contents == faithfulness.CONTENTS
    assert Masking().shares == faithfulness.SHARES


def test_a_part_is_read_as_if_nothing_else_had_been_asked(world):
    whole, few = (passed(world, found(world, "ear-method"), limit=n) for n in (None, 6))
    first = np.arange(len(whole.table)) < len(few.table)
    one = np.arange(len(whole.table)) == whole.rows[-1]
    none = np.zeros(len(whole.table), bool)
    strata = [Stratum("first", first), Stratum("nobody", none), Stratum("one", one)]
    parts = read_parts(
        whole.answered, whole.table, whole.rows, strata, unit="probability", resamples=50
    )
    assert [part.name for part in parts] == ["first", "one"]
    assert [part.bounded for part in parts] == [True, False]
    assert (parts[0].n_pairs, parts[0].n_clips, parts[0].n_groups) == (
        len(few.rows), few.n_clips, few.n_groups,
    )  # fmt: skip
    for content, alone in enumerate(reading(few, c) for c in range(2)):
        mine = parts[0].readings[content]
        assert mine.against == ({},)
        for measure, figure in alone.methods[0].items():
            assert mine.methods[0][measure].value == figure.value
            assert mine.methods[0][measure].gain == figure.gain
            assert mine.chance[measure].value == alone.chance[measure].value
