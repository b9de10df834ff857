"""Scaper draws the soundscapes of a task; this module keeps the recipe's rules around it.

Every soundscape has a random state of its own, derived from the seed, the split, its number
and the attempt: the first hundred clips of a split are the same however many follow.

What Scaper does not know is added here: how many events there are, that at most so many
sound at once, that two of one class keep apart, and that a stretch of a recording is neither
a pause nor rumble (:mod:`sedbench.data.audition`). A soundscape that breaks such a rule is
drawn again with the next attempt's state.

Where a recipe asks for balance, or for the patterns of real annotations, labels, recordings
or times are chosen before (:mod:`sedbench.data.casting`, :mod:`sedbench.data.patterns`), and
Scaper is given them as constants: it has no distribution over what other soundscapes used, or
over several events at once. The rest is still drawn by it. A recording in which no stretch is
heard in :data:`PATIENCE` attempts gives way to another one of its class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from sedbench.data.audition import Audition, polyphony, same_class_apart, simultaneous
from sedbench.data.casting import Dealer, Part
from sedbench.data.patterns import Patterns
from sedbench.data.recipe import Distribution, Recipe
from sedbench.data.scaper_call import Artist, Exhausted, Place, materialised, name_of, state_of
from sedbench.data.soundbank import Recording, Soundbank
from sedbench.data.soundscape import Soundscape
from sedbench.errors import DataError, NothingSelectedError
from sedbench.types import SPLITS, Event, Split

ATTEMPTS = 1000
PATIENCE = 8


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
    fold: int | None = None,
    patterns: Patterns | None = None,
    shortest: float = 0.0,
    left_out: dict[str, str] | None = None,
) -> tuple[Soundscape, ...]:
    """Draw the soundscapes of one split, or of one fold of it.

    Parameters
    ----------
    bank : Soundbank
    recipe : Recipe
    split : {"train", "validation", "test", "development"}
        Only recordings of this split are used.
    count : int
        How many; of the fold, where there is one.
    seed : int
        The same seed gives the same soundscapes.
    classes : sequence of str
        Labels of the events, chosen from uniformly.
    duration : float
        Of a clip, seconds.
    sample_rate : int
        Hz.
    fold : int, optional
        Recordings of this fold are used, whatever their split, and numbers go on from the
        fold before: fold 2 with a count of 40 begins at ``test-0080``. A background that the
        fold does not have is left out.
    patterns : Patterns, optional
        Those that the recipe names.
    shortest : float, optional
        Recordings of less than so many seconds are left out; silent ones always.
    left_out : dict of str to str, optional
        Takes the ids of those, each with the reason.

    Raises
    ------
    NothingSelectedError
        The bank has no recording of a class, or of a background, in this split or fold.
    DataError
        A rule of the recipe cannot be kept, or the patterns are of other clips or classes.
    """
    if bool(recipe.patterns) != (patterns is not None):
        raise DataError("patterns are given to a recipe without them, or not to one with them")
    if patterns is not None:
        if patterns.duration != duration:
            raise DataError(f"patterns of {patterns.duration:g} s clips, the task has {duration:g}")
        if strange := set(patterns.classes) - set(classes):
            raise DataError(f"the patterns' {sorted(strange)[0]!r} is not a class of the task")
        classes = sorted(patterns.classes)
    where = f"its {split} split" if fold is None else f"fold {fold}"
    recordings = [
        r
        for r in bank.recordings()
        if (r.split == split if fold is None else r.fold == fold) and _wanted(r, recipe, classes)
    ]

    def complete(recordings: Collection[Recording]) -> None:
        for role, labels in (("foreground", classes), ("background", recipe.backgrounds)):
            found = {r.label for r in recordings if r.role == role}
            enough = fold is not None and role == "background" and found
            if (missing := set(labels) - found) and not enough:
                raise NothingSelectedError(
                    f"soundbank {bank.name!r} has no {role} recording of "
                    f"{', '.join(sorted(missing))} in {where}",
                    "take the label out of the task, or add recordings of another group",
                )

    complete(recordings)
    first = 0 if fold is None else fold * count
    laid_out = materialised(bank, recordings, sample_rate, shortest, left_out)
    with laid_out as (root, by_path):
        complete(by_path.values())
        drawing = _Draw(
            root, by_path, recipe, duration=duration, sample_rate=sample_rate, patterns=patterns
        )
        # Five words, so that no soundscape's own state is this one.
        drawing.seed_dealer([seed, SPLITS.index(split), first, 0, 1])
        return tuple(drawing.soundscape(split, first + i, seed) for i in range(count))


def _wanted(recording: Recording, recipe: Recipe, classes: Sequence[str]) -> bool:
    labels = classes if recording.role == "foreground" else recipe.backgrounds
    return recording.label in labels


class _Draw:
    """One split's recordings, from which one soundscape after another is drawn."""

    def __init__(
        self,
        root: Path,
        by_path: Mapping[str, Recording],
        recipe: Recipe,
        *,
        duration: float,
        sample_rate: int,
        patterns: Patterns | None = None,
    ) -> None:
        self.artist = Artist(root, by_path, recipe, duration=duration, sample_rate=sample_rate)
        self.recipe, self.patterns = recipe, patterns
        self.audition = Audition(root, sample_rate)
        self.foreground = [r for r in by_path.values() if r.role == "foreground"]
        self.labels = sorted({r.label for r in self.foreground})
        self.dealer: Dealer | None = None

    def seed_dealer(self, words: Sequence[int]) -> None:
        """Deal recordings out instead of drawing them, where the recipe wants it."""
        if self.recipe.balanced_labels or self.patterns is not None:
            repeats = self.patterns is not None or self.recipe.repeated_sources
            self.dealer = Dealer(self.foreground, state_of(words), repeats)

    def soundscape(self, split: Split, number: int, seed: int) -> Soundscape:
        """The soundscape of one number: the first attempt that keeps every rule.

        Classes and the number of events are drawn once, before the attempts, or classes with
        long recordings would be redrawn most and end up rarest. Where so many events do not
        fit, after every :data:`PATIENCE` attempts one repeated event fewer is asked for.
        """
        recipe, place = self.recipe, (seed, SPLITS.index(split), number)
        state = state_of(place)
        if self.patterns is not None:
            return self._patterned(place, self._events(self.patterns, place, state))
        events = _weighted(recipe.event_counts, recipe.event_weights, state)
        labels: tuple[str, ...] = ()
        if recipe.label_counts:
            count = _weighted(recipe.label_counts, recipe.label_weights, state)
            count = min(count, events, len(self.labels))
            labels = tuple(str(x) for x in state.choice(self.labels, count, replace=False))
        least = min(events, max(len(labels), min(recipe.event_counts)))
        if self.dealer is not None:
            return self._balanced(place, self._slots(events, len(labels), state), least)
        nothing: DataError | None = None
        for attempt in range(ATTEMPTS):
            wanted = max(events - attempt // PATIENCE, least)
            try:
                drawn = self.artist.attempt(place, attempt, self._choices(wanted, labels))
            except Exhausted as error:  # another draw may choose other labels, or fewer events
                nothing = error
                continue
            if self._fits(drawn) and all(self.audition.hears(e) for e in drawn.events):
                return drawn
        raise nothing or self._nothing_fits(place)

    def _slots(self, events: int, count: int, state: np.random.RandomState) -> Sequence[int]:
        """Which events share a class: as many as if the classes were drawn independently."""
        if count:
            return [*range(count), *state.choice(count, events - count).tolist()]
        drawn = state.choice(len(self.labels), events, replace=self.recipe.repeated_labels)
        return [int(x) for x in drawn]

    def _balanced(self, place: Place, slots: Sequence[int], least: int) -> Soundscape:
        """A soundscape of dealt classes and recordings."""
        assert self.dealer is not None
        labels = self.dealer.labels(slots)

        def deal(refused: Collection[str]) -> tuple[Part, ...]:
            return self.dealer.parts(labels, refused) if self.dealer is not None else ()

        drawn, left = self._cast(place, deal, least)
        self.dealer.take_back(left, [part.recording.label for part in left])
        return drawn

    def _patterned(self, place: Place, events: Sequence[Event]) -> Soundscape:
        """A soundscape of given events; Scaper draws stretches and levels."""

        def deal(refused: Collection[str]) -> tuple[Part, ...]:
            return self.dealer.chains(events, refused) if self.dealer is not None else ()

        return self._cast(place, deal, None)[0]

    def _events(
        self, patterns: Patterns, place: Place, state: np.random.RandomState
    ) -> Sequence[Event]:
        for _ in range(ATTEMPTS):
            events = patterns.draw(state)
            if simultaneous((e.onset, e.offset) for e in events) <= self.recipe.max_polyphony:
                return events
        raise self._nothing_fits(place)

    def _cast(
        self,
        place: Place,
        deal: Callable[[Collection[str]], tuple[Part, ...]],
        least: int | None,
    ) -> tuple[Soundscape, tuple[Part, ...]]:
        """The first attempt with these parts that keeps every rule, and the parts left out.

        Where they do not fit, events are left out from the end as far as ``least``; None
        stands for events whose times are given, which fit. A recording that stays unheard is
        refused, and the clip dealt again.
        """
        assert self.dealer is not None
        parts, refused = deal(()), set[str]()
        crowded, unheard = 0, Counter[str]()
        for attempt in range(ATTEMPTS):
            wanted = len(parts) if least is None else max(len(parts) - crowded // PATIENCE, least)
            drawn = self.artist.attempt(place, attempt, parts[:wanted])
            silent = {e.source_file for e in drawn.events if not self.audition.hears(e)}
            fits = least is None or self._fits(drawn)
            if fits and not silent:
                return drawn, parts[wanted:]
            crowded += not fits
            unheard.update(silent)
            if tired := {key for key in silent if unheard[key] >= PATIENCE} - refused:
                refused |= tired
                self.dealer.take_back(parts)
                parts = deal(refused)
        raise self._nothing_fits(place)

    def _nothing_fits(self, place: Place) -> DataError:
        return DataError(
            f"no soundscape {name_of(place)} keeps the recipe's rules in {ATTEMPTS} attempts",
            "allow more polyphony, shorter events, or fewer of them",
        )

    def _choices(self, events: int, labels: Sequence[str]) -> Sequence[Distribution]:
        """What each event's label is chosen from: one entry an event, each label once at least."""
        repeats: Distribution = ("choose", list(labels or self.labels))
        certain: list[Distribution] = [("const", label) for label in labels]
        return certain + [repeats] * (events - len(certain))

    def _fits(self, soundscape: Soundscape) -> bool:
        """Whether the events keep the rules about what sounds at once."""
        recipe, events = self.recipe, soundscape.events
        if polyphony(events) > recipe.max_polyphony:
            return False
        return recipe.same_class_overlap or same_class_apart(events, recipe.same_class_gap)


def _weighted(values: Sequence[int], weights: Sequence[float], state: np.random.RandomState) -> int:
    chances = np.array(weights)
    return int(state.choice(values, p=chances / chances.sum()))
