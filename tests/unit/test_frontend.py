"""The log-mel front end against an independent computation, and its frames in time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sedbench.models.frontend import LogMel, hz_to_mel, mel_matrix, mel_to_hz

RATE = 16000


def by_hand(waveform: np.ndarray, window: int, hop: int, bands: int, high: float) -> np.ndarray:
    """Log-mel in float64: one real FFT a frame, cut out of a zero-padded copy by hand."""
    n = np.arange(window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / window)
    filters = mel_matrix(RATE, window, bands, 50.0, high)
    frames = len(waveform) // hop
    padded = np.concatenate([np.zeros(window), waveform.astype(np.float64), np.zeros(2 * window)])
    out = np.zeros((bands, frames))
    for i in range(frames):
        middle = window + i * hop + hop // 2
        stretch = padded[middle - window // 2 : middle + window // 2]
        power = np.abs(np.fft.rfft(stretch * hann)) ** 2 / np.sum(hann**2)
        out[:, i] = np.log(filters @ power + 1e-8)
    return out


@pytest.mark.parametrize(("window", "hop", "samples"), [(1024, 800, 8000), (512, 160, 5003)])
def test_log_mel_is_what_an_fft_a_frame_gives(window: int, hop: int, samples: int) -> None:
    rng = np.random.default_rng(1)
    waveform = (0.1 * rng.standard_normal(samples)).astype(np.float32)
    waveform[samples // 3 : samples // 2] *= 1e-4
    front = LogMel(RATE, window=window, hop=hop, bands=40)
    found = front(torch.from_numpy(waveform)[None])[0].numpy()
    np.testing.assert_allclose(found, by_hand(waveform, window, hop, 40, 8000.0), atol=2e-4)


def test_slaney_scale_at_hand_computed_points() -> None:
    # Linear, 3 mel in 200 Hz, to 15 mel at 1 kHz; from there 27 mel for a factor of 6.4.
    hz = np.array([0.0, 200.0, 500.0, 1000.0, 6400.0, 1000 * math.sqrt(6.4), 1000 * 6.4**2])
    mel = np.array([0.0, 3.0, 7.5, 15.0, 42.0, 28.5, 69.0])
    np.testing.assert_allclose(hz_to_mel(hz), mel, atol=1e-12)
    np.testing.assert_allclose(mel_to_hz(mel), hz, rtol=1e-12)


@given(st.floats(0, 24000))
def test_the_scale_and_its_inverse(hz: float) -> None:
    assert mel_to_hz(hz_to_mel(np.array([hz])))[0] == pytest.approx(hz, rel=1e-9, abs=1e-9)


def test_mel_matrix_at_hand_computed_points() -> None:
    # 0 to 1000 Hz is linear in mel: two bands have their corners at 0, 1000/3, 2000/3, 1000 Hz
    # and unit area, hence the height 2 / (2000/3) = 0.003 at the centre. Bins are 125 Hz apart.
    found = mel_matrix(2000, 16, 2, 0.0, 1000.0)
    assert found.shape == (2, 9)
    third = 1000 / 3
    bins = [0, 125, 250, 375, 500, 625, 750, 875, 1000]
    first = [0, 125 / third, 250 / third, (2 * third - 375) / third, (2 * third - 500) / third]
    first += [(2 * third - 625) / third, 0, 0, 0]
    np.testing.assert_allclose(found[0], np.array(first) * 0.003, atol=1e-15)
    np.testing.assert_allclose(found[1], found[0][::-1], atol=1e-15)
    assert bins[3] > third  # the fourth bin is past the first centre: the falling side


def test_filters_have_unit_area() -> None:
    matrix = mel_matrix(RATE, 8192, 24, 50.0, 8000.0)
    width = RATE / 8192
    np.testing.assert_allclose(matrix.sum(1) * width, 1.0, atol=0.01)
    assert (matrix >= 0).all()
    assert (np.diff(matrix.argmax(1)) > 0).all()


@given(samples=st.integers(400, 4000))
@settings(max_examples=25, deadline=None)
def test_n_samples_give_n_over_hop_frames(samples: int) -> None:
    front = LogMel(RATE, window=256, hop=200, bands=8)
    assert front(torch.zeros(1, samples)).shape == (1, 8, samples // 200)
    edges = front.edges(samples)
    assert len(edges) == samples // 200 + 1
    np.testing.assert_allclose(edges, np.arange(len(edges)) * 200 / RATE, atol=1e-12)
    assert edges[-1] <= samples / RATE


@pytest.mark.parametrize(("window", "hop"), [(1024, 800), (1024, 320), (256, 801)])
def test_a_click_is_loudest_in_the_frame_that_holds_it(window: int, hop: int) -> None:
    front = LogMel(RATE, window=window, hop=hop, bands=16)
    edges = front.edges(RATE)
    for frame in (0, 1, 7, len(edges) - 2):
        wave = torch.zeros(1, RATE)
        at = frame * hop + hop // 2
        wave[0, at] = 1.0
        loud = front(wave)[0].sum(0)
        assert int(loud.argmax()) == frame
        assert edges[frame] <= at / RATE < edges[frame + 1]


def test_silence_is_the_logarithm_of_the_floor() -> None:
    front = LogMel(RATE, window=256, hop=200, bands=8, floor=1e-6)
    out = front(torch.zeros(2, 1000))
    torch.testing.assert_close(out, torch.full_like(out, math.log(1e-6)))


def test_white_noise_has_one_level_in_a_bin_whatever_the_window() -> None:
    # A filter has unit area over hertz and sums bins, of which a longer window has more.
    noise = 0.1 * torch.from_numpy(np.random.default_rng(2).standard_normal((1, 5 * RATE))).float()
    for window in (512, 2048):
        level = LogMel(RATE, window=window, hop=400, bands=8)(noise).exp().mean().item()
        assert level / window * RATE == pytest.approx(0.1**2, rel=0.03)


def test_the_gradient_is_the_slope() -> None:
    front = LogMel(8000, window=64, hop=32, bands=6, high=4000.0).double()
    generator = torch.Generator().manual_seed(0)
    wave, along = torch.randn(2, 1, 160, generator=generator, dtype=torch.float64)
    weight = torch.randn(1, 6, 5, generator=generator, dtype=torch.float64)
    wave.requires_grad_()
    (front(wave) * weight).sum().backward()
    with torch.no_grad():
        rise = front(wave + 1e-5 * along) - front(wave - 1e-5 * along)
    assert wave.grad is not None
    slope = (wave.grad * along).sum().item()
    assert slope == pytest.approx((rise * weight).sum().item() / 2e-5, rel=1e-6)


def test_a_loud_sound_and_silence_have_finite_gradients() -> None:
    front = LogMel(RATE, window=256, hop=200, bands=8)
    for level in (0.0, 1.0):
        wave = torch.full((1, 1000), level).requires_grad_()
        front(wave).sum().backward()
        assert wave.grad is not None
        assert torch.isfinite(wave.grad).all()


def test_nothing_of_the_front_end_is_kept_with_the_weights() -> None:
    front = LogMel(RATE)
    assert not front.state_dict()
    assert not list(front.parameters())


def test_bands_end_at_half_the_sample_rate() -> None:
    assert LogMel(8000, window=256, hop=200, bands=8, high=8000.0).filters.equal(
        LogMel(8000, window=256, hop=200, bands=8, high=4000.0).filters
    )
