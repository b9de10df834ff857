"""``sedbench report``: results as one page that works from disk, and as figures."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sedbench.cli.errors import say
from sedbench.cli.options import JOBS, METHOD_SEED, MODEL, RESULTS, TASK
from sedbench.cli.streams import installed, reserved_stdout
from sedbench.errors import NothingSelectedError, SedbenchError, UsageError

if TYPE_CHECKING:
    from sedbench.cli.stored import Place
    from sedbench.registry import Registry
    from sedbench.report.sounds import Renderer, Sound
    from sedbench.types import PairTable

FOLDER = click.Path(file_okay=False, path_type=Path)
FORMATS = ("png", "svg", "pdf")


@click.command("report")
@click.argument("results", nargs=-1, metavar="RESULT...")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write one page that needs nothing else.",
)
@click.option("--png", type=FOLDER, metavar="DIR", help="Draw the figures as PNG, at 300 dpi.")
@click.option("--svg", type=FOLDER, metavar="DIR", help="Draw them as SVG.")
@click.option("--pdf", type=FOLDER, metavar="DIR", help="Draw them as PDF.")
@TASK
@MODEL
@METHOD_SEED
@click.option(
    "--clips",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Show the N worst and the N best clips; 0 for none.",
)
@click.option(
    "--audio/--no-audio",
    default=True,
    help="With players for the clips, or without: a page with them passes the sounds on.",
)
@JOBS
@RESULTS
def command(results: tuple[str, ...], html: Path | None, **options: Any) -> int:
    """Write results as one page, and as figures to print.

    \b
      sedbench report NAME OTHER --html report.html
      sedbench report all --task TASK --html report.html --png figures/
      sedbench report mine.json NAME --html report.html --clips 5

    A RESULT is a method's name, the file of a result, or 'all', as `sedbench compare` takes them.
    The page holds the board, who can be told apart, tables by class and other kinds of pairs, the
    threshold's influence, the worst and the best clips with their sound, and where everything
    comes from. No model is loaded. Clips are rendered where the task's sounds are here.
    """  # noqa: D301
    folders = {ending: options[ending] for ending in FORMATS if options[ending]}
    _check(results, html, folders)
    with reserved_stdout():
        written = _written(results, html, folders, options)
    for path in written:
        click.echo(str(path))
    return 0


def _check(results: tuple[str, ...], html: Path | None, folders: dict[str, Path]) -> None:
    if not results:
        raise NothingSelectedError(
            "no result was named", "sedbench report NAME OTHER --html FILE, or 'all'"
        )
    if html is None and not folders:
        raise UsageError("there is nothing to write", "--html FILE, --png DIR, or both")
    if html is not None and html.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--html takes a file that ends in .html, got {html.name!r}")


def _written(
    texts: tuple[str, ...], html: Path | None, folders: dict[str, Path], options: dict[str, Any]
) -> list[Path]:
    from sedbench.cli.progress import Bars
    from sedbench.cli.stored import levels, measured
    from sedbench.report.gathered import check_one_cell, gather
    from sedbench.report.writing import Wanted, write
    from sedbench.stats import RESAMPLES
    from sedbench.workers import default_jobs

    known = installed()
    place, found = measured(
        texts,
        options["task"],
        options["model"],
        known,
        seed=options["seed"],
        folder=options["folder"],
    )
    check_one_cell(found)
    with Bars() as bars:
        gathered = gather(
            found,
            place.task,
            levels=lambda: levels(place.task),
            resamples=RESAMPLES,
            jobs=options["jobs"] or default_jobs(),
            progress=bars,
        )
        wanted = Wanted(html, folders, options["clips"], options["audio"])
        return write(gathered, wanted, _renderer(place, known), say, bars)


def _renderer(place: Place, known: Registry) -> Renderer:
    """Render clips of the task, or say what is missing."""

    def render(wanted: Collection[str], table: PairTable) -> dict[str, Sound]:
        from sedbench.lookup import find_bank
        from sedbench.report.sounds import sounds

        try:
            return sounds(place.task, find_bank(place.task, known).factory, wanted, table)
        except SedbenchError:
            raise
        except Exception as error:  # a soundbank is somebody's plugin
            raise SedbenchError(
                f"the soundbank {place.task.soundbank!r} failed: {type(error).__name__}: {error}"
            ) from error

    return render
