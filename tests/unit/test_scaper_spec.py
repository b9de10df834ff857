"""Scaper draws: repeatable, inside the recordings and the rules, from the split alone."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sedbench.data.audition import polyphony
from sedbench.data.generate import generate, put, record_bank
from sedbench.data.index import dumps_index, loads_index
from sedbench.data.patterns import read_patterns
from sedbench.data.recipe import KEYS, Recipe, read_recipe
from sedbench.data.scaper_call import import_scaper, state_of
from sedbench.data.scaper_spec import draw
from sedbench.data.soundbank import Recording
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.data.strict import Table
from sedbench.errors import DataError, HashMismatchError, NothingSelectedError, TaskFileError
from sedbench.taskfile import load_task
from sedbench.types import SPLITS

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


@pytest.mark.parametrize(
    ("labels", "digest"),
    [
        ({}, "81428533d4f94c85321b76249b5846193164befc0b08adc21dee9b9413bc5aa2"),
        (
            {"event_counts": (4,), "event_weights": (1.0,), "label_counts": (1, 2)}
            | {"label_weights": (1.0, 1.0)},
            "af0f32ecf4fb922b7c6c30705c679b8399aa8d4569c70721c7d155affedf7cf2",
        ),
    ],
)
def test_a_recipe_draws_what_it_drew_when_the_first_indices_were_frozen(
    labels: dict[str, object], digest: str
) -> None:
    recipe = dataclasses.replace(RECIPE, **labels)  # type: ignore[arg-type]
    text = dumps_index(drawn(recipe, 12))
    assert hashlib.sha256(text.encode()).hexdigest() == digest


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
    assert len(task.clips("test")) == 3
    assert task.splits["train"].sha256 == ""  # not drawn yet
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


class Folded(Toy):
    """The same recordings in three folds, across the splits; the last one has no sea."""

    name = "toy"

    def recordings(self) -> Sequence[Recording]:
        counted: Counter[str] = Counter()
        found = []
        for r in super().recordings():
            fold = counted[r.label] % (2 if r.label == "sea" else 3)
            counted[r.label] += 1
            found.append(dataclasses.replace(r, fold=fold))
            if r.label == "rain" and counted["rain"] == 2:
                third = r.id + "-more"
                found.append(dataclasses.replace(r, id=third, fold=2))
        return sorted(found, key=lambda r: r.id)


def folded(fold: int, recipe: Recipe = RECIPE, count: int = 6, **options: object):
    settings = {"classes": ("Cat", "Dog"), "duration": 10.0, "sample_rate": RATE} | options
    return draw(Folded(), recipe, "test", count, 1, fold=fold, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_fold_uses_its_own_recordings_of_every_split(fold: int) -> None:
    recipe = dataclasses.replace(RECIPE, backgrounds=("rain", "sea"), balanced_labels=True)
    scenes = folded(fold, recipe, 8)
    assert [s.id for s in scenes] == [f"test-{8 * fold + i:04d}" for i in range(8)]
    assert {s.split for s in scenes} == {"test"}
    own = {r.id: r.fold for r in Folded().recordings()}
    used = [e.source_file for s in scenes for e in s.events]
    assert {own[key] for key in used} == {fold}
    assert {own[s.background.source_file] for s in scenes} == {fold}
    assert {key.split("/")[-1].split("-")[0] for key in used} == {"train", "test"}
    if fold == 2:
        assert {s.background.label for s in scenes} == {"rain"}


def test_a_fold_needs_its_classes_and_some_background() -> None:
    with pytest.raises(NothingSelectedError, match="no background recording of sea in fold 2"):
        folded(2, dataclasses.replace(RECIPE, backgrounds=("sea",)))
    with pytest.raises(NothingSelectedError, match="no foreground recording of Cat, Dog in fold 7"):
        folded(7)
    assert folded(1, count=2) != folded(1, count=3)[:2]  # numbers go on through the folds


def test_balance_gives_every_class_and_recording_its_turn() -> None:
    recipe = dataclasses.replace(RECIPE, balanced_labels=True)
    scenes = drawn(recipe, 16)
    labels = Counter(e.label for s in scenes for e in s.events)
    assert max(labels.values()) - min(labels.values()) <= 2
    used = Counter(e.source_file for s in scenes for e in s.events)
    assert len(used) == 2 * len(LENGTHS)
    assert max(used.values()) - min(used.values()) <= 2  # never two of one in a clip
    for s in scenes:
        assert len({e.source_file for e in s.events}) == len(s.events)
        assert polyphony(s.events) <= 2
    assert drawn(recipe, 4) == scenes[:4]


PATTERNS = {
    "duration": 10.0,
    "combinations": {"Cat": 2, "Cat+Dog": 3},
    "classes": {
        "Cat": {
            "events": {"1": 1, "2": 1},
            "ranges": [
                {"from": 1, "durations": [0.3, 10], "gaps": [], "leads": [0, 1]},
                {"from": 2, "durations": [0.3, 2], "gaps": [0.2, 3], "leads": [0, 1]},
            ],
        },
        "Dog": {
            "events": {"1": 1},
            "ranges": [{"from": 1, "durations": [7, 10], "gaps": [], "leads": [0, 1]}],
        },
    },
}


def test_soundscapes_hold_the_events_of_the_patterns(tmp_path: Path) -> None:
    path = tmp_path / "patterns.json"
    path.write_text(json.dumps(PATTERNS))
    patterns = read_patterns(path)
    recipe = dataclasses.replace(RECIPE, patterns="patterns.json")
    scenes = drawn(recipe, 16, patterns=patterns)
    lengths = {r.id: r.duration for r in Toy().recordings()}
    longest = 0.0
    for i, s in enumerate(scenes):
        wanted = patterns.draw(state_of((1, SPLITS.index("test"), i)))
        found: list[list[float]] = []
        levels: dict[tuple[str, float], set[float]] = {}
        for label in ("Cat", "Dog"):
            for e in (e for e in s.events if e.label == label):
                assert e.source_time + e.event_duration <= lengths[e.source_file] + 1e-9
                end = e.event_time + e.event_duration
                if found and found[-1][0] == label and e.event_time < found[-1][2]:  # a chain
                    found[-1][2] = end
                else:
                    found.append([label, e.event_time, end])  # type: ignore[list-item]
                levels.setdefault((label, found[-1][1]), set()).add(e.snr)
        expected = sorted(wanted, key=lambda e: (e.label, e.onset))
        assert [f[0] for f in found] == [e.label for e in expected]
        assert np.allclose(
            [f[1:] for f in found], [[e.onset, e.offset] for e in expected], atol=1e-3
        )
        assert all(len(one) == 1 for one in levels.values())  # a chain has one level
        longest = max(longest, *(f[2] - f[1] for f in found))
    assert longest > 7  # though no recording lasts more than six seconds
    assert drawn(recipe, 3, patterns=patterns) == scenes[:3]
    with pytest.raises(DataError, match="patterns are given to a recipe without them"):
        drawn(patterns=patterns)
    with pytest.raises(DataError, match=r"patterns of 10 s clips, the task has 5"):
        drawn(recipe, 1, patterns=patterns, duration=5.0)
    with pytest.raises(DataError, match="'Dog' is not a class of the task"):
        drawn(recipe, 1, patterns=patterns, classes=("Cat",))


def test_generate_goes_through_the_folds(tmp_path: Path) -> None:
    (tmp_path / "patterns.json").write_text(json.dumps(PATTERNS))
    digest = hashlib.sha256((tmp_path / "patterns.json").read_bytes()).hexdigest()
    text = TOML.replace("ZERO", "0" * 64).replace("clips = 2", "clips = 6")
    text = text.replace("[truth]", "[folds]\ncount = 3\n\n[truth]")
    for key in ("event_counts", "event_duration", "event_time"):
        text = "".join(x for x in text.splitlines(keepends=True) if not x.startswith(key))
    patterns = f'patterns = "patterns.json"\npatterns_sha256 = "{digest}"\nbackgrounds'
    path = tmp_path / "task.toml"
    path.write_text(text.replace("backgrounds", patterns))
    (done,) = generate(path, Folded(), ["train"])
    scenes = load_task(path).clips("train")
    assert done.clips == len(scenes) == 6
    assert [s.id for s in scenes] == [f"train-{i:04d}" for i in range(6)]
    own = {r.id: r.fold for r in Folded().recordings()}
    for s in scenes:
        assert isinstance(s, Soundscape)
        assert {own[e.source_file] for e in s.events} == {s.fold}
    with pytest.raises(DataError, match="4 clips are not the same number in each of 3 folds"):
        generate(path, Folded(), ["train"], count=4)
    (tmp_path / "patterns.json").write_text("{}")
    with pytest.raises(HashMismatchError):
        generate(path, Folded(), ["train"])


def read(**values: object) -> Recipe:
    basic = {"snr": ["const", 6], "ref_db": ["const", -50], "backgrounds": ["rain"]}
    return read_recipe(Table(basic | values, "task.toml", KEYS, "soundscapes"))


def test_a_recipe_with_patterns_says_nothing_that_they_say() -> None:
    digest = "0f" * 32
    recipe = read(patterns="p.json", patterns_sha256=digest, max_polyphony=4)
    assert (recipe.patterns, recipe.patterns_sha256) == ("p.json", digest)
    assert recipe.event_counts == () and not recipe.balanced_labels
    for values, problem in (
        ({"event_counts": [1]}, "soundscapes.event_counts: the patterns say this"),
        ({"balanced_labels": True}, "soundscapes.balanced_labels: the patterns say this"),
        ({"patterns": "../p.json"}, "is no file beside the task's"),
        ({"patterns_sha256": "0f"}, "not 64 hexadecimal digits"),
        ({"patterns": ""}, "patterns_sha256: there are no patterns"),
    ):
        with pytest.raises(TaskFileError, match=problem):
            read(**({"patterns": "p.json", "patterns_sha256": digest} | values))
    with pytest.raises(TaskFileError, match="event_counts"):
        read()
