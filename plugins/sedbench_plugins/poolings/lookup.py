"""A pooling by the name of its variant, imported when it is asked for.

Results are identified by the code that a family imports. What is looked up here is none of it,
so that another pooling changes nothing for those that exist; a family names what it may look up
in ``ModelInfo.parts``.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sedbench.errors import UnknownNameError

if TYPE_CHECKING:
    from sedbench_plugins.poolings.base import Pooling


def pooling(variant: str, channels: int, classes: int, owner: str) -> Pooling:
    """Build what a detector pools with.

    Parameters
    ----------
    variant : str
        ``fw-ws-<pooling>``; or ``fw-ss``, which learns from frames and decides by the largest.
    channels, classes : int
    owner : str
        The family's name, for the message.

    Raises
    ------
    UnknownNameError
        There is no such variant.
    """
    known = {"fw-ss": "max"} | {f"fw-ws-{name.replace('_', '-')}": name for name in _modules()}
    if variant not in known:
        names = ("classifier", *sorted(known))
        raise UnknownNameError.of(f"variant of {owner!r}:", variant, names)
    module = importlib.import_module(f"{__package__}.{known[variant]}")
    return cast("Pooling", module.Pool(channels, classes))


def _modules() -> list[str]:
    beside = {"__init__", "base", "lookup", "tokens"}
    return sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - beside)
