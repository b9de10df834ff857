"""How far a long job is: whoever runs it tells, whoever watches draws."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """How far it is; the command line draws it."""

    def start(self, stage: str, total: int) -> None:
        """Begin a stage of ``total`` steps."""

    def advance(self, n: int = 1) -> None:
        """Go on by ``n`` steps."""

    def finish(self) -> None:
        """End the stage."""

    def note(self, text: str) -> None:
        """Say something once."""


class Steps:
    """Turns "so many are done" into steps of a progress.

    Parameters
    ----------
    progress : Progress
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0

    def __call__(self, done: int) -> None:
        """So many are done by now."""
        self._progress.advance(done - self._done)
        self._done = done


class Quiet:
    """A progress that shows nothing."""

    def start(self, stage: str, total: int) -> None:
        """Do nothing."""

    def advance(self, n: int = 1) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
