"""``domestic-real``: 1,102 real recordings of a household, as a soundbank.

Isolated sounds from freely licensed collections (each file's licence, author and source
stand in ``manifest.csv``), 16 kHz mono FLAC with silence trimmed. The package ships the
manifest, never the audio. ``sedbench fetch domestic-real --from DIR`` brings the files from a
mirror; without ``--from`` each file is made again from its public original, see
:mod:`sedbench_plugins.domestic_real.rebuild`. Either way every file's sha256 decides.

A group is an author, a house or a meeting, and never in two folds (nor in two splits, which
the tasks in folds do not use). The contributors J, J2 and J3 of the kitchen20 recordings may
be one person: they are one group here. Rain and fireplace resemble running water and frying:
confusions that a real kitchen has too.
"""

from __future__ import annotations

from pathlib import Path

from sedbench.data.download import Progress
from sedbench.data.fetch import FetchReport
from sedbench.data.folder import FolderSoundbank
from sedbench.data.paths import soundbank_folder
from sedbench.types import SoundbankInfo

MANIFEST = Path(__file__).with_name("manifest.csv")
HEARD = Path(__file__).parents[1] / "yamnet" / "heard" / "domestic-real.json"

INFO = SoundbankInfo(
    name="domestic-real",
    summary="1,102 real household recordings, 16 kHz mono; the audio has to be fetched",
    reference="recordings from freesound.org and open repositories; see manifest.csv",
    licence="per file: CC0, CC-BY, Apache-2.0, public domain",
    fetch="sedbench fetch domestic-real",
    heard=HEARD,
)


class DomesticReal(FolderSoundbank):
    """The soundbank; what is particular is where its files come from."""

    def bring(
        self,
        source: str | Path | None = None,
        check: bool = False,
        progress: Progress | None = None,
    ) -> FetchReport:
        """Fetch it from a mirror or, without one, from its public originals; or verify it.

        See :func:`sedbench.data.fetch.fetch_folder` and
        :func:`sedbench_plugins.domestic_real.rebuild.bring`.
        """
        from sedbench.data.fetch import fetch_folder
        from sedbench_plugins.domestic_real import rebuild

        if check or source is not None:
            return fetch_folder(MANIFEST, source, self.root, check, progress)
        return rebuild.bring(MANIFEST, self.root, progress)


def build() -> DomesticReal:
    """The soundbank in the data folder; nothing is read before it is asked for."""
    return DomesticReal(INFO.name, soundbank_folder(INFO.name), MANIFEST, fetch=INFO.fetch)
