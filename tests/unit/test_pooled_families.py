"""Poolings in the families that build them: what is trained, never read, and part of whose code."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from sedbench import sources
from sedbench.errors import UnknownNameError
from sedbench.lookup import find_model, find_task
from sedbench.models import training
from sedbench.models.contract import Classifier
from sedbench.models.store import initialise, seeded
from sedbench.models.training import Examples
from sedbench_plugins import cnn14, logmel_cnn, logmel_crnn, yamnet, yamnet_whole
from sedbench_plugins.cnn14.asset import Asset
from sedbench_plugins.cnn14.family import Cnn14HeadFamily
from sedbench_plugins.cnn14.models import HeadTraining as Cnn14Training
from sedbench_plugins.poolings import PARTS, POOLINGS, VARIANTS
from sedbench_plugins.poolings.lookup import pooling
from sedbench_plugins.yamnet.models import HeadTraining, YamnetHead

CLASSES = ("Dog", "Cat", "Blender")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stir(pool: nn.Module) -> None:
    """Weights of something that has learnt: not those that it begins with."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))


NARROW = Asset("narrow.pth", "", "", "", 0, (4, 6, 6, 8, 8, 12))
FAMILIES: dict[str, Callable[[], Any]] = {
    "logmel-cnn": logmel_cnn.build,
    "logmel-crnn": logmel_crnn.build,
    "logmel-crnn-relu": logmel_crnn.build_relu,
    "yamnet-head": yamnet.build_head,
    "yamnet-head-whole": yamnet_whole.build,
    "cnn14-head": lambda: Cnn14HeadFamily(NARROW),
}
WHOLE = (logmel_cnn.INFO, logmel_crnn.GATED, logmel_crnn.RECTIFIED)
INFOS = {info.name: info for info in (*WHOLE, yamnet.HEAD, yamnet_whole.WHOLE, cnn14.HEAD)}


def learner(family: str, variant: str) -> Classifier:
    """What training sees, on a random trunk."""
    with seeded(2):
        net = FAMILIES[family]().build(variant, CLASSES, 16000)
    if isinstance(net, YamnetHead):
        return HeadTraining(net)
    return Cnn14Training(net.eval()) if family.startswith("cnn14") else net


def secret() -> NDArray[np.bool_]:
    raise AssertionError("frame labels were read")


def examples(bands: int, frames: int, seed: int, clips: int = 8) -> Examples:
    rng = np.random.default_rng(seed)
    present = rng.random((clips, 3)) < 0.5
    features = rng.normal(0, 0.3, (clips, bands, frames))
    features[:, :3, : frames // 3] += 3 * present[:, :, None]
    return Examples(features.astype(np.float16), present, secret)


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize(
    ("family", "shape"),
    [
        ("logmel-cnn", (64, 12)),
        ("logmel-crnn", (64, 12)),
        ("yamnet-head", (1024, 9)),
        ("cnn14-head", (12, 9)),
    ],
)
def test_training_reads_clip_labels_alone_and_resumes(
    family: str, shape: tuple[int, int], name: str, tmp_path: Path
) -> None:
    variant = f"fw-ws-{name}"
    recipe = replace(FAMILIES[family]().recipe(variant), epochs=2, batch=4, patience=2)
    assert recipe.labels == "clip"
    data = examples(*shape, 1), examples(*shape, 2)
    whole = training.train(
        learner(family, variant), recipe, *data, seed=1, checkpoint=tmp_path / "a"
    )
    assert "frame_iou" not in whole.log[0] and np.isfinite(whole.log[-1]["loss"])

    def stop(entry: Any) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "b"
    with pytest.raises(KeyboardInterrupt):
        training.train(
            learner(family, variant), recipe, *data, seed=1, checkpoint=path, on_epoch=stop
        )
    again = training.train(learner(family, variant), recipe, *data, seed=1, checkpoint=path)
    assert again.log == whole.log
    assert all(again.state[key].equal(value) for key, value in whole.state.items())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", POOLINGS)
def test_a_detector_pools_its_own_frames(family: str, name: str) -> None:
    net = initialise(FAMILIES[family](), f"fw-ws-{name}", CLASSES, 16000, 1).eval()
    stir(net.get_submodule("pooling"))
    waves = torch.from_numpy(0.1 * np.random.default_rng(0).standard_normal((2, 16000))).float()
    with torch.no_grad():
        for each in (net, net.for_inference()):
            features = each.features(waves)
            p = torch.sigmoid(each.frame_logits(features))
            clips = torch.sigmoid(each.logits(features))
            assert clips.shape == p.shape[:2] == (2, 3)
            assert bool((clips <= p.amax(-1) + 1e-5).all() and (clips >= p.amin(-1) - 1e-5).all())
        torch.testing.assert_close(net(waves), net.for_inference()(waves), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_trunk_begins_alike_whatever_the_pooling(family: str) -> None:
    one, other = (
        initialise(FAMILIES[family](), variant, CLASSES, 16000, 1).state_dict()
        for variant in ("fw-ws-max", "fw-ws-self-attention")
    )
    assert all(other[key].equal(value) for key, value in one.items())


def test_variants_and_parts_are_whole() -> None:
    assert set(VARIANTS) == {"classifier", "fw-ss", *(f"fw-ws-{name}" for name in POOLINGS)}
    assert len(set(POOLINGS)) == len(POOLINGS)
    for variant, place in PARTS:
        module, _, name = place.partition(":")
        assert isinstance(
            pooling(variant, 4, 2, "t"), getattr(importlib.import_module(module), name)
        )
        assert sources.named(place) != sources.UNKNOWN
    folder = Path(importlib.import_module("sedbench_plugins.poolings").__file__ or "").parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "base", "lookup", "tokens"}
    assert files == {name.replace("-", "_") for name in POOLINGS}
    for name in ("lookup", "base", "tokens", "median"):
        with pytest.raises(UnknownNameError):
            pooling(f"fw-ws-{name}", 4, 2, "t")


@pytest.mark.parametrize("family", INFOS)
def test_a_family_declares_what_it_looks_up_and_holds_none_of_it(family: str) -> None:
    info = INFOS[family]
    assert info.variants == VARIANTS and info.parts == PARTS
    ref = find_model(family, find_task("domestic"))
    codes = {variant: ref.code(variant) for variant in VARIANTS}
    # Each pooling is part of its own detector, and of nobody else's.
    assert len(set(codes.values())) == len(VARIANTS) - 1
    assert codes["fw-ss"] == codes["fw-ws-max"]
    without = replace(ref, parts=())
    assert {without.code(variant) for variant in VARIANTS} == {codes["classifier"]}
    walk = sources._Walk(ref.factory.__module__, Path(_file(ref.factory)))
    walk.take(ref.factory.__module__, Path(_file(ref.factory)), ref.factory.__name__)
    modules = {module for module, *_ in walk.found if ".poolings" in module}
    assert modules == {"sedbench_plugins.poolings.lookup"}


def _file(factory: Any) -> str:
    return str(importlib.import_module(factory.__module__).__file__)


def test_a_head_is_what_it_was_trained_as(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a weight file of a head holds goes where it belongs, pooling included.
    monkeypatch.setattr(YamnetHead, "load_trunk", lambda *_: None)
    monkeypatch.setattr("sedbench_plugins.yamnet.asset.arrays", dict)
    learnt = learner("yamnet-head", "fw-ws-attention")
    learnt.fit_features(torch.full((1024,), 0.3), torch.full((1024,), 0.7))
    stir(learnt.get_submodule("pooling"))
    net = initialise(yamnet.build_head(), "fw-ws-attention", CLASSES, 16000, 9)
    net.load_trained(learnt.state_dict())
    for key, value in learnt.state_dict().items():
        assert net.state_dict()[key].equal(value), key
