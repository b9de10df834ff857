"""From a soundscape's specification to its waveform and its truth.

The rules are those of Scaper (Salamon et al., WASPAA 2017), version 1.5.1, in NumPy:

1. The background is tiled to the clip's length, cut, and brought to ``ref_db`` LUFS.
2. An event's stretch is cut from its recording and brought to ``ref_db + snr`` LUFS;
   then come a quarter-sine fade in and a fade out of 10 ms each, and silence around it.
3. All are summed; what exceeds full scale is clipped as SoX does, or the whole clip is
   scaled down (``fix_clipping``, as in Scaper 1.6).

Loudness is integrated LUFS (ITU-R BS.1770-4, pyloudnorm), of sounds under 0.5 s repeated
until they last that long, and is measured before the fades. Scaper 1.5.1 itself asks
ffmpeg's ``ebur128``, which answers with one decimal and cannot be installed by pip.
Two deviations are on purpose: a background shorter than the clip is tiled with an
equal-power crossfade of 250 ms instead of a hard cut, which would be heard as a click;
and the result is quantised to 16 bits, so that a cached clip is the rendered clip.

Truth: a frame is active where events of the class cover at least half of it.

- ``extent``: the placed stretch, from onset to offset.
- ``activity``: where the isolated event is within 30 dB of its own loudest frame; gaps of
  under 200 ms are closed; never outside the extent.

In a room (``impulses``) each event is convolved with a response that begins with the direct
sound and has unit energy, and is cut at the clip's end. The background stays dry: it is a
recorded scene already. Levels are those of the dry event: its gain is found before. The room's
tail sounds, but is not truth: both truths are those of the dry event, at the direct sound.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.data.soundbank import Recording, Soundbank
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError
from sedbench.types import BoolArray, FrameGrid

RENDERER_VERSION = 1  # raise it when a rendered bit or a truth changes: cached clips are remade

FADE = 0.01
CROSSFADE = 0.25
MIN_LOUDNESS_DURATION = 0.5
ACTIVITY_RANGE_DB = 30.0
ACTIVITY_GAP = 0.2

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Rendered:
    """One clip.

    Attributes
    ----------
    clip_id : str
    waveform : ndarray, shape (samples,), float32
        In [-1, 1), multiples of 2**-15.
    extent, activity : ndarray, shape (classes, frames), bool
    groups : tuple of tuple of str, (classes,)
        The source groups of each class's events, sorted; empty for an absent class.
    """

    clip_id: str
    waveform: NDArray[np.float32]
    extent: BoolArray
    activity: BoolArray
    groups: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=4)
def _meter(sample_rate: int) -> Any:
    """The loudness meter of a sample rate: designing its filters costs more than using them."""
    import pyloudnorm

    return pyloudnorm.Meter(sample_rate)


def loudness(samples: Samples, sample_rate: int) -> float:
    """Integrated loudness in LUFS; minus infinity for what is below the meter's gate.

    Parameters
    ----------
    samples : ndarray, shape (samples,)
        At least one sample.
    sample_rate : int
        Hz.
    """
    least = MIN_LOUDNESS_DURATION * sample_rate
    if samples.size < least:
        samples = np.tile(samples, math.ceil(least / samples.size))
    # Scaper measures a 16-bit file; libsndfile clips and rounds towards minus infinity there.
    samples = np.floor(np.clip(samples, -1.0, 1 - 2.0**-15) * 32768) / 32768
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no block: silence
        value = float(_meter(sample_rate).integrated_loudness(samples))
    return value if math.isfinite(value) else -math.inf


def cut(samples: Samples, placement: Placement, sample_rate: int) -> Samples:
    """The placed stretch: SoX reads start and length with six decimals and rounds each."""
    end = placement.source_time + placement.event_duration
    start = int(round(placement.source_time, 6) * sample_rate + 0.5)
    length = int(round(end - placement.source_time, 6) * sample_rate + 0.5)
    return samples[start : start + length]


def _tile(samples: Samples, length: int, sample_rate: int) -> Samples:
    """Repeat a background until ``length`` samples, with equal-power crossfades."""
    if samples.size >= length:
        return samples
    fade = min(int(CROSSFADE * sample_rate), samples.size // 2)
    step = samples.size - fade
    tiles = math.ceil((length - fade) / step) if step else 1
    ramp = np.sin(np.linspace(0, np.pi / 2, fade))
    out = np.zeros(step * tiles + fade)
    for k in range(tiles):
        tile = samples.copy()
        if k > 0:
            tile[:fade] *= ramp
        if k < tiles - 1:
            tile[samples.size - fade :] *= ramp[::-1]
        out[k * step : k * step + samples.size] += tile
    return out


def _gain(samples: Samples, target: float, sample_rate: int, placement: Placement) -> float:
    """The factor that brings a stretch to ``target`` LUFS."""
    if samples.size == 0:
        raise DataError(
            f"recording {placement.source_file!r} ends before {placement.source_time:g} s",
            "the soundbank is not the one that the soundscapes were drawn from",
        )
    measured = loudness(samples, sample_rate)
    if measured == -math.inf:
        raise DataError(
            f"recording {placement.source_file!r} is silent or too quiet to measure from "
            f"{placement.source_time:g} s for {placement.event_duration:g} s",
            "a loudness needs sound above -70 LUFS; draw the soundscape again without it",
        )
    return float(np.exp((target - measured) * np.log(10) / 20))


def _audio(bank: Soundbank, placement: Placement, sample_rate: int) -> Samples:
    return bank.audio(placement.source_file, sample_rate).astype(np.float64)


def background(soundscape: Soundscape, bank: Soundbank, sample_rate: int) -> Samples:
    """The background at its level, shape (samples,)."""
    placement = soundscape.background
    samples = _audio(bank, placement, sample_rate)
    if samples.size:
        end = placement.source_time + placement.event_duration
        samples = _tile(samples, round(end * sample_rate), sample_rate)
    stretch = cut(samples, placement, sample_rate)
    gain = _gain(stretch, soundscape.ref_db, sample_rate, placement)
    return _fit(stretch * gain, 0, int(soundscape.duration * sample_rate))


def stem(
    soundscape: Soundscape, placement: Placement, bank: Soundbank, sample_rate: int
) -> Samples:
    """One event alone, at its level and in its place, shape (samples,)."""
    samples = cut(_audio(bank, placement, sample_rate), placement, sample_rate)
    samples = samples * _gain(samples, soundscape.ref_db + placement.snr, sample_rate, placement)
    fade = min(int(FADE * sample_rate), samples.size)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade))
    samples[:fade] *= ramp
    samples[samples.size - fade :] *= ramp[::-1]
    length = int(soundscape.duration * sample_rate)
    return _fit(samples, int(sample_rate * placement.event_time), length)


def in_room(samples: Samples, impulse: NDArray[np.floating[Any]]) -> Samples:
    """An event as a room answers it, shape (samples,); what outlasts the clip is cut off.

    Parameters
    ----------
    samples : ndarray, shape (samples,)
        The dry event, in its place.
    impulse : ndarray, shape (taps,)
        The room's impulse response, from the direct sound on.
    """
    from scipy.signal import fftconvolve

    wet = fftconvolve(samples, np.asarray(impulse, np.float64))
    return np.asarray(wet[: samples.size], np.float64)


def _fit(samples: Samples, before: int, length: int) -> Samples:
    """``length`` samples, of silence but for ``samples`` from ``before`` on."""
    out = np.zeros(length)
    part = samples[: max(length - before, 0)]
    out[before : before + part.size] = part
    return out


def mix(stems: Sequence[Samples], fix_clipping: bool) -> NDArray[np.float32]:
    """Sum, keep within full scale, quantise to 16 bits."""
    total = np.sum(stems, axis=0)
    peak = float(np.max(np.abs(total)))
    if fix_clipping and peak > 1:
        total = total / peak
    levels = np.clip(np.rint(total * 32768), -32768, 32767)
    return np.asarray(levels / 32768, np.float32)


def covered(intervals: Sequence[tuple[float, float]], grid: FrameGrid) -> BoolArray:
    """Frames that the union of ``[onset, offset)`` intervals covers at least by half.

    Parameters
    ----------
    intervals : sequence of (float, float)
        Seconds; they may overlap.

    Returns
    -------
    ndarray, shape (grid.n_frames,), bool
    """
    total = np.zeros(grid.n_frames)
    low, high = grid.edges[:-1], grid.edges[1:]
    reached = -math.inf
    for start, offset in sorted(intervals):
        onset = max(start, reached)  # what an earlier interval covered counts once
        if offset > onset:
            total += np.clip(np.minimum(high, offset) - np.maximum(low, onset), 0, None)
            reached = offset
    return np.asarray(total >= 0.5 * (high - low) - 1e-9)


def audible(samples: Samples, extent: BoolArray, grid: FrameGrid, sample_rate: int) -> BoolArray:
    """Frames of an isolated event that lie within 30 dB of its loudest one.

    Parameters
    ----------
    samples : ndarray, shape (samples,)
        The event alone, in its place.
    extent : ndarray, shape (grid.n_frames,), bool
        Where the event may be active at all.
    """
    if not extent.any():
        return extent.copy()
    edges = np.rint(grid.edges * sample_rate).astype(np.int64)
    power = np.add.reduceat(samples**2, edges[:-1]) / np.diff(edges)
    loudest = power[extent].max()
    active: BoolArray = (power >= loudest * 10 ** (-ACTIVITY_RANGE_DB / 10)) & extent
    if loudest == 0:
        return extent.copy()
    on = np.flatnonzero(active)
    for left, right in pairwise(on):
        if grid.edges[right] - grid.edges[left + 1] < ACTIVITY_GAP - 1e-9:
            active[left:right] = True
    return np.asarray(active & extent)


def render(
    soundscape: Soundscape,
    bank: Soundbank,
    recordings: Mapping[str, Recording],
    *,
    sample_rate: int,
    classes: Sequence[str],
    grid: FrameGrid,
    fix_clipping: bool = True,
    impulses: Sequence[NDArray[np.floating[Any]]] | None = None,
) -> Rendered:
    """Render one soundscape.

    Parameters
    ----------
    soundscape : Soundscape
    bank : Soundbank
    recordings : mapping of str to Recording
        The bank's recordings by id, for their groups.
    sample_rate : int
        Hz.
    classes : sequence of str
        Rows of the truths. Events of other classes sound, but have no row.
    grid : FrameGrid
    fix_clipping : bool, optional
        Scale a clip that exceeds full scale instead of clipping it.
    impulses : sequence of ndarray, shape (taps,), optional
        Room impulse responses: one an event, in their order, or one for all. Without them
        everything is dry.

    Raises
    ------
    DataError
        A recording is unknown, too short, silent or too quiet to measure.
    ValueError
        There are neither as many responses as events, nor one.
    """
    if impulses is not None and len(impulses) not in (1, len(soundscape.events)):
        raise ValueError(
            f"{soundscape.id} has {len(soundscape.events)} events, got {len(impulses)} impulses"
        )
    row = {label: i for i, label in enumerate(classes)}
    intervals: list[list[tuple[float, float]]] = [[] for _ in classes]
    groups: list[set[str]] = [set() for _ in classes]
    activity = np.zeros((len(classes), grid.n_frames), np.bool_)
    stems = [background(soundscape, bank, sample_rate)]
    for i, event in enumerate(soundscape.events):
        if event.source_file not in recordings:
            raise DataError(
                f"{soundscape.id}: the soundbank {bank.name!r} has no recording "
                f"{event.source_file!r}",
                "the soundbank is not the one that the soundscapes were drawn from",
            )
        dry = stem(soundscape, event, bank, sample_rate)
        stems.append(dry if impulses is None else in_room(dry, impulses[i % len(impulses)]))
        if (k := row.get(event.label)) is None:
            continue
        interval = (event.event_time, event.event_time + event.event_duration)
        intervals[k].append(interval)
        groups[k].add(recordings[event.source_file].group)
        activity[k] |= audible(dry, covered([interval], grid), grid, sample_rate)
    extent = np.array([covered(pair, grid) for pair in intervals]).reshape(activity.shape)
    return Rendered(
        clip_id=soundscape.id,
        waveform=mix(stems, fix_clipping),
        extent=extent,
        activity=activity & extent,
        groups=tuple(tuple(sorted(g)) for g in groups),
    )
