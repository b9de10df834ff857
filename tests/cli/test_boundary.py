"""What goes wrong becomes one message and an exit code, never a traceback."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import click
import pytest

from sedbench import errors
from sedbench.cli.errors import guarded
from sedbench.workers import shielded

INTERRUPTIBLE = """
import time
from pathlib import Path
from sedbench import hookimpl
from sedbench.types import SoundbankInfo

def build():
    Path("started").touch()
    time.sleep(60)

@hookimpl
def sedbench_register_soundbanks(register):
    register(SoundbankInfo("slow-bank", "takes for ever", fetch="sedbench fetch slow-bank"), build)
"""


def raising(error: BaseException) -> click.Command:
    def callback() -> None:
        raise error

    return click.Command("raising", callback=callback)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SedbenchError("it broke", "mend it"), 1),
        (errors.UsageError("it broke", "mend it"), 2),
        (errors.UnknownNameError("it broke", "mend it"), 2),
        (errors.TaskFileError("it broke", "mend it"), 2),
        (errors.BrokenPluginError("it broke", "mend it"), 3),
        (errors.DataError("it broke", "mend it"), 4),
        (errors.MissingDataError("it broke", "mend it"), 4),
        (errors.HashMismatchError("it broke", "mend it"), 4),
        (errors.NothingSelectedError("it broke", "mend it"), 5),
        (errors.NotApplicable("it broke", "mend it"), 1),
    ],
)
def test_deliberate_errors_carry_their_code(error, code, capsys):
    assert guarded(raising(error), []) == code
    assert capsys.readouterr() == ("", "error: it broke\nhint: mend it\n")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_or_read_only_disk_is_no_bug(number, capsys):
    error = OSError(number, "no more", "/some/where")
    assert guarded(raising(error), []) == 4
    err = capsys.readouterr().err
    assert err.startswith("error: cannot use /some/where: no more\nhint: make room")


@pytest.mark.parametrize("error", [RuntimeError("first\nsecond"), KeyError("x"), SystemExit(0)])
def test_the_unforeseen_is_one_line_and_where_to_report_it(error, capsys, monkeypatch):
    monkeypatch.delenv("SEDBENCH_TRACEBACK", raising=False)
    assert guarded(raising(error), []) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"error: unforeseen {type(error).__name__}")
    assert "report" in lines[1] and "SEDBENCH_TRACEBACK=1" in lines[1]


def test_a_traceback_is_shown_when_asked_for(capsys, monkeypatch):
    monkeypatch.setenv("SEDBENCH_TRACEBACK", "1")
    assert guarded(raising(errors.UsageError("it broke")), []) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err and err.endswith("error: it broke\n")


def test_an_interrupt_is_one_line(capsys):
    assert guarded(raising(KeyboardInterrupt()), []) == 130
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("interrupted")


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (("lst",), "unknown command 'lst'", "did you mean 'list'"),
        (("soundscapes", "rendr"), "unknown command 'rendr'", "did you mean 'render'?"),
        (("run", "--metod", "x"), "no such option: --metod", "did you mean --method"),
        (("--verson",), "no such option: --verson", "did you mean --version"),
        (("list", "metods"), "unknown value of KIND: 'metods'", "did you mean 'methods'"),
        (("list", "methods", "more"), "got unexpected extra argument (more)", "see sedbench list"),
        (("show",), "missing argument 'NAME'", "see sedbench show --help"),
        (("run", "--limit", "0"), "--limit must be at least 1, got 0", "see sedbench run --help"),
        (("run", "--limit", "many"), "--limit takes a whole number, got 'many'", "see"),
        (("run", "--seed", "-1"), "--seed must be at least 0, got -1", "see"),
        (("run", "--seed", str(2**31)), "--seed must be at most 2147483647", "see"),
        (("run", "--jobs", "0"), "--jobs must be at least 1, got 0", "see"),
        (("run", "--timeout", "0"), "--timeout takes a positive number of seconds", "see"),
        (("run", "--timeout", "nan"), "--timeout takes a positive number of seconds", "see"),
        (("run", "--device", "cud"), "unknown value of --device: 'cud'", "did you mean 'cuda'"),
        (("run", "--overwrite", "alway"), "unknown value of --overwrite", "'always'"),
        (("train", "x", "--seed", "-1"), "--seed must be at least 0, got -1", "see"),
        (("soundscapes", "render", "-t", "x", "--jobs", "0"), "--jobs must be at least 1", "see"),
    ],
)
def test_bad_usage_is_named_and_ends_with_2(args, message, hint, cli):
    answer = cli(*args)
    assert answer.code == 2
    assert answer.out == ""
    error, advice = answer.err.splitlines()
    assert error.startswith(f"error: {message}")
    assert advice.startswith("hint: ") and hint in advice


def test_ctrl_c_ends_a_real_process_with_130(process, package, tmp_path):
    path = package("slow_plugin", INTERRUPTIBLE)
    mark = tmp_path / "empty" / "started"
    answer = process("fetch", "slow-bank", path=path, interrupt_on=mark)
    assert answer.code == 130
    assert answer.out == ""
    assert answer.err.startswith("interrupted") and answer.err.count("\n") == 1


def test_a_reader_that_hangs_up_ends_it_quietly():
    writer = subprocess.Popen(
        [sys.executable, "-m", "sedbench", "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with writer:
        assert writer.stdout is not None and writer.stderr is not None
        writer.stdout.close()
        err = writer.stderr.read()
    assert (writer.returncode, err) == (141, "")


def test_ctrl_c_is_for_the_parent_alone():
    # A terminal sends it to every process of the group; workers leave it to who started them.
    script = "import time; time.sleep(0.3); print('finished')"
    with shielded():
        child = subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    with child:
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=30) == ("finished\n", "")


def test_ctrl_c_during_the_shield_is_not_lost():
    with pytest.raises(KeyboardInterrupt), shielded():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
