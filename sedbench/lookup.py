"""Names to things: the only room that asks the registry on behalf of a run."""

from __future__ import annotations

from sedbench import spec
from sedbench.errors import DataError, NothingSelectedError, UsageError
from sedbench.refs import MethodRef, ModelRef
from sedbench.registry import Entry, Registry, registry
from sedbench.taskfile import load_task
from sedbench.tasks import TaskSpec
from sedbench.types import MethodInfo, ModelInfo


def find_task(name: str | None, known: Registry | None = None) -> TaskSpec:
    """Read and check the task of that name, or the default one."""
    known = known or registry()
    if name is None:
        defaults = [
            n for n, e in known.entries["tasks"].items() if getattr(e.info, "default", False)
        ]
        if not defaults:
            raise NothingSelectedError("there is no default task", "name one with --task")
        name = sorted(defaults)[0]
    return load_task(known.get("tasks", name).factory())


def find_method(text: str, known: Registry | None = None) -> MethodRef:
    """Find a method with its parameters; wrong names and values are errors here."""
    parsed = spec.parse(text)
    entry = (known or registry()).get("methods", parsed.name)
    assert isinstance(entry.info, MethodInfo)
    params = spec.resolve(parsed, entry.info)
    return MethodRef(entry.info, spec.canonical(entry.info, params), params, entry.factory)


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
) -> ModelRef:
    """Find a model for a task, with the hashes of its weight files of that seed.

    Parameters
    ----------
    text : str
        ``name`` or ``name[param=value]``.
    task : TaskSpec
    known : Registry, optional
    device : {"auto", "cpu", "cuda"}
    fold : int, optional
        The rotation of a task in folds.

    Raises
    ------
    DataError
        The weights were trained for other classes than the task's.
    """
    from sedbench.models import weights
    from sedbench.models.store import pick_device

    parsed = spec.parse(text)
    entry: Entry = (known or registry()).get("models", parsed.name)
    info = entry.info
    assert isinstance(info, ModelInfo)
    params = spec.resolve(parsed, info)
    seed = int(params.get("seed", 0))
    ending = weights.stem("", seed, fold)
    hashes = {}
    for found in weights.available(info.name, info.weights, task.trained_on):
        if not found.path.stem.endswith(ending):
            continue
        if tuple(found.card.get("classes", task.classes)) != task.classes:
            raise DataError(
                f"{found.path} was trained for other classes than those of task {task.name!r}",
                f"train {info.name!r} on {task.trained_on!r} again",
            )
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
        factory=entry.factory,
        shipped=info.weights,
        weights=tuple(sorted(hashes.items())),
        fold=fold if info.trains else None,
        trains=info.trains,
        pretrained=info.pretrained,
    )


def find_models(
    text: str, task: TaskSpec, known: Registry | None = None, *, device: str = "auto"
) -> tuple[ModelRef, ...]:
    """Find the model of each rotation of a task; see :func:`find_model`."""
    return tuple(
        find_model(text, task, known, device=device, fold=turn.fold) for turn in task.rotations
    )
