"""How well does a method find WHEN a sound happens, without having been told.

>>> import sedbench
>>> results = sedbench.run(methods=["random", "energy"], limit=8)  # doctest: +SKIP
>>> results.to_frame()  # doctest: +SKIP

The public surface for plugins is this package, :mod:`sedbench.types`,
:mod:`sedbench.errors`, :mod:`sedbench.hookspecs`, :mod:`sedbench.methods`,
:mod:`sedbench.metrics`, :mod:`sedbench.models`, :mod:`sedbench.data.soundbank`,
:mod:`sedbench.data.folder`, :mod:`sedbench.data.recordings`,
:mod:`sedbench.data.paths`, :mod:`sedbench.data.fetch`, :mod:`sedbench.data.download`,
:mod:`sedbench.data.unpack`, :mod:`sedbench.data.archive`, :mod:`sedbench.data.dealing`
and :mod:`sedbench.files`; for a plugin's tests, :mod:`sedbench.testing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sedbench.hookspecs import hookimpl

if TYPE_CHECKING:
    from sedbench.api import Results, run

__version__ = "0.1.0"
__all__ = ["Results", "__version__", "hookimpl", "run"]


def __getattr__(name: str) -> Any:
    # The runner pulls in NumPy and more: a plugin that only needs `hookimpl` should not pay.
    if name in ("run", "Results"):
        from sedbench import api

        return getattr(api, name)
    raise AttributeError(f"module 'sedbench' has no attribute {name!r}")
