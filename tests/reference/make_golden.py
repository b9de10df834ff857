"""Write the golden figures that the default tests compare sedbench with.

    tests/reference/environments FOLDER
    python tests/reference/make_golden.py FOLDER [--shared ../shared] [--keep-speed]

The figures are those of the reference implementations alone, each run in its environment:

    tests/golden/detection.json          small made-up cases with their inputs, and speed ratios
    tests/golden/detection_shared.json   figures of annotations that are not committed
    tests/golden/quantus.json            scores and masks with their inputs
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import reference_inputs  # beside this file, where Python looks first
from reference_tools import TOOLS, figures, measured_speed

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
DETECTION = ("sed_eval", "sed_scores_eval", "psds_eval")


def main() -> None:
    """Run everything, and write the three files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("environments", type=Path)
    parser.add_argument("--shared", type=Path, default=HERE.parents[2] / "shared")
    parser.add_argument("--keep-speed", action="store_true", help="do not measure speed again")
    options = parser.parse_args()
    environments = options.environments.resolve()
    pinned = versions()

    cases = reference_inputs.synthetic()
    path = GOLDEN / "detection.json"
    if options.keep_speed:
        speed = json.loads(path.read_text(encoding="utf-8"))["speed"]
    else:
        speed = measured_speed(environments)
    write(
        path,
        {
            "versions": pinned,
            "speed": speed,
            "figures": {tool: figures(tool, cases, environments) for tool in DETECTION},
            "cases": cases,
        },
    )
    cases = quantus_cases()
    found = figures("quantus", cases, environments)
    write(GOLDEN / "quantus.json", {"versions": pinned, "figures": found, "cases": cases})
    cases = reference_inputs.shared(options.shared / "annotations")
    write(
        GOLDEN / "detection_shared.json",
        {
            "versions": pinned,
            "figures": {tool: figures(tool, cases, environments) for tool in DETECTION},
        },
    )


def quantus_cases() -> dict[str, Any]:
    """Scores and masks: plain ones, tied ones, negative ones, and masks without a frame."""
    draw = reference_inputs.Draw(4)
    plain = np.round(draw(8, 20), 6)
    masks = draw(8, 20) < 0.4
    masks[:, 0] = True
    masks[:, 1] = False
    empty = masks.copy()
    empty[::2] = False
    tied = np.round(plain * 3) / 3
    tied[0] = 0.5
    return {
        "plain": {"scores": plain.tolist(), "masks": masks.tolist()},
        "tied": {"scores": tied.tolist(), "masks": masks.tolist()},
        "negative": {"scores": (plain - 0.4).round(6).tolist(), "masks": masks.tolist()},
        "empty": {"scores": plain.tolist(), "masks": empty.tolist()},
    }


def versions() -> dict[str, str]:
    """What the environments pin."""
    lines = [
        line
        for name in sorted(set(TOOLS.values()))
        for line in (HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    ]
    wanted = ("sed_eval", "dcase_util", "sed-scores-eval-np2", "psds_eval", "quantus")
    return {n: v for n, _, v in (line.partition("==") for line in lines) if n in wanted}


def write(path: Path, content: dict[str, Any]) -> None:
    """One line a figure, and one a case, so that a change can be read."""
    parts = []
    for key, value in sorted(content.items()):
        if key == "cases":
            lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(value.items())]
            text = "{\n" + ",\n".join(lines) + "\n }"
        else:
            text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
        parts.append(f" {json.dumps(key)}: {text}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
