"""Check that the wheel holds everything that a run needs, and nothing else.

    python .ci/wheel.py DIST.whl

It compares the wheel with the checkout, in files that git tracks or would: every module and data
file of the three packages, and the board's results under ``sedbench/board``.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {  # in the wheel -> in the checkout
    "sedbench": "sedbench",
    "sedbench_plugins": "plugins/sedbench_plugins",
    "sedbench_tasks": "tasks/sedbench_tasks",
    "sedbench/board": "leaderboard/results",
}
LARGEST = 64 * 2**20  # bytes; three quarters are the frame scores that the board ships


def expected() -> dict[str, Path]:
    """Every file that belongs in the wheel, by its name there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return {
        f"{inside}/{name.removeprefix(f'{outside}/')}": ROOT / name
        for inside, outside in PACKAGES.items()
        for name in listed
        if name.startswith(f"{outside}/") and (ROOT / name).is_file()
    }


def problems(wheel: Path) -> list[str]:
    """Say in sentences what is wrong with the wheel."""
    found: list[str] = []
    wanted = expected()
    with zipfile.ZipFile(wheel) as archive:
        held = {n for n in archive.namelist() if ".dist-info/" not in n}
        found += [f"{name} is missing" for name in sorted(wanted.keys() - held)]
        found += [f"{name} does not belong there" for name in sorted(held - wanted.keys())]
        found += [
            f"{name} differs from the checkout"
            for name in sorted(held & wanted.keys())
            if archive.read(name) != wanted[name].read_bytes()
        ]
        for tensors in sorted(n for n in held if n.endswith(".safetensors")):
            card = tensors.removesuffix(".safetensors") + ".json"
            recorded = json.loads(archive.read(card))["sha256"] if card in held else None
            if hashlib.sha256(archive.read(tensors)).hexdigest() != recorded:
                found.append(f"{tensors} is not the file that a card records")
        points = ConfigParser(delimiters=("=",))
        points.read_string(archive.read(_one(archive, "entry_points.txt")).decode())
        with (ROOT / "pyproject.toml").open("rb") as file:
            declared = tomllib.load(file)["project"]["entry-points"]["sedbench"]
        if dict(points["sedbench"]) != declared:
            found.append("its entry points are not those of pyproject.toml")
        _one(archive, "licenses/LICENSE")
    if wheel.stat().st_size > LARGEST:
        found.append(f"it has {wheel.stat().st_size / 2**20:.0f} MiB")
    return found


def _one(archive: zipfile.ZipFile, ending: str) -> str:
    (name,) = [n for n in archive.namelist() if n.endswith(f".dist-info/{ending}")]
    return name


def main(wheel: Path) -> int:
    """Print what is wrong; 1 where something is."""
    found = problems(wheel)
    for problem in found:
        print(f"{wheel.name}: {problem}", file=sys.stderr)
    if not found:
        print(f"{wheel.name}: {len(expected())} files, {wheel.stat().st_size / 2**20:.1f} MiB")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
