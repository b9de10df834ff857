"""The two families: YAMNet as published, and heads on it; ``recipes.toml`` trains them."""

from __future__ import annotations

from pathlib import Path

from sedbench.errors import NotApplicable, UnknownNameError
from sedbench.models.contract import Recipe
from sedbench.models.recipes import read
from sedbench_plugins.yamnet import asset
from sedbench_plugins.yamnet.models import HeadTraining, Yamnet, YamnetHead


class YamnetFamily:
    """YAMNet with its own classes.

    Parameters
    ----------
    whole : bool
        Run the trunk over a clip in one piece instead of patch by patch.
    """

    def __init__(self, whole: bool = False) -> None:
        self.whole = whole

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> Yamnet:
        """Build the network with random weights.

        Raises
        ------
        UnknownNameError
            There is no such variant, or a class means nothing to YAMNet.
        """
        if variant != "classifier":
            raise UnknownNameError.of("variant of 'yamnet':", variant, ("classifier",))
        return Yamnet(classes, sample_rate, self.whole)

    def recipe(self, variant: str) -> Recipe:
        """Refuse: YAMNet comes trained.

        Raises
        ------
        NotApplicable
            Always.
        """
        raise NotApplicable("yamnet knows its classes from AudioSet; there is nothing to train")


class YamnetHeadFamily:
    """Linear heads on the frozen trunk.

    Parameters
    ----------
    whole : bool
        Run the trunk over a clip in one piece instead of patch by patch.
    """

    def __init__(self, whole: bool = False) -> None:
        self.whole = whole

    def build(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> YamnetHead:
        """Build the whole network with random weights, trunk and head.

        Raises
        ------
        UnknownNameError
            There is no such variant.
        """
        return YamnetHead(classes, sample_rate, variant, self.whole)

    def trainable(self, variant: str, classes: tuple[str, ...], sample_rate: int) -> HeadTraining:
        """Build an untrained head on the published trunk.

        Raises
        ------
        MissingDataError
            The weights have to be fetched first.
        """
        model = self.build(variant, classes, sample_rate)
        model.load_trunk(asset.arrays())
        return HeadTraining(model)

    def recipe(self, variant: str) -> Recipe:
        """How each variant is trained."""
        return read(Path(__file__).parent / "recipes.toml", variant)
