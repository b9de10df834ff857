"""Progress: bars where somebody looks, a line a stage elsewhere; stdout kept clean."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from sedbench.cli.progress import Bars
from sedbench.cli.streams import reserved_stdout, write_json
from sedbench.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_gets_one_line_a_stage_with_its_last_note(capsys):
    with Bars() as bars:
        progress: Progress = bars
        progress.start("train", 3)
        progress.note("epoch 1")
        progress.advance(2)
        progress.note("epoch 2")
        progress.advance()
        progress.start("score", 5)  # ends the stage before it
        progress.advance(4)
        progress.finish()
        progress.start("nothing to do", 0)
        progress.finish()
        progress.note("by the way")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("train: 3 of 3 in ") and lines[0].endswith(" s (epoch 2)")
    assert lines[1].startswith("score: 4 of 5 in ")
    assert lines[2:] == ["by the way"]


def test_a_terminal_gets_a_bar_and_loses_it_again(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with Bars() as bars:
        bars.start("score loudest[width=3]", 2)
        bars.advance(2)
        bars._live.refresh()  # the bar is drawn ten times a second by a thread
        bars.note("a note [bold]")
        bars.finish()
    text = stream.getvalue()
    assert "score loudest[width=3]" in text and "2/2" in text and "a note [bold]" in text
    assert text.rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in text  # the cursor is back


def test_an_error_is_not_reported_as_a_finished_stage(capsys):
    with pytest.raises(ValueError), Bars() as bars:
        bars.start("train", 3)
        raise ValueError
    assert capsys.readouterr().err == ""


def test_what_is_printed_inside_goes_to_stderr(capsys):
    with reserved_stdout():
        print("noise")
    print("answer")
    assert capsys.readouterr() == ("answer\n", "noise\n")


def test_child_processes_and_c_code_cannot_reach_stdout_either():
    script = """
import os, subprocess, sys
from sedbench.cli.streams import reserved_stdout
with reserved_stdout():
    os.write(1, b"from C\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"])
print("answer")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "answer\n"
    assert done.stderr == "from C\nfrom a child\n"


def test_stdout_comes_back_after_an_error(capsys):
    with pytest.raises(ValueError), reserved_stdout():
        raise ValueError
    print("answer")
    assert capsys.readouterr().out == "answer\n"


def test_json_never_holds_nan_and_fits_narrow_encodings(monkeypatch, capsys):
    with pytest.raises(ValueError):
        write_json({"value": float("nan")})
    capsys.readouterr()
    raw = io.BytesIO()
    narrow = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    write_json({"author": "Bolaños"})
    narrow.flush()
    assert json.loads(raw.getvalue()) == {"author": "Bolaños"}
