"""What a method says of itself, and whether its answers can be relied on: shape, numbers, seed."""

from __future__ import annotations

import string
from dataclasses import replace

import numpy as np

from sedbench.errors import UsageError
from sedbench.spec import NAME
from sedbench.testing.checks import Broken, Skipped, check, need, need_words
from sedbench.testing.subject import MethodSubject, alike, finite, shaped, timed
from sedbench.testing.watching import scramble
from sedbench.types import Answer, ParamValue

KINDS = ("attribution", "detector", "baseline")
SUPERVISION = ("none", "weak", "strong", "oracle")
NEEDS = frozenset({"model", "gradients", "detector", "truth"})


class MethodAnswers(MethodSubject):
    """Checks of the plain answer."""

    @check("its metadata is whole, and every declared value builds it")
    def declared(self) -> None:
        """Kind, supervision and needs are known words; parameters have help, bounds and a use."""
        info = self.info
        need(NAME.match(info.name) is not None, f"{info.name!r} is no name")
        need(
            bool(info.summary.strip()) and "\n" not in info.summary,
            "the summary is one line, and not empty",
        )
        need(info.kind in KINDS, f"kind {info.kind!r} is none of {', '.join(KINDS)}")
        need(
            info.supervision in SUPERVISION,
            f"supervision {info.supervision!r} is none of {', '.join(SUPERVISION)}",
        )
        need(info.needs <= NEEDS, f"needs {sorted(info.needs - NEEDS)}: known are {sorted(NEEDS)}")
        need(
            "truth" not in info.needs or info.supervision == "oracle",
            "it is told the truth, so its supervision is 'oracle'",
        )
        need(
            not info.learns or "model" in info.needs,
            "it learns of the explained classifier, so it needs 'model'",
        )
        need_words(info)
        names = {p.name for p in info.params}
        need(len(names) == len(info.params), "a parameter is declared twice")
        for name, _ in info.seeded_by:
            need(name in names, f"seeded_by names {name!r}, which is no parameter")
        fields = {field for _, field, _, _ in string.Formatter().parse(info.variant) if field}
        need(fields <= names, f"variant {info.variant!r} names {sorted(fields - names)}")
        for param in info.params:
            where = f"parameter {param.name!r}"
            need(param.name.isidentifier(), f"{where} is no word that Python takes as a keyword")
            need(bool(param.help.strip()), f"{where} has no help")
            need(
                not param.choices or param.default in param.choices,
                f"{where}: the default {param.default!r} is none of its choices",
            )
            if isinstance(param.default, int | float) and not isinstance(param.default, bool):
                low = -np.inf if param.minimum is None else param.minimum
                high = np.inf if param.maximum is None else param.maximum
                need(low <= param.default <= high, f"{where}: the default is out of its bounds")
        self._builds()

    def _builds(self) -> None:
        product = self.factory(**self.exact)
        need(
            callable(getattr(product, "answer", None)),
            f"the factory returns a {type(product).__name__}, which has no answer(query, model)",
        )
        for param in self.info.params:
            bounds = [b for b in (param.minimum, param.maximum) if b is not None]
            others: list[ParamValue] = [*param.choices, *(type(param.default)(b) for b in bounds)]
            for value in others:
                try:
                    self.factory(**{**self.exact, param.name: value})
                except UsageError:  # two values that do not go together, and it says so
                    continue
                except Exception as error:
                    raise Broken(
                        f"it cannot be built with {param.name}={value}: "
                        f"{type(error).__name__}: {error}; values that do not go together "
                        "are a UsageError"
                    ) from error

    @check("one row of scores a pair, and whatever comes with them in its own shape", "declared")
    def shape(self) -> None:
        """Look at the plain answer."""
        question, answer = self.base
        shaped(answer, question)

    @check("every score is a finite number", "shape")
    def finite(self) -> None:
        """Look at the plain answer."""
        question, answer = self.base
        finite(answer, question)

    @check("time edges cover the clip, and the resolution is no finer than the frames", "shape")
    def edges(self) -> None:
        """Look at the plain answer."""
        question, answer = self.base
        timed(answer, question)

    @check("the same seed gives the same bits, whatever the global generators say", "finite")
    def repeat(self) -> None:
        """Ask again, built anew, with the global random generators set to something else."""
        question, first = self.base
        for seed in (11, 12):
            scramble(seed)
            self._same_bits(first, self.ask(question, self.model()))

    @staticmethod
    def _same_bits(first: Answer, again: Answer) -> None:
        for name, one, two in (
            ("scores", first.scores.values, again.scores.values),
            ("edges", first.scores.edges, again.scores.edges),
            ("mask", first.mask, again.mask),
            ("decisions", first.decisions, again.decisions),
        ):
            need(
                (one is None) == (two is None) and (one is None or np.array_equal(one, two)),  # type: ignore[arg-type]
                f"asked the same twice, it gives other {name}: draw from query.rng(clip), "
                "never from a global generator",
            )

    @check("another seed changes the answer only where that is declared", "repeat")
    def seed(self) -> None:
        """Ask with another seed."""
        info = self.info
        when = info.seeded_by
        if info.stochastic and (not when or any(self.params[k] == v for k, v in when)):
            raise Skipped("declared stochastic: the seed may change its answers")
        _, first = self.base
        model = self.model()
        other = self.ask(self.question(model, seed=1), model)
        need(
            np.array_equal(first.scores.values, other.scores.values),
            "another seed gives other scores, which MethodInfo(stochastic=..., seeded_by=...) does "
            "not say: answers are cached without the seed",
        )

    @check("a clip is answered alike alone and in company", "finite")
    def batch(self) -> None:
        """Ask about each clip by itself."""
        question, together = self.base
        for clip, name in enumerate(question.clip_ids):
            model = self.model()
            rows = question.pairs[:, 0] == clip
            alone = replace(
                question,
                clip_ids=(name,),
                waveforms=question.waveforms[clip : clip + 1],
                pairs=question.pairs[rows] * [0, 1],
                truth=None if question.truth is None else question.truth[rows],
            )
            got = self.ask(alone, model).scores.values
            same, by = alike(got, together.scores.values[rows], together.scores.values)
            need(
                same,
                f"clip {name} asked alone gets other scores than in a batch of "
                f"{len(question.clip_ids)} (by {by:.1e} of the largest)",
            )

    @check("the order of the clips does not matter", "batch")
    def order(self) -> None:
        """Ask about the clips in reverse."""
        question, first = self.base
        last = len(question.clip_ids) - 1
        rows = np.argsort(last - question.pairs[:, 0], kind="stable")
        pairs = question.pairs[rows]
        turned = replace(
            question,
            clip_ids=question.clip_ids[::-1],
            waveforms=question.waveforms[::-1].copy(),
            pairs=np.stack([last - pairs[:, 0], pairs[:, 1]], 1),
            truth=None if question.truth is None else question.truth[rows],
        )
        got = self.ask(turned, self.model()).scores.values
        same, by = alike(got, first.scores.values[rows])
        need(same, f"in another order the clips get other scores (by {by:.1e} of the largest)")

    @check("a class is answered alike whatever other classes of the clip are asked about", "batch")
    def targets(self) -> None:
        """Ask about the classes of a clip in reverse, and one of them alone."""
        question, first = self.base
        clip = int(question.pairs[-1, 0])
        rows = np.flatnonzero(question.pairs[:, 0] == clip)
        for chosen in (rows[::-1], rows[-1:], rows[:1]):
            pairs = question.pairs[chosen]
            pairs[:, 0] = 0
            part = replace(
                question,
                clip_ids=question.clip_ids[clip : clip + 1],
                waveforms=question.waveforms[clip : clip + 1],
                pairs=pairs,
                truth=None if question.truth is None else question.truth[chosen],
            )
            got = self.ask(part, self.model()).scores.values
            same, by = alike(got, first.scores.values[chosen], first.scores.values)
            asked = ", ".join(question.classes[label] for label in pairs[:, 1])
            need(same, f"asked about {asked} alone, scores differ (by {by:.1e} of the largest)")
