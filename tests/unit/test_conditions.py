"""Conditions: the same clips, one thing changed, under names that say what."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sedbench.data.conditions import KEYS, Conditions, read_conditions
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.data.strict import Table
from sedbench.errors import DataError, HashMismatchError, TaskFileError

RAIN = Placement("rain", "background/rain/a", 0.0, 0.0, 10.0, 0.0)
DOG = Placement("Dog", "foreground/Dog/a", 0.5, 1.0, 2.0, 12.5)
SCENES = tuple(
    Soundscape(f"test-{i:04d}", "test", 10.0, -50.0, RAIN, (DOG,) * i, fold=i) for i in range(3)
)
DIGEST = "ab" * 32


def read(**values: Any) -> Conditions:
    return read_conditions(Table(values, "task.toml", KEYS, "conditions"), Path("folder"))


def test_every_soundscape_comes_in_all_conditions() -> None:
    conditions = read(kind="snr", values=[20, 0, -5])
    made = conditions.expand(SCENES)
    assert [s.id for s in made[:4]] == [
        "test-0000@snr=20",
        "test-0000@snr=0",
        "test-0000@snr=-5",
        "test-0001@snr=20",
    ]
    assert len({s.id for s in made}) == len(made) == 9
    assert [s.condition for s in made] == list(conditions.labels) * 3
    assert conditions.labels == ("snr=20", "snr=0", "snr=-5")
    for scene, now in zip((s for s in SCENES for _ in range(3)), made, strict=True):
        snr = float(now.condition.removeprefix("snr="))
        events = tuple(dataclasses.replace(e, snr=snr) for e in scene.events)
        assert now == dataclasses.replace(scene, id=now.id, condition=now.condition, events=events)
        assert now.fold == scene.fold and now.background == RAIN
    assert all(conditions.impulses(s) is None for s in made)


def test_a_room_changes_nothing_in_the_specification() -> None:
    conditions = read(kind="reverb", values=[0, 0.6], rooms="rooms.npz", rooms_sha256=DIGEST)
    assert conditions.rooms == Path("folder/rooms.npz") and conditions.rooms_sha256 == DIGEST
    made = conditions.expand(SCENES[2:])
    assert [s.id for s in made] == ["test-0002@rt60=0", "test-0002@rt60=0.6"]
    assert all(s.events == SCENES[2].events for s in made)


def test_the_rooms_are_read_when_they_sound(tmp_path: Path) -> None:
    path = tmp_path / "rooms.npz"
    responses = np.arange(1, 13, dtype=np.float16).reshape(2, 2, 3)
    np.savez(path, sample_rate=np.array(16000), **{"rt60=0.6": responses})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    conditions = Conditions("reverb", (0.0, 0.6, 0.9), path, digest)
    made = conditions.expand(SCENES)
    none, dry, wet, absent = made[1], *made[6:]  # without an event; then at each RT60
    assert conditions.impulses(none) is None and conditions.impulses(dry) is None
    found = conditions.impulses(wet)
    assert found is not None and len(found) == 2
    assert sorted(found[0].tolist() + found[1].tolist()) in (
        list(range(1, 7)),
        list(range(7, 13)),
    )  # both positions of one room
    assert conditions.impulses(wet, 16000) is not None
    with pytest.raises(DataError, match="at 16000 Hz, the clips have 32000 Hz"):
        conditions.impulses(wet, 32000)
    with pytest.raises(DataError, match=r"no room with an RT60 of 0.9 s"):
        conditions.impulses(absent)
    with pytest.raises(DataError, match=r"the condition '' is none of rt60=0, rt60=0\.6"):
        conditions.impulses(SCENES[1])
    with pytest.raises(HashMismatchError):
        dataclasses.replace(conditions, rooms_sha256=DIGEST).impulses(wet)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"kind": "snrs", "values": [1]}, "conditions.kind"),
        ({"kind": "snr", "values": []}, "expected different numbers"),
        ({"kind": "snr", "values": [1, 1.0]}, "expected different numbers"),
        ({"kind": "snr", "values": [0.1234567]}, "at most six digits"),
        ({"kind": "snr", "values": [1], "rooms": "rooms.npz"}, "an SNR needs no room"),
        ({"kind": "snr", "values": [1], "rooms_sha256": DIGEST}, "an SNR needs no room"),
        ({"kind": "reverb", "values": [0.3]}, "missing key 'conditions.rooms'"),
        (
            {"kind": "reverb", "values": [-1], "rooms": "r.npz", "rooms_sha256": DIGEST},
            "an RT60 is not negative",
        ),
        (
            {"kind": "reverb", "values": [1], "rooms": "../r.npz", "rooms_sha256": DIGEST},
            "is no file beside the task's",
        ),
        (
            {"kind": "reverb", "values": [1], "rooms": "r.npz", "rooms_sha256": "ab"},
            "not 64 hexadecimal digits",
        ),
    ],
)
def test_what_cannot_be(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(TaskFileError, match=problem):
        read(**values)
