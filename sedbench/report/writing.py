"""From gathered figures to files: everything is drawn first, and then each file written whole.

The same results give the same bytes, with one version of matplotlib and, for the players, of
libsndfile. Nothing holds the time of writing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sedbench.errors import SedbenchError
from sedbench.files import write_atomic
from sedbench.progress import Progress
from sedbench.report.clip_drawing import clip_drawing
from sedbench.report.clips import Clips
from sedbench.report.drawings import (
    Drawing,
    board_drawing,
    classes_drawing,
    palette,
    placings_drawing,
    sensitivity_drawing,
)
from sedbench.report.extremes import extremes
from sedbench.report.gathered import Gathered
from sedbench.report.page import page
from sedbench.report.sections import notes
from sedbench.report.sounds import Renderer


@dataclass(frozen=True)
class Wanted:
    """What is to be written.

    Attributes
    ----------
    html : Path or None
        The page.
    folders : mapping of str to Path
        A folder of figures for each format.
    clips : int
        How many of the worst and how many of the best clips.
    players : bool
        Whether the page holds the clips' sound.
    """

    html: Path | None = None
    folders: Mapping[str, Path] = field(default_factory=dict)
    clips: int = 3
    players: bool = True


def write(
    gathered: Gathered,
    wanted: Wanted,
    render: Renderer,
    warn: Callable[[str], None],
    progress: Progress,
) -> list[Path]:
    """Write a report.

    Parameters
    ----------
    gathered : Gathered
    wanted : Wanted
    render : callable
        Gives the sound of clips; where it raises, the report is made without.
    warn : callable
        Told why, where something is left out.
    progress : Progress

    Returns
    -------
    list of Path
        The files, in the order they were written in.

    Raises
    ------
    DataError
        A file cannot be written. What was written before is whole.
    """
    for note in notes(gathered):
        warn(note)
    shown = find_clips(gathered, wanted, render, warn)
    colours = palette(gathered)
    drawings = {each.name: each for each in _drawings(gathered, colours, shown)}
    made: dict[Path, bytes] = {}
    progress.start("draw", len(drawings) * len(wanted.folders) + (wanted.html is not None))
    for ending, folder in wanted.folders.items():
        for name, drawing in drawings.items():
            made[folder / f"{name}.{ending}"] = drawing.encoded(ending)
            progress.advance()
    if wanted.html is not None:
        made[wanted.html] = page(gathered, drawings, colours, shown).encode()
        progress.advance()
    progress.finish()
    for path, content in made.items():
        write_atomic(path, content)
    return list(made)


def find_clips(
    gathered: Gathered, wanted: Wanted, render: Renderer, warn: Callable[[str], None]
) -> Clips:
    """Choose the clips and render them."""
    shown = tuple(extremes(gathered, wanted.clips))
    if not shown:
        return Clips()
    if gathered.stale:
        why = "the task has changed since, so that its clips of today are not those measured"
        warn(f"without waveforms and sound: {why}")
        return Clips(shown, why=_without(why), players=wanted.players)
    try:
        sounds = render({each.id for each in shown}, gathered.contenders[0].test.table)
    except SedbenchError as error:
        hint = f" ({error.hint})" if error.hint else ""
        warn(f"without waveforms and sound: {error.message}{hint}")
        # The page may be passed on: it says nothing of folders here.
        fetch = gathered.task.fetch
        mended = f"; there, `{fetch}` brings them" if fetch else ""
        why = f"the task’s sounds could not be had where this was written{mended}"
        return Clips(shown, why=_without(why), players=wanted.players)
    return Clips(shown, sounds, players=wanted.players)


def _without(why: str) -> str:
    return f"Without waveforms and sound: {why}."


def _drawings(gathered: Gathered, colours: Mapping[str, str], shown: Clips) -> list[Drawing]:
    found = [board_drawing(gathered)]
    found += [
        classes_drawing(gathered, each)
        for each in gathered.breakdowns
        if each.by == "class" and each.names
    ]
    if gathered.placings is not None:
        found.append(placings_drawing(gathered, gathered.placings))
    found.append(sensitivity_drawing(gathered, colours))
    found += [
        clip_drawing(gathered, each, colours, shown.sounds.get(each.id)) for each in shown.shown
    ]
    return found
