"""Names to things: the only room that asks the registry on behalf of a run.

A task may also be named by its file (``mine/task.toml``), and its soundbank then be a folder
beside it. One that ships without indices is read from where it was drawn on this machine
(:mod:`sedbench.data.drawn`).
"""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sedbench import spec
from sedbench.data.drawn import drawn
from sedbench.data.folder import FolderFactory
from sedbench.data.paths import soundbank_folder
from sedbench.errors import DataError, MissingDataError, NothingSelectedError, UsageError
from sedbench.models.own import CLASSIFIER, OwnFamily, checked, is_own
from sedbench.protocol.extra import ExtraMetric
from sedbench.refs import MethodRef, ModelRef
from sedbench.registry import BUILT_IN, Entry, Registry, registry
from sedbench.taskfile import load_task
from sedbench.tasks import TaskSpec
from sedbench.types import MethodInfo, MetricInfo, ModelInfo, SoundbankInfo

if TYPE_CHECKING:
    from sedbench.models.weights import Weights


def is_file(task: str) -> bool:
    """Whether a task is named by its file: something with a separator, or ``.toml``."""
    return task.endswith(".toml") or "/" in task or "\\" in task


def label_of(task: str) -> str:
    """What is recorded of how a task was named: of a file its last part, no folder."""
    return Path(task).name if is_file(task) else task


def find_task(name: str | None, known: Registry | None = None) -> TaskSpec:
    """Read and check a task, or the default one.

    Parameters
    ----------
    name : str, optional
        Its name, or its file, or the folder of its file with a separator in it.
    known : Registry, optional

    Raises
    ------
    UsageError
        A file's task has the name of an installed one: results and weights go by names.
    """
    known = known or registry()
    if name is not None and is_file(name):
        return _find_own(name, known)
    if name is None:
        defaults = [
            n for n, e in known.entries["tasks"].items() if getattr(e.info, "default", False)
        ]
        if not defaults:
            raise NothingSelectedError("there is no default task", "name one with --task")
        name = sorted(defaults)[0]
    task = drawn(load_task(known.get("tasks", name).factory()))
    return replace(task, called=name, fetch=_to_fetch(task, known))


def read_task(file: str) -> TaskSpec:
    """Read a task's file; its folder will do."""
    path = Path(file).expanduser()
    return replace(load_task(path / "task.toml" if path.is_dir() else path), called=file)


def _find_own(file: str, known: Registry) -> TaskSpec:
    task = read_task(file)
    if task.name in known.entries["tasks"]:
        installed = find_task(task.name, known)
        if installed.path.resolve() != task.path.resolve():
            raise UsageError(
                f"{task.path}: the name {task.name!r} belongs to an installed task",
                "results and weights go by the name: choose another one",
            )
    return replace(task, fetch=_to_fetch(task, known))


def _to_fetch(task: TaskSpec, known: Registry) -> str:
    """What to type to have the task's soundbank here, unless it is."""
    entry = known.entries["soundbanks"].get(task.soundbank)
    if entry is None or soundbank_folder(task.soundbank).is_dir():
        return ""
    return str(getattr(entry.info, "fetch", ""))


def find_bank(task: TaskSpec, known: Registry | None = None) -> Entry:
    """Find the soundbank of a task: an installed one, or a folder."""
    if task.folder is None:
        return (known or registry()).get("soundbanks", task.soundbank)
    info = SoundbankInfo(task.soundbank, f"recordings in {task.folder}")
    return Entry(info, FolderFactory(task.soundbank, task.folder), "", "", "")


def find_method(text: str, known: Registry | None = None) -> MethodRef:
    """Find a method with its parameters; wrong names and values are errors here."""
    parsed = spec.parse(text)
    entry = (known or registry()).get("methods", parsed.name)
    assert isinstance(entry.info, MethodInfo)
    params = spec.resolve(parsed, entry.info)
    return MethodRef(entry.info, spec.canonical(entry.info, params), params, entry.factory)


def extra_metrics(known: Registry | None = None) -> tuple[ExtraMetric, ...]:
    """The metrics that plugins brought, by name; those of the protocol are none of them."""
    entries = (known or registry()).entries["metrics"]
    return tuple(
        ExtraMetric(entry.info, entry.factory, entry.distribution, entry.version)
        for _, entry in sorted(entries.items())
        if entry.distribution != BUILT_IN and isinstance(entry.info, MetricInfo)
    )


def with_learned(method: MethodRef, models: tuple[ModelRef, ...]) -> MethodRef:
    """Tell a method that learns the hashes of its weights, one a rotation.

    What was not trained is left out: the method's own result says so.

    Raises
    ------
    DataError
        It was learnt of other classifiers than these.
    """
    if not method.info.learns:
        return method
    from sedbench.models import learned

    hashes = []
    for model in models if models[0].trains else ():
        with contextlib.suppress(MissingDataError):
            hashes.append((model.fold, learned.find(method.info, method.params, model).sha256))
    return replace(method, learned=tuple(hashes))


def check_params(method: MethodRef) -> None:
    """Build a method once, so that parameters that do not go together are said at the start.

    Whatever else goes wrong in building it is its own result's status.

    Raises
    ------
    UsageError
        The method refuses its parameters.
    """
    try:
        method.factory(**method.params)
    except UsageError:
        raise
    except Exception:
        return


def check_fold(task: TaskSpec, fold: int | None) -> int | None:
    """See that a fold is given where a task has folds, and is one of them.

    Raises
    ------
    UsageError
        It is not.
    """
    if not task.folds and fold is not None:
        raise UsageError(f"task {task.name!r} has no folds", "leave --fold out")
    if task.folds and (fold is None or not 0 <= fold < task.folds):
        raise UsageError(
            f"task {task.name!r} has {task.folds} folds, and {fold} is none of them",
            f"--fold 0 to {task.folds - 1}",
        )
    return fold


def find_model(
    text: str,
    task: TaskSpec,
    known: Registry | None = None,
    *,
    device: str = "auto",
    fold: int | None = None,
    fits: bool = True,
) -> ModelRef:
    """Find a model for a task, with the hashes of its weight files of that seed.

    Parameters
    ----------
    text : str
        ``name`` or ``name[param=value]``, or what builds a network: ``my_package.module:build``.
    task : TaskSpec
    known : Registry, optional
    device : {"auto", "cpu", "cuda"}
    fold : int, optional
        The rotation of a task in folds.
    fits : bool, optional
        See that the weights belong to the task as it is; not where they are to be replaced.

    Raises
    ------
    DataError
        The weights were trained for other classes than the task's, or here on another state
        of the task: clips that it was trained on may be test clips now.
    """
    from sedbench.models import weights
    from sedbench.models.store import pick_device

    parsed = spec.parse(text)
    if is_own(parsed.name):
        return _own_model(parsed, task, pick_device(device))
    entry: Entry = (known or registry()).get("models", parsed.name)
    info = entry.info
    assert isinstance(info, ModelInfo)
    params = spec.resolve(parsed, info)
    seed = int(params.get("seed", 0))
    others = {name: value for name, value in params.items() if name != "seed"}  # of the family
    ending = weights.stem("", seed, fold)
    hashes = {}
    for found in weights.available(info.name, info.weights, task.trained_on):
        if not found.path.stem.endswith(ending):
            continue
        if fits:
            _check_card(found, task, info.name)
        hashes[found.path.stem.removesuffix(ending)] = found.sha256
    return ModelRef(
        name=info.name,
        canonical=spec.canonical(info, params),
        task=task.trained_on,
        classes=task.classes,
        sample_rate=task.sample_rate,
        seed=seed,
        device=pick_device(device),
        variants=info.variants,
        factory=partial(entry.factory, **others) if others else entry.factory,
        shipped=info.weights,
        weights=tuple(sorted(hashes.items())),
        fold=fold if info.trains else None,
        trains=info.trains,
        pretrained=info.pretrained,
        fetch=info.fetch,
        parts=info.parts,
        called=_called(task),
    )


def _own_model(parsed: spec.Spec, task: TaskSpec, device: str) -> ModelRef:
    """Describe a network that is named by what builds it; its weights are part of results."""
    if parsed.given:
        raise UsageError(f"{parsed.name} takes no parameters", "write the function's name alone")
    family = OwnFamily(parsed.name, str(Path.cwd()))
    digest = checked(family, task.classes, task.sample_rate)
    return ModelRef(
        name=family.called,
        canonical=family.called,
        task=task.trained_on,
        classes=task.classes,
        sample_rate=task.sample_rate,
        seed=0,
        device=device,
        variants=(CLASSIFIER,),
        factory=family,
        weights=((CLASSIFIER, digest),),
        trains=False,
        called=_called(task),
    )


def _called(task: TaskSpec) -> str:
    """How the task that is trained on is named on the command line."""
    return task.called if task.called and task.trained_on == task.name else task.trained_on


def _check_card(found: Weights, task: TaskSpec, model: str) -> None:
    again = f"train it again: sedbench train {found.card.get('variant', 'classifier')} "
    again += f"--model {model} --task {shlex.quote(_called(task))}"
    if tuple(found.card.get("classes", task.classes)) != task.classes:
        raise DataError(
            f"{found.path} was trained for other classes than those of task {task.name!r}", again
        )
    current = task.fingerprint()
    own = found.origin == "local" and task.trained_on == task.name
    if own and found.card.get("task_fingerprint", current) != current:
        raise DataError(f"{found.path} was trained on another state of task {task.name!r}", again)


def find_models(
    text: str, task: TaskSpec, known: Registry | None = None, *, device: str = "auto"
) -> tuple[ModelRef, ...]:
    """Find the model of each rotation of a task; see :func:`find_model`."""
    return tuple(
        find_model(text, task, known, device=device, fold=turn.fold) for turn in task.rotations
    )
