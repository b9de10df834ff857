"""How a method fares where clips and models are not what it was written for."""

from __future__ import annotations

from typing import Any

import numpy as np

from sedbench.models.store import ModelHandle
from sedbench.testing.checks import Broken, Skipped, check, need
from sedbench.testing.material import LOUD, bursts
from sedbench.testing.planted import CLASSES, FRAME, RATE
from sedbench.testing.subject import SECONDS, MethodSubject
from sedbench.types import Answer, Query

CLICKS = (0.45, 1.15, 2.05)  # seconds, each in the middle of a frame of 0.1 s
OTHER_FRAME, OTHER_RATE = 0.04, 3000
TAUGHT = 512  # clips that a method that learns has learnt from before it has to find a click


class MethodWorlds(MethodSubject):
    """Checks on other clips and other models."""

    def _about_bursts(self, model: ModelHandle, seconds: float, *at: float) -> None:
        waves = np.stack([bursts(model.sample_rate, seconds, (time,)) for time in at])
        last = len(model.classes) - 1
        chosen = sorted({(clip, label) for clip in range(len(at)) for label in (0, last)})
        question = self.asking(waves, model, pairs=chosen)
        self.sound(self.ask(question, model), question)

    @check("silence gets finite scores", "edges", "finite")
    def silence(self) -> None:
        """Ask about a clip of zeros."""
        model = self.model()
        waves = np.zeros((1, round(SECONDS * model.sample_rate)), np.float32)
        question = self.asking(waves, model, pairs=[(0, 0), (0, len(model.classes) - 1)])
        self.sound(self.ask(question, model), question)

    @check("an event of one frame, the last one too, gets finite scores", "edges", "finite")
    def one_frame(self) -> None:
        """Ask about clips with digital silence around a single frame of sound."""
        model = self.model()
        rate = model.sample_rate
        waves = np.zeros((2, round(SECONDS * rate)), np.float32)
        for row, start in zip(waves, (1.0, SECONDS - FRAME), strict=True):
            at = slice(round(start * rate), round((start + FRAME) * rate))
            row[at] = LOUD * np.random.default_rng(3).uniform(-1, 1, at.stop - at.start)
        question = self.asking(waves, model, pairs=[(0, 0), (1, 0)])
        self.sound(self.ask(question, model), question)

    @check("clips of 3 s", "edges", "finite", name="3-seconds")
    def short(self) -> None:
        """Ask about clips of three seconds."""
        self._about_bursts(self.model(), 3.0, 1.25)

    @check("clips of 30 s", "edges", "finite", name="30-seconds")
    def long(self) -> None:
        """Ask about a clip of thirty seconds."""
        self._about_bursts(self.model(), 30.0, 21.25)

    @check("models with one class, and with seven", "edges", "finite")
    def classes(self) -> None:
        """Ask about a model with another number of classes."""
        for number in (1, 7):
            model = self.model(tuple(f"Class{i}" for i in range(number)))
            self._about_bursts(model, SECONDS, 0.45)

    @check("a model with another frame and sample rate", "edges", "finite", name="frame-rate")
    def frame_rate(self) -> None:
        """Ask about a model with frames of 40 ms at 3 kHz."""
        model = self.model(CLASSES, OTHER_RATE, OTHER_FRAME)
        self._about_bursts(model, SECONDS, 1.25)

    @check("a clip without a pair gets its decisions", "finite", name="no-pairs")
    def no_pairs(self) -> None:
        """Ask a detector about a clip in which no class is to be scored."""
        if self.info.kind != "detector":
            raise Skipped("only detectors are asked about clips without a pair")
        model = self.model()
        waves = bursts(model.sample_rate, SECONDS, (0.45,))[None]
        question = self.asking(waves, model, pairs=[])
        answer = self.ask(question, model)
        values = answer.scores.values
        need(len(values) == 0, f"no pair was asked about, and {len(values)} are answered")

    @check("the peak of a click is where the click is, within the resolution", "frame-rate")
    def impulse(self) -> None:
        """Let the planted model, which answers to a click, be explained; on two frame rates."""
        if not self.listens():
            raise Skipped("it hears no model, so that nothing can be planted for it to find")
        for rate, frame in ((RATE, FRAME), (OTHER_RATE, OTHER_FRAME)):
            misses = self._missed(rate, frame)
            # A method that only sees what a maximum chose (deconvolution) has nothing to go by
            # where the network takes the mean over time.
            if misses and self._missed(rate, frame, loudest=True):
                raise Broken(misses[0])

    def _missed(self, rate: int, frame: float, **options: Any) -> list[str]:
        model = self.model(CLASSES, rate, frame, clips=TAUGHT, **options)
        waves = np.stack([bursts(rate, 2.4, (time,), seed=9) for time in CLICKS])
        last = len(model.classes) - 1
        question = self.asking(waves, model, pairs=[(0, 0), (1, last), (2, 0)])
        answer = self.ask(question, model, self.exact)
        self.sound(answer, question)
        # What was learnt from a few clips has no sharper eyes than they gave it.
        width = float(np.median(np.diff(answer.scores.edges)))
        return missed(answer, question, width if self.info.learns else 0.0)


def missed(answer: Answer, question: Query, slack: float = 0.0) -> list[str]:
    """Say of every pair whose highest frame is not where the click is, where it is.

    A frame is where the click is if its middle is nearer than the method's resolution, and so
    many seconds of slack.
    """
    edges = np.asarray(answer.scores.edges, np.float64)
    middles = (edges[:-1] + edges[1:]) / 2
    near = max(float(answer.resolution), float(np.median(np.diff(edges)))) + slack - 1e-6
    found = []
    for row, (clip, label) in zip(answer.scores.values, question.pairs.tolist(), strict=True):
        tops = middles[row == row.max()]
        click = CLICKS[clip]
        if len(tops) == len(row):
            found.append(f"{question.classes[label]}: the scores are the same everywhere")
        elif not np.all(np.abs(tops - click) < near):
            far = tops[np.argmax(np.abs(tops - click))]
            found.append(
                f"{question.classes[label]}, click at {click:g} s: highest at {far:.3g} s, with a "
                f"resolution of {answer.resolution:g} s"
            )
    return found
