"""Patterns: what is drawn has the statistics that it is drawn from; files are checked."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sedbench_tasks
from sedbench.data.patterns import Patterns, read_patterns
from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.types import Event

SHIPPED = Path(sedbench_tasks.__file__).parent / "domestic_real_natural" / "patterns.json"
TARGET = json.loads(SHIPPED.read_text(encoding="utf-8"))
CLIPS = 500


@pytest.fixture(scope="module")
def shipped() -> Patterns:
    return read_patterns(SHIPPED)


def clips(patterns: Patterns, count: int) -> list[tuple[Event, ...]]:
    return [patterns.draw(np.random.RandomState(i)) for i in range(count)]


@pytest.fixture(scope="module")
def drawn(shipped: Patterns) -> list[tuple[Event, ...]]:
    return clips(shipped, CLIPS)


def test_a_state_gives_the_same_clip(shipped: Patterns, drawn: Sequence[Sequence[Event]]) -> None:
    assert shipped.draw(np.random.RandomState(7)) == drawn[7] != drawn[8]


def test_events_lie_in_the_clip_and_do_not_overlap_their_own_class(
    drawn: Sequence[Sequence[Event]],
) -> None:
    for events in drawn:
        assert events and list(events) == sorted(events)
        for label in {e.label for e in events}:
            series = [e for e in events if e.label == label]
            assert series[0].onset >= 0 and series[-1].offset <= 10.0
            assert all(b.onset - a.offset >= 0.14 for a, b in pairwise(series))  # least gap: 0.15


def shares(counts: dict[Any, float]) -> dict[str, float]:
    return {str(k): v / sum(counts.values()) for k, v in counts.items()}


def test_classes_and_their_company_are_as_frequent_as_in_the_annotations(
    drawn: Sequence[Sequence[Event]],
) -> None:
    """Three standard errors of a share in 500 clips are at most .067."""
    sets = [tuple(sorted({e.label for e in events})) for events in drawn]
    found = shares(Counter(len(s) for s in sets))
    for number, share in shares(TARGET["classes_in_a_clip"]).items():
        assert found.get(number, 0) == pytest.approx(share, abs=0.067)
    for label, pattern in TARGET["classes"].items():
        share = pattern["clips"] / TARGET["clips"]
        assert np.mean([label in s for s in sets]) == pytest.approx(share, abs=0.067)
    for pair, count in TARGET["pairs_of_classes"].items():
        together = np.mean([set(pair.split("+")) <= set(s) for s in sets])
        assert together == pytest.approx(count / TARGET["clips"], abs=0.05)


def test_numbers_durations_and_onsets_are_those_of_the_annotations(shipped: Patterns) -> None:
    """Over 3000 clips, so that what is left is the method's own deviation.

    A long series that does not fit is drawn again, so active shares come out a little low.
    """
    many = clips(shipped, 3000)
    for label, pattern in TARGET["classes"].items():
        series = [[e for e in events if e.label == label] for events in many]
        series = [s for s in series if s]
        counted = sum(int(n) * k for n, k in pattern["events"].items()) / pattern["clips"]
        assert np.mean([len(s) for s in series]) == pytest.approx(counted, rel=0.12)
        active = np.mean([sum(e.offset - e.onset for e in s) / 10 for s in series])
        assert -0.08 < active - pattern["active_share"] < 0.03, label
        levels = np.linspace(0, 1, 21)[1:-1]
        for key, tolerance in (("durations", 0.35), ("onsets", 0.6)):
            values = [
                e.offset - e.onset if key == "durations" else e.onset for s in series for e in s
            ]
            distance = np.abs(np.quantile(values, levels) - pattern[key][1:-1]).mean()
            assert distance < tolerance, (label, key)


def test_the_shipped_file_holds_statistics_and_no_annotation() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert ".wav" not in text and len(text) < 20_000
    assert sum(TARGET["combinations"].values()) == TARGET["clips"]
    for label, pattern in TARGET["classes"].items():
        assert sum(pattern["events"].values()) == pattern["clips"]
        holding = sum(n for c, n in TARGET["combinations"].items() if label in c.split("+"))
        assert holding == pattern["clips"]
        for one in pattern["ranges"]:
            assert {len(one[key]) for key in ("durations", "leads")} == {21}


def test_the_shipped_file_says_what_the_annotations_say() -> None:
    path = (
        Path(os.environ.get("SEDBENCH_SHARED", "../shared")) / "annotations/desed/public_eval.tsv"
    )
    if not path.is_file():
        pytest.skip(f"the annotations of DESED are not at {path}")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == TARGET["source_sha256"]
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["event_label"]]
    files = {(row["filename"], row["event_label"]) for row in rows}
    for label, pattern in TARGET["classes"].items():
        assert sum(name == label for _, name in files) == pattern["clips"]
        long = [float(r["offset"]) - float(r["onset"]) for r in rows if r["event_label"] == label]
        assert np.median(long) == pytest.approx(pattern["durations"][10], abs=0.01)


def tiny(**changes: Any) -> dict[str, Any]:
    one = {"from": 1, "durations": [1.0, 1.0], "gaps": [], "leads": [0.5, 0.5]}
    two = {"from": 2, "durations": [1.0, 2.0], "gaps": [0.5, 0.5], "leads": [0.0, 0.0]}
    return {
        "duration": 4.0,
        "combinations": {"Cat": 1},
        "classes": {"Cat": {"events": {"2": 1, "1": 3}, "ranges": [one, two]}},
    } | changes


def write(folder: Path, values: Any) -> Path:
    path = folder / "patterns.json"
    path.write_text(json.dumps(values))
    return path


def test_a_series_is_placed_by_its_lead(tmp_path: Path) -> None:
    patterns = read_patterns(write(tmp_path, tiny()))
    assert patterns.classes["Cat"].counts == (1, 2)
    assert patterns.classes["Cat"].weights == (0.75, 0.25)
    seen = clips(patterns, 60)
    assert {events for events in seen if len(events) == 1} == {(Event(1.5, 2.5, "Cat"),)}
    pairs = [events for events in seen if len(events) == 2]
    assert len(pairs) > 5
    for first, second in pairs:  # the pair fills 2.5 to 4 s, and starts with the clip
        assert first.onset == 0 and second.offset <= 4.0
        assert second.onset - first.offset == pytest.approx(0.5, abs=2e-4)


def test_what_cannot_fit_loses_events_and_then_its_length(tmp_path: Path) -> None:
    values = tiny()
    values["classes"]["Cat"]["events"] = {"9": 1}
    assert all(1 <= len(e) <= 2 for e in clips(read_patterns(write(tmp_path, values)), 5))
    values["classes"]["Cat"]["ranges"] = [
        {"from": 1, "durations": [5, 6], "gaps": [1, 1], "leads": [0, 1]}
    ]
    assert clips(read_patterns(write(tmp_path, values)), 1) == [(Event(0.0, 4.0, "Cat"),)]


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(values: Any) -> None:
        *way, last = path.split("/")
        for key in way:
            values = values[int(key) if key.isdigit() else key]
        if value is None:
            del values[last]
        else:
            values[last] = value

    return apply


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (change("duration", None), "duration: is missing"),
        (change("duration", True), "duration: expected numbers"),
        (change("combinations", {}), "combinations: expected a table"),
        (change("combinations", {"Cow": 1}), "no pattern of 'Cow'"),
        (change("combinations", {"Cat+Cat": 1}), "stands twice"),
        (change("combinations", {"Cat": 0}), "combinations: expected numbers"),
        (change("classes/Cat/events", {"x": 1}), "'x' is no number of events"),
        (change("classes/Cat/ranges", []), r"classes.Cat.ranges: expected an array"),
        (change("classes/Cat/ranges/0/from", 2), "expected to begin at 1"),
        (change("classes/Cat/ranges/1/from", None), r"classes.Cat.ranges\[1\].from: is missing"),
        (change("classes/Cat/ranges/1/gaps", []), "gaps are missing from 2 events on"),
        (change("classes/Cat/ranges/0/leads", [0, 1.5]), "leads: expected numbers"),
        (change("classes/Cat/ranges/0/durations", [2, 1]), "expected quantiles, ascending"),
        (change("classes/Cat/ranges/0/durations", [0, 1]), "durations: expected numbers"),
    ],
)
def test_files_that_cannot_be(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], problem: str
) -> None:
    values = tiny()
    edit(values)
    with pytest.raises(DataError, match=problem):
        read_patterns(write(tmp_path, values))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, tiny())
    read_patterns(path, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(HashMismatchError, match="the task records 00000000"):
        read_patterns(path, "0" * 64)
    with pytest.raises(MissingDataError, match="missing"):
        read_patterns(tmp_path / "none.json")
    path.write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        read_patterns(path)
