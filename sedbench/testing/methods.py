"""The contract of a method, a detector or a baseline.

It is run on a planted model (:mod:`sedbench.testing.planted`) in a second or two, and needs no
trained weights and no recordings. It tells whether answers can be relied on, not whether they are
good: that is what a task is for.
"""

from __future__ import annotations

from sedbench.testing.answering import MethodAnswers
from sedbench.testing.manners import MethodManners
from sedbench.testing.worlds import MethodWorlds


class MethodContract(MethodWorlds, MethodManners, MethodAnswers):
    """Every check of a method; see :func:`sedbench.testing.method_contract`."""
