"""The cache of rendered clips: same bits, whatever was there before and whoever rendered."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

from sedbench.data import cache
from sedbench.data.cache import iter_rendered, render_split
from sedbench.data.index import write_index
from sedbench.data.soundbank import Recording
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError, HashMismatchError
from sedbench.taskfile import load_task
from sedbench.tasks import TaskSpec

# A worker cannot import a test module by its name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

RATE = 8000
CLIPS = 10
TOML = """
name = "beeps"
version = 1
title = "Beeps"
summary = "beeps in noise"
licence = "MIT"
reason = "to test with"
model = "net"
soundbank = "toy"
sample_rate = 8000
duration = 1.0
classes = ["Dog", "Cat", "Cow"]

[truth]
primary = "extent"

[soundscapes]
event_counts = [1]
event_duration = ["const", 0.5]
event_time = ["uniform", 0, 1]
snr = ["const", 6.0]
ref_db = ["const", -50]
backgrounds = ["rain"]

[bank]
fingerprint = "BANK"

[splits.test]
index = "test.csv"
clips = 10
sha256 = "SHA"
"""


class Toy:
    """Noise; counts how often it is heard."""

    name = "toy"
    heard = 0

    def recordings(self) -> Sequence[Recording]:
        names = ("background/rain/a", "foreground/Cat/c", "foreground/Dog/b")
        return [
            Recording(n, n.split("/")[0], n.split("/")[1], "test", 1.5, f"g:{n[-1]}")  # type: ignore[arg-type]
            for n in names
        ]

    def audio(self, recording_id: str, sample_rate: int) -> np.ndarray:
        Toy.heard += 1
        rng = np.random.default_rng(list(recording_id.encode()))
        return rng.uniform(-0.3, 0.3, int(1.5 * sample_rate)).astype(np.float32)

    def fingerprint(self) -> str:
        return "toy-1"


def build() -> Toy:
    return Toy()


class Renewed(Toy):
    def fingerprint(self) -> str:
        return "toy-2"


def build_renewed() -> Renewed:
    return Renewed()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEDBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "soundscapes"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., TaskSpec]:
    def task(bank: str = "", snr: float = 10.0) -> TaskSpec:
        rain = Placement("rain", "background/rain/a", 0.0, 0.0, 1.0, 0.0)
        clips = [
            Soundscape(
                f"test-{i:04d}",
                "test",
                1.0,
                -50.0,
                rain,
                (
                    Placement("Dog", "foreground/Dog/b", 0.2, 0.05 * i, 0.5, snr),
                    Placement("Cat", "foreground/Cat/c", 0.0, 0.05 * i + 0.1, 0.3, snr),
                )[: i % 3],
            )
            for i in range(CLIPS)
        ]
        sha256 = write_index(tmp_path / "test.csv", clips)
        (tmp_path / "task.toml").write_text(TOML.replace("SHA", sha256).replace("BANK", bank))
        return load_task(tmp_path / "task.toml")

    return task


def files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.is_file())


def test_a_cached_clip_is_the_rendered_clip(root: Path, make: Callable[..., TaskSpec]) -> None:
    first = render_split(make(), "test", build)
    assert first.waveforms.shape == (CLIPS, RATE) and first.waveforms.dtype == np.float32
    assert np.abs(first.waveforms).max() > 0.001
    assert len(files(root)) == 2 * CLIPS
    heard = Toy.heard
    second = render_split(make(), "test", build)
    assert Toy.heard == heard  # nothing was rendered
    np.testing.assert_array_equal(first.waveforms, second.waveforms)
    assert first.clip_ids == second.clip_ids == tuple(f"test-{i:04d}" for i in range(CLIPS))
    assert first.pairs.groups == second.pairs.groups
    for truth in ("extent", "activity"):
        np.testing.assert_array_equal(first.pairs.truths[truth], second.pairs.truths[truth])


def test_pairs_are_classes_with_an_event(root: Path, make: Callable[..., TaskSpec]) -> None:
    pairs = render_split(make(), "test", build).pairs
    expected = [(i, k) for i in range(CLIPS) for k in range(i % 3)]
    assert list(zip(pairs.clip.tolist(), pairs.label.tolist(), strict=True)) == expected
    assert pairs.truths["extent"].shape == pairs.others["extent"].shape == (len(pairs), 10)
    dog, cat = expected.index((2, 0)), expected.index((2, 1))
    assert np.flatnonzero(pairs.truths["extent"][dog]).tolist() == [1, 2, 3, 4, 5]
    assert np.flatnonzero(pairs.others["extent"][dog]).tolist() == [2, 3, 4]
    np.testing.assert_array_equal(pairs.others["extent"][cat], pairs.truths["extent"][dog])
    assert not pairs.others["extent"][expected.index((1, 0))].any()
    assert pairs.groups[dog] == ("g:b",) and pairs.groups[cat] == ("g:c",)


def test_processes_give_the_same_bits(root: Path, make: Callable[..., TaskSpec]) -> None:
    alone = render_split(make(), "test", build)
    for path in files(root):
        path.unlink()
    seen: list[tuple[int, int]] = []
    both = render_split(make(), "test", build, jobs=2, progress=lambda i, n: seen.append((i, n)))
    np.testing.assert_array_equal(alone.waveforms, both.waveforms)
    np.testing.assert_array_equal(alone.pairs.truths["activity"], both.pairs.truths["activity"])
    assert both.clip_ids == alone.clip_ids
    assert seen == [(i + 1, CLIPS) for i in range(CLIPS)] and len(files(root)) == 2 * CLIPS


def test_limit_takes_the_first_clips(root: Path, make: Callable[..., TaskSpec]) -> None:
    few = render_split(make(), "test", build, limit=3)
    assert few.waveforms.shape[0] == 3 and few.pairs.clip_ids == few.clip_ids
    assert len(files(root)) == 6
    assert [c.clip_id for c in iter_rendered(make(), "test", build, limit=2)] == [
        "test-0000",
        "test-0001",
    ]


@pytest.mark.parametrize("damage", ["cut", "swap", "truth", "empty", "json"])
def test_a_corrupt_entry_is_made_again(
    root: Path, make: Callable[..., TaskSpec], damage: str
) -> None:
    first = render_split(make(), "test", build)
    good = {p: p.read_bytes() for p in files(root)}
    audio = next(p for p in good if p.suffix == ".flac")
    truth = audio.with_suffix(".json")
    if damage == "cut":
        audio.write_bytes(good[audio][:-40])
    elif damage == "swap":
        audio.write_bytes(next(b for p, b in good.items() if p.suffix == ".flac" and p != audio))
    elif damage == "truth":
        text = truth.read_text()
        truth.write_text(text.replace("0000000000", "0000000001", 1))
        assert truth.read_text() != text
    elif damage == "empty":
        audio.write_bytes(b"")
    else:
        truth.write_text("{")
    second = render_split(make(), "test", build)
    np.testing.assert_array_equal(first.waveforms, second.waveforms)
    np.testing.assert_array_equal(first.pairs.truths["extent"], second.pairs.truths["extent"])
    assert {p: p.read_bytes() for p in files(root)} == good


def test_other_soundscapes_or_sounds_are_other_entries(
    root: Path, make: Callable[..., TaskSpec]
) -> None:
    first = render_split(make(), "test", build)
    louder = render_split(make(snr=16.0), "test", build)
    assert not np.array_equal(first.waveforms, louder.waveforms)
    before = len(files(root))
    render_split(make(), "test", build_renewed)
    assert len(files(root)) == before + 2 * CLIPS


def test_another_soundbank_than_the_frozen_one(root: Path, make: Callable[..., TaskSpec]) -> None:
    render_split(make(bank="toy-1"), "test", build, limit=1)
    with pytest.raises(HashMismatchError, match="task 'beeps' was frozen with toy-1") as caught:
        render_split(make(bank="toy-1"), "test", build_renewed)
    assert caught.value.hint and not caught.value.message.endswith("toy-2")


def test_a_cache_folder_that_cannot_be_written(
    tmp_path: Path, make: Callable[..., TaskSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SEDBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot write") as caught:
        render_split(make(), "test", build)
    assert "SEDBENCH_CACHE" in caught.value.hint and caught.value.exit_code == 4


def test_a_full_disk_leaves_nothing_half_written(
    root: Path, make: Callable[..., TaskSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    task = make()
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match="No space left on device"):
        render_split(task, "test", build)
    assert files(root) == []


def test_recently_heard_recordings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    one = int(1.5 * RATE) * 4
    monkeypatch.setattr(cache, "_MEMORY", 2 * one)
    bank = cache._Remembering(build())
    a, b, c = (r.id for r in bank.recordings())
    start = Toy.heard
    for name in (a, b, a, c, a):  # c takes the place of b, which was heard longest ago
        bank.audio(name, RATE)
    assert Toy.heard - start == 3
    bank.audio(b, RATE)
    assert Toy.heard - start == 4
