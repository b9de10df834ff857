"""Write ``docs/methods.md``: every method, and on which models it works.

    python tests/tools/method_matrix.py > docs/methods.md

Each method is asked, with large whole numbers lowered, about one clip of each family with random
weights. CNN14 is built narrow: its layers are those of the published network, with fewer channels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from sedbench.errors import NotApplicable
from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle, initialise
from sedbench.registry import Entry, built_in
from sedbench.testing.lessons import learnt
from sedbench.testing.subject import MethodSubject, finite, shaped
from sedbench.testing.untrained import UntrainedHandle, untrained
from sedbench_plugins.poolings import POOLINGS

CLASSES = ("Dog", "Speech", "Blender")
FAMILIES = (
    ("Gradients", ("gradients", "integrated_gradients")),
    ("Class activation", ("cam",)),
    ("Relevance", ("relevance",)),
    ("DeepLIFT and Shapley values", ("shapley",)),
    ("Perturbation", ("perturbation",)),
    ("Methods that learn", ("attention", "lmac")),
    ("Detectors", ("detectors",)),
    ("Baselines and bounds", ("baselines", "bounds")),
)
VARIANTS = {
    "shap": tuple({"explainer": name} for name in ("gradient", "deep", "partition", "kernel")),
    "lrp": tuple(
        {"composite": name}
        for name in ("epsilon", "epsilon-plus", "epsilon-gamma-box", "epsilon-alpha2-beta1")
    ),
    "surrogate": ({"model": "forest"}, {"model": "linear"}),
    "attention": ({"attention": "class"}, {"attention": "self"}),
    "fw-ws": tuple({"pooling": name} for name in POOLINGS),
}
# Of random weights with which a network decides for no class, nothing can be learnt.
SEEDS = {"logmel-crnn": 1}
INTRO = """\
# Methods

<!-- Written by `python tests/tools/method_matrix.py > docs/methods.md`; a test compares. -->

    sedbench list methods              all of them, also those of plugins
    sedbench show NAME                 one: its parameters, their defaults and ranges, its reference
    sedbench run -m NAME -m 'OTHER[param=value]'

What each of them found is on the board, and in words in [findings](findings.md); how scores become
figures, in [protocol](protocol.md). Budgets (`samples`, `steps`, `masks` ...) are parameters, and
stand in every result.

**On which models.** *yes*: it answers. A number: it does not apply, for the reason below. Each was
asked about a clip of each family, so this is what happens and not what was hoped. `cnn14` and
`cnn14-head` are built with fewer channels for it, all families with random weights.

**What is passed once.** All classes of a clip share masks and passes. On a frozen trunk
(`yamnet-head`), what it says of a masked clip is kept in the cache folder (2.6 MB a clip for
segments of 0.2 s): another head, and another method that cuts the clip alike, reads it. In a
result `forward` and `seconds` count as if it had been passed anew; `cpu_seconds` are what the run
took.
"""


@dataclass(frozen=True)
class Row:
    """A method with some parameters, and what came of it on each model."""

    name: str
    reference: str
    summary: str
    cells: tuple[str, ...]


class Handle(UntrainedHandle):
    """Random weights, and what a method that learns learns of them."""

    product: Any = None

    def variant(self, variant: str) -> Classifier:
        """Build a variant, where the family has it."""
        if variant not in self.variants:
            ModelHandle.weights(self, variant)  # which says that it has not
        if variant not in self._loaded:
            seed = SEEDS.get(self.name, 0)
            model = initialise(self.family, variant, self.classes, self.sample_rate, seed)
            self._loaded[variant] = self._ready(model)
        return self._loaded[variant]

    def learned(self, info: Any, **params: Any) -> dict[str, torch.Tensor]:
        """Learn on a few clips, where the family is trained on a task's clips at all."""
        if not self.trains:
            return ModelHandle.learned(self, info, **params)
        key = f"{info.name} {sorted(params.items())}"
        if key not in self._learnt:
            self._learnt[key] = learnt(self.product, self, 8)
        return dict(self._learnt[key])


def models() -> dict[str, Handle]:
    """Every family with random weights."""
    from sedbench_plugins.cnn14.asset import Asset
    from sedbench_plugins.cnn14.family import Cnn14Family, Cnn14HeadFamily

    narrow = Asset("narrow.pth", "", "", "", 0, (4, 6, 6, 8, 8, 12))
    others = {"cnn14": lambda: Cnn14Family(narrow), "cnn14-head": lambda: Cnn14HeadFamily(narrow)}
    found = {}
    registry = built_in()
    for name in registry.names("models"):
        entry = registry.get("models", name)
        factory = others.get(name, entry.factory)
        made = untrained(entry.info, factory, CLASSES)
        made.__class__ = Handle
        made.trains = entry.info.trains
        made._learnt = {}
        found[name] = made
    return found


def outcome(entry: Entry, params: dict[str, Any], handle: Handle) -> str:
    """``yes``, or why it does not apply."""
    subject = MethodSubject(entry.info, entry.factory, model=lambda: handle)
    values = {**subject.params, **params}
    handle.product = entry.factory(**values)
    question = subject.question(handle)
    try:
        answer = subject.ask(question, handle, values)
    except NotApplicable as error:
        return error.message
    shaped(answer, question)
    finite(answer, question)
    return "yes"


def rows(handles: dict[str, Handle], *titles: str) -> Iterator[tuple[str, list[Row]]]:
    """The families, or some of them, with their methods in the order of their names."""
    registry = built_in()
    methods = [registry.get("methods", name) for name in registry.names("methods")]
    known = {plugin for _, plugins in FAMILIES for plugin in plugins}
    if strange := sorted({entry.plugin for entry in methods} - known):
        raise SystemExit(f"no family has the plugins {', '.join(strange)}: add them to FAMILIES")
    for title, plugins in FAMILIES:
        if titles and title not in titles:
            continue
        found = []
        for entry in methods:
            if entry.plugin not in plugins:
                continue
            for params in VARIANTS.get(entry.info.name, ({},)):
                given = ",".join(f"{k}={v}" for k, v in params.items())
                name = f"{entry.info.name}[{given}]" if given else entry.info.name
                cells = tuple(outcome(entry, params, handle) for handle in handles.values())
                found.append(Row(name, entry.info.reference, entry.info.summary, cells))
        yield title, found


def page() -> str:
    """The page."""
    handles = models()
    reasons: list[str] = []
    parts = [INTRO]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for title, found in rows(handles):
            heads = ["method", *(f"`{name}`" for name in handles)]
            lines = [heads, ["---"] * len(heads)]
            for row in found:
                cells = []
                for cell in row.cells:
                    if cell != "yes" and cell not in reasons:
                        reasons.append(cell)
                    cells.append("yes" if cell == "yes" else f"({reasons.index(cell) + 1})")
                lines.append([f"`{row.name}`", *cells])
            said = {row.name.partition("[")[0]: row for row in found}
            parts.append(f"## {title}\n")
            parts += [f"- `{n}`: {r.summary}. {r.reference}." for n, r in said.items()]
            parts.append("")
            parts += [f"| {' | '.join(line)} |" for line in lines]
            parts.append("")
    parts.append("## Why not\n")
    parts += [f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(page(), end="")
