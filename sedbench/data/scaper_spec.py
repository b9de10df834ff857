"""Scaper draws the soundscapes; this module gives it recordings and freezes its answer.

Scaper 1.5.1 (Salamon et al., WASPAA 2017) chooses from folders of audio files, so the
recordings of one split are laid out as WAV files in a temporary folder, and every
soundscape is one call of ``Scaper.generate(no_audio=True)``, which needs no SoX. Each
soundscape has a random state of its own, derived from the seed, the split, its number and
the attempt: the first hundred clips of a split are the same however many follow.

What Scaper does not know is added around it: how many events there are, that at most so
many sound at once, that two of one class keep apart, and that a stretch of a recording is
not a pause (:data:`PAUSE_DB` below the recording's loudest 100 ms) nor rumble (a level that
exceeds its loudness by :data:`RUMBLE_DB`). A soundscape that breaks such a rule is drawn
again with the next attempt's state.

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

from sedbench.data.index import DECIMALS
from sedbench.data.recipe import Distribution, Recipe
from sedbench.data.render import cut, loudness
from sedbench.data.soundbank import Recording, Soundbank
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.errors import DataError, NothingSelectedError
from sedbench.types import SPLITS, Split

ATTEMPTS = 1000
PATIENCE = 8
PAUSE_DB = 20.0
RUMBLE_DB = 10.0


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
    bank: Soundbank, recordings: Sequence[Recording], sample_rate: int
) -> Iterator[tuple[Path, Mapping[str, Recording]]]:
    """Lay recordings out as Scaper wants them: ``<role>/<label>/<name>.wav``.

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
            soundfile.write(str(path), audio, sample_rate, subtype="FLOAT")
            by_path[str(path)] = recording
        yield root, by_path


def draw(
    bank: Soundbank,
    recipe: Recipe,
    split: Split,
    count: int,
    seed: int,
    *,
    classes: Sequence[str],
    duration: float,
    sample_rate: int,
) -> tuple[Soundscape, ...]:
    """Draw the soundscapes of one split.

    Parameters
    ----------
    bank : Soundbank
    recipe : Recipe
    split : {"train", "validation", "test", "development"}
        Only recordings of this split are used.
    count : int
        How many.
    seed : int
        The same seed gives the same soundscapes.
    classes : sequence of str
        Labels of the events, chosen from uniformly.
    duration : float
        Of a clip, seconds.
    sample_rate : int
        Hz.

    Raises
    ------
    NothingSelectedError
        The bank has no recording of a class, or of a background, in this split.
    DataError
        A rule of the recipe cannot be kept.
    """
    recordings = [r for r in bank.recordings() if r.split == split and _wanted(r, recipe, classes)]
    for role, labels in (("foreground", classes), ("background", recipe.backgrounds)):
        if missing := set(labels) - {r.label for r in recordings if r.role == role}:
            raise NothingSelectedError(
                f"soundbank {bank.name!r} has no {role} recording of "
                f"{', '.join(sorted(missing))} in its {split} split",
                "take the label out of the task, or fetch more recordings",
            )
    with materialised(bank, recordings, sample_rate) as (root, by_path):
        artist = _Artist(root, by_path, recipe, duration, sample_rate)
        return tuple(artist.soundscape(split, i, seed) for i in range(count))


def _wanted(recording: Recording, recipe: Recipe, classes: Sequence[str]) -> bool:
    labels = classes if recording.role == "foreground" else recipe.backgrounds
    return recording.label in labels


class _Artist:
    """Scaper with one split's folders, asked for one soundscape after another."""

    def __init__(
        self,
        root: Path,
        by_path: Mapping[str, Recording],
        recipe: Recipe,
        duration: float,
        sample_rate: int,
    ) -> None:
        self.scaper = import_scaper()
        self.root, self.by_path, self.recipe = root, by_path, recipe
        self.duration, self.sample_rate = duration, sample_rate
        self.sounds: dict[str, tuple[NDArray[np.float64], float]] = {}
        self.labels = sorted({r.label for r in by_path.values() if r.role == "foreground"})

    def soundscape(self, split: Split, number: int, seed: int) -> Soundscape:
        """The soundscape of one number: the first attempt that keeps every rule.

        Classes and the number of events are drawn once, before the attempts, or classes with
        long recordings would be redrawn most and end up rarest. Where so many events do not
        fit, after every :data:`PATIENCE` attempts one repeated event fewer is asked for.
        """
        recipe, place = self.recipe, [seed, SPLITS.index(split), number]
        state = _state(place)
        events = _weighted(recipe.event_counts, recipe.event_weights, state)
        labels: tuple[str, ...] = ()
        if recipe.label_counts:
            count = _weighted(recipe.label_counts, recipe.label_weights, state)
            count = min(count, events, len(self.labels))
            labels = tuple(str(x) for x in state.choice(self.labels, count, replace=False))
        least = max(len(labels), min(recipe.event_counts))
        for attempt in range(ATTEMPTS):
            wanted = max(events - attempt // PATIENCE, min(events, least))
            drawn = self._attempt(
                f"{split}-{number:04d}", split, wanted, labels, _state([*place, attempt])
            )
            if self._keeps_rules(drawn):
                return drawn
        raise DataError(
            f"no soundscape {split}-{number:04d} keeps the recipe's rules in {ATTEMPTS} attempts",
            "allow more polyphony, shorter events, or fewer of them",
        )

    def _attempt(
        self,
        name: str,
        split: Split,
        events: int,
        labels: Sequence[str],
        state: np.random.RandomState,
    ) -> Soundscape:
        recipe = self.recipe
        artist = self.scaper.Scaper(
            self.duration,
            str(self.root / "foreground"),
            str(self.root / "background"),
            random_state=state,
        )
        artist.sr = self.sample_rate
        artist.ref_db = _floor(self._value(recipe.ref_db, state))
        anything: Distribution = ("choose", [])  # of all there is
        artist.add_background(anything, anything, recipe.source_time)
        for label in self._choices(events, labels):
            length = max(self._value(recipe.event_duration, state), 10.0**-DECIMALS)
            artist.add_event(
                label=label,
                source_file=anything,
                source_time=recipe.source_time,
                event_time=self._room(recipe.event_time, length),
                event_duration=("const", length),
                snr=recipe.snr,
                pitch_shift=None,
                time_stretch=None,
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # every adjustment of a time is one warning
            _, jam, _, _ = artist.generate(
                allow_repeated_label=recipe.repeated_labels,
                allow_repeated_source=recipe.repeated_sources,
                no_audio=True,
                disable_instantiation_warnings=True,
            )
        values = [observation.value for observation in jam.annotations[0].data]
        background = next(v for v in values if v["role"] == "background")
        placed = [self._placement(v) for v in values if v["role"] == "foreground"]
        return Soundscape(
            id=name,
            split=split,
            duration=self.duration,
            ref_db=artist.ref_db,
            background=self._placement(background),
            events=tuple(sorted(placed, key=lambda p: (p.event_time, p.source_file))),
        )

    def _choices(self, events: int, labels: Sequence[str]) -> Sequence[Distribution]:
        """What each event's label is chosen from: one entry an event, each label once at least."""
        repeats: Distribution = ("choose", list(labels or self.labels))
        certain: list[Distribution] = [("const", label) for label in labels]
        return certain + [repeats] * (events - len(certain))

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
            source_time=_floor(value["source_time"]),
            event_time=_floor(value["event_time"]),
            event_duration=_floor(value["event_duration"]),
            snr=_floor(value["snr"]),
        )

    def _keeps_rules(self, soundscape: Soundscape) -> bool:
        recipe, events = self.recipe, soundscape.events
        if polyphony(events) > recipe.max_polyphony:
            return False
        if not recipe.same_class_overlap:
            for i, first in enumerate(events):
                end = first.event_time + first.event_duration + recipe.same_class_gap
                if any(e.label == first.label and e.event_time < end for e in events[i + 1 :]):
                    return False
        return all(self._is_heard(e) for e in events)

    def _is_heard(self, placement: Placement) -> bool:
        """Whether the stretch is the recording's sound, and not a pause or rumble in it.

        Levels follow loudness, so the noise of a pause would be amplified until it is as loud
        as the event that it is not, and a rumble that loudness hardly counts beyond full scale.
        """
        key = placement.source_file
        if key not in self.sounds:
            import soundfile

            samples, _ = soundfile.read(str(self.root / f"{key}.wav"))
            self.sounds[key] = samples, _loudest(samples, self.sample_rate)
        samples, loudest = self.sounds[key]
        stretch = cut(samples, placement, self.sample_rate)
        if stretch.size == 0:
            return False
        lufs = loudness(stretch, self.sample_rate)
        if lufs == -math.inf or _loudest(stretch, self.sample_rate) < loudest - PAUSE_DB:
            return False
        return 10 * math.log10(float(np.mean(stretch**2))) - lufs < RUMBLE_DB


def _loudest(samples: NDArray[np.float64], sample_rate: int) -> float:
    """The mean power of the loudest 100 ms in dB."""
    edges = np.arange(0, samples.size, sample_rate // 10)
    lengths = np.diff([*edges, samples.size])
    power = np.add.reduceat(samples**2, edges) / lengths
    whole = lengths >= min(sample_rate // 20, samples.size)  # no scrap at the end
    return 10 * math.log10(max(float(power[whole].max()), 1e-20))


def _state(words: Sequence[int]) -> np.random.RandomState:
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(words)))


def _weighted(values: Sequence[int], weights: Sequence[float], state: np.random.RandomState) -> int:
    chances = np.array(weights)
    return int(state.choice(values, p=chances / chances.sum()))


def polyphony(events: Sequence[Placement]) -> int:
    """The most events that sound at once; one that begins as another ends does not overlap."""
    changes = sorted(
        [(e.event_time, 1) for e in events]
        + [(round(e.event_time + e.event_duration, DECIMALS), -1) for e in events]
    )
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def _floor(value: float) -> float:
    """Round down to the index's decimals; what stands on the grid already stays."""
    scale = 10**DECIMALS
    return float(round(math.floor(value * scale + 1e-6) / scale, DECIMALS))
