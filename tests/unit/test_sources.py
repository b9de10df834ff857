"""Which code decides an answer: what is followed, what is left out, and that nothing runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from sedbench import sources, splits
from sedbench.info import MethodInfo
from sedbench.refs import ModelRef
from sedbench.registry import registry

TEXTS = {
    "__init__": "",
    "method": (
        "from kit import far\n"
        "from kit.sub import Base\n"
        "LEVEL = 3\n"
        "OTHER = 4\n"
        "def build():\n"
        "    from kit.shared import HOW\n"
        "    return Made(HOW + LEVEL)\n"
        "class Made(Base):\n"
        "    def answer(self):\n"
        "        return far.near() + helper()\n"
        "def helper():\n"
        "    return 1\n"
        "def stranger():\n"
        "    return OTHER\n"
    ),
    "shared": "HOW = 1\nWHY = 2\n",
    "far": "import json\nfrom kit.method import build\nX = 1\ndef near():\n    return X\n",
    "alone": "X = 1\n",
    "sub/__init__": "from .base import Base\n",
    "sub/base": "from ..far import X\nclass Base:\n    level = X\n",
}


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Hash what ``kit.method.build`` uses, with some texts changed."""
    package = tmp_path / "kit"
    (package / "sub").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "kit", raising=False)

    def write(changes: dict[str, tuple[str, str]]) -> None:
        for name, text in TEXTS.items():
            old, new = changes.get(name, ("", ""))
            assert old in text
            (package / f"{name}.py").write_text(text.replace(old, new) if old else text)

    write({})
    for name in ("kit", "kit.method"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec = importlib.util.spec_from_file_location("kit.method", package / "method.py")
    assert spec is not None
    module = ModuleType("kit.method")  # never run: only its place is known
    module.__file__ = str(package / "method.py")
    monkeypatch.setitem(sys.modules, "kit.method", module)

    def build() -> None: ...

    build.__module__, build.__qualname__ = "kit.method", "build"

    def found(**changes: tuple[str, str]) -> str:
        write(changes)
        sources.forget()
        return sources.code_of(build)

    return found


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("method", "HOW + LEVEL", "HOW - LEVEL"),  # the factory itself
        ("method", "LEVEL = 3", "LEVEL = 5"),  # a constant that it names
        ("method", "return 1\n", "return 2\n"),  # a function that what it builds calls
        ("method", "from kit import far", "from kit import alone as far"),
        ("method", "def build():", "@far.note\ndef build():"),
        ("shared", "HOW = 1", "HOW = 2"),  # imported inside a function
        ("shared", "WHY = 2", "print(HOW)"),  # what a module does besides
        ("far", "X = 1", "X = 2"),  # a module that is used by its name
        ("sub/base", "level = X", "level = -X"),  # through a package, relatively
    ],
)
def test_what_an_answer_uses_changes_its_code(
    code: Callable[..., str], name: str, old: str, new: str
) -> None:
    assert code(**{name: (old, new)}) != code()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("method", "OTHER = 4", "OTHER = 5"),
        ("method", "def stranger():", "def stranger(x=1):"),
        ("method", "LEVEL = 3\nOTHER = 4\n", "OTHER = 4\n\n# why\nLEVEL = 3\n"),
        ("method", "def helper():\n", 'def helper():\n    """Help."""\n'),
        ("method", "LEVEL = 3\n", "if TYPE_CHECKING:\n    import z\nLEVEL = 3\n"),
        ("shared", "HOW = 1", "HOW = 1  # why"),
        ("shared", "WHY = 2", "WHY = 3"),
        ("alone", "X = 1", "X = 2"),
    ],
)
def test_what_it_does_not_use_changes_nothing(
    code: Callable[..., str], name: str, old: str, new: str
) -> None:
    assert code(**{name: (old, new)}) == code()


def test_nothing_is_imported(code: Callable[..., str]) -> None:
    code(shared=("HOW = 1", "raise SystemExit\nHOW = 1"))
    assert not {"kit.shared", "kit.far", "kit.sub"} & set(sys.modules)


def test_a_function_that_puts_itself_somewhere_counts(code: Callable[..., str]) -> None:
    with_table = "TABLE = {}\ndef put(f):\n    TABLE[f.__name__] = f\n@put\ndef one():\n    return "
    read = "HOW = TABLE['one']()\n"
    texts = [("HOW = 1\n", f"{with_table}{value}\n{read}") for value in (1, 2)]
    assert code(shared=texts[0]) != code(shared=texts[1])


def test_a_name_stands_for_the_same_code(
    code: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = code()
    monkeypatch.delitem(sys.modules, "kit.method")
    assert sources.named("kit.method:build") == plain
    with pytest.raises(LookupError, match="names nothing"):
        sources.named("kit.method:nobody")
    with pytest.raises(LookupError, match="no package"):
        sources.named("no_such_package.module:build")


def test_a_partial_is_its_function_and_a_lambda_is_its_module() -> None:
    assert sources.code_of(partial(registry)) == sources.code_of(registry)
    assert sources.code_of(lambda: None) != sources.code_of(registry)
    assert sources.code_of(len) == sources.UNKNOWN


def test_the_framework_is_not_read_for_a_method_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Reading all that it imports would take seconds of every run.
    read: list[Path] = []

    def noting(path: Path) -> bytes:
        read.append(path)
        return plain(path)

    plain = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", noting)
    sources.forget()
    assert len(sources.code_of(splits._ClipDecisions)) == 64
    assert {path.name for path in read} == {"splits.py"}


def test_every_built_in_method_has_code_of_its_own() -> None:
    known = registry()
    found: dict[str, str] = {}
    for name in known.names("methods"):
        entry = known.get("methods", name)
        assert isinstance(entry.info, MethodInfo)
        found[name] = sources.code_of(entry.factory)
    assert sources.UNKNOWN not in found.values()
    apart = {"saliency", "cam", "gradcam", "lime", "rise", "lrp", "energy", "fw-ws", "ig"}
    assert len({found[name] for name in apart}) == len(apart)


def test_a_variant_counts_the_code_that_is_looked_up_for_it(
    code: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code()
    monkeypatch.delitem(sys.modules, "kit.method")

    def model(place: str) -> ModelRef:
        return ModelRef(
            "m", "m", "t", ("a",), 16000, 0, "cpu", ("classifier", "more"), registry,
            parts=(("more", place),),
        )  # fmt: skip

    one, other = model("kit.shared:HOW"), model("kit.shared:WHY")
    assert one.code("classifier") == other.code("classifier")
    assert one.code("more") != other.code("more")
    assert one.code() == one.code("more")
