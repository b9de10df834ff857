"""Recipes as TOML: how the variants of a model are trained.

What stands at the top holds for every variant, and a table of a variant's name says what is
different for it::

    epochs = 14
    learning_rate = 5e-3

    [detector]
    labels = "frame"

    [detector.augment]
    time_shift = 0.5

The keys are those of :class:`~sedbench.models.contract.Recipe`. An unknown key is an error that
names the file and the key. A family keeps such a file beside its code; one's own is laid over it
(``sedbench train --recipe FILE``) and says nothing about labels: what a detector may learn from
is what its name promises.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sedbench.data.strict import Table
from sedbench.errors import TaskFileError, UsageError
from sedbench.models.augment import Augment
from sedbench.models.contract import CLASS_WEIGHTS, PRECISIONS, Recipe

_KEYS = tuple(field.name for field in fields(Recipe))
_AUGMENT = tuple(field.name for field in fields(Augment))
_LARGEST = {"time_shift": 1.0, "mask_frames": 1.0, "mask_bands": 1.0}


def read(path: Path, variant: str) -> Recipe:
    """Read how a family's file trains a variant.

    Parameters
    ----------
    path : Path
    variant : str

    Raises
    ------
    UsageError
        The file cannot be read, or a key in it is unknown or cannot have that value.
    """
    return _laid_over(Recipe(), path, variant, None, _KEYS)


def overridden(recipe: Recipe, path: Path, variant: str, variants: Sequence[str]) -> Recipe:
    """Lay a file of one's own over a variant's recipe.

    Parameters
    ----------
    recipe : Recipe
        The family's.
    path : Path
    variant : str
    variants : sequence of str
        Every one of the family: other tables are errors.

    Raises
    ------
    UsageError
        The file cannot be read, or a key in it is unknown or cannot have that value.
    """
    keys = tuple(key for key in _KEYS if key != "labels")
    return _laid_over(recipe, path, variant, tuple(variants), keys)


def _laid_over(
    recipe: Recipe,
    path: Path,
    variant: str,
    variants: Sequence[str] | None,
    keys: tuple[str, ...],
) -> Recipe:
    values = _parsed(path)
    if variants is None:
        variants = [k for k, v in values.items() if isinstance(v, dict) and k != "augment"]
    try:
        top = Table(values, str(path), (*keys, *variants))
        # Every table is read, so that an error in another variant's shows too.
        others = {each: top.table(each, keys, required=False) for each in variants}
        for each in others.values():
            _filled(each, recipe)
        recipe = _filled(top, recipe)
        return _filled(others[variant], recipe) if variant in others else recipe
    except TaskFileError as error:
        raise UsageError(error.message, error.hint or "docs/models.md lists the keys") from error


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot read the recipe {path}: {error.strerror}", "check the path"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}", "correct the file there") from error


def _filled(table: Table, base: Recipe) -> Recipe:
    number: dict[str, Any] = {
        "learning_rate": _between(table, "learning_rate", base.learning_rate, above=0.0),
        "weight_decay": _between(table, "weight_decay", base.weight_decay),
        "smoothing": _between(table, "smoothing", base.smoothing, below=0.5),
        "positive_weight": _between(table, "positive_weight", base.positive_weight, above=0.0),
        "ema": _between(table, "ema", base.ema, below=1.0),
    }
    own = table.table("augment", _AUGMENT, required=False)
    augment = {
        name: _between(own, name, getattr(base.augment, name), most=_LARGEST.get(name))
        for name in _AUGMENT
    }
    whole: dict[str, Any] = {
        name: table.integer(name, getattr(base, name), minimum=1)
        for name in ("epochs", "batch", "patience")
    }
    chosen: dict[str, Any] = {
        "labels": table.choice("labels", ("clip", "frame"), base.labels),
        "class_weights": table.choice("class_weights", CLASS_WEIGHTS, base.class_weights),
        "precision": table.choice("precision", PRECISIONS, base.precision),
        "augment": Augment(**augment),
    }
    return replace(base, **number, **whole, **chosen)


def _between(
    table: Table,
    key: str,
    default: float,
    *,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> float:
    value = table.number(key, default, above=above)
    if value < 0:
        raise table.error(key, f"expected at least 0, got {value}")
    if below is not None and value >= below:
        raise table.error(key, f"expected less than {below}, got {value}")
    if most is not None and value > most:
        raise table.error(key, f"expected at most {most}, got {value}")
    return value
