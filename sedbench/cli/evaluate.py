"""``sedbench evaluate``: score a detector alone, by the metrics of the field.

The rules about clips are strict, because a clip or a class that drops out silently flatters: every
clip is known to the truth (or to the table of durations), every one of them has scores, and every
true class is one that the detector was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from sedbench.cli.options import JSON
from sedbench.cli.streams import show, write_json
from sedbench.errors import DataError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from sedbench.metrics.detector import Figure
    from sedbench.types import Event


@click.command("evaluate")
@click.argument("scores", type=click.Path(path_type=Path))
@click.option(
    "--truth",
    required=True,
    type=click.Path(path_type=Path),
    help="True events: a TSV of filename, onset, offset, event_label.",
)
@click.option(
    "--durations",
    type=click.Path(path_type=Path),
    help="Which clips there are and how long they last: a TSV of filename, duration.",
)
@click.option(
    "--threshold",
    type=float,
    default=0.5,
    show_default=True,
    help="What scores have to exceed to count as an event.",
)
@click.option(
    "--slack",
    type=float,
    default=0.0,
    show_default=True,
    help="Seconds by which a time may miss a segment's boundary or a collar.",
)
@JSON
def command(
    *,
    scores: Path,
    truth: Path,
    durations: Path | None,
    threshold: float,
    slack: float,
    as_json: bool,
) -> int:
    """Score a detector alone: segments, events, intersections, PSDS.

    \b
      sedbench run -m METHOD --save-scores tsv    # then says the next line
      sedbench evaluate DIR --truth sedbench-scores/TASK/ground_truth.tsv
      sedbench evaluate scores/ --truth truth.tsv --durations clips.tsv --json
      sedbench evaluate events.tsv --truth truth.tsv

    SCORES is a folder with a score table a clip (onset, offset and a column a
    class), or one TSV of events that were decided already; then there is no
    PSDS, which needs scores.
    """  # noqa: D301
    if not math.isfinite(threshold):
        raise UsageError(f"--threshold takes a finite number, got {threshold}")
    if not 0 <= slack < 0.05:
        raise UsageError(f"--slack is at least 0 and below 0.05 s, got {slack:g}")
    document = _measure(scores, truth, durations, threshold, slack)
    if as_json:
        write_json(document)
        return 0
    show(*_page(document))
    return 0


def _measure(
    scores: Path, truth: Path, durations: Path | None, threshold: float, slack: float
) -> dict[str, Any]:
    from sedbench.data.score_tables import read_durations, read_score_folder
    from sedbench.metrics import detect, event_table, event_tables, score_set
    from sedbench.metrics.detector import detector_figures

    notes: list[str] = []
    true = _events(truth, notes)
    seconds = read_durations(durations) if durations is not None else None
    clips = dict.fromkeys(true if seconds is None else seconds)
    _known(true, clips, truth, f"{durations}")
    given = {clip: true.get(clip, []) for clip in clips}
    if scores.is_dir():
        tables = read_score_folder(scores)
        _known(tables, clips, scores, f"{durations or truth}")
        missing = sorted(clips.keys() - tables.keys())
        if missing:
            raise DataError(
                f"{scores} has no scores of {missing[0]!r}, and of {len(missing) - 1} more",
                "score every clip; a clip that is left out cannot be counted",
            )
        joined = score_set(tables)
        try:
            table = event_table(given, joined.clips, joined.classes)
        except UnknownNameError as error:
            raise DataError(
                f"{scores} has no scores of a true class: {error}", error.hint
            ) from None
        decided = detect(joined, threshold)
        lasts = seconds or {clip: float(each.edges[-1]) for clip, each in tables.items()}
        figures = detector_figures(table, decided, joined, lasts, slack)
    else:
        claimed = _events(scores, notes)
        _known(claimed, clips, scores, f"{durations or truth}")
        table, decided = event_tables(given, claimed)
        figures = detector_figures(table, decided, None, seconds, slack)
        notes.append("no PSDS: it needs scores, and these are decisions")
    absent = [c for c, n in zip(table.classes, table.count, strict=True) if not n]
    if absent:
        notes.append(f"no true event of {', '.join(absent)}: left out of averages over classes")
    return {
        "clips": len(table.clips),
        "events": {"true": len(table), "predicted": len(decided)},
        "threshold": threshold if scores.is_dir() else None,
        "figures": [_record(figure, table.classes) for figure in figures],
        "notes": notes,
    }


def _events(path: Path, notes: list[str]) -> dict[str, list[Event]]:
    """Events by clip from any annotation format; those of one class are merged."""
    from sedbench.data.annotations import read
    from sedbench.data.score_tables import clip_name

    found = read(path)
    if found.merged:
        notes.append(f"{path.name}: {found.merged} events of one class overlapped and were joined")
    events: dict[str, list[Event]] = {}
    for annotation in found:
        clip = clip_name(annotation.file)
        if clip in events:
            raise DataError(f"{path}: two recordings are called {clip!r}", "rename one of them")
        events[clip] = list(annotation.events)
    return events


def _known(found: Mapping[str, Any], clips: Mapping[str, None], path: Path, where: str) -> None:
    unknown = sorted(found.keys() - clips.keys())
    if unknown:
        raise DataError(
            f"{path} holds {unknown[0]!r}, and {len(unknown) - 1} more clips, unknown to {where}",
            "a clip in which nothing sounds has a row without times there, or name all clips with "
            "--durations",
        )


def _record(figure: Figure, classes: tuple[str, ...]) -> dict[str, Any]:
    from sedbench.metrics import STANDALONE_METRICS

    (info,) = (info for info in STANDALONE_METRICS if info.name == figure.metric)
    own = [] if figure.classes is None else figure.classes.tolist()
    return {
        "metric": figure.metric,
        "micro": _number(figure.micro),
        "macro": _number(figure.macro),
        "unit": info.unit,
        "higher_is_better": info.higher_is_better,
        "classes": {c: _number(v) for c, v in zip(classes, own, strict=False)},
    }


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _page(document: dict[str, Any]) -> list[Any]:
    from rich.text import Text

    events = document["events"]
    at = "" if document["threshold"] is None else f" at a threshold of {document['threshold']:g}"
    heading = (
        f"{document['clips']} clips, {events['true']} true events, "
        f"{events['predicted']} predicted{at}"
    )
    figures = document["figures"]
    page: list[Any] = [Text(heading), _overall(figures), Text(""), _by_class(figures)]
    page += [Text(f"note: {note}", style="dim") for note in document["notes"]]
    return page


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(headings):
        # Ids become words, so that headings can fold on a narrow terminal.
        name = heading.replace("_", " ")
        side: Literal["left", "right"] = "right" if number else "left"
        table.add_column(name, justify=side, overflow="fold")
    return table


def _overall(figures: list[dict[str, Any]]) -> Table:
    from rich.text import Text

    table = _table("metric", "micro", "macro", "better")
    for figure in figures:
        cells = (_cell(figure["micro"], figure["unit"]), _cell(figure["macro"], figure["unit"]))
        better = "higher" if figure["higher_is_better"] else "lower"
        table.add_row(*map(Text, (figure["metric"], *cells, better)))
    return table


def _by_class(figures: list[dict[str, Any]]) -> Table:
    from rich.text import Text

    with_classes = [figure for figure in figures if figure["classes"]]
    table = _table("class", *(figure["metric"] for figure in with_classes))
    for label in with_classes[0]["classes"]:
        values = (_cell(figure["classes"][label], "") for figure in with_classes)
        table.add_row(*map(Text, (label, *values)))
    return table


def _cell(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3f}{' ' * bool(unit)}{unit}"
