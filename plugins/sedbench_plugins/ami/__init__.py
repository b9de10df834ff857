"""``ami``: twelve excerpts of 30 s from real meetings, with the speakers' turns by hand.

From the AMI Meeting Corpus, in the cut that pyannote-audio tests itself with; 16 kHz mono
FLAC. Speech activity is the union of the turns, class ``Speech``. The package ships
the manifest, never the audio nor the turns; ``sedbench fetch ami --from DIR`` brings both from
a folder that has them and verifies every hash.

Which meetings the excerpts come from is not recorded. Excerpts that share a speaker, directly
or through another excerpt, are one group, so that a group is a set of people:

    a   trn00 trn01 trn02 trn03        d   trn06 trn09
    b   trn04                          e   trn07 trn08
    c   trn05                          f   dev00 dev01

Three folds of four excerpts each keep groups whole: a; b, c and f; d and e. How much is
spoken differs widely, from 0.7 s in trn02 to all 30 s in trn03 and trn09. The speaker names
in the turn files are not all ASCII (``MÉO069``); nothing depends on them but the groups.

Some recordings of ``domestic-real`` with the class ``Speech`` are cut from these meetings: a
model that was trained on those must not be scored here.

References
----------
.. [1] Carletta et al., "The AMI meeting corpus: a pre-announcement", MLMI 2005.
.. [2] Bredin et al., "pyannote.audio: neural building blocks for speaker diarization",
   ICASSP 2020.
"""

from __future__ import annotations

from pathlib import Path

from sedbench.data.paths import soundbank_folder
from sedbench.data.recordings import AnnotatedBank
from sedbench.types import SoundbankInfo

MANIFEST = Path(__file__).with_name("manifest.csv")
LABEL = "Speech"

INFO = SoundbankInfo(
    name="ami",
    summary="12 excerpts of real meetings, 30 s each, with speech marked by hand; to be fetched",
    reference="AMI Meeting Corpus, https://groups.inf.ed.ac.uk/ami/corpus/",
    licence="CC-BY 4.0",
    fetch="sedbench fetch ami --from DIR",
)


def build() -> AnnotatedBank:
    """The bank in the data folder; nothing is read before it is asked for."""
    return AnnotatedBank(
        INFO.name,
        soundbank_folder(INFO.name),
        MANIFEST,
        labels=(LABEL,),
        speaker_label=LABEL,
        fetch=INFO.fetch,
    )
