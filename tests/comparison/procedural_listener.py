"""Ask a listener that never heard the procedural soundbank what it hears: YAMNet.

    python tests/comparison/procedural_listener.py [--every 6]

YAMNet (521 AudioSet classes) is run on recordings of both banks; a recording counts as *named*
where one of the three highest clip scores is an AudioSet name of its class, listed in
``NAMES``. The same is printed for the real recordings: the share that is possible at all. The
weights are found in ``$SEDBENCH_SHARED/weights`` (default ``../shared``); nothing of them is
stored here. The bank was not trained on YAMNet's answers; they were looked at while the models
were built.

References
----------
Plakal & Ellis, YAMNet, TensorFlow Model Garden, 2020. Gemmeke et al., ICASSP 2017 (AudioSet).
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16000
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
NAMES: dict[str, set[str]] = {
    "Alarm_bell_ringing": {
        "Alarm",
        "Alarm clock",
        "Smoke detector, smoke alarm",
        "Fire alarm",
        "Siren",
        "Buzzer",
        "Beep, bleep",
        "Bell",
        "Church bell",
        "Bicycle bell",
        "Chime",
        "Ding",
        "Ding-dong",
        "Doorbell",
        "Telephone",
        "Ringtone",
        "Telephone bell ringing",
        "Reversing beeps",
    },
    "Blender": {"Blender", "Tools", "Power tool", "Drill"},
    "Cat": {"Cat", "Meow", "Caterwaul", "Purr"},
    "Dishes": {"Dishes, pots, and pans", "Cutlery, silverware", "Chink, clink", "Glass"},
    "Dog": {"Dog", "Bark", "Yip", "Bow-wow", "Howl", "Growling", "Whimper (dog)"},
    "Electric_shaver_toothbrush": {
        "Electric shaver, electric razor",
        "Electric toothbrush",
        "Toothbrush",
    },
    "Frying": {"Frying (food)", "Sizzle"},
    "Running_water": {
        "Water",
        "Water tap, faucet",
        "Sink (filling or washing)",
        "Stream",
        "Pour",
        "Liquid",
        "Shower",
        "Bathtub (filling or washing)",
        "Fill (with liquid)",
        "Waterfall",
        "Trickle, dribble",
    },
    "Speech": {"Speech", "Child speech, kid speaking", "Conversation", "Narration, monologue"},
    "Vacuum_cleaner": {"Vacuum cleaner"},
}
"""AudioSet's names of each class; a few wider ones where AudioSet splits finely."""


def mel_matrix() -> NDArray[np.float64]:
    """YAMNet's 64 triangular bands from 125 to 7500 Hz, shape (257, 64)."""
    mel = 1127.0 * np.log(1.0 + np.arange(257) * RATE / 512 / 700.0)[:, None]
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


def patches(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log-mel patches of 0.96 s every 0.48 s, shape (patches, 96, 64)."""
    x = np.asarray(x, dtype=float) / max(float(np.abs(x).max()), 1e-9) * 0.5
    x = np.pad(x, (0, max(0, 15600 - len(x))))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.lib.stride_tricks.sliding_window_view(x, 400)[::160] * window
    log_mel = np.log(np.abs(np.fft.rfft(frames, 512)) @ mel_matrix() + 1e-3)
    count = max(1, (len(log_mel) - 96) // 48 + 1)
    return np.stack([log_mel[i * 48 : i * 48 + 96] for i in range(count)])


class Listener:
    """YAMNet from its NumPy weights.

    Parameters
    ----------
    folder : Path
        Holds ``yamnet.npz`` and ``yamnet_class_map.csv``.
    """

    def __init__(self, folder: Path) -> None:
        import torch

        torch.set_num_threads(1)  # more are slower for a network this small
        with np.load(folder / "yamnet.npz") as stored:
            self.weights: dict[str, Any] = {
                key: torch.from_numpy(stored[key].astype(np.float32)) for key in stored.files
            }
        with (folder / "yamnet_class_map.csv").open(newline="", encoding="utf-8") as table:
            self.names = [row["display_name"] for row in csv.DictReader(table)]

    def top(self, x: NDArray[np.floating], count: int = 3) -> list[str]:
        """The names of the highest mean scores of a recording at 16 kHz."""
        import torch
        from torch.nn import functional

        def convolve(x: Any, kernel: Any, stride: int, groups: int = 1) -> Any:
            # TensorFlow's "same" padding: the odd sample goes to the end.
            pad: list[int] = []
            for size in (x.shape[-1], x.shape[-2]):
                total = max((-(-size // stride) - 1) * stride + kernel.shape[-1] - size, 0)
                pad += [total // 2, total - total // 2]
            return functional.conv2d(functional.pad(x, pad), kernel, stride=stride, groups=groups)

        w, strides = self.weights, iter(STRIDES)
        with torch.inference_mode():
            y = torch.from_numpy(patches(x)).float()[:, None]
            for layer in sorted({key.split(".")[0] for key in w}):
                if f"{layer}.depthwise_kernel" in w:
                    kernel = w[f"{layer}.depthwise_kernel"].permute(2, 3, 0, 1)
                    y = convolve(y, kernel, next(strides), groups=kernel.shape[0])
                elif f"{layer}.moving_mean" in w:
                    mean, variance = w[f"{layer}.moving_mean"], w[f"{layer}.moving_variance"]
                    beta = w[f"{layer}.beta"]
                    y = functional.batch_norm(y, mean, variance, None, beta, eps=1e-4).relu()
                elif w[f"{layer}.kernel"].ndim == 4:
                    kernel = w[f"{layer}.kernel"].permute(3, 2, 0, 1)
                    y = convolve(y, kernel, 2 if kernel.shape[1] == 1 else 1)
                else:
                    y = y.mean((2, 3)) @ w[f"{layer}.kernel"] + w[f"{layer}.bias"]
            best = torch.sigmoid(y).mean(0).argsort(descending=True)[:count]
        return [self.names[i] for i in best.tolist()]


def main() -> int:
    """Print how many recordings of each class are named, as Markdown; 4 without the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--every", type=int, default=6, help="take one recording in so many")
    every = parser.parse_args().every
    shared = Path(os.environ.get("SEDBENCH_SHARED", "../shared"))
    if not (shared / "weights" / "yamnet.npz").is_file():
        print(f"no YAMNet weights in {shared / 'weights'}: set SEDBENCH_SHARED", file=sys.stderr)
        return 4
    import soundfile

    from sedbench_plugins.procedural import build

    listener, bank = Listener(shared / "weights"), build()
    print("| class | procedural named | real named |\n|---|---|---|")
    for label, names in NAMES.items():
        ids = [r.id for r in bank.recordings() if r.label == label][1::every]
        ours = [not names.isdisjoint(listener.top(bank.audio(i, RATE))) for i in ids]
        paths = sorted((shared / "soundbank" / "foreground" / label).glob("*.flac"))
        paths = paths[:: max(1, len(paths) // 20)]
        real = [not names.isdisjoint(listener.top(soundfile.read(p)[0])) for p in paths]
        print(f"| {label} | {sum(ours)} of {len(ours)} | {sum(real)} of {len(real)} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
