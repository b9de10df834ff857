"""What a run is handed: a task, a model and methods, looked up and checked; and what is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sedbench import results as result_files
from sedbench.data.cache import BankFactory
from sedbench.data.render import RENDERER_VERSION
from sedbench.errors import DataError
from sedbench.files import fingerprint
from sedbench.metrics import METRICS_VERSION
from sedbench.refs import MethodRef, ModelRef
from sedbench.results import Result
from sedbench.tasks import TaskSpec

Overwrite = Literal["never", "missing", "stale", "always"]
SaveScores = Literal["none", "tsv"]


@dataclass(frozen=True)
class Work:
    """Everything a run needs, looked up and checked.

    Attributes
    ----------
    task : TaskSpec
    bank : callable
        Returns the task's soundbank.
    models : tuple of ModelRef
        One a rotation of the task.
    methods : tuple of MethodRef
    output : Path
        Folder of results.
    shipped : callable
        ``(spec, seed) -> (path, result) or None``: a shipped result of this task and model.
    seed, limit, jobs, overwrite, recalibrate, timeout
        As on the command line.
    provenance : mapping
        What is the same for every result: command, versions, commit.
    scores : Path or None
        Folder that the frame scores of test clips are saved in, as tables; None for nowhere.
    """

    task: TaskSpec
    bank: BankFactory
    models: tuple[ModelRef, ...]
    methods: tuple[MethodRef, ...]
    output: Path
    shipped: Callable[[str, int], tuple[Path, Result] | None]
    seed: int = 0
    limit: int | None = None
    jobs: int = 1
    overwrite: Overwrite = "stale"
    recalibrate: bool = False
    timeout: float | None = None
    provenance: Mapping[str, Any] | None = None
    scores: Path | None = None

    @property
    def model(self) -> ModelRef:
        """The model of the first rotation; the others differ in their weights alone."""
        return self.models[0]

    def identity(self, method: MethodRef) -> str:
        """Name what a result depends on: another identity makes a stored one stale."""
        return fingerprint(
            [
                self.task.fingerprint(METRICS_VERSION),
                RENDERER_VERSION,
                self.model.canonical,
                # The explained classifier decides which pairs count, for every method.
                [
                    [model.explained(), model.pretrained, model.code(model.variants[0])]
                    for model in self.models
                ],
                [model.behind(method) for model in self.models],
                method.spec,
                method.info.version,
                method.code(),
                self.seed if method.seeded else None,
            ]
        )

    def path(self, method: MethodRef) -> Path:
        """Where the method's result lies."""
        return result_files.result_path(
            self.output, self.task.name, self.model.canonical, method.spec, self.seed, self.limit
        )


def stored(work: Work, method: MethodRef) -> Result | None:
    """Read the result of an earlier run that need not be computed again, or None."""
    path = work.path(method)
    if work.overwrite == "always" or work.recalibrate or not path.exists():
        return None
    try:
        result = result_files.read(path, "stored")
    except DataError:
        if work.overwrite == "never":
            raise
        return None
    if work.overwrite == "never":
        return result
    if result.status != "ok":
        return None
    if work.overwrite == "stale" and result.provenance.get("identity") != work.identity(method):
        return None
    return result
