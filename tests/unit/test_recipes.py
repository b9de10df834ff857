"""Recipe files: what they say, what is laid over what, and every way to be wrong."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import sedbench_plugins
from sedbench.errors import UsageError
from sedbench.models.augment import Augment
from sedbench.models.contract import Recipe
from sedbench.models.recipes import overridden, read
from sedbench.models.training import recipe_facts
from sedbench.registry import registry

VARIANTS = ("classifier", "weak", "strong")
TEXT = """
epochs = 14
learning_rate = 1
augment.time_shift = 0.5

[strong]
labels = "frame"
epochs = 7

[strong.augment]
mixup = 0.2
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_variants_table_goes_before_what_holds_for_all(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    common = Recipe(epochs=14, learning_rate=1.0, augment=Augment(time_shift=0.5))
    assert read(path, "classifier") == read(path, "weak") == common
    expected = replace(common, labels="frame", epochs=7, augment=Augment(time_shift=0.5, mixup=0.2))
    assert read(path, "strong") == expected
    assert read(written(tmp_path, ""), "weak") == Recipe()


def test_ones_own_goes_before_the_familys(tmp_path: Path) -> None:
    family = Recipe(labels="frame", epochs=14, batch=16, positive_weight=2.0)
    path = written(tmp_path, 'batch = 8\n[strong]\nema = 0.999\nprecision = "bfloat16"\n')
    found = overridden(family, path, "strong", VARIANTS)
    assert found == replace(family, batch=8, ema=0.999, precision="bfloat16")
    assert overridden(family, path, "weak", VARIANTS) == replace(family, batch=8)
    path = written(tmp_path, 'class_weights = "balanced"')
    assert overridden(family, path, "weak", VARIANTS) == replace(family, class_weights="balanced")
    assert overridden(family, written(tmp_path, ""), "weak", VARIANTS) == family


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("epoch = 3", "'epoch'", "epochs"),
        ("[strnog]\nepochs = 3", "'strnog'", "strong"),
        ("[weak]\nlerning_rate = 3", "'weak.lerning_rate'", "learning_rate"),
        ("[augment]\nmixups = 3", "'augment.mixups'", "mixup"),
        ("[weak.augment]\nmixups = 3", "'weak.augment.mixups'", "mixup"),
        ('labels = "frame"', "'labels'", ""),
        ('[weak]\nlabels = "frame"', "'weak.labels'", ""),
        ("epochs = 0", "epochs: expected at least 1", ""),
        ("epochs = 2.5", "epochs: expected a whole number", ""),
        ("batch = true", "batch: expected a whole number", ""),
        ("learning_rate = 0", "learning_rate: expected a finite number above", ""),
        ("weight_decay = -1", "weight_decay: expected at least 0", ""),
        ("weight_decay = nan", "weight_decay: expected a finite number", ""),
        ("smoothing = 0.5", "smoothing: expected less than 0.5", ""),
        ("ema = 1", "ema: expected less than 1", ""),
        ("augment.time_shift = 1.5", "augment.time_shift: expected at most 1", ""),
        ("augment = 3", "augment: expected a table", ""),
        ('class_weights = "balance"', "class_weights: 'balance'", "balanced"),
        ('precision = "bfloat"', "precision: 'bfloat'", "bfloat16"),
        ("weak = 3", "weak: expected a table", ""),
        ("epochs 3", "is not TOML", "correct"),
    ],
)
def test_what_cannot_be_names_the_file_and_the_key(
    tmp_path: Path, text: str, problem: str, hint: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        overridden(Recipe(), path, "strong", VARIANTS)
    assert str(path) in caught.value.message and problem in caught.value.message
    assert hint in caught.value.hint and caught.value.hint
    assert caught.value.exit_code == 2


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the recipe .*none\.toml"):
        overridden(Recipe(), tmp_path / "none.toml", "weak", VARIANTS)


def test_a_card_says_nothing_of_what_is_off() -> None:
    plain = recipe_facts(Recipe())
    assert not {"ema", "precision", "augment", "class_weights"} & plain.keys()
    balanced = Recipe(class_weights="balanced")
    assert recipe_facts(balanced) == plain | {"class_weights": "balanced"}
    loud = Recipe(ema=0.9, augment=Augment(mixup=0.2))
    assert recipe_facts(loud) == plain | {"ema": 0.9, "augment": asdict(loud.augment)}


FILES = sorted(Path(sedbench_plugins.__file__).parent.glob("*/recipes.toml"))


def test_the_plugins_recipes_are_of_variants_that_exist() -> None:
    assert FILES
    known = {
        variant
        for entry in registry().entries["models"].values()
        for variant in getattr(entry.info, "variants", ())
    }
    for path in FILES:
        tables = {
            key
            for key, value in tomllib.loads(path.read_text()).items()
            if key != "augment" and isinstance(value, dict)
        }
        assert tables <= known, path
        for variant in known:
            recipe = read(path, variant)
            assert recipe.labels == ("frame" if variant == "fw-ss" else "clip")
            # What the rows of a board are compared under: nothing that helps one of them alone.
            assert not recipe.ema and not recipe.augment and recipe.precision == "float32"


@pytest.mark.parametrize("embeddings", [False, True])
def test_bands_of_embeddings_are_not_augmented(embeddings: bool) -> None:
    Augment(time_shift=1, mixup=1, mask_frames=1).check(embeddings)
    for name in ("mask_bands", "filter"):
        how = Augment(**{name: 0.5})
        if not embeddings:
            how.check(embeddings)
            continue
        with pytest.raises(UsageError, match=f"augment.{name}"):
            how.check(embeddings)
