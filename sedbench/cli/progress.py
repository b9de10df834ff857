"""How far a long job has come, on stderr.

A terminal gets one bar per stage. Anything else (a log file, a CI job) gets one line per
stage when the stage ends, with the last of its notes, so that a log stays readable.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sedbench.cli.errors import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bars:
    """The runner's progress for people: bars on a terminal, lines elsewhere.

    Use it as a context manager, so that the cursor is given back whatever happens.
    """

    def __init__(self) -> None:
        self._live: Progress | None = None
        self._task: TaskID | None = None
        self._stage: str | None = None
        self._done = self._total = 0
        self._unit = ""
        self._started = 0.0
        self._note = ""

    def __enter__(self) -> Self:
        from rich.console import Console

        # Not sys.stderr itself: stdout may be redirected to it while plugins compute.
        console = Console(file=sys.stderr, highlight=False)
        if console.is_terminal:
            from rich.progress import (
                BarColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )

            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[count]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        if self._live is not None:
            self._live.stop()

    def start(self, stage: str, total: int, unit: str = "") -> None:
        """Begin a stage of ``total`` steps, or bytes ("B"); a stage that is still open ends."""
        self.finish()
        self._stage, self._total, self._done, self._unit = stage, total, 0, unit
        self._started = time.monotonic()
        if self._live is not None:
            # rich reads "[...]" as markup, and specs have brackets.
            label = stage.replace("[", r"\[")
            self._task = self._live.add_task(label, total=total or None, count=self._count("/"))

    def advance(self, n: int = 1) -> None:
        """Say that ``n`` further steps are done."""
        self._done += n
        if self._live is not None and self._task is not None:
            self._live.update(self._task, advance=n, count=self._count("/"))

    def finish(self) -> None:
        """End the stage."""
        if self._stage is None:
            return
        seconds = time.monotonic() - self._started
        if self._live is not None and self._task is not None:
            self._live.remove_task(self._task)
        elif self._done or self._note:
            note = f" ({self._note})" if self._note else ""
            say(f"{self._stage}: {self._count(' of ')} in {seconds:.1f} s{note}")
        self._stage, self._task, self._note = None, None, ""

    def _count(self, of: str) -> str:
        if self._unit != "B":
            return f"{self._done}{of}{self._total}"
        whole = f"{of}{self._total / 1e6:.1f}" if self._total else ""
        return f"{self._done / 1e6:.1f}{whole} MB"

    def note(self, text: str) -> None:
        """Say something that is worth a line."""
        if self._live is not None:
            self._live.console.print(text, markup=False)
        elif self._stage is not None:
            self._note = text
        else:
            say(text)
