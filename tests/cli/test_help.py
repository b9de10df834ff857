"""Help, version, and what a light command may import."""

from __future__ import annotations

import click
import pytest

from sedbench import __version__
from sedbench.cli import VERBS, cli

HEAVY = "torch captum zennit shap pandas scipy sklearn scaper jams matplotlib pyloudnorm soundfile"


def walk(command: click.Command, path: tuple[str, ...] = ()):
    yield path, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            child = command.get_command(ctx, name)
            assert child is not None
            yield from walk(child, (*path, name))


COMMANDS = dict(walk(cli))


def test_without_arguments_it_prints_its_help(cli):
    bare, asked = cli(), cli("--help")
    assert bare.code == asked.code == 0
    assert bare.out == asked.out
    assert all(verb in bare.out for verb in VERBS)
    assert bare.err == ""


def test_version(cli):
    assert cli("--version") == (0, f"sedbench {__version__}\n", "")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_shows_an_example_first_and_explains_every_option(path, cli):
    answer = cli(*path, "--help")
    assert answer.code == 0 and answer.err == ""
    command = COMMANDS[path]
    text = answer.out
    assert text.index("    sedbench ") < text.index("Options:")
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, f"{param.opts} has no help"
            assert max(param.opts, key=len) in text
    assert max(map(len, text.splitlines())) <= 80


def test_light_commands_import_nothing_heavy(process):
    # All in one process: the first command that imports something heavy is named.
    script = f"""
import contextlib, io, sys
from sedbench.cli import VERBS, main

def light(*args):
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(list(args))
    assert code in (0, 1), (args, code)  # 1: doctor finds something
    found = set({HEAVY.split()!r}) & set(sys.modules)
    assert not found, (args, found)

light("--help")
assert not {{"rich", "numpy", "sedbench.cli.run", "sedbench.registry"}} & set(sys.modules)
light("--version")
for verb in VERBS:
    light(verb, "--help")
light("list")
light("list", "--json")
light("list", "--broken")
from sedbench import registry
installed = registry.registry()
assert installed.entries["methods"] and installed.entries["tasks"]
for kind, entries in installed.entries.items():
    for name in entries:
        light("show", name, "--kind", kind)
light("doctor")
light("env", "--json")
"""
    answer = process(program=("-c", script))
    assert answer.code == 0, answer.err
