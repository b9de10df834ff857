"""Annotations that others made and test with: known totals, files that are refused."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from sedbench.data.annotations import AnnotationSet, read, read_uem
from sedbench.errors import DataError

SHARED = Path(os.environ.get("SEDBENCH_SHARED", "../shared")) / "annotations"
pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"no annotations in {SHARED}: set SEDBENCH_SHARED"
)


def seconds(found: AnnotationSet) -> float:
    return sum(e.offset - e.onset for a in found for e in a.events)


def test_the_desed_public_evaluation_set() -> None:
    path = SHARED / "desed" / "public_eval.tsv"
    found = read(path)
    assert len(found) == 692 and all(a.events for a in found) and found.merged == 0
    assert Counter(e.label for a in found for e in a.events) == {
        "Speech": 913,
        "Dishes": 488,
        "Dog": 441,
        "Cat": 240,
        "Alarm_bell_ringing": 196,
        "Running_water": 109,
        "Electric_shaver_toothbrush": 108,
        "Vacuum_cleaner": 96,
        "Frying": 90,
        "Blender": 84,
    }
    assert seconds(found) == pytest.approx(5901.231, abs=5e-4)


def test_one_of_its_clips_lasts_longer_than_the_others() -> None:
    path = SHARED / "desed" / "public_eval.tsv"
    ten = {a.file: 10.0 for a in read(path)}
    with pytest.raises(DataError, match=r"public_eval\.tsv, line 1285: .*'sdHVFACi42A_16_27\.wav'"):
        read(path, durations=ten)
    trimmed = read(path, durations=ten, clip="trim")
    assert (trimmed.trimmed, trimmed.dropped) == (1, 0)
    assert seconds(trimmed) == pytest.approx(5900.231, abs=5e-4)


def test_meetings() -> None:
    trained, developed = (read(SHARED / "ami" / f"{n}.rttm") for n in ("train", "development"))
    spoken = {
        a.file: round(sum(e.offset - e.onset for e in a.events), 3) for a in (*trained, *developed)
    }
    assert spoken == {
        "trn00": 19.105,
        "trn01": 3.338,
        "trn02": 0.688,
        "trn03": 30.0,
        "trn04": 13.088,
        "trn05": 24.438,
        "trn06": 27.059,
        "trn07": 11.436,
        "trn08": 18.356,
        "trn09": 30.0,
        "dev00": 27.082,
        "dev01": 15.507,
    }
    assert (trained.merged, developed.merged) == (42, 9)
    named = read(SHARED / "ami" / "train.rttm", speaker_label=None)
    assert len({e.label for a in named for e in a.events}) == 21
    regions = read_uem(SHARED / "ami" / "train.uem")
    assert len(regions) == 10 and set(regions.values()) == {((0.0, 30.0),)}


def test_what_sed_eval_tests_itself_with() -> None:
    folder = SHARED / "sed_eval" / "sound_event"
    (office,) = read(folder / "office_snr0_high_v2.txt")
    assert office.file == "office_snr0_high_v2" and len(office.events) == 67
    silent = read(folder / "binary5.txt")
    assert [len(a.events) == 0 for a in silent].count(True) == 2 and len(silent) == 6
    assert len(read(folder / "audioset1.txt")) == 17
    # Overlapping events of one class, in a reference that was written by hand.
    (mini,) = read(folder / "mini_reference.txt")
    assert [(e.onset, e.offset) for e in mini.events] == [(1.0, 3.0)]
    for name in ("street_fold1_reference.txt", "file_list.txt"):
        with pytest.raises(DataError, match=rf"{name}, line 1: expected onset, offset and label"):
            read(folder / name)


def test_what_psds_eval_tests_itself_with() -> None:
    folder = SHARED / "psds_eval"
    assert len(read(folder / "empty.gt")) == len(read(folder / "empty.det")) == 0
    truth = read(folder / "dcase2019" / "dcase2019t4_gt.csv")
    assert len(truth) == 1168 and truth.merged == 12
    assert sum(len(a.events) for a in truth) == 4224
    assert sum(not a.events for a in truth) == 15
    detected = read(folder / "dcase2019" / "baseline_0.1.csv")  # its columns in another order
    assert sum(len(a.events) for a in detected) == 3829
