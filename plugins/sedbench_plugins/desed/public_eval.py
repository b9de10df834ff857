"""``desed-public-eval``: real recordings of households with events marked by hand.

The archive ``DESED_public_eval.tar.gz`` of Zenodo record 4560759 (890 MB) holds the 692 clips of
10 s from YouTube that DCASE 2019 task 4 was evaluated on, and their strong labels:

    audio/eval/public/<video>_<start>_<end>.wav   metadata/eval/public.tsv
    license_public_eval.tsv                       (filename, uploader, uploader_id, license)

Here they become::

    recordings/<name>.wav   annotations/public.tsv   licences.tsv

A group is an uploader where the licence table names one, else a video. About .30 of the
groups, by the sha256 of their names, are for validation (thresholds are chosen there), the
others for testing; there is nothing to learn from.

No hash of the archive is recorded: none was published where this could be written. From its
own address it is compared with the md5 that Zenodo gives at that moment.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from sedbench.data.archive import MANIFEST, Published, bring
from sedbench.data.download import Progress, Remote
from sedbench.data.fetch import FetchReport
from sedbench.data.paths import soundbank_folder
from sedbench.data.recordings import AnnotatedBank
from sedbench.errors import DataError, MissingDataError
from sedbench.types import SoundbankInfo, Split

RECORD = "4560759"
NAME = "DESED_public_eval.tar.gz"
ANNOTATIONS = "annotations/public.tsv"
LICENCES = "licences.tsv"
VALIDATION = 0.3  # of the groups
CLASSES = (
    *("Alarm_bell_ringing", "Blender", "Cat", "Dishes", "Dog", "Electric_shaver_toothbrush"),
    *("Frying", "Running_water", "Speech", "Vacuum_cleaner"),
)

REMOTE = Remote(
    NAME,
    f"https://zenodo.org/records/{RECORD}/files/{NAME}",
    record=f"https://zenodo.org/api/records/{RECORD}",
)
INFO = SoundbankInfo(
    name="desed-public-eval",
    summary="692 real clips of households with events marked by hand; has to be fetched (890 MB)",
    reference=f"Turpault et al., DCASE 2019; Zenodo record {RECORD}, doi:10.5281/zenodo.{RECORD}",
    licence="annotations CC-BY 4.0; audio per file as its uploader gave it (licences.tsv)",
    fetch="sedbench fetch desed-public-eval",
)

_VIDEO = re.compile(r"(.+?)_\d+(\.\d+)?_\d+(\.\d+)?\Z")


def want(member: str) -> str | None:
    """Where a member of the archive goes, or None."""
    path = PurePosixPath(member)
    if path.name == "license_public_eval.tsv":
        return LICENCES
    if path.parts[-3:] == ("metadata", "eval", "public.tsv"):
        return ANNOTATIONS
    if path.parts[-4:-1] == ("audio", "eval", "public") and path.suffix == ".wav":
        return None if path.name.startswith(".") else f"recordings/{path.name}"
    return None


def arrange(folder: Path) -> Sequence[Mapping[str, object]]:
    """The manifest's rows: the recordings, and the file that annotates them."""
    import soundfile

    if not (folder / ANNOTATIONS).is_file():
        raise DataError(f"{NAME} has no metadata/eval/public.tsv", "it is another archive")
    told = _licences(folder / LICENCES)
    rows: list[Mapping[str, object]] = []
    for path in sorted((folder / "recordings").glob("*.wav")):
        row = told.get(path.name, {})
        video = found[1] if (found := _VIDEO.match(path.stem)) else path.stem
        uploader = row.get("uploader_id") or row.get("uploader", "")
        group = f"u:{uploader}" if uploader else f"v:{video}"
        try:
            duration = soundfile.info(str(path)).duration
        except soundfile.LibsndfileError as error:
            raise DataError(f"{path} cannot be read as audio: {error}") from error
        rows.append(
            {
                "kind": "recording",
                "file": f"recordings/{path.name}",
                "duration": f"{duration:.4f}",
                "group": group,
                "split": split_of(group),
                "licence": row.get("license", ""),
                "author": row.get("uploader", ""),
                "source": f"youtube:{video}",
            }
        )
    if rows:
        rows.append({"kind": "annotations", "file": ANNOTATIONS, "licence": "CC-BY 4.0"})
    return rows


def split_of(group: str) -> Split:
    """Where a group belongs, by its name alone."""
    number = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    return "validation" if number < VALIDATION else "test"


def _licences(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    rows = [{k: (v or "").strip() for k, v in line.items() if k} for line in lines]
    return {PurePosixPath(row.get("filename", "")).name: row for row in rows}


class PublicEval(AnnotatedBank):
    """The bank; its manifest is made when it is fetched."""

    @cached_property
    def items(self) -> tuple[Any, ...]:
        """Every row of the manifest, sorted by file.

        Raises
        ------
        MissingDataError
            It has not been fetched.
        """
        if not self.manifest.is_file():
            raise MissingDataError(f"soundbank {self.name!r}: {self.root} is missing", self.fetch)
        return super().items

    def bring(
        self,
        source: str | Path | None = None,
        check: bool = False,
        progress: Progress | None = None,
    ) -> FetchReport:
        """Fetch or verify it: see :func:`sedbench.data.archive.bring`."""
        return bring(Published(REMOTE, want, arrange), self.root, source, check, progress)


def build() -> PublicEval:
    """The bank in the data folder; nothing is read before it is asked for."""
    root = soundbank_folder(INFO.name)
    # A few labels end after their clip, which YouTube gives a little short of 10 s.
    return PublicEval(
        INFO.name, root, root / MANIFEST, labels=CLASSES, clip="trim", fetch=INFO.fetch
    )
