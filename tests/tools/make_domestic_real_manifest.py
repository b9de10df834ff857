"""Make the shipped manifest of ``domestic-real`` from the soundbank's own manifest.

    python tests/tools/make_domestic_real_manifest.py SOUNDBANK_FOLDER

Reads ``SOUNDBANK_FOLDER/manifest.csv``, hashes every file, and writes the manifest that
ships in the plugin. Three things differ from the source: ``validate`` is called
``validation``; the columns are those of :mod:`sedbench.data.folder`; and two contributors
change places, see :data:`MOVED`.

``sources.csv`` beside it says how each file is made from its original: see
:mod:`sedbench_plugins.domestic_real.rebuild`. The source's manifest gives the cut to 10 ms;
the sample is found from how such a cut is computed, see :func:`first_sample`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from pathlib import Path

import soundfile

SOURCES = "sources.csv"
RATE = 16000
PAD = 0.02  # s that the cutter left before and after what it found
# Turns of meetings that begin one sample before their title's time, which was added up in
# floating point: found by laying their files over the meetings.
EARLIER = ("trn03 14.08-18.08", "trn05 13.58-17.58")

OUT = Path(__file__).parents[2] / "plugins/sedbench_plugins/domestic_real/manifest.csv"
COLUMNS = [
    "file",
    "role",
    "class",
    "split",
    "group",
    "sha256",
    "duration",
    "licence",
    "author",
    "title",
    "source",
]

# kitchen20's contributors J, J2 and J3 may be one person, whom the source has in train and
# in test. They become one group, in train. That would leave two contributors of Dishes in
# test, one fewer than a ranking asks for, so contributor D (17 dishes, 6 cupboards, of train)
# goes to test in return. Chosen by group sizes alone, before anything was trained.
MERGED = {"k:J2": "k:J", "k:J3": "k:J"}
MOVED = {"k:J": "train", "k:D": "test"}


def first_sample(cut: float, title: str, origin: str) -> int:
    """Where a cut begins, in samples at 16 kHz.

    The cutter looked for sound on a grid of 10 ms, took 20 ms off the first frame's time, in
    floating point, and cut the product with the rate to an integer: at some cuts that is one
    sample less than 160 a frame. (Lengths tell: every file that is one sample too long
    for the grid has such a cut.) Meetings were first cut into turns, named in the title.
    """
    meeting = origin.startswith("pyannote/")
    turn = float(title.partition(" ")[2].partition("-")[0]) if meeting else 0.0
    inside = round(cut - turn, 2)
    begins = int(turn * RATE) - (title in EARLIER)
    return begins + int((round(inside + PAD, 2) - PAD) * RATE)


def main(folder: Path) -> None:
    """Write the manifest of the soundbank in ``folder``."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["file"])
    for row in rows:
        group = MERGED.get(row["group"], row["group"])
        split = "validation" if row["split"] == "validate" else row["split"]
        writer.writerow(
            {
                "file": row["file"],
                "role": row["role"],
                "class": row["class"],
                "split": MOVED.get(group, split),
                "group": group,
                "sha256": hashlib.sha256((folder / row["file"]).read_bytes()).hexdigest(),
                "duration": row["duration"],
                "licence": row["licence"],
                "author": row["author"],
                "title": row["title"],
                "source": row["url"],
            }
        )
    OUT.write_text(out.getvalue(), encoding="utf-8", newline="\n")
    print(f"{OUT}: {len(rows)} recordings")
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["file", "origin", "path", "start", "frames", "gain"])
    for row in rows:
        origin = row["source_repo"]
        start = first_sample(float(row["cut_start"]), row["title"], origin)
        frames = soundfile.info(str(folder / row["file"])).frames
        lines.writerow([row["file"], origin, row["source_path"], start, frames, float(row["gain"])])
    OUT.with_name(SOURCES).write_text(out.getvalue(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
