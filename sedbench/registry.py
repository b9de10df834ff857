"""Load plugins, each alone, and list what they offer.

Entry points of the group ``sedbench`` are walked sorted by distribution and name; each is
loaded, checked by pluggy and called by itself. Whatever one of them raises makes a listed
:class:`BrokenPlugin`, never a crash. Names are unique: a built-in keeps its name, and
between two third parties that claim the same one both are refused.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Literal

import pluggy

from sedbench import hookspecs
from sedbench.errors import BrokenPluginError, UnknownNameError
from sedbench.hookspecs import Factory
from sedbench.spec import NAME
from sedbench.types import Info, MethodInfo, MetricInfo, ModelInfo, SoundbankInfo, TaskInfo

GROUP = "sedbench"
BUILT_IN = "sedbench"  # the distribution whose names nobody can take
Kind = Literal["methods", "models", "soundbanks", "tasks", "metrics"]
KINDS: dict[Kind, type[Info]] = {
    "methods": MethodInfo,
    "models": ModelInfo,
    "soundbanks": SoundbankInfo,
    "tasks": TaskInfo,
    "metrics": MetricInfo,
}
_SINGULAR: dict[Kind, str] = {k: k[:-1] for k in KINDS}


@dataclass(frozen=True)
class Entry:
    """Something registered: its metadata, its factory and who offers it."""

    info: Info
    factory: Factory
    plugin: str
    distribution: str
    version: str


@dataclass(frozen=True)
class Plugin:
    """A plugin that loaded."""

    name: str
    distribution: str
    version: str
    offers: tuple[str, ...]


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that did not load, or one of its claims that was refused.

    Attributes
    ----------
    phase : {"select", "import", "version", "check", "register", "clash"}
        What went wrong: the environment names a plugin that is not there; it was imported, asked
        for the version of its hooks, checked, called; or another plugin has the name.
    offers : tuple of str
        Names that are known to be missing because of it, where they are known.
    """

    name: str
    distribution: str
    version: str
    phase: str
    error: str
    hint: str
    offers: tuple[str, ...] = ()


@dataclass
class Registry:
    """Everything that installed plugins offer, by kind and name."""

    entries: dict[Kind, dict[str, Entry]] = field(default_factory=lambda: {k: {} for k in KINDS})
    plugins: list[Plugin] = field(default_factory=list)
    broken: list[BrokenPlugin] = field(default_factory=list)

    def get(self, kind: Kind, name: str) -> Entry:
        """The entry of that name.

        Raises
        ------
        BrokenPluginError
            A plugin that is known, or named so, did not load.
        UnknownNameError
            Nothing answers to the name.
        """
        if name in self.entries[kind]:
            return self.entries[kind][name]
        for plugin in self.broken:
            if name == plugin.name or name in plugin.offers:
                raise BrokenPluginError(
                    f"{_SINGULAR[kind]} {name!r} belongs to plugin {plugin.name!r} of "
                    f"{plugin.distribution} {plugin.version}, which did not load "
                    f"({plugin.phase}): {plugin.error}",
                    plugin.hint,
                )
        raise UnknownNameError.of(_SINGULAR[kind], name, self.entries[kind])

    def names(self, kind: Kind) -> list[str]:
        """Every registered name of a kind, sorted."""
        return sorted(self.entries[kind])


@dataclass(frozen=True)
class Source:
    """One entry point, as the loader sees it (tests make their own)."""

    name: str
    distribution: str
    version: str
    load: Callable[[], Any]


def installed_sources() -> Iterator[Source]:
    """Entry points of the group, sorted by distribution and name.

    ``SEDBENCH_PLUGINS=a,b`` keeps only those entry points, ``SEDBENCH_DISABLE_PLUGINS=a,b``
    drops them; built-in ones are always kept.
    """
    only = _names_in("SEDBENCH_PLUGINS")
    never = _names_in("SEDBENCH_DISABLE_PLUGINS") or set()
    points = importlib.metadata.entry_points(group=GROUP)
    found: dict[tuple[str, str], Source] = {}
    for point in points:
        dist = point.dist
        distribution = dist.name if dist is not None else "unknown"
        if distribution != BUILT_IN and (
            point.name in never or (only is not None and point.name not in only)
        ):
            continue
        version = dist.version if dist is not None else "unknown"
        # The same distribution can be seen twice (a checkout on the path and its install).
        found.setdefault(
            (distribution, point.name), Source(point.name, distribution, version, point.load)
        )
    for name in sorted((only or set()) - {name for _, name in found}):
        found["unknown", name] = Source(name, "unknown", "unknown", partial(_not_there, name))
    for key in sorted(found):
        yield found[key]


class NotThereError(LookupError):
    """``SEDBENCH_PLUGINS`` names a plugin that is not installed."""


def _not_there(name: str) -> Any:
    raise NotThereError(f"SEDBENCH_PLUGINS names {name!r}, and no such plugin is installed")


def _names_in(variable: str) -> set[str] | None:
    text = os.environ.get(variable)
    if text is None:
        return None
    return {name.strip() for name in text.split(",") if name.strip()}


def build(sources: Iterable[Source]) -> Registry:
    """Load every source alone and settle who owns which name."""
    registry = Registry()
    offers: list[tuple[Kind, Entry]] = []
    for source in sources:
        collected: list[tuple[Kind, Entry]] = []
        phase = "import"
        try:
            with _traced(source, "import"):
                module = source.load()
            phase = "version"
            _check_version(module)
            phase = "check"
            hooks = _own_hooks(module, source.name)
            phase = "register"
            _call_hooks(hooks, source, collected)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may raise anything, SystemExit included
            registry.broken.append(_broken(source, phase, error, collected))
            continue
        names = tuple(sorted(f"{_SINGULAR[kind]} {e.info.name}" for kind, e in collected))
        registry.plugins.append(Plugin(source.name, source.distribution, source.version, names))
        offers.extend(collected)
    _settle(offers, registry)
    return registry


def _check_version(module: Any) -> None:
    written_for = getattr(module, "sedbench_hooks", hookspecs.HOOK_VERSION)
    if written_for != hookspecs.HOOK_VERSION:
        raise TypeError(
            f"it was written for version {written_for!r} of the hooks, and this is version "
            f"{hookspecs.HOOK_VERSION}"
        )


def _own_hooks(module: Any, name: str) -> pluggy.PluginManager:
    # A manager for each plugin: pluggy checks the signatures, and one plugin's mistake
    # cannot reach another's hooks.
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    if module is None:
        raise TypeError(f"the entry point {name!r} names nothing")
    manager.register(module, name)
    manager.check_pending()
    if not manager.get_hookcallers(module):
        raise TypeError("it implements no sedbench hook")
    return manager


def _call_hooks(
    manager: pluggy.PluginManager, source: Source, collected: list[tuple[Kind, Entry]]
) -> None:
    for kind, wanted in KINDS.items():

        def register(
            info: Info, factory: Factory, kind: Kind = kind, wanted: type[Info] = wanted
        ) -> None:
            if not isinstance(info, wanted):
                raise TypeError(
                    f"register() wants a {wanted.__name__} here, got {type(info).__name__}"
                )
            if not NAME.match(info.name):
                raise ValueError(f"{info.name!r} is no name: lower case, digits, '-', '_', '.'")
            if not callable(factory):
                raise TypeError(f"the factory of {info.name!r} is not callable")
            if any(k == kind and e.info.name == info.name for k, e in collected):
                raise ValueError(f"{_SINGULAR[kind]} {info.name!r} is registered twice")
            collected.append(
                (kind, Entry(info, factory, source.name, source.distribution, source.version))
            )

        hook = getattr(manager.hook, f"sedbench_register_{kind}")
        if hook.get_hookimpls():
            with _traced(source, hook.name):
                hook(register=register)


@contextmanager
def _traced(source: Source, what: str) -> Iterator[None]:
    """Say on stderr how long something took of a plugin, where the environment asks for it."""
    if os.environ.get("SEDBENCH_TRACE_PLUGINS", "") in ("", "0"):
        yield
        return
    started, came = time.perf_counter(), "failed"
    try:
        yield
        came = "done"
    finally:
        took = 1000 * (time.perf_counter() - started)
        print(
            f"trace: {source.distribution} {source.version}, {source.name}: {what} {came} in "
            f"{took:.1f} ms",
            file=sys.stderr,
        )


def _broken(
    source: Source, phase: str, error: BaseException, collected: list[tuple[Kind, Entry]]
) -> BrokenPlugin:
    hints = {
        "select": "`sedbench list plugins` has the names",
        "import": f"pip install --upgrade {source.distribution}, or uninstall it",
        "version": f"install the {source.distribution} that was made for this sedbench, or "
        "another sedbench",
        "check": "its hooks do not have the form that this version of sedbench calls",
        "register": "report it to the plugin's authors",
    }
    if isinstance(error, NotThereError):
        phase = "select"
    hint = hints[phase]
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    if phase == "import" and missing:
        hint = (
            f"pip install whatever brings the module {str(missing).partition('.')[0]!r}; where "
            "that is the plugin's own, its entry point names nothing"
        )
    elif phase == "import" and isinstance(error, AttributeError):
        hint = f"its entry point {source.name!r} may name nothing: report it to the authors"
    return BrokenPlugin(
        source.name,
        source.distribution,
        source.version,
        phase,
        _one_line(error),
        hint,
        tuple(e.info.name for _, e in collected),
    )


def _one_line(error: BaseException) -> str:
    lines = str(error).splitlines() or [""]
    # What pluggy finds wrong with a signature stands in its last line.
    told = [lines[0], lines[-1]] if isinstance(error, pluggy.PluginValidationError) else lines[:1]
    return f"{type(error).__name__}: {'; '.join(dict.fromkeys(told))}"


def _settle(offers: list[tuple[Kind, Entry]], registry: Registry) -> None:
    claims: dict[tuple[Kind, str], list[Entry]] = {}
    for kind, entry in offers:
        claims.setdefault((kind, entry.info.name), []).append(entry)
    for (kind, name), entries in claims.items():
        built_in = [e for e in entries if e.distribution == BUILT_IN]
        if len(entries) == 1:
            registry.entries[kind][name] = entries[0]
            continue
        if built_in:
            registry.entries[kind][name] = built_in[0]
        refused = [e for e in entries if not built_in or e is not built_in[0]]
        for entry in refused:
            others = ", ".join(
                sorted(f"{e.plugin} ({e.distribution})" for e in entries if e is not entry)
            )
            registry.broken.append(
                BrokenPlugin(
                    entry.plugin,
                    entry.distribution,
                    entry.version,
                    "clash",
                    f"{_SINGULAR[kind]} {name!r} is also claimed by {others}",
                    "rename one of them, or set SEDBENCH_DISABLE_PLUGINS to leave one out",
                    () if built_in else (name,),
                )
            )


@cache
def registry() -> Registry:
    """The registry of what is installed, loaded once a process."""
    return build(installed_sources())


@cache
def built_in() -> Registry:
    """The registry of what sedbench itself ships: nobody else's code is loaded."""
    return build(s for s in installed_sources() if s.distribution == BUILT_IN)
