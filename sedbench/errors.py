"""Every error that sedbench raises on purpose.

    SedbenchError                exit code 1: a cell failed, or something else that was understood
    |- UsageError                2: an option, a parameter or a value that cannot be
    |  |- UnknownNameError       2: no such method, model, task ... ("did you mean")
    |  `- TaskFileError          2: a task file that cannot be read as one
    |- BrokenPluginError         3: a requested plugin did not load
    |- DataError                 4: data that is missing, unreadable or not what it should be
    |  |- MissingDataError       4: something has to be fetched first
    |  `- HashMismatchError      4: a file is not the file that was recorded
    |- NothingSelectedError      5: the selection is empty
    `- NotApplicable             no exit code of its own: a method does not apply to a model

An error carries what was wrong (``message``), what to do next (``hint``) and the
exit code of the command line. It is raised where it is understood and printed once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class SedbenchError(Exception):
    """Base of every deliberate error.

    Parameters
    ----------
    message : str
        What was wrong and where, with the offending value.
    hint : str, optional
        What to do next, as a sentence or a command line.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)  # both, so that the error survives a process boundary
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(SedbenchError):
    """An option, parameter or value that cannot be."""

    exit_code: ClassVar[int] = 2


class UnknownNameError(UsageError):
    """A name that nothing answers to."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
        """Build the error, with the nearest known names as its hint."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            hint = "did you mean " + " or ".join(repr(n) for n in near) + "?"
        elif names:
            hint = f"known: {', '.join(names)}"
        else:
            hint = "none is installed"
        return cls(f"unknown {kind} {name!r}", hint)


class TaskFileError(UsageError):
    """A task file that cannot be read as one."""


class BrokenPluginError(SedbenchError):
    """A plugin that was asked for did not load."""

    exit_code: ClassVar[int] = 3


class DataError(SedbenchError):
    """Data that is missing, unreadable or not what it should be."""

    exit_code: ClassVar[int] = 4


class MissingDataError(DataError):
    """Something has to be fetched, or made, first."""


class HashMismatchError(DataError):
    """A file is not the file that was recorded."""


class NothingSelectedError(SedbenchError):
    """The selection is empty."""

    exit_code: ClassVar[int] = 5


class NotApplicable(SedbenchError):  # noqa: N818 - an answer, not a fault
    """A method does not apply to this model; the message is the reason."""
