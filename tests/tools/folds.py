"""Deal the groups of a manifest into folds, and write the column ``fold``.

    python tests/tools/folds.py MANIFEST.csv [--folds 5]

Groups go, the largest first, where they keep every label most even: the cost of a fold is the
sum over labels of the squared excess over an equal share, counted in recordings and, with the
same weight, in groups. Then pairs of groups are swapped and single ones moved while that helps.
Nothing is drawn at random and no sound is listened to.
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def deal(counts: NDArray[np.float64], folds: int) -> NDArray[np.int64]:
    """The fold of each group.

    Parameters
    ----------
    counts : ndarray, shape (groups, features)
        What each group brings: recordings and groups of each label.
    folds : int
    """
    scale = 1.0 / np.maximum(counts.sum(0), 1.0)
    share = counts * scale
    total = np.zeros((folds, counts.shape[1]))
    fold = np.full(len(counts), -1, np.int64)
    for group in np.argsort(-share.sum(1), kind="stable"):
        cost = [
            (np.square(total[k] + share[group]) - np.square(total[k])).sum() for k in range(folds)
        ]
        fold[group] = int(np.argmin(cost))
        total[fold[group]] += share[group]
    better = True
    while better:
        better = False
        for group in range(len(counts)):
            for k in range(folds):
                j = fold[group]
                if k == j:
                    continue
                gain = 2 * share[group] @ (total[j] - total[k] - share[group])
                if gain > 1e-9:
                    total[j] -= share[group]
                    total[k] += share[group]
                    fold[group], better = k, True
            for other in range(group):
                j, k = fold[group], fold[other]
                if j == k:
                    continue
                step = share[other] - share[group]
                if 2 * step @ (total[k] - total[j] - step) > 1e-9:
                    total[j] += step
                    total[k] -= step
                    fold[group], fold[other], better = k, j, True
    return fold


def main() -> None:
    """Rewrite the manifest."""
    parser = argparse.ArgumentParser()
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    rows = list(csv.DictReader(io.StringIO(options.manifest.read_text(encoding="utf-8"))))
    groups = sorted({row["group"] for row in rows})
    labels = sorted({(row["role"], row["class"]) for row in rows})
    counts = np.zeros((len(groups), 2 * len(labels)))
    for row in rows:
        at = labels.index((row["role"], row["class"]))
        counts[groups.index(row["group"]), at] += 1
    counts[:, len(labels) :] = counts[:, : len(labels)] > 0
    fold = deal(counts, options.folds)
    for row in rows:
        row["fold"] = str(fold[groups.index(row["group"])])
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    options.manifest.write_text(out.getvalue(), encoding="utf-8")
    for role, label in labels:
        mine = [row for row in rows if (row["role"], row["class"]) == (role, label)]
        told = []
        for k in range(options.folds):
            here = [row for row in mine if row["fold"] == str(k)]
            told.append(f"{len(here)} ({len({row['group'] for row in here})})")
        print(f"{role:10} {label:28}", "  ".join(f"{text:>8}" for text in told))


if __name__ == "__main__":
    main()
