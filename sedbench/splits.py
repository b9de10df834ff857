"""The splits of one run: clips rendered, classified and scored, each once, when first needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench import answers as answering
from sedbench.answers import Answers
from sedbench.data.cache import RenderedSplit, render_split
from sedbench.data.render import RENDERER_VERSION
from sedbench.files import fingerprint
from sedbench.progress import Progress
from sedbench.protocol import Scored
from sedbench.refs import MethodRef, ModelRef
from sedbench.score_files import EveryClass
from sedbench.types import Answer, FrameScores, MethodInfo, Query, Split
from sedbench.work import Work

_Block = tuple[Split, int | None, int]
"""Index, fold of it, and how many of its clips."""


class _ClipDecisions:
    """The classifier's own clip probabilities, asked for like any detector's."""

    def answer(self, query: Query, model: Any) -> Answer:
        import torch

        from sedbench.models.contract import probabilities

        with torch.no_grad():
            values = probabilities(model.classifier(), query.waveforms, model.device)
        empty = FrameScores(np.zeros((0, query.grid.n_frames), np.float32), query.grid.edges)
        return Answer(empty, query.grid.frame, decisions=values)


_CLASSIFIER = MethodRef(
    MethodInfo(name="clip-decisions", summary="", kind="detector"),
    "clip-decisions",
    {},
    _ClipDecisions,
)


class Splits:
    """Rendered clips and the classifier's decisions, each made once, when first needed.

    A *block* is what one index holds for one rotation: a whole split, or one fold of it. In a
    task in folds a split is asked for block by block, each with the rotation's own model.
    """

    def __init__(self, work: Work, progress: Progress) -> None:
        self._work = work
        self._progress = progress
        self._rendered: dict[_Block, RenderedSplit] = {}
        self._detected: dict[tuple[_Block, ModelRef], NDArray[np.float32]] = {}
        self._scored: dict[tuple[str, Split], tuple[Scored, Answers]] = {}

    def _turns(self, split: Split) -> Iterator[tuple[int, ModelRef, list[_Block]]]:
        # ``--limit`` takes the first clips of the test index, and as many of each validation.
        task, limit = self._work.task, self._work.limit or 10**9
        left = limit
        for number, (turn, model) in enumerate(zip(task.rotations, self._work.models, strict=True)):
            if left <= 0:
                return
            room, blocks = (left if split == "test" else limit), []
            for source, fold in turn.blocks(split):
                count = min(room, task.count(source, fold))
                room -= count
                if count:
                    blocks.append((source, fold, count))
            left -= min(left, task.count("test", turn.fold))
            yield number, model, blocks

    def _clips(self, split: Split) -> int:
        return sum(count for _, _, blocks in self._turns(split) for _, _, count in blocks)

    def rendered(self, split: Split) -> list[RenderedSplit]:
        """Render the clips of a split, at most ``limit``; one entry a block."""
        work = self._work
        todo = [block for _, _, blocks in self._turns(split) for block in blocks]
        if any(block not in self._rendered for block in todo):
            self._progress.start(f"render {split} clips", sum(count for _, _, count in todo))
            for block in todo:
                if block in self._rendered:
                    self._progress.advance(block[2])
                    continue
                source, fold, count = block
                self._rendered[block] = render_split(
                    work.task,
                    source,
                    work.bank,
                    fold=fold,
                    limit=count,
                    jobs=work.jobs,
                    progress=lambda *_: self._progress.advance(),
                )
            self._progress.finish()
        return [self._rendered[block] for block in todo]

    def detected(self, split: Split) -> None:
        """Ask the explained classifier for clip probabilities, shape (clips, classes) a block."""
        self.rendered(split)
        todo = [(block, model) for _, model, blocks in self._turns(split) for block in blocks]
        if all(key in self._detected for key in todo):
            return
        self._progress.start(f"classify {split} clips", sum(block[2] for block, _ in todo))
        for key in todo:
            if key not in self._detected:
                block, model = key
                got = self._ask(_CLASSIFIER, model, block, np.zeros((0, 2), np.int64), None)
                assert got.own is not None
                self._detected[key] = got.own
        self._progress.finish()

    def scored(self, method: MethodRef, split: Split) -> tuple[Scored, Answers]:
        """Ask a method for its answers on a split.

        Attributions are asked for the pairs that the classifier detects, which are the
        only ones they are scored on; what is cheap is asked for all.
        """
        if (method.spec, split) in self._scored:
            return self._scored[method.spec, split]
        self.detected(split)
        self._progress.start(f"{method.spec} on {split}", self._clips(split))
        parts, answers, folds = [], [], []
        for number, model, blocks in self._turns(split):
            for block in blocks:
                part, got = self._score(method, model, block)
                parts.append(part)
                answers.append(got)
                folds.append(number)
        self._progress.finish()
        if self._work.task.folds:
            made = Scored.joined(parts, folds), Answers.joined(answers)
        else:
            made = parts[0], answers[0]
        self._scored[method.spec, split] = made
        return made

    def _score(self, method: MethodRef, model: ModelRef, block: _Block) -> tuple[Scored, Answers]:
        clips, detected = self._rendered[block], self._detected[block, model]
        table, task = clips.pairs, self._work.task
        asked = np.ones(len(table), bool)
        if method.info.kind == "attribution":
            asked = detected[table.clip, table.label] > task.threshold
        pairs = np.stack([table.clip, table.label], axis=1)[asked]
        got = self._ask(method, model, block, pairs, table.truths[task.truth][asked])
        scores = np.zeros((len(table), table.grid.n_frames), np.float32)
        scores[asked] = got.scores
        mask = None
        if got.mask is not None:
            mask = np.zeros(scores.shape, bool)
            mask[asked] = got.mask
        return Scored(table, scores, asked, detected, mask, got.own), got

    def every_class(self, method: MethodRef, split: Split) -> EveryClass:
        """Ask a method about the classes that a clip does not hold, too.

        What it said of the true pairs is taken as it is. Beside them a detector is asked about
        all absent classes, and what goes by the classifier about those that it detects.
        """
        known, _ = self.scored(method, split)
        table, task = known.table, self._work.task
        shape = known.detected.shape
        scores = np.zeros((*shape, table.grid.n_frames), np.float32)
        mask = None if known.mask is None else np.zeros(scores.shape, bool)
        answered = np.zeros(shape, bool)
        answered[table.clip, table.label] = known.scored
        scores[table.clip, table.label] = np.where(known.scored[:, None], known.scores, 0.0)
        if mask is not None:
            mask[table.clip, table.label] = known.mask
        wanted = np.ones(shape, bool)
        if method.info.kind != "detector":
            wanted = known.detected > task.threshold
        wanted[table.clip, table.label] = False
        self._progress.start(f"{method.spec} on absent classes of {split}", self._clips(split))
        start = 0
        for _, model, blocks in self._turns(split):
            for block in blocks:
                pairs = np.argwhere(wanted[start : start + block[2]])
                if len(pairs):
                    truth = np.zeros((len(pairs), table.grid.n_frames), bool)
                    got = self._ask(method, model, block, pairs, truth)
                    at = pairs[:, 0] + start, pairs[:, 1]
                    answered[at] = True
                    scores[at] = got.scores
                    if mask is not None:
                        mask[at] = got.mask
                else:
                    self._progress.advance(block[2])
                start += block[2]
        self._progress.finish()
        return EveryClass(
            table.clip_ids, table.classes, table.grid, scores, answered, known.detected, mask
        )

    @cached_property
    def _audio(self) -> str:
        # What decides a clip's samples and truth. A task need not record its bank's fingerprint.
        work = self._work
        return fingerprint([work.task.fingerprint(), work.bank().fingerprint(), RENDERER_VERSION])

    def _ask(
        self,
        method: MethodRef,
        model: ModelRef,
        block: _Block,
        pairs: NDArray[np.int64],
        truth: Any,
    ) -> Answers:
        work, clips = self._work, self._rendered[block]
        return answering.ask(
            method,
            model,
            clip_ids=clips.clip_ids,
            waveforms=clips.waveforms,
            pairs=pairs,
            grid=work.task.grid,
            truth=truth,
            seed=work.seed,
            data=self._audio,
            jobs=work.jobs,
            timeout=work.timeout,
            fresh=work.overwrite == "always",
            advance=self._progress.advance,
        )
