"""A clip as a sum of sounds: what of its spectrogram is held, what is struck, what goes together.

Each component is a share of every cell of the short-time spectrum, the shares of a cell add up to
one, and a component's waveform is what that share sounds like: together they are the clip.

``hpss`` (two components): median filters along time and along frequency find what is harmonic and
what is percussive [1]_. ``nmf``: a non-negative factorisation of the magnitudes into spectra and
their courses in time [2]_, each a component.

References
----------
.. [1] D. FitzGerald, "Harmonic/percussive separation using median filtering", DAFx 2010.
.. [2] P. Smaragdis, J. Brown, "Non-negative matrix factorization for polyphonic music
   transcription", WASPAA 2003, doi 10.1109/ASPAA.2003.1285860.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

WINDOW = 0.064  # seconds; frames overlap by three quarters
SPAN = 0.4, 500.0  # of the median filters: seconds along time, Hz along frequency
ITERATIONS = 100


def components(
    wave: NDArray[np.float32], sample_rate: int, decomposition: str, count: int, seed: int
) -> NDArray[np.float32]:
    """Waveforms that add up to a clip.

    Parameters
    ----------
    wave : ndarray, shape (samples,)
    sample_rate : int
    decomposition : {"hpss", "nmf"}
    count : int
        Components of ``nmf``.
    seed : int
        Of its first guess.

    Returns
    -------
    ndarray, shape (components, samples), float32
    """
    from scipy.signal import istft, stft

    size = 4 * max(4, round(WINDOW * sample_rate / 4))
    options = {"fs": sample_rate, "nperseg": size, "noverlap": size - size // 4}
    _, _, spectrum = stft(wave.astype(np.float64), **options)
    magnitude = np.abs(spectrum)
    if decomposition == "hpss":
        parts = _struck_and_held(magnitude, sample_rate, size)
    else:
        parts = _factors(magnitude, count, seed)
    shares = parts / np.maximum(parts.sum(0), 1e-12)
    made = [istft(spectrum * share, **options)[1][: len(wave)] for share in shares]
    out = np.stack([np.pad(each, (0, len(wave) - len(each))) for each in made])
    # What no component has a share in is shared out evenly, rounding too.
    return np.asarray(out + (wave - out.sum(0)) / len(out), np.float32)


def _struck_and_held(
    magnitude: NDArray[np.float64], sample_rate: int, size: int
) -> NDArray[np.float64]:
    from scipy.ndimage import median_filter

    frames = max(3, round(SPAN[0] * sample_rate / (size // 4)))
    bins = max(3, round(SPAN[1] * size / sample_rate))
    held = median_filter(magnitude, size=(1, frames))
    struck = median_filter(magnitude, size=(bins, 1))
    return np.stack([held**2, struck**2])


def _factors(magnitude: NDArray[np.float64], count: int, seed: int) -> NDArray[np.float64]:
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    model = NMF(count, init="random", random_state=seed, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        # How far it has come is a matter of cost, not of right or wrong.
        warnings.simplefilter("ignore", ConvergenceWarning)
        spectra = model.fit_transform(magnitude)
    return np.asarray(spectra.T[:, :, None] * model.components_[:, None, :])
