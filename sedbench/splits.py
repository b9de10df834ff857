"""The splits of one run: clips rendered, classified and scored, each once, when first needed."""

from __future__ import annotations

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
from sedbench.refs import MethodRef
from sedbench.types import Answer, FrameScores, MethodInfo, Query, Split
from sedbench.work import Work


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
    """Rendered clips and the classifier's decisions, each made once, when first needed."""

    def __init__(self, work: Work, progress: Progress) -> None:
        self._work = work
        self._progress = progress
        self._rendered: dict[Split, RenderedSplit] = {}
        self._detected: dict[Split, NDArray[np.float32]] = {}

    def rendered(self, split: Split) -> RenderedSplit:
        """Render the clips of a split, at most ``limit``."""
        if split not in self._rendered:
            work = self._work
            total = min(work.task.splits[split].clips, work.limit or 10**9)
            self._progress.start(f"render {split} clips", total)
            self._rendered[split] = render_split(
                work.task,
                split,
                work.bank,
                limit=work.limit,
                jobs=work.jobs,
                progress=lambda *_: self._progress.advance(),
            )
            self._progress.finish()
        return self._rendered[split]

    def detected(self, split: Split) -> NDArray[np.float32]:
        """Ask the explained classifier for clip probabilities, shape (clips, classes)."""
        if split not in self._detected:
            clips = self.rendered(split)
            self._progress.start(f"classify {split} clips", len(clips.clip_ids))
            got = self._ask(_CLASSIFIER, split, np.zeros((0, 2), np.int64), None)
            self._progress.finish()
            assert got.own is not None
            self._detected[split] = got.own
        return self._detected[split]

    def scored(self, method: MethodRef, split: Split) -> tuple[Scored, Answers]:
        """Ask a method for its answers on a split.

        Attributions are asked for the pairs that the classifier detects, which are the
        only ones they are scored on; what is cheap is asked for all.
        """
        clips, detected = self.rendered(split), self.detected(split)
        table, task = clips.pairs, self._work.task
        asked = np.ones(len(table), bool)
        if method.info.kind == "attribution":
            asked = detected[table.clip, table.label] > task.threshold
        pairs = np.stack([table.clip, table.label], axis=1)[asked]
        self._progress.start(f"{method.spec} on {split}", len(clips.clip_ids))
        got = self._ask(method, split, pairs, table.truths[task.truth][asked])
        self._progress.finish()
        scores = np.zeros((len(table), table.grid.n_frames), np.float32)
        scores[asked] = got.scores
        mask = None
        if got.mask is not None:
            mask = np.zeros(scores.shape, bool)
            mask[asked] = got.mask
        return Scored(table, scores, asked, detected, mask, got.own), got

    @cached_property
    def _audio(self) -> str:
        # What decides a clip's samples and truth. A task need not record its bank's fingerprint.
        work = self._work
        return fingerprint([work.task.fingerprint(), work.bank().fingerprint(), RENDERER_VERSION])

    def _ask(
        self, method: MethodRef, split: Split, pairs: NDArray[np.int64], truth: Any
    ) -> Answers:
        work, clips = self._work, self.rendered(split)
        return answering.ask(
            method,
            work.model,
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
