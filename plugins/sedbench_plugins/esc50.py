"""``esc50``: 2,000 environmental sounds of 5 s in 50 classes, as a soundbank of foregrounds.

The archive ``ESC-50-master.zip`` that GitHub makes of the data set's repository (646 MB):

    ESC-50-master/audio/<fold>-<Freesound id>-<take>-<target>.wav
    ESC-50-master/meta/esc50.csv   (filename, fold, target, category, esc10, src_file, take)
    ESC-50-master/LICENSE          (author and licence of every clip)

Here they become ``foreground/<category>/<name>.wav``. A group is an author, so the splits (by
the hash of the group's name, see :mod:`sedbench.data.folder`) are not ESC-50's folds, which
keep a Freesound recording together but not an author. Nearly half of ``domestic-real`` comes
from ESC-50 too: do not train on one and test on the other.

GitHub makes such archives when they are asked for, from the branch's newest state. The
recorded sha256 is the one that two projects recorded independently in 2026 (645,695,005
bytes); one that differs is refused, even if its sounds should be the same.

References
----------
.. [1] Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015,
   doi:10.1145/2733373.2806390.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from sedbench.data.archive import ArchiveSoundbank, Published
from sedbench.data.download import Remote
from sedbench.data.folder import split_of
from sedbench.data.paths import soundbank_folder
from sedbench.errors import DataError
from sedbench.types import SoundbankInfo

META, LICENCE = "meta/esc50.csv", "LICENSE"

REMOTE = Remote(
    "ESC-50-master.zip",
    "https://github.com/karolpiczak/ESC-50/archive/master.zip",
    sha256="805afc618aff80eff0641d51311647871fead5807da68bb18e43a27db47a79ce",
    size=645_695_005,
)
INFO = SoundbankInfo(
    name="esc50",
    summary="2,000 sounds of 5 s in 50 classes (ESC-50); has to be fetched (646 MB)",
    reference="Piczak, ACM Multimedia 2015, doi:10.1145/2733373.2806390",
    licence="CC BY-NC 3.0 as a whole; per file in the manifest",
    fetch="sedbench fetch esc50",
)

_CREDIT = re.compile(
    r"- \[(?P<clip>[^\]]+)\.ogg\]:.*\((?P<url>https?://\S+)\) by (?P<author>.+) "
    r"\[(?P<licence>[^\]]+)\]"
)


def want(member: str) -> str | None:
    """Where a member of the archive goes, or None."""
    path = PurePosixPath(member)
    inside = PurePosixPath(*path.parts[1:]).as_posix() if len(path.parts) > 1 else member
    if inside in (META, LICENCE) or re.fullmatch(r"audio/[^./][^/]*\.wav", inside):
        return inside
    return None


def arrange(folder: Path) -> Sequence[Mapping[str, object]]:
    """Sort the files by category, and return the manifest's rows."""
    import soundfile

    try:
        table = list(csv.DictReader(io.StringIO((folder / META).read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"ESC-50's table {META} cannot be read: {error}") from error
    credits = _credits(folder / LICENCE)
    rows = []
    for line in table:
        name, label = line.get("filename") or "", line.get("category") or ""
        if not re.fullmatch(r"[\w.-]+\.wav", name) or not re.fullmatch(r"\w+", label):
            raise DataError(f"ESC-50's table has the row {name!r}, {label!r}")
        target = folder / "foreground" / label / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (folder / "audio" / name).is_file():
            raise DataError(f"ESC-50's table names {name!r}, which is not in the archive")
        (folder / "audio" / name).replace(target)
        credit = credits.get(name.rpartition("-")[0], {})
        author = credit.get("author", "")
        group = f"a:{author.lower()}" if author else f"r:{line.get('src_file')}"
        rows.append(
            {
                "file": f"foreground/{label}/{name}",
                "role": "foreground",
                "class": label,
                "split": split_of(group),
                "group": group,
                "duration": f"{soundfile.info(str(target)).duration:.4f}",
                "licence": credit.get("licence", "CC BY-NC 3.0"),
                "author": author,
                "source": credit.get("url", ""),
            }
        )
    return rows


def _credits(path: Path) -> dict[str, dict[str, str]]:
    """Author, licence and page of every clip, by its name without target and extension."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    return {found["clip"]: found.groupdict() for found in _CREDIT.finditer(text)}


def build() -> ArchiveSoundbank:
    """The soundbank in the data folder; nothing is read before it is asked for."""
    return ArchiveSoundbank(
        INFO.name, soundbank_folder(INFO.name), Published(REMOTE, want, arrange), INFO.fetch
    )
