"""Options that verbs share, and values of options: numbers with bounds, closed lists of words.

Messages about values name the option, the bound and the value, and a word that is not in its list
gets "did you mean".
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from sedbench.errors import UnknownNameError, UsageError

MAX_SEED = 2**31 - 1  # what every generator in use takes


class Whole(click.ParamType[int]):
    """A whole number of at least ``minimum``."""

    name = "integer"

    def __init__(self, minimum: int, maximum: int | None = None) -> None:
        self.minimum, self.maximum = minimum, maximum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        option = _option(param)
        try:
            number = int(value)
        except ValueError:
            raise UsageError(f"{option} takes a whole number, got {value!r}", _see(ctx)) from None
        if number < self.minimum:
            raise UsageError(f"{option} must be at least {self.minimum}, got {number}", _see(ctx))
        if self.maximum is not None and number > self.maximum:
            raise UsageError(f"{option} must be at most {self.maximum}, got {number}", _see(ctx))
        return number


class Numbers(click.ParamType[tuple[int, ...]]):
    """Seeds with commas between them, each one once."""

    name = "seeds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read the numbers."""
        parts = [part for part in str(value).split(",") if part.strip()]
        if not parts:
            raise UsageError(f"{_option(param)} takes numbers like 0,1,2", _see(ctx))
        return tuple(dict.fromkeys(SEED.convert(part, param, ctx) for part in parts))


class Seconds(click.ParamType[float]):
    """A positive, finite number of seconds."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number > 0):
            raise UsageError(
                f"{_option(param)} takes a positive number of seconds, got {value!r}", _see(ctx)
            )
        return number


class Word(click.Choice[str]):
    """One of a few words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the word."""
        if value not in self.choices:
            raise UnknownNameError.of(f"value of {_option(param)}:", str(value), self.choices)
        return str(value)


BY = ("class", "polyphony", "duration", "snr", "condition")
"""Ways of sorting pairs, see :mod:`sedbench.protocol.strata`."""

SEED = Whole(0, MAX_SEED)
COUNT = Whole(1)

# What means the same wherever it stands. A verb that takes something else writes its own.
TASK = click.option("-t", "--task", metavar="TASK", help="The default task unless given.")
MODEL = click.option(
    "--model",
    metavar="NAME[PARAM=VALUE,...]",
    help="The classifier explained.  [default: the task's]",
)
METHOD_SEED = click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Of stochastic methods."
)
DEVICE = click.option(
    "--device",
    type=Word(("auto", "cpu", "cuda")),
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda",
    help="Where networks run.",
)
LIMIT = click.option("--limit", type=COUNT, metavar="N", help="Only the first N test clips.")
JOBS = click.option("--jobs", type=COUNT, metavar="J", help="Processes.  [default: one a core]")
RESULTS = click.option(
    "--results",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Your own results.  [default: SEDBENCH_RESULTS, or ./sedbench-results]",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


def _option(param: click.Parameter | None) -> str:
    if param is None:
        return "this option"
    return param.opts[-1] if isinstance(param, click.Option) else (param.name or "").upper()


def _see(ctx: click.Context | None) -> str:
    return f"see {ctx.command_path} --help" if ctx else ""
