"""Record which code worked out the figures of results, for those that do not say it.

    python tests/tools/stamp_metrics.py [RESULT ...]

Every figure of a result is worked out anew from its items with the code as it is now. Where all of
them agree (within 1e-9), the result is given the sha256 of that code as its ``metrics_code``: it is
what its figures follow from. Its digest is written too, and nothing else changes. It is for results
that were measured before the field was there, and for code of the metrics that was rewritten.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sedbench import files, registry, results, sources
from sedbench.leaderboard.documents import DIGEST, digest
from sedbench.leaderboard.evidence import Job, examine
from sedbench.lookup import find_task
from sedbench.protocol import evaluate
from sedbench.workers import default_jobs, run_jobs

BOARD = Path(__file__).parents[2] / "leaderboard" / "results"
FIELD = "metrics_code"


def main() -> int:
    """Stamp what agrees, and name what does not."""
    code = sources.code_of(evaluate)
    known = registry.registry()
    given = [Path(name) for name in sys.argv[1:]]
    todo: list[tuple[Path, Job | None]] = []
    for path in sorted(given or BOARD.glob("*/*/*/*.json")):
        result = results.read(path, "stored")
        if result.provenance.get(FIELD) == code:
            continue
        figures = result.status == "ok" and result.items is not None
        task = find_task(result.task, known)
        todo.append((path, Job(path, result, task, True, True) if figures else None))
    found = iter(run_jobs(examine, [job for _, job in todo if job is not None], default_jobs()))
    bad = 0
    for path, job in todo:
        faults = next(found).faults if job is not None else ()
        if faults:
            bad += 1
            print(f"{path}: {faults[0][0]}: {faults[0][1]}")
            continue
        document = json.loads(path.read_text())
        document["provenance"][FIELD] = code
        document[DIGEST] = digest(document)
        files.write_atomic(path, results.dumps(document))
    print(f"{len(todo) - bad} stamped, {bad} do not agree")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
