"""Ask a method for the frame scores of one split: in chunks, in workers, through the cache.

A chunk is a fixed run of clips, so that the batch a pair is computed in does not depend on
``--jobs``, on ``--limit`` (but for the last chunk) or on where an earlier run stopped. A
finished chunk is kept, named by everything that decides it; an interrupted run goes on from
there. What failed is never kept.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import SedbenchError
from sedbench.files import cache_root, fingerprint, write_atomic
from sedbench.protocol.frames import quantise, resample, resample_mask
from sedbench.refs import MethodRef, ModelRef
from sedbench.types import Answer, BoolArray, FrameGrid, Query
from sedbench.usage import measured
from sedbench.workers import run_jobs

CHUNK = 8  # clips
_FORMAT = 1  # of a cached chunk


@dataclass(frozen=True)
class Chunk:
    """One batch of clips and pairs, on its way to a worker."""

    method: MethodRef
    model: ModelRef
    query: Query
    start: int
    key: str


@dataclass(frozen=True)
class Answers:
    """A method's answers on one split, on the task's grid.

    Attributes
    ----------
    scores : ndarray, shape (pairs, frames), float32
        Quantised.
    mask : ndarray, shape (pairs, frames), bool, or None
    own : ndarray, shape (clips, classes), or None
        A detector's own clip probabilities.
    diagnostics : dict of str to ndarray, shape (pairs,)
    forward, backward : int
    seconds, cpu_seconds : float
        Of computing, also where a chunk came from the cache: on the wall, and of the processor,
        which other programs do not lengthen.
    peak_memory : float or None
        Bytes that the worker held at most, of the GPU where there is one; None where unknown.
    equals : str
        What every chunk's scores are by construction, or empty.
    resolution : float
        Seconds.
    cached : int
        Chunks that were not computed now.
    """

    scores: NDArray[np.float32]
    mask: BoolArray | None
    own: NDArray[np.float32] | None
    diagnostics: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    forward: int = 0
    backward: int = 0
    seconds: float = 0.0
    resolution: float = 0.0
    cached: int = 0
    cpu_seconds: float | None = None
    peak_memory: float | None = None
    equals: str = ""

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """The answers in several rotations, one after the other."""

        def join(arrays: Sequence[NDArray[Any] | None]) -> Any:
            known = [array for array in arrays if array is not None]
            return np.concatenate(known) if len(known) == len(arrays) else None

        first = parts[0]
        return cls(
            scores=np.concatenate([part.scores for part in parts]),
            mask=join([part.mask for part in parts]),
            own=join([part.own for part in parts]),
            diagnostics={
                name: np.concatenate([part.diagnostics[name] for part in parts])
                for name in first.diagnostics
            },
            forward=sum(part.forward for part in parts),
            backward=sum(part.backward for part in parts),
            seconds=sum(part.seconds for part in parts),
            resolution=first.resolution,
            cached=sum(part.cached for part in parts),
            cpu_seconds=_known(sum, [part.cpu_seconds for part in parts]),
            peak_memory=_known(max, [part.peak_memory for part in parts]),
            equals=_common([part.equals for part in parts]),
        )


Parts = dict[str, NDArray[Any]]


def ask(
    method: MethodRef,
    model: ModelRef,
    *,
    clip_ids: tuple[str, ...],
    waveforms: NDArray[np.float32],
    pairs: NDArray[np.int64],
    grid: FrameGrid,
    truth: BoolArray | None,
    seed: int,
    data: str,
    jobs: int = 1,
    timeout: float | None = None,
    fresh: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> Answers:
    """Frame scores of all ``pairs``.

    Parameters
    ----------
    method, model : MethodRef, ModelRef
    clip_ids : tuple of str, (clips,)
    waveforms : ndarray, shape (clips, samples)
    pairs : ndarray, shape (pairs, 2)
        Sorted by clip.
    grid : FrameGrid
    truth : ndarray, shape (pairs, frames), or None
        Passed on to a method that needs it.
    seed : int
    data : str
        Identifies the audio: task fingerprint and split.
    jobs : int
    timeout : float, optional
        Seconds a chunk.
    fresh : bool
        Compute again what is cached.
    advance : callable
        Called with the number of clips done.

    Raises
    ------
    NotApplicable
        The method does not apply to the model.
    SedbenchError
        It failed, or its answer is no answer.
    """
    chunks: list[Chunk] = []
    for start in range(0, len(clip_ids), CHUNK):
        stop = min(start + CHUNK, len(clip_ids))
        rows = (pairs[:, 0] >= start) & (pairs[:, 0] < stop)
        if not rows.any() and method.info.kind != "detector":  # a detector may raise false alarms
            advance(stop - start)
            continue
        query = Query(
            clip_ids[start:stop],
            waveforms[start:stop],
            model.sample_rate,
            pairs[rows] - np.array([start, 0]),
            model.classes,
            grid,
            seed,
            truth[rows] if truth is not None and "truth" in method.info.needs else None,
        )
        chunks.append(Chunk(method, model, query, start, _key(method, model, query, data)))
    found: dict[str, Parts] = {}
    if not fresh:
        for chunk in chunks:
            parts = _load(chunk)
            if parts is not None:
                found[chunk.key] = parts
                advance(len(chunk.query.clip_ids))
    missing = [c for c in chunks if c.key not in found]
    for chunk, parts in zip(missing, run_jobs(answer, missing, jobs, timeout), strict=True):
        write_atomic(_path(chunk.key), _pack(parts))
        found[chunk.key] = parts
        advance(len(chunk.query.clip_ids))
    answers = _join([(c, found[c.key]) for c in chunks], len(clip_ids), model, grid)
    return Answers(**answers, cached=len(chunks) - len(missing))


def answer(chunk: Chunk) -> Parts:
    """Compute one chunk; runs in a worker."""
    query, method = chunk.query, chunk.method
    built = method.factory(**method.params)
    handle = chunk.model.handle()
    with measured(chunk.model.device) as usage:
        got: Answer = built.answer(query, handle)
    _check(got, method.spec, query)
    parts: Parts = {
        "scores": quantise(resample(got.scores, query.grid)),
        "cost": np.array(
            [got.cost.forward, got.cost.backward, got.cost.seconds, got.resolution], np.float64
        ),
        "usage": np.array([usage.cpu_seconds, usage.peak_memory], np.float64),
        "equals": np.array(got.equals),
    }
    if got.mask is not None:
        parts["mask"] = resample_mask(got.mask, got.scores.edges, query.grid)
    if got.decisions is not None:
        parts["own"] = np.asarray(got.decisions, np.float32)
    for name, values in got.diagnostics.items():
        parts[f"diagnostic.{name}"] = np.asarray(values, np.float64)
    return parts


def _check(got: object, spec: str, query: Query) -> None:
    # Here, in the worker: what is no answer is never kept.
    if not isinstance(got, Answer):
        raise SedbenchError(
            f"{spec} answered {len(query.pairs)} pairs with {type(got).__name__}",
            "a method returns an Answer",
        )
    values = got.scores.values
    rows = (len(query.pairs),)
    parts: list[tuple[str, Any, tuple[int, ...]]] = [
        ("scores", values, (*rows, values.shape[1])),
        ("mask", got.mask, (*rows, values.shape[1])),
        ("decisions", got.decisions, (len(query.clip_ids), len(query.classes))),
        *((f"diagnostic {name!r}", part, rows) for name, part in got.diagnostics.items()),
    ]
    for name, part, shape in parts:
        if part is None:
            continue
        if np.shape(part) != shape:
            raise SedbenchError(
                f"{spec} answered {len(query.pairs)} pairs of {len(query.clip_ids)} clips with "
                f"{name} of shape {np.shape(part)} instead of {shape}",
                "a method returns an Answer with one row of scores a pair",
            )
        if name != "scores" and not np.isfinite(part).all():
            raise SedbenchError(f"{spec} answered with {name} that are not finite")
    if not np.isfinite(values).all():
        row, frame = np.argwhere(~np.isfinite(values))[0]
        clip, label = query.pairs[row]
        raise SedbenchError(
            f"{spec} gave a score that is not finite: clip {query.clip_ids[clip]}, "
            f"class {query.classes[label]}, frame {frame}"
        )


def _key(method: MethodRef, model: ModelRef, query: Query, data: str) -> str:
    return fingerprint(
        [
            _FORMAT,
            data,
            method.spec,
            method.info.version,
            method.code(),
            query.seed if method.seeded else None,
            [model.canonical, behind, model.device] if (behind := model.behind(method)) else [],
            query.clip_ids,
            query.pairs.tolist(),
            [query.grid.duration, query.grid.frame],
        ]
    )


def _path(key: str) -> Path:
    return cache_root() / "answers" / key[:2] / f"{key}.npz"


def _pack(parts: Parts) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **parts)
    return buffer.getvalue()


def _load(chunk: Chunk) -> Parts | None:
    path = _path(chunk.key)
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            parts = {name: file[name] for name in file.files}
        shapes = parts["scores"].shape, parts["cost"].shape
        if shapes != ((len(chunk.query.pairs), chunk.query.grid.n_frames), (4,)):
            raise ValueError(f"shapes {shapes}")
        return parts
    except FileNotFoundError:
        return None
    except Exception:  # whatever a damaged archive raises: it is made again
        with contextlib.suppress(OSError):  # whoever writes the new one says why it cannot
            path.unlink(missing_ok=True)
        return None


def _join(
    done: list[tuple[Chunk, Parts]],
    n_clips: int,
    model: ModelRef,
    grid: FrameGrid,
) -> dict[str, Any]:
    if not done:
        return {
            "scores": np.zeros((0, grid.n_frames), np.float32),
            "mask": None,
            "own": None,
        }
    parts = [p for _, p in done]
    own = None
    if "own" in parts[0]:
        own = np.zeros((n_clips, len(model.classes)), np.float32)
        for chunk, part in done:
            own[chunk.start : chunk.start + len(part["own"])] = part["own"]
    costs = np.sum([p["cost"] for p in parts], axis=0)
    return {
        "scores": np.concatenate([p["scores"] for p in parts]),
        "mask": np.concatenate([p["mask"] for p in parts]) if "mask" in parts[0] else None,
        "own": own,
        "diagnostics": {
            name.removeprefix("diagnostic."): np.concatenate([p[name] for p in parts])
            for name in parts[0]
            if name.startswith("diagnostic.")
        },
        "forward": int(costs[0]),
        "backward": int(costs[1]),
        "seconds": float(costs[2]),
        "resolution": float(parts[0]["cost"][3]),
        "cpu_seconds": _known(sum, [_usage(p, 0) for p in parts]),
        "peak_memory": _known(max, [_usage(p, 1) for p in parts]),
        "equals": _common([str(p.get("equals", "")) for p in parts]),
    }


def _usage(parts: Parts, place: int) -> float | None:
    # A chunk that was kept before usage was measured has none.
    value = float(parts["usage"][place]) if "usage" in parts else math.nan
    return None if math.isnan(value) else value


def _known(total: Callable[[list[float]], float], parts: Sequence[float | None]) -> float | None:
    values = [part for part in parts if part is not None]
    return total(values) if values and len(values) == len(parts) else None


def _common(names: Sequence[str]) -> str:
    return names[0] if len(set(names)) == 1 else ""
