"""``sedbench completion``: what a shell is told so that it completes verbs, options and names.

A shell asks by calling ``sedbench`` with ``_SEDBENCH_COMPLETE`` set, which is click's own way.
Names come from the registry, which imports no torch; behind an opening bracket come a method's
parameters. Nothing is printed but completions: whatever goes wrong completes to nothing.
"""

from __future__ import annotations

import contextlib
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from sedbench.cli.options import Word
from sedbench.registry import KINDS, Kind, Registry

VARIABLE = "_SEDBENCH_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
# What a parameter of a verb names, by what it is called there.
_NAMES: dict[str, tuple[Kind, ...]] = {
    "method": ("methods",),
    "methods": ("methods",),
    "rival": ("methods",),
    "task": ("tasks",),
    "model": ("models",),
    "models": ("models",),
    "metric": ("metrics",),
    "what": ("methods",),
    "name": tuple(KINDS),
}
_OF = {("fetch", "name"): ("soundbanks", "models"), ("new-plugin", "name"): ()}
_VARIANTS = {("train", "what")}


@click.command("completion")
@click.argument("shell", type=Word(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print what makes a shell complete verbs, options and names.

    \b
      sedbench completion bash >> ~/.bashrc
      sedbench completion zsh >> ~/.zshrc
      sedbench completion fish > ~/.config/fish/completions/sedbench.fish

    It takes effect in the next shell.
    """  # noqa: D301
    found = get_completion_class(shell)
    assert found is not None
    # The text alone: click would run bash first, to see its version.
    complete = found(ctx.find_root().command, {}, "sedbench", VARIABLE)
    click.echo(complete.source_template % complete.source_vars())
    return 0


def answer(cli: click.Command, instruction: str) -> int:
    """Do what a shell asks for: ``bash_source``, ``zsh_complete`` ..."""
    from click.shell_completion import shell_complete

    from sedbench.cli.streams import reserved_stdout

    lines = ""
    with contextlib.suppress(Exception):
        shell, _, what = instruction.partition("_")
        found = get_completion_class(shell)
        if found is not None and what == "complete":
            with reserved_stdout():
                lines = found(cli, {}, "sedbench", VARIABLE).complete()
        else:
            return int(shell_complete(cli, {}, "sedbench", VARIABLE, instruction))
    click.echo(lines)
    return 0


class Named(click.ParamType[str]):
    """A text that completes to registered names, and behind a bracket to parameters."""

    name = "text"

    def __init__(self, kinds: tuple[Kind, ...], variants: bool = False) -> None:
        self.kinds, self.variants = kinds, variants

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """List what begins as it was typed."""
        from sedbench.cli.streams import installed

        registry = installed()
        if "[" in incomplete:
            found = self._parameters(registry, incomplete)
        else:
            found = {
                name: registry.entries[kind][name].info.summary
                for kind in self.kinds
                for name in registry.names(kind)
            }
            if self.variants:
                found |= {v: "" for e in registry.entries["models"].values() for v in _of(e.info)}
        return [
            CompletionItem(name, help=about)
            for name, about in sorted(found.items())
            if name.startswith(incomplete)
        ]

    def _parameters(self, registry: Registry, incomplete: str) -> dict[str, str]:
        head, _, typed = incomplete.partition("[")
        before, comma, _ = typed.rpartition(",")
        start = f"{head}[{before}{comma}"
        for kind in self.kinds:
            entry = registry.entries[kind].get(head)
            if entry is not None:
                return {
                    each: param.help
                    for param in entry.info.params
                    for each in (
                        [f"{start}{param.name}={choice}" for choice in param.choices]
                        or [f"{start}{param.name}="]
                    )
                }
        return {}


def _of(info: Any) -> tuple[str, ...]:
    return tuple(info.variants)


def teach(command: click.Command) -> click.Command:
    """Let the parameters of a verb complete to names; only done while a shell asks."""
    for param in command.params:
        own = (command.name or "", param.name or "")
        kinds: Any = _OF.get(own, _NAMES.get(own[1]))
        if kinds and isinstance(param.type, click.types.StringParamType):
            param.type = Named(kinds, own in _VARIANTS)
    for each in getattr(command, "commands", {}).values():
        teach(each)
    return command
