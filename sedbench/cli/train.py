"""``sedbench train``: a classifier, a framewise detector, or a method that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sedbench.cli.errors import say
from sedbench.cli.options import COUNT, SEED, Word
from sedbench.cli.streams import reserved_stdout


@click.command("train")
@click.argument("what")
@click.option(
    "-t", "--task", metavar="TASK", help="What to learn from; the default task unless given."
)
@click.option("--model", metavar="NAME", help="The family.  [default: the task's]")
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Of the weights, and their number."
)
@click.option(
    "--fold",
    type=click.IntRange(min=0),
    metavar="K",
    help="One rotation of a task in folds.  [default: every one in turn]",
)
@click.option(
    "--device",
    type=Word(("auto", "cpu", "cuda")),
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda",
    help="Where the network is trained.",
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file; what it says goes before the model's own recipe.",
)
@click.option("--jobs", type=COUNT, metavar="J", help="Processes that render the clips.")
@click.option(
    "--resume/--fresh",
    default=True,
    help="Go on from the last finished epoch, which is the default, or start anew.",
)
def command(what: str, resume: bool, fold: int | None, **options: Any) -> int:
    """Train a classifier, a framewise detector, or a method on top of a classifier.

    \b
      sedbench show MODEL              what can be trained, and what has been
      sedbench train classifier --task TASK --seed 3
      sedbench train VARIANT --model MODEL --task TASK --resume
      sedbench train VARIANT --recipe mine.toml
      sedbench train 'DETECTOR[param=value]'
      sedbench train METHOD --model MODEL --task TASK --seed 3

    WHAT is one of the model's variants, the detector that reads it, or a method that learns.
    The weights land in the data folder and are used from there with --model 'MODEL[seed=3]';
    shipped weights are never replaced. Beside them, NAME.log.jsonl has loss and scores of every
    epoch as soon as it is over. An interrupted training goes on from its last epoch.
    """  # noqa: D301
    from sedbench.cli.progress import Bars

    with Bars() as progress, reserved_stdout():
        from sedbench import learn

        folds = learn.folds(options["task"]) if fold is None else (fold,)
        trained = [
            learn.train(what, resume=resume, progress=progress, fold=k, **options) for k in folds
        ]
    for one in trained:
        for name, value in one.card["validation"].items():
            click.echo(f"validation {name}: {value:.3f}")
        click.echo(str(one.path))
        if one.journal is not None:
            say(f"every epoch: {one.journal}")
        if one.shipped is not None:
            say("the shipped weights of this seed stay in use; their validation scores:")
            for name, value in one.shipped["validation"].items():
                say(f"  {name}: {value:.3f}")
    return 0
