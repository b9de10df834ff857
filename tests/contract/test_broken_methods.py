"""Methods with one mistake each: they fail the check that is there for it, and no other.

The sound one that they are made from (gradient times features, clip by clip) passes them all.
"""

from __future__ import annotations

import random
import time
import unittest
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from sedbench.errors import NotApplicable
from sedbench.testing import Broken, Contract, method_contract
from sedbench.types import Answer, Cost, FrameScores, MethodInfo, Param, Query


class Sound:
    """Gradient times features of one clip and class after the other."""

    def __init__(self, **params: Any) -> None:
        self.params = params

    def answer(self, query: Query, model: Any) -> Answer:
        net = self.network(model, query)
        rows = [
            self.row(query, net, clip, label, place)
            for place, (clip, label) in enumerate(query.pairs.tolist())
        ]
        edges = self.edges(net, query)
        return self.told(query, np.stack(rows), edges, net)

    def network(self, model: Any, query: Query) -> Any:
        return model.classifier()

    def wave(self, query: Query, clip: int) -> Any:
        return torch.from_numpy(query.waveforms[clip : clip + 1])

    def row(self, query: Query, net: Any, clip: int, label: int, place: int) -> Any:
        x = net.features(self.wave(query, clip)).detach().requires_grad_()
        [slope] = torch.autograd.grad(net.logits(x)[0, label], x)
        return (slope * x.detach())[0].sum(0).numpy()

    def edges(self, net: Any, query: Query) -> Any:
        return net.feature_edges(query.waveforms.shape[1])

    def told(self, query: Query, values: Any, edges: Any, net: Any) -> Any:
        return Answer(FrameScores(values, edges), float(edges[1] - edges[0]), cost=Cost(1, 1, 0.1))


class OneRowShort(Sound):
    def told(self, query, values, edges, net):
        return super().told(query, values[:-1], edges, net)


class NoAnswer(Sound):
    def told(self, query, values, edges, net):
        return values


class DiagnosticsOfAnotherShape(Sound):
    def told(self, query, values, edges, net):
        scores = FrameScores(values, edges)
        return Answer(scores, 0.1, diagnostics={"error": np.zeros(len(query.clip_ids))})


class NotANumber(Sound):
    def told(self, query, values, edges, net):
        return super().told(query, np.where(values > 0, np.nan, values), edges, net)


class InSamples(Sound):
    """Time in samples instead of seconds."""

    def edges(self, net, query):
        return super().edges(net, query) * query.sample_rate


class TooSure(Sound):
    """Ten times the resolution that it has."""

    def told(self, query, values, edges, net):
        return Answer(FrameScores(values, edges), float(edges[1] - edges[0]) / 10)


class GlobalDraws(Sound):
    """Noise from the global generator, which it puts back: only its answers tell."""

    def row(self, *args):
        kept = np.random.get_state()
        values = super().row(*args)
        out = values + 0.01 * values.max() * np.random.rand(len(values)).astype(np.float32)
        np.random.set_state(kept)
        return out


class SetsTheSeed(Sound):
    def network(self, model, query):
        np.random.seed(query.seed)
        return super().network(model, query)


class SetsTorchsSeed(Sound):
    def network(self, model, query):
        torch.manual_seed(query.seed)
        return super().network(model, query)


class DrawsFromPython(Sound):
    def network(self, model, query):
        random.random()
        return super().network(model, query)


class UndeclaredSeed(Sound):
    def row(self, query, net, clip, *rest):
        values = super().row(query, net, clip, *rest)
        noise = query.rng(clip).random(len(values), np.float32)
        return values + 0.01 * values.max() * noise


class OverTheBatch(Sound):
    """Standardises over all clips that it was asked about together."""

    def told(self, query, values, edges, net):
        return super().told(query, values - values.mean(), edges, net)


class SeedByRow(Sound):
    """Noise from the number of the row instead of the clip's own generator."""

    def row(self, query, net, clip, *rest):
        values = super().row(query, net, clip, *rest)
        noise = np.random.default_rng([query.seed, clip]).random(len(values), np.float32)
        return values + 0.01 * values.max() * noise


class FirstClassFirst(Sound):
    """The class of a clip that is asked about first counts for more."""

    def row(self, query, net, clip, label, place):
        values = super().row(query, net, clip, label, place)
        first = query.pairs[query.pairs[:, 0] == clip, 1][0] == label
        return values + 0.1 * values.max() if first else values


class LeavesAHook(Sound):
    def network(self, model, query):
        net = super().network(model, query)
        net.relu1.register_forward_hook(lambda *_: None)
        return net


class LeavesTrainingMode(Sound):
    def told(self, query, values, edges, net):
        net.head.train()
        return super().told(query, values, edges, net)


class ChangesAWeight(Sound):
    def told(self, query, values, edges, net):
        with torch.no_grad():
            net.bn2.running_mean += 1e-4
        return super().told(query, values, edges, net)


class PatchesForward(Sound):
    def network(self, model, query):
        net = super().network(model, query)
        net.relu2.forward = torch.relu
        return net


class TurnsGradientsOff(Sound):
    def told(self, query, values, edges, net):
        torch.set_grad_enabled(False)
        return super().told(query, values, edges, net)

    def row(self, *args):
        with torch.enable_grad():
            return super().row(*args)


class AsksForGradients(Sound):
    def network(self, model, query):
        return super().network(model, query).requires_grad_(True)


class WritesToTheClips(Sound):
    def wave(self, query, clip):
        query.waveforms[clip] = np.round(query.waveforms[clip], 6)
        return super().wave(query, clip)


class ReadsADetector(Sound):
    """Declares that it reads the classifier alone."""

    def network(self, model, query):
        model.randomised(0) if "model" not in INFO.needs else None
        return super().network(model, query)


class AllAtOnce(Sound):
    """Every pair a row of one batch."""

    def answer(self, query, model):
        net = self.network(model, query)
        waves = torch.from_numpy(query.waveforms[query.pairs[:, 0]])
        x = net.features(waves).detach().requires_grad_()
        labels = torch.from_numpy(query.pairs[:, 1])
        [slope] = torch.autograd.grad(net.logits(x).gather(1, labels[:, None]).sum(), x)
        values = (slope * x.detach()).sum(1).numpy()
        return self.told(query, values, self.edges(net, query), net)


class DividesByTheSum(Sound):
    """Normalises by what is nothing where nothing is heard."""

    def row(self, query, net, clip, label, place):
        values = super().row(query, net, clip, label, place)
        if not query.waveforms[clip].any():
            return values / np.abs(values).sum() * np.nan
        return values


class WantsTwoFrames(Sound):
    """Takes the level of the clip from frames that are not silent, leaving out the loudest."""

    def row(self, query, net, clip, label, place):
        frames = np.array_split(query.waveforms[clip], query.grid.n_frames)
        levels = sorted(level for f in frames if (level := float(np.abs(f).max())))
        if levels:
            assert levels[-2] > 0
        return super().row(query, net, clip, label, place)


class AtMostSeventyFrames(Sound):
    """An array of a fixed size."""

    def row(self, *args):
        values = np.zeros(70, np.float32)
        got = super().row(*args)
        values[: len(got)] = got
        return values[: len(got)]


class ThreeClasses(Sound):
    def row(self, query, net, clip, label, place):
        weights = np.eye(3)[label]
        assert weights.sum() == 1
        return super().row(query, net, clip, label, place)


class TenFramesASecond(Sound):
    def edges(self, net, query):
        return 0.1 * np.arange(len(super().edges(net, query)))

    def told(self, query, values, edges, net):
        return Answer(FrameScores(values, edges), 0.1)


class Backwards(Sound):
    def row(self, *args):
        return super().row(*args)[::-1].copy()


class OneFrameLate(Sound):
    def row(self, *args):
        return np.roll(super().row(*args), 1)


class TheSameEverywhere(Sound):
    def row(self, *args):
        return np.full_like(super().row(*args), 0.5)


class NeedsAPair(Sound):
    """A detector that stacks rows, of which there are none."""


class NotWithThat(Sound):
    """Raises something else than UsageError where it cannot be built."""

    def __init__(self, mode: str) -> None:
        if mode == "max":
            raise KeyError(mode)


INFO = MethodInfo("mine", "made to be wrong", needs=frozenset({"model", "gradients"}))
BLIND = MethodInfo("mine", "declares that it needs nothing", needs=frozenset())
MODES = Param("mode", "mean", "how", ("mean", "max"))

CASES: list[tuple[str, Callable[..., Any], MethodInfo]] = [
    ("shape", OneRowShort, INFO),
    ("shape", NoAnswer, INFO),
    ("shape", DiagnosticsOfAnotherShape, INFO),
    ("finite", NotANumber, INFO),
    ("edges", InSamples, INFO),
    ("edges", TooSure, INFO),
    ("repeat", GlobalDraws, INFO),
    ("random-state", SetsTheSeed, INFO),
    ("random-state", SetsTorchsSeed, INFO),
    ("random-state", DrawsFromPython, INFO),
    ("seed", UndeclaredSeed, INFO),
    ("batch", OverTheBatch, INFO),
    ("batch", SeedByRow, MethodInfo("mine", "draws", needs=INFO.needs, stochastic=True)),
    ("targets", FirstClassFirst, INFO),
    ("model-unchanged", LeavesAHook, INFO),
    ("model-unchanged", LeavesTrainingMode, INFO),
    ("model-unchanged", ChangesAWeight, INFO),
    ("model-unchanged", PatchesForward, INFO),
    ("gradients", TurnsGradientsOff, INFO),
    ("gradients", AsksForGradients, INFO),
    ("inputs", WritesToTheClips, INFO),
    ("needs", Sound, BLIND),
    ("memory", AllAtOnce, INFO),
    ("silence", DividesByTheSum, INFO),
    ("one-frame", WantsTwoFrames, INFO),
    ("30-seconds", AtMostSeventyFrames, INFO),
    ("classes", ThreeClasses, INFO),
    ("frame-rate", TenFramesASecond, INFO),
    ("impulse", Backwards, INFO),
    ("impulse", OneFrameLate, INFO),
    ("impulse", TheSameEverywhere, INFO),
    ("no-pairs", NeedsAPair, MethodInfo("mine", "x", kind="detector", needs=INFO.needs)),
    ("declared", NotWithThat, MethodInfo("mine", "x", params=(MODES,), needs=INFO.needs)),
    ("declared", Sound, MethodInfo("mine", "two\nlines", needs=INFO.needs)),
    ("declared", Sound, MethodInfo("mine", "x", needs=frozenset({"a-gpu"}))),
    ("declared", object, INFO),
]


@pytest.mark.parametrize(
    ("wanted", "factory", "info"), CASES, ids=[f"{c[1].__name__}-{c[0]}" for c in CASES]
)
def test_a_mistake_fails_its_own_check_and_no_other(wanted, factory, info):
    contract = method_contract(info, factory)
    failed = {o.check: o.reason for o in contract.outcomes() if o.status == "fail"}
    assert list(failed) == [wanted], failed
    assert failed[wanted] and "\n" not in failed[wanted], "one line that says how"


def test_the_sound_one_passes_them_all():
    contract = method_contract(INFO, Sound)
    outcomes = {o.check: o for o in contract.outcomes()}
    assert contract.failed == []
    assert [n for n, o in outcomes.items() if o.status == "skip"] == ["no-pairs"]
    assert {case[0] for case in CASES} <= set(outcomes), "a check that no mistake is made for"
    unseen = set(outcomes) - {case[0] for case in CASES}
    # Whatever fails `order` or `3-seconds` and none of their neighbours is hard to think of.
    assert unseen == {"order", "3-seconds"}


def test_what_needs_a_failed_check_is_skipped_and_says_so():
    outcomes = {o.check: o for o in method_contract(INFO, NotANumber).outcomes()}
    assert outcomes["silence"].status == "skip"
    assert outcomes["silence"].reason == "'finite' has to pass first"
    assert outcomes["edges"].status == "pass", "what does not hang on it is run"


class Elsewhere(Sound):
    def network(self, model, query):
        raise NotApplicable("it wants an attention layer")


def test_a_method_that_does_not_apply_is_skipped_with_its_reason_not_failed():
    contract = method_contract(INFO, Elsewhere)
    assert contract.failed == []
    shape = contract.outcome("shape")
    assert (shape.status, shape.reason) == ("skip", "it wants an attention layer")


def test_a_mistake_that_exits_fails():
    class Exits(Sound):
        def network(self, model, query):
            raise SystemExit(0)

    assert method_contract(INFO, Exits).outcome("shape").reason == "it raised SystemExit: 0"


def test_an_interrupt_is_nobodys_mistake():
    class Interrupted(Sound):
        def network(self, model, query):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        method_contract(INFO, Interrupted).outcome("shape")


def test_a_check_is_a_test_of_its_own():
    checks = {str(check): check for check in method_contract(INFO, Backwards)}
    checks["shape"]()
    with pytest.raises(Broken, match=r"method 'mine': the peak of a click .* highest at"):
        checks["impulse"]()
    with pytest.raises(unittest.SkipTest, match="only detectors"):
        checks["no-pairs"]()


def test_a_check_is_run_once():
    asked = []

    class Counting(Sound):
        def network(self, model, query):
            asked.append(time.perf_counter())
            return super().network(model, query)

    contract = method_contract(INFO, Counting)
    contract.outcomes()
    before = len(asked)
    contract.outcomes()
    [check() for check in contract if contract.outcome(str(check)).status == "pass"]
    assert len(asked) == before > 10


def test_large_whole_numbers_are_lowered_but_for_the_peak_and_never_what_was_given():
    seen: list[int] = []

    class Steps(Sound):
        def __init__(self, steps: int, share: float) -> None:
            seen.append(steps)

    info = MethodInfo(
        "mine",
        "x",
        params=(Param("steps", 50, "points", minimum=1), Param("share", 0.5, "of it")),
        needs=INFO.needs,
    )
    contract = method_contract(info, Steps)
    assert contract.note == "with steps=8"
    contract.outcome("repeat")
    assert set(seen) == {1, 8, 50}  # 1 and 50: what `declared` builds
    seen.clear()
    contract.outcome("impulse")
    assert set(seen) == {8, 50}, "the checks that come before it, and it"
    seen.clear()
    given = method_contract(info, Steps, {"steps": 30, "share": 0.1})
    assert (given.note, given.failed) == ("", [])
    assert set(seen) == {1, 30}


def test_a_model_that_was_given_takes_the_place_of_the_planted_one():
    from sedbench.testing import planted_model

    class OnFourClasses(Sound):
        def network(self, model, query):
            if len(query.classes) != 4:
                raise NotApplicable("wants four classes")
            return super().network(model, query)

    assert method_contract(INFO, OnFourClasses).outcome("shape").status == "skip"
    given = method_contract(
        INFO, OnFourClasses, model=lambda: planted_model(classes=("a", "b", "c", "d"))
    )
    assert given.failed == []
    skipped = {o.check for o in given.outcomes() if o.status == "skip"}
    assert skipped == {"memory", "classes", "frame-rate", "impulse", "no-pairs"}


def test_the_planted_model_answers_to_a_click_and_not_to_its_background():
    from sedbench.testing.material import bursts
    from sedbench.testing.planted import planted

    for frame, rate in ((0.1, 2000), (0.04, 3000)):
        net = planted(frame=frame, sample_rate=rate).classifier()
        waves = np.stack([bursts(rate, 2.0, (0.45,)), bursts(rate, 2.0, ())])
        with torch.no_grad():
            x = net.features(torch.from_numpy(waves))
            frames, clips = net.frame_logits(x), net.logits(x)
        edges = net.frame_edges(waves.shape[1])
        assert np.allclose(frames.mean(-1), clips, atol=1e-6), "a mean, and a linear head"
        click = np.searchsorted(edges, 0.45) - 1
        peaks = frames[0].argmax(-1).numpy()
        assert np.all(np.abs(peaks - click) <= (0 if frame == 0.1 else 1))
        assert np.ptp(frames[1].numpy(), -1).max() == 0, "too soft to be heard"
        assert clips[0].min() > clips[1].max()


def test_a_contract_is_a_sequence():
    contract = method_contract(INFO, Sound)
    assert isinstance(contract, Contract)
    assert len(contract) == len(list(contract)) > 20
    assert str(contract[0]) == "declared" and len(contract[:3]) == 3
    assert str(contract) == "method 'mine'"
    assert all(contract.about(str(check)) for check in contract)
