"""What a task's difficulty was judged by: the development split, and no localisation method.

    python tests/comparison/task_difficulty.py domestic

Prints the clip scores of the shipped classifiers on the development split (or another split,
given second), per class too, and how well the *level* of an event alone would give its class
away: the share of events whose class is that with the nearest mean level, against the share of
the most frequent class.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import torch

from sedbench import lookup, trainer
from sedbench.models.scoring import clip_scores
from sedbench.progress import Quiet
from sedbench.registry import registry

SEEDS = (0, 1, 2)


def main(name: str, split: str, seeds: Sequence[int] = SEEDS) -> None:
    """Print the figures of one task and split."""
    known = registry()
    task = lookup.find_task(name, known)
    bank = known.get("soundbanks", task.soundbank).factory
    for seed in seeds:
        model = lookup.find_model(f"{task.model}[seed={seed}]", task, known).handle()
        net = model.classifier()
        data = trainer.examples(task, ((split, None),), bank, net, 2, Quiet())
        with torch.no_grad():
            features = torch.from_numpy(data.features.astype(np.float32))
            found = torch.sigmoid(net.logits(features)).numpy()
        scores = clip_scores(found, data.clip_labels, task.threshold)
        print(f"{name} {split} seed {seed}: ", {k: round(v, 3) for k, v in scores.items()})
        for i, label in enumerate(task.classes):
            one = clip_scores(found[:, [i]], data.clip_labels[:, [i]], task.threshold)
            print(f"    {label:28s} F1 {one['micro_f1']:.2f}  clips {data.clip_labels[:, i].sum()}")
    events, tested = (
        [(s.ref_db + e.snr, e.label) for s in task.clips(kind) for e in s.events]
        for kind in ("train", split)
    )
    means = {c: np.mean([level for level, label in events if label == c]) for c in task.classes}
    guess = [min(means, key=lambda c: abs(means[c] - level)) for level, _ in tested]
    right = np.mean([g == label for g, (_, label) in zip(guess, tested, strict=True)])
    most = max(np.mean([label == c for _, label in tested]) for c in task.classes)
    print(f"level alone names the class of {right:.2f} of {len(tested)} events")
    print(f"the most frequent class is that of {most:.2f} of them")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "development")
