"""Variables of a TensorFlow checkpoint, read from bytes that are made here."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedbench.errors import DataError
from sedbench_plugins.yamnet import bundle

MAGIC = 0xDB4775248B80FB57


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def block(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """A block whose keys share prefixes, with its trailer."""
    content, last = b"", b""
    for key, value in pairs:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        own = key[shared:]
        content += varint(shared) + varint(len(own)) + varint(len(value)) + own + value
        last = key
    content += struct.pack("<II", 0, 1)
    return content + b"\0" + struct.pack("<I", bundle.masked_crc(content + b"\0"))


def entry(shape: tuple[int, ...], offset: int, dtype: int = 1, shard: int = 0) -> bytes:
    dims = b"".join(b"\x12" + varint(len(d)) + d for d in (b"\x08" + varint(n) for n in shape))
    size = 4 * int(np.prod(shape, initial=1))
    out = b"\x08" + varint(dtype) + b"\x12" + varint(len(dims)) + dims
    if shard:
        out += b"\x18" + varint(shard)
    return out + b"\x20" + varint(offset) + b"\x28" + varint(size) + b"\x35" + b"\0" * 4


def table(*blocks: bytes) -> bytes:
    out, handles = b"", []
    for i, each in enumerate(blocks):
        handles.append((b"%d" % i, varint(len(out)) + varint(len(each) - 5)))
        out += each
    listed = block(handles)
    footer = varint(0) + varint(0) + varint(len(out)) + varint(len(listed) - 5)
    return out + listed + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


HEADER = (b"", b"\x08\x01\x1a\x02\x08\x01")


def whole() -> tuple[bytes, bytes, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    arrays = {
        "net/layer-0/kernel": rng.normal(size=(3, 3, 1, 200)).astype("f4"),
        "net/layer-0/mean": rng.normal(size=(5,)).astype("f4"),
        "net/layer-1/scalar": np.array(2.5, "f4"),
    }
    data, pairs = b"", [HEADER]
    for name, array in arrays.items():
        pairs.append((name.encode(), entry(array.shape, len(data))))
        data += array.tobytes()
    return table(block(pairs[:2]), block(pairs[2:])), data, arrays


def test_variables_come_back() -> None:
    index, data, arrays = whole()
    found = bundle.variables(index)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name].read(data), array)
        assert found[name].shape == array.shape


def test_the_checksum_is_crc_32c() -> None:
    # RFC 3720, B.4: 32 zero bytes, and "123456789".
    for content, crc in ((b"\0" * 32, 0x8A9136AA), (b"123456789", 0xE3069283)):
        masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        assert bundle.masked_crc(content) == masked


def strange(how: str) -> bytes:
    index, _, _ = whole()
    good = [HEADER, (b"a", entry((2,), 0))]
    return {
        "empty": b"",
        "other file": b"PK\x03\x04" * 30,
        "cut": index[:-9],
        "flipped": index[:5] + bytes([index[5] ^ 1]) + index[6:],
        "two shards": table(block([(b"", b"\x08\x02"), good[1]])),
        "big-endian": table(block([(b"", b"\x08\x01\x10\x01"), good[1]])),
        "another shard": table(block([HEADER, (b"a", entry((2,), 0, shard=1))])),
        "far block": index[:-48]
        + (varint(0) * 2 + varint(10**9) + varint(9)).ljust(40, b"\0")
        + index[-8:],
        "long value": table(block_of(varint(0) + varint(1) + varint(99) + b"a")),
        "long prefix": table(block_of(varint(7) + varint(1) + varint(0) + b"a")),
        "endless number": table(block_of(b"\xff" * 11)),
        "many restarts": table(raw(struct.pack("<I", 2**31))),
        "no restarts": table(raw(b"")),
        "compressed": table(raw(struct.pack("<II", 0, 1), kind=1)),
        "group": table(block([HEADER, (b"a", b"\x0b")])),
        "cut message": table(block([HEADER, (b"a", b"\x12\x09\x12")])),
        "no text": table(block([HEADER, (b"\xff\xfe", entry((2,), 0))])),
    }[how]


def block_of(entries: bytes) -> bytes:
    return raw(entries + struct.pack("<II", 0, 1))


def raw(content: bytes, kind: int = 0) -> bytes:
    end = bytes([kind])
    return content + end + struct.pack("<I", bundle.masked_crc(content + end))


@pytest.mark.parametrize(
    "how",
    [
        "empty", "other file", "cut", "flipped", "two shards", "big-endian", "another shard",
        "far block", "long value", "long prefix", "endless number", "many restarts", "no restarts",
        "compressed", "group", "cut message", "no text",
    ],
)  # fmt: skip
def test_a_damaged_index_is_one_clear_error(how: str) -> None:
    with pytest.raises(DataError, match="checkpoint") as caught:
        bundle.variables(strange(how))
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("variable", "what"),
    [
        (bundle.Variable(1, (4,), 0, 12), "shape"),
        (bundle.Variable(9, (3,), 0, 12), "type 9"),
        (bundle.Variable(1, (3,), 90, 12), "byte 102 of 100"),
        (bundle.Variable(1, (2**40,), 0, 2**42), "of 100"),
    ],
)
def test_a_variable_outside_of_the_data(variable: bundle.Variable, what: str) -> None:
    with pytest.raises(DataError, match=what):
        variable.read(b"\0" * 100)


@given(st.binary(max_size=200))
def test_any_bytes_give_variables_or_the_error(content: bytes) -> None:
    for index in (
        content,
        content.ljust(48, b"\0") + struct.pack("<Q", MAGIC),
        table(raw(content)),
    ):
        try:
            bundle.variables(index)
        except DataError:
            continue
