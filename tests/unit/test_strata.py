"""Sorting pairs by class, polyphony, duration, SNR and condition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sedbench.cli import options
from sedbench.errors import NothingSelectedError, UnknownNameError
from sedbench.protocol.strata import BY, strata
from sedbench.types import FrameGrid, PairTable

CLASSES = ("bell", "cat", "dog")


def table(truth: np.ndarray, clip: list[int], label: list[int], ids: tuple[str, ...]) -> PairTable:
    return PairTable(
        clip_ids=ids,
        classes=CLASSES,
        clip=np.array(clip),
        label=np.array(label),
        groups=((),) * len(clip),
        truths={"extent": truth},
        others={"extent": np.zeros_like(truth)},
        grid=FrameGrid(truth.shape[1] / 10),
    )


def spans(*ends: tuple[int, int]) -> np.ndarray:
    time = np.arange(100)
    return np.stack([(time >= a) & (time < b) for a, b in ends])


# Clip 0: three classes, the bell and the cat overlap, the dog sounds later. Clip 1: a cat alone.
THREE = table(
    spans((0, 20), (10, 40), (60, 69), (5, 15)),
    [0, 0, 0, 1],
    [0, 1, 2, 1],
    ("test-0000", "test-0001"),
)


def sorted_by(by: str, of: PairTable = THREE, levels: dict | None = None) -> dict[str, list[int]]:
    found = strata(of, by, "extent", levels)
    return {each.name: np.flatnonzero(each.pairs).tolist() for each in found}


def test_by_class_in_the_order_of_the_task() -> None:
    assert sorted_by("class") == {"bell": [0], "cat": [1, 3], "dog": [2]}


def test_polyphony_counts_classes_in_frames_of_the_pairs_own() -> None:
    assert sorted_by("polyphony") == {"alone": [2, 3], "2 at once": [0, 1]}
    crowd = table(spans((0, 50), (10, 40), (20, 30)), [0, 0, 0], [0, 1, 2], ("test-0000",))
    assert sorted_by("polyphony", crowd) == {"3 at once": [0, 1, 2]}


def test_duration_in_octaves_with_the_lower_end_inside() -> None:
    assert sorted_by("duration") == {"under 1 s": [2], "1 to 2 s": [3], "2 to 4 s": [0, 1]}
    long = table(spans((0, 40), (0, 100)), [0, 0], [0, 1], ("test-0000",))
    assert sorted_by("duration", long) == {"4 s and more": [0, 1]}


def test_snr_in_steps_with_the_lower_end_inside() -> None:
    levels = {
        ("test-0000", "bell"): 15.0,
        ("test-0000", "cat"): 19.99,
        ("test-0000", "dog"): -0.5,
        ("test-0001", "cat"): 20.0,
    }
    assert sorted_by("snr", levels=levels) == {
        "-5 to 0 LU": [2],
        "15 to 20 LU": [0, 1],
        "20 to 25 LU": [3],
    }
    del levels["test-0001", "cat"]
    with pytest.raises(NothingSelectedError, match="1 of 4 pairs have no SNR"):
        sorted_by("snr", levels=levels)
    with pytest.raises(NothingSelectedError, match="4 of 4"):
        sorted_by("snr")


def test_conditions_keep_their_order() -> None:
    named = replace(THREE, clip_ids=("test-0000@snr=20", "test-0000@snr=5"))
    assert sorted_by("condition", named) == {"snr=20": [0, 1, 2], "snr=5": [3]}
    with pytest.raises(NothingSelectedError, match="no conditions"):
        sorted_by("condition")


def test_names_that_are_wrong() -> None:
    with pytest.raises(UnknownNameError, match="polyfony"):
        strata(THREE, "polyfony", "extent")
    with pytest.raises(UnknownNameError, match="truth 'extend'"):
        strata(THREE, "class", "extend")


@given(
    hnp.arrays(bool, (8, 30)),
    st.lists(st.integers(0, 3), min_size=8, max_size=8),
    st.sampled_from([by for by in BY if by != "condition"]),
)
def test_every_pair_is_in_one_stratum(truth: np.ndarray, clip: list[int], by: str) -> None:
    clips = sorted(clip)
    ids = tuple(f"test-{i:04d}" for i in range(4))
    of = table(truth, clips, [i % 3 for i in range(8)], ids)
    levels = {(name, label): float(len(label)) for name in ids for label in CLASSES}
    found = strata(of, by, "extent", levels)
    assert (np.stack([each.pairs for each in found]).sum(0) == 1).all()
    assert len({each.name for each in found}) == len(found)


def test_what_the_commands_offer_is_what_there_is():
    assert options.BY == BY  # written twice, since --help loads no numpy
