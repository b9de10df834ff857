"""What results say of themselves: commands, versions, hashes, commits, seeds, cost and times.

What all results share is said once, and whatever one of them says differently in a part of its
own, so that a difference is seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from sedbench.report.gathered import Gathered
from sedbench.results import Result

_FIELDS = (
    *("spec", "params", "seed", "task", "task_version", "task_fingerprint", "model"),
    *("provenance", "items", "kind", "supervision", "limited", "equals", "resolution"),
    *("cost", "diagnostics", "thresholds", "classifier", "pairs", "extra_metrics"),
)
# Many small things that are read side by side.
_TOGETHER = {"packages", "classes_ranked"}


def provenance(gathered: Gathered) -> str:
    """Write the section."""
    told = [dict(facts(contender.result)) for contender in gathered.contenders]
    keys = list(dict.fromkeys(key for each in told for key in each))
    shared = [key for key in keys if all(each.get(key) == told[0].get(key) for each in told)]
    if len(told) == 1:
        return _details(gathered.names[0], told[0], keys, opened=True)
    parts = [_details("The same for all of them", told[0], shared)]
    own = [key for key in keys if key not in set(shared)]
    for name, each in zip(gathered.names, told, strict=True):
        parts.append(_details(name, each, own))
    return "\n".join(parts)


def facts(result: Result) -> Iterator[tuple[str, str]]:
    """Everything that a result says besides its scores, as (place, text)."""
    for field in _FIELDS:
        # Older results do not say everything.
        yield from _flat(field, getattr(result, field, None))


def _flat(place: str, value: Any) -> Iterator[tuple[str, str]]:
    name = place.rpartition(".")[2]
    if isinstance(value, Mapping) and name in _TOGETHER:
        yield _short(place), ", ".join(f"{key} {_plain(each)}" for key, each in value.items())
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(f"{place}.{key}", each)
    elif value is not None and value != "":
        yield _short(place), _plain(value)


def _short(place: str) -> str:
    name = place.removeprefix("provenance.")
    return place if name in _FIELDS else name


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _details(head: str, told: Mapping[str, str], keys: list[str], *, opened: bool = False) -> str:
    rows = "\n".join(
        f'<tr><th scope="row" class="key">{escape(key)}</th>'
        f'<td class="fact">{escape(told[key])}</td></tr>'
        for key in keys
        if key in told
    )
    state = " open" if opened else ""
    return (
        f"<details{state}><summary>{escape(head)}</summary>"
        f'<table class="facts"><tbody>\n{rows}\n</tbody></table></details>'
    )
