"""Test clips a few at a time: every one once, with the model of its rotation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from sedbench import streamed
from sedbench.progress import Quiet
from sedbench.streamed import answered, batches
from sedbench.taskfile import load_task
from sedbench.tasks import Rotation, rotations


@dataclass
class Folded:
    """A task in folds of four clips, as far as it is asked."""

    rotations: tuple[Rotation, ...] = field(default_factory=lambda: rotations(3))

    def count(self, split: str, fold: int | None = None) -> int:
        return 4 if fold is not None else 12


@pytest.fixture
def clips(monkeypatch):
    """Rendered clips are their fold and their number there."""

    def iter_rendered(task, split, bank, *, fold=None, limit=None, jobs=1):
        yield from ((fold, number) for number in range(limit))

    monkeypatch.setattr(streamed, "iter_rendered", iter_rendered)


def walked(**options: Any) -> list[tuple[Any, tuple[Any, ...]]]:
    found = batches(Folded(), None, ("m0", "m1", "m2"), Quiet(), **options)
    return [(batch.model, batch.clips) for batch in found]


def test_no_batch_mixes_rotations(clips):
    assert walked(size=3) == [
        (f"m{fold}", tuple((fold, number) for number in numbers))
        for fold in range(3)
        for numbers in ((0, 1, 2), (3,))
    ]


def test_a_limit_counts_from_the_first_clip_of_the_index(clips):
    assert walked(size=8, limit=6) == [
        ("m0", ((0, 0), (0, 1), (0, 2), (0, 3))),
        ("m1", ((1, 0), (1, 1))),
    ]


def test_clips_are_those_of_the_index(world):
    task = load_task(world.task)
    found = list(batches(task, world.bank, (world.model(),), Quiet(), size=5))
    assert [len(batch.clips) for batch in found] == [5, 5, 2]
    ids = [clip.clip_id for batch in found for clip in batch.clips]
    assert ids == [clip.id for clip in task.clips("test")]


def test_only_a_few_jobs_are_made_ahead():
    made: list[int] = []

    def jobs():
        for number in range(100):
            made.append(number)
            yield number

    found = answered(abs, jobs(), 1)
    assert [next(found) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    assert len(made) <= 8
    assert [out for _, out in found] == list(range(3, 100))
