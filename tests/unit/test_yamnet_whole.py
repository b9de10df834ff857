"""Heads on YAMNet in one piece: the trunk hears across what would be a patch's border."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from sedbench.models.store import initialise
from sedbench_plugins.yamnet import HEAD, build_head
from sedbench_plugins.yamnet_whole import WHOLE, build

CLASSES = ("Speech", "Dog")
RATE = 16000


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_ten_seconds_are_thirty_two_frames() -> None:
    net = initialise(build(), "fw-ss", CLASSES, RATE, 0).eval()
    frames = net.frame_logits(net.features(torch.zeros(1, 10 * RATE)))
    edges = net.frame_edges(10 * RATE)
    assert frames.shape == (1, len(CLASSES), 32)
    assert len(edges) == 33
    np.testing.assert_allclose(np.diff(edges), 0.32, atol=1e-9)


@pytest.mark.parametrize(("family", "crosses"), [(build, True), (build_head, False)])
def test_only_in_one_piece_does_sound_cross_the_border_of_a_patch(
    family: object, crosses: bool
) -> None:
    net = initialise(family(), "classifier", CLASSES, RATE, 0).eval()  # type: ignore[operator]
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 2 * RATE))).float()
    with torch.no_grad():
        features = net.features(noise)
        before = net.frame_logits(features)
        features[..., 96:] = features[..., 96:].flip(-1)  # from the second patch on
        after = net.frame_logits(features)
    last = int(np.searchsorted(net.frame_edges(2 * RATE), 0.9)) - 1  # of the first patch
    assert bool((before[..., last] != after[..., last]).any()) is crosses


def test_it_is_a_model_with_weights_of_its_own() -> None:
    assert WHOLE.weights is not None and HEAD.weights is not None
    assert WHOLE.weights != HEAD.weights
    assert WHOLE.pretrained == HEAD.pretrained
    ours = {p.name for p in (WHOLE.weights / "domestic-real").iterdir()}
    theirs = {p.name for p in (HEAD.weights / "domestic-real").iterdir()}
    # The poolings that came later were trained on the trunk in patches alone.
    assert ours and ours <= theirs
    assert {name.partition("-s0")[0] for name in ours} == {
        "classifier", "fw-ws-linear", "fw-ws-max", "fw-ss"
    }  # fmt: skip
