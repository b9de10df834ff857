"""The hooks that a plugin may implement (pluggy, entry-point group ``sedbench``).

Each hook gets a ``register`` callable and calls it once for everything it offers::

    @sedbench.hookimpl
    def sedbench_register_methods(register):
        register(MethodInfo(name="loudest", summary="..."), build)

``info`` is cheap metadata; ``factory`` is a module-level function that imports what is
heavy only when it is called. No hook lets a plugin add commands: a plugin must not be
able to break the command line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:  # NumPy comes with it, and whoever imports any part of sedbench comes by here
    from sedbench.types import Info

PROJECT = "sedbench"
HOOK_VERSION = 1
"""Raised when hooks or what they hand over change so that plugins have to change too.

A plugin may say at module level for which it was written, ``sedbench_hooks = 1``; one that was
written for another is listed as broken, and not called.
"""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Factory = Callable[..., Any]


class Register(Protocol):
    """What a hook calls for each thing it offers."""

    def __call__(self, info: Info, factory: Factory) -> None:
        """Offer ``factory`` under ``info.name``."""


@hookspec
def sedbench_register_methods(register: Register) -> None:
    """Offer methods, detectors and baselines.

    Parameters
    ----------
    register : callable
        ``register(MethodInfo, factory)``. The factory is called with the declared
        parameters as keywords and returns an object with
        ``answer(query, model) -> Answer`` (see :class:`sedbench.methods.Method`).
    """


@hookspec
def sedbench_register_models(register: Register) -> None:
    """Offer classifier families.

    Parameters
    ----------
    register : callable
        ``register(ModelInfo, factory)``. The factory returns a
        :class:`sedbench.models.contract.ModelFamily`.
    """


@hookspec
def sedbench_register_soundbanks(register: Register) -> None:
    """Offer soundbanks.

    Parameters
    ----------
    register : callable
        ``register(SoundbankInfo, factory)``. The factory returns a
        :class:`sedbench.data.soundbank.Soundbank`.
    """


@hookspec
def sedbench_register_tasks(register: Register) -> None:
    """Offer tasks.

    Parameters
    ----------
    register : callable
        ``register(TaskInfo, factory)``. The factory returns the path of a ``task.toml``.
    """


@hookspec
def sedbench_register_metrics(register: Register) -> None:
    """Offer metrics.

    Parameters
    ----------
    register : callable
        ``register(MetricInfo, factory)``. The factory returns a function of scores or
        masks and truth; a third party's metric is shown, never ranked.
    """
