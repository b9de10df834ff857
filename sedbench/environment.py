"""What a result was measured with: versions, hardware class, commit; and nothing personal.

Nothing here imports a package to ask for its version: versions come from the metadata of what
pip installed, so that the answer is cheap and never starts PyTorch. No host name, user name or
path is recorded: results are published.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sedbench

_ROOT = Path(sedbench.__file__).parents[1]  # of the checkout, where this runs from one
_PATIENCE = 10.0  # seconds that git or a driver may take


@dataclass(frozen=True)
class Requirement:
    """A package that sedbench needs, and what is installed of it.

    Attributes
    ----------
    name : str
    wanted : str
        The versions that will do, ``<2.14,>=2.13``; empty where any will.
    found : str or None
        The installed version; None where the package is absent.
    """

    name: str
    wanted: str
    found: str | None

    @property
    def ok(self) -> bool:
        """Whether the installed version is one of those that will do."""
        from packaging.specifiers import SpecifierSet

        return self.found is not None and SpecifierSet(self.wanted).contains(
            self.found, prereleases=True
        )


def environment() -> dict[str, Any]:
    """Versions and hardware, as plain JSON values.

    Returns
    -------
    dict
        ``sedbench``, ``python``, ``platform`` (system and architecture), ``cpu`` (``model``,
        ``cores`` that this process may use), ``memory_gib``, ``accelerator`` and ``packages``
        (name to version, None where absent). What cannot be found out is None.
    """
    return {
        "sedbench": sedbench.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": {"model": _cpu(), "cores": _cores()},
        "memory_gib": _memory(),
        "accelerator": _accelerator(),
        "packages": {each.name: each.found for each in requirements()},
    }


def requirements() -> list[Requirement]:
    """What sedbench requires here, sorted by name, extras left out."""
    from packaging.requirements import Requirement as Parsed

    parsed = [Parsed(text) for text in _declared()]
    return sorted(
        (
            Requirement(each.name, str(each.specifier), _version(each.name))
            for each in parsed
            if each.marker is None or each.marker.evaluate({"extra": ""})
        ),
        key=lambda each: each.name,
    )


def commit_state() -> dict[str, Any]:
    """The commit that is run from, where this is a git checkout of sedbench itself.

    Returns
    -------
    dict
        ``commit`` (hexadecimal, None before the first one) and ``dirty`` (whether files differ
        from it); empty where sedbench was installed, or git cannot tell.
    """
    if not (_ROOT / ".git").exists() or not (_ROOT / "pyproject.toml").exists():
        return {}
    status = _output(["git", "-C", str(_ROOT), "status", "--porcelain"])
    if status is None:
        return {}
    commit = _output(["git", "-C", str(_ROOT), "rev-parse", "--verify", "--quiet", "HEAD"])
    return {"commit": commit, "dirty": commit is None or bool(status)}


@cache
def _declared() -> tuple[str, ...]:
    try:
        return tuple(importlib.metadata.requires("sedbench") or ())
    except importlib.metadata.PackageNotFoundError:
        pass  # run from a checkout that was not installed
    try:
        project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return ()
    return tuple(project.get("dependencies", ()))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or None


def _cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):  # a container may see more cores than it may use
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory() -> float | None:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    return round(size / 2**30, 1)


@cache
def _accelerator() -> str | None:
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "Apple silicon"
    names = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    if not names:
        return None
    cards = [name.strip() for name in names.splitlines()]
    return cards[0] if len(cards) == 1 else f"{len(cards)} x {cards[0]}"


def _output(command: Sequence[str]) -> str | None:
    """What a program prints, or None where it is absent, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
            # Asking must not write to the repository, which others may be using.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
