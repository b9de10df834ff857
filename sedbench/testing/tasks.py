"""The contract of a task: its file can be read, its indices are frozen, its splits share nobody."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from sedbench.data.soundscape import Soundscape
from sedbench.errors import SedbenchError
from sedbench.metrics import METRICS_VERSION
from sedbench.spec import NAME
from sedbench.taskfile import load_task
from sedbench.tasks import TaskSpec
from sedbench.testing.checks import Broken, Contract, Skipped, check, need
from sedbench.types import SPLITS, Split, TaskInfo


class TaskContract(Contract):
    """Every check of a task; see :func:`sedbench.testing.task_contract`."""

    kind = "task"

    def __init__(self, info: TaskInfo, factory: Callable[..., Any]) -> None:
        self.info, self.factory = info, factory
        super().__init__(info.name)

    @cached_property
    def spec(self) -> TaskSpec:
        """The task as its file says."""
        return load_task(Path(self.factory()))

    def _frozen(self) -> list[Split]:
        if not self.spec.frozen:
            raise Skipped(f"it ships without indices: {self.spec.drawing}")
        return [split for split in SPLITS if split in self.spec.splits]

    @check("its metadata is whole")
    def declared(self) -> None:
        """Name and summary."""
        info = self.info
        need(NAME.match(info.name) is not None, f"{info.name!r} is no name")
        need(bool(info.summary.strip()) and "\n" not in info.summary, "the summary is one line")

    @check("its factory returns the path of a task file that can be read")
    def file(self) -> None:
        """Read it; every key is known."""
        path = Path(self.factory())
        need(path.is_file(), f"{path} is no file")
        need(self.spec.name == self.info.name, f"its file calls it {self.spec.name!r}")

    @check("it says why it is there, and under which licence", "file")
    def reason(self) -> None:
        """Prose that nobody can do without."""
        for name in ("title", "summary", "reason", "licence"):
            need(bool(str(getattr(self.spec, name)).strip()), f"{name} is empty")

    @check("classes are named once, and there is something to test and to choose on", "file")
    def splits(self) -> None:
        """Classes, and the splits test and validation."""
        spec = self.spec
        need(len(set(spec.classes)) == len(spec.classes) > 0, "classes are named once, and some")
        # Folds of one split take turns at being tested, chosen on and learnt from.
        wanted = {"test"} if spec.folds else {"test", "validation"}
        missing = wanted - set(spec.splits)
        need(not missing, f"it has no {' and no '.join(sorted(missing))} split")

    @check("its fingerprint does not change from one reading to the next", "file")
    def fingerprint(self) -> None:
        """Read it twice."""
        again = load_task(Path(self.factory()))
        one, two = (each.fingerprint(METRICS_VERSION) for each in (self.spec, again))
        need(one == two, "read twice, it has two fingerprints")

    @check("its frozen indices are those that were recorded, and as long as they say", "splits")
    def indices(self) -> None:
        """Read every index."""
        for split in self._frozen():
            try:
                clips = self.spec.clips(split)
            except SedbenchError as error:
                raise Broken(f"{split}: {error.message}") from error
            need(
                len(clips) == self.spec.count(split),
                f"{split}: {len(clips)} clips, and {self.spec.count(split)} are declared",
            )
            need(len({clip.id for clip in clips}) == len(clips), f"{split}: an id stands twice")

    @check("every event is of one of its classes, and within its clip", "indices")
    def events(self) -> None:
        """Read every soundscape."""
        for split in self._frozen():
            for clip in self.spec.clips(split):
                if not isinstance(clip, Soundscape):
                    raise Skipped("its clips are cut from annotated recordings")
                for event in clip.events:
                    where = f"{split} {clip.id}, {event.label} at {event.event_time:g} s"
                    need(event.label in self.spec.classes, f"{where} is no class of it")
                    need(
                        0 <= event.event_time < self.spec.duration,
                        f"{where} is not within {self.spec.duration:g} s",
                    )

    @check("no recording is in two splits", "indices")
    def apart(self) -> None:
        """Foregrounds of a task that is not in folds; folds keep their recordings apart."""
        if self.spec.folds:
            raise Skipped("it is in folds: splits take turns")
        used: dict[str, str] = {}
        for split in self._frozen():
            for clip in self.spec.clips(split):
                if not isinstance(clip, Soundscape):
                    raise Skipped("its clips are cut from annotated recordings")
                for event in clip.events:
                    before = used.setdefault(event.source_file, split)
                    need(before == split, f"{event.source_file} is in {before} and in {split}")
