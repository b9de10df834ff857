"""The renderer beside Scaper 1.5.1 itself, sample by sample, on the same JAMS.

Scaper renders through SoX, so these tests are skipped where ``sox`` is absent;
``SEDBENCH_REQUIRE_SOX=1`` makes that a failure. Scaper 1.5.1 measures loudness with ffmpeg,
which answers with one decimal, so there are two comparisons:

- with Scaper's ``get_integrated_lufs`` replaced by the project's meter, everything else is
  the same arithmetic: events agree to 1e-8 and a clip to SoX's 32 bits and our 16;
- with ffmpeg, where it is installed, only the gains may differ.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sedbench.data.render import background, loudness, mix, render, stem
from sedbench.data.scaper_call import import_scaper, materialised
from sedbench.data.soundbank import Recording
from sedbench.data.soundscape import Placement, Soundscape
from sedbench.types import FrameGrid

RATE = 16000
STEM_BOUND = 1e-8  # SoX holds samples in 32 bits; the event's gain is applied afterwards
CLIP_BOUND = 0.5 / 32768 + 1e-6  # half a step of 16 bits
FFMPEG_BOUND_DB = 1.5


@pytest.fixture(autouse=True)
def _needs_sox() -> None:
    if shutil.which("sox") is None:
        if os.environ.get("SEDBENCH_REQUIRE_SOX") == "1":
            pytest.fail("SEDBENCH_REQUIRE_SOX=1, and there is no sox")
        pytest.skip("sox is not installed: Scaper cannot render")


class Toy:
    """Two backgrounds and four sounds of different kinds and lengths."""

    name = "toy"

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        time = np.arange(4 * RATE) / RATE
        brown = np.cumsum(rng.normal(size=13 * RATE))
        brown -= np.convolve(brown, np.ones(801) / 801, "same")
        decay = np.exp(-time) * rng.normal(size=time.size)
        self.sounds = {
            "background/rain/a": 0.1 * rng.uniform(-1, 1, 12 * RATE),
            "background/hum/b": 0.3 * brown / np.abs(brown).max(),
            "foreground/Dog/short": 0.4 * decay[: int(0.3 * RATE)].copy(),
            "foreground/Dog/long": 0.3 * decay,
            "foreground/Cat/tone": 0.1 * np.sin(2 * np.pi * 700 * time) * (1 + time),
            "foreground/Dishes/clicks": 0.5 * (rng.uniform(size=time.size) > 0.99) + 0.01 * decay,
        }

        for samples in self.sounds.values():
            np.clip(samples, -0.99, 0.99, out=samples)  # SoX clips what it reads, too

    def recordings(self) -> Sequence[Recording]:
        found = []
        for key, samples in sorted(self.sounds.items()):
            role, label, _ = key.split("/")
            found.append(Recording(key, role, label, "test", samples.size / RATE, key))  # type: ignore[arg-type]
        return found

    def audio(self, recording_id: str, sample_rate: int) -> np.ndarray:
        return self.sounds[recording_id].astype(np.float32)

    def fingerprint(self) -> str:
        return "toy"


@dataclass
class Both:
    """What Scaper and what the project made of one JAMS."""

    audio: np.ndarray
    stems: list[np.ndarray]
    soundscape: Soundscape


@pytest.fixture(scope="module")
def bank() -> Toy:
    return Toy()


@pytest.fixture
def own_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    import soundfile

    def measure(path: str, min_duration: float = 0.5) -> float:
        samples, rate = soundfile.read(path)
        return loudness(samples, rate)

    monkeypatch.setattr(import_scaper().core, "get_integrated_lufs", measure)


@pytest.fixture(scope="module")
def folders(bank: Toy) -> Iterator[tuple[Path, Any]]:
    with materialised(bank, bank.recordings(), RATE) as (root, by_path):
        yield root, by_path


def scaper_renders(
    folders: tuple[Path, Any], ref_db: float, snr: tuple[Any, ...], seed: int, **event: Any
) -> Both:
    """Let Scaper draw and render three events; read the specification from its JAMS."""
    root, by_path = folders
    artist = import_scaper().Scaper(
        10.0, str(root / "foreground"), str(root / "background"), random_state=seed
    )
    artist.sr, artist.ref_db = RATE, ref_db
    artist.add_background(("choose", []), ("choose", []), ("uniform", 0, 1.5))
    for _ in range(3):
        spec = {
            "label": ("choose", []),
            "source_time": ("uniform", 0, 10),
            "event_duration": ("uniform", 0.25, 4),
            **event,
        }
        artist.add_event(
            source_file=("choose", []),
            event_time=("uniform", 0, 9),
            snr=snr,
            pitch_shift=None,
            time_stretch=None,
            **spec,
        )
    audio, jam, _, stems = artist.generate(disable_instantiation_warnings=True)
    values = [o.value for o in jam.annotations[0].data]
    placements = [
        Placement(
            v["label"],
            by_path[v["source_file"]].id,
            v["source_time"],
            v["event_time"],
            v["event_duration"],
            v["snr"],
        )
        for v in values
    ]
    soundscape = Soundscape("test-0000", "test", 10.0, ref_db, placements[0], tuple(placements[1:]))
    return Both(audio[:, 0], [s[:, 0] for s in stems], soundscape)


def ours(both: Both, bank: Toy) -> list[np.ndarray]:
    first = background(both.soundscape, bank, RATE)
    return [first, *(stem(both.soundscape, e, bank, RATE) for e in both.soundscape.events)]


def compare(both: Both, bank: Toy, fix_clipping: bool = False) -> tuple[float, float]:
    """The largest sample difference over the stems, and of the clip."""
    mine = ours(both, bank)
    assert len(mine) == len(both.stems) == 4
    worst = max(float(np.abs(a - b).max()) for a, b in zip(mine, both.stems, strict=True))
    clip = render(
        both.soundscape,
        bank,
        {r.id: r for r in bank.recordings()},
        sample_rate=RATE,
        classes=("Dog", "Cat", "Dishes"),
        grid=FrameGrid(10.0, 0.1),
        fix_clipping=fix_clipping,
    ).waveform
    return worst, float(np.abs(clip - both.audio).max())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("own_meter")
@pytest.mark.parametrize("snr", [-3.0, 0.0, 10.0, 25.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_at_several_snrs(folders: Any, bank: Toy, snr: float, seed: int) -> None:
    worst, clip = compare(scaper_renders(folders, -50.0, ("const", snr), seed), bank)
    print(f"largest difference: stems {worst:.2e}, clip {clip:.2e}")
    assert worst < STEM_BOUND and clip < CLIP_BOUND


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("own_meter")
@pytest.mark.parametrize("length", [0.25, 0.2871, 0.4999])
def test_of_events_that_are_repeated_to_be_measured(folders: Any, bank: Toy, length: float) -> None:
    both = scaper_renders(folders, -50.0, ("const", 15.0), 3, event_duration=("const", length))
    worst, clip = compare(both, bank)
    assert worst < STEM_BOUND and clip < CLIP_BOUND


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("own_meter")
def test_where_the_clip_clips(folders: Any, bank: Toy) -> None:
    both = scaper_renders(folders, -20.0, ("const", 20.0), 0)
    assert np.abs(np.sum(both.stems, axis=0)).max() > 1.5  # it would exceed full scale
    worst, clip = compare(both, bank)
    assert worst < STEM_BOUND and clip < CLIP_BOUND + 1 / 32768  # 32767/32768 is our largest
    assert np.abs(mix(ours(both, bank), True)).max() <= 1.0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_with_scapers_own_meter_only_gains_differ(folders: Any, bank: Toy) -> None:
    differences = []
    for seed in range(3):
        both = scaper_renders(folders, -50.0, ("uniform", 0.0, 25.0), seed)
        for mine, theirs in zip(ours(both, bank), both.stems, strict=True):
            gain = float(mine @ theirs / (theirs @ theirs))
            np.testing.assert_allclose(mine, gain * theirs, atol=1e-8)
            differences.append(abs(20 * np.log10(gain)))
    print(f"gain difference: median {np.median(differences):.3f} dB, max {max(differences):.3f} dB")
    assert max(differences) < FFMPEG_BOUND_DB and np.median(differences) < 0.3
