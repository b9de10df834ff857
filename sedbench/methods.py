"""The contract of everything that scores frames: methods, detectors and baselines alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sedbench.types import Answer, Query

if TYPE_CHECKING:
    from sedbench.models.store import ModelHandle


@runtime_checkable
class Method(Protocol):
    """What a method's factory returns."""

    def answer(self, query: Query, model: ModelHandle) -> Answer:
        """Score every queried pair over time.

        Parameters
        ----------
        query : Query
            A batch of clips and the (clip, class) pairs to score. Work that the target
            classes of a clip share should be done once.
        model : ModelHandle
            Gives the explained classifier, and trained detectors of the same family.

        Returns
        -------
        Answer
            One row of frame scores per pair, in the order of ``query.pairs``.

        Raises
        ------
        NotApplicable
            The method has no meaning for this model; the message says why.
        """
        ...
