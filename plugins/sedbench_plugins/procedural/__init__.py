"""The embedded soundbank ``procedural``: ten domestic sound classes made by physical models.

Nothing is recorded and nothing is downloaded: every recording is a pure function of its
class and its number. How each class is made, and how far it is from real recordings,
is told in ``docs/soundbank.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sedbench.types import SoundbankInfo

if TYPE_CHECKING:
    from sedbench.data.soundbank import Soundbank

INFO = SoundbankInfo(
    name="procedural",
    summary="the ten DESED classes and eight backgrounds, synthesised by physical models",
    reference="source-filter, modal, bubble and motor models; see docs/soundbank.md",
    licence="MIT",
)


def build() -> Soundbank:
    """Make the bank; SciPy is imported only now."""
    from sedbench_plugins.procedural.bank import ProceduralBank

    return ProceduralBank()


__all__ = ["INFO", "build"]
