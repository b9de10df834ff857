"""Stdout is for the answer alone; progress, logs and whatever plugins print go to stderr.

A plugin that prints while it is imported or while it computes would spoil ``--json``, and
so would a worker process, which inherits the descriptor and knows nothing of ``sys.stdout``.
:func:`reserved_stdout` therefore turns both aside.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from sedbench.registry import Registry

_WIDE = 160


@contextlib.contextmanager
def reserved_stdout() -> Iterator[None]:
    """Send everything that is written to stdout within to stderr instead."""
    with contextlib.ExitStack() as stack:
        real = _descriptor()
        if real is not None:
            sys.stdout.flush()
            kept = os.dup(real)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, real)  # runs before the close: last in, first out
            os.dup2(2, real)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


def _descriptor() -> int | None:
    # Under a test's or a notebook's capture, sys.stdout is no descriptor of this process.
    try:
        return 1 if sys.stdout.fileno() == 1 and sys.stderr.fileno() == 2 else None
    except (OSError, ValueError, AttributeError):
        return None


def installed() -> Registry:
    """Load the registry without letting a plugin write to stdout."""
    from sedbench import registry

    with reserved_stdout():
        return registry.registry()


def out() -> Console:
    """Make the console for answers.

    On a terminal as wide as the terminal; else as ``COLUMNS`` says, or wide enough that a
    table that is written to a file loses no column.
    """
    from rich.console import Console

    class Answers(Console):
        def on_broken_pipe(self) -> None:  # by default it ends the program as if it had failed
            raise BrokenPipeError

    console = Answers(file=sys.stdout, highlight=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDE
    return console


def show(*renderables: RenderableType) -> None:
    """Print tables and text on stdout."""
    console = out()
    for renderable in renderables:
        console.print(renderable)


def write_json(value: Any) -> None:
    """Print one JSON value on stdout: full precision, no NaN."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a terminal or a pipe in a narrower encoding
        text = json.dumps(value, indent=2, allow_nan=False)
    sys.stdout.write(text + "\n")
