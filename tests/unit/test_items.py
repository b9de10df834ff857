from __future__ import annotations

import io
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sedbench import items
from sedbench.errors import DataError
from sedbench.protocol import Scored
from sedbench.protocol.frames import quantise
from sedbench.types import FrameGrid, PairTable

names = st.lists(st.text(max_size=8), max_size=3).map(tuple)


@st.composite
def scored(draw: st.DrawFn) -> Scored:
    clips, classes = draw(st.integers(0, 4)), draw(st.integers(1, 10))
    pairs = draw(st.integers(0, 5)) if clips else 0
    grid = FrameGrid(draw(st.sampled_from([0.1, 0.7, 0.8, 1.0, 1.75])), 0.1)
    per_frame = (pairs, grid.n_frames)
    masks = hnp.arrays(bool, per_frame)
    finite = {"allow_nan": False, "allow_infinity": False}
    decisions = st.one_of(
        hnp.arrays(np.float32, (clips, classes), elements=st.floats(0, 1, width=32)),
        hnp.arrays(np.float64, (clips, classes), elements=st.floats(0, 1)),
        hnp.arrays(bool, (clips, classes)),
    )
    truths = st.dictionaries(st.sampled_from(["extent", "activity", "a.b/c"]), masks)
    table = PairTable(
        clip_ids=tuple(draw(st.lists(st.text(max_size=9), min_size=clips, max_size=clips))),
        classes=tuple(draw(st.lists(st.text(max_size=9), min_size=classes, max_size=classes))),
        clip=draw(hnp.arrays(np.int64, pairs, elements=st.integers(0, max(clips - 1, 0)))),
        label=draw(hnp.arrays(np.int64, pairs, elements=st.integers(0, classes - 1))),
        groups=tuple(draw(st.lists(names, min_size=pairs, max_size=pairs))),
        truths=draw(truths),
        others=draw(truths),
        grid=grid,
    )
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    numbers = st.floats(width=32 if dtype is np.float32 else 64, **finite)
    return Scored(
        table=table,
        scores=draw(hnp.arrays(dtype, per_frame, elements=numbers)),
        scored=draw(hnp.arrays(bool, pairs)),
        detected=draw(decisions),
        mask=draw(st.one_of(st.none(), masks)),
        own=draw(st.one_of(st.none(), decisions)),
    )


def same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        alike = one.dtype == other.dtype and one.shape == other.shape
        return alike and one.tobytes() == other.tobytes()  # bits: -0.0 is not 0.0
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, PairTable | Scored):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return one == other


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=30, deadline=None)
@given(scored(), scored())
def test_what_is_unpacked_is_what_was_packed(validation, test):
    content = items.pack(validation, test)
    back = items.unpack(content)
    assert same(back[0], validation)
    assert same(back[1], test)
    assert items.pack(*back) == content


def realistic(pairs: int, clips: int, seed: int) -> Scored:
    rng = np.random.default_rng(seed)
    frame = np.arange(100)
    onset = rng.integers(0, 80, (pairs, 1))
    truth = (frame >= onset) & (frame < onset + rng.integers(3, 50, (pairs, 1)))
    level = np.exp(rng.normal(0, 1, (pairs, 1))) * 1e-4
    table = PairTable(
        clip_ids=tuple(f"test-{i:04d}" for i in range(clips)),
        classes=tuple(f"Sound_number_{i}" for i in range(10)),
        clip=np.sort(rng.integers(0, clips, pairs)),
        label=rng.integers(0, 10, pairs),
        groups=tuple((f"author-{rng.integers(200)}",) for _ in range(pairs)),
        truths={"extent": truth, "activity": truth},
        others={"extent": ~truth, "activity": ~truth},
        grid=FrameGrid(10.0),
    )
    return Scored(
        table=table,
        scores=quantise(rng.gamma(1, 1, (pairs, 100)) * (1 + 5 * truth) * level),
        scored=np.ones(pairs, bool),
        detected=rng.random((clips, 10)).astype(np.float32),
    )


def test_the_size_stays_near_what_the_scores_themselves_say():
    content = items.pack(realistic(220, 100, 0), realistic(270, 120, 1))
    # Eleven significant bits of noise, sign and exponent: about 1.9 bytes a score cannot be saved.
    assert len(content) < 2.5 * 490 * 100


def test_smooth_and_constant_scores_take_much_less():
    noisy = realistic(220, 100, 0)
    flat = Scored(noisy.table, np.ones_like(noisy.scores), noisy.scored, noisy.detected)
    assert len(items.pack(flat, flat)) < 0.3 * len(items.pack(noisy, noisy))


def test_anyone_can_open_it_with_numpy():
    one = realistic(5, 3, 0)
    with np.load(io.BytesIO(items.pack(one, one)), allow_pickle=False) as archive:
        planes = archive["test/scores.planes"]
        assert archive["test/clip_ids.json"].tobytes() == b'["test-0000","test-0001","test-0002"]'
    words = np.zeros(planes.shape[1:], np.uint32)
    for plane in planes:
        words = words << np.uint32(8) | plane
    assert np.array_equal(words.view(np.float32), one.scores)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: b"PK\x03\x04 no archive",
        lambda content: content[: len(content) // 2],
        lambda content: content[:3000] + bytes(200) + content[3200:],
        lambda content: pickled(),
        lambda content: archive(**{"format.index": np.array([1])}),
    ],
)
def test_a_damaged_file_is_one_clear_error(spoil):
    one = realistic(40, 20, 0)
    with pytest.raises(DataError, match=r"x\.npz cannot be read as items") as caught:
        items.unpack(spoil(items.pack(one, one)), "x.npz")
    assert caught.value.hint


def test_a_newer_format_is_named():
    with pytest.raises(DataError, match="has format 2, this sedbench reads 1"):
        items.unpack(archive(**{"format.index": np.array([2])}))


def archive(**members: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **members)
    return out.getvalue()


def pickled() -> bytes:
    return archive(**{"format.index": np.array([{"x": 1}], object)})
