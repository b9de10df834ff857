"""Give cards that ship what cards of today say: data, licence, limits, and intervals of scores.

    python tests/tools/complete_cards.py [--write] [NAME ...]

For each weight file that ships of the models and methods named (all of them unless given) the
validation clips are scored again with the weights as they ship. The scores have to be those of the
card, to within a rounding error; then the intervals are of the same scores, and ``--write`` puts
them onto the card with the words of the plugin and the task. Nothing else of a card changes, and no
result depends on it: an identity holds the weights' hash, not their card.

It needs what the tasks need: sounds that are fetched, and the pretrained trunks.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from sedbench import teacher, trainer
from sedbench.cli.describe import weights as all_weights
from sedbench.data.cache import BankFactory
from sedbench.examples import examples, heard
from sedbench.files import write_atomic
from sedbench.lookup import find_bank, find_method, find_model, find_task
from sedbench.models import weights
from sedbench.models.about import about
from sedbench.models.contract import Recipe, trainable
from sedbench.models.lesson import Clips, Lesson
from sedbench.models.shares import Share
from sedbench.models.validation import shares, validate
from sedbench.models.weights import Weights
from sedbench.progress import Quiet
from sedbench.refs import MethodRef, ModelRef
from sedbench.registry import Entry, registry
from sedbench.tasks import TaskSpec
from sedbench.workers import one_thread

CLOSE = 1e-6


def main() -> None:
    """Score, compare, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("names", nargs="*", help="models and methods")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--again", action="store_true", help="score cards with intervals too")
    given = parser.parse_args()
    known, wrong, done = registry(), 0, 0
    for kind in ("models", "methods"):
        for name in known.names(kind):
            if given.names and name not in given.names:
                continue
            owner = known.get(kind, name)
            if kind == "methods" and not getattr(owner.info, "learns", False):
                continue
            for found in all_weights(owner, known):
                if found.origin != "shipped":
                    continue
                try:
                    text = complete(owner, found, given.again)
                except Differs as error:
                    wrong += 1
                    print(f"differs  {found.path.name}: {error}", flush=True)
                    continue
                changed = text != found.path.with_suffix(".json").read_text(encoding="utf-8")
                if given.write and changed:
                    write_atomic(found.path.with_suffix(".json"), text.encode())
                done += 1
                said = ("written" if given.write else "to write") if changed else "as it is"
                print(f"{said:8} {name} {found.path.name}", flush=True)
    print(f"{done} cards hold, {wrong} do not")
    raise SystemExit(1 if wrong else 0)


class Differs(Exception):
    """The weights do not score what their card says."""


def complete(owner: Entry, found: Weights, again: bool = True) -> str:
    """The text of a card with everything on it.

    Parameters
    ----------
    owner : Entry
        The model, or the method that learns.
    found : Weights
    again : bool
        Score it although it has intervals; otherwise only the words are brought up to date.

    Raises
    ------
    Differs
        Scored again, the weights give something else than the card.
    """
    known, card = registry(), dict(found.card)
    task = find_task(card["task"], known)
    sounds = find_bank(task, known)
    method = _method(owner, card)
    family = card["model"]
    ref = find_model(
        f"{family}[seed={card['seed']}]",
        task,
        known,
        device="cpu",
        fold=card.get("fold"),
        fits=method is not None,
    )
    if again or "intervals" not in card:
        fresh = (
            _of_variant(task, sounds.factory, ref, found)
            if method is None
            else _of_method(task, sounds.factory, ref, method, found)
        )
        _same(card["validation"], fresh["again"])
        for name, value in card["validation"].items():
            low, high = fresh["intervals"][name]
            print(f"         {name} {value:.3f} [{low:.3f}, {high:.3f}]")
        card |= {key: fresh[key] for key in ("intervals", "resampled")}
    model_info = known.get("models", family).info
    words = about(task, sounds.info, model_info, method.info if method is not None else None)
    told = trainer.facts(task, ref, card["variant"], words)
    card |= {key: told[key] for key in ("data", "licence", "limits")}
    return json.dumps(card, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _method(owner: Entry, card: dict[str, Any]) -> MethodRef | None:
    if "method" not in card:
        return None
    # The command says with which parameters it was trained.
    return find_method(str(card["command"]).split()[2].strip("'"), registry())


def _of_variant(task: TaskSpec, bank: BankFactory, ref: ModelRef, found: Weights) -> dict[str, Any]:
    variant = found.card["variant"]
    turn = trainer.rotation(task, ref, variant)
    net = trainable(ref.handle().family, variant, task.classes, task.sample_rate)
    check = examples(task, turn.blocks("validation"), bank, net, 1, Quiet())
    net.load_state_dict(weights.load(found))
    recipe = Recipe(labels=found.card["recipe"]["labels"])
    with one_thread():
        again = validate(net, check, recipe)
        _same(again, {name: share.value for name, share in shares(net, check, recipe).items()})
    groups = heard(task, turn.blocks("validation"), bank, 1, Quiet())
    return {"again": again, **trainer.judged(net, check, recipe, groups)}


def _of_method(
    task: TaskSpec, bank: BankFactory, ref: ModelRef, method: MethodRef, found: Weights
) -> dict[str, Any]:
    turn = trainer.rotation(task, ref, method.spec)
    handle = ref.handle()
    net = handle.classifier()
    check = examples(task, turn.blocks("validation"), bank, net, 1, Quiet())
    clips = Clips(check.features, check.clip_labels, "cpu")
    lesson = Lesson(
        model=handle,
        training=clips,  # nothing is trained
        validation=clips,
        samples=round(task.duration * task.sample_rate),
        seed=ref.seed,
        name=method.variant,
        progress=Quiet(),
        checkpoint=Path(),
    )
    state, kept = weights.load(found), {}
    make = method.info.shares
    assert make is not None

    def noted(*args: Any, **params: Any) -> dict[str, Share]:
        parts: dict[str, Share] = make()(*args, **params)
        kept.update({name: share.value for name, share in parts.items()})
        return parts

    watched = replace(method, info=replace(method.info, shares=lambda: noted))
    groups = heard(task, turn.blocks("validation"), bank, 1, Quiet())
    return {**teacher.bounded(watched, lesson, state, groups), "again": kept}


def _same(one: dict[str, float], other: dict[str, float]) -> None:
    for name, value in one.items():
        if abs(value - other[name]) > CLOSE * max(1.0, abs(value)):
            raise Differs(f"{name} is {value!r}, and {other[name]!r} now")


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keep the docstring's lines."""


if __name__ == "__main__":
    main()
