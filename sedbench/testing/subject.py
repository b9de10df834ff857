"""The method under test: how it is built, asked and looked at by every check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import UsageError
from sedbench.models.store import ModelHandle
from sedbench.testing.checks import Broken, Contract, Mark, Outcome, Skipped, need
from sedbench.testing.material import bursts, query
from sedbench.testing.planted import CLASSES, FRAME, RATE, planted
from sedbench.testing.watching import Restored
from sedbench.types import Answer, FloatArray, MethodInfo, ParamValue, Query
from sedbench.workers import one_thread

FEW = 8  # what large whole numbers are lowered to: a contract is no measurement
SECONDS = 2.0
ONSETS = ((0.45,), (1.25,), (0.85, 1.65))  # of the bursts in each clip, seconds
PAIRS = ((0, 0), (1, 1), (2, 0), (2, 2))
CLOSE = 1e-4  # of the largest score: another batch sums in another order


def quick(info: MethodInfo) -> dict[str, ParamValue]:
    """Every declared parameter with its default, large whole numbers lowered.

    Fifty steps of a path or five hundred masks make an answer exact, not correct. What has a list
    of choices, a fraction or a word stays as it is.
    """
    values = {p.name: p.default for p in info.params}
    for param in info.params:
        number = param.default
        if type(number) is int and number > FEW and not param.choices:
            values[param.name] = max(FEW, int(param.minimum or 0))
    return values


class MethodSubject(Contract):
    """What the checks of a method share.

    Parameters
    ----------
    info : MethodInfo
    factory : callable
    params : mapping, optional
        Its parameters. Unless given, the defaults, with large whole numbers lowered for all
        checks but that of the peak, which gets the defaults themselves.
    model : callable, optional
        Returns a model to run the checks on instead of the planted one, for a method that does
        not apply to that. Checks that need another model of their own are then skipped.
    """

    kind = "method"

    def __init__(
        self,
        info: MethodInfo,
        factory: Callable[..., Any],
        params: Mapping[str, ParamValue] | None = None,
        model: Callable[[], ModelHandle] | None = None,
    ) -> None:
        self.info, self.factory = info, factory
        declared = {p.name: p.default for p in info.params}
        self.params = dict(params) if params is not None else self._quick(declared)
        self.exact = dict(params) if params is not None else declared
        self.given = model
        self._base: tuple[Query, Answer] | None = None
        self._learnt: dict[str, dict[str, Any]] = {}
        lowered = [f"{k}={v}" for k, v in self.params.items() if v != self.exact[k]]
        super().__init__(info.name, f"with {', '.join(lowered)}" if lowered else "")

    def _more(self, values: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
        more = dict(values)
        for name, value in values.items():
            exact = self.exact[name]
            if type(value) is int and type(exact) is int and value < exact:
                more[name] = min(exact, 2 * value)
        return more

    def _run(self, mark: Mark, function: Callable[..., None]) -> Outcome:
        # What one check leaves behind must not be found by the next.
        with Restored():
            return super()._run(mark, function)

    def _quick(self, declared: dict[str, ParamValue]) -> dict[str, ParamValue]:
        values = quick(self.info)
        try:
            self.factory(**values)
        except UsageError:  # the numbers hang together
            return declared
        except Exception:  # what is wrong is said by the check that builds it
            return values
        return values

    # --- what it is asked ----------------------------------------------------------------------

    def model(
        self,
        classes: tuple[str, ...] = CLASSES,
        rate: int = RATE,
        frame: float = FRAME,
        clips: int = 64,
        **options: Any,
    ) -> ModelHandle:
        """Make a model anew, with the detector that the method reads.

        A method that learns has learnt on so many clips.
        """
        if self.given is not None:
            if (classes, rate, frame) != (CLASSES, RATE, FRAME) or options:
                raise Skipped("it is run on a model that was given, which cannot be varied")
            return self.given()
        variants: tuple[str, ...] = ()
        if "detector" in self.info.needs:
            variants = (self.variant,) if self.info.variant else ("framewise",)
        made = planted(classes, rate, frame=frame, variants=variants, **options)
        if self.info.learns:
            world = repr((classes, rate, frame, clips, sorted(options.items())))
            again = partial(planted, classes, rate, frame=frame, **options)
            made.teach = partial(self._teach, world, again, clips)
        return made

    def _teach(
        self,
        world: str,
        model: Callable[[], ModelHandle],
        clips: int,
        _: ModelHandle,
        **params: ParamValue,
    ) -> dict[str, Any]:
        # Learnt once a world, of a model of its own: what is asked later has left no trace in it.
        from sedbench.testing.lessons import learnt

        key = f"{world} {sorted(params.items())}"
        if key not in self._learnt:
            product = self.factory(**{**self.exact, **params})
            with Restored(), one_thread():
                self._learnt[key] = learnt(product, model(), clips)
        return dict(self._learnt[key])

    @property
    def variant(self) -> str:
        """The trained variant that it reads, with its parameters."""
        return self.info.variant.format(**self.params)

    def question(self, model: ModelHandle, seed: int = 0) -> Query:
        """Three clips, six pairs."""
        rate = model.sample_rate
        waves = np.stack([bursts(rate, SECONDS, at, seed=i) for i, at in enumerate(ONSETS)])
        pairs = sorted({(clip, label % len(model.classes)) for clip, label in PAIRS})
        return self.asking(waves, model, pairs=pairs, seed=seed)

    def asking(self, waves: NDArray[np.float32], model: ModelHandle, **options: Any) -> Query:
        """Ask about clips; the truth comes with them where the method declares that it needs it."""
        return query(waves, model, truth="truth" in self.info.needs, **options)

    def ask(
        self, question: Query, model: ModelHandle, params: Mapping[str, ParamValue] | None = None
    ) -> Answer:
        """Build the method and ask it, on one thread as a run does."""
        values = self.params if params is None else dict(params)
        with one_thread():
            while True:
                try:
                    answer = self.factory(**values).answer(question, model)
                    break
                except UsageError:  # eight masks may be too few for a clip of thirty seconds
                    more = self._more(values)
                    if more == values:
                        raise
                    values = more
        if not isinstance(answer, Answer):
            raise Broken(f"it answers with {type(answer).__name__}; a method returns an Answer")
        return answer

    @property
    def base(self) -> tuple[Query, Answer]:
        """The plain question and its answer, computed once."""
        if self._base is None:
            model = self.model()
            question = self.question(model)
            self._base = question, self.ask(question, model)
        return self._base

    def listens(self) -> bool:
        """Whether its answers depend on a model at all."""
        return bool(self.info.needs & {"model", "gradients", "detector"})

    def sound(self, answer: Answer, question: Query) -> None:
        """See that an answer is whole: its shapes, its numbers and its times."""
        shaped(answer, question)
        finite(answer, question)
        timed(answer, question)


def shaped(answer: Answer, question: Query) -> None:
    """One row of scores a pair; mask, decisions and diagnostics of shapes of their own.

    Raises
    ------
    Broken
        One has another.
    """
    pairs, clips = len(question.pairs), len(question.clip_ids)
    values = np.asarray(answer.scores.values)
    need(
        values.ndim == 2 and values.shape[0] == pairs and values.shape[1] > 0,
        f"scores have shape {values.shape} for {pairs} pairs; one row a pair is wanted",
    )
    parts: list[tuple[str, Any, tuple[int, ...]]] = [
        ("mask", answer.mask, values.shape),
        ("decisions", answer.decisions, (clips, len(question.classes))),
        *((f"diagnostic {name!r}", part, (pairs,)) for name, part in answer.diagnostics.items()),
    ]
    for name, part, shape in parts:
        got = shape if part is None else np.shape(part)
        need(got == shape, f"{name} has shape {got} instead of {shape}")
    cost = answer.cost
    need(
        min(cost.forward, cost.backward, cost.seconds) >= 0,
        f"a cost cannot be negative: {cost}",
    )


def finite(answer: Answer, question: Query) -> None:
    """Every score and every diagnostic is a number.

    Raises
    ------
    Broken
        One is not; the first is named.
    """
    values = np.asarray(answer.scores.values)
    if not np.isfinite(values).all():
        row, frame = np.argwhere(~np.isfinite(values))[0]
        raise Broken(
            f"the score of pair {row}, frame {frame} is {values[row, frame]} "
            f"({np.count_nonzero(~np.isfinite(values))} of {values.size} are not finite)"
        )
    for name, part in (("decisions", answer.decisions), *answer.diagnostics.items()):
        need(part is None or bool(np.isfinite(part).all()), f"{name}: not all values are finite")


def timed(answer: Answer, question: Query) -> None:
    """Time edges cover the clip in seconds, and the resolution is no finer than they are.

    Raises
    ------
    Broken
        They do not, or it is.
    """
    edges, own = np.asarray(answer.scores.edges, np.float64), float(answer.resolution)
    duration = question.grid.duration
    need(
        bool(np.isfinite(edges).all()) and bool(np.all(np.diff(edges) > 0)),
        "edges have to increase",
    )
    need(np.isfinite(own) and own > 0, f"the resolution is {own}; it is seconds, above zero")
    width = float(np.median(np.diff(edges)))
    slack = max(own, width) + 1e-6
    need(
        abs(edges[0]) <= slack and abs(edges[-1] - duration) <= slack,
        f"edges go from {edges[0]:g} to {edges[-1]:g} s, and the clip from 0 to {duration:g} s",
    )
    need(
        own >= width - 1e-6,
        f"a resolution of {own:g} s is finer than the frames, which are {width:g} s wide",
    )


def alike(
    got: FloatArray, expected: FloatArray, scale: FloatArray | None = None
) -> tuple[bool, float]:
    """Whether scores agree up to rounding, and the largest difference relative to the largest."""
    if got.shape != expected.shape:
        return False, float("inf")
    largest = float(np.abs(expected if scale is None else scale).max(initial=0.0))
    if not largest:
        return bool(np.array_equal(got, expected)), float(np.abs(got).max(initial=0.0))
    difference = float(np.abs(got - expected).max(initial=0.0)) / largest
    return difference <= CLOSE, difference
