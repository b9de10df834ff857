"""What a method leaves behind, and how much it holds while it works."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sedbench.models.contract import Classifier
from sedbench.models.store import ModelHandle
from sedbench.testing import watching
from sedbench.testing.checks import Broken, Skipped, check, need
from sedbench.testing.material import bursts
from sedbench.testing.memory import peak_bytes
from sedbench.testing.planted import PlantedHandle
from sedbench.testing.subject import SECONDS, MethodSubject

MANY = 8  # classes
WIDE = 256  # channels: what a pass holds is then far more than the clip itself
GROWTH = 3.0  # times the memory of one class; all graphs at once would take MANY times
SPARE = 128 * 1024  # bytes: what Python and NumPy hold anyway
A_CELL = 64  # bytes a score of the answer: some copies in double precision


class MethodManners(MethodSubject):
    """Checks of side effects."""

    def _watch(self, look: Callable[[ModelHandle], watching.State]) -> list[str]:
        model = self.model()
        self.nets(model)  # built now: that draws from torch's generator
        question = self.question(model)
        before = look(model)
        self.ask(question, model)
        return watching.changed(before, look(model))

    def nets(self, model: ModelHandle) -> list[Classifier]:
        """The networks of a handle that the method may read."""
        found = [] if self.info.needs == {"detector"} else [model.classifier()]
        if "detector" in self.info.needs:
            read = (self.variant,) if self.info.variant else model.variants[1:]
            found += [model.variant(variant) for variant in read]
        return found

    @check("global random generators are neither drawn from nor set", "shape", name="random-state")
    def random_state(self) -> None:
        """Compare NumPy's, Python's and torch's before and after."""
        found = self._watch(lambda _: watching.generators())
        need(not found, f"changed: {', '.join(found)}")

    @check("gradients and settings of torch are left as they were found", "shape")
    def gradients(self) -> None:
        """Compare grad mode, parameters' gradients and what else is shared, before and after."""
        found = self._watch(
            lambda model: (
                watching.settings()
                | {k: v for net in self.nets(model) for k, v in watching.gradients(net).items()}
            )
        )
        need(not found, f"changed: {', '.join(found)}")

    @check("the model keeps its weights, modules, hooks and mode", "shape")
    def model_unchanged(self) -> None:
        """Compare the model before and after."""
        found = self._watch(
            lambda model: {
                f"{number} {k}": v
                for number, net in enumerate(self.nets(model))
                for k, v in watching.structure(net).items()
            }
        )
        need(not found, lambda: f"changed: {', '.join(name.partition(' ')[2] for name in found)}")

    @check("the clips and pairs that it is given are not written to", "shape")
    def inputs(self) -> None:
        """Compare the query before and after."""
        model = self.model()
        question = self.question(model)
        truth = question.truth
        before = (
            question.waveforms.copy(),
            question.pairs.copy(),
            None if truth is None else truth.copy(),
        )
        self.ask(question, model)
        for name, old, new in zip(
            ("waveforms", "pairs", "truth"),
            before,
            (question.waveforms, question.pairs, question.truth),
            strict=True,
        ):
            need(
                old is None or (new is not None and np.array_equal(old, new)),
                f"query.{name} was written to: other methods are asked about the same arrays",
            )

    @check("it reads of the model what it declares, and nothing else", "shape")
    def needs(self) -> None:
        """Note which variants of the model are asked for."""
        model = self.model()
        if not isinstance(model, PlantedHandle):
            raise Skipped("only the planted model notes what is read of it")
        self.ask(self.question(model), model)
        allowed: set[str] = set()
        if "detector" in self.info.needs:
            allowed = {self.variant} if self.info.variant else set(model.variants)
        elif self.info.needs & {"model", "gradients"}:
            allowed = {model.variants[0]}
        extra = sorted(model.read - allowed)
        if extra:
            declared = ", ".join(sorted(self.info.needs)) or "nothing"
            raise Broken(
                f"it reads {', '.join(map(repr, extra))} and declares needs {declared}: results "
                "would not notice that those weights have changed"
            )

    @check("memory does not grow with the number of pairs", "finite", "classes")
    def memory(self) -> None:
        """Compare one class with many."""
        classes = tuple(f"Class{i}" for i in range(MANY))
        model = self.model(classes, width=WIDE)
        rate = model.sample_rate
        waves = bursts(rate, SECONDS, (0.45,))[None]
        few = self.asking(waves, model, pairs=[(0, 0)])
        many = self.asking(waves, model)
        frames = self.ask(few, model).scores.values.shape[1]  # and imports what it needs
        one = peak_bytes(lambda: self.ask(few, model))
        all_of_them = peak_bytes(lambda: self.ask(many, model))
        allowed = GROWTH * one + SPARE + A_CELL * len(many.pairs) * frames
        need(
            all_of_them <= allowed,
            f"{len(many.pairs)} pairs of a clip hold {all_of_them / 1024:.0f} KB at once, and one "
            f"holds {one / 1024:.0f} KB: work class by class, or in parts",
        )
