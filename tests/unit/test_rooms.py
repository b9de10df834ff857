"""Rooms: the frozen responses are what they claim, files are checked, events sound in them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import sedbench_tasks
from sedbench.data.render import Rendered, in_room, loudness, render, stem
from sedbench.data.rooms import Rooms, read_rooms
from sedbench.data.soundbank import Recording
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.types import FrameGrid

RATE = 16000
GRID = FrameGrid(4.0, 0.1)
FOLDER = Path(sedbench_tasks.__file__).parent / "domestic_real_reverb"
FACTS = json.loads((FOLDER / "rooms.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def frozen() -> Rooms:
    return read_rooms(FOLDER / "rooms.npz", FACTS["sha256"])


def t30(response: np.ndarray) -> float:
    left = np.cumsum(response[::-1].astype(float) ** 2)[::-1]
    curve = 10 * np.log10(left / left[0])
    inside = np.flatnonzero((curve <= -5) & (curve >= -35))
    return -60 / float(np.polyfit(inside / RATE, curve[inside], 1)[0])


def test_the_shipped_file_is_small() -> None:
    assert (FOLDER / "rooms.npz").stat().st_size < 400_000


@pytest.mark.parametrize("rt60", [0.3, 0.6, 1.0])
def test_the_frozen_responses_are_what_they_claim(frozen: Rooms, rt60: float) -> None:
    rows = [p for room in FACTS["measured"][f"rt60={rt60:g}"].values() for p in room["positions"]]
    responses = [frozen.impulse(rt60, i) for i in range(len(rows))]
    assert len(rows) == 6 and frozen.sample_rate == RATE
    for h, row in zip(responses, rows, strict=True):
        assert h.dtype == np.float32
        assert t30(h) == pytest.approx(rt60, rel=0.15)
        assert t30(h) == pytest.approx(row["t30"], abs=2e-3)
        assert np.sum(h.astype(float) ** 2) == pytest.approx(1, abs=1e-3)
        assert np.argmax(np.abs(h)) == 0  # the direct sound comes first and is the loudest
        assert 1.0 <= row["distance"] <= 2.5
        assert 0.9 * rt60 < h.size / RATE < 1.3 * rt60
    assert len({h.tobytes() for h in responses}) == len(rows)


def test_a_clip_stays_in_one_room_at_every_rt60(frozen: Rooms) -> None:
    def numbers(clip: str, rt60: float) -> list[int]:
        all_of_them = [frozen.impulse(rt60, i).tobytes() for i in range(6)]
        return [all_of_them.index(h.tobytes()) for h in frozen.of_clip(clip, rt60, 3)]

    rooms = Counter()
    for i in range(60):
        clip = f"test-{i:04d}"
        chosen = numbers(clip, 0.3)
        assert chosen == numbers(f"{clip}@rt60=1", 1.0)
        assert len({n // 2 for n in chosen}) == 1
        assert chosen[0] != chosen[1] and chosen[0] == chosen[2]
        rooms[chosen[0] // 2] += 1
    assert set(rooms) == {0, 1, 2} and min(rooms.values()) >= 10
    assert numbers("test-0000", 0.6) == [1, 0, 1]  # frozen with the rule: a sha256 of the id


def write(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


GOOD = np.zeros((1, 2, 5), np.float16)
GOOD[:, :, 0] = 1


def test_what_is_asked_for_has_to_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "r.npz", sample_rate=np.array(8000), **{"rt60=0.5": GOOD})
    rooms = read_rooms(path)
    assert rooms.sample_rate == 8000 and rooms.impulse(0.5, 1).tolist() == [1.0]
    with pytest.raises(DataError, match=r"no room with an RT60 of 0.4 s") as caught:
        rooms.of_clip("test-0000", 0.4, 1)
    assert caught.value.hint == "there is: 0.5"
    with pytest.raises(DataError, match=r"no response 2 at an RT60 of 0.5 s, but 2"):
        rooms.impulse(0.5, 2)


def test_files_that_are_not_rooms(tmp_path: Path) -> None:
    rate = np.array(8000)
    with pytest.raises(MissingDataError, match="missing"):
        read_rooms(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataError, match=r"text.npz holds no room impulse responses"):
        read_rooms(tmp_path / "text.npz")
    pickled = write(tmp_path / "p.npz", sample_rate=rate, **{"rt60=1": np.array([{}], object)})
    with pytest.raises(DataError, match="holds no room impulse responses"):
        read_rooms(pickled)
    good = write(tmp_path / "good.npz", sample_rate=rate, **{"rt60=1": GOOD})
    digest = hashlib.sha256(good.read_bytes()).hexdigest()
    assert read_rooms(good, digest).responses.keys() == {1.0}
    with pytest.raises(HashMismatchError, match="the task records 00000000"):
        read_rooms(good, "0" * 64)


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"rt60=1": GOOD}, "'sample_rate' is no whole number"),
        ({"sample_rate": np.array(8000.5), "rt60=1": GOOD}, "'sample_rate' is no whole number"),
        ({"sample_rate": np.array(8000)}, "holds no room impulse response"),
        ({"sample_rate": np.array(8000), "rt60=x": GOOD}, "'rt60=x' is not named"),
        ({"sample_rate": np.array(8000), "rt60=0": GOOD}, "'rt60=0' is not named"),
        ({"sample_rate": np.array(8000), "rt60=1": GOOD[0]}, "not of shape"),
        ({"sample_rate": np.array(8000), "rt60=1": GOOD * np.nan}, "not finite"),
        ({"sample_rate": np.array(8000), "rt60=1": GOOD * 0}, "begin with direct sound"),
    ],
)
def test_arrays_that_cannot_be(tmp_path: Path, arrays: dict[str, np.ndarray], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read_rooms(write(tmp_path / "bad.npz", **arrays))


class Bank:
    """Noise bursts and a quiet background."""

    name = "toy"

    def recordings(self) -> list[Recording]:
        return [Recording(k, "foreground", k, "test", 1.0, k) for k in ("cat", "dog", "rain")]

    def audio(self, recording_id: str, sample_rate: int) -> np.ndarray:
        rng = np.random.default_rng(len(recording_id) + ord(recording_id[0]))
        length = 4 * RATE if recording_id == "rain" else RATE
        return (0.1 * rng.standard_normal(length)).clip(-1, 1).astype(np.float32)

    def fingerprint(self) -> str:
        return "toy"


SCENE = Soundscape(
    "test-0000",
    "test",
    4.0,
    -60.0,
    Placement("rain", "rain", 0.0, 0.0, 4.0, 0.0),
    (
        Placement("dog", "dog", 0.0, 0.5, 1.0, 25.0),
        Placement("cat", "cat", 0.0, 3.2, 0.8, 25.0),
    ),
)


def heard(scene: Soundscape = SCENE, **options: object) -> Rendered:
    bank = Bank()
    return render(
        scene,
        bank,
        {r.id: r for r in bank.recordings()},
        sample_rate=RATE,
        classes=("dog", "cat"),
        grid=GRID,
        **options,  # type: ignore[arg-type]
    )


def test_without_a_room_every_bit_stays() -> None:
    dry, unit = heard(), heard(impulses=[np.array([1.0])])
    assert np.array_equal(heard(impulses=None).waveform, dry.waveform)
    assert np.abs(unit.waveform - dry.waveform).max() <= 2.0**-15  # a room that does nothing


def test_the_tail_sounds_and_is_not_truth(frozen: Rooms) -> None:
    dry, wet = heard(), heard(impulses=frozen.of_clip("test-0000", 1.0, 2))
    assert np.array_equal(wet.extent, dry.extent)
    assert np.array_equal(wet.activity, dry.activity)
    assert wet.waveform.size == dry.waveform.size == 4 * RATE
    tail = slice(int(1.55 * RATE), int(1.75 * RATE))  # the dog is over at 1.5 s
    before = slice(0, int(0.5 * RATE))
    assert np.std(wet.waveform[tail]) > 5 * np.std(dry.waveform[tail])
    assert np.array_equal(wet.waveform[before], dry.waveform[before])  # nothing comes early


def test_each_event_has_its_own_response() -> None:
    late = np.zeros(RATE // 2)
    late[-1] = 1.0
    first = heard(impulses=[late, np.array([1.0])]).waveform
    both = heard(impulses=[late]).waveform
    dog = slice(int(0.5 * RATE), int(0.9 * RATE))
    cat = slice(int(3.3 * RATE), int(3.6 * RATE))
    assert np.std(first[dog]) < 0.2 * np.std(heard().waveform[dog])
    assert np.std(first[cat]) > 5 * np.std(both[cat])
    with pytest.raises(ValueError, match="has 2 events, got 3 impulses"):
        heard(impulses=[late] * 3)
    alone = dataclasses.replace(SCENE, events=())
    assert np.array_equal(heard(alone, impulses=[]).waveform, heard(alone).waveform)


@pytest.mark.parametrize("rt60", [0.3, 0.6, 1.0])
def test_a_room_keeps_the_level_of_a_broadband_sound(frozen: Rooms, rt60: float) -> None:
    dry = stem(SCENE, SCENE.events[0], Bank(), RATE)
    for i in range(6):
        wet = in_room(dry, frozen.impulse(rt60, i))
        assert wet.size == dry.size
        gain = 10 * np.log10(np.sum(wet**2) / np.sum(dry**2))
        assert abs(gain) < 1.0
        place = slice(int(0.5 * RATE), int(1.5 * RATE))
        change = loudness(wet[place], RATE) - loudness(dry[place], RATE)
        assert -3.5 < change < 1.0  # what the tail takes outside, the event lacks inside
