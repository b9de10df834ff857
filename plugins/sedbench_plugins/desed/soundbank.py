"""``desed-soundbank``: the isolated sounds that DESED's soundscapes are mixed from.

The archive ``DESED_synth_soundbank.tar.gz`` of Zenodo record 6026841 holds about a thousand
foreground sounds for training and three hundred for evaluation, from Freesound, and the
backgrounds of the evaluation (12 from Freesound, 5 from YouTube):

    audio/{train,eval}/soundbank/{foreground,background}/<label>/<Freesound id>_<n>.wav
    license_training.tsv  license_eval.tsv

The tables have the columns filename, id, dataset, download, license, name and username. The
backgrounds of the training part (SINS, 2,060 files) may not be redistributed and are not
in it. Here its files become::

    foreground/<label>/{train,eval}-<name>.wav      background/home/{train,eval}-<folder>-<name>.wav

- A label's endings ``_nOn`` and ``_nOff`` (no onset, or no offset, within the recording) are
  taken off. The variants ``foreground_on_off`` and ``foreground_short`` repeat files of
  ``foreground`` and are left out, and so is ``background_long``.
- A group is an author where the licence tables name one, else a Freesound recording. A group
  with any foreground recording of the evaluation part is in test as a whole, so that no author
  is in two splits; of the others, about a tenth of each label is for validation, at least one
  (:mod:`sedbench.data.dealing`). These are not DESED's own lists.
- Backgrounds are there for the evaluation alone, and a mixture needs one in every split. They
  are one label, ``home``, and are dealt out by group: where a group has foreground recordings,
  with these; of the others about .15 to test, .15 to validation and .70 to train.
- No hash of the archive is recorded: none was published where this could be written. From its
  own address it is compared with the md5 that Zenodo gives at that moment.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from sedbench.data.archive import ArchiveSoundbank, Published
from sedbench.data.dealing import deal
from sedbench.data.download import Remote
from sedbench.data.paths import soundbank_folder
from sedbench.errors import DataError
from sedbench.types import SoundbankInfo, Split

RECORD = "6026841"
NAME = "DESED_synth_soundbank.tar.gz"
LICENCES = {"license_training.tsv": "train", "license_eval.tsv": "eval"}
VALIDATION: Mapping[Split, float] = {"validation": 0.1}
BACKGROUND = "home"

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
    if role == "background":
        return f"background/{BACKGROUND}/{'-'.join((split, label, *deeper, tail))}.wav"
    return f"foreground/{_EDGES.sub('', label)}/{'-'.join((split, *deeper, tail))}.wav"


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
    splits = _splits(rows)
    for row in rows:
        row["split"] = splits[str(row["group"])]
    return rows


def _splits(rows: Sequence[Mapping[str, object]]) -> Mapping[str, Split]:
    """The split of every group: of those with foreground recordings first."""
    tested: dict[str, Split] = {}
    members: dict[str, dict[str, list[str]]] = {"foreground": {}, "background": {}}
    for row in rows:
        role, group = str(row["role"]), str(row["group"])
        members[role].setdefault(str(row["class"]), []).append(group)
        if role == "foreground" and row["split"] == "eval":
            tested[group] = "test"
    settled = deal(members["foreground"], VALIDATION, tested)
    return deal(members["background"], settled=settled)


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
