"""A new plugin: a complete package, written from templates, that works before it is changed.

Templates are texts with words between ``@`` signs; those of a kind lie in a folder of its name,
what every kind shares in ``common``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sedbench.errors import UsageError
from sedbench.files import write_atomic
from sedbench.spec import NAME

_HERE = Path(__file__).parent / "templates"
_WORD = re.compile(r"@([A-Z]+)@")


@dataclass(frozen=True)
class Kind:
    """What differs from kind to kind.

    Attributes
    ----------
    summary : str
        Of what the template makes.
    contract : str
        The function of :mod:`sedbench.testing` that checks it.
    run : tuple of str
        Lines that run it once it is installed.
    note : str
        What they print, where that is not plain.
    """

    summary: str
    contract: str
    run: tuple[str, ...]
    note: str = ""


KINDS = {
    "method": Kind(
        "gradient times features, the mean size of a frame",
        "method_contract",
        ("sedbench run -m @NAME@", "sedbench run -m '@NAME@[power=2]' -m energy"),
    ),
    "detector": Kind(
        "the classifier, asked piece by piece",
        "method_contract",
        ("sedbench run -m @NAME@", "sedbench run -m '@NAME@[size=1]' -m energy"),
    ),
    "model": Kind(
        "two convolutions on a log-mel spectrogram",
        "model_contract",
        ("sedbench train classifier --model @NAME@", "sedbench run -m energy --model @NAME@"),
    ),
    "soundbank": Kind(
        "beeps and hisses, made where they are used",
        "soundbank_contract",
        ("sedbench show @NAME@", "sedbench new-plugin a-task-on-it --kind task"),
    ),
    "task": Kind(
        "sounds that follow each other closely",
        "task_contract",
        ("sedbench soundscapes generate @NAME@", "sedbench run -m energy -t @NAME@"),
    ),
    "metric": Kind(
        "how soon after an onset the scores rise",
        "metric_contract",
        ("sedbench run -m energy -m random",),
        "The last line prints @NAME@ of each row in a table beneath the board: shown, never\n"
        "ranked. With `--json` it stands under `extra_metrics`. Results that were measured before\n"
        "get it too, since it is worked out from what they kept.\n",
    ),
}


def create(name: str, kind: str, folder: Path) -> list[Path]:
    """Write a package.

    Parameters
    ----------
    name : str
        Of the package, and of what it offers: lower-case letters, digits, hyphens.
    kind : str
        One of :data:`KINDS`.
    folder : Path
        Where the package goes; there must be nothing there.

    Returns
    -------
    list of Path
        What was written, sorted.

    Raises
    ------
    UsageError
        The name cannot be one, or the folder is not empty.
    """
    module = re.sub(r"[-.]", "_", name)
    if not NAME.match(name) or not module.isidentifier() or name.startswith("sedbench."):
        raise UsageError(
            f"{name!r} cannot be the name of a plugin",
            "lower-case letters, digits and hyphens, a letter first: my-method",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already, and not empty", "choose another name or --to")
    chosen = KINDS[kind]
    words = {
        "NAME": name,
        "MODULE": module,
        "CLASS": "".join(part.capitalize() for part in module.split("_")),
        "KIND": kind,
        "PRODUCT": "method" if kind == "detector" else kind,
        "SUMMARY": chosen.summary,
        "CONTRACT": chosen.contract,
        "YEAR": str(datetime.now(UTC).year),
    }
    words["RUN"] = "".join(f"    {_filled(line, words)}\n" for line in chosen.run)
    words["NOTE"] = f"\n{_filled(chosen.note, words)}" if chosen.note else ""
    source = Path("src") / module
    places = {
        "common/pyproject.toml": Path("pyproject.toml"),
        "common/README.md": Path("README.md"),
        "common/LICENSE": Path("LICENSE"),
        "common/gitignore": Path(".gitignore"),
        "common/ci.yml": Path(".github/workflows/tests.yml"),
        "common/test_contract.py": Path("tests/test_contract.py"),
        f"{kind}/module.py": source / "__init__.py",
        f"{kind}/test_module.py": Path("tests") / f"test_{module}.py",
    }
    for extra in ("network.py", "task.toml"):
        if (_HERE / kind / f"{extra}.tmpl").is_file():
            places[f"{kind}/{extra}"] = source / extra
    for template, place in places.items():
        text = (_HERE / f"{template}.tmpl").read_text(encoding="utf-8")
        write_atomic(folder / place, _filled(text, words).encode())
    return sorted(folder / place for place in places.values())


def _filled(text: str, words: dict[str, str]) -> str:
    return _WORD.sub(lambda found: words[found[1]], text)
