"""``sedbench randomisation``: methods are asked again as the classifier becomes random."""

from __future__ import annotations

import click

from sedbench.cli.options import COUNT, DEVICE, JOBS, JSON, LIMIT, MODEL, SEED, TASK
from sedbench.cli.streams import installed, out, reserved_stdout, write_json
from sedbench.errors import NothingSelectedError


@click.command("randomisation")
@click.argument("methods", nargs=-1, metavar="METHOD...")
@TASK
@MODEL
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Of the weights that are drawn."
)
@click.option(
    "--method-seed", type=SEED, default=0, show_default=True, help="Of stochastic methods."
)
@click.option(
    "--stages",
    "most",
    type=COUNT,
    metavar="N",
    help="Stages at most; neighbouring layers are put together.  [default: 8]",
)
@click.option(
    "--independent", is_flag=True, help="One stage random at a time, the others as trained."
)
@LIMIT
@JOBS
@DEVICE
@JSON
def command(  # noqa: PLR0917 - one option each
    methods: tuple[str, ...],
    task: str | None,
    model: str | None,
    seed: int,
    method_seed: int,
    most: int | None,
    independent: bool,
    limit: int | None,
    jobs: int | None,
    device: str,
    as_json: bool,
) -> int:
    """Make the classifier random layer by layer, and ask methods again.

    \b
      sedbench randomisation NAME OTHER 'OTHER[param=value]' --limit 40
      sedbench randomisation NAME --independent
      sedbench randomisation NAME --model 'MODEL[seed=1]' --json

    From the output backwards, weights are replaced by those of an untrained
    network. What stays the same then does not explain what was learnt.
    """  # noqa: D301
    if not methods:
        raise NothingSelectedError(
            "no method was named", "sedbench randomisation NAME; `sedbench list methods` has names"
        )
    with reserved_stdout():
        from sedbench.cli.progress import Bars
        from sedbench.lookup import (
            check_params,
            find_bank,
            find_method,
            find_models,
            find_task,
            with_learned,
        )
        from sedbench.models.partly_random import STAGES
        from sedbench.randomisation import randomise
        from sedbench.stats import RESAMPLES
        from sedbench.workers import default_jobs

        known = installed()
        spec = find_task(task, known)
        chosen = {}
        for text in methods:
            method = find_method(text, known)
            check_params(method)
            chosen[method.spec] = method
        spec.check_drawn("test")
        models = find_models(model or spec.model, spec, known, device=device)
        with Bars() as bars:
            found = randomise(
                [with_learned(method, models) for method in chosen.values()],
                spec,
                find_bank(spec, known).factory,
                models,
                weights_seed=seed,
                seed=method_seed,
                most=most or STAGES,
                independent=independent,
                limit=limit,
                jobs=jobs or default_jobs(),
                resamples=RESAMPLES,
                progress=bars,
            )
    from sedbench.report.randomisation import payload, tables

    head = {
        "task": spec.name,
        "task_version": spec.version,
        "model": models[0].canonical,
        "seed": seed,
        "limited": limit,
    }
    if as_json:
        write_json(payload(found, head))
    else:
        out().print(tables(found, head))
    return 0
