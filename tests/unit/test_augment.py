"""Augmentation: what each function may change, what it must not, and that a seed decides."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from torch import Tensor

from sedbench.errors import UsageError
from sedbench.models.augment import (
    Augment,
    augmented,
    filter_bands,
    mask_bands,
    mask_frames,
    mixup,
    time_shift,
)

CLIPS, BANDS, FRAMES = 16, 8, 20


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def features() -> Tensor:
    values = rng(1).normal(0.0, 1.0, (CLIPS, BANDS, FRAMES)).astype(np.float32)
    return torch.from_numpy(values) + torch.arange(BANDS)[:, None]


def clip_labels() -> Tensor:
    return torch.from_numpy((rng(2).random((CLIPS, 3)) < 0.5).astype(np.float32))


def test_a_shift_moves_frame_labels_with_the_sound() -> None:
    # Two feature frames a label frame, and the labels are what the features say.
    labels = torch.from_numpy((rng(3).random((CLIPS, 3, FRAMES // 2)) < 0.5).astype(np.float32))
    x = labels.repeat_interleave(2, -1)
    moved, target = time_shift(x, labels, 0.5, rng())
    torch.testing.assert_close(moved, target.repeat_interleave(2, -1))
    assert not moved.equal(x)
    torch.testing.assert_close(moved.sum(-1), x.sum(-1))  # it goes round: nothing is lost


def test_a_shift_goes_no_further_than_it_may() -> None:
    x = torch.zeros(200, 1, FRAMES)
    x[:, :, 10] = 1.0
    moved, target = time_shift(x, clip_labels(), 0.1, rng())
    assert set(moved[:, 0].argmax(-1).tolist()) == {8, 9, 10, 11, 12}
    assert target.equal(clip_labels())


def test_a_shift_that_labels_cannot_follow_is_refused() -> None:
    with pytest.raises(UsageError, match="7 label frames with 20 feature frames"):
        time_shift(features(), torch.zeros(CLIPS, 3, 7), 0.5, rng())


def test_mixup_mixes_both_sides_alike_and_keeps_most_of_a_clip() -> None:
    # Features that are their own targets stay so.
    labels = clip_labels()
    x = labels[:, :, None].expand(-1, -1, FRAMES).contiguous()
    mixed, target = mixup(x, labels, 0.4, rng())
    torch.testing.assert_close(mixed, target[:, :, None].expand(-1, -1, FRAMES))
    assert ((target - labels).abs() <= 0.5 + 1e-6).all()
    assert ((target > 0) & (target < 1)).any()
    assert ((target >= 0) & (target <= 1)).all()


@pytest.mark.parametrize(("mask", "axis"), [(mask_frames, 2), (mask_bands, 1)])
def test_a_mask_is_one_stretch_that_is_not_too_wide(mask, axis: int) -> None:  # type: ignore[no-untyped-def]
    x = features()
    changed = (mask(x, 0.5, rng()) != x).any(3 - axis)
    lengths = changed.sum(-1)
    assert lengths.max() <= round(0.5 * x.shape[axis]) and lengths.max() > 1
    for row in changed:
        where = row.nonzero().flatten()
        assert len(where) == 0 or int(where[-1] - where[0]) + 1 == len(where)
    blank = mask(x, 1.0, np.random.default_rng(5))
    assert not blank.equal(x) and torch.isfinite(blank).all()


def test_masked_frames_are_the_mean_of_their_band() -> None:
    x = features()
    masked = mask_frames(x, 0.5, rng())
    changed = masked != x
    assert changed.any()
    torch.testing.assert_close(masked[changed], x.mean(2, keepdim=True).expand_as(x)[changed])


def test_a_filter_is_the_same_at_all_times_and_no_louder_than_it_may() -> None:
    x = features()
    gain = filter_bands(x, 0.5, rng()) - x
    torch.testing.assert_close(gain, gain[:, :, :1].expand_as(gain), atol=1e-5, rtol=0)
    assert gain.abs().max() <= 0.5 * x.std() + 1e-5
    assert gain[:, :, 0].std(1).min() > 1e-4


@pytest.mark.parametrize("name", [field.name for field in fields(Augment)])
def test_each_is_a_function_of_the_seed_and_leaves_its_input_alone(name: str) -> None:
    how = Augment(**{name: 0.5})
    x, y = features(), clip_labels()
    one, other = (augmented(x, y, how, (1, 7)) for _ in range(2))
    assert one[0].equal(other[0]) and one[1].equal(other[1])
    assert x.equal(features()) and y.equal(clip_labels())
    assert not one[0].equal(x)
    for seed in ((1, 8), (2, 7)):
        assert not augmented(x, y, how, seed)[0].equal(one[0])
    if name != "mixup":
        assert one[1].equal(y)


def test_off_is_off() -> None:
    assert not Augment() and Augment(filter=0.1)
    found, target = augmented(features(), clip_labels(), Augment(), (1, 1))
    assert found.equal(features()) and target.equal(clip_labels())
