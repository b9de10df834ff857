"""``sedbench faithfulness``: the frames that methods found are masked, the classifier is asked."""

from __future__ import annotations

from typing import Any

import click

from sedbench.cli.options import (
    BY,
    COUNT,
    DEVICE,
    JOBS,
    JSON,
    LIMIT,
    MODEL,
    RESULTS,
    SEED,
    TASK,
    Word,
)
from sedbench.cli.streams import installed, out, reserved_stdout, write_json
from sedbench.errors import NothingSelectedError, UnknownNameError, UsageError


@click.command("faithfulness")
@click.argument("methods", nargs=-1, metavar="METHOD...")
@TASK
@MODEL
@click.option(
    "--fractions",
    metavar="F,F,...",
    help="Shares of frames that are masked, or shown.  [default: 0.1 to 0.9]",
)
@click.option(
    "--content",
    metavar="WHAT,...",
    help="What stands for the masked: silence, mean, noise.  [default: all]",
)
@click.option(
    "--unit",
    type=Word(("probability", "logit")),
    default="probability",
    show_default=True,
    metavar="probability|logit",
    help="What the table is about; --json has both.",
)
@click.option("--by-fraction", is_flag=True, help="Show the curves in place of their areas.")
@click.option(
    "--by",
    type=Word(BY),
    metavar="|".join(BY),
    help="Some pairs apart as well.",
)
@click.option(
    "--draws", type=COUNT, default=5, show_default=True, help="Random orders to compare with."
)
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Of stochastic methods, and of draws."
)
@LIMIT
@JOBS
@DEVICE
@RESULTS
@JSON
def command(  # noqa: PLR0917 - one option each
    methods: tuple[str, ...],
    fractions: str | None,
    content: str | None,
    unit: Any,
    by_fraction: bool,
    by: str | None,
    draws: int,
    limit: int | None,
    jobs: int | None,
    device: str,
    as_json: bool,
    **where: Any,
) -> int:
    """Mask the frames that methods point at, and ask the classifier.

    \b
      sedbench faithfulness NAME OTHER --limit 40
      sedbench faithfulness mine.json --content silence
      sedbench faithfulness NAME --fractions 0.05,0.1,0.2,0.5 --by-fraction
      sedbench faithfulness NAME OTHER --content silence --by class

    A METHOD is a name, the file of a result, or 'all'. Results are looked for
    among your own, then on the board that ships; no method is run again. Every
    figure stands beside that of a random order of the frames, and every method
    is compared with the first.
    """  # noqa: D301
    if not methods:
        raise NothingSelectedError(
            "no method was named", "sedbench faithfulness NAME; `sedbench list methods` has names"
        )
    if by and by_fraction:
        raise UsageError(f"--by {by} and --by-fraction are two tables", "ask for one of them")
    shares = _shares(fractions)
    contents = _contents(content)
    with reserved_stdout():
        from sedbench.cli.progress import Bars
        from sedbench.cli.stored import measured, strata_of
        from sedbench.contenders import identical, primary_truth
        from sedbench.faithfulness import CONTENTS, SHARES, Masking, pass_masked
        from sedbench.lookup import find_bank, find_models
        from sedbench.protocol.faithfulness import UNITS, read
        from sedbench.protocol.faithfulness_parts import read_parts
        from sedbench.stats import RESAMPLES
        from sedbench.workers import default_jobs

        known = installed()
        place, found = measured(
            methods,
            where["task"],
            where["model"],
            known,
            seed=where["seed"],
            folder=where["folder"],
        )
        truth = primary_truth(found[0].result)
        strata_of(found[0].test.table, by, truth, place.task)  # refused now, not when all is done
        masking = Masking(shares or SHARES, contents or CONTENTS, draws, where["seed"])
        with Bars() as bars:
            passed = pass_masked(
                found,
                place.task,
                find_bank(place.task, known).factory,
                find_models(place.model, place.task, known, device=device),
                masking,
                limit=limit,
                jobs=jobs or default_jobs(),
                progress=bars,
            )
        answered = passed.answered
        same = identical([[each] for each in found])
        readings = {
            each: [
                read(answered, number, each, passed.resampling, RESAMPLES, same=same)
                for number in range(len(answered.contents))
            ]
            for each in (UNITS if as_json else (unit,))
        }
        strata = strata_of(passed.table, by, truth, place.task)
        parts = {
            each: read_parts(
                answered, passed.table, passed.rows, strata, unit=each, resamples=RESAMPLES
            )
            for each in readings
        }
    from sedbench.report.faithfulness import payload, tables
    from sedbench.report.faithfulness_parts import parts_payload

    first = found[0].result
    head = {
        "task": first.task,
        "task_version": first.task_version,
        "model": first.model,
        "domain": passed.domain,
        "shares": answered.shares.tolist(),
        "draws": draws,
        "seed": where["seed"],
        "limited": limit if limit is not None else first.limited,
        "n_pairs": len(answered.whole),
        "n_clips": passed.n_clips,
        "n_groups": passed.n_groups,
        "passes": passed.passes,
        "resamples": RESAMPLES,
        "left_out": passed.left_out,
    }
    if as_json:
        every = [reading for of_unit in readings.values() for reading in of_unit]
        apart = [part for of_unit in parts.values() for part in of_unit]
        if by:
            head |= {"by": by, "parts": parts_payload(apart, answered.names)}
        write_json(payload(every, answered.names, head))
    else:
        shown = tables(
            readings[unit],
            answered.names,
            head,
            by_share=by_fraction,
            parts=parts[unit],
            by=by or "",
        )
        out().print(shown)
    return 0


def _shares(text: str | None) -> tuple[float, ...]:
    """Shares as they were typed, each once, from the smallest."""
    if text is None:
        return ()
    try:
        found = sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError:
        found = []
    if not found or not all(0 < share < 1 for share in found):
        raise UsageError(
            f"--fractions takes numbers between 0 and 1, got {text!r}", "--fractions 0.1,0.3,0.5"
        )
    return tuple(found)


def _contents(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    from sedbench.faithfulness import CONTENTS

    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise UsageError(
            "--content takes words with commas between them", "--content silence,noise"
        )
    for name in names:
        if name not in CONTENTS:
            raise UnknownNameError.of("value of --content:", name, CONTENTS)
    return names
