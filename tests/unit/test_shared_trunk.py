"""Masked clips on a frozen trunk: passed once for all heads, and for whoever cuts alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sedbench.models.contract import Classifier, SharedTrunk
from sedbench.models.store import initialise
from sedbench_plugins.masking.clip import CHECKS, MaskedClip
from sedbench_plugins.masking.cuts import Cut, at_frames
from sedbench_plugins.masking.plan import subsets
from sedbench_plugins.yamnet.family import YamnetHeadFamily

BANDS, FRAMES, CHANNELS = 4, 40, 6
EDGES: NDArray[np.float64] = np.linspace(0.0, 4.0, FRAMES + 1)
ONCE = CHECKS + 1  # passes of each clip that nothing spares: the checks, and the trunk's name


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("SEDBENCH_CACHE", str(tmp_path))
    yield tmp_path / "masked"
    torch.set_num_threads(before)


class Headed(Classifier):
    """A linear head on a trunk that looks at three frames at a time."""

    def __init__(self, head: int = 0, trunk: int = 0, classes: int = 2) -> None:
        super().__init__()
        self.classes, self.sample_rate = tuple("abcdef"[:classes]), 100
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(trunk)
            self.body = nn.Conv1d(BANDS, CHANNELS, 3, padding=1)
            torch.manual_seed(100 + head)
            self.head = nn.Conv1d(CHANNELS, classes, 1)
        self.passed = 0

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(len(waveform), FRAMES, -1).transpose(1, 2)[:, :BANDS]

    def embeddings(self, features: Tensor) -> Tensor:
        self.passed += len(features)
        return torch.relu(self.body(features))

    def frame_logits(self, features: Tensor) -> Tensor:
        out: Tensor = self.head(self.embeddings(features))
        return out

    def logits(self, features: Tensor) -> Tensor:
        return self.frame_logits(features).mean(-1)

    def shared_trunk(self) -> SharedTrunk | None:
        assert self.head.bias is not None
        return SharedTrunk(self.embeddings, self.head.weight[..., 0], self.head.bias)

    def feature_edges(self, n_samples: int) -> NDArray[np.float64]:
        return EDGES

    def frame_edges(self, n_samples: int) -> NDArray[np.float64]:
        return self.feature_edges(n_samples)


class Alone(Headed):
    """The same, and does not say so."""

    def shared_trunk(self) -> SharedTrunk | None:
        return None


def asked(
    net: Headed, masks: NDArray[np.bool_], clip: int = 0, where: Cut | None = None, many: int = 0
) -> tuple[NDArray[np.float64], MaskedClip]:
    """Logits under masks, in two calls; what was passed to find locality does not count."""
    values = np.random.default_rng(clip).standard_normal((2, 1, BANDS, FRAMES))
    x, base = (torch.from_numpy(each).float() for each in values)
    made = MaskedClip(net, x, base, where or cut(), many=many)
    MaskedClip(net, x, base, where or cut())._parts._local()  # type: ignore[union-attr]
    net.passed = 0
    half = len(masks) // 2
    return np.concatenate([made(masks[:half]), made(masks[half:])]), made


def cut(frames: int = 4) -> Cut:
    return at_frames(EDGES, range(0, FRAMES, frames))


def drawn(masks: int = 200, segments: int = 10, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((masks, segments)) < 0.5


def test_logits_are_those_of_plain_passes() -> None:
    masks = drawn()
    shared, _ = asked(Headed(), masks)
    again, _ = asked(Headed(), masks)
    alone, _ = asked(Alone(), masks)
    np.testing.assert_allclose(shared, alone, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(shared, again)  # read or made, the same bits


def test_another_head_passes_nothing_but_the_checks() -> None:
    first, second = Headed(0), Headed(1, classes=5)
    _, made = asked(first, drawn())
    got, read = asked(second, drawn())
    assert first.passed > ONCE
    assert second.passed == ONCE
    assert got.shape == (200, 5)
    assert made.forward == read.forward  # it counts for both
    assert made.seconds == 0 < read.seconds
    np.testing.assert_allclose(got, asked(Alone(1, classes=5), drawn())[0], rtol=0, atol=1e-6)


def test_other_masks_of_the_same_cut_are_put_together_from_the_same_passes() -> None:
    asked(Headed(), drawn(seed=1))
    net = Headed()
    got, _ = asked(net, drawn(seed=2))
    assert net.passed == ONCE
    np.testing.assert_allclose(got, asked(Alone(), drawn(seed=2))[0], rtol=0, atol=1e-6)


def test_few_masks_at_a_time_are_served_where_many_will_come() -> None:
    asked(Headed(), drawn(seed=1))
    net = Headed()
    masks = drawn(16, seed=3)
    got, _ = asked(net, masks, many=300)
    assert net.passed == ONCE
    np.testing.assert_allclose(got, asked(Alone(), masks)[0], rtol=0, atol=1e-6)


def test_segments_too_many_for_a_table_are_shared_for_the_same_masks_alone() -> None:
    fine = at_frames(EDGES, range(FRAMES))
    wide = Headed()
    wide.body = nn.Conv1d(BANDS, CHANNELS, 9, padding=4)
    masks = drawn(400, FRAMES) | drawn(400, FRAMES, 1) | drawn(400, FRAMES, 2)
    asked(wide, masks, where=fine)
    plain = wide.passed
    assert plain < 400
    asked(wide, masks, where=fine)
    assert wide.passed == ONCE
    asked(wide, drawn(400, FRAMES, 7) | drawn(400, FRAMES, 8), where=fine)
    assert wide.passed > ONCE


@pytest.mark.parametrize("other", ["clip", "trunk", "cut"])
def test_what_is_not_the_same_shares_nothing(other: str) -> None:
    asked(Headed(), drawn(segments=10))
    net = Headed(trunk=1 if other == "trunk" else 0)
    if other == "cut":
        asked(net, drawn(segments=8), where=cut(5))
    else:
        asked(net, drawn(), clip=1 if other == "clip" else 0)
    assert net.passed > ONCE


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY"])
def test_a_damaged_entry_is_made_again(own_cache: Path, damage: bytes) -> None:
    wanted, _ = asked(Headed(), drawn())
    (entry,) = own_cache.glob("*/*.npz")
    whole = entry.read_bytes()
    entry.write_bytes(damage or whole[: len(whole) // 2])
    net = Headed()
    got, _ = asked(net, drawn())
    assert net.passed > ONCE
    np.testing.assert_array_equal(got, wanted)
    (mended,) = own_cache.glob("*/*.npz")
    with np.load(mended) as file:
        assert np.isfinite(file["sums"]).all()


def test_a_head_that_lies_about_its_trunk_is_passed() -> None:
    class Lying(Headed):
        def logits(self, features: Tensor) -> Tensor:
            return self.frame_logits(features).mean(-1)

        def shared_trunk(self) -> SharedTrunk | None:
            true = super().shared_trunk()
            assert true is not None
            return SharedTrunk(true.embeddings, true.weight * 1.1, true.bias)

    got, _ = asked(Lying(), drawn(60))
    np.testing.assert_allclose(got, asked(Alone(), drawn(60))[0], rtol=0, atol=1e-6)


def test_subsets_are_all_there_once() -> None:
    assert subsets(0) == [0]
    assert sorted(subsets(0b1011)) == [0, 1, 2, 3, 8, 9, 10, 11]


def test_yamnet_heads_share_their_trunk(own_cache: Path) -> None:
    nets = []
    for classes in (("Dog",), ("Dog", "Cat")):
        built = initialise(YamnetHeadFamily(), "classifier", classes, 16000, 1)
        assert built.shared_trunk() is None  # before the standardisation is folded into the head
        nets.append(built)
    state = {k: v for k, v in nets[0].state_dict().items() if not k.startswith("head")}
    nets[1].load_state_dict(state, strict=False)
    samples = 2 * 15360
    values = np.random.default_rng(0).standard_normal((1, samples)).astype(np.float32) * 0.1
    found = []
    for net in nets:
        ready = net.eval().for_inference()
        with torch.no_grad():
            x, base = (ready.features(torch.from_numpy(v)) for v in (values, 0 * values))
        edges = ready.feature_edges(samples)
        where = at_frames(edges, range(0, len(edges) - 1, 24))
        masks = drawn(80, where.count)
        clip = MaskedClip(ready, x, base, where)
        logits = clip(masks)
        np.testing.assert_allclose(
            logits[::20], clip.passed(masks[::20]), rtol=0, atol=1e-4 * np.abs(logits).max()
        )
        found.append(clip)
    assert len(list(own_cache.glob("*/*.npz"))) == 1
    assert found[0].seconds == 0 < found[1].seconds
