"""The contract of a metric: a function of scores or masks and truth, one value a pair.

What a metric is given it asks for by the names of its parameters:

==========================  ====================================================================
``scores``                  frame scores (pairs, frames)
``mask``                    predicted active frames (pairs, frames), bool
``truth``                   active frames of the class (pairs, frames), bool
``others``, ``valid``       frames of other classes; frames that count (pairs, frames), bool
``tp``, ``fp``, ``fn``      counts of frames (pairs,)
``hit``, ``share``          averages of a pointing hit, and of the share of active frames (pairs,)
==========================  ====================================================================
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.protocol.extra import PER_PAIR, Unusable, ask, build, counts
from sedbench.spec import NAME
from sedbench.testing.checks import Broken, Contract, Skipped, check, need
from sedbench.types import MetricInfo

OVER = ("scores", "masks", "corpus", "model")
PAIRS, FRAMES = 12, 40


class MetricContract(Contract):
    """Every check of a metric; see :func:`sedbench.testing.metric_contract`."""

    kind = "metric"

    def __init__(self, info: MetricInfo, factory: Callable[..., Any]) -> None:
        self.info, self.factory = info, factory
        super().__init__(info.name)

    def inputs(self, pairs: int = PAIRS, seed: int = 0) -> dict[str, NDArray[Any]]:
        """Everything that a metric can ask for, by name."""
        rng = np.random.default_rng(seed)
        truth = np.zeros((pairs, FRAMES), bool)
        for row in truth:
            start = rng.integers(0, FRAMES - 10)
            row[start : start + rng.integers(2, 10)] = True
        scores = (truth + rng.normal(0, 0.7, truth.shape)).astype(np.float32)
        mask = scores > 0.5
        return {
            "scores": scores,
            "mask": mask,
            "truth": truth,
            "others": rng.random(truth.shape) < 0.3,
            "valid": np.ones_like(truth),
            **counts(mask, truth),
            "hit": rng.random(pairs) * 0.5 + 0.5,
            "share": rng.random(pairs) * 0.5,
        }

    def call(self, given: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Hand over what the function asks for."""
        return ask(self.made(), given)

    def made(self) -> Callable[..., Any]:
        """The function, with the defaults of the metric's parameters."""
        try:
            return build(self.info, self.factory)
        except Unusable as error:
            raise Broken(str(error)) from error

    @check("its metadata is whole")
    def declared(self) -> None:
        """Name, summary, range."""
        info = self.info
        need(NAME.match(info.name) is not None, f"{info.name!r} is no name")
        need(bool(info.summary.strip()) and "\n" not in info.summary, "the summary is one line")
        need(info.over in OVER, f"over={info.over!r} is none of {', '.join(OVER)}")
        need(info.low < info.high, f"its range goes from {info.low} to {info.high}")

    @check("the factory returns a function, whose parameters are things that there are")
    def function(self) -> None:
        """Read its signature."""
        made, known = self.made(), self.inputs()
        if self.info.over not in PER_PAIR:
            raise Skipped(f"a metric over the {self.info.over} has no value a pair")
        for name, parameter in inspect.signature(made).parameters.items():
            need(
                name in known or parameter.default is not inspect.Parameter.empty,
                f"it asks for {name!r}; there are {', '.join(known)}",
            )

    @check("one value a pair, within its range", "function")
    def values(self) -> None:
        """Of a score that is better than chance."""
        found = self.call(self.inputs())
        need(found.shape == (PAIRS,), f"its values have shape {found.shape} for {PAIRS} pairs")
        known = found[np.isfinite(found)]
        need(len(known) > 0, "none of its values is a number")
        # Ranges are those of the aggregate; rounding may touch their ends.
        low, high = self.info.low - 1e-9, self.info.high + 1e-9
        need(
            bool(np.all((known >= low) & (known <= high))),
            f"values from {known.min():g} to {known.max():g}, and its range is "
            f"{self.info.low:g} to {self.info.high:g}",
        )

    @check("a pair's value does not depend on the other pairs", "values")
    def pairs(self) -> None:
        """Ask about each pair by itself."""
        given = self.inputs()
        whole = self.call(given)
        alone = [self.call({k: v[row : row + 1] for k, v in given.items()}) for row in range(PAIRS)]
        need(
            bool(np.allclose(np.concatenate(alone), whole, equal_nan=True)),
            "asked about alone, a pair has another value",
        )

    @check("where nothing or everything is active it gives a value or NaN, and no error", "values")
    def empty(self) -> None:
        """Empty truth, full truth, constant scores, no pairs."""
        for fill in (False, True):
            given = self.inputs()
            given |= {"truth": np.full_like(given["truth"], fill)}
            given |= {
                "scores": np.zeros_like(given["scores"]),
                "share": np.full(PAIRS, float(fill)),
            }
            given |= counts(given["mask"], given["truth"])
            with np.errstate(all="raise"):
                found = self.call(given)
            need(found.shape == (PAIRS,), f"its values have shape {found.shape}")
            need(not np.isinf(found).any(), "it is infinite somewhere; undefined is NaN")

    @check("what it is given is not written to", "values")
    def inputs_kept(self) -> None:
        """Compare before and after."""
        given = self.inputs()
        self.call(given)
        same = self.inputs()
        found = [name for name, value in given.items() if not np.array_equal(value, same[name])]
        need(not found, f"it writes to {', '.join(found)}")

    @check("a perfect answer is at least as good as a random one", "values")
    def better(self) -> None:
        """The truth itself as scores and as mask."""
        given = self.inputs()
        truth = given["truth"]
        best = given | {"scores": truth.astype(np.float32), "mask": truth, **counts(truth, truth)}
        best["hit"] = np.ones(PAIRS)
        noise = np.random.default_rng(4).random(truth.shape).astype(np.float32)
        worse = given | {"scores": noise, "mask": noise > 0.5, **counts(noise > 0.5, truth)}
        one, two = (float(np.nanmean(self.call(each))) for each in (best, worse))
        sign = 1.0 if self.info.higher_is_better else -1.0
        need(
            sign * (one - two) >= -1e-9,
            f"the truth scores {one:g} and noise {two:g}, and higher_is_better is "
            f"{self.info.higher_is_better}",
        )
