"""The sound of the bank is frozen: its version stands for it in every task's fingerprint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sedbench_plugins.procedural import build

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "procedural.json").read_text(encoding="utf-8")
)


def figures(recording_id: str) -> dict[str, float]:
    """Figures that any audible change moves: level, length, spectrum and envelope."""
    audio = build().audio(recording_id, 16000).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(audio)) ** 2
    bands = [float(b.sum() / spectrum.sum()) for b in np.array_split(spectrum, 8)]
    envelope = [float(np.sqrt(np.mean(b**2))) for b in np.array_split(audio, 8)]
    return {
        "samples": len(audio),
        **{f"band{i}": v for i, v in enumerate(bands)},
        **{f"rms{i}": v for i, v in enumerate(envelope)},
    }


@pytest.mark.parametrize("recording_id", sorted(GOLDEN))
def test_the_sound_is_the_frozen_one(recording_id: str) -> None:
    # Other processors round differently; a thousandth is far below what can be heard.
    assert figures(recording_id) == pytest.approx(GOLDEN[recording_id], rel=1e-3, abs=1e-5)
