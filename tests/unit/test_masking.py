"""Masked evaluation of a clip: what is replaced, what is passed, and what is put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.errors import NotApplicable
from sedbench.models.contract import Classifier
from sedbench.models.store import initialise
from sedbench.types import FrameGrid, Query
from sedbench_plugins.logmel_cnn import build as build_cnn
from sedbench_plugins.masking.clip import CHECKS, MaskedClip
from sedbench_plugins.masking.content import in_features, in_waveform
from sedbench_plugins.masking.cuts import Cut, at_frames, of_frames, of_samples
from sedbench_plugins.masking.locality import locality
from sedbench_plugins.masking.plan import as_bits, as_masks, composites
from sedbench_plugins.yamnet.family import YamnetFamily, YamnetHeadFamily

CLASSES = ("Dog", "Cat", "Blender")
BANDS, FRAMES = 4, 40


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Local(Classifier):
    """Convolutions over time, of which the clip logit is the mean (or what is given)."""

    def __init__(
        self,
        width: int = 3,
        pool: Callable[[Tensor], Tensor] = lambda frames: frames.mean(-1),
        middle: Callable[[Tensor], Tensor] = torch.relu,
    ) -> None:
        super().__init__()
        self.classes, self.sample_rate = CLASSES, 100
        self.pool, self.middle = pool, middle
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.first = nn.Conv1d(BANDS, 8, width, padding=width // 2)
            self.second = nn.Conv1d(8, 3, 1)
        self.batches: list[int] = []

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), FRAMES, -1).transpose(1, 2)[:, :BANDS]

    def frame_logits(self, features: Tensor) -> Tensor:
        self.batches.append(len(features))
        out: Tensor = self.second(self.middle(self.first(features)))
        return out

    def logits(self, features: Tensor) -> Tensor:
        return self.pool(self.frame_logits(features))

    def feature_mean(self) -> Tensor:
        return torch.arange(BANDS) / 10

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return np.arange(FRAMES + 1) * 0.1

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


def some(seed: int = 0) -> tuple[Tensor, Tensor]:
    values = np.random.default_rng(seed).standard_normal((2, 1, BANDS, FRAMES))
    return torch.from_numpy(values[0]).float(), torch.from_numpy(values[1]).float()


def cut(frames: int = 4) -> Cut:
    return at_frames(np.arange(FRAMES + 1) * 0.1, range(0, FRAMES, frames))


def drawn(masks: int, segments: int, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((masks, segments)) < 0.5


def by_hand(
    net: Classifier, x: Tensor, base: Tensor, where: Cut, masks: NDArray[np.bool_]
) -> NDArray[np.float64]:
    rows = []
    for mask in masks:
        shown = base.clone()
        for there, start, stop in zip(mask, where.marks[:-1], where.marks[1:], strict=True):
            if there:
                shown[..., start:stop] = x[..., start:stop]
        with torch.no_grad():
            rows.append((net.logits(shown) if x.ndim == 3 else net(shown))[0].double().numpy())
    return np.array(rows)


def assert_close(got: NDArray[np.float64], wanted: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


# --- put together from parts ------------------------------------------------------------------


def real(name: str) -> tuple[Classifier, int]:
    if name == "logmel-cnn":
        net = initialise(build_cnn(), "classifier", CLASSES, 16000, 1)
        net.fit_features(torch.full((64,), -9.0), torch.full((64,), 3.0))
        return net.eval().for_inference(), 5 * 16000
    return initialise(YamnetHeadFamily(), "classifier", CLASSES, 16000, 1).eval().for_inference(), (
        3 * 15360
    )


@pytest.mark.parametrize("name", ["logmel-cnn", "yamnet-head"])
@pytest.mark.parametrize("waveform", [False, True])
def test_real_models_are_put_together_from_fewer_passes(name: str, waveform: bool) -> None:
    net, samples = real(name)
    values = np.random.default_rng(0).standard_normal((1, samples)) * 0.1
    x = torch.from_numpy(values.astype(np.float32))
    base = torch.zeros_like(x)
    if waveform:
        where = of_samples(samples, 16000, 0.24)
    else:
        where = of_frames(net.feature_edges(samples), 0.24)
        with torch.no_grad():
            x, base = net.features(x), net.features(base)
    masks = drawn(150, where.count)
    clip = MaskedClip(net, x, base, where)
    got = clip(masks)
    assert clip.forward < 100
    some_of_them = slice(0, 150, 15)
    assert_close(got[some_of_them], by_hand(net, x, base, where, masks[some_of_them]))
    both = np.array([[True], [False]]).repeat(where.count, 1)
    assert_close(clip.ends(), by_hand(net, x, base, where, both))


@settings(max_examples=25, deadline=None)
@given(
    width=st.sampled_from([1, 3, 5, 9, 25]),
    frames=st.sampled_from([1, 2, 3, 8, 40]),
    masks=st.integers(1, 60),
    seed=st.integers(0, 99),
)
def test_whatever_is_asked_it_is_right_and_never_costs_more(
    width: int, frames: int, masks: int, seed: int
) -> None:
    net, where, (x, base) = Local(width), cut(frames), some(seed)
    asked = drawn(masks, where.count, seed)
    clip = MaskedClip(net, x, base, where)
    for part in np.array_split(asked, 3):
        if len(part):
            assert_close(clip(part), by_hand(net, x, base, where, part))
    assert clip.forward <= len(np.unique(asked, axis=0))


def test_what_a_frame_depends_on_is_found() -> None:
    found = locality(Local(5), some()[1], cut(4).marks)
    seen = {int(t): g.segments.tolist() for g in found for t in g.frames}
    assert seen == {
        t: sorted({s // 4 for s in range(max(0, t - 2), min(FRAMES - 1, t + 2) + 1)})
        for t in range(FRAMES)
    }


def test_it_is_looked_for_once_a_model() -> None:
    net = Local()
    first = locality(net, some(0)[1], cut().marks)
    passed = len(net.batches)
    assert locality(net, some(1)[1], cut().marks) is first
    assert len(net.batches) == passed


def no_frames(net: Local) -> Local:
    def refuse(features: Tensor) -> Tensor:
        raise NotApplicable("no frame logits")

    frames = net.frame_logits
    net.logits = lambda features: net.pool(frames(features))  # type: ignore[method-assign]
    net.frame_logits = refuse  # type: ignore[method-assign]
    return net


def whole(x: Tensor) -> Tensor:
    return torch.relu(x - x.mean(-1, keepdim=True))


@pytest.mark.parametrize(
    "net",
    [
        Local(pool=lambda frames: frames.amax(-1)),
        Local(middle=whole),
        no_frames(Local()),
        Local(middle=torch.nan_to_num),
        # One way swallows NaN and the other does not: only the comparison finds that out.
        Local(middle=lambda x: x + torch.nan_to_num(x).mean(-1, keepdim=True) ** 2),
    ],
    ids=["maximum", "normalised", "no frames", "swallowed", "half of it swallowed"],
)
def test_where_it_does_not_work_every_mask_is_passed(net: Local) -> None:
    (x, base), where = some(), cut()
    masks = np.unique(drawn(100, where.count), axis=0)
    clip = MaskedClip(net, x, base, where)
    assert_close(clip(masks), by_hand(net, x, base, where, masks))
    assert clip.forward >= len(masks)


def test_the_same_mask_is_passed_once() -> None:
    net, where, (x, base) = Local(), cut(), some()
    clip = MaskedClip(net, x, base, where, parts=False)
    masks = drawn(5, where.count)
    one = clip(np.concatenate([masks, masks]))
    assert clip.forward == 5
    np.testing.assert_array_equal(clip(masks.astype(float)), one[:5])
    assert clip.forward == 5


def test_few_masks_are_passed_as_they_are() -> None:
    clip = MaskedClip(Local(), *some(), cut())
    clip(drawn(CHECKS, 10))
    assert clip.forward == CHECKS


# --- bounds and side effects ------------------------------------------------------------------


@pytest.mark.parametrize("parts", [True, False])
def test_batches_are_bounded(parts: bool) -> None:
    net = Local()
    MaskedClip(net, *some(), cut(1), parts=parts)(drawn(200, 40))
    assert max(net.batches) == 16


@pytest.mark.parametrize("parts", [True, False])
def test_out_of_memory_halves_the_batch(parts: bool) -> None:
    class Small(Local):
        def frame_logits(self, features: Tensor) -> Tensor:
            if len(features) > 5:
                raise torch.OutOfMemoryError("no room")
            return super().frame_logits(features)

    net, where, (x, base) = Small(), cut(), some()
    masks = drawn(60, where.count)
    with pytest.warns(RuntimeWarning, match="out of memory"):
        got = MaskedClip(net, x, base, where, parts)(masks)
    assert_close(got, by_hand(net, x, base, where, masks))


def test_nothing_is_left_behind() -> None:
    net = Local()
    weights = {k: v.clone() for k, v in net.state_dict().items()}
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    (x, base), kept = some(), some()
    one = MaskedClip(net, x, base, cut())(drawn(60, 10))
    two = MaskedClip(net, x, base, cut())(drawn(60, 10))
    np.testing.assert_array_equal(one, two)
    assert x.equal(kept[0])
    assert base.equal(kept[1])
    assert all(v.equal(weights[k]) for k, v in net.state_dict().items())
    assert before[0].equal(torch.random.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # type: ignore[index]


# --- soft masks -------------------------------------------------------------------------------


def test_soft_masks_lie_between() -> None:
    (x, base), where = some(), cut()
    net = Local(middle=lambda x: x)  # linear
    clip = MaskedClip(net, x, base, where)
    masks = drawn(4, where.count)
    assert_close(clip.soft(masks.astype(float)), clip(masks))
    half = clip.soft(np.full((1, where.count), 0.5))
    np.testing.assert_allclose(half[0], clip.ends().mean(0), atol=1e-6)


# --- plans ------------------------------------------------------------------------------------


@given(
    st.integers(1, 70).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=20),
        )
    )
)
def test_masks_become_integers_and_come_back(case: tuple[int, list[list[bool]]]) -> None:
    segments, rows = case
    masks = np.array(rows)
    bits = as_bits(masks)
    assert bits == [sum(1 << i for i, there in enumerate(row) if there) for row in rows]
    np.testing.assert_array_equal(as_masks(bits, segments), masks)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 40))
def test_a_plan_shows_everything_that_is_wanted(seed: int, groups: int, masks: int) -> None:
    rng = np.random.default_rng(seed)
    reach = as_bits(rng.random((groups, 12)) < rng.uniform(0.1, 0.9))
    asked = as_bits(rng.random((masks, 12)) < 0.5)
    wanted = [{b & own for b in asked} for own in reach]
    plan = composites(reach, wanted, 2**12 - 1, limit=10_000)
    assert plan is not None
    for own, each in zip(reach, wanted, strict=True):
        assert each <= {b & own for b in plan}
    limited = composites(reach, wanted, 2**12 - 1, limit=len(plan))
    assert limited is None  # as many are no gain
    assert composites(reach, wanted, 2**12 - 1, limit=len(plan) + 1) == plan


def test_two_patches_that_share_nothing_are_shown_at_once() -> None:
    reach = [0b000111, 0b111000]
    wanted = [range(8), [i << 3 for i in range(8)]]
    plan = composites(reach, wanted, 0b111111, limit=64)
    assert plan is not None
    assert len(plan) == 8


# --- segments and what stands for them --------------------------------------------------------


def test_segments_lie_on_whole_frames() -> None:
    edges = 0.0075 + np.arange(101) * 0.01
    found = of_frames(edges, 0.2)
    assert found.marks.tolist() == [0, 20, 40, 60, 80, 100]
    np.testing.assert_allclose(found.edges, 0.0075 + np.arange(6) * 0.2)
    assert found.length == pytest.approx(0.2)
    assert of_frames(edges, 0.3).marks.tolist() == [0, 30, 60, 90, 100]
    assert of_frames(edges, 0.001).count == 100
    assert of_frames(edges, 9.0).marks.tolist() == [0, 100]
    assert found.owner.tolist() == np.repeat(np.arange(5), 20).tolist()


def test_segments_lie_on_whole_samples() -> None:
    found = of_samples(1000, 400, 0.1)
    assert found.count == 25
    np.testing.assert_allclose(found.edges, np.arange(26) * 0.1)
    assert of_samples(1010, 400, 0.1).marks[-2:].tolist() == [1000, 1010]


def query(seed: int = 0, clips: int = 2) -> Query:
    waves = np.random.default_rng(5).standard_normal((2, FRAMES * 50)).astype(np.float32)
    waves *= np.array([[0.1], [0.5]], np.float32)
    return Query(
        ("a", "b")[2 - clips :], waves[2 - clips :], 500, np.array([[0, 0]]), CLASSES,
        FrameGrid(4.0), seed,
    )  # fmt: skip


def test_what_stands_in_the_features() -> None:
    net = Local()
    x, base = in_features(query(), 1, net, "cpu", "silence")
    assert x.equal(net.features(torch.from_numpy(query().waveforms[1:])))
    assert not base.any()
    _, base = in_features(query(), 1, net, "cpu", "mean")
    assert base[0, :, 7].equal(net.feature_mean())
    _, base = in_features(query(), 1, net, "cpu", "noise")
    assert base.equal(net.features(in_waveform(query(), 1, "cpu", "noise")[1]))


def test_noise_has_the_clips_own_level_and_is_its_own() -> None:
    for clip, level in enumerate((0.1, 0.5)):
        wave, noise = in_waveform(query(), clip, "cpu", "noise")
        assert noise.std().item() == pytest.approx(level, rel=0.1)
        assert not noise.equal(wave)
    alone = in_waveform(query(clips=1), 0, "cpu", "noise")[1]
    assert alone.equal(in_waveform(query(), 1, "cpu", "noise")[1])
    assert not alone.equal(in_waveform(query(seed=1), 1, "cpu", "noise")[1])
    assert not in_waveform(query(), 0, "cpu", "zero")[1].any()


def test_a_model_without_a_mean() -> None:
    net = initialise(YamnetFamily(), "classifier", ("Dog", "Cat"), 500, 1).eval()
    with pytest.raises(NotApplicable, match="mean"):
        in_features(query(), 0, net, "cpu", "mean")
