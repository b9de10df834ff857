"""One call of Scaper: what is asked for, and its answer as a soundscape.

Scaper 1.5.1 (Salamon et al., WASPAA 2017) chooses from folders of audio files, so the
recordings of one split are laid out as WAV files in a temporary folder, and a soundscape is
one call of ``Scaper.generate(no_audio=True)``, which needs no SoX.

Times are rounded *down* to the index's decimals here, before freezing, so that an event
never ends after its recording or its clip.
"""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sedbench.data.casting import Part
from sedbench.data.index import DECIMALS
from sedbench.data.recipe import Distribution, Recipe
from sedbench.data.render import loudness
from sedbench.data.soundbank import Recording, Soundbank
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError
from sedbench.types import SPLITS

Place = tuple[int, int, int]  # seed, split, number: what a soundscape's chance comes from


class _NumpyWithInf(types.ModuleType):
    """NumPy as ``scaper.core`` expects it: with the name ``Inf``, which NumPy 2 dropped."""

    Inf = np.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def import_scaper() -> Any:
    """Import Scaper and mend the one name that it misses.

    Only ``scaper.core`` says ``np.Inf``. Its ``np`` is bound to a namespace that has the name
    and passes everything else on, so that NumPy itself stays as it is for everyone else.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside Scaper's own dependencies
        import scaper
        import scaper.core
    if not isinstance(scaper.core.np, _NumpyWithInf):
        scaper.core.np = _NumpyWithInf("numpy")
    return scaper


@contextmanager
def materialised(
    bank: Soundbank,
    recordings: Sequence[Recording],
    sample_rate: int,
    shortest: float = 0.0,
    left_out: dict[str, str] | None = None,
) -> Iterator[tuple[Path, Mapping[str, Recording]]]:
    """Lay recordings out as Scaper wants them: ``<role>/<label>/<name>.wav``.

    Parameters
    ----------
    bank : Soundbank
    recordings : sequence of Recording
    sample_rate : int
        Hz.
    shortest : float, optional
        Recordings of less than so many seconds are left out, and so are silent ones.
    left_out : dict of str to str, optional
        Takes the ids of those, each with the reason.

    Yields
    ------
    root : Path
        A temporary folder with ``foreground`` and ``background`` in it.
    by_path : mapping of str to Recording
        The recording behind each absolute path.
    """
    import soundfile

    with TemporaryDirectory(prefix="sedbench-") as folder:
        root = Path(folder).resolve()
        by_path: dict[str, Recording] = {}
        for role in ("foreground", "background"):
            (root / role).mkdir()
        for recording in recordings:
            path = root / f"{recording.id}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            audio = bank.audio(recording.id, sample_rate)
            if reason := _useless(audio, sample_rate, shortest):
                if left_out is not None:
                    left_out[recording.id] = reason
                continue
            soundfile.write(str(path), audio, sample_rate, subtype="FLOAT")
            by_path[str(path)] = recording
        yield root, by_path


def _useless(audio: NDArray[np.float32], sample_rate: int, shortest: float) -> str:
    """Why a recording cannot be mixed, or an empty string."""
    if audio.size < shortest * sample_rate - 1:  # resampling may take a sample
        return f"shorter than a frame of {shortest:g} s"
    if loudness(audio.astype(np.float64), sample_rate) == -math.inf:
        return "silent, or below -70 LUFS throughout"
    return ""


class Exhausted(DataError):  # noqa: N818 - of one draw; another one may do
    """Scaper ran out of labels or recordings for a soundscape."""


class Artist:
    """Scaper with one split's folders.

    Parameters
    ----------
    root : Path
        Holds ``foreground`` and ``background``.
    by_path : mapping of str to Recording
        The recording behind each absolute path.
    recipe : Recipe
    duration : float
        Of a clip, seconds.
    sample_rate : int
        Hz.
    """

    def __init__(
        self,
        root: Path,
        by_path: Mapping[str, Recording],
        recipe: Recipe,
        *,
        duration: float,
        sample_rate: int,
    ) -> None:
        self.scaper = import_scaper()
        self.root, self.by_path, self.recipe = root, by_path, recipe
        self.duration, self.sample_rate = duration, sample_rate

    def attempt(
        self, place: Place, attempt: int, wishes: Sequence[Part | Distribution]
    ) -> Soundscape:
        """What Scaper answers.

        Parameters
        ----------
        place : Place
        attempt : int
            Each one is another draw.
        wishes : sequence of Part or distribution
            One an event: who plays it, or only what its label is chosen from.

        Raises
        ------
        Exhausted
            There are fewer labels or recordings than events, and none may come twice.
        """
        recipe, state = self.recipe, state_of([*place, attempt])
        artist = self.scaper.Scaper(
            self.duration,
            str(self.root / "foreground"),
            str(self.root / "background"),
            random_state=state,
        )
        artist.sr = self.sample_rate
        artist.ref_db = floor(self._value(recipe.ref_db, state))
        anything: Distribution = ("choose", [])  # of all there is
        artist.add_background(anything, anything, recipe.source_time)
        snr: Distribution = recipe.snr
        for wish in wishes:
            part = wish if isinstance(wish, Part) else None
            label = ("const", wish.recording.label) if isinstance(wish, Part) else wish
            source, event_time = anything, recipe.event_time
            length = part.length if part else None
            if length is None:
                length = max(self._value(recipe.event_duration, state), 10.0**-DECIMALS)
            if part:
                source = ("const", str(self.root / f"{part.recording.id}.wav"))
                if part.onset is not None:
                    event_time = ("const", part.onset)
                if not part.continues:  # the pieces of one event have one level
                    snr = ("const", self._value(recipe.snr, state))
            artist.add_event(
                label=label,
                source_file=source,
                source_time=recipe.source_time,
                event_time=self._room(event_time, length),
                event_duration=("const", length),
                snr=snr,
                pitch_shift=None,
                time_stretch=None,
            )
        # What was dealt is as it should be: repeated only where it may be.
        free = any(isinstance(wish, Part) for wish in wishes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # every adjustment of a time is one warning
            try:
                _, jam, _, _ = artist.generate(
                    allow_repeated_label=free or recipe.repeated_labels,
                    allow_repeated_source=free or recipe.repeated_sources,
                    no_audio=True,
                    disable_instantiation_warnings=True,
                )
            except self.scaper.scaper_exceptions.ScaperError as error:
                raise Exhausted(
                    f"Scaper cannot make {name_of(place)}: {error}",
                    "add recordings of other groups, or allow repeated_labels and repeated_sources",
                ) from error
        values = [observation.value for observation in jam.annotations[0].data]
        background = next(v for v in values if v["role"] == "background")
        placed = [self._placement(v) for v in values if v["role"] == "foreground"]
        return Soundscape(
            id=name_of(place),
            split=SPLITS[place[1]],
            duration=self.duration,
            ref_db=artist.ref_db,
            background=self._placement(background),
            events=tuple(sorted(placed, key=lambda p: (p.event_time, p.source_file))),
        )

    def _value(self, distribution: Distribution, state: np.random.RandomState) -> float:
        return float(self.scaper.core._get_value_from_dist(distribution, state))

    def _room(self, event_time: Distribution, length: float) -> Distribution:
        if event_time[0] != "uniform":
            return event_time
        low, high = event_time[1:]
        latest = max(min(high, self.duration - length), 0.0)
        return ("uniform", min(low, latest), latest)

    def _placement(self, value: Mapping[str, Any]) -> Placement:
        recording = self.by_path[value["source_file"]]
        return Placement(
            label=str(value["label"]),
            source_file=recording.id,
            source_time=floor(value["source_time"]),
            event_time=floor(value["event_time"]),
            event_duration=floor(value["event_duration"]),
            snr=floor(value["snr"]),
        )


def name_of(place: Place) -> str:
    """The id of a soundscape."""
    return f"{SPLITS[place[1]]}-{place[2]:04d}"


def state_of(words: Sequence[int]) -> np.random.RandomState:
    """A random state that follows from these numbers."""
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(words)))


def floor(value: float) -> float:
    """Round down to the index's decimals; what stands on the grid already stays."""
    scale = 10**DECIMALS
    return float(round(math.floor(value * scale + 1e-6) / scale, DECIMALS))
