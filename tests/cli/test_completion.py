"""Shell completion: names from the registry, in every shell, without importing anything heavy."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from sedbench.cli import cli as group
from sedbench.cli import completion
from sedbench.registry import Source


@pytest.fixture
def complete(cli, monkeypatch, capsys):
    """What bash is told of a line that is being typed."""

    def words(line: str) -> list[str]:
        cli("--version")  # puts the made-up registry in place
        capsys.readouterr()
        monkeypatch.setenv("_SEDBENCH_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        assert completion.answer(group, "bash_complete") == 0
        return [found.partition(",")[2] for found in capsys.readouterr().out.split()]

    return words


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("sedbench sou", ["soundscapes"]),
        ("sedbench run -m ", ["loudest", "softest"]),
        ("sedbench run --method lo", ["loudest"]),
        ("sedbench run --model ", ["tiny-net"]),
        ("sedbench run --task ", []),
        ("sedbench show t", ["tiny-net"]),
        ("sedbench show ", ["closeness", "loudest", "made-bank", "softest", "tiny-net"]),
        ("sedbench test softest --kind me", ["methods", "metrics"]),
        ("sedbench fetch ", ["made-bank", "tiny-net"]),
        ("sedbench train f", ["framewise"]),
        ("sedbench soundscapes render --ta", ["--task"]),
        ("sedbench new-plugin lo", []),
    ],
)
def test_words_and_names(complete, line, wanted):
    assert complete(line) == wanted


def test_parameters_and_their_choices_follow_a_bracket(complete):
    assert complete("sedbench run -m loudest[") == [
        "loudest[mode=max",
        "loudest[mode=mean",
        "loudest[width=",
    ]
    assert complete("sedbench run -m loudest[width=2,mode=m") == [
        "loudest[width=2,mode=max",
        "loudest[width=2,mode=mean",
    ]
    assert complete("sedbench run -m nobody[") == []


def test_what_goes_wrong_completes_to_nothing(complete, monkeypatch):
    def fails():
        raise RuntimeError("oh")

    monkeypatch.setattr("sedbench.cli.streams.installed", fails)
    assert complete("sedbench run -m ") == []


def test_a_plugin_that_prints_spoils_no_completion(complete, broken):
    def prints():
        print("hello")
        raise SystemExit(0)

    broken.append(Source("loud", "acme", "1", prints))
    assert complete("sedbench run -m ") == ["loudest", "softest"]


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_shell_has_a_script_that_it_can_read(cli, shell, tmp_path):
    answer = cli("completion", shell)
    assert answer.code == 0 and "_SEDBENCH_COMPLETE" in answer.out and answer.err == ""
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(answer.out)
        done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert cli("completion", "tcsh").code == 2


def test_for_real_and_without_anything_heavy(process):
    script = """
import io, contextlib, sys
from sedbench.cli import main
found = io.StringIO()
with contextlib.redirect_stdout(found):
    assert main() == 0
names = [line.partition(",")[2] for line in found.getvalue().split()]
assert "ig" in names and "ig-study" in names, names
heavy = {"torch", "pandas", "scipy", "captum", "shap", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""
    answer = process(
        program=("-c", script),
        _SEDBENCH_COMPLETE="bash_complete",
        COMP_WORDS="sedbench run -m i",
        COMP_CWORD="3",
    )
    assert answer.code == 0, answer.err
