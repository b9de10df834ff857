"""Import Zennit where torchvision is missing, or is there and does not load.

``import zennit`` imports ``zennit.torchvision``, which imports torchvision; a torchvision that
was not built for the installed PyTorch fails to load. Zennit needs it there for canonizers of
ResNets and VGGs alone, which no classifier of sounds uses. So that one submodule is left out while
the package is imported: an empty module stands in its place in ``sys.modules``, and is gone from
there and from the package afterwards. Torchvision is not touched. Whoever asks for
``zennit.torchvision`` later gets the real one, or its own error.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_LEFT_OUT = "zennit.torchvision"


def zennit(part: str) -> Any:
    """Import a submodule of Zennit: ``composites``, ``rules`` ..."""
    if "zennit" not in sys.modules:
        _import_package()
    return importlib.import_module(f"zennit.{part}")


def _import_package() -> None:
    stand_in = ModuleType(_LEFT_OUT)
    sys.modules[_LEFT_OUT] = stand_in
    try:
        package = importlib.import_module("zennit")
        if vars(package).get("torchvision") is stand_in:
            del package.torchvision
    finally:
        if sys.modules.get(_LEFT_OUT) is stand_in:
            del sys.modules[_LEFT_OUT]
