"""Scores on disk, for metrics over all thresholds: a table a clip, as ``sed_scores_eval`` reads it.

    <folder>/<task>/<model>/<method>/<spec-and-seed>/<clip>.tsv
    <folder>/<task>/ground_truth.tsv        what sounds in these clips, and when
    <folder>/<task>/durations.tsv           how long they last

    onset   offset  Cat     Dog
    0.0     0.1     0.0     0.8125
    0.1     0.2     0.0     0.828

One row a frame of the task's grid, one column a class of the task, in its order. The folder of a
method holds these tables and nothing else, since that is what the reader expects. It appears when
the last table is written: a folder that is there is whole. The folders are called as those of the
results are, so that a limited run has a folder of its own.

What the scores are
-------------------
PSDS and event F1 put one threshold to all clips, so that scores have to be comparable across
clips. A *detector's* are: its frame probabilities are written as they are, for every class and
whatever it decided about the clip. Those of an *attribution* or a *baseline* mean something within
their clip alone. They become the end-to-end score: the classifier's clip probability times the
frame score as a share of the clip's largest, for the classes that the classifier detects, and 0 for
all others. A score below zero is no evidence for the class and counts as zero, as it does under the
threshold policy ``relative``; of a method with a mask of its own the share is 1 inside, 0 outside.

All scores are those of the protocol: on its grid, unsmoothed, of eleven significant bits.

References
----------
J. Ebbers, R. Serizel, R. Haeb-Umbach, "Threshold-independent evaluation of sound event detection
scores", ICASSP 2022, arXiv 2201.13148.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.data.annotations import Annotation
from sedbench.data.annotations import write as write_annotations
from sedbench.data.score_tables import durations_text, write_scores
from sedbench.errors import DataError
from sedbench.files import write_atomic
from sedbench.metrics.scores import ScoreTable
from sedbench.protocol.frames import quantise
from sedbench.results import result_path
from sedbench.types import BoolArray, FrameGrid

# What cannot be in a file name somewhere, and the sign that stands for it here.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|%]|^\.')
_HINT = "make room, or name another folder with --scores-dir"


@dataclass(frozen=True, eq=False)
class EveryClass:
    """What a method says of every class of every clip, on the task's grid.

    Attributes
    ----------
    clip_ids : tuple of str, (clips,)
    classes : tuple of str
    grid : FrameGrid
    scores : ndarray, shape (clips, classes, frames), float32
        0 where the method was not asked.
    asked : ndarray, shape (clips, classes), bool
    detected : ndarray, shape (clips, classes)
        Clip probabilities of the explained classifier.
    mask : ndarray, shape (clips, classes, frames), bool, or None
        Of a method that decides by itself.
    """

    clip_ids: tuple[str, ...]
    classes: tuple[str, ...]
    grid: FrameGrid
    scores: NDArray[np.float32]
    asked: BoolArray
    detected: NDArray[Any]
    mask: BoolArray | None = None


def end_to_end(found: EveryClass, decision: float) -> NDArray[np.float32]:
    """Scores that can be compared across clips, of a method that goes by the classifier.

    Parameters
    ----------
    found : EveryClass
    decision : float
        Clip probability above which a class is detected.

    Returns
    -------
    ndarray, shape (clips, classes, frames)
        In [0, 1], quantised. See the module's docstring.
    """
    inside = found.scores if found.mask is None else found.mask
    evidence = np.maximum(np.asarray(inside, np.float64), 0.0)
    most = evidence.max(-1, keepdims=True)
    share = np.divide(evidence, most, out=np.zeros_like(evidence), where=most > 0)
    heard = np.where(found.asked & (found.detected > decision), found.detected, 0.0)
    return quantise(heard[:, :, None] * share)


def score_folder(  # noqa: PLR0917 - the cell's coordinates, in the order of the folders
    folder: Path, task: str, model: str, spec: str, seed: int, limited: int | None = None
) -> Path:
    """Where the tables of one method lie; parameters as of a result's path."""
    return result_path(folder, task, model, spec, seed, limited).with_suffix("")


def file_name(clip_id: str) -> str:
    """Name a clip's table, so that it is a file of its folder whatever the clip is called.

    What cannot stand in a file name everywhere, and a dot in front, is written as in an URL:
    ``a/b`` as ``a%2Fb.tsv``. Two clips never get the same name.
    """
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", clip_id) + ".tsv"


def recording_name(clip_id: str) -> str:
    """What a clip is called in the truth: its table's name, as that of a recording."""
    return file_name(clip_id).removesuffix(".tsv") + ".wav"


def truth_file(folder: Path, task: str, limited: int | None = None) -> Path:
    """Where the truth of a task's test clips lies; a limited run has one of its own."""
    own = "" if limited is None else f"-limit-{limited}"
    return folder / task / f"ground_truth{own}.tsv"


def write_truth(path: Path, told: Sequence[Annotation]) -> Path:
    """Write what sounds in some clips, and how long they last, each as one table.

    Parameters
    ----------
    path : Path
        Of the truth. The durations are beside it, ``durations`` for ``ground_truth``.
    told : sequence of Annotation
        With durations; see :func:`sedbench.data.truth.true_events`.

    Returns
    -------
    Path
        Of the durations.

    Raises
    ------
    DataError
        The folder cannot be written, or a name cannot be.
    """
    write_annotations(path, told, "tsv")
    lasts = path.with_name(
        path.name.replace("ground_truth", "durations")
        if "ground_truth" in path.name
        else f"{path.stem}.durations.tsv"
    )
    seconds = {each.file: each.duration for each in told if each.duration is not None}
    write_atomic(lasts, durations_text(seconds).encode())
    return lasts


def write(
    folder: Path,
    found: EveryClass,
    values: NDArray[np.float32],
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the tables of one method, in place of those of an earlier run.

    Parameters
    ----------
    folder : Path
        From :func:`score_folder`.
    found : EveryClass
        Names the clips, classes and frames.
    values : ndarray, shape (clips, classes, frames)
    advance : callable
        Called with 1 for each table.

    Raises
    ------
    DataError
        The folder cannot be written, or holds something else, or a class has a name that cannot
        be a column's. Nothing is left half-written, and
        the earlier tables are kept unless all new ones are whole.
    """
    _check_own(folder)
    edges = np.round(found.grid.edges, 6)  # to the microsecond
    new, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{what}") for what in ("new", "old"))
    try:
        new.mkdir(parents=True)
        for clip_id, rows in zip(found.clip_ids, values, strict=True):
            write_scores(new / file_name(clip_id), ScoreTable(found.classes, rows.T, edges))
            advance(1)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except (OSError, DataError) as error:
        cause = error.__cause__ if isinstance(error, DataError) and error.__cause__ else error
        raise DataError(
            f"cannot write {folder}: {getattr(cause, 'strerror', None) or cause}", _HINT
        ) from error
    finally:
        if old.exists() and not folder.exists():  # interrupted between the two
            old.rename(folder)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


def _check_own(folder: Path) -> None:
    # It is replaced as a whole, so nobody else's files may be in it.
    if not folder.exists() and not folder.is_symlink():
        return
    strange = (
        [folder]
        if folder.is_symlink() or not folder.is_dir()
        else [each for each in folder.iterdir() if each.suffix != ".tsv" or not each.is_file()]
    )
    if strange:
        raise DataError(
            f"{strange[0]} stands where the scores would go, and is no table of scores",
            "move it away, or name another folder with --scores-dir",
        )
