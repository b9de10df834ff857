"""Name the code of results anew, where it was rewritten and answers as before.

    python tests/tools/restamp.py [--clips 8] [--write] [RESULT ...]

A result's identity holds the code that answered, so that a rewriting makes it stale although no
answer changed. This asks each stale method again about the first test clips, from nothing that is
cached, and compares with the items, bit by bit: scores, masks, clip probabilities. Where they are
the same, ``--write`` gives the result the identity and the code that it has now; nothing else of it
changes, and what was measured when, from which commit, stays as it was. Where they differ the
method has to be measured again.

It sees as many clips as it is given. It is for rewriting that leaves the arithmetic alone.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from sedbench import api, files, results
from sedbench.errors import SedbenchError
from sedbench.leaderboard.documents import DIGEST, digest
from sedbench.progress import Quiet
from sedbench.protocol import Scored
from sedbench.refs import MethodRef
from sedbench.splits import Splits
from sedbench.work import Work

BOARD = Path(__file__).parents[2] / "leaderboard" / "results"


def main() -> None:
    """Compare, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("results", nargs="*", type=Path)
    parser.add_argument("--clips", type=int, default=8, help="test clips to ask about")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    cells: dict[tuple[str, str, int], list[Path]] = defaultdict(list)
    for path in sorted(given.results or BOARD.glob("*/*/*/*.json")):
        document = json.loads(path.read_text())
        cells[document["task"], document["model"], document["seed"]].append(path)
    count: dict[str, int] = defaultdict(int)
    for (task, model, seed), paths in cells.items():
        specs = [json.loads(path.read_text())["spec"] for path in paths]
        work = replace(
            api.prepare(specs, task, model, seed=seed, limit=given.clips), overwrite="always"
        )
        splits = Splits(work, Quiet())
        for path, method in zip(paths, work.methods, strict=True):
            said = restamp(path, work, splits, method, given.write)
            count[said.partition(":")[0]] += 1
            if said != "holds":
                print(f"{said:40}  {task} {model} {method.spec}", flush=True)
    print(", ".join(f"{n} {what}" for what, n in sorted(count.items())))


def restamp(path: Path, work: Work, splits: Splits, method: MethodRef, write: bool) -> str:
    """Compare one result with answers of now.

    Returns
    -------
    str
        ``holds``: its identity is that of now. ``same``: it is not, and the answers are.
        ``differs``, with the reason.
    """
    result = results.read(path, "stored")
    identity = work.identity(method)
    if result.provenance["identity"] == identity:
        return "holds"
    if result.status == "ok":
        try:
            answered, _ = splits.scored(method, "test")
        except SedbenchError as error:
            return f"differs: {error.message}"
        reason = difference(answered, results.read_items(path, result)[1])
        if reason:
            return f"differs: {reason}"
    if write:
        document = json.loads(path.read_text())
        document["provenance"] |= {"identity": identity, "method_code": method.code()}
        if DIGEST in document:
            document[DIGEST] = digest(document)
        files.write_atomic(path, results.dumps(document))
    return "same"


def difference(now: Scored, then: Scored) -> str:
    """What differs of the clips that both hold; empty where nothing does."""
    clips, pairs = len(now.table.clip_ids), len(now.table)
    if now.table.clip_ids != then.table.clip_ids[:clips]:
        return "other clips"
    rows = then.table.clip < clips
    if rows.sum() != pairs or not rows[:pairs].all():
        return "other pairs"
    for name, one, other in (
        ("pairs answered", now.scored, then.scored[:pairs]),
        ("scores", now.scores[now.scored], then.scores[:pairs][now.scored]),
        ("masks", now.mask, None if then.mask is None else then.mask[:pairs]),
        ("the classifier's decisions", now.detected, then.detected[:clips]),
        ("the detector's decisions", now.own, None if then.own is None else then.own[:clips]),
    ):
        if (one is None) != (other is None):
            return f"{name} are there or not"
        if one is not None and not np.array_equal(one, np.asarray(other)):
            gap = np.abs(np.asarray(one, float) - np.asarray(other, float)).max()
            return f"{name}, by up to {gap:.3g}"
    return ""


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the text above."""


if __name__ == "__main__":
    main()
