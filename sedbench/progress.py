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
