"""Variables of a TensorFlow checkpoint ("tensor bundle"), read without TensorFlow.

A bundle is two files. ``*.data-00000-of-00001`` holds the variables' bytes one after another.
``*.index`` is a sorted table of strings in LevelDB's format: blocks of key-value pairs, each key
without the prefix it shares with the one before, each block followed by a compression byte and a
masked CRC-32C; the last 48 bytes point to the block that lists the blocks. A value is a protobuf
message that says where a variable lies, of which type and shape it is; the empty key holds the
bundle's header.

Only what a checkpoint of float32 variables in one shard needs is read. Every length and offset
is checked against what there is: a damaged or hostile file gives a
:class:`~sedbench.errors.DataError`. The CRC of the index's blocks is checked, that of the
variables is not: who reads them compares a hash of their content.

References
----------
.. [1] LevelDB, "Table format" (doc/table_format.md), Google, 2011.
.. [2] TensorFlow, ``tensor_bundle.proto`` and ``tensor_shape.proto``.
.. [3] G. Castagnoli et al., IEEE Transactions on Communications 41(6), 1993: CRC-32C.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import DataError

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_TRAILER = 5  # compression byte and CRC behind each block
_FLOAT = 1  # TensorFlow's number of float32
_MASK = 0xA282EAD8


@dataclass(frozen=True)
class Variable:
    """Where a variable lies in the data file.

    Attributes
    ----------
    dtype : int
        TensorFlow's number of its type; 1 is float32.
    shape : tuple of int
    offset, size : int
        Bytes.
    """

    dtype: int
    shape: tuple[int, ...]
    offset: int
    size: int

    def read(self, data: bytes) -> NDArray[np.float32]:
        """Read the variable from the content of the data file.

        Raises
        ------
        DataError
            It is not float32, its shape and size disagree, or it is outside of the file.
        """
        if self.dtype != _FLOAT or math.prod(self.shape) * 4 != self.size:
            raise _broken(f"a variable of type {self.dtype}, shape {self.shape}, {self.size} bytes")
        if self.offset + self.size > len(data):
            raise _broken(f"a variable ends at byte {self.offset + self.size} of {len(data)}")
        found = np.frombuffer(data, "<f4", self.size // 4, self.offset)
        return found.reshape(self.shape).astype(np.float32)


def variables(index: bytes) -> dict[str, Variable]:
    """List the variables of a bundle by their key.

    Parameters
    ----------
    index : bytes
        The content of the index file.

    Raises
    ------
    DataError
        It is no such table, it is damaged, or the bundle has more than one shard.
    """
    if len(index) < _FOOTER or int.from_bytes(index[-8:], "little") != _MAGIC:
        raise _broken("its last bytes are not those of a table")
    footer = _Bytes(index[-_FOOTER:-8])
    footer.varint(), footer.varint()  # the meta index, which bundles leave empty
    listed = _block(index, footer.varint(), footer.varint())
    found: dict[str, Variable] = {}
    for _, handle in _pairs(listed):
        at = _Bytes(handle)
        for key, value in _pairs(_block(index, at.varint(), at.varint())):
            if key:
                found[_text(key)] = _variable(value)
            else:
                _check_header(value)
    return found


def _broken(what: str) -> DataError:
    return DataError(f"the checkpoint cannot be read: {what}", "fetch it again")


def _text(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise _broken("a key is not text") from None


class _Bytes:
    """Bytes that are read from the front, never past their end."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def __bool__(self) -> bool:
        return self.at < len(self.content)

    def take(self, size: int) -> bytes:
        if size > len(self.content) - self.at:
            raise _broken("it ends too early")
        self.at += size
        return self.content[self.at - size : self.at]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise _broken("a number has no end")


def _block(index: bytes, offset: int, size: int) -> bytes:
    if offset + size + _TRAILER > len(index) - _FOOTER:
        raise _broken("a block is outside of the file")
    content = index[offset : offset + size]
    kind = index[offset + size : offset + size + 1]
    recorded = int.from_bytes(index[offset + size + 1 : offset + size + _TRAILER], "little")
    if masked_crc(content + kind) != recorded:
        raise _broken("a block is damaged")
    if kind != b"\0":
        raise _broken("a block is compressed")
    return content


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(block) < 4:
        raise _broken("a block is empty")
    restarts = 4 * int.from_bytes(block[-4:], "little") + 4
    if restarts > len(block):
        raise _broken("a block is shorter than it says")
    rest, key = _Bytes(block[:-restarts]), b""
    while rest:
        shared, own, size = rest.varint(), rest.varint(), rest.varint()
        if shared > len(key):
            raise _broken("a key shares more than there is")
        key = key[:shared] + rest.take(own)
        yield key, rest.take(size)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message, by number."""
    rest = _Bytes(message)
    while rest:
        number, kind = divmod(rest.varint(), 8)
        if kind == 0:
            yield number, rest.varint()
        elif kind == 2:
            yield number, rest.take(rest.varint())
        elif kind in (1, 5):
            yield number, rest.take(8 if kind == 1 else 4)
        else:
            raise _broken(f"a field of kind {kind}")


def _variable(message: bytes) -> Variable:
    numbers, shape = {1: 0, 3: 0, 4: 0, 5: 0}, b""
    for number, value in _fields(message):
        if number in numbers and isinstance(value, int):
            numbers[number] = value
        elif number == 2 and isinstance(value, bytes):
            shape = value
    if numbers[3]:
        raise _broken("it has more than one shard")
    return Variable(numbers[1], tuple(_dimensions(shape)), numbers[4], numbers[5])


def _dimensions(shape: bytes) -> Iterator[int]:
    for number, dimension in _fields(shape):
        if number == 2 and isinstance(dimension, bytes):
            sizes = [v for n, v in _fields(dimension) if n == 1 and isinstance(v, int)]
            yield sizes[-1] if sizes else 0


def _check_header(message: bytes) -> None:
    for number, value in _fields(message):
        if (number == 1 and value != 1) or (number == 2 and value != 0):
            raise _broken("it has more than one shard, or is big-endian")


@cache
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # noqa: PLW2901
        table.append(byte)
    return tuple(table)


def masked_crc(content: bytes) -> int:
    """CRC-32C of bytes, rotated and shifted as LevelDB stores it."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF
