"""Scaper draws: repeatable, inside the recordings and the rules, from the split alone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sedbench.data.generate import generate, put, record_bank
from sedbench.data.index import dumps_index, loads_index
from sedbench.data.recipe import Recipe
from sedbench.data.scaper_spec import draw, import_scaper, polyphony
from sedbench.data.soundbank import Recording
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError, NothingSelectedError
from sedbench.tasks import load_task

RATE = 8000
LENGTHS = {"short": 0.4, "middle": 1.7, "long": 6.0, "pause": 6.0}

RECIPE = Recipe(
    seed=1,
    event_counts=(1, 2, 3),
    event_weights=(0.2, 0.3, 0.5),
    label_counts=(),
    label_weights=(),
    event_duration=("uniform", 0.25, 4.0),
    event_time=("uniform", 0.0, 10.0),
    source_time=("uniform", 0.0, 100.0),
    snr=("uniform", 0.0, 25.0),
    ref_db=("uniform", -60.0, -50.0),
    backgrounds=("rain",),
    max_polyphony=2,
    same_class_overlap=False,
    same_class_gap=0.2,
    repeated_labels=True,
    repeated_sources=False,
    fix_clipping=True,
)


class Toy:
    """Noise of several lengths in two splits; one recording is mostly a pause."""

    name = "toy"

    def recordings(self) -> Sequence[Recording]:
        found = [
            Recording(
                f"foreground/{label}/{split}-{name}", "foreground", label, split, length, split
            )
            for label in ("Cat", "Dog")
            for split in ("train", "test")
            for name, length in LENGTHS.items()
        ]
        for label in ("rain", "sea"):
            for split in ("train", "test"):
                key = f"background/{label}/{split}"
                found.append(Recording(key, "background", label, split, 12.0, split))
        return sorted(found, key=lambda r: r.id)

    def audio(self, recording_id: str, sample_rate: int) -> np.ndarray:
        name = recording_id.rpartition("-")[2]
        length = LENGTHS.get(name, 12.0)
        rng = np.random.default_rng(list(recording_id.encode()))
        samples = 0.2 * rng.uniform(-1, 1, int(length * sample_rate))
        if name == "pause":
            samples[sample_rate:] *= 0.02  # after a second, 34 dB down
        return samples.astype(np.float32)

    def fingerprint(self) -> str:
        return "toy"


def drawn(recipe: Recipe = RECIPE, count: int = 40, seed: int = 1, **options: object):
    settings = {"classes": ("Cat", "Dog"), "duration": 10.0, "sample_rate": RATE} | options
    return draw(Toy(), recipe, "test", count, seed, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scenes() -> tuple[Soundscape, ...]:
    return drawn()


def test_numpy_is_left_alone() -> None:
    scaper = import_scaper()
    assert scaper.core.np.Inf == np.inf and scaper.core.np.sin is np.sin
    assert not hasattr(np, "Inf")
    assert import_scaper().core.np is scaper.core.np


def test_a_seed_gives_the_same_soundscapes_however_many(scenes: tuple[Soundscape, ...]) -> None:
    assert drawn(count=5) == scenes[:5]
    assert drawn(count=5, seed=2) != scenes[:5]


def test_the_frozen_index_holds_them_exactly(scenes: tuple[Soundscape, ...]) -> None:
    assert loads_index(dumps_index(scenes)) == scenes


def test_only_the_split_is_used_and_stretches_lie_inside(scenes: tuple[Soundscape, ...]) -> None:
    lengths = {r.id: (r.split, r.duration) for r in Toy().recordings()}
    for s in scenes:
        assert s.background.source_file == "background/rain/test"
        for e in s.events:
            split, length = lengths[e.source_file]
            assert split == "test"
            assert e.source_time + e.event_duration <= length + 1e-9
            assert e.event_time + e.event_duration <= 10.0 + 1e-9
            assert 0 <= e.snr <= 25 and -60 <= s.ref_db <= -50
        assert [e.event_time for e in s.events] == sorted(e.event_time for e in s.events)


def test_the_rules_are_kept(scenes: tuple[Soundscape, ...]) -> None:
    counts = Counter(len(s.events) for s in scenes)
    assert set(counts) == {1, 2, 3}
    for s in scenes:
        assert polyphony(s.events) <= 2
        assert len({e.source_file for e in s.events}) == len(s.events)
        for i, a in enumerate(s.events):
            for b in s.events[i + 1 :]:
                if a.label == b.label:
                    assert b.event_time >= a.event_time + a.event_duration + 0.2 - 1e-9
            if a.source_file.endswith("pause"):
                assert a.source_time < 1.0  # it holds some of the sound


def test_events_do_not_pile_up_at_the_end(scenes: tuple[Soundscape, ...]) -> None:
    ends = [e.event_time + e.event_duration for s in scenes for e in s.events]
    assert np.mean(np.array(ends) > 9.999) < 0.05


def test_label_counts_bound_the_classes_of_a_soundscape() -> None:
    recipe = dataclasses.replace(
        RECIPE, event_counts=(3,), event_weights=(1.0,), label_counts=(1,), label_weights=(1.0,)
    )
    for s in drawn(recipe, 8):
        assert len({e.label for e in s.events}) == 1


def test_what_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sedbench.data.scaper_spec.ATTEMPTS", 20)
    with pytest.raises(NothingSelectedError, match="no foreground recording of Cow in its test"):
        drawn(classes=("Cat", "Cow"))
    with pytest.raises(NothingSelectedError, match="no background recording of snow"):
        drawn(dataclasses.replace(RECIPE, backgrounds=("snow",)))
    crowded = dataclasses.replace(
        RECIPE,
        event_counts=(4,),
        event_weights=(1.0,),
        event_duration=("const", 4.0),
        event_time=("const", 0.0),
        max_polyphony=1,
    )
    with pytest.raises(DataError, match="keeps the recipe's rules"):
        drawn(crowded, 1)


@pytest.mark.parametrize(
    ("times", "most"),
    [([], 0), ([(0, 1)], 1), ([(0, 1), (1, 1)], 1), ([(0, 2), (1, 2), (1.5, 0.1)], 3)],
)
def test_polyphony(times: list[tuple[float, float]], most: int) -> None:
    assert polyphony([Placement("x", "y", 0.0, t, d, 0.0) for t, d in times]) == most


TOML = """# kept
name = "beeps"
version = 1
title = "Beeps"
summary = ""
licence = "MIT"
reason = ""
model = "net"
soundbank = "toy"
sample_rate = 8000
duration = 10.0
classes = ["Cat", "Dog"]
[truth]
primary = "extent"
[soundscapes]
event_counts = [1, 2]
event_duration = ["uniform", 0.25, 3.0]
event_time = ["uniform", 0, 10]
snr = ["const", 6.0]
ref_db = ["const", -50]
backgrounds = ["rain"]

[splits.train]
index = "train.csv"
clips = 2
sha256 = "ZERO"

[splits.test]
index = "test.csv"
clips = 3
sha256 = "ZERO"  # not yet
"""


def test_generate_freezes_a_task(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    path.write_text(TOML.replace("ZERO", "0" * 64))
    done = generate(path, Toy(), ["test"])
    assert [(d.split, d.clips, d.changed) for d in done] == [("test", 3, True)]
    task = load_task(path)
    assert task.splits["test"].sha256 == done[0].sha256 and task.bank_fingerprint == "toy"
    assert len(task.soundscapes("test")) == 3
    assert task.splits["train"].sha256 == "0" * 64
    assert path.read_text().startswith("# kept\n")
    before = path.read_text()
    assert not generate(path, Toy(), ["test"])[0].changed  # drawn again, the same
    assert not record_bank(path, Toy()) and path.read_text() == before
    assert generate(path, Toy(), ["train"], count=4, update=False)[0].clips == 4
    assert path.read_text() == before
    with pytest.raises(DataError, match=r"no table \[splits.development\]"):
        generate(path, Toy(), ["development"])


def test_put_edits_one_line_of_one_table() -> None:
    text = "a = 1\n[b]\na = 2 # two\n\n[c]\nx = 1\n"
    assert put(text, "b", "a", "3") == "a = 1\n[b]\na = 3\n\n[c]\nx = 1\n"
    assert put(text, "b", "n", "3") == "a = 1\n[b]\na = 2 # two\nn = 3\n\n[c]\nx = 1\n"
    assert put(text, "d", "n", "3") == text + "\n[d]\nn = 3\n"
