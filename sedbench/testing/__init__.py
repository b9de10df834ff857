"""Contracts: what any plugin's product has to keep, built in or not, as checks that can be run.

From pytest, each check a test of its own::

    import pytest
    from my_method import INFO, build
    from sedbench.testing import method_contract

    @pytest.mark.parametrize("check", method_contract(INFO, build), ids=str)
    def test_contract(check):
        check()

or from the command line, which prints a table of them: ``sedbench test my-method``.

A method is run on a planted model, a network of two small convolutions whose weights say what it
hears (:func:`planted_model`): it takes a second or two, and nothing has to be fetched or trained.
Models, soundbanks, tasks and metrics have contracts too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sedbench.testing.checks import Broken, Check, Contract, Outcome, Skipped
from sedbench.types import (
    Info,
    MethodInfo,
    MetricInfo,
    ModelInfo,
    ParamValue,
    SoundbankInfo,
    TaskInfo,
)

if TYPE_CHECKING:
    from sedbench.models.store import ModelHandle
    from sedbench.testing.planted import PlantedHandle

__all__ = [
    "Broken",
    "Check",
    "Contract",
    "Outcome",
    "Skipped",
    "contract",
    "method_contract",
    "metric_contract",
    "model_contract",
    "planted_model",
    "soundbank_contract",
    "task_contract",
]

Factory = Callable[..., Any]


def method_contract(
    info: MethodInfo,
    factory: Factory,
    params: Mapping[str, ParamValue] | None = None,
    *,
    model: Callable[[], ModelHandle] | None = None,
) -> Contract:
    """Check a method, a detector or a baseline.

    Parameters
    ----------
    info : MethodInfo
    factory : callable
        What is registered with it.
    params : mapping, optional
        Every parameter. Unless given, the defaults, with whole numbers above eight lowered to
        eight for all checks but that of the peak: fifty steps make an answer exact, not correct.
    model : callable, optional
        Returns a model to run the checks on instead of the planted one, for a method that does
        not apply to that.

    Returns
    -------
    Contract
        A sequence of checks, each to be called; :attr:`Contract.failed` runs them all.

    Examples
    --------
    >>> from sedbench_plugins.baselines import ENERGY, Energy  # doctest: +SKIP
    >>> method_contract(ENERGY, Energy).failed  # doctest: +SKIP
    []
    """
    from sedbench.testing.methods import MethodContract

    return MethodContract(info, factory, params, model)


def model_contract(info: ModelInfo, factory: Factory, *, classes: Sequence[str] = ()) -> Contract:
    """Check a family of classifiers, untrained: every variant, from waveform to logits.

    Parameters
    ----------
    info : ModelInfo
    factory : callable
    classes : sequence of str, optional
        For a family that knows only classes of its own; some words unless given.
    """
    from sedbench.testing.models import ModelContract

    return ModelContract(info, factory, classes)


def soundbank_contract(info: SoundbankInfo, factory: Factory) -> Contract:
    """Check a soundbank: its list, its groups and splits, and some of its audio.

    Parameters
    ----------
    info : SoundbankInfo
    factory : callable
    """
    from sedbench.testing.soundbanks import SoundbankContract

    return SoundbankContract(info, factory)


def task_contract(info: TaskInfo, factory: Factory) -> Contract:
    """Check a task: its file, its frozen indices, and that its splits share no source.

    Parameters
    ----------
    info : TaskInfo
    factory : callable
        Returns the path of a ``task.toml``.
    """
    from sedbench.testing.tasks import TaskContract

    return TaskContract(info, factory)


def metric_contract(info: MetricInfo, factory: Factory) -> Contract:
    """Check a metric: one value a pair, within its range, not a number where it is undefined.

    Parameters
    ----------
    info : MetricInfo
    factory : callable
    """
    from sedbench.testing.metrics import MetricContract

    return MetricContract(info, factory)


def contract(info: Info, factory: Factory, **options: Any) -> Contract:
    """Check whatever was registered, by the class of its metadata.

    Parameters
    ----------
    info : MethodInfo, ModelInfo, SoundbankInfo, TaskInfo or MetricInfo
    factory : callable
    **options
        Of that kind's contract.
    """
    makers: dict[type[Info], Callable[..., Contract]] = {
        MethodInfo: method_contract,
        ModelInfo: model_contract,
        SoundbankInfo: soundbank_contract,
        TaskInfo: task_contract,
        MetricInfo: metric_contract,
    }
    return makers[type(info)](info, factory, **options)


def planted_model(**options: Any) -> PlantedHandle:
    """Make a model that answers to a click, as a method sees it.

    Parameters
    ----------
    **options
        ``classes``, ``sample_rate``, ``frame`` (seconds), ``variants``: see
        :func:`sedbench.testing.planted.planted`.
    """
    from sedbench.testing.planted import planted

    return planted(**options)
