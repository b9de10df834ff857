"""The boundary: whatever goes wrong becomes one message on stderr and an exit code.

    error: unknown method 'rendom'
    hint: did you mean 'random'?

Deliberate errors carry their code (see :mod:`sedbench.errors`). Anything unforeseen is a
bug: it is named in one line, with where to report it, and the code is 1. A traceback is
printed only with ``SEDBENCH_TRACEBACK=1``. A reader that hangs up (``sedbench list | head``)
ends the program quietly with 141, as SIGPIPE does to any other; Ctrl-C gives 130.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import sys
from collections.abc import Sequence

import click

from sedbench.errors import SedbenchError

INTERRUPTED = 130
BROKEN_PIPE = 141
_STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


def guarded(command: click.Command, args: Sequence[str] | None = None) -> int:
    """Run a click command and return the exit code, whatever happens."""
    code = 1
    try:
        code = _invoke(command, list(sys.argv[1:] if args is None else args))
        sys.stdout.flush()  # a closed pipe shows here, not in the interpreter's last breath
    except BrokenPipeError:
        code = BROKEN_PIPE
    except KeyboardInterrupt:
        _trace()
        say("interrupted: the same command again goes on from here")
        code = INTERRUPTED
    except BaseException as error:
        # SystemExit included: only a plugin would raise it, and it must not end the run with 0.
        code = _explain(error)
    if code == BROKEN_PIPE:
        _mute_stdout()
    return code


def _invoke(command: click.Command, args: list[str]) -> int:
    # Not command.main(): it prints and exits by itself, in another form than ours.
    try:
        with command.make_context("sedbench", args) as ctx:
            value = command.invoke(ctx)
    except click.exceptions.Exit as done:  # --help, --version
        return done.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    return value if isinstance(value, int) else 0


def _explain(error: BaseException) -> int:
    _trace()
    if isinstance(error, SedbenchError):
        return report(error.message, error.hint, error.exit_code)
    if isinstance(error, click.ClickException):
        return report(_sentence(error), _click_hint(error), error.exit_code)
    if isinstance(error, OSError) and error.errno in _STORAGE:
        where = f" {error.filename}" if error.filename else ""
        return report(
            f"cannot use{where}: {error.strerror}",
            "make room, or name another folder with SEDBENCH_CACHE, SEDBENCH_DATA or --output",
            4,
        )
    if isinstance(error, MemoryError):
        return report("not enough memory", "try --jobs 1, or close other programs")
    text = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return report(
        f"unforeseen {text}",
        f"please report it{_where()} with what SEDBENCH_TRACEBACK=1 and `sedbench env` print",
    )


def report(message: str, hint: str = "", code: int = 1) -> int:
    """Print ``error: ...`` and ``hint: ...`` on stderr; return the exit code."""
    say(f"error: {message}")
    if hint:
        say(f"hint: {hint}")
    return code


def say(line: str) -> None:
    """Print a line on stderr, or not at all where nobody can read it."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(line, err=True)


def _trace() -> None:
    if os.environ.get("SEDBENCH_TRACEBACK", "") not in ("", "0"):
        import traceback

        traceback.print_exc()


def _sentence(error: click.ClickException) -> str:
    text = error.format_message().strip().rstrip(".")
    if isinstance(error, click.NoSuchOption):
        text = f"no such option: {error.option_name}"
    return text[:1].lower() + text[1:]


def _click_hint(error: click.ClickException) -> str:
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    path = ctx.command_path if ctx else "sedbench"
    if isinstance(error, click.NoSuchOption) and ctx:
        known = [o for p in ctx.command.get_params(ctx) for o in (*p.opts, *p.secondary_opts)]
        near = difflib.get_close_matches(error.option_name, known, n=2, cutoff=0.6)
        if near:
            return f"did you mean {' or '.join(near)}? see {path} --help"
    return f"see {path} --help"


def _where() -> str:
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        links = metadata("sedbench").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    for link in links:
        label, _, url = link.partition(", ")
        if label.lower() in ("issues", "bug tracker", "tracker"):
            return f" at {url}"
    return ""


def _mute_stdout() -> None:
    # The interpreter flushes stdout once more when it ends; let that go nowhere.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
