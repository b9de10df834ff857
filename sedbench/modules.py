"""Import a module from where it lies, without touching ``sys.path``.

A package's submodules are found by Python itself once the package is in ``sys.modules``. A module
that is imported already from the same file is taken as it is.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_module(name: str, file: Path) -> ModuleType:
    """Import a file under a name.

    Parameters
    ----------
    name : str
        Without dots. Whatever of that name was imported from elsewhere gives way.
    file : Path
        A module, or a package's ``__init__.py``.

    Raises
    ------
    Exception
        Whatever the module raises; it is then as if it had not been imported.
    """
    file = file.resolve()
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(file):
        return known
    package = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=package)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be imported")
    before = {k: m for k, m in sys.modules.items() if k == name or k.startswith(f"{name}.")}
    for each in before:
        del sys.modules[each]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        sys.modules.update(before)
        raise
    return module
