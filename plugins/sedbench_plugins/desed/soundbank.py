"""``desed-soundbank``: the isolated sounds that DESED's soundscapes are mixed from.

The archive ``DESED_synth_soundbank.tar.gz`` of Zenodo record 6026841 holds about a thousand
foreground sounds for training and three hundred for evaluation, from Freesound, and the
backgrounds of the evaluation (12 from Freesound, 5 from YouTube):

    audio/{train,eval}/soundbank/{foreground,background}/<label>/<Freesound id>_<n>.wav
    license_training.tsv  license_eval.tsv

The tables have the columns filename, id, dataset, download, license, name and username. The
backgrounds of the training part (SINS, 2,060 files) may not be redistributed and are not
in it. Here its files become::

    {foreground,background}/<label>/{train,eval}-<name>.wav

- A label's endings ``_nOn`` and ``_nOff`` (no onset, or no offset, within the recording) are
  taken off. The variants ``foreground_on_off`` and ``foreground_short`` repeat files of
  ``foreground`` and are left out, and so is ``background_long``.
- A group is an author where the licence tables name one, else a Freesound recording. A group
  with any recording of the evaluation part is in test as a whole, so that no author is in two
  splits; of the others, about a tenth is for validation, by the hash of the group's name.
  These are not DESED's own lists.
- No hash of the archive is recorded: none was published where this could be written. From its
  own address it is compared with the md5 that Zenodo gives at that moment.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from sedbench.data.archive import ArchiveSoundbank, Published
from sedbench.data.download import Remote
from sedbench.data.paths import soundbank_folder
from sedbench.errors import DataError
from sedbench.types import SoundbankInfo

RECORD = "6026841"
NAME = "DESED_synth_soundbank.tar.gz"
LICENCES = {"license_training.tsv": "train", "license_eval.tsv": "eval"}
VALIDATION = 0.1

REMOTE = Remote(
    NAME,
    f"https://zenodo.org/records/{RECORD}/files/{NAME}",
    record=f"https://zenodo.org/api/records/{RECORD}",
)
INFO = SoundbankInfo(
    name="desed-soundbank",
    summary="DESED's isolated sounds, ten classes and more, from Freesound; has to be fetched",
    reference=f"Turpault et al., DCASE 2019; Zenodo record {RECORD}, doi:10.5281/zenodo.{RECORD}",
    licence="per file, in the manifest: CC0, CC-BY and other Creative Commons licences",
    fetch="sedbench fetch desed-soundbank",
)

_MEMBER = re.compile(
    r"(?:.*/)?audio/(train|validation|eval)/soundbank/(foreground|background)/(.+)\.wav\Z"
)
_EDGES = re.compile(r"(_n(on|off))+\Z", re.IGNORECASE)


def want(member: str) -> str | None:
    """Where a member of the archive goes, or None."""
    name = PurePosixPath(member).name
    if name in LICENCES:
        return name
    found = _MEMBER.match(member)
    if found is None or name.startswith("."):  # "._x" is what macOS adds to an archive
        return None
    part, role, rest = found.groups()
    label, _, tail = rest.rpartition("/")
    label, *deeper = label.split("/") if label else ["unlabelled"]
    split = "eval" if part == "eval" else "train"
    stem = "-".join((split, *deeper, tail))
    return f"{role}/{_EDGES.sub('', label) if role == 'foreground' else label}/{stem}.wav"


def arrange(folder: Path) -> Sequence[Mapping[str, object]]:
    """The manifest's rows, licences and authors from the archive's own tables."""
    import soundfile

    told = {(split, n): row for f, split in LICENCES.items() for n, row in _table(folder / f)}
    rows = []
    for path in sorted(folder.glob("*ground/*/*.wav")):
        split, _, name = path.name.partition("-")
        row = told.get((split, name.rpartition("-")[2]), {})
        author = row.get("username", "")
        number = row.get("id") or name.rpartition("-")[2].rpartition("_")[0] or path.stem
        try:
            duration = soundfile.info(str(path)).duration
        except soundfile.LibsndfileError as error:
            raise DataError(f"{path} cannot be read as audio: {error}") from error
        rows.append(
            {
                "file": path.relative_to(folder).as_posix(),
                "role": path.parts[-3],
                "class": path.parts[-2],
                "split": split,
                "group": f"a:{author.lower()}" if author else f"r:{number}",
                "duration": f"{duration:.4f}",
                "licence": row.get("license", ""),
                "author": author,
                "source": f"freesound:{number}" if row.get("dataset") == "freesound" else "",
            }
        )
    tested = {row["group"] for row in rows if row["split"] == "eval"}
    for row in rows:
        row["split"] = "test" if row["group"] in tested else _train_or_validation(row["group"])
    return rows


def _train_or_validation(group: str) -> str:
    number = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    return "validation" if number < VALIDATION else "train"


def _table(path: Path) -> list[tuple[str, dict[str, str]]]:
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    rows = [{k: (v or "").strip() for k, v in line.items() if k} for line in lines]
    # The table's paths are those of its author's machine: only the last part tells.
    return [(PurePosixPath(r["filename"]).name, r) for r in rows if r.get("filename")]


def build() -> ArchiveSoundbank:
    """The soundbank in the data folder; nothing is read before it is asked for."""
    return ArchiveSoundbank(
        INFO.name, soundbank_folder(INFO.name), Published(REMOTE, want, arrange), INFO.fetch
    )
