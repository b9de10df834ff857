"""What a card says beside scores: what was learnt from, under which licences, and the limits.

All of it is what plugins and tasks say of themselves; nothing is made up. What nobody stated is
said to be so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sedbench.tasks import TaskSpec
from sedbench.types import Info

UNSTATED = "not stated"
# True of everything that is trained here.
CHOSEN = "The validation clips that it is scored on also chose the epoch, so the scores flatter it."


@dataclass(frozen=True)
class About:
    """Words for cards.

    Attributes
    ----------
    sounds : str
        What the task's sounds are.
    licence : mapping of str to str
        Of the weights, of the classifier beneath what a method learnt, of the task and its sounds.
    limits : tuple of str
    """

    sounds: str = ""
    licence: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Tell the entries of a card; what is empty is left out."""
        told = {"licence": dict(self.licence), "limits": list(self.limits)}
        return {key: value for key, value in told.items() if value}


def about(task: TaskSpec, bank: Info, model: Info, method: Info | None = None) -> About:
    """Gather what is said of a training.

    Parameters
    ----------
    task : TaskSpec
        What is learnt from.
    bank : Info
        Of its sounds.
    model : Info
    method : Info, optional
        The method that learns; the model is then what it explains.
    """
    owner = model if method is None else method
    licence = {"weights": _licence(owner)}
    if method is not None:
        licence["classifier"] = _licence(model)
    licence |= {"task": task.licence or UNSTATED, "sounds": _licence(bank)}
    return About(bank.summary, licence, (*getattr(owner, "limits", ()), CHOSEN))


def _licence(info: Info) -> str:
    return str(getattr(info, "licence", "")) or UNSTATED
