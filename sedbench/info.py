"""What plugins say of what they offer: cheap metadata, read without loading anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ParamValue = int | float | str | bool


@dataclass(frozen=True)
class Param:
    """A typed parameter of a method or model, set as ``name[param=value]``.

    Attributes
    ----------
    name : str
    default : int, float, str or bool
        Its type is the parameter's type.
    help : str
        One line.
    choices : tuple, optional
        The only values allowed.
    minimum, maximum : float, optional
        Inclusive bounds of a number.
    """

    name: str
    default: ParamValue
    help: str = ""
    choices: tuple[ParamValue, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Info:
    """Cheap metadata of anything that can be registered.

    Attributes
    ----------
    name : str
        Lower-case letters, digits, ``-``, ``_``, ``.`` and ``+``.
    summary : str
        One line for listings.
    reference : str
        Where it comes from: authors, venue, year, DOI or arXiv id.
    params : tuple of Param
    """

    name: str
    summary: str
    reference: str = ""
    params: tuple[Param, ...] = ()


@dataclass(frozen=True)
class MethodInfo(Info):
    """Metadata of a method, a detector or a baseline.

    Attributes
    ----------
    kind : {"attribution", "detector", "baseline"}
    supervision : {"none", "weak", "strong", "oracle"}
        What it was told about time: nothing, clip labels for a framewise model,
        frame labels, or the answer itself.
    needs : frozenset of str
        Any of ``"model"`` (the explained classifier), ``"gradients"``, ``"detector"``
        (framewise weights of its own), ``"truth"``.
    stochastic : bool
        Whether ``--seed`` can change the answer.
    seeded_by : tuple of (str, value)
        Where it does so only for some values of parameters: those parameters and values.
        Empty where it always does.
    variant : str
        The trained variant that a detector reads, with its parameters in braces:
        ``"fw-ws-{pooling}"``. Empty where its answers may depend on any of them. Of a method
        that learns, what its weights are called: the parameters in braces change the training.
        Empty where that is its name.
    learns : bool
        Whether it is trained on top of the explained classifier, with ``sedbench train``; see
        :mod:`sedbench.models.lesson`.
    weights : Path, optional
        Folder of what ships of a method that learns: ``<model>/<task>/`` and the files.
    version : int
        Raise it when the answers change: cached answers of another version are not used.
    licence : str
        Of what ships of a method that learns.
    limits : tuple of str
        Of a method that learns: what its weights must not be used for, and where they are known
        to be weak. A sentence each; they go onto the cards of weights.
    shares : callable, optional
        Of a method that learns: returns, without heavy imports, a function
        ``(model, clips, samples, state, **params)`` that takes the scores on validation clips
        apart by clip and class. Intervals on its cards come from it; see
        :mod:`sedbench.models.shares`.
    """

    kind: Literal["attribution", "detector", "baseline"] = "attribution"
    supervision: Literal["none", "weak", "strong", "oracle"] = "none"
    needs: frozenset[str] = frozenset({"model"})
    stochastic: bool = False
    seeded_by: tuple[tuple[str, ParamValue], ...] = ()
    variant: str = ""
    version: int = 1
    learns: bool = False
    weights: Path | None = None
    licence: str = ""
    limits: tuple[str, ...] = ()
    shares: Callable[[], Callable[..., Any]] | None = None


@dataclass(frozen=True)
class ModelInfo(Info):
    """Metadata of a classifier family.

    Attributes
    ----------
    variants : tuple of str
        What can be trained: ``"classifier"`` first, then its framewise detectors.
    weights : Path, optional
        Folder of the weights that ship with it; listings read the cards there without
        building the family.
    trains : bool
        Whether every task needs weights of its own. A model that knows its classes from
        elsewhere has none to train.
    pretrained : tuple of (str, str)
        Name and sha256 of each file that has to be fetched: they decide its answers too.
    fetch : str
        The command that gets them; empty where nothing has to be fetched.
    source : callable, optional
        Returns, without heavy imports, what brings them: an object with
        ``bring(source, check, progress)``.
    parts : tuple of (str, str)
        Variant and ``module:name`` of code that decides its answers and that the factory looks up
        by name: whatever the factory imports plainly is found without it. See
        :mod:`sedbench.sources`.
    licence : str
        Of the weights, and of what was pretrained beneath them.
    limits : tuple of str
        What the weights must not be used for, and where they are known to be weak. A sentence
        each; they go onto the cards of weights.
    """

    variants: tuple[str, ...] = ("classifier",)
    weights: Path | None = None
    trains: bool = True
    pretrained: tuple[tuple[str, str], ...] = ()
    fetch: str = ""
    source: Callable[[], Any] | None = None
    parts: tuple[tuple[str, str], ...] = ()
    licence: str = ""
    limits: tuple[str, ...] = ()


@dataclass(frozen=True)
class SoundbankInfo(Info):
    """Metadata of a soundbank.

    Attributes
    ----------
    licence : str
    fetch : str
        The command that gets its audio; empty where nothing has to be fetched.
    heard : Path, optional
        A JSON file of facts: which of its backgrounds a classifier hears as a target. See
        :mod:`sedbench.cli.heard` for the form.
    """

    licence: str = ""
    fetch: str = ""
    heard: Path | None = None


@dataclass(frozen=True)
class TaskInfo(Info):
    """Metadata of a task; the factory returns the path of its ``task.toml``.

    Attributes
    ----------
    default : bool
        Whether it is the one that is run where none is named.
    """

    default: bool = False


@dataclass(frozen=True)
class MetricInfo(Info):
    """Metadata of a metric.

    Attributes
    ----------
    over : {"scores", "masks", "corpus", "model"}
        What it is computed from.
    unit : str
    low, high : float
        The range of its values.
    higher_is_better : bool
    """

    over: Literal["scores", "masks", "corpus", "model"] = "masks"
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
