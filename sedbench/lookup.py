"""Names to things: the only room that asks the registry on behalf of a run."""

from __future__ import annotations

from sedbench import spec
from sedbench.errors import NothingSelectedError, UsageError
from sedbench.refs import MethodRef, ModelRef
from sedbench.registry import Entry, Registry, registry
from sedbench.tasks import TaskSpec, load_task
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


def find_model(
    text: str, task: TaskSpec, known: Registry | None = None, *, device: str = "auto"
) -> ModelRef:
    """Find a model for a task, with the hashes of its weight files of that seed."""
    from sedbench.models import weights
    from sedbench.models.store import pick_device

    parsed = spec.parse(text)
    entry: Entry = (known or registry()).get("models", parsed.name)
    assert isinstance(entry.info, ModelInfo)
    params = spec.resolve(parsed, entry.info)
    seed = int(params.get("seed", 0))
    shipped = entry.info.weights
    hashes = {
        w.path.stem.removesuffix(f"-s{seed}"): w.sha256
        for w in weights.available(entry.info.name, shipped, task.name)
        if w.path.stem.endswith(f"-s{seed}")
    }
    return ModelRef(
        name=entry.info.name,
        canonical=spec.canonical(entry.info, params),
        task=task.name,
        classes=task.classes,
        sample_rate=task.sample_rate,
        seed=seed,
        device=pick_device(device),
        variants=entry.info.variants,
        factory=entry.factory,
        shipped=shipped,
        weights=tuple(sorted(hashes.items())),
    )
