"""A contract is a list of checks; each is run at most once, and says pass, fail or skip and why.

A check is a method of a :class:`Contract`, marked with :func:`check`. It returns where all is well
and raises :class:`Broken` where it is not. Whatever else is raised is the plugin's own fault and
fails the check too, except for :class:`~sedbench.errors.NotApplicable` and missing data, which skip
it. A check that only makes sense after others (*after*) is skipped where one of them did not pass,
so that one mistake is reported once, where it is.

Usable from pytest::

    @pytest.mark.parametrize("check", method_contract(INFO, build), ids=str)
    def test_contract(check):
        check()
"""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

from sedbench.errors import MissingDataError, NotApplicable, SedbenchError
from sedbench.types import MethodInfo, ModelInfo

Status = Literal["pass", "fail", "skip"]
_MARK = "_sedbench_check"


class Broken(AssertionError):  # noqa: N818 - what it says of a contract
    """A plugin does not keep its contract; the message says how."""


class Skipped(unittest.SkipTest):
    """A check that cannot be made here; the message says why. Pytest shows it as skipped."""


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes
    ----------
    check : str
    status : {"pass", "fail", "skip"}
    reason : str
        Empty where it passed.
    seconds : float
    """

    check: str
    status: Status
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Mark:
    """What :func:`check` notes at a method: a line about it, and what has to pass before."""

    name: str
    about: str
    after: tuple[str, ...]


F = TypeVar("F", bound=Callable[..., None])


def check(about: str, *after: str, name: str = "") -> Callable[[F], F]:
    """Make a method of a contract one of its checks.

    Parameters
    ----------
    about : str
        One line: what holds where it passes.
    *after : str
        Checks that have to pass before this one makes sense.
    name : str
        What it is called; the method's name with hyphens unless given.
    """

    def mark(function: F) -> F:
        own = name or function.__name__.replace("_", "-")
        setattr(function, _MARK, Mark(own, about, after))
        return function

    return mark


@dataclass(frozen=True)
class Check:
    """One check of one contract, to be called: a test of its own.

    Attributes
    ----------
    contract : Contract
    mark : Mark
    """

    contract: Contract
    mark: Mark

    def __call__(self) -> None:
        """Run the check, unless it was run before.

        Raises
        ------
        Broken
            It failed.
        Skipped
            It could not be made.
        """
        outcome = self.contract.outcome(self.mark.name)
        if outcome.status == "fail":
            raise Broken(f"{self.contract.title}: {self.mark.about}: {outcome.reason}")
        if outcome.status == "skip":
            raise Skipped(outcome.reason)

    def __str__(self) -> str:
        return self.mark.name


class Contract(Sequence[Check]):
    """The checks of one plugin's product, in the order in which they are best read.

    Attributes
    ----------
    kind : str
        ``method``, ``model`` ...
    name : str
        Of what is checked.
    note : str
        How it was run, where that is not plain.
    """

    kind = "plugin"

    def __init__(self, name: str, note: str = "") -> None:
        self.name, self.note = name, note
        found = (getattr(type(self), each, None) for each in _in_order(type(self)))
        self._marks: dict[str, tuple[Mark, Callable[..., None]]] = {
            mark.name: (mark, function)
            for function in found
            if function is not None and (mark := getattr(function, _MARK, None)) is not None
        }
        self._outcomes: dict[str, Outcome] = {}

    @property
    def title(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name!r}"

    def __len__(self) -> int:
        return len(self._marks)

    def __iter__(self) -> Iterator[Check]:
        return (Check(self, mark) for mark, _ in self._marks.values())

    @overload
    def __getitem__(self, index: int) -> Check: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Check]: ...
    def __getitem__(self, index: int | slice) -> Check | Sequence[Check]:
        return list(self)[index]

    def __str__(self) -> str:
        return self.title

    def about(self, name: str) -> str:
        """One line about a check."""
        return self._marks[name][0].about

    def outcomes(self) -> list[Outcome]:
        """Run what has not been run, and say what came of every check."""
        return [self.outcome(name) for name in self._marks]

    def outcome(self, name: str) -> Outcome:
        """What came of one check; it and what comes before it are run if need be."""
        if name not in self._outcomes:
            self._outcomes[name] = self._run(*self._marks[name])
        return self._outcomes[name]

    @property
    def failed(self) -> list[str]:
        """Names of the checks that fail."""
        return [each.check for each in self.outcomes() if each.status == "fail"]

    def _run(self, mark: Mark, function: Callable[..., None]) -> Outcome:
        for before in mark.after:
            if (came := self.outcome(before)).status == "fail":
                return Outcome(mark.name, "skip", f"{before!r} has to pass first")
            if came.status == "skip":
                return Outcome(mark.name, "skip", came.reason)
        started = time.perf_counter()
        status, reason = _call(function, self)
        return Outcome(mark.name, status, reason, time.perf_counter() - started)


def _call(function: Callable[..., None], contract: Contract) -> tuple[Status, str]:
    try:
        function(contract)
    except KeyboardInterrupt:
        raise
    except Broken as broken:
        return "fail", str(broken)
    except unittest.SkipTest as skipped:
        return "skip", str(skipped)
    except (NotApplicable, MissingDataError) as error:
        return "skip", f"{error.message} ({error.hint})" if error.hint else error.message
    except SedbenchError as error:
        return "fail", f"it raised {type(error).__name__}: {error.message}"
    except BaseException as error:  # a plugin may raise anything, SystemExit included
        return "fail", f"it raised {type(error).__name__}: {_first_line(error)}"
    return "pass", ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def _in_order(cls: type) -> list[str]:
    # Base classes first, each in the order in which it was written.
    names: dict[str, None] = {}
    for each in reversed(cls.__mro__):
        names.update(dict.fromkeys(vars(each)))
    return list(names)


def need(held: bool, otherwise: str | Callable[[], Any]) -> None:
    """Raise :class:`Broken` unless something holds; the message may be made only then."""
    if not held:
        raise Broken(str(otherwise() if callable(otherwise) else otherwise))


def need_words(info: MethodInfo | ModelInfo) -> None:
    """Raise :class:`Broken` unless cards of weights that ship can say licence and limits."""
    need(
        isinstance(info.limits, tuple) and all(_line(each) for each in info.limits),
        "limits are a tuple of sentences, each of one line",
    )
    ships = info.weights is not None and any(info.weights.rglob("*.safetensors"))
    need(not ships or _line(info.licence), "weights ship with it, and it names no licence")
    need(not ships or bool(info.limits), "weights ship with it, and it names no limits of them")


def _line(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip()) and "\n" not in text
