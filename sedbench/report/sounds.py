"""The sound of a few clips: waveform, log-mel spectrogram, a player's file, and its authors.

Clips are rendered from the task, or read from the cache. A clip whose truth is not the one that the
results hold is another clip, and is refused.

The player's file is MP3, which every browser plays, or FLAC where MP3 cannot be had: its sample
rate has to be one of a few. The same clip gives the same bytes with one version of libsndfile.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sedbench.data.cache import BankFactory, iter_rendered
from sedbench.data.render import Rendered
from sedbench.data.soundbank import Recording
from sedbench.data.soundscape import Excerpt
from sedbench.errors import DataError
from sedbench.tasks import Clip, TaskSpec
from sedbench.types import PairTable

BANDS = 64
RANGE_DB = 80.0
_LOWEST = 50.0  # Hz
_WINDOW, _HOP = 0.032, 0.01  # seconds
_MP3_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}
_SMALL = 0.6  # of libsndfile's compression levels: about 40 kbit/s for speech at 16 kHz


@dataclass(frozen=True, eq=False)
class Sound:
    """One clip as it sounds.

    Attributes
    ----------
    waveform : ndarray, shape (samples,), float32
    sample_rate : int
        Hz.
    credits : tuple of str
        Author, licence and source of each recording in it, as far as its soundbank knows them.
    """

    waveform: NDArray[np.float32]
    sample_rate: int
    credits: tuple[str, ...]


def sounds(
    task: TaskSpec, bank: BankFactory, wanted: Collection[str], table: PairTable
) -> dict[str, Sound]:
    """Render some test clips.

    Parameters
    ----------
    task : TaskSpec
    bank : callable
        Returns the task's soundbank.
    wanted : collection of str
        Ids of the clips.
    table : PairTable
        What the results say of the test split.

    Raises
    ------
    SedbenchError
        The sounds are not here, or are not those that were measured.
    """
    clips = {clip.id: clip for clip in task.clips("test") if clip.id in wanted}
    recordings = {recording.id: recording for recording in bank().recordings()}
    found = {}
    for made in iter_rendered(task, "test", bank, only=wanted):
        _check(made, table)
        thanks = _credits(clips[made.clip_id], recordings)
        found[made.clip_id] = Sound(made.waveform, task.sample_rate, thanks)
    if missing := sorted(set(wanted) - found.keys()):
        raise DataError(f"task {task.name!r} has no clip {missing[0]}", "measure again")
    return found


def _check(made: Rendered, table: PairTable) -> None:
    for pair in np.flatnonzero(table.clip == table.clip_ids.index(made.clip_id)).tolist():
        for name, truth in table.truths.items():
            if not np.array_equal(getattr(made, name)[table.label[pair]], truth[pair]):
                raise DataError(
                    f"the clip {made.clip_id} of today has another truth than the one measured",
                    "measure again: the sounds have changed",
                )


def _credits(clip: Clip, recordings: dict[str, Recording]) -> tuple[str, ...]:
    if isinstance(clip, Excerpt):
        used = [clip.recording]
    else:
        used = [placement.source_file for placement in (clip.background, *clip.events)]
    told = []
    for name in dict.fromkeys(used):
        known = recordings.get(name)
        parts = (known.author, known.licence, known.source) if known is not None else ()
        if any(parts):
            told.append(f"{name}: {', '.join(filter(None, parts))}")
    return tuple(told)


def log_mel(sound: Sound) -> NDArray[np.float64]:
    """Log-mel spectrogram in dB below its maximum.

    Returns
    -------
    ndarray, shape (BANDS, frames)
        In [-RANGE_DB, 0], the lowest band first, from 50 Hz to half the sample rate.
    """
    from sedbench.models.frontend import mel_matrix

    rate = sound.sample_rate
    size, hop = 2 ** round(np.log2(_WINDOW * rate)), round(_HOP * rate)
    padded = np.pad(sound.waveform.astype(np.float64), size // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(size), axis=1)) ** 2
    bands = mel_matrix(rate, size, BANDS, _LOWEST, rate / 2) @ power.T
    level = 10 * np.log10(np.maximum(bands, 1e-20))
    return np.asarray(np.clip(level - level.max(), -RANGE_DB, 0.0))


def envelope(sound: Sound, columns: int = 400) -> NDArray[np.float64]:
    """Smallest and largest sample in each of some columns, shape (2, columns), over the peak."""
    cuts = np.linspace(0, sound.waveform.size, columns + 1).astype(np.int64)[:-1]
    ends = [f.reduceat(sound.waveform, cuts) for f in (np.minimum, np.maximum)]
    peak = float(np.abs(sound.waveform).max())
    return np.asarray(ends, np.float64) / (peak or 1.0)


def data_uri(sound: Sound) -> str:
    """The clip as a small file that stands in a page."""
    import soundfile

    as_mp3 = "MP3" in soundfile.available_formats() and sound.sample_rate in _MP3_RATES
    out = io.BytesIO()
    if as_mp3:
        soundfile.write(
            out,
            sound.waveform,
            sound.sample_rate,
            format="MP3",
            subtype="MPEG_LAYER_III",
            bitrate_mode="VARIABLE",
            compression_level=_SMALL,
        )
    else:
        soundfile.write(out, sound.waveform, sound.sample_rate, format="FLAC", subtype="PCM_16")
    kind = "mpeg" if as_mp3 else "flac"
    return f"data:audio/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"


Renderer = Callable[[Collection[str], PairTable], dict[str, Sound]]
"""Gives the sound of clips, or raises a SedbenchError."""
