"""Compare the procedural soundbank with real recordings, class by class, and print a table.

    python tests/comparison/procedural_vs_real.py [--count 40]

The real recordings are found in ``$SEDBENCH_SHARED/soundbank`` (default ``../shared``) and are
only measured, never stored. Both banks are read at 16 kHz. Level is the root mean square below
the recording's own peak, so that it does not depend on gain; the active fraction is the share
of 100 ms frames within 30 dB of the loudest.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 16000
MEASURES = (
    ("level dB", "%.0f"),
    ("centroid Hz", "%.0f"),
    ("bandwidth Hz", "%.0f"),
    ("4-8 Hz mod %", "%.0f"),
    ("active %", "%.0f"),
    ("duration s", "%.1f"),
)


def measure(x: NDArray[np.floating]) -> list[float]:
    """The six measures of one recording at 16 kHz, in the order of ``MEASURES``."""
    x = np.asarray(x, dtype=float)
    x = x / max(float(np.abs(x).max()), 1e-9)
    level = 10 * np.log10(np.mean(x**2) + 1e-12)
    padded = np.pad(x, (0, max(0, 1024 - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 1024)[::512] * np.hanning(1024)
    power = np.mean(np.abs(np.fft.rfft(frames, axis=1)) ** 2, axis=0)
    hz = np.fft.rfftfreq(1024, 1 / RATE)
    power[hz < 50] = 0.0
    centroid = float(np.sum(hz * power) / np.sum(power))
    bandwidth = float(np.sqrt(np.sum((hz - centroid) ** 2 * power) / np.sum(power)))
    hop = RATE // 50
    count = max(1, len(x) // hop)
    envelope = np.sqrt(np.mean(np.resize(x, count * hop).reshape(count, hop) ** 2, axis=1))
    spectrum = np.abs(np.fft.rfft(envelope - envelope.mean(), 256 if count < 256 else None)) ** 2
    rate = np.fft.rfftfreq(256 if count < 256 else count, 0.02)
    total = float(spectrum[rate >= 0.5].sum())
    modulation = float(spectrum[(rate >= 4) & (rate <= 8)].sum()) / max(total, 1e-12)
    block = RATE // 10
    blocks = max(1, len(x) // block)
    loud = np.mean(np.resize(x, blocks * block).reshape(blocks, block) ** 2, axis=1)
    active = float(np.mean(loud > loud.max() * 1e-3))
    return [level, centroid, bandwidth, 100 * modulation, 100 * active, len(x) / RATE]


def spread(rows: Iterable[list[float]]) -> list[str]:
    """Median and 10-90 % range of each measure as text."""
    table = np.array(list(rows))
    low, middle, high = np.percentile(table, [10, 50, 90], axis=0)
    return [
        f"{form % middle[i]} ({form % low[i]}..{form % high[i]})"
        for i, (_, form) in enumerate(MEASURES)
    ]


def main() -> int:
    """Print the table as Markdown; 4 where the real recordings are absent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=40, help="procedural recordings a class")
    count = parser.parse_args().count
    folder = Path(os.environ.get("SEDBENCH_SHARED", "../shared")) / "soundbank"
    if not folder.is_dir():
        print(f"no real recordings in {folder}: set SEDBENCH_SHARED", file=sys.stderr)
        return 4
    import soundfile

    from sedbench_plugins.procedural import build

    bank = build()
    by_label: dict[tuple[str, str], list[str]] = {}
    for recording in bank.recordings():
        by_label.setdefault((recording.role, recording.label), []).append(recording.id)
    print("| class | from | n | " + " | ".join(name for name, _ in MEASURES) + " |")
    print("|---" * (len(MEASURES) + 3) + "|")
    for (role, label), ids in sorted(by_label.items(), reverse=True):
        chosen = [ids[i] for i in np.unique(np.linspace(0, len(ids) - 1, count).astype(int))]
        ours = [measure(bank.audio(i, RATE)) for i in chosen]
        print(f"| {label} | procedural | {len(ours)} | " + " | ".join(spread(ours)) + " |")
        name = {"sea": "sea_waves"}.get(label, label)
        paths = sorted((folder / role / name).glob("*.flac"))
        if paths:
            real = [measure(soundfile.read(path)[0]) for path in paths]
            print(f"| | real | {len(real)} | " + " | ".join(spread(real)) + " |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
