"""What a soundbank is: isolated recordings with a label, a role, a split and a group.

A soundbank follows Scaper's layout in names, wherever its audio comes from: the id of a
recording is ``<role>/<label>/<name>``, with ``role`` being ``foreground`` or ``background``.
``group`` names whoever or whatever two recordings must not share across splits: an author,
a house, a meeting, or the original recording that both were cut from.

An *annotated recording* (role ``recording``) is no isolated sound: its id is its file, its
label is empty, and what sounds in it its bank's annotations say
(:mod:`sedbench.data.recordings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sedbench.types import Split

Role = Literal["foreground", "background", "recording"]


@dataclass(frozen=True, slots=True)
class Recording:
    """One isolated recording of a soundbank.

    Attributes
    ----------
    id : str
        ``<role>/<label>/<name>``, unique in the bank, forward slashes; an annotated
        recording's file.
    role : {"foreground", "background", "recording"}
    label : str
    split : {"train", "validation", "test", "development"}
    duration : float
        Seconds.
    group : str
        Never in two splits.
    licence, author, source : str
        Where the recording comes from; may be empty for synthesised ones.
    sha256 : str
        Of the audio file; empty where the audio is synthesised.
    fold : int or None
        For tasks in folds, from 0 on; None where the bank has none.
    """

    id: str
    role: Role
    label: str
    split: Split
    duration: float
    group: str
    licence: str = ""
    author: str = ""
    source: str = ""
    sha256: str = ""
    fold: int | None = None


@runtime_checkable
class Soundbank(Protocol):
    """The contract of a soundbank plugin's product."""

    name: str

    def recordings(self) -> Sequence[Recording]:
        """Every recording, sorted by id. Cheap: no audio is read."""
        ...

    def audio(self, recording_id: str, sample_rate: int) -> NDArray[np.float32]:
        """The whole recording, mono, at ``sample_rate`` Hz, shape ``(samples,)``.

        Raises
        ------
        MissingDataError
            The audio has to be fetched first; the hint is the line to type.
        HashMismatchError
            The file is not the one that the manifest records.
        """
        ...

    def fingerprint(self) -> str:
        """Hexadecimal sha256 over everything that decides what :meth:`audio` returns."""
        ...
