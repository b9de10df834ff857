"""Model cards, for ``sedbench show NAME --card``: what a card says, and what it does not.

Every weight file has a card beside it (:mod:`sedbench.models.weights`). Files that differ in their
seed or rotation alone share a page; each has a row of its own in it. A card is read and never
completed: a fact that it lacks is said to be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sedbench import spec
from sedbench.cli import describe
from sedbench.errors import UsageError
from sedbench.registry import Entry, Kind, Registry
from sedbench.types import MethodInfo

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

# What a card is to say, and the keys that say it.
FACTS: dict[str, tuple[str, ...]] = {
    "data": ("task", "task_version", "task_fingerprint", "data", "classes"),
    "recipe": ("recipe", "pretrained"),
    "metrics": ("validation", "metrics"),
    "intervals": ("intervals",),
    "licence": ("licence",),
    "limits": ("limits",),
}
# What is one file's own, and not shared by a page.
_OWN = frozenset(
    (
        *("seed", "fold", "sha256", "origin", "file", "missing", "command", "commit"),
        *("explained", "best_epoch", "epochs", "validation", "metrics", "intervals", "log"),
        "resampled",
    )
)
_SCORES = ("validation", "intervals")
_HEADING = ("model", "variant", "task")
_OWNERS: tuple[Kind, ...] = ("models", "methods")


def cards(registry: Registry, name: str, kind: str | None = None) -> list[dict[str, Any]]:
    """Read the cards of a model's weights, or of what a method has learnt.

    Parameters
    ----------
    registry : Registry
    name : str
        Of something that is installed; ``name[seed=1]`` for some of its weights.
    kind : str, optional
        Where one name means several things.

    Returns
    -------
    list of dict
        Each as it stands in its file, with ``origin``, ``file`` and ``missing``: the
        :data:`FACTS` that it does not state.

    Raises
    ------
    UsageError
        It is nothing that has weights, or a parameter that it does not have.
    DataError
        A card cannot be read.
    """
    chosen = spec.parse(name)
    owners: list[Entry] = [
        registry.get(each, chosen.name)
        for each in _OWNERS
        if kind in (None, each) and chosen.name in registry.entries[each]
    ]
    owners = [e for e in owners if not isinstance(e.info, MethodInfo) or e.info.learns]
    if not owners:
        method = registry.entries["methods"].get(chosen.name)
        hint = "models have, and methods that are trained: `sedbench list models`"
        if method is not None and isinstance(method.info, MethodInfo) and method.info.variant:
            hint = "a detector is a part of a model: `sedbench show MODEL --card`"
        raise UsageError(f"{chosen.name!r} has no model cards", hint)
    for owner in owners:
        spec.resolve(chosen, owner.info)
    found = [weights for owner in owners for weights in describe.weights(owner, registry)]
    wanted = dict(chosen.given)
    return [
        {
            **each.card,
            "origin": each.origin,
            "file": f"{each.path.parent.name}/{each.path.name}",
            "missing": [
                fact for fact, keys in FACTS.items() if not any(each.card.get(k) for k in keys)
            ],
        }
        for each in found
        if all(str(each.card[k]) == value for k, value in wanted.items() if k in each.card)
    ]


def pages(found: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    """The cards as pages, those of one variant and task together."""
    from rich.text import Text

    if not found:
        return [Text("no weights, so no cards: nothing was trained")]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for card in found:
        shared = {key: value for key, value in card.items() if key not in _OWN}
        groups.setdefault(json.dumps(shared, sort_keys=True), []).append(card)
    made: list[RenderableType] = []
    for group in groups.values():
        made += [*([Text("")] if made else []), *_page(group)]
    return made


def _page(group: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    from rich.text import Text

    first = group[0]
    model, variant, task = (str(first.get(key, "?")) for key in _HEADING)
    stated = {key for keys in FACTS.values() for key in keys}
    others = sorted(set(first) - stated - _OWN - set(_HEADING))
    whose = f" ({_called(first)})" if len(group) > 1 else ""
    made = {f"made by{whose}": str(first.get("command") or "not on the card")}
    page: list[RenderableType] = [
        Text.assemble((f"{model}: {variant}", "bold"), f"  trained on {task}"),
        _facts(first, ("data", "recipe"), {k.replace("_", " "): _text(first[k]) for k in others}),
        _files(group),
    ]
    if note := _resampled(group):
        page.append(Text(note, style="dim"))
    page += [
        Text(f"metrics of {_called(card)}: {_text(card['metrics'])}")
        for card in group
        if card.get("metrics")
    ]
    for fact in ("metrics", "intervals"):
        lacking = [_called(card) for card in group if fact in card["missing"]]
        if lacking:
            whose = "" if len(lacking) == len(group) else f" of {', '.join(lacking)}"
            page.append(Text(f"{fact}: not on the card{whose}", style="yellow"))
    page.append(_facts(first, ("licence", "limits"), made))
    return page


def _facts(card: Mapping[str, Any], facts: Sequence[str], more: Mapping[str, str]) -> Table:
    """What a card says of some facts, a line each; then further lines."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for fact in facts:
        here = [key for key in FACTS[fact] if card.get(key) not in (None, "", {}, [])]
        for key in here:
            for heading, text in _lines(key, card[key]):
                table.add_row(heading, Text(text))
        if not here:
            table.add_row(fact, Text("not on the card", style="yellow"))
    for heading, text in more.items():
        table.add_row(heading, Text(text))
    return table


def _lines(key: str, value: Any) -> list[tuple[str, str]]:
    # What is of several things, and sentences, have a line each.
    if key == "licence" and isinstance(value, Mapping):
        return [(f"licence of the {what}", _text(each)) for what, each in value.items()]
    if key == "limits" and isinstance(value, list):
        return [("limits" if not i else "", _text(each)) for i, each in enumerate(value)]
    if key == "data" and isinstance(value, Mapping):
        lines = [f"{what}: {_text(each)}" for what, each in value.items()]
        return [("data" if not i else "", line) for i, line in enumerate(lines)]
    return [(key.replace("_", " "), _text(value))]


def _files(group: Sequence[Mapping[str, Any]]) -> Table:
    """One row a file: where it comes from, how long it was trained and how well it does."""
    from rich.table import Table
    from rich.text import Text

    told = [name for card in group for key in _SCORES for name in card.get(key) or ()]
    scores = list(dict.fromkeys(told))
    table = Table(
        title="weights, with their scores on validation" if scores else "weights",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    in_folds = any(card.get("fold") is not None for card in group)
    for heading in ("seed", *(["fold"] if in_folds else []), "best epoch", *scores):
        table.add_column(heading, justify="right")
    for heading in ("origin", "commit", "sha256"):
        table.add_column(heading)
    for card in group:
        epochs = [str(card[k]) for k in ("best_epoch", "epochs") if card.get(k) is not None]
        cells = [
            _text(card.get("seed")),
            *([_text(card.get("fold"))] if in_folds else []),
            " of ".join(epochs) or "-",
            *(_score(card, name) for name in scores),
            str(card["origin"]),
            str(card.get("commit") or "-")[:12],
            str(card["sha256"])[:12],
        ]
        table.add_row(*map(Text, cells))
    return table


def _score(card: Mapping[str, Any], name: str) -> str:
    """One score, and its interval on a line of its own."""
    value = (card.get("validation") or {}).get(name)
    bounds = (card.get("intervals") or {}).get(name)
    told = "-" if value is None else _text(value)
    return told if bounds is None else f"{told}\n{' to '.join(f'{end:.3g}' for end in bounds)}"


def _resampled(group: Sequence[Mapping[str, Any]]) -> str:
    """Where the intervals come from, of all files of a page."""
    known = [card["resampled"] for card in group if card.get("intervals") and card.get("resampled")]
    if not known:
        return ""
    first = known[0]
    clips, groups = (
        " to ".join(str(n) for n in dict.fromkeys((min(counts), max(counts))))
        for counts in zip(*((each["clips"], each["groups"]) for each in known), strict=True)
    )
    return (
        f"below each score its {first['level']:.0%} interval: {first['resamples']:,} resamples of "
        f"{clips} clips and {groups} source groups, crossed"
    )


def _called(card: Mapping[str, Any]) -> str:
    fold = "" if card.get("fold") is None else f", fold {card['fold']}"
    return f"seed {card.get('seed', '?')}{fold}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{str(k).replace('_', ' ')} {_text(v)}" for k, v in value.items())
    if isinstance(value, str) or not isinstance(value, Iterable):
        return f"{value:.4g}" if isinstance(value, float) else str(value)
    return ", ".join(map(_text, value))
