"""The rows of a board in plain values: what ``leaderboard.json`` holds, and both pages show.

A figure is ``{"value", "ci_low", "ci_high"}`` in full precision, as the result has it. Names are
those of :mod:`sedbench.report.columns`: unless a name says otherwise, a figure is of the headline,
which is the ``chosen`` policy, the localisation view, the mean over pairs, the task's primary truth
and no smoothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sedbench.leaderboard.claims import Known
from sedbench.leaderboard.entries import RESULTS, Entry
from sedbench.leaderboard.ranking import Standing, headline
from sedbench.report.columns import record
from sedbench.results import Result

if TYPE_CHECKING:
    from sedbench.tasks import TaskSpec

_FIXED = "percentile@"
FIGURES: dict[str, tuple[str, dict[str, str]]] = {
    "iou": ("iou", {}),
    "iou_percentile": ("iou", {"policy": "percentile"}),
    "iou_relative": ("iou", {"policy": "relative"}),
    "iou_absolute": ("iou", {"policy": "absolute"}),
    "iou_oracle": ("iou", {"policy": "oracle"}),
    "iou_smoothed": ("iou", {"smoothing": "chosen"}),
    "iou_classes": ("iou", {"average": "classes"}),
    "iou_end_to_end": ("iou", {"view": "end-to-end"}),
    "f1": ("f1", {}),
    "auc": ("auc", {}),
    "ap": ("ap", {}),
    "pg_corrected": ("pg_corrected", {}),
    "discrimination": ("discrimination", {}),
}
"""Name of a figure to its metric and what differs from the headline."""


def boards(
    entries: Iterable[Entry],
    standings: Mapping[str, Standing],
    known: Known,
    first: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Every table of a board, sorted by task and model.

    Parameters
    ----------
    entries : iterable of Entry
    standings : mapping of str to Standing
        By the entries' names.
    known : Known
    first : sequence of str
        Tasks that come before the others.
    """
    tables: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        tables.setdefault((entry.result.task, entry.result.model), []).append(entry)
    place = {task: i for i, task in enumerate(first)}
    ordered = sorted(tables, key=lambda key: (place.get(key[0], len(place)), key))
    return [_board(tables[key], standings, known) for key in ordered]


def _board(
    entries: Sequence[Entry], standings: Mapping[str, Standing], known: Known
) -> dict[str, Any]:
    ordered = sorted(entries, key=lambda e: (_order(e.result), e.name))
    told = [(e.result, standings[e.name], _files(e)) for e in ordered]
    return board(told, known.task)


def board(
    told: Sequence[tuple[Result, Standing, Mapping[str, Any]]],
    task_of: Callable[[str], TaskSpec | None],
) -> dict[str, Any]:
    """One table in plain values.

    Parameters
    ----------
    told : sequence of (Result, Standing, mapping)
        In the order they are shown in; the mapping says what else a row holds.
    task_of : callable
        Name to the task, or None.
    """
    ranked = [each for each in told if each[1].rank is not None]
    rest = [each for each in told if each[1].rank is None]
    result = (ranked or rest)[0][0]
    task = task_of(result.task)
    alike = Counter(r.equals for r, _, _ in ranked if r.equals)
    facts = ranked[0][0] if ranked else None
    return {
        "task": result.task,
        "title": task.title if task is not None else result.task,
        "summary": task.summary if task is not None else "",
        "task_version": task.version if task is not None else result.task_version,
        "task_fingerprint": facts.task_fingerprint if facts is not None else None,
        "model": result.model,
        "truth": facts.scores[0]["truth"] if facts is not None else None,
        "classifier": dict(facts.classifier) if facts is not None else {},
        "pairs": facts.pairs.get("expected") if facts is not None else None,
        "clips": facts.pairs.get("clips") if facts is not None else None,
        "groups": facts.pairs.get("groups") if facts is not None else None,
        "detectors": _detectors(ranked),
        "unranked_classes": sorted(_unranked_classes(facts)) if facts is not None else [],
        "rows": [_row(*each, alike) for each in ranked],
        "unranked": [_row(*each, alike) for each in rest],
    }


def _order(result: Result) -> float:
    value = headline(result)
    return math.inf if math.isnan(value) else -value


def _detectors(ranked: Sequence[tuple[Result, Standing, Mapping[str, Any]]]) -> str:
    """What the trained detectors of a table share with its classifier; empty without any."""
    told = {str(r.provenance.get("detectors") or "") for r, _, _ in ranked if r.kind == "detector"}
    return "; ".join(sorted(told - {""}))


def _unranked_classes(result: Result) -> Iterable[str]:
    return (name for name, ok in result.pairs.get("classes_ranked", {}).items() if not ok)


def _row(
    result: Result, standing: Standing, more: Mapping[str, Any], alike: Mapping[str, int]
) -> dict[str, Any]:
    own = {name: _figure(result, metric, **w) for name, (metric, w) in FIGURES.items()}
    fixed = sorted(
        {r["policy"] for r in result.scores if str(r["policy"]).startswith(_FIXED)}
    )  # fmt: skip
    return {
        "rank": standing.rank,
        "reason": standing.reason,
        "method": result.method,
        "spec": result.spec,
        "seed": result.seed,
        "kind": result.kind,
        "supervision": result.supervision,
        "equals": result.equals if alike.get(result.equals, 0) > 1 else "",
        "policy": _policy(result),
        "figures": own | {f"iou_{name}": _figure(result, "iou", policy=name) for name in fixed},
        "pairs": {k: result.pairs.get(k) for k in ("expected", "scored")},
        "cost": _cost(result),
        "resolution": result.resolution,
        "measured": str(result.provenance.get("started", ""))[:10],
        **more,
    }


def _files(entry: Entry) -> dict[str, Any]:
    """Where a row's files lie, and the digest that was recorded of them."""
    folder, held = f"{RESULTS}/{entry.name}".rpartition("/")[0], entry.result.items
    return {
        "result": f"{RESULTS}/{entry.name}",
        "items": None if held is None else f"{folder}/{held['file']}",
        "digest": entry.digest,
    }


def _figure(result: Result, metric: str, **wanted: str) -> dict[str, float | None] | None:
    found = record(result, metric, **wanted)
    if found is None or found["value"] is None:
        return None
    return {key: found[key] for key in ("value", "ci_low", "ci_high")}


def _policy(result: Result) -> str:
    """The threshold policy that validation chose, rotation by rotation."""
    if not result.thresholds:
        return "own mask" if result.status == "ok" else ""
    turns = result.thresholds.get("folds", {"0": result.thresholds}).values()
    counted = Counter(turn["none"]["chosen"] for turn in turns)
    if len(counted) == 1:
        return str(next(iter(counted)))
    ordered = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{name} {n}" for name, n in ordered)


def _cost(result: Result) -> dict[str, float | None]:
    held = result.cost
    forward, backward = held.get("forward_per_pair"), held.get("backward_per_pair")
    passes = None if forward is None or backward is None else forward + backward
    told = ("seconds_per_pair", "cpu_seconds_per_pair", "peak_memory")
    return {"passes_per_pair": passes, **{key: held.get(key) for key in told}}
