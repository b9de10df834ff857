"""The two families: CNN14 as published, and heads on it."""

from __future__ import annotations

from pathlib import Path

from sedbench.errors import NotApplicable, UnknownNameError
from sedbench.models.contract import Recipe
from sedbench.models.recipes import read
from sedbench_plugins.cnn14.asset import PUBLISHED, Asset
from sedbench_plugins.cnn14.models import Cnn14, Cnn14Head, HeadTraining


class Cnn14Family:
    """CNN14 with its own classes.

    Parameters
    ----------
    asset : Asset
        The checkpoint.
    """

    def __init__(self, asset: Asset = PUBLISHED) -> None:
        self.asset = asset

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> Cnn14:
        """Build the network with random weights."""
        if variant != "classifier":
            raise UnknownNameError.of("variant of 'cnn14':", variant, ("classifier",))
        return Cnn14(classes, sample_rate, self.asset)

    def recipe(self, variant: str) -> Recipe:
        """Refuse: CNN14 comes trained.

        Raises
        ------
        NotApplicable
            Always.
        """
        raise NotApplicable("cnn14 knows its classes from AudioSet; there is nothing to train")


class Cnn14HeadFamily:
    """Linear heads on the frozen trunk.

    Parameters
    ----------
    asset : Asset
        The checkpoint.
    """

    def __init__(self, asset: Asset = PUBLISHED) -> None:
        self.asset = asset

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> Cnn14Head:
        """Build the whole network with random weights, trunk and head.

        Raises
        ------
        UnknownNameError
            There is no such variant.
        """
        return Cnn14Head(classes, sample_rate, variant, self.asset)

    def trainable(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> HeadTraining:
        """Build an untrained head on the pretrained trunk.

        Raises
        ------
        MissingDataError
            The checkpoint has to be fetched first.
        """
        whole = self.build(variant, classes, sample_rate)
        whole.body.load_published(self.asset.tensors())
        return HeadTraining(whole.eval())

    def recipe(self, variant: str) -> Recipe:
        """How each variant is trained."""
        return read(Path(__file__).parent / "recipes.toml", variant)
