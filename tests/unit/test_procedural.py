"""The embedded soundbank: pure, disjoint, finite, filled to its edges, and tellable by ear."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sedbench.data.soundbank import Recording, Soundbank
from sedbench.errors import UnknownNameError, UsageError
from sedbench.types import SPLITS
from sedbench_plugins.procedural import INFO, build
from sedbench_plugins.procedural.bank import SAMPLE_RATES, ProceduralBank
from sedbench_plugins.procedural.draws import POSITIONS, Draws
from sedbench_plugins.procedural.dsp import RATE, modes, noise, wander
from sedbench_plugins.procedural.liquids import bubble
from sedbench_plugins.procedural.voice import (
    FREQUENCIES,
    cascade,
    filter_frames,
    glottal_table,
    n_control,
    source,
)

DESED = {
    "Alarm_bell_ringing",
    "Blender",
    "Cat",
    "Dishes",
    "Dog",
    "Electric_shaver_toothbrush",
    "Frying",
    "Running_water",
    "Speech",
    "Vacuum_cleaner",
}


@pytest.fixture(scope="module")
def bank() -> Soundbank:
    return build()


@pytest.fixture(scope="module")
def by_label(bank: Soundbank) -> dict[str, list[Recording]]:
    found: dict[str, list[Recording]] = defaultdict(list)
    for recording in bank.recordings():
        found[recording.label].append(recording)
    return found


def test_it_keeps_the_contract(bank: Soundbank) -> None:
    assert isinstance(bank, Soundbank)
    assert bank.name == INFO.name == "procedural"
    ids = [r.id for r in bank.recordings()]
    assert ids == sorted(set(ids))
    assert {r.label for r in bank.recordings() if r.role == "foreground"} == DESED
    assert len({r.label for r in bank.recordings() if r.role == "background"}) >= 6
    for r in bank.recordings():
        assert r.id.split("/")[:2] == [r.role, r.label]


def test_a_group_is_never_in_two_splits_and_every_split_has_enough(
    by_label: dict[str, list[Recording]],
) -> None:
    for label, recordings in by_label.items():
        splits = defaultdict(set)
        for r in recordings:
            splits[r.group].add(r.split)
        assert all(len(s) == 1 for s in splits.values()), label
        if label in DESED:
            for split in SPLITS:
                groups = {r.group for r in recordings if r.split == split}
                assert len(groups) >= 6, (label, split)
    assert len({r.group for rs in by_label.values() for r in rs}) == sum(
        len({r.group for r in rs}) for rs in by_label.values()
    ), "two labels share a group name"


def test_durations_suit_the_role_and_every_sample_rate(bank: Soundbank) -> None:
    for r in bank.recordings():
        if r.role == "background":
            assert r.duration >= 12.0
        else:
            assert 0.3 <= r.duration <= 6.0
        for rate in SAMPLE_RATES:
            samples = r.duration * rate
            assert abs(samples - round(samples)) < 1e-6


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_the_audio_is_as_long_as_its_duration_says(bank: Soundbank, rate: int) -> None:
    for recording_id in ("foreground/Dog/0012", "foreground/Dishes/0003"):
        (recording,) = (r for r in bank.recordings() if r.id == recording_id)
        audio = bank.audio(recording_id, rate)
        assert audio.shape == (round(recording.duration * rate),)
        assert audio.dtype == np.float32


def test_every_class_is_finite_and_sounds_from_edge_to_edge(
    bank: Soundbank, by_label: dict[str, list[Recording]]
) -> None:
    for label, recordings in by_label.items():
        for r in recordings[1::40]:
            x = bank.audio(r.id, 16000).astype(float)
            assert np.isfinite(x).all()
            # Resampling may overshoot a peak of 0.9 or miss one of 0.1 by a little.
            assert 0.07 < np.abs(x).max() <= 1.0, r.id
            assert abs(x.mean()) < 0.02, r.id
            frame = 1600
            energy = np.convolve(x**2, np.ones(frame), "valid")[:: frame // 4]
            head, tail = np.sum(x[:frame] ** 2), np.sum(x[-frame:] ** 2)
            assert min(head, tail) > energy.max() * 10**-4.5, f"{label}: silent edge in {r.id}"


def test_a_recording_is_a_pure_function_of_its_id() -> None:
    ids = ["foreground/Speech/0001", "foreground/Dishes/0097", "foreground/Alarm_bell_ringing/0120"]
    one, other = build(), ProceduralBank(cache_bytes=0)
    first = [one.audio(i, 16000) for i in ids]
    np.random.seed(1)  # the global generator must not matter
    second = [other.audio(i, 16000) for i in reversed(ids)][::-1]
    for a, b in zip(first, second, strict=True):
        assert a.tobytes() == b.tobytes()
    assert (
        one.audio(ids[0], 16000).tobytes() != one.audio("foreground/Speech/0003", 16000).tobytes()
    )


def test_another_process_makes_the_same_bits(bank: Soundbank) -> None:
    code = (
        "from sedbench_plugins.procedural import build; import hashlib;"
        "b = build(); print(b.fingerprint(),"
        "hashlib.sha256(b.audio('foreground/Cat/0005', 16000).tobytes()).hexdigest())"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    mine = hashlib.sha256(bank.audio("foreground/Cat/0005", 16000).tobytes()).hexdigest()
    assert out == [bank.fingerprint(), mine]
    assert len(out[0]) == 64


def test_scipy_is_not_imported_by_the_metadata() -> None:
    code = "import sys, sedbench_plugins.procedural as p; p.INFO; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_unknown_recordings_and_rates_are_told_kindly(bank: Soundbank) -> None:
    with pytest.raises(UnknownNameError, match="Dgo") as caught:
        bank.audio("foreground/Dgo/0012", 16000)
    assert "foreground/Dog/0012" in caught.value.hint
    with pytest.raises(UsageError, match="12345 Hz") as refused:
        bank.audio("foreground/Dog/0012", 12345)
    assert "16000" in refused.value.hint


def test_the_cache_is_bounded_and_its_audio_cannot_be_changed() -> None:
    bank = ProceduralBank(cache_bytes=100_000)
    audio = bank.audio("foreground/Dog/0000", 16000)
    with pytest.raises(ValueError, match="read-only"):
        audio[0] = 1.0
    for i in range(6):
        bank.audio(f"foreground/Dog/{i:04d}", 16000)
        assert bank._held <= 100_000
        assert bank._held == sum(a.nbytes for a in bank._cache.values())
    again = bank.audio("foreground/Dog/0000", 16000)
    assert again.tobytes() == audio.tobytes()


def test_base_parameters_of_the_splits_overlap_only_in_part() -> None:
    drawn = {}
    for split in SPLITS:
        rng = np.random.default_rng(0)
        draws = Draws(split, 0, rng, rng)
        for name in ("a.parameter", "speech.f0.male", "dog.rough", "x", "y", "z"):
            values = [draws.base(name, 10.0, 20.0) for _ in range(400)]
            drawn[split, name] = (min(values), max(values))
            assert min(values) >= 10.0
            assert max(values) <= 20.0
    ends = set()
    for split, name in drawn:
        low, high = drawn["train", name]
        if split == "test":
            below, above = drawn[split, name][0] < low - 1.0, drawn[split, name][1] > high + 1.0
            assert below != above, "the test split reaches beyond training at one end"
            ends.add(above)
    assert ends == {False, True}, "parameters must differ in which end the test split has"
    assert POSITIONS["train"][1] < POSITIONS["test"][1]


@given(st.floats(0.0004, 0.008))
@settings(max_examples=15, deadline=None)
def test_a_bubble_rings_at_minnaerts_frequency(radius: float) -> None:
    x = bubble(radius, 0.0)
    spectrum = np.abs(np.fft.rfft(x, 2**16))
    peak = np.argmax(spectrum) * RATE / 2**16
    assert peak == pytest.approx(3.0 / radius, rel=0.03)


def test_modes_ring_at_their_frequency_and_fall_by_60_db_in_their_time() -> None:
    x = modes(np.array([1000.0]), np.array([0.5]), np.array([1.0]), np.array([0.0]))
    assert x[0] == pytest.approx(1.0)
    assert x[32 * 100] == pytest.approx(10 ** (-3 * 0.1 / 0.5), rel=1e-6)
    assert x[16] == pytest.approx(-(10 ** (-3 * 0.0005 / 0.5)), rel=1e-6)


def test_noise_follows_its_spectrum() -> None:
    x = noise(np.random.default_rng(3), RATE * 4, [(500, 0), (1000, -20), (16000, -20)])
    power = np.abs(np.fft.rfft(x)) ** 2
    hz = np.fft.rfftfreq(len(x), 1 / RATE)
    low = power[(hz > 100) & (hz < 490)].mean()
    high = power[(hz > 1100) & (hz < 9000)].mean()
    assert 10 * np.log10(low / high) == pytest.approx(20.0, abs=0.8)
    assert np.mean(x**2) == pytest.approx(1.0)


def test_wander_is_slow_and_of_about_unit_variance() -> None:
    x = wander(np.random.default_rng(4), RATE * 60, 4.0)
    assert 0.5 < np.std(x) < 1.3
    spectrum = np.abs(np.fft.rfft(x)) ** 2
    hz = np.fft.rfftfreq(len(x), 1 / RATE)
    assert spectrum[(hz > 0) & (hz < 6)].sum() > 0.98 * spectrum[hz > 0].sum()


def test_a_flat_frame_filter_changes_nothing() -> None:
    x = np.random.default_rng(5).standard_normal(5000)
    y = filter_frames(x, np.ones((n_control(5000), len(FREQUENCIES))))
    np.testing.assert_allclose(y, x, atol=1e-12)


def test_the_voice_has_the_pitch_and_the_formants_it_was_given() -> None:
    n = RATE
    table = glottal_table(0.6, 0.0, 125.0)
    x = source(np.random.default_rng(6), np.full(n, 120.0), table, 0.0, jitter=0.0, shimmer=0.0)
    formants = np.tile([700.0, 1200.0, 2600.0, 3500.0], (n_control(n), 1))
    response = cascade(formants, np.array([70.0, 90.0, 120.0, 200.0]), 1000.0)
    y = filter_frames(x, response)
    power = np.abs(np.fft.rfft(y * np.hanning(n))) ** 2
    assert power[120 * 3 - 20 : 120 * 3 + 20].argmax() - 20 == pytest.approx(0, abs=1)
    comb = power[np.arange(1, 40) * 120]
    between = power[np.arange(1, 40) * 120 + 60]
    assert comb.mean() > 1e3 * between.mean()
    gain = np.abs(response[0])
    f1 = FREQUENCIES[(FREQUENCIES > 300) & (FREQUENCIES < 950)][
        gain[(FREQUENCIES > 300) & (FREQUENCIES < 950)].argmax()
    ]
    assert f1 == pytest.approx(700.0, abs=40.0)


def test_synthesis_is_many_times_faster_than_sound(bank: Soundbank) -> None:
    """No seconds asserted: processor time against the length of what is heard."""
    fresh = ProceduralBank(cache_bytes=0)
    chosen = [r for r in bank.recordings() if r.role == "foreground"][5::140]
    start = time.process_time()
    for r in chosen:
        fresh.audio(r.id, 16000)
    assert time.process_time() - start < 0.5 * sum(r.duration for r in chosen)


def _features(x: np.ndarray) -> np.ndarray:
    """Simple descriptors: band levels, their changes, flatness, pitch salience, modulation."""
    x = x / np.abs(x).max()
    x = np.pad(x, (0, max(0, 4096 - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(x, 1024)[::512] * np.hanning(1024)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 + 1e-9
    loud = power.sum(axis=1)
    power = power[loud > loud.max() * 1e-3]
    edges = np.geomspace(4, 513, 13).astype(int)
    bands = 10 * np.log10(np.stack([power[:, a:b].mean(1) for a, b in pairwise(edges)], 1))
    mean = bands.mean(0) - bands.mean()
    mean_power = power.mean(0)
    flatness = np.log(mean_power).mean() - np.log(mean_power.mean())
    hertz = np.arange(513) * 15.6
    centroid = np.log(np.sum(hertz * mean_power) / mean_power.sum())
    spectrum = np.log(power[:, :256])
    cepstrum = np.abs(np.fft.rfft(spectrum - spectrum.mean(1, keepdims=True), axis=1))[:, 12:]
    salience = np.log(cepstrum.max(1) / cepstrum.mean(1)).mean()
    unrest = [10 * np.log10(loud + 1e-6).std(), bands.std(0).mean()]
    return np.concatenate([mean, [flatness * 4, centroid * 10, salience * 20], unrest])


def test_simple_features_tell_the_classes_of_the_test_split(
    bank: Soundbank, by_label: dict[str, list[Recording]]
) -> None:
    """Nearest centroid, trained on train and asked about test: far above one in ten."""
    table: dict[str, list[tuple[str, np.ndarray]]] = {"train": [], "test": []}
    for label in sorted(DESED):
        for split, step in (("train", 9), ("test", 3)):
            for r in [r for r in by_label[label] if r.split == split][::step]:
                table[split].append((label, _features(bank.audio(r.id, 16000).astype(float))))
    train = np.stack([f for _, f in table["train"]])
    middle, scale = train.mean(0), train.std(0)
    centroids = {
        label: np.mean([(f - middle) / scale for name, f in table["train"] if name == label], 0)
        for label in sorted(DESED)
    }
    right = [
        min(centroids, key=lambda c: float(np.sum((centroids[c] - (f - middle) / scale) ** 2)))
        == label
        for label, f in table["test"]
    ]
    assert np.mean(right) > 0.5, f"nearest centroid is right in {np.mean(right):.0%} of test"
